//! The connection that says that this process lives: it holds advisory locks, which are gone the moment it is.
//!
//! Two locks are kept on it. One is the process's own: whoever can take it knows that the process is dead. The other is
//! about the database: processes with a bus share it, one without a bus has it alone. So several processes of which one
//! cannot be woken never run on one database.
//!
//! The connection comes back by itself. While it was away, its locks were not ours: for as long as a lease lasts after
//! that nobody is taken for dead by his lock alone, because what cut us may have cut others who live.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI32, Ordering},
    },
    time::Duration,
};

use parlour_core::{NodeId, port::store::LEASE};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep, timeout},
};
use tokio_postgres::{Client, SimpleQueryMessage};

use super::{address::Server, migrate::server_error, pool::jittered};
use crate::OpenError;

/// Begins the key of a process's own lock: its number has 53 bits.
pub(super) const OF_A_NODE: i64 = 0x50 << 54;

/// The key of the lock about the database.
const OF_THE_DATABASE: i64 = 0x51 << 54;

/// How a process that cannot go on without its locks is ended.
pub(super) type OnFatal = Arc<dyn Fn(&str) + Send + Sync>;

/// How long the start waits for a lock: that of a killed process is gone when the server has noticed its end.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often a lock is tried for, after some quicker attempts.
const TRY: Duration = Duration::from_millis(100);

/// The first wait between two of them.
const FIRST_WAIT: Duration = Duration::from_millis(5);

/// How often the connection is looked at.
const LOOK: Duration = Duration::from_secs(2);

/// How long an answer on the connection may take.
const ANSWER: Duration = Duration::from_secs(5);

/// Longest wait between two attempts to connect again.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// What the server does for this connection: it notices within seconds that we are gone, and does not end it for
/// being quiet.
const SETTINGS: &str = "SELECT set_config(name, value, false) FROM (VALUES \
     ('tcp_keepalives_idle', '5'), ('tcp_keepalives_interval', '2'), ('tcp_keepalives_count', '3'), \
     ('idle_session_timeout', '0'), ('statement_timeout', '5000')) AS wanted (name, value) \
   WHERE name IN (SELECT name FROM pg_settings)";

/// The key of a process's own lock.
pub(super) fn key_of(node: NodeId) -> i64 {
    OF_A_NODE | i64::try_from(node.0).unwrap_or(i64::MAX >> 10)
}

/// How the database is used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Use {
    /// Together with other processes, which a bus connects.
    Shared,
    /// Alone.
    Alone,
}

/// The locks, for as long as this is there.
pub(super) struct Lease {
    trusted: watch::Receiver<Option<Instant>>,
    /// Ends with this, and the connection with it.
    keeper: Mutex<JoinSet<()>>,
}

impl Lease {
    /// Takes the locks: that of the process, where it has a number, and the one about the database. Waits some seconds
    /// for those of a process that has just ended. `on_fatal` is called when they are lost to others for good.
    pub(super) async fn take(
        server: Server,
        node: Option<NodeId>,
        how: Use,
        on_fatal: OnFatal,
    ) -> Result<Self, OpenError> {
        let holder = Holder { server, node, how, last_pid: AtomicI32::new(0) };
        let first = timeout(PATIENCE * 2, holder.first());
        let session = match first.await {
            Ok(session) => session?,
            Err(_) => return Err(holder.error("it does not answer")),
        };
        let (trust, trusted) = watch::channel(Some(Instant::now()));
        let mut keeper = JoinSet::new();
        keeper.spawn(keep(holder, session, trust, on_fatal));
        Ok(Self { trusted, keeper: Mutex::new(keeper) })
    }

    /// Whether a lock that can be taken tells that its process is dead.
    pub(super) fn tells(&self) -> bool {
        self.trusted.borrow().is_some_and(|since| Instant::now() >= since)
    }

    /// Lets the locks go.
    pub(super) fn end(&self) {
        self.keeper.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
    }
}

/// Which lock another process has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Refusal {
    Database,
    Node,
}

/// What is held, and how to get it again.
struct Holder {
    server: Server,
    node: Option<NodeId>,
    how: Use,
    /// The server's number of the last connection that held the locks.
    last_pid: AtomicI32,
}

