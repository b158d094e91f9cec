//! What a history is about: what can be asked and answered, messages, Changes, final reads.

use serde::{Deserialize, Serialize};
use serde_json::Value;

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
