//! One device of the native protocol: keeps positions, resumes, and repeats what was not answered.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, bail};
use parlour_harness::{
    device::{MARKER, MARKER_LENGTH},
    history::{Action, Answer, Cause, Change, FinalRead, Kind, Message, What},
    wire::{command, number, read_answer, read_change},
};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use crate::{
    run::Run,
    socket::{Incoming, Socket, request},
};

/// How long a hello or a resume may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// The close code for a pong that did not come in time.
pub const PING_TIMEOUT: u16 = 4408;

/// What a device holds of a conversation.
#[derive(Clone, Debug, Default)]
pub struct Held {
    epoch: u64,
    /// The last Change that was applied.
    pub seq: u64,
    receipts: u64,
    base: u64,
    messages: BTreeMap<u64, Message>,
}

impl Held {
    fn apply(&mut self, change: &Change) {
        if let Some(message) = &change.message {
            let slot = self.messages.entry(message.id).or_insert_with(|| message.clone());
            if slot.change_seq < message.change_seq {
                *slot = message.clone();
            }
        }
        self.seq = self.seq.max(change.seq);
    }
}

/// One device.
pub struct Device {
    /// Its name.
    pub name: String,
    /// Whose it is.
    pub user: &'static str,
    /// What it holds.
    pub held: BTreeMap<u64, Held>,
    /// What it has asked and not had answered.
    pub open: BTreeMap<u64, Action>,
    again: Vec<u64>,
    socket: Option<(u64, Socket)>,
    cause: Option<Cause>,
    run: Arc<Run>,
}

impl Device {
    /// A device that has not connected yet.
    #[must_use]
    pub fn new(name: &str, user: &'static str, run: Arc<Run>) -> Self {
        Self {
            name: name.into(),
            user,
            held: BTreeMap::new(),
            open: BTreeMap::new(),
            again: Vec::new(),
            socket: None,
            cause: None,
            run,
        }
    }

    /// Whether it has a connection.
    #[must_use]
    pub const fn is_connected(&self) -> bool {
        self.socket.is_some()
    }

    /// When its server was last heard.
    #[must_use]
    pub fn heard(&self) -> Instant {
        self.socket.as_ref().map_or_else(Instant::now, |(_, socket)| socket.heard())
    }

    /// What the user has said himself and not taken back, newest first.
    #[must_use]
    pub fn own_messages(&self, conversation: u64, most: usize) -> Vec<u64> {
        let all = self.held.get(&conversation).into_iter().flat_map(|held| held.messages.values());
        let own = all.rev().filter(|m| m.sender == self.user && m.content.is_some());
        own.take(most).map(|message| message.id).collect()
    }

    /// Connects to a server, resumes, and repeats what is open.
    ///
    /// # Errors
    /// When the server is away, refuses, or goes away meanwhile. Then it may be called again.
    pub async fn connect(&mut self, server: &str) -> Result<()> {
        let token = self.run.token(self.user);
        let path = format!("/api/v1/ws?device={}", self.name);
        let mut socket = Socket::connect(server, &path, token, true).await?;
        let conn = self.run.number();
        let hello = match timeout(PATIENCE, socket.receive()).await?? {
            Incoming::Text(text) => serde_json::from_str::<Value>(&text)?,
            Incoming::End(code) => bail!("turned away: {code:?}"),
        };
        if hello["type"] != "hello" {
            bail!("the first frame is no hello: {hello}");
        }
        self.socket = Some((conn, socket));
        let (device, user) = (self.name.clone(), self.user.to_owned());
        self.run.add(What::Connected { device, conn, user });
        let resumed = timeout(PATIENCE, self.resume(server, conn)).await;
        match resumed.unwrap_or_else(|_| Err(anyhow::anyhow!("the resume takes too long"))) {
            Ok(()) => {}
            Err(error) => {
                self.cut();
                return Err(error);
            }
        }
        self.again = self.open.keys().copied().collect();
        self.repeat().await
    }

    /// Asks something. Whether it arrives, the answer tells.
    ///
    /// # Errors
    /// When there is no connection; the operation stays open, and is repeated on the next one.
    pub async fn ask(&mut self, action: Action) -> Result<()> {
        let op = self.run.number();
        self.open.insert(op, action.clone());
        self.invoke(op, &action).await
    }

    /// Sends a frame that has no answer worth recording.
    ///
    /// # Errors
    /// When there is no connection.
    pub async fn signal(&mut self, frame: &Value) -> Result<()> {
        let (_, socket) = self.socket.as_mut().context("not connected")?;
        socket.send(&frame.to_string()).await
    }

