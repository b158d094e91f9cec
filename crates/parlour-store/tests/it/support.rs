//! A store in a folder of its own, which can be closed, opened again, and looked at from outside.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use parlour_core::{
    ConversationId, Position, Result,
    command::{Actor, NewConversation, SendMessage},
    event::Envelope,
    model::{ConversationKind, MessageKind},
    port::{
        BoxFuture,
        store::{Appended, ClaimedSocket, CommitSink, Context, Siblings, SocketKey, Store},
    },
    testing::{alice, bob},
};
use parlour_store::{OpenError, OpenOptions};
use tempfile::TempDir;

/// Forgets what is committed.
pub(crate) struct Nobody;

impl CommitSink for Nobody {
    fn committed(&self, _: Vec<Envelope>) {}
}

/// A fresh database of the PostgreSQL server that all tests share. `None`, said loudly, where it is not installed.
pub(crate) fn database() -> Option<parlour_engines::Database> {
    let database = parlour_engines::Postgres::shared().unwrap();
    if database.is_none() {
        parlour_engines::skip("PostgreSQL is not installed");
    }
    database
}

/// A folder with a database.
pub(crate) struct Folder {
    folder: TempDir,
}

impl Folder {
    /// Makes of the closed database one of the time when a table of its own knew the last message's id.
    pub(crate) fn become_older_than_message_ids(&self, last: i64) {
        let sql = format!(
            "PRAGMA writable_schema = ON; \
             UPDATE sqlite_schema SET sql = replace(sql, 'INTEGER PRIMARY KEY', 'INTEGER PRIMARY KEY AUTOINCREMENT') \
               WHERE name = 'messages'; \
             PRAGMA writable_schema = RESET; \
             INSERT INTO sqlite_sequence (name, seq) VALUES ('messages', {last}); \
             DELETE FROM meta WHERE key = 'message_ids'; \
             DELETE FROM migrations WHERE version > 6; PRAGMA user_version = 6"
        );
        self.connect().execute_batch(&sql).unwrap();
    }

    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.path().join("parlour.db")
    }

    pub(crate) fn url(&self) -> String {
        format!("sqlite://{}", self.file().display())
    }

    pub(crate) async fn try_open(&self) -> Result<Arc<dyn Store>, OpenError> {
        parlour_store::open(&self.url(), OpenOptions::default(), Arc::new(Nobody)).await
    }

    pub(crate) async fn open(&self) -> Arc<dyn Store> {
        self.try_open().await.unwrap()
    }

    /// The text of the error that opening gives, with its causes.
    pub(crate) async fn refusal(&self) -> String {
        said_by(&self.try_open().await.map(|_| ()).unwrap_err())
    }

    /// A connection of another program.
    pub(crate) fn connect(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.file()).unwrap()
    }
}

/// The text of an error, with its causes.
pub(crate) fn said_by(error: &OpenError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// A task of its own.
#[expect(clippy::disallowed_methods, reason = "tests have nobody who owns their tasks")]
pub(crate) fn spawn<T: Send + 'static>(
    task: impl Future<Output = T> + Send + 'static,
) -> tokio::task::JoinHandle<T> {
    tokio::spawn(task)
}

pub(crate) fn context(actor: &Actor) -> Context {
    Context { actor: actor.clone(), now: 1, origin: None, create_users: true }
}

/// The direct conversation of alice and bob.
pub(crate) async fn direct(store: &Arc<dyn Store>) -> ConversationId {
    let new = NewConversation {
        kind: ConversationKind::Direct,
        participants: vec![bob().user],
        title: None,
        subject: None,
        external_id: None,
        metadata: None,
    };
    store.create_conversation(context(&alice()), new).await.unwrap().summary.conversation.id
}

/// Claims a place for a socket that has just read where its user's conversations end.
pub(crate) async fn claim(store: &Arc<dyn Store>, key: SocketKey, now: i64) -> ClaimedSocket {
    let mine = store.memberships(key.user.clone()).await.unwrap();
    let heads = mine
        .iter()
        .map(|at| (at.conversation, Position { epoch: at.epoch, seq: at.last_seq }))
        .collect();
    store.claim_socket(key, heads, Siblings::default(), now).await.unwrap()
}

/// Where it begins.
pub(crate) fn seqs(claimed: &ClaimedSocket) -> Option<Vec<(ConversationId, u64)>> {
    let positions = claimed.positions.as_ref()?;
    Some(positions.iter().map(|(id, position)| (*id, position.seq.0)).collect())
}

pub(crate) fn say(conversation: ConversationId, text: &str) -> SendMessage {
    SendMessage {
        conversation,
        client_id: None,
        text: text.into(),
        metadata: None,
        reply_to: None,
        kind: MessageKind::Text,
        recipient: None,
        subject: None,
    }
}

/// Closes the gate behind a first message, which is committed and not answered: what is asked from here on gathers.
pub(crate) async fn hold_up<'a>(
    store: &'a Arc<dyn Store>,
    gate: &Gate,
    first: SendMessage,
) -> BoxFuture<'a, Result<Appended>> {
    let commits = store.stats().commits;
    gate.set(true);
    let first = store.append_message(context(&alice()), first);
    while store.stats().commits == commits {
        tokio::task::yield_now().await;
    }
    first
}

/// A sink that lets the writer go on only while the gate is open.
#[derive(Default)]
pub(crate) struct Gate {
    closed: Mutex<bool>,
    opened: std::sync::Condvar,
}

impl Gate {
    pub(crate) fn set(&self, closed: bool) {
        *self.closed.lock().unwrap() = closed;
        self.opened.notify_all();
    }
}

impl CommitSink for Gate {
    fn committed(&self, _: Vec<Envelope>) {
        let mut closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
        while *closed {
            closed = self.opened.wait(closed).unwrap_or_else(PoisonError::into_inner);
        }
    }
}
