//! What was asked and what came, in the order in which it happened.
//!
//! One machine has one clock, and one lock orders the entries: an invocation is recorded before its bytes are
//! written, an answer after its bytes were read. So if an answer stands before an invocation here, it was
//! there before in reality, and real-time order can be checked without a search.

use std::{
    io::{BufWriter, Write},
    path::Path,
    sync::Arc,
    time::Instant,
};

use anyhow::Result;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One line of a history.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// Microseconds since the beginning.
    pub at: u64,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

/// What can be recorded.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum What {
    /// A conversation of this run, with the secret word that all its messages carry.
    Conversation {
        /// Its id.
        conversation: u64,
        /// The secret word.
        marker: String,
        /// Who is in it from the beginning.
        members: Vec<String>,
    },
    /// A device has a connection (hello was received).
    Connected {
        /// Which device.
        device: String,
        /// The number of the connection, given by the harness.
        conn: u64,
        /// Whose.
        user: String,
    },
    /// A device asks to resume.
    Resume {
        /// On which connection.
        conn: u64,
        /// Which device.
        device: String,
    },
    /// A device starts to know a conversation at a seq, having loaded it (or having been told to load it anew).
    Base {
        /// Which device.
        device: String,
        /// Which conversation.
        conversation: u64,
        /// What came up to here it does not get as events.
        seq: u64,
    },
    /// A device is told that it is not in a conversation any more.
    Gone {
        /// Which device.
        device: String,
        /// Which conversation.
        conversation: u64,
    },
    /// A command leaves. A repetition has the same `op` on another connection.
    Invoke {
        /// Which device.
        device: String,
        /// Whose.
        user: String,
        /// On which connection.
        conn: u64,
        /// The number of the operation; also the command's id.
        op: u64,
        /// What is asked.
        action: Action,
    },
    /// Its answer.
    Reply {
        /// Which device.
        device: String,
        /// On which connection.
        conn: u64,
        /// Which operation.
        op: u64,
        /// What it says.
        answer: Answer,
    },
    /// A Change arrives live.
    Change {
        /// At which device.
        device: String,
        /// On which connection.
        conn: u64,
        /// Where it happened.
        conversation: u64,
        /// What.
        change: Change,
    },
    /// A replay frame arrives.
    Replay {
        /// At which device.
        device: String,
        /// On which connection.
        conn: u64,
        /// Of which conversation.
        conversation: u64,
        /// It begins after this seq.
        after: u64,
        /// It covers everything up to here.
        up_to: u64,
        /// What is in it.
        changes: Vec<Change>,
    },
    /// A frame held the secret word of some conversation.
    Marker {
        /// Which device got it.
        device: String,
        /// The secret word.
        marker: String,
    },
    /// A connection has ended.
    Closed {
        /// Whose device.
        device: String,
        /// Which.
        conn: u64,
        /// The close code; `None` when the connection was cut.
        code: Option<u16>,
        /// The cause, where the harness knows it.
        cause: Option<Cause>,
    },
    /// Something was broken on purpose, or healed.
    Fault {
        /// What.
        name: String,
        /// Broken or healed.
        on: bool,
    },
    /// All of a conversation, as one source gives it.
    Final(FinalRead),
}

/// What a device asks.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Action {
    /// Say something.
    Send {
        /// Where.
        conversation: u64,
        /// Its name for idempotency.
        client_id: String,
        /// What.
        content: String,
    },
    /// Change a message.
    Edit {
        /// Where.
        conversation: u64,
        /// Which.
        message: u64,
        /// To what.
        content: String,
    },
    /// Take a message back.
    Delete {
        /// Where.
        conversation: u64,
        /// Which.
        message: u64,
    },
    /// Mark as read.
    Read {
        /// Where.
        conversation: u64,
        /// Up to where.
        seq: u64,
    },
    /// Add somebody.
    Add {
        /// Where.
        conversation: u64,
        /// Whom.
        user: String,
    },
    /// Remove somebody.
    Remove {
        /// Where.
        conversation: u64,
        /// Whom.
        user: String,
    },
}