    /// Asks once more what was refused for now.
    ///
    /// # Errors
    /// When there is no connection.
    pub async fn repeat(&mut self) -> Result<()> {
        for op in std::mem::take(&mut self.again) {
            if let Some(action) = self.open.get(&op).cloned() {
                self.invoke(op, &action).await?;
            }
        }
        Ok(())
    }

    /// Takes the next frame and applies it. May be dropped and called again.
    ///
    /// # Errors
    /// When a frame cannot be understood.
    pub async fn step(&mut self) -> Result<()> {
        let Some((conn, socket)) = self.socket.as_mut() else { return Ok(()) };
        let conn = *conn;
        match socket.receive().await? {
            Incoming::Text(text) => self.apply(conn, &text),
            Incoming::End(code) => {
                self.ended(code);
                Ok(())
            }
        }
    }

    /// Loses the connection, as a phone does in a tunnel.
    pub fn cut(&mut self) {
        if self.socket.is_some() {
            self.cause = Some(Cause::Client);
            self.ended(None);
        }
    }

    /// Closes the connection.
    pub async fn close(&mut self) {
        if let Some((conn, socket)) = self.socket.take() {
            socket.close().await;
            let (device, cause) = (self.name.clone(), Some(Cause::Client));
            self.run.add(What::Closed { device, conn, code: None, cause });
        }
    }

    /// Records all that it holds, as one of the final reads.
    pub fn record_state(&self, as_of: usize) {
        for (conversation, held) in &self.held {
            self.run.add_final(FinalRead {
                source: format!("device:{}", self.name),
                as_of,
                conversation: *conversation,
                from: held.base,
                last_seq: Some(held.seq),
                messages: held.messages.values().cloned().collect(),
                others: Vec::new(),
                complete: false,
            });
        }
    }

    async fn resume(&mut self, server: &str, conn: u64) -> Result<()> {
        for (id, held) in self.held.iter_mut().filter(|(_, held)| held.epoch == 0) {
            // He was added while connected: the event does not name the epoch, the conversation does.
            let path = format!("/api/v1/conversations/{id}");
            let (_, body) = request(server, self.run.token(self.user), "GET", &path, None).await?;
            held.epoch = body["epoch"].as_u64().unwrap_or(0);
        }
        let place = |(id, held): (&u64, &Held)| json!({"conversation_id": id, "epoch": held.epoch, "seq": held.seq, "receipts": held.receipts});
        let positions: Vec<Value> = self.held.iter().map(place).collect();
        self.run.add(What::Resume { conn, device: self.name.clone() });
        let id = self.run.number();
        self.signal(&json!({"type": "resume", "id": id, "positions": positions})).await?;
        loop {
            let (_, socket) = self.socket.as_mut().context("not connected")?;
            let text = match socket.receive().await? {
                Incoming::Text(text) => text,
                Incoming::End(code) => {
                    self.ended(code);
                    bail!("the connection ended during the resume");
                }
            };
            let frame: Value = serde_json::from_str(&text)?;
            if frame["type"] == "reply" && frame["id"] == id {
                return self.resumed(&frame);
            }
            self.apply(conn, &text)?;
        }
    }

    fn resumed(&mut self, reply: &Value) -> Result<()> {
        let ok = reply.get("ok").with_context(|| format!("resume was refused: {reply}"))?;
        for gone in ok["gone"].as_array().into_iter().flatten().filter_map(Value::as_u64) {
            self.held.remove(&gone);
            self.run.add(What::Gone { device: self.name.clone(), conversation: gone });
        }
        for resync in ok["resync"].as_array().into_iter().flatten() {
            self.held.remove(&number(resync, "conversation_id")?);
        }
        for conversation in ok["conversations"].as_array().into_iter().flatten() {
            let id = number(conversation, "conversation_id")?;
            let seq = number(conversation, "seq")?;
            let (epoch, receipts) =
                (number(conversation, "epoch")?, number(conversation, "receipts")?);
            match self.held.get_mut(&id) {
                Some(held) => (held.epoch, held.receipts) = (epoch, receipts),
                None => self.start(id, epoch, seq, receipts),
            }
        }
        Ok(())
    }

    async fn invoke(&mut self, op: u64, action: &Action) -> Result<()> {
        let (conn, socket) = self.socket.as_mut().context("not connected")?;
        let (device, user) = (self.name.clone(), self.user.to_owned());
        let (conn, action) = (*conn, action.clone());
        let frame = command(op, &action);
        self.run.add(What::Invoke { device, user, conn, op, action });
        socket.send(&frame.to_string()).await
    }

