//! From the store to the hub: what was committed, in the order of commits.

use std::{sync::Arc, time::Instant};

use parlour_core::{
    ConversationId, Seq, UserId,
    event::{Envelope, Event},
    port::{
        bus::{Bus, BusMessage, Hint, Topic},
        store::{CommitSink, Replay, Store},
    },
};
use tokio::sync::{
    mpsc::{self, error::TrySendError},
    oneshot,
};

use super::{
    Hub,
    conn::Conn,
    hub::{self, Hole},
};
use crate::{
    hash::{HashMap, HashSet},
    metrics::Metrics,
    tasks::Tasks,
};

/// Batches of the store that may wait for the hub. When they are this many the store waits: senders slow down
/// before anything is lost.
const WAITING_BATCHES: usize = 256;

/// Replayed at once while a hole is closed.
const HEAL_PAGE: usize = 500;

enum Batch {
    Committed {
        envelopes: Vec<Envelope>,
        at: Instant,
    },
    /// What other processes committed, as the store has it. Told when it has been delivered.
    Read(Vec<Read>, oneshot::Sender<()>),
    /// Told when everything before it has been delivered.
    Mark(oneshot::Sender<()>),
}

/// What was read because other processes have written it.
pub(crate) enum Read {
    /// A part of a log.
    Log {
        conversation: ConversationId,
        /// Where it begins.
        after: Seq,
        replay: Replay,
        /// It goes to the end that the log had then.
        to_end: bool,
    },
    /// Receipts, in the order of their versions.
    Receipts { conversation: ConversationId, envelopes: Vec<Envelope> },
}

/// The store's end.
pub(crate) struct Inbox(mpsc::Sender<Batch>);

impl Inbox {
    /// Waits until everything that was committed before has been delivered.
    pub(crate) async fn settled(&self) {
        let (mark, reached) = oneshot::channel();
        // Without a dispatcher there is nothing to wait for.
        if self.0.send(Batch::Mark(mark)).await.is_ok() {
            let _gone = reached.await;
        }
    }

    /// Delivers what was read of what other processes have written, in its place among what this one commits. Ends when
    /// that is done.
    pub(crate) async fn deliver(&self, read: Vec<Read>) {
        let (mark, reached) = oneshot::channel();
        if self.0.send(Batch::Read(read, mark)).await.is_ok() {
            let _gone = reached.await;
        }
    }
}

impl CommitSink for Inbox {
    fn committed(&self, envelopes: Vec<Envelope>) {
        if envelopes.is_empty() {
            return;
        }
        // Called on the store's own thread, which may wait. The other end goes only when the process ends.
        let batch = Batch::Committed { envelopes, at: Instant::now() };
        if let Err(TrySendError::Full(batch)) = self.0.try_send(batch) {
            drop(self.0.blocking_send(batch));
        }
    }
}

/// The hub's end.
pub(crate) struct Dispatcher {
    batches: mpsc::Receiver<Batch>,
}

impl Dispatcher {
    /// The two ends.
    pub(crate) fn new() -> (Arc<Inbox>, Self) {
        let (sender, batches) = mpsc::channel(WAITING_BATCHES);
        (Arc::new(Inbox(sender)), Self { batches })
    }

    /// Delivers until the store is closed.
    pub(crate) fn start(
        mut self,
        hub: Arc<Hub>,
        store: Arc<dyn Store>,
        bus: Arc<dyn Bus>,
        metrics: Arc<Metrics>,
        tasks: &Tasks,
    ) {
        let stopping = tasks.clone();
        tasks.spawn("dispatcher", async move {
            loop {
                let batch = tokio::select! {
                    biased;
                    batch = self.batches.recv() => batch,
                    () = stopping.stopping() => None,
                };
                let (envelopes, at) = match batch {
                    Some(Batch::Committed { envelopes, at }) => (envelopes, at),
                    Some(Batch::Read(read, mark)) => {
                        deliver_read(&hub, read);
                        let _nobody_waits_any_more = mark.send(());
                        continue;
                    }
                    Some(Batch::Mark(mark)) => {
                        let _nobody_waits_any_more = mark.send(());
                        continue;
                    }
                    None => break,
                };
                deliver(&hub, &*store, &metrics, &envelopes).await;
                metrics.delivered_seconds.observe(at.elapsed().as_secs_f64());
                count(&metrics, &envelopes);
                announce(&*bus, &metrics, &envelopes);
            }
        });
    }
}

