//! One device of one user: keeps positions, resumes, and repeats what was not answered.
//!
//! Everything it asks and gets is recorded. It applies Changes as a client should, but judges nothing:
//! that is the checker's work.

mod marks;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::{
    held::{Held, Marks, Position},
    history::{Action, Answer, Cause, Change, Kind, Recorder, What, next_number},
    rest::Rest,
    socket::{Incoming, Socket},
    wire::{command, number, read_answer, read_change},
};

/// Every conversation's secret word begins so.
pub const MARKER: &str = "secret-";

/// Length of a secret word: the beginning and 16 hexadecimal digits.
pub const MARKER_LENGTH: usize = MARKER.len() + 16;

/// How long resuming may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// One device.
#[derive(Debug)]
pub struct Device {
    name: String,
    user: String,
    address: SocketAddr,
    recorder: Arc<Recorder>,
    held: Held,
    open: BTreeMap<u64, Action>,
    /// Of the open ones, those that were refused for now.
    again: Vec<u64>,
    marks: Marks,
    /// Conversations whose marks are to be loaded.
    unloaded: BTreeSet<u64>,
    socket: Option<(u64, Socket)>,
    cause: Option<Cause>,
    patience: Duration,
}

impl Device {
    /// A device that has not connected yet.
    #[must_use]
    pub fn new(name: &str, user: &str, address: SocketAddr, recorder: Arc<Recorder>) -> Self {
        Self {
            name: name.into(),
            user: user.into(),
            address,
            recorder,
            held: Held::default(),
            open: BTreeMap::new(),
            again: Vec::new(),
            marks: Marks::default(),
            unloaded: BTreeSet::new(),
            socket: None,
            cause: None,
            patience: PATIENCE,
        }
    }

    /// How long a server may take for each frame of a return; 20 s if nothing is said.
    pub const fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// Goes to another process from the next connection on.
    pub const fn move_to(&mut self, address: SocketAddr) {
        self.address = address;
    }

    /// Whether it has a connection.
    #[must_use]
    pub const fn is_connected(&self) -> bool {
        self.socket.is_some()
    }

    /// What it has asked and not had answered.
    #[must_use]
    pub const fn open(&self) -> &BTreeMap<u64, Action> {
        &self.open
    }

    /// What it holds of the conversations.
    #[must_use]
    pub const fn held(&self) -> &Held {
        &self.held
    }

    /// Connects, resumes, and repeats what is open.
    ///
    /// # Errors
    /// When the server is away, refuses, or goes away meanwhile. Then it may be called again.
    pub async fn connect(&mut self) -> Result<()> {
        let mut socket = Socket::connect(self.address, &self.user).await?;
        let conn = next_number();
        let (hello, _) = socket.frame(self.patience).await?;
        if hello["type"] != "hello" {
            bail!("the first frame is no hello: {hello}");
        }
        self.socket = Some((conn, socket));
        let (device, user) = (self.name.clone(), self.user.clone());
        self.recorder.add(What::Connected { device, conn, user });
        let resumed = self.resume(conn).await;
        if resumed.is_err() {
            // If it stands still, the device gives it up.
            self.cut();
            return resumed;
        }
        self.again = self.open.keys().copied().collect();
        self.repeat_refused().await
    }

    /// Asks something and gives the number of the operation. Whether it arrives, the answer tells.
    ///
    /// # Errors
    /// When there is no connection; the operation stays open, and is repeated on the next one.
    pub async fn ask(&mut self, action: Action) -> Result<u64> {
        let op = next_number();
        self.open.insert(op, action.clone());
        self.invoke(op, &action).await?;
        Ok(op)
    }

    /// Sends a frame that has no answer worth recording (typing, say).
    ///
    /// # Errors
    /// When there is no connection.
    pub async fn signal(&mut self, frame: &Value) -> Result<()> {
        let (_, socket) = self.socket.as_mut().context("not connected")?;
        socket.send(frame).await
    }