impl Holder {
    /// The connection with the locks, at the start.
    async fn first(&self) -> Result<Session, OpenError> {
        let mut session = self.connect().await.map_err(|error| self.error(error))?;
        if self.goes_through_a_pooler(&session).await.map_err(|error| self.error(error))? {
            return Err(OpenError::Pooler { address: self.server.shown() });
        }
        let deadline = Instant::now() + PATIENCE;
        let mut wait = FIRST_WAIT;
        while let Some(refusal) =
            session.take_locks(self).await.map_err(|error| self.error(error))?
        {
            if Instant::now() >= deadline {
                return Err(self.refused(refusal));
            }
            sleep(wait).await;
            wait = (wait * 2).min(TRY);
        }
        Ok(session)
    }

    async fn connect(&self) -> Result<Session, tokio_postgres::Error> {
        let client = self.server.connect().await?;
        let pid = ask(&client, &format!("{SETTINGS}; SELECT pg_backend_pid()")).await?;
        Ok(Session { client, pid, has_database: false, has_node: self.node.is_none() })
    }

    /// Whether statements of one connection reach different connections of the server. Nothing is locked yet: a lock
    /// would stay on a connection of the pooler.
    async fn goes_through_a_pooler(
        &self,
        session: &Session,
    ) -> Result<bool, tokio_postgres::Error> {
        // While another one is in a transaction, a pooler has lent it the connection that we had, or lends us another.
        let other = self.server.connect().await?;
        let theirs = ask(&other, "BEGIN; SELECT pg_backend_pid()").await?;
        let ours = ask(&session.client, "SELECT pg_backend_pid()").await?;
        other.batch_execute("ROLLBACK").await?;
        Ok(theirs == session.pid || ours != session.pid)
    }

    fn refused(&self, refusal: Refusal) -> OpenError {
        let address = self.server.shown();
        match (refusal, self.how) {
            (Refusal::Node, _) => OpenError::SameNode { address },
            (Refusal::Database, Use::Alone) => OpenError::Shared { address },
            (Refusal::Database, Use::Shared) => OpenError::Alone { address },
        }
    }