async fn deliver(hub: &Hub, store: &dyn Store, metrics: &Metrics, envelopes: &[Envelope]) {
    let mut dirty = Vec::new();
    for envelope in envelopes {
        // A hole is closed by reading what is missing. It comes to an end: each round reads something, or gives up.
        while let Err(hole) = hub.deliver(envelope, &mut dirty) {
            metrics.heals.inc();
            let closed = close(hub, store, hole, &mut dirty).await;
            if let Err(error) = &closed {
                tracing::error!(?error, ?hole, "a gap could not be read");
            }
            if !matches!(closed, Ok(true)) {
                hub.owe(envelope, &mut dirty);
                break;
            }
        }
    }
    hub::flush(&mut dirty);
}

/// Reads what is missing; whether there was something.
async fn close(
    hub: &Hub,
    store: &dyn Store,
    hole: Hole,
    dirty: &mut Vec<Arc<Conn>>,
) -> parlour_core::Result<bool> {
    match hole {
        Hole::Changes { conversation, after, before } => {
            let end = Seq(before.0.saturating_sub(1));
            let replay = store.replay(None, conversation, after, end, HEAL_PAGE).await?;
            hub.deliver_replay(conversation, after, &replay, false, dirty);
            Ok(replay.covered > after)
        }
        Hole::Receipts { conversation, after, before } => {
            let receipts = store.receipts(conversation, after).await?;
            hub.deliver_receipts(conversation, &receipts, Some(before), dirty);
            Ok(true)
        }
    }
}

fn deliver_read(hub: &Hub, read: Vec<Read>) {
    let mut dirty = Vec::new();
    for read in read {
        match read {
            Read::Log { conversation, after, replay, to_end } => {
                hub.deliver_replay(conversation, after, &replay, to_end, &mut dirty);
            }
            Read::Receipts { conversation, envelopes } => {
                hub.deliver_receipts(conversation, &envelopes, None, &mut dirty);
            }
        }
    }
    hub::flush(&mut dirty);
}

fn count(metrics: &Metrics, envelopes: &[Envelope]) {
    let sent = envelopes.iter().filter(|e| matches!(e.event, Event::MessageCreated(_))).count();
    metrics.messages.inc_by(sent as u64);
}

/// Tells other processes how far the logs have grown, and whom that lets in or out. They read the rest themselves.
fn announce(bus: &dyn Bus, metrics: &Metrics, envelopes: &[Envelope]) {
    if !bus.is_shared() {
        return;
    }
    let messages = hints(envelopes);
    let count = messages.len() as u64;
    match bus.publish(messages) {
        Ok(()) => _ = metrics.bus_published.inc_by(count),
        Err(error) => {
            metrics.bus_dropped.inc_by(count);
            tracing::debug!(%error, "other processes could not be told; they will find out by themselves");
        }
    }
}

/// Of each conversation the newest alone.
fn hints(envelopes: &[Envelope]) -> Vec<BusMessage> {
    let mut heads: HashMap<ConversationId, Seq> = HashMap::default();
    let mut receipts: HashMap<ConversationId, u64> = HashMap::default();
    let mut users: HashSet<&UserId> = HashSet::default();
    for envelope in envelopes {
        let Some(conversation) = envelope.conversation else { continue };
        if let Some(seq) = envelope.seq {
            let head = heads.entry(conversation).or_default();
            *head = seq.max(*head);
        }
        match &envelope.event {
            Event::Receipt { version, .. } => {
                let newest = receipts.entry(conversation).or_default();
                *newest = (*version).max(*newest);
            }
            Event::ConversationCreated { participants, .. } => {
                users.extend(participants.iter().map(|participant| &participant.profile.id));
            }
            Event::ParticipantJoined { participant, .. } => {
                users.insert(&participant.profile.id);
            }
            Event::ParticipantLeft { user, .. } => {
                users.insert(&user.id);
            }
            _ => {}
        }
    }
    let heads = heads.into_iter().map(|(conversation, seq)| BusMessage {
        topic: Topic::Conversation(conversation),
        hint: Hint::Head { conversation, seq },
    });
    let receipts = receipts.into_iter().map(|(conversation, version)| BusMessage {
        topic: Topic::Conversation(conversation),
        hint: Hint::Receipts { conversation, version },
    });
    let users = users.into_iter().map(|user| BusMessage {
        topic: Topic::User(user.clone()),
        hint: Hint::User(user.clone()),
    });
    heads.chain(receipts).chain(users).collect()
}
