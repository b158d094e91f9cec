//! A client of a dialect without positions: says things until it hears that they are stored, and keeps what it is told.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Result;
use parlour_harness::{
    dialects::{
        Client, Kind, Place,
        log::{Heard, Said},
    },
    history::{Action, Cause, Recorder, What, next_number},
    random::Random,
    rest::Rest,
};
use serde_json::Value;
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep, timeout},
};

use crate::{
    native::SILENCE,
    people::Part,
    phase::{Ends, Patience, Phase, any},
};

/// Most messages that are on their way at once.
const OPEN: usize = 4;

/// After so long without a word of it a message is said again.
const AGAIN: Duration = Duration::from_secs(3);

/// Who was away for longer may have missed more than is sent again. Most are told so; `plain` has no frame for it, and does what
/// its page does: it loads the conversation.
const LONG_AWAY: Duration = Duration::from_secs(3);

/// How often it looks around while nothing happens.
const LOOK: Duration = Duration::from_millis(20);

/// A robot with its will.
pub struct Robot {
    /// What it is, and where.
    pub part: Part,
    /// The word that all its messages carry.
    pub marker: String,
    /// For its choices.
    pub random: Random,
    /// Where the processes are.
    pub doors: Arc<Vec<SocketAddr>>,
    /// What to do.
    pub phases: watch::Receiver<Phase>,
    /// Told when a phase is fulfilled.
    pub done: mpsc::UnboundedSender<()>,
    /// Mean time between two messages.
    pub pace: Duration,
    /// Where its sends are recorded.
    pub recorder: Arc<Recorder>,
}

/// A message on its way.
struct Open {
    text: String,
    client_id: String,
    said: Option<Instant>,
}

/// What a robot is at the end: its client with all that it was told.
pub struct Retired {
    /// What it was.
    pub part: Part,
    /// What it was told.
    pub client: Client,
    /// The numbers of its connections end here, for the history.
    pub conn: u64,
}

impl Robot {
    /// Works until it is told to part, and gives what it has been told.
    ///
    /// # Errors
    /// When it cannot connect at first: before anything is broken.
    pub async fn run(mut self) -> Result<Retired> {
        let place = Place { conversation: self.part.conversation, peer: self.part.peer.clone() };
        let door = any(&self.doors, &mut self.random);
        let mut client =
            Client::connect_watching(door, self.part.kind, &self.part.user, place, Some(SILENCE))
                .await?;
        let conn = next_number();
        let mut open: Vec<Open> = Vec::new();
        let (mut patience, mut told, mut loaded) = (Patience::default(), false, 0);
        let (mut next, mut was_long_away) = (Instant::now(), false);
        let mut heard = (0, Instant::now());
        loop {
            if self.phases.has_changed()? {
                // Also while it was away.
                told = false;
            }
            let phase = self.phases.borrow_and_update().clone();
            if matches!(phase, Phase::Part) {
                self.ended(conn);
                return Ok(Retired { part: self.part, client, conn });
            }
            if !client.is_connected() {
                client.move_to(any(&self.doors, &mut self.random));
                let connected = timeout(2 * SILENCE, client.reconnect()).await;
                if !matches!(connected, Ok(Ok(()))) {
                    sleep(patience.next(&mut self.random)).await;
                    continue;
                }
                patience.reset();
                was_long_away |= heard.1.elapsed() > LONG_AWAY;
                // What was said on the old connection may have gone with it.
                open.iter_mut().for_each(|open| open.said = None);
            }
            let (resyncs, count) = client.look(|log| (log.resyncs(), log.heard().len()));
            if count > heard.0 {
                heard = (count, Instant::now());
            }
            let must_load = resyncs > loaded || (was_long_away && self.part.kind == Kind::Plain);
            if must_load && self.load(&client).await.is_ok() {
                (loaded, was_long_away) = (resyncs, false);
            }
            client.look(|log| open.retain(|open| !log.has(&open.text)));
            if matches!(phase, Phase::Talk) && Instant::now() >= next {
                let pace = u64::try_from(self.pace.as_millis())?;
                next = Instant::now() + Duration::from_millis(self.random.between(1, 2 * pace));
                if open.len() < OPEN {
                    open.push(self.think(conn));
                }
            }
            for open in &mut open {
                if open.said.is_none_or(|said| said.elapsed() > AGAIN) {
                    open.said = Some(Instant::now());
                    // Without a connection it is said on the next one.
                    let _ = client.say(&open.text, &open.client_id).await;
                }
            }
            if !told && fulfils(&phase, &client, open.is_empty() && loaded == resyncs, &self.part) {
                told = true;
                self.done.send(())?;
            }
            let woken = timeout(LOOK, self.phases.changed()).await;
            if let Ok(changed) = woken {
                changed?;
                told = false;
            }
        }
    }