    fn error(&self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> OpenError {
        server_error(&self.server.shown(), source)
    }
}

/// The connection, and which locks are held on it.
struct Session {
    client: Client,
    pid: i32,
    has_database: bool,
    has_node: bool,
}

impl Session {
    /// Tries for the locks that are not held yet. `None`: all are held.
    async fn take_locks(
        &mut self,
        holder: &Holder,
    ) -> Result<Option<Refusal>, tokio_postgres::Error> {
        if !self.has_database {
            let lock = match holder.how {
                Use::Shared => "pg_try_advisory_lock_shared",
                Use::Alone => "pg_try_advisory_lock",
            };
            self.has_database = is_true(&self.client, lock, OF_THE_DATABASE).await?;
        }
        if !self.has_database {
            return Ok(Some(Refusal::Database));
        }
        if let Some(node) = holder.node
            && !self.has_node
        {
            self.has_node = is_true(&self.client, "pg_try_advisory_lock", key_of(node)).await?;
        }
        if !self.has_node {
            return Ok(Some(Refusal::Node));
        }
        holder.last_pid.store(self.pid, Ordering::Relaxed);
        Ok(None)
    }
}

/// Why the connection is of no use any more.
enum Ended {
    /// It was cut, or does not answer.
    Lost,
    /// It is not the one that we had: somebody hands connections round.
    Exchanged,
}

/// Keeps the locks until the store ends.
async fn keep(
    holder: Holder,
    mut session: Session,
    trust: watch::Sender<Option<Instant>>,
    on_fatal: OnFatal,
) {
    loop {
        let ended = until_it_ends(&session).await;
        trust.send_replace(None);
        drop(session);
        if matches!(ended, Ended::Exchanged) {
            let address = holder.server.shown();
            return on_fatal(&OpenError::Pooler { address }.to_string());
        }
        tracing::warn!("the connection that keeps the lease was lost");
        session = match again(&holder).await {
            Ok(session) => session,
            Err(error) => return on_fatal(&error.to_string()),
        };
        tracing::info!("the connection that keeps the lease is back");
        trust.send_replace(Some(Instant::now() + LEASE));
    }
}

/// Looks at the connection until it is of no use.
async fn until_it_ends(session: &Session) -> Ended {
    let mut asked = Instant::now();
    loop {
        sleep(TRY * 2).await;
        if session.client.is_closed() {
            return Ended::Lost;
        }
        if asked.elapsed() >= LOOK {
            match timeout(ANSWER, still_holds(session)).await {
                Ok(Ok(true)) => asked = Instant::now(),
                Ok(Ok(false)) => return Ended::Exchanged,
                Ok(Err(_)) | Err(_) => return Ended::Lost,
            }
        }
    }
}

/// Connects and takes the locks again. Fails when another process has had one for longer than a lease lasts.
async fn again(holder: &Holder) -> Result<Session, OpenError> {
    let mut refused_since = None;
    let mut wait = TRY;
    loop {
        match timeout(ANSWER, attempt(holder)).await {
            Ok(Ok((session, None))) => return Ok(session),
            Ok(Ok((_, Some(refusal)))) => {
                let since = *refused_since.get_or_insert_with(Instant::now);
                if since.elapsed() > LEASE {
                    return Err(holder.refused(refusal));
                }
            }
            // As long as the database cannot be reached, nobody else can take anything there either, that we know of.
            Ok(Err(_)) | Err(_) => refused_since = None,
        }
        sleep(jittered(wait)).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

async fn attempt(holder: &Holder) -> Result<(Session, Option<Refusal>), tokio_postgres::Error> {
    let mut session = holder.connect().await?;
    let mut refusal = session.take_locks(holder).await?;
    if refusal.is_some() && end_our_last(&session, holder).await? {
        refusal = session.take_locks(holder).await?;
    }
    Ok((session, refusal))
}

/// Ends our last connection, if the server has not noticed yet that it was cut: it would keep our locks. Whether it
/// was there.
async fn end_our_last(session: &Session, holder: &Holder) -> Result<bool, tokio_postgres::Error> {
    let last = holder.last_pid.load(Ordering::Relaxed);
    let key = holder.node.map_or(OF_THE_DATABASE, key_of);
    let sql = format!("SELECT pg_terminate_backend(pid)::int FROM {} AND pid = {last}", held(key));
    Ok(maybe(&session.client, &sql).await?.is_some())
}

/// Who holds the lock about the database.
pub(super) fn users_of_the_database() -> String {
    format!("SELECT pid FROM {}", held(OF_THE_DATABASE))
}

/// The rows of `pg_locks` that tell who holds a lock of this database.
fn held(key: i64) -> String {
    format!(
        "pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1 \
           AND classid::bigint = {} AND objid::bigint = {} \
           AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        key >> 32,
        key & 0xffff_ffff
    )
}

/// Whether the locks are still there, and on the same connection.
async fn still_holds(session: &Session) -> Result<bool, tokio_postgres::Error> {
    let sql = format!(
        "SELECT (pg_backend_pid() = {} AND EXISTS (SELECT 1 FROM {} AND pid = pg_backend_pid()))::int",
        session.pid,
        held(OF_THE_DATABASE)
    );
    Ok(ask(&session.client, &sql).await? == 1)
}

async fn is_true(client: &Client, lock: &str, key: i64) -> Result<bool, tokio_postgres::Error> {
    Ok(ask(client, &format!("SELECT {lock}({key})::int")).await? == 1)
}

/// The number that the last of some statements gives; zero when it gives none.
async fn ask(client: &Client, sql: &str) -> Result<i32, tokio_postgres::Error> {
    Ok(maybe(client, sql).await?.unwrap_or_default())
}

/// Statements are sent as plain text: nothing is prepared, which a pooler would lose.
async fn maybe(client: &Client, sql: &str) -> Result<Option<i32>, tokio_postgres::Error> {
    let answers = client.simple_query(sql).await?;
    Ok(answers.iter().rev().find_map(|answer| match answer {
        SimpleQueryMessage::Row(row) => row.get(0)?.parse().ok(),
        _ => None,
    }))
}
