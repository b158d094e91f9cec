//! A native device that talks at random, through bad weather, until it is told to stop.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Result, bail};
use parlour_harness::{device::Device, history::Action, random::Random};
use serde_json::json;
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, interval, sleep, sleep_until},
};

use crate::{
    people::Talk,
    phase::{Patience, Phase, any},
};

/// Most commands that are open at once.
const OPEN: usize = 16;

/// How long a connection may be silent, after it was asked for a sign of life.
pub const SILENCE: Duration = Duration::from_secs(6);

/// How often it is asked.
const PING: Duration = Duration::from_secs(2);

/// A device with its will.
pub struct Native {
    /// What it is.
    pub device: Device,
    /// Whose.
    pub user: String,
    /// For its choices.
    pub random: Random,
    /// All conversations.
    pub talks: Arc<Vec<Talk>>,
    /// Where the processes are.
    pub doors: Arc<Vec<SocketAddr>>,
    /// What to do.
    pub phases: watch::Receiver<Phase>,
    /// Told when a phase is fulfilled.
    pub done: mpsc::UnboundedSender<()>,
    /// Mean time between two commands.
    pub pace: Duration,
    /// Some of its earlier sends, to be repeated much later.
    pub sent: Vec<Action>,
}

impl Native {
    /// Works until it is told to part.
    ///
    /// # Errors
    /// When the server sends what cannot be understood.
    pub async fn run(mut self) -> Result<()> {
        self.device.set_patience(SILENCE);
        let (mut next, mut looks) = (Instant::now(), interval(PING));
        let mut patience = Patience::default();
        let mut told = false;
        loop {
            if self.phases.has_changed()? {
                // Also while it was away.
                told = false;
            }
            let phase = self.phases.borrow_and_update().clone();
            if matches!(phase, Phase::Part) {
                self.device.record_state();
                self.device.record_marks();
                self.device.close().await;
                return Ok(());
            }
            if !self.device.is_connected() {
                self.device.move_to(any(&self.doors, &mut self.random));
                if self.device.connect().await.is_err() {
                    sleep(patience.next(&mut self.random)).await;
                    continue;
                }
                patience.reset();
            }
            if !told && self.fulfils(&phase) {
                told = true;
                self.done.send(())?;
            }
            tokio::select! {
                alive = self.device.step() => {
                    alive?;
                }
                changed = self.phases.changed() => {
                    if changed.is_err() {
                        bail!("the run has ended");
                    }
                    told = false;
                }
                _ = looks.tick() => self.look().await,
                () = sleep_until(next) => {
                    if matches!(phase, Phase::Talk) {
                        self.act().await;
                    }
                    // A failure to send is the next step's to notice: the commands stay open.
                    let _ = self.device.repeat_refused().await;
                    // A failure to load is tried again.
                    if matches!(phase, Phase::Agree(_) | Phase::Arrive(_)) {
                        let _ = self.device.load_marks().await;
                    }
                    let pace = u64::try_from(self.pace.as_millis())?;
                    next = Instant::now() + Duration::from_millis(self.random.between(1, 2 * pace));
                }
            }
        }
    }

    fn fulfils(&self, phase: &Phase) -> bool {
        match phase {
            Phase::Gather => self.device.is_connected(),
            Phase::Wait | Phase::Talk | Phase::Part => false,
            Phase::Answer => self.device.open().is_empty(),
            Phase::Arrive(ends) => {
                let held = self.device.held();
                let known = held.conversations();
                self.device.has_loaded()
                    && ends
                        .seqs
                        .iter()
                        .all(|(id, seq)| !known.contains(id) || held.seq(*id) >= *seq)
            }
            Phase::Agree(truth) => self.device.held().conversations().iter().all(|conversation| {
                let held = self.device.marks(*conversation);
                let truth = truth.get(conversation);
                truth.is_none_or(|truth| {
                    truth.iter().all(|(user, marks)| held.get(user) == Some(marks))
                })
            }),
        }
    }

    /// A connection that has been silent for long is dead.
    async fn look(&mut self) {
        if self.device.silence().is_some_and(|silence| silence > SILENCE) {
            self.device.cut();
        } else if self.device.is_connected() {
            // A failure is the next step's to notice.
            let _ = self.device.ping().await;
        }
    }

    /// Does one random thing. A failure to send is the next step's to notice: the command stays open.
    async fn act(&mut self) {
        if self.device.open().len() >= OPEN {
            return;
        }
        let talks = self.talks.clone();
        let known = self.device.held().conversations();
        let mine: Vec<&Talk> = talks.iter().filter(|talk| known.contains(&talk.id)).collect();
        let Some(talk) = self.random.pick(&mine).copied() else { return };
        let action = match self.random.between(0, 1_000) {
            0..3 => {
                // Away for a while: what happens meanwhile must come with the resume.
                self.device.cut();
                sleep(Duration::from_millis(self.random.between(50, 1_500))).await;
                return;
            }
            3..50 => {
                let typing = json!({"type": "typing", "conversation_id": talk.id, "active": true});
                let _ = self.device.signal(&typing).await;
                return;
            }
            50..110 => {
                Some(Action::Read { conversation: talk.id, seq: self.device.held().seq(talk.id) })
            }
            110..210 => self.edit(talk),
            210..260 => self.delete(talk),
            260..300 => self.random.pick(&self.sent).cloned(),
            300..360 => self.invite_or_remove(talk),
            _ => Some(self.say(talk)),
        };
        if let Some(action) = action {
            let _ = self.device.ask(action).await;
        }
    }

    fn say(&mut self, talk: &Talk) -> Action {
        let client_id = format!("{:016x}", self.random.number());
        let content = format!("{} {client_id} ünï 🙂", talk.marker);
        let action = Action::Send { conversation: talk.id, client_id, content };
        if self.sent.len() < 200 {
            self.sent.push(action.clone());
        }
        action
    }

    fn edit(&mut self, talk: &Talk) -> Option<Action> {
        let message = self.own_message(talk)?;
        let content = format!("{} edited {:016x}", talk.marker, self.random.number());
        Some(Action::Edit { conversation: talk.id, message, content })
    }

    fn delete(&mut self, talk: &Talk) -> Option<Action> {
        let message = self.own_message(talk)?;
        Some(Action::Delete { conversation: talk.id, message })
    }

    /// One of the user's own messages that no open command is about.
    fn own_message(&mut self, talk: &Talk) -> Option<u64> {
        let open = self.device.open();
        let busy = |id: u64| {
            open.values().any(|action| {
                matches!(action, Action::Edit { message, .. } | Action::Delete { message, .. } if *message == id)
            })
        };
        let own = self.device.held().messages_of(&self.user, talk.id, 30);
        let free: Vec<u64> = own.iter().map(|message| message.id).filter(|id| !busy(*id)).collect();
        self.random.pick(&free).copied()
    }

    /// The owner of the group lets a guest come or go; a guest leaves.
    fn invite_or_remove(&mut self, talk: &Talk) -> Option<Action> {
        let conversation = talk.id;
        if talk.guests.contains(&self.user) {
            let user = self.user.clone();
            return self.random.chance(20).then_some(Action::Remove { conversation, user });
        }
        if talk.lasting.first() != Some(&self.user) {
            return None;
        }
        let user = self.random.pick(&talk.guests)?.clone();
        Some(if self.random.chance(60) {
            Action::Add { conversation, user }
        } else {
            Action::Remove { conversation, user }
        })
    }
}
