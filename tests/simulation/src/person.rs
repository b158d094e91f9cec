//! The will of a device: talks at random until it is told to stop, then waits for the rest.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use anyhow::Result;
use parlour_harness::{
    history::{Action, FinalRead, Message},
    random::Random,
};
use serde_json::json;
use tokio::time::{Instant, sleep, sleep_until};

use crate::{
    device::Device,
    run::{Phase, Run, Talk},
    socket::request,
};

/// Most commands that are open at once.
const OPEN: usize = 16;

/// How long a device hears nothing until it takes its connection for dead: the server pings more often.
const SILENCE: Duration = Duration::from_secs(50);

/// A device with its will.
pub struct Person {
    /// The device.
    pub device: Device,
    /// Its chances.
    pub random: Random,
    /// Mean time between two commands.
    pub pace: Duration,
    /// What everybody shares.
    pub run: Arc<Run>,
    talks: Arc<Vec<Talk>>,
    /// Some of its earlier sends, to be repeated much later.
    sent: Vec<Action>,
    told: bool,
}

impl Person {
    /// Somebody with a device.
    #[must_use]
    pub fn new(device: Device, random: Random, pace: Duration, run: Arc<Run>) -> Self {
        Self { device, random, pace, run, talks: Arc::default(), sent: Vec::new(), told: false }
    }

    /// Lives until everything has arrived.
    ///
    /// # Errors
    /// When the server sends what cannot be understood.
    pub async fn live(mut self) -> Result<()> {
        let run = self.run.clone();
        let mut next = Instant::now();
        let (mut number, mut phase) = run.phase();
        loop {
            match &phase {
                Phase::Prepare => {
                    (number, phase) = run.after(number).await;
                    continue;
                }
                Phase::Talk(talks) => self.talks = talks.clone(),
                Phase::Leave => return self.leave().await,
                _ => {}
            }
            if !self.device.is_connected() && !self.try_connect().await {
                let now = run.phase();
                if now.0 > number {
                    (number, phase) = now;
                    self.told = false;
                }
                continue;
            }
            self.tell(&phase);
            let silence = self.device.heard() + SILENCE;
            tokio::select! {
                biased;
                changed = run.after(number) => {
                    (number, phase) = changed;
                    self.told = false;
                    next = Instant::now();
                }
                alive = self.device.step() => alive?,
                () = sleep_until(next) => {
                    if let Phase::Talk(_) = phase {
                        self.act().await;
                    }
                    // A failure to send is the next step's to notice: the commands stay open.
                    let _unsent = self.device.repeat().await;
                    next = Instant::now() + self.pause();
                }
                () = sleep_until(silence) => {
                    if self.device.heard() + SILENCE <= Instant::now() {
                        self.device.cut();
                    }
                }
            }
        }
    }

    /// Bursts, and long silences between them.
    fn pause(&mut self) -> Duration {
        let pace = u64::try_from(self.pace.as_millis()).unwrap_or(u64::MAX);
        let factor = if self.random.chance(70) { 5 } else { 300 };
        Duration::from_millis(self.random.between(1, 1 + pace * factor / 100))
    }

    async fn try_connect(&mut self) -> bool {
        let servers = self.run.servers.clone();
        let server = self.random.pick(&servers).copied().unwrap_or("server-1");
        let connected = self.device.connect(server).await.is_ok();
        if !connected {
            sleep(Duration::from_millis(self.random.between(200, 3_000))).await;
        }
        connected
    }

    /// Says once that it has done what the phase asks.
    fn tell(&mut self, phase: &Phase) {
        let done = match phase {
            Phase::Answer => self.device.open.is_empty(),
            Phase::Arrive(ends) => ends
                .iter()
                .all(|(id, seq)| self.device.held.get(id).is_none_or(|held| held.seq >= *seq)),
            _ => false,
        };
        if done && !self.told {
            self.told = true;
            self.run.has_done();
        }
    }

    async fn leave(mut self) -> Result<()> {
        self.device.record_state(self.run.len());
        for server in self.run.servers.clone() {
            for talk in self.talks.clone().iter() {
                if talk.lasting.contains(&self.device.user) {
                    self.read_all(server, talk.id).await?;
                }
            }
        }
        self.device.close().await;
        self.run.has_done();
        Ok(())
    }