    /// Takes the next frame and applies it. `false`: the connection has ended. May be dropped and called again.
    ///
    /// # Errors
    /// When a frame cannot be understood.
    pub async fn step(&mut self) -> Result<bool> {
        let Some((conn, socket)) = self.socket.as_mut() else { return Ok(false) };
        let conn = *conn;
        match socket.receive().await? {
            Incoming::Frame(frame, text) => {
                self.apply(conn, &frame, &text)?;
                Ok(true)
            }
            Incoming::End(code) => {
                self.ended(code);
                Ok(false)
            }
        }
    }

    /// Loses the connection, as a phone does in a tunnel.
    pub fn cut(&mut self) {
        if self.is_connected() {
            self.cause = Some(Cause::Client);
            self.ended(None);
        }
    }

    /// Closes the connection.
    pub async fn close(&mut self) {
        if let Some((conn, socket)) = self.socket.take() {
            socket.close().await;
            let (device, cause) = (self.name.clone(), Some(Cause::Client));
            self.recorder.add(What::Closed { device, conn, code: None, cause });
        }
    }

    /// Records all that it holds, as one of the final reads.
    pub fn record_state(&self) {
        let as_of = self.recorder.len();
        for read in self.held.final_reads(&self.name, as_of) {
            self.recorder.add(What::Final(read));
        }
    }

    /// Asks once more what was refused for now.
    ///
    /// # Errors
    /// When there is no connection.
    pub async fn repeat_refused(&mut self) -> Result<()> {
        for op in std::mem::take(&mut self.again) {
            if let Some(action) = self.open.get(&op).cloned() {
                self.invoke(op, &action).await?;
            }
        }
        Ok(())
    }

    async fn resume(&mut self, conn: u64) -> Result<()> {
        for (conversation, position) in self.held.of_unknown_epoch() {
            // He was added while connected: the event does not name the epoch, the conversation does.
            let rest = Rest::new(self.address, &self.user)?.patience(self.patience);
            let answer = rest.get(&format!("/api/v1/conversations/{conversation}")).await?;
            position.epoch = answer.body["epoch"].as_u64().unwrap_or(0);
        }
        let positions: Vec<Value> = self
            .held
            .positions()
            .map(|(id, p)| json!({"conversation_id": id, "epoch": p.epoch, "seq": p.seq, "receipts": p.receipts}))
            .collect();
        self.recorder.add(What::Resume { conn, device: self.name.clone() });
        let id = next_number();
        self.signal(&json!({"type": "resume", "id": id, "positions": positions})).await?;
        let patience = self.patience;
        loop {
            let (_, socket) = self.socket.as_mut().context("not connected")?;
            let came = timeout(patience, socket.receive()).await.context("no frame came")??;
            match came {
                Incoming::Frame(frame, _) if frame["type"] == "reply" && frame["id"] == id => {
                    return self.resumed(&frame);
                }
                Incoming::Frame(frame, text) => self.apply(conn, &frame, &text)?,
                Incoming::End(code) => {
                    self.ended(code);
                    bail!("the connection ended ({code:?})");
                }
            }
        }
    }

    fn resumed(&mut self, reply: &Value) -> Result<()> {
        let ok = reply.get("ok").with_context(|| format!("resume was refused: {reply}"))?;
        for gone in ok["gone"].as_array().into_iter().flatten().filter_map(Value::as_u64) {
            self.held.forget(gone);
            self.recorder.add(What::Gone { device: self.name.clone(), conversation: gone });
        }
        for resync in ok["resync"].as_array().into_iter().flatten() {
            self.held.forget(number(resync, "conversation_id")?);
        }
        for conversation in ok["conversations"].as_array().into_iter().flatten() {
            let id = number(conversation, "conversation_id")?;
            let seq = number(conversation, "seq")?;
            let (epoch, receipts) =
                (number(conversation, "epoch")?, number(conversation, "receipts")?);
            if let Some(position) = self.held.position(id) {
                // The replay may have told of newer ones.
                (position.epoch, position.receipts) = (epoch, receipts.max(position.receipts));
            } else {
                self.start(id, Position { epoch, seq, receipts });
            }
        }
        Ok(())
    }

