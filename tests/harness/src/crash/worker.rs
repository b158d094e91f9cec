//! One device that talks at random until it is told to stop.

use std::{sync::Arc, time::Duration};

use anyhow::{Result, bail};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep, sleep_until},
};

use super::plan::{Talk, typing};
use crate::{device::Device, history::Action, random::Random};

/// What is to be done now.
#[derive(Clone, Debug)]
pub(super) enum Phase {
    /// Ask new things.
    Talk,
    /// Ask nothing new; get everything answered.
    Answer,
    /// Wait until everything up to these ends has arrived: (conversation, seq).
    Arrive(Vec<(u64, u64)>),
}

/// Most commands that are open at once.
const OPEN: usize = 16;

/// How long the rest may take to arrive.
const PATIENCE: Duration = Duration::from_secs(15);

/// A device with its will.
pub(super) struct Worker {
    pub(super) device: Device,
    pub(super) user: String,
    pub(super) random: Random,
    pub(super) talks: Arc<Vec<Talk>>,
    pub(super) phases: watch::Receiver<Phase>,
    pub(super) settled: mpsc::UnboundedSender<()>,
    pub(super) pace: Duration,
    /// Some of its earlier sends, to be repeated much later.
    pub(super) sent: Vec<Action>,
}

impl Worker {
    /// Works until everything has arrived, and gives the device back.
    pub(super) async fn run(mut self) -> Result<Device> {
        let mut next = Instant::now();
        let mut phase = Phase::Talk;
        let mut told = false;
        loop {
            if !self.device.is_connected() && self.device.connect().await.is_err() {
                sleep(Duration::from_millis(self.random.between(10, 60))).await;
                continue;
            }
            match &phase {
                Phase::Answer if !told && self.device.open().is_empty() => {
                    told = true;
                    self.settled.send(())?;
                }
                Phase::Arrive(ends) if self.has_all(ends) => return Ok(self.device),
                _ => {}
            }
            let deadline = if let Phase::Arrive(_) = phase { next + PATIENCE } else { next };
            tokio::select! {
                alive = self.device.step() => {
                    alive?;
                }
                changed = self.phases.changed() => {
                    changed?;
                    phase = self.phases.borrow_and_update().clone();
                    next = Instant::now();
                }
                () = sleep_until(deadline) => {
                    // What has not arrived by now, the checker names.
                    if let Phase::Arrive(_) = phase {
                        return Ok(self.device);
                    }
                    if let Phase::Talk = phase {
                        self.act().await;
                    }
                    // A failure to send is the next step's to notice: the commands stay open.
                    let _ = self.device.repeat_refused().await;
                    let pace = u64::try_from(self.pace.as_millis())?;
                    next = Instant::now() + Duration::from_millis(self.random.between(1, 2 * pace));
                }
            }
            if self.phases.has_changed().is_err() {
                bail!("the run has ended");
            }
        }
    }

    fn has_all(&self, ends: &[(u64, u64)]) -> bool {
        let known = self.device.held().conversations();
        ends.iter().all(|(id, seq)| !known.contains(id) || self.device.held().seq(*id) >= *seq)
    }

    /// Does one random thing. A failure to send is the next step's to notice: the command stays open.
    async fn act(&mut self) {
        if self.device.open().len() >= OPEN {
            return;
        }
        let talks = self.talks.clone();
        let mine: Vec<&Talk> = talks
            .iter()
            .filter(|talk| {
                talk.lasting.contains(&self.user)
                    || talk.coming_and_going.as_ref() == Some(&self.user)
            })
            .filter(|talk| self.device.held().conversations().contains(&talk.id))
            .collect();
        let Some(talk) = self.random.pick(&mine).copied() else { return };
        let action = match self.random.between(0, 100) {
            0 => {
                // Away for a while: what happens meanwhile must come with the resume.
                self.device.cut();
                sleep(Duration::from_millis(self.random.between(50, 600))).await;
                return;
            }
            1..6 => {
                let _ = self.device.signal(&typing(talk.id)).await;
                return;
            }
            6..12 => {
                Some(Action::Read { conversation: talk.id, seq: self.device.held().seq(talk.id) })
            }
            12..22 => self.edit(talk),
            22..28 => self.delete(talk),
            28..33 => self.random.pick(&self.sent).cloned(),
            33..37 => self.invite_or_remove(talk),
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

    /// The first device of a group's owner lets the guest come and go.
    fn invite_or_remove(&mut self, talk: &Talk) -> Option<Action> {
        let user = talk.coming_and_going.clone()?;
        if talk.lasting.first() != Some(&self.user) {
            return None;
        }
        let conversation = talk.id;
        Some(if self.random.chance(60) {
            Action::Add { conversation, user }
        } else {
            Action::Remove { conversation, user }
        })
    }
}
