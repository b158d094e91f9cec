//! The store of the second floor: one table, one thread that writes, and whatever gathered meanwhile in one commit.

use std::{
    cell::RefCell,
    collections::VecDeque,
    mem,
    path::Path,
    rc::Rc,
    sync::Arc,
    thread,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result, bail};
use parking_lot::{Condvar, Mutex};
use rusqlite::Connection;
use tokio::sync::Notify;

use crate::{
    hub::{Hub, Peer},
    wire::To,
};

/// Texts that are written together. One buffer holds them all.
#[derive(Default)]
struct Batch {
    rows: Vec<Row>,
    texts: Vec<u8>,
}

struct Row {
    sender: u32,
    to: To,
    /// Where its text ends; it begins where the one before ends.
    end: usize,
}

impl Batch {
    fn add(&mut self, sender: u32, to: To, text: &[u8]) {
        self.texts.extend_from_slice(text);
        self.rows.push(Row { sender, to, end: self.texts.len() });
    }

    fn rows(&self) -> impl Iterator<Item = (&Row, &[u8])> {
        let mut start = 0;
        self.rows.iter().map(move |row| {
            let text = self.texts.get(start..row.end).unwrap_or_default();
            start = row.end;
            (row, text)
        })
    }

    fn clear(&mut self) {
        self.rows.clear();
        self.texts.clear();
    }
}

/// What both threads see.
#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// Something has gathered.
    gathered: Condvar,
    /// Something is stored, or the writer has failed.
    stored: Notify,
}

#[derive(Default)]
struct State {
    gathering: Batch,
    stored: Vec<Batch>,
    /// Empty ones, for their memory.
    spare: Vec<Batch>,
    /// The writer has nothing to do.
    waits: bool,
    /// Nobody adds any more.
    ended: bool,
    failure: Option<anyhow::Error>,
}

/// The store, as the thread of the sockets sees it.
pub struct Store {
    shared: Arc<Shared>,
    /// Who waits for an answer, in the order of the rows.
    senders: RefCell<VecDeque<Rc<Peer>>>,
}

impl Store {
    /// Opens a database, which is made if it is not there, and starts the thread that writes.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn open(file: &Path) -> Result<Self> {
        let connection = connect(file).with_context(|| file.display().to_string())?;
        let shared = Arc::<Shared>::default();
        let of_thread = shared.clone();
        thread::Builder::new().name("store".to_owned()).spawn(move || {
            let failure = write(&connection, &of_thread).err();
            of_thread.state.lock().failure = failure;
            of_thread.stored.notify_one();
        })?;
        Ok(Self { shared, senders: RefCell::default() })
    }

    /// Adds a text to what is written next.
    pub(crate) fn add(&self, sender: &Rc<Peer>, to: To, text: &[u8]) {
        self.shared.state.lock().gathering.add(sender.user, to, text);
        self.senders.borrow_mut().push_back(sender.clone());
    }

    /// Lets the writer begin, if it waits for something to do.
    pub(crate) fn wake(&self) {
        let mut state = self.shared.state.lock();
        if state.waits && !state.gathering.rows.is_empty() {
            state.waits = false;
            drop(state);
            self.shared.gathered.notify_one();
        }
    }

    /// Relays what is stored. Ends when the writer has failed.
    pub(crate) async fn relay(&self, hub: &Rc<Hub>) -> Result<()> {
        let mut stored = Vec::new();
        loop {
            self.shared.stored.notified().await;
            {
                let mut state = self.shared.state.lock();
                if let Some(failure) = state.failure.take() {
                    return Err(failure);
                }
                mem::swap(&mut stored, &mut state.stored);
            }
            for batch in &stored {
                self.hand_out(hub, batch);
            }
            hub.flush();
            let mut state = self.shared.state.lock();
            for mut batch in stored.drain(..) {
                batch.clear();
                state.spare.push(batch);
            }
        }
    }

    /// Texts first, then the answers: whoever is answered knows that the text is on its way.
    fn hand_out(&self, hub: &Hub, batch: &Batch) {
        for (row, text) in batch.rows() {
            hub.text(row.sender, row.to, text);
        }
        for sender in self.senders.borrow_mut().drain(..batch.rows.len()) {
            hub.ok(&sender);
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.shared.state.lock().ended = true;
        self.shared.gathered.notify_one();
    }
}

/// As durable as Parlour's own store, and with the same memory. Nobody else reads the file.
fn connect(file: &Path) -> Result<Connection> {
    let connection = Connection::open(file)?;
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        bail!("the file system allows no WAL");
    }
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", 2_000)?;
    connection.pragma_update(None, "cache_size", -(64 << 10))?;
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS messages (
             id INTEGER PRIMARY KEY,
             sender INTEGER NOT NULL,
             receiver INTEGER,
             room INTEGER,
             text TEXT NOT NULL,
             time INTEGER NOT NULL
         ) STRICT",
    )?;
    Ok(connection)
}

/// Writes until nobody adds any more.
fn write(connection: &Connection, shared: &Shared) -> Result<()> {
    let mut begin = connection.prepare("BEGIN IMMEDIATE")?;
    let mut commit = connection.prepare("COMMIT")?;
    let mut insert = connection.prepare(
        "INSERT INTO messages (sender, receiver, room, text, time) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    let mut batch = Batch::default();
    loop {
        {
            let mut state = shared.state.lock();
            while state.gathering.rows.is_empty() {
                if state.ended {
                    return Ok(());
                }
                state.waits = true;
                shared.gathered.wait(&mut state);
            }
            state.waits = false;
            mem::swap(&mut batch, &mut state.gathering);
        }
        begin.execute([])?;
        let time = micros();
        for (row, text) in batch.rows() {
            let (receiver, room) = match row.to {
                To::User(user) => (Some(user), None),
                To::Room(room) => (None, Some(room)),
            };
            insert.execute((row.sender, receiver, room, str::from_utf8(text)?, time))?;
        }
        commit.execute([])?;
        let mut state = shared.state.lock();
        let spare = state.spare.pop().unwrap_or_default();
        state.stored.push(mem::replace(&mut batch, spare));
        drop(state);
        shared.stored.notify_one();
    }
}

fn micros() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
