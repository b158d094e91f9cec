//! Connections: made when they are needed, kept, given up when they are lost or left in the middle of something.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use parlour_core::Error;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout},
};
use tokio_postgres::{Client, Statement};
use tokio_util::task::TaskTracker;

use super::{
    address::Server,
    db::{Sent, Step},
    params::Encoded,
};

/// How long a step waits for a connection that is free.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long one attempt to connect may take.
const CONNECT_PATIENCE: Duration = Duration::from_secs(3);
/// After a failed attempt nobody tries again for at least this long, and at most for eight times as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Statements that are kept prepared on a connection. There are fewer texts than that.
const MOST_STATEMENTS: usize = 400;

/// A connection with its prepared statements.
pub(super) struct Connection {
    client: Client,
    /// What takes answers in.
    tasks: TaskTracker,
    /// By their text; `None` where statements are not kept.
    statements: Option<Mutex<HashMap<Box<str>, Statement>>>,
}

impl Connection {
    pub(super) const fn client(&self) -> &Client {
        &self.client
    }

    pub(super) const fn tasks(&self) -> &TaskTracker {
        &self.tasks
    }

    /// The statement of this text, prepared; `None` where statements are not kept.
    pub(super) async fn statement(
        &self,
        sql: &str,
        params: &[Encoded],
    ) -> Result<Option<Statement>, tokio_postgres::Error> {
        let Some(statements) = &self.statements else { return Ok(None) };
        let known = statements.lock().unwrap_or_else(PoisonError::into_inner).get(sql).cloned();
        if known.is_some() {
            return Ok(known);
        }
        let kinds: Vec<_> = params.iter().map(|param| param.kind().clone()).collect();
        let statement = self.client.prepare_typed(sql, &kinds).await?;
        let mut statements = statements.lock().unwrap_or_else(PoisonError::into_inner);
        if statements.len() >= MOST_STATEMENTS {
            statements.clear();
        }
        statements.insert(sql.into(), statement.clone());
        Ok(Some(statement))
    }

    /// Sends statements without parameters; they are on their way when this returns.
    pub(super) fn send_plain(self: &Arc<Self>, sql: &str) -> Sent<()> {
        let (connection, sql) = (self.clone(), sql.to_owned());
        let answer = Box::pin(async move { connection.client.batch_execute(&sql).await });
        Sent::start(answer, &self.tasks)
    }
}

/// Connections that nobody uses at the moment; `None` once the pool is closed.
struct Idle(Mutex<Option<Vec<Arc<Connection>>>>);

impl Idle {
    fn with<T>(&self, look: impl FnOnce(&mut Vec<Arc<Connection>>) -> T) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).as_mut().map(look)
    }
}

/// The connections of a store.
pub(super) struct Pool {
    server: Server,
    prepare: bool,
    permits: Arc<Semaphore>,
    idle: Arc<Idle>,
    /// After a failed attempt: until when nobody tries, and how long the pause was.
    pause: Mutex<Option<(Instant, Duration)>>,
}

impl Pool {
    pub(super) fn new(server: Server, most: usize, prepare: bool) -> Self {
        Self {
            server,
            prepare,
            permits: Arc::new(Semaphore::new(most)),
            idle: Arc::new(Idle(Mutex::new(Some(Vec::new())))),
            pause: Mutex::new(None),
        }
    }

    /// A connection that is not in the middle of anything.
    ///
    /// # Errors
    /// [`parlour_core::Code::Unavailable`] when the server cannot be reached, or all stay busy.
    pub(super) async fn get(&self) -> Step<Lent> {
        let waiting = timeout(PATIENCE, self.permits.clone().acquire_owned());
        let permit = match waiting.await {
            Ok(Ok(permit)) => permit,
            Ok(Err(_)) => return Err(Error::unavailable("the store is closed").into()),
            Err(_) => return Err(Error::unavailable("all connections stay busy").into()),
        };
        let connection = match self.take_idle() {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        Ok(Lent { connection, idle: self.idle.clone(), is_clean: false, _permit: permit })
    }

    fn take_idle(&self) -> Option<Arc<Connection>> {
        // The one that was used last, so that what is not needed gets old.
        let usable = |idle: &mut Vec<Arc<Connection>>| {
            std::iter::from_fn(|| idle.pop()).find(|connection| !connection.client.is_closed())
        };
        self.idle.with(usable).flatten()
    }

    /// A new connection.
    ///
    /// # Errors
    /// [`parlour_core::Code::Unavailable`]. For a moment after a failure, at once.
    pub(super) async fn connect(&self) -> Step<Arc<Connection>> {
        if let Some((until, _)) = *self.pause.lock().unwrap_or_else(PoisonError::into_inner)
            && Instant::now() < until
        {
            return Err(Error::unavailable("the database cannot be reached").into());
        }
        let connected = match timeout(CONNECT_PATIENCE, self.server.connect()).await {
            Ok(Ok(client)) => Ok(client),
            Ok(Err(error)) => Err(Error::unavailable(error)),
            Err(_) => Err(Error::unavailable("the database does not answer")),
        };
        let mut pause = self.pause.lock().unwrap_or_else(PoisonError::into_inner);
        match connected {
            Ok(client) => {
                *pause = None;
                let statements = self.prepare.then(Mutex::default);
                let tasks = self.server.tasks().clone();
                Ok(Arc::new(Connection { client, tasks, statements }))
            }
            Err(error) => {
                let last = pause.map_or(FIRST_PAUSE / 2, |(_, last)| last);
                let next = (last * 2).min(FIRST_PAUSE * 8);
                *pause = Some((Instant::now() + jittered(next), next));
                drop(pause);
                tracing::warn!(error = ?error, "cannot connect to the database");
                Err(error.into())
            }
        }
    }

    /// Forgets the connections that wait: they lead to a server that is gone, or writes no more.
    pub(super) fn forget_idle(&self) {
        drop(self.idle.with(std::mem::take));
    }

    /// Gives out no more connections; those that are out are dropped when they come back.
    pub(super) fn close(&self) {
        self.permits.close();
        drop(self.idle.0.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

/// Between half of a time and the whole, so that processes do not come all at once.
pub(super) fn jittered(time: Duration) -> Duration {
    // Fine enough a source: when the clock is looked at.
    let random = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), Instant::now());
    let part = u32::try_from(random % 1_000).unwrap_or_default();
    time / 2 + time * part / 2_000
}

/// A connection on loan. It goes back only when it is said to be clean; else it is dropped, and what it was in the middle
/// of is rolled back by the server.
pub(super) struct Lent {
    connection: Arc<Connection>,
    idle: Arc<Idle>,
    is_clean: bool,
    _permit: OwnedSemaphorePermit,
}

impl Lent {
    pub(super) const fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    /// Whether it is lost.
    pub(super) fn is_closed(&self) -> bool {
        self.connection.client.is_closed()
    }

    /// The connection is not in a transaction, or on its way out of it: the next may have it.
    pub(super) fn give_back(mut self) {
        self.is_clean = true;
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if self.is_clean && !self.connection.client.is_closed() {
            let connection = self.connection.clone();
            self.idle.with(|idle| idle.push(connection));
        }
    }
}
