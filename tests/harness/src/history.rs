//! What was asked and what came, in the order in which it happened.
//!
//! One machine has one clock, and one lock orders the entries: an invocation is recorded before its bytes are
//! written, an answer after its bytes were read. So if an answer stands before an invocation here, it was
//! there before in reality, and real-time order can be checked without a search.

mod things;

use std::{
    collections::BTreeMap,
    io::{BufWriter, Write},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};

use anyhow::Result;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

pub use things::{Action, Answer, Cause, Change, FinalRead, Kind, Message};

/// Numbers for operations and connections; one for the whole run.
static NUMBERS: AtomicU64 = AtomicU64::new(1);

/// A number for an operation or a connection that no other has.
#[must_use]
pub fn next_number() -> u64 {
    NUMBERS.fetch_add(1, Relaxed)
}

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
    /// Everything that was broken is whole again, and nothing new is asked from here on.
    Healed,
    /// A device is told how far somebody has received and read.
    Receipt {
        /// Which device.
        device: String,
        /// In which conversation.
        conversation: u64,
        /// Who.
        user: String,
        /// Received up to here.
        delivered: u64,
        /// Read up to here.
        read: u64,
    },
    /// How far everybody has received and read in the end, as one source has it.
    Marks {
        /// As of a final read.
        source: String,
        /// Which conversation.
        conversation: u64,
        /// By user: received up to, read up to.
        marks: BTreeMap<String, (u64, u64)>,
        /// What the source's own user has not read, where the source tells.
        unread: Option<u64>,
    },
    /// All of a conversation, as one source gives it.
    Final(FinalRead),
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