    fn apply(&mut self, conn: u64, text: &str) -> Result<()> {
        let frame: Value = serde_json::from_str(text)?;
        for (at, _) in text.match_indices(MARKER) {
            if let Some(marker) = text.get(at..at + MARKER_LENGTH) {
                let device = self.name.clone();
                self.run.add(What::Marker { device, marker: marker.into() });
            }
        }
        match frame["type"].as_str().context("a frame without type")? {
            "reply" => self.replied(conn, &frame)?,
            "replay" => self.replayed(conn, &frame)?,
            "receipt" => {
                let (id, version) =
                    (number(&frame, "conversation_id")?, number(&frame, "version")?);
                if let Some(held) = self.held.get_mut(&id) {
                    held.receipts = held.receipts.max(version);
                }
            }
            "conversation.created" => {
                let made = &frame["conversation"];
                let (epoch, seq) = (number(made, "epoch")?, number(made, "last_seq")?);
                self.start(number(made, "id")?, epoch, seq, number(made, "receipts")?);
            }
            "resync_required" => bail!("resync_required on a live connection: {frame}"),
            _ if frame["seq"].is_u64() => {
                let conversation = number(&frame, "conversation_id")?;
                let change = read_change(&frame)?;
                let (device, told) = (self.name.clone(), change.clone());
                self.run.add(What::Change { device, conn, conversation, change: told });
                self.take(conversation, &change);
            }
            _ => {}
        }
        Ok(())
    }

    fn replied(&mut self, conn: u64, frame: &Value) -> Result<()> {
        // What was asked without a number is answered without one.
        let Some(op) = frame["id"].as_u64() else { return Ok(()) };
        let answer = read_answer(frame)?;
        let device = self.name.clone();
        self.run.add(What::Reply { device, conn, op, answer: answer.clone() });
        let Some(action) = self.open.remove(&op) else { return Ok(()) };
        match answer {
            Answer::Stored { message, duplicate: false } => {
                let (seq, kind) = (message.change_seq, Kind::Other);
                let change = Change { seq, kind, message: Some(message), user: None };
                self.take(action.conversation(), &change);
            }
            // Not settled yet: it is asked again.
            Answer::Refused { class, .. } if class != "rejected" => {
                self.open.insert(op, action);
                self.again.push(op);
            }
            _ => {}
        }
        Ok(())
    }

    fn replayed(&mut self, conn: u64, frame: &Value) -> Result<()> {
        let conversation = number(frame, "conversation_id")?;
        let (after, up_to) = (number(frame, "after")?, number(frame, "up_to")?);
        let events = frame["events"].as_array().context("a replay without events")?;
        let events = events.iter().filter(|event| event["seq"].is_u64());
        let changes = events.map(read_change).collect::<Result<Vec<_>>>()?;
        let (device, told) = (self.name.clone(), changes.clone());
        self.run.add(What::Replay { device, conn, conversation, after, up_to, changes: told });
        if let Some(held) = self.held.get_mut(&conversation) {
            // His own leaving and return in it begin nothing anew: what he may see of between is in it, too.
            for change in &changes {
                held.apply(change);
            }
            held.seq = held.seq.max(up_to);
        }
        Ok(())
    }

    fn take(&mut self, conversation: u64, change: &Change) {
        let own = change.user.as_deref() == Some(self.user);
        match change.kind {
            Kind::Joined if own => self.start(conversation, 0, change.seq, 0),
            Kind::Left if own => {
                self.held.remove(&conversation);
            }
            _ => {
                if let Some(held) = self.held.get_mut(&conversation) {
                    held.apply(change);
                }
            }
        }
    }

    fn start(&mut self, conversation: u64, epoch: u64, seq: u64, receipts: u64) {
        let held = Held { epoch, seq, receipts, base: seq, messages: BTreeMap::new() };
        self.held.insert(conversation, held);
        self.run.add(What::Base { device: self.name.clone(), conversation, seq });
    }

    fn ended(&mut self, code: Option<u16>) {
        if let Some((conn, _)) = self.socket.take() {
            let device = self.name.clone();
            // What the plan does to it: processes that restart say so, and the network cuts, or keeps a pong back.
            let by_plan = match code {
                None => Some(Cause::Killed),
                Some(1012) => Some(Cause::Shutdown),
                Some(PING_TIMEOUT) => Some(Cause::Client),
                Some(_) => None,
            };
            let cause = self.cause.take().or(by_plan);
            self.run.add(What::Closed { device, conn, code, cause });
        }
    }
}
