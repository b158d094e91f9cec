//! A client of an older design: it cannot say where it stands, and yet must get everything at least once.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::Result;
use parlour_harness::{history::FinalRead, random::Random};
use serde_json::Value;
use tokio::time::{Instant, sleep, sleep_until};

use crate::{
    run::{Phase, Run, Talk},
    socket::{Incoming, Socket},
};

/// After so much silence it takes its connection for dead.
const SILENCE: Duration = Duration::from_secs(50);

/// Which of the older designs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tongue {
    /// One socket a user.
    Inbox,
    /// One socket a conversation.
    Room,
    /// One socket a conversation, frames without a type; it hears nothing of edits.
    Plain,
}

/// A message as it last heard of it; `None`: taken back.
type Heard = BTreeMap<u64, Option<String>>;

/// A listener.
pub struct Robot {
    /// Its name, for reports.
    pub name: &'static str,
    /// Whose it is.
    pub user: &'static str,
    /// What it speaks.
    pub tongue: Tongue,
    /// Its chances.
    pub random: Random,
    /// What everybody shares.
    pub run: Arc<Run>,
    talks: Arc<Vec<Talk>>,
    /// By conversation.
    heard: BTreeMap<u64, Heard>,
    /// By conversation: the first message that it must have.
    since: BTreeMap<u64, u64>,
}

impl Robot {
    /// A robot that has heard nothing yet.
    #[must_use]
    pub fn new(
        name: &'static str,
        user: &'static str,
        tongue: Tongue,
        random: Random,
        run: Arc<Run>,
    ) -> Self {
        let (heard, since) = (BTreeMap::new(), BTreeMap::new());
        Self { name, user, tongue, random, run, talks: Arc::default(), heard, since }
    }

    /// Listens until the end.
    ///
    /// # Errors
    /// When the server sends what cannot be understood.
    pub async fn live(mut self) -> Result<()> {
        loop {
            let (number, phase) = self.run.phase();
            match phase {
                Phase::Prepare => {
                    self.run.after(number).await;
                    continue;
                }
                Phase::Talk(talks) => self.talks = talks,
                _ => {}
            }
            let servers = self.run.servers.clone();
            let server = self.random.pick(&servers).copied().unwrap_or("server-1");
            match Socket::connect(server, &self.path(), self.run.token(self.user), false).await {
                Ok(socket) => self.listen(socket).await?,
                Err(_) => sleep(Duration::from_millis(self.random.between(200, 3_000))).await,
            }
        }
    }

    /// The group of all.
    fn group(&self) -> u64 {
        self.talks.iter().find(|talk| talk.lasting.len() == 4).map_or(0, |talk| talk.id)
    }

    fn path(&self) -> String {
        let (group, name) = (self.group(), self.name);
        match self.tongue {
            Tongue::Inbox => format!("/ws/chat/?dialect=inbox&device={name}"),
            Tongue::Room => format!("/ws/chat/{group}/?dialect=room&device={name}"),
            Tongue::Plain => format!("/ws/chat/{group}/?dialect=plain&device={name}"),
        }
    }

    /// Listens to one socket until it ends, or is cut for a while.
    async fn listen(&mut self, mut socket: Socket) -> Result<()> {
        let run = self.run.clone();
        let (mut number, phase) = run.phase();
        let talking = matches!(phase, Phase::Talk(_));
        if let Phase::Leave = phase {
            return self.report().await;
        }
        let end = Instant::now() + Duration::from_secs(self.random.between(5, 600));
        loop {
            let silence = socket.heard() + SILENCE;
            tokio::select! {
                biased;
                (now, phase) = run.after(number) => {
                    number = now;
                    if let Phase::Leave = phase {
                        return self.report().await;
                    }
                }
                incoming = socket.receive() => match incoming? {
                    Incoming::Text(text) => self.hear(&text)?,
                    Incoming::End(_) => return Ok(()),
                },
                () = sleep_until(silence) => {
                    if socket.heard() + SILENCE <= Instant::now() {
                        return Ok(());
                    }
                }
                () = sleep_until(end), if talking => {
                    // Never a clean goodbye: what waits after one is forgotten after a minute.
                    drop(socket);
                    sleep(Duration::from_millis(self.random.between(10, 60_000))).await;
                    return Ok(());
                }
            }
        }
    }

    fn hear(&mut self, text: &str) -> Result<()> {
        let frame: Value = serde_json::from_str(text)?;
        let group = self.group();
        let at = frame["conversation_id"].as_u64().unwrap_or(group);
        let text = |field: &str| frame[field].as_str().map(str::to_owned);
        let (id, state) = match (self.tongue, frame["type"].as_str()) {
            (_, Some("resync")) => {
                self.since.remove(&at);
                self.heard.remove(&at);
                return Ok(());
            }
            (Tongue::Inbox, Some("new_message")) => (frame["message_id"].as_u64(), text("text")),
            (Tongue::Room, Some("chat_message")) => (frame["message_id"].as_u64(), text("content")),
            (Tongue::Plain, None) => (frame["message_id"].as_u64(), text("message")),
            (Tongue::Inbox, Some("message_edited")) => (frame["message_id"].as_u64(), text("text")),
            (Tongue::Room, Some("message_edited")) => {
                (frame["message_id"].as_u64(), text("content"))
            }
            (Tongue::Inbox | Tongue::Room, Some("message_deleted")) => {
                (frame["message_id"].as_u64(), None)
            }
            _ => return Ok(()),
        };
        if let Some(id) = id {
            let since = self.since.entry(at).or_insert(id);
            if frame["type"] != "message_edited" && frame["type"] != "message_deleted" {
                *since = id.min(*since);
            }
            self.heard.entry(at).or_default().insert(id, state);
        }
        Ok(())
    }

    /// Hands over what it heard, to be compared with the database.
    async fn report(&self) -> Result<()> {
        for (conversation, heard) in &self.heard {
            let since = self.since.get(conversation).copied().unwrap_or(u64::MAX);
            self.run.robots.lock().push(Report {
                robot: self.name,
                user: self.user,
                tongue: self.tongue,
                conversation: *conversation,
                since,
                heard: heard.clone(),
            });
        }
        self.run.has_done();
        std::future::pending().await
    }
}

/// What a robot heard of a conversation.
pub struct Report {
    robot: &'static str,
    user: &'static str,
    tongue: Tongue,
    conversation: u64,
    since: u64,
    heard: Heard,
}

impl Report {
    /// What it should have heard and has not.
    #[must_use]
    pub fn missed(&self, truth: &[FinalRead]) -> Vec<String> {
        let read = truth.iter().find(|read| read.conversation == self.conversation);
        let due = read.into_iter().flat_map(|read| &read.messages);
        let due = due.filter(|m| m.sender != self.user && m.id >= self.since);
        let mut missed = Vec::new();
        for message in due.filter(|message| message.content.is_some()) {
            let state = self.heard.get(&message.id);
            let is_same = match state {
                Some(text) => self.tongue == Tongue::Plain || *text == message.content,
                None => false,
            };
            if !is_same {
                let (robot, id) = (self.robot, message.id);
                missed.push(format!(
                    "{robot} holds {state:?} of message {id}, the server {message:?}"
                ));
            }
        }
        missed
    }
}
