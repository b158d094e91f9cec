//! From the store to the hub: what was committed, in the order of commits.

use std::{sync::Arc, time::Instant};

use parlour_core::{
    event::{Envelope, Event},
    port::{
        bus::{Bus, BusMessage, Hint, Topic},
        store::{CommitSink, Store},
    },
};
use tokio::sync::{mpsc, oneshot};

use super::{Hub, hub};
use crate::{metrics::Metrics, tasks::Tasks};

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
    /// Told when everything before it has been delivered.
    Mark(oneshot::Sender<()>),
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
}

impl CommitSink for Inbox {
    fn committed(&self, envelopes: Vec<Envelope>) {
        if envelopes.is_empty() {
            return;
        }
        // Called on the store's own thread. The other end goes only when the process ends.
        drop(self.0.blocking_send(Batch::Committed { envelopes, at: Instant::now() }));
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
                    Some(Batch::Mark(mark)) => {
                        let _nobody_waits_any_more = mark.send(());
                        continue;
                    }
                    None => break,
                };
                deliver(&hub, &*store, &envelopes).await;
                metrics.delivered_seconds.observe(at.elapsed().as_secs_f64());
                count(&metrics, &envelopes);
                announce(&*bus, &envelopes);
            }
        });
    }
}

async fn deliver(hub: &Hub, store: &dyn Store, envelopes: &[Envelope]) {
    let mut dirty = Vec::new();
    for envelope in envelopes {
        // A hole is closed by reading what is missing. It comes to an end: each round reads something, or gives up.
        while let Err(hole) = hub.deliver(envelope, &mut dirty) {
            let end = hole.before;
            let read = store.replay(None, hole.conversation, hole.after, end, HEAL_PAGE).await;
            match read {
                Ok(replay) if replay.covered > hole.after => {
                    hub.deliver_replay(hole.conversation, &replay, &mut dirty);
                }
                Ok(_) => break,
                Err(error) => {
                    tracing::error!(?error, conversation = %hole.conversation, "a gap could not be read");
                    break;
                }
            }
        }
    }
    hub::flush(&mut dirty);
}

fn count(metrics: &Metrics, envelopes: &[Envelope]) {
    let sent = envelopes.iter().filter(|e| matches!(e.event, Event::MessageCreated(_))).count();
    metrics.messages.inc_by(sent as u64);
}

/// Tells other processes how far the logs have grown. They read the rest themselves.
fn announce(bus: &dyn Bus, envelopes: &[Envelope]) {
    let head = |envelope: &Envelope| {
        let (conversation, seq) = envelope.conversation.zip(envelope.seq)?;
        let topic = Topic::Conversation(conversation);
        Some(BusMessage { topic, hint: Hint::Head { conversation, seq } })
    };
    let heads: Vec<_> = envelopes.iter().filter_map(head).collect();
    if let Err(error) = bus.publish(heads) {
        tracing::warn!(%error, "other processes could not be told; they will find out by themselves");
    }
}