    async fn invoke(&mut self, op: u64, action: &Action) -> Result<()> {
        let (conn, socket) = self.socket.as_mut().context("not connected")?;
        let (device, user) = (self.name.clone(), self.user.clone());
        let (conn, action) = (*conn, action.clone());
        let frame = command(op, &action);
        self.recorder.add(What::Invoke { device, user, conn, op, action });
        socket.send(&frame).await
    }

    fn apply(&mut self, conn: u64, frame: &Value, text: &str) -> Result<()> {
        for (at, _) in text.match_indices(MARKER) {
            if let Some(marker) = text.get(at..at + MARKER_LENGTH) {
                let device = self.name.clone();
                self.recorder.add(What::Marker { device, marker: marker.into() });
            }
        }
        match frame["type"].as_str().context("a frame without type")? {
            "reply" => self.replied(conn, frame),
            "replay" => self.replayed(conn, frame),
            "receipt" => self.receipt(frame),
            "conversation.created" => {
                let conversation = &frame["conversation"];
                let (epoch, seq) =
                    (number(conversation, "epoch")?, number(conversation, "last_seq")?);
                let receipts = number(conversation, "receipts")?;
                self.start(number(conversation, "id")?, Position { epoch, seq, receipts });
                Ok(())
            }
            "resync_required" => {
                self.cut();
                Ok(())
            }
            _ if frame["seq"].is_u64() => {
                let conversation = number(frame, "conversation_id")?;
                let change = read_change(frame)?;
                let device = self.name.clone();
                self.recorder.add(What::Change {
                    device,
                    conn,
                    conversation,
                    change: change.clone(),
                });
                self.take(conversation, &change);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn replied(&mut self, conn: u64, frame: &Value) -> Result<()> {
        // What was asked without a number is answered without one.
        let Some(op) = frame["id"].as_u64() else { return Ok(()) };
        let answer = read_answer(frame)?;
        let device = self.name.clone();
        self.recorder.add(What::Reply { device, conn, op, answer: answer.clone() });
        let Some(action) = self.open.remove(&op) else { return Ok(()) };
        match answer {
            Answer::Stored { message, duplicate: false } => {
                let conversation = action.conversation();
                let change = Change {
                    seq: message.change_seq,
                    kind: Kind::Other,
                    message: Some(message),
                    user: None,
                };
                self.take(conversation, &change);
            }
            // Not settled yet: the next connection asks again.
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
        let changes = events
            .iter()
            .filter(|e| e["seq"].is_u64())
            .map(read_change)
            .collect::<Result<Vec<_>>>()?;
        for receipt in events.iter().filter(|event| event["type"] == "receipt") {
            self.receipt(receipt)?;
        }
        let device = self.name.clone();
        let record =
            What::Replay { device, conn, conversation, after, up_to, changes: changes.clone() };
        self.recorder.add(record);
        // His own leaving and return in it begin nothing anew: what he may see of between is in it, too.
        for change in &changes {
            self.moved(conversation, change);
            self.held.apply(conversation, change);
        }
        if let Some(position) = self.held.position(conversation) {
            position.seq = position.seq.max(up_to);
        }
        Ok(())
    }

    fn take(&mut self, conversation: u64, change: &Change) {
        self.moved(conversation, change);
        let own = change.user.as_deref() == Some(&self.user);
        match change.kind {
            Kind::Joined if own => {
                let seq = change.seq;
                self.start(conversation, Position { epoch: 0, seq, receipts: 0 });
            }
            Kind::Left if own => self.held.forget(conversation),
            _ => self.held.apply(conversation, change),
        }
    }

    fn start(&mut self, conversation: u64, position: Position) {
        self.held.start(conversation, position);
        self.marks.forget(conversation);
        self.unloaded.insert(conversation);
        let (device, seq) = (self.name.clone(), position.seq);
        self.recorder.add(What::Base { device, conversation, seq });
    }

    fn ended(&mut self, code: Option<u16>) {
        if let Some((conn, _)) = self.socket.take() {
            let (device, cause) = (self.name.clone(), self.cause.take());
            self.recorder.add(What::Closed { device, conn, code, cause });
        }
    }
}