impl Action {
    /// The conversation that it is about.
    #[must_use]
    pub const fn conversation(&self) -> u64 {
        match self {
            Self::Send { conversation, .. }
            | Self::Edit { conversation, .. }
            | Self::Delete { conversation, .. }
            | Self::Read { conversation, .. }
            | Self::Add { conversation, .. }
            | Self::Remove { conversation, .. } => *conversation,
        }
    }
}

/// What an answer says.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Answer {
    /// A message was stored, changed or deleted.
    Stored {
        /// Its state.
        message: Message,
        /// The client id was known.
        duplicate: bool,
    },
    /// Something else was done.
    Done,
    /// It was refused.
    Refused {
        /// The code.
        code: String,
        /// `rejected`, `retry` or `unknown`.
        class: String,
    },
}

/// A message in some state.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Message {
    /// Its id.
    pub id: u64,
    /// The seq of its creation.
    pub seq: u64,
    /// The seq of its last Change.
    pub change_seq: u64,
    /// Who said it.
    pub sender: String,
    /// Its name for idempotency.
    pub client_id: Option<String>,
    /// What it says; `None` for a tombstone.
    pub content: Option<String>,
}

impl Message {
    /// Reads a message object of the wire.
    #[must_use]
    pub fn from_wire(value: &Value) -> Option<Self> {
        Some(Self {
            id: value["id"].as_u64()?,
            seq: value["seq"].as_u64()?,
            change_seq: value["change_seq"].as_u64()?,
            sender: value["sender_id"].as_str()?.into(),
            client_id: value["client_id"].as_str().map(Into::into),
            content: value["content"].as_str().map(Into::into),
        })
    }
}

/// A Change as an event names it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Change {
    /// Its seq.
    pub seq: u64,
    /// What kind.
    pub kind: Kind,
    /// The message, for those of messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<Message>,
    /// The user, for those of participants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

/// The kinds of Changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A message was created.
    Created,
    /// A message was edited.
    Edited,
    /// A message was deleted.
    Deleted,
    /// A participant joined.
    Joined,
    /// A participant left.
    Left,
    /// Something else.
    Other,
}

/// Why a connection ended, where the harness caused it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The server was killed.
    Killed,
    /// The server was asked to end.
    Shutdown,
    /// The client closed.
    Client,
    /// The sign-in ended.
    Expired,
    /// The client did not read.
    Slow,
}

/// Everything of one conversation, from one source.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct FinalRead {
    /// `rest:alice`, `device:alice-1`, `database`, …
    pub source: String,
    /// As of which entry of the history: what was acknowledged before is in it.
    pub as_of: usize,
    /// Which conversation.
    pub conversation: u64,
    /// The source holds everything after this seq.
    pub from: u64,
    /// The seq of its last Change, where the source tells.
    pub last_seq: Option<u64>,
    /// Its messages.
    pub messages: Vec<Message>,
    /// Seqs of Changes that are not a message's first or last one; only the database has them.
    pub others: Vec<u64>,
    /// Whether the source tells all seqs (the database).
    pub complete: bool,
}

/// Collects a history from many tasks.
#[derive(Debug)]
pub struct Recorder {
    start: Instant,
    entries: Mutex<Vec<Entry>>,
}

impl Recorder {
    /// An empty one.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::new(Self { start: Instant::now(), entries: Mutex::new(Vec::new()) })
    }

    /// Adds an entry.
    pub fn add(&self, what: What) {
        let mut entries = self.entries.lock();
        let at = u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX);
        entries.push(Entry { at, what });
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.lock().len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The history so far.
    #[must_use]
    pub fn history(&self) -> Vec<Entry> {
        self.entries.lock().clone()
    }

    /// Writes the history as lines of JSON.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let mut file = BufWriter::new(std::fs::File::create(path)?);
        for entry in self.history() {
            serde_json::to_writer(&mut file, &entry)?;
            file.write_all(b"\n")?;
        }
        Ok(file.flush()?)
    }
}