    /// Reads a conversation through REST, as one of the final reads.
    async fn read_all(&self, server: &str, conversation: u64) -> Result<()> {
        let user = self.device.user;
        let as_of = self.run.len();
        let mut messages: Vec<Message> = Vec::new();
        loop {
            let after = messages.last().map_or(0, |message| message.seq);
            let path =
                format!("/api/v1/conversations/{conversation}/messages?after={after}&limit=100");
            let (status, body) = request(server, self.run.token(user), "GET", &path, None).await?;
            anyhow::ensure!(status == 200, "HTTP {status}: {body}");
            let page = body["results"].as_array().cloned().unwrap_or_default();
            messages.extend(page.iter().filter_map(Message::from_wire));
            if page.is_empty() {
                break;
            }
        }
        self.run.add_final(FinalRead {
            source: format!("rest:{user}@{server}"),
            as_of,
            conversation,
            from: 0,
            last_seq: None,
            messages,
            others: Vec::new(),
            complete: false,
        });
        Ok(())
    }

    /// Does one random thing. A failure to send is the next step's to notice: the command stays open.
    async fn act(&mut self) {
        if self.device.open.len() >= OPEN {
            return;
        }
        let talks = self.talks.clone();
        let user = self.device.user;
        let is_mine = |talk: &&Talk| {
            (talk.lasting.contains(&user) || talk.guest == Some(user))
                && self.device.held.contains_key(&talk.id)
        };
        let mine: Vec<&Talk> = talks.iter().filter(is_mine).collect();
        let Some(talk) = self.random.pick(&mine).copied() else { return };
        let conversation = talk.id;
        let action = match self.random.between(0, 100) {
            0..3 => {
                // Away for a while: what happens meanwhile must come with the resume.
                if self.random.chance(50) {
                    self.device.cut();
                } else {
                    self.device.close().await;
                }
                sleep(Duration::from_millis(self.random.between(50, 90_000))).await;
                return;
            }
            3..8 => {
                let typing =
                    json!({"type": "typing", "conversation_id": conversation, "active": true});
                let _unsent = self.device.signal(&typing).await;
                return;
            }
            8..16 => {
                let seq = self.device.held.get(&conversation).map_or(0, |held| held.seq);
                Some(Action::Read { conversation, seq })
            }
            16..28 => self.edit(talk),
            28..34 => self.delete(talk),
            34..40 => self.random.pick(&self.sent).cloned(),
            40..46 => self.invite_or_remove(talk),
            _ => Some(self.say(talk)),
        };
        if let Some(action) = action {
            let _unsent = self.device.ask(action).await;
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
        let own = self.device.own_messages(talk.id, 30);
        let open = &self.device.open;
        let busy = |id: u64| {
            open.values().any(|action| {
                matches!(action, Action::Edit { message, .. } | Action::Delete { message, .. } if *message == id)
            })
        };
        let free: Vec<u64> = own.into_iter().filter(|id| !busy(*id)).collect();
        self.random.pick(&free).copied()
    }

    /// The owner of a group lets the guest come and go.
    fn invite_or_remove(&mut self, talk: &Talk) -> Option<Action> {
        let user = talk.guest?.to_owned();
        if talk.lasting.first() != Some(&self.device.user) {
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

/// Makes the conversations: two direct ones, a group of all, and a group with somebody coming and going.
///
/// # Errors
/// When the server refuses.
pub async fn open_talks(run: &Run, random: &mut Random) -> Result<Arc<Vec<Talk>>> {
    use parlour_harness::{device::MARKER, history::What};
    let kinds: [(&str, &[&'static str], Option<&'static str>); 4] = [
        ("direct", &["alice", "bob"], None),
        ("direct", &["carol", "dave"], None),
        ("group", &["alice", "bob", "carol", "dave"], None),
        ("group", &["alice", "bob", "carol"], Some("dave")),
    ];
    let server = run.servers.first().copied().unwrap_or("server-1");
    let mut talks = Vec::new();
    for (kind, lasting, guest) in kinds {
        let maker = lasting.first().copied().unwrap_or("alice");
        let body = json!({"kind": kind, "participants": lasting});
        let made = request(server, run.token(maker), "POST", "/api/v1/conversations", Some(&body));
        let (status, made) = made.await?;
        anyhow::ensure!((200..300).contains(&status), "HTTP {status}: {made}");
        let id = made["id"].as_u64().unwrap_or_default();
        let marker = format!("{MARKER}{:016x}", random.number());
        let members = lasting.iter().map(|&user| user.to_owned()).collect();
        run.add(What::Conversation { conversation: id, marker: marker.clone(), members });
        talks.push(Talk { id, marker, lasting: lasting.to_vec(), guest });
    }
    run.done.fetch_add(1, Relaxed);
    Ok(Arc::new(talks))
}