    fn think(&mut self, conn: u64) -> Open {
        let client_id = format!("{:016x}", self.random.number());
        let text = format!("{} {client_id}", self.marker);
        let action = Action::Send {
            conversation: self.part.conversation,
            client_id: client_id.clone(),
            content: text.clone(),
        };
        let (device, user) = (self.name(), self.part.user.clone());
        self.recorder.add(What::Invoke { device, user, conn, op: next_number(), action });
        Open { text, client_id, said: None }
    }

    /// The robots' sends have no answers that a history could show; what they are told is judged for itself.
    fn ended(&self, conn: u64) {
        let (device, cause) = (self.name(), Some(Cause::Client));
        self.recorder.add(What::Closed { device, conn, code: None, cause });
    }

    fn name(&self) -> String {
        format!("{}-{}", self.part.kind.name(), self.part.user)
    }

    /// Told to load the conversation anew, it does.
    async fn load(&mut self, client: &Client) -> Result<()> {
        let since = client.look(|log| log.heard().len());
        let door = any(&self.doors, &mut self.random);
        let rest = Rest::new(door, &self.part.user)?.patience(SILENCE);
        let messages = rest.all_messages(self.part.conversation).await?;
        let as_heard = |value: &Value| {
            let id = value["id"].as_u64().unwrap_or_default();
            let text = |field: &str| value[field].as_str().unwrap_or_default().to_owned();
            match value["content"].as_str() {
                Some(content) => Heard::Said(Said {
                    id,
                    sender: text("sender_id"),
                    text: content.into(),
                    created_at: text("created_at"),
                }),
                None => Heard::Deleted { id },
            }
        };
        client.add_loaded(since, messages.iter().map(as_heard).collect());
        Ok(())
    }
}

fn fulfils(phase: &Phase, client: &Client, idle: bool, part: &Part) -> bool {
    match phase {
        Phase::Gather | Phase::Agree(_) => true,
        Phase::Wait | Phase::Talk | Phase::Part => false,
        Phase::Answer => idle,
        Phase::Arrive(ends) => idle && client.look(|log| lacks(log, part, ends).is_empty()),
    }
}

/// The messages that stand and that a robot was not told of, or not as they are now (CK7, CK8 without positions).
pub fn lacks(log: &parlour_harness::dialects::log::Log, part: &Part, ends: &Ends) -> Vec<String> {
    let mut found = Vec::new();
    let state = log.state();
    for message in ends.messages.get(&part.conversation).into_iter().flatten() {
        let told = state.get(&message.id);
        match (&message.content, told) {
            (Some(content), Some(Some(text))) if content == text => {}
            (Some(_), Some(Some(_)))
                if !part.kind.tells_of_changes() && message.change_seq > message.seq => {}
            (Some(content), told) => {
                found.push(format!(
                    "message {} {content:?} (seq {}, changed {}), it knows {told:?}",
                    message.id, message.seq, message.change_seq
                ));
            }
            (None, Some(Some(text))) if part.kind.tells_of_changes() => {
                found.push(format!("the deletion of message {} {text:?}", message.id));
            }
            (None, _) => {}
        }
    }
    found
}

/// Whether a kind can be told the same thing twice.
#[must_use]
pub const fn may_repeat(kind: Kind) -> bool {
    !kind.keeps_position()
}
