//! One connection as a step sees it, and the ways in which a step can end badly.
//!
//! A statement is on its way when [`Db::send`] gives its [`Sent`]; the answers come in the same order. So statements
//! that do not depend on each other's rows are sent one after the other and awaited later: one round trip for all
//! of them. [`Db::run`], [`Db::one`], [`Db::all`] and [`Db::exists`] send and wait.

use std::{pin::pin, sync::Arc};

use futures_util::{FutureExt as _, StreamExt as _, future::BoxFuture};
use parlour_core::Error;
use tokio::task::JoinHandle;
use tokio_postgres::{Row, RowStream, error::SqlState};
use tokio_util::task::TaskTracker;

use super::{
    params::{Encoded, Param},
    pool::Connection,
};

/// What a step gives.
pub(super) type Step<T> = Result<T, Failure>;

/// Why a step gave nothing. Its transaction is rolled back.
#[derive(Debug)]
pub(super) enum Failure {
    /// It was refused.
    Refused(Error),
    /// The database failed, or could not be reached.
    Database(tokio_postgres::Error),
    /// It met another process's step in the middle: it runs again from its beginning.
    Again,
    /// The connection did not even say that the transaction has begun. Nothing is stored.
    Dead,
    /// It was not done in all the time that a step has.
    Stuck,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error)
    }
}

impl Failure {
    /// What the caller is told. The transaction has been rolled back.
    pub(super) fn into_error(self) -> Error {
        match self {
            Self::Refused(error) => error,
            Self::Again => Error::unavailable("it met others again and again"),
            Self::Dead | Self::Stuck => Error::unavailable("the database does not answer in time"),
            Self::Database(error) if is_passing(&error) => Error::unavailable(error),
            Self::Database(error) => Error::internal(error),
        }
    }

    /// Whether the same step, run again at once, may do what it should: two processes were in each other's way,
    /// or the connection was lost.
    pub(super) fn is_worth_another_try(&self) -> bool {
        match self {
            Self::Again | Self::Dead => true,
            Self::Refused(_) | Self::Stuck => false,
            Self::Database(error) => match error.code() {
                Some(code) => {
                    [
                        &SqlState::T_R_SERIALIZATION_FAILURE,
                        &SqlState::T_R_DEADLOCK_DETECTED,
                        // It became a standby: the next connection may find the one that writes.
                        &SqlState::READ_ONLY_SQL_TRANSACTION,
                        // A plan from before a migration.
                        &SqlState::FEATURE_NOT_SUPPORTED,
                    ]
                    .contains(&code)
                        || is_end_of_connection(code)
                }
                None => is_lost(error),
            },
        }
    }

    /// Whether every step would fail in the same way now: the database is away, full, or will not be written to.
    pub(super) fn concerns_all(&self) -> bool {
        match self {
            Self::Refused(_) => self.is_for_want_of_database(),
            Self::Again | Self::Dead | Self::Stuck => true,
            Self::Database(error) => is_passing(error) && !self.is_lock_timeout(),
        }
    }

    /// Whether there was no connection, or no answer in all the time that a step has.
    pub(super) fn is_for_want_of_database(&self) -> bool {
        match self {
            Self::Refused(error) => error.code == parlour_core::Code::Unavailable,
            Self::Dead | Self::Stuck => true,
            Self::Again | Self::Database(_) => false,
        }
    }

    /// Whether it was another statement of the same transaction that failed.
    pub(super) fn is_of_another(&self) -> bool {
        let Self::Database(error) = self else { return false };
        error.code() == Some(&SqlState::IN_FAILED_SQL_TRANSACTION)
    }

    /// Whether nobody shall use the connection any more: it is lost, leads to a standby, or has plans from before a migration.
    pub(super) fn spoils_connection(&self) -> bool {
        let error = match self {
            Self::Database(error) => error,
            Self::Dead | Self::Stuck => return true,
            Self::Refused(_) | Self::Again => return false,
        };
        let spoilt = [&SqlState::FEATURE_NOT_SUPPORTED, &SqlState::READ_ONLY_SQL_TRANSACTION];
        !is_refusal(error) || error.code().is_some_and(|code| spoilt.contains(&code))
    }

    /// Whether a lock was waited for in vain, or a statement took too long.
    pub(super) fn is_lock_timeout(&self) -> bool {
        let Self::Database(error) = self else { return false };
        let code = error.code();
        code == Some(&SqlState::LOCK_NOT_AVAILABLE) || code == Some(&SqlState::QUERY_CANCELED)
    }
}

/// Whether the server ended the connection: it shuts down, has crashed, or somebody ended this one.
fn is_end_of_connection(code: &SqlState) -> bool {
    [
        &SqlState::ADMIN_SHUTDOWN,
        &SqlState::CRASH_SHUTDOWN,
        &SqlState::CANNOT_CONNECT_NOW,
        &SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
    ]
    .contains(&code)
        || code.code().starts_with("08")
}

/// Whether nothing more can be heard from the server over this connection.
fn is_lost(error: &tokio_postgres::Error) -> bool {
    use std::error::Error as _;
    error.is_closed() || error.source().is_some_and(|source| source.is::<std::io::Error>())
}

/// Whether the same may work soon: the server is away, full, busy or a standby.
pub(super) fn is_passing(error: &tokio_postgres::Error) -> bool {
    let Some(code) = error.code() else { return is_lost(error) };
    let passing = [
        &SqlState::T_R_SERIALIZATION_FAILURE,
        &SqlState::T_R_DEADLOCK_DETECTED,
        &SqlState::LOCK_NOT_AVAILABLE,
        &SqlState::READ_ONLY_SQL_TRANSACTION,
        &SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
        &SqlState::FEATURE_NOT_SUPPORTED,
    ];
    // Classes: no connection, no resources, an operator's intervention, an error of the system.
    passing.contains(&code)
        || ["08", "53", "57", "58"].iter().any(|class| code.code().starts_with(class))
}

/// Whether the server itself refused, and lives: a COMMIT that it refused so has stored nothing.
pub(super) fn is_refusal(error: &tokio_postgres::Error) -> bool {
    use tokio_postgres::error::Severity;
    error.as_db_error().is_some_and(|error| error.parsed_severity() == Some(Severity::Error))
}

/// A connection, perhaps in a transaction.
pub(super) struct Db {
    connection: Arc<Connection>,
}

impl Db {
    pub(super) const fn new(connection: Arc<Connection>) -> Self {
        Self { connection }
    }

    /// Sends a statement; it is on its way when this returns, and its answer is taken in by a task: so it does not
    /// matter in which order answers are looked at, and how large they are.
    pub(super) async fn send(&self, sql: &str, params: &[&dyn Param]) -> Step<Sent> {
        Ok(Sent::start(self.prepared(sql, params).await?, self.connection.tasks()))
    }

    /// A statement that is sent when it is first polled.
    async fn prepared(&self, sql: &str, params: &[&dyn Param]) -> Step<Answer<Rows>> {
        let params = params
            .iter()
            .map(|param| param.encode())
            .collect::<Result<Vec<Encoded>, _>>()
            .map_err(Error::internal)?;
        let statement = self.connection.statement(sql, &params).await?;
        let connection = self.connection.clone();
        let sql = if statement.is_some() { String::new() } else { sql.to_owned() };
        Ok(Box::pin(async move {
            let rows = match statement {
                Some(statement) => connection.client().query_raw(&statement, params).await?,
                None => {
                    let params = params.into_iter().map(|param| {
                        let kind = param.kind().clone();
                        (param, kind)
                    });
                    connection.client().query_typed_raw(&sql, params).await?
                }
            };
            collect(rows).await
        }))
    }

    async fn ask(&self, sql: &str, params: &[&dyn Param]) -> Step<(Vec<Row>, u64)> {
        Ok(self.prepared(sql, params).await?.await?)
    }

    /// Runs a statement; the number of rows that it wrote.
    pub(super) async fn run(&self, sql: &str, params: &[&dyn Param]) -> Step<u64> {
        Ok(self.ask(sql, params).await?.1)
    }

    /// The first row, if there is one.
    pub(super) async fn one<T>(
        &self,
        sql: &str,
        params: &[&dyn Param],
        map: impl FnOnce(&Row) -> Step<T> + Send,
    ) -> Step<Option<T>> {
        self.ask(sql, params).await?.0.first().map(map).transpose()
    }

    /// Whether there is a row.
    pub(super) async fn exists(&self, sql: &str, params: &[&dyn Param]) -> Step<bool> {
        Ok(!self.ask(sql, params).await?.0.is_empty())
    }

    /// All rows.
    pub(super) async fn all<T: Send>(
        &self,
        sql: &str,
        params: &[&dyn Param],
        map: impl FnMut(&Row) -> Step<T> + Send,
    ) -> Step<Vec<T>> {
        self.ask(sql, params).await?.0.iter().map(map).collect()
    }
}

/// The rows that a statement gave, and how many it wrote.
pub(super) type Rows = (Vec<Row>, u64);
type Answered<T> = Result<T, tokio_postgres::Error>;
type Answer<T> = BoxFuture<'static, Answered<T>>;

async fn collect(rows: RowStream) -> Answered<Rows> {
    let mut rows = pin!(rows);
    let mut all = Vec::new();
    while let Some(row) = rows.next().await {
        all.push(row?);
    }
    Ok((all, rows.rows_affected().unwrap_or_default()))
}

/// A statement on its way. Dropped, it still runs, and its answer is not looked at.
#[must_use = "whether it worked is known when it is awaited"]
pub(super) struct Sent<T = Rows>(State<T>);

enum State<T> {
    Answered(Answered<T>),
    Open(JoinHandle<Answered<T>>),
}

impl<T: Send + 'static> Sent<T> {
    /// Polls once, which is what sends it.
    pub(super) fn start(mut answer: Answer<T>, tasks: &TaskTracker) -> Self {
        match (&mut answer).now_or_never() {
            Some(answered) => Self(State::Answered(answered)),
            // The task's name: `postgres-answer`. It ends with the answer, or with the connection.
            None => Self(State::Open(tasks.spawn(answer))),
        }
    }

    /// Whether the answer is here.
    pub(super) fn has_arrived(&self) -> bool {
        match &self.0 {
            State::Answered(_) => true,
            State::Open(task) => task.is_finished(),
        }
    }

    /// Waits until the answer is here, which is kept. May be given up and called again.
    pub(super) async fn arrive(&mut self) {
        if let State::Open(task) = &mut self.0 {
            match task.await {
                Ok(answered) => self.0 = State::Answered(answered),
                // The runtime ends, and whoever waits here with it.
                Err(_) => std::future::pending().await,
            }
        }
    }

    /// The answer, or the bare error.
    pub(super) async fn wait(mut self) -> Result<T, tokio_postgres::Error> {
        self.arrive().await;
        match self.0 {
            State::Answered(answered) => answered,
            State::Open(_) => std::future::pending().await,
        }
    }

    /// That it worked, or the bare error.
    pub(super) async fn done(self) -> Result<(), tokio_postgres::Error> {
        self.wait().await.map(drop)
    }
}

impl Sent {
    /// Its rows.
    pub(super) async fn rows(self) -> Step<Vec<Row>> {
        Ok(self.wait().await?.0)
    }

    /// How many rows it wrote.
    pub(super) async fn count(self) -> Step<u64> {
        Ok(self.wait().await?.1)
    }

    /// Its first row, if there is one.
    pub(super) async fn one<T>(self, map: impl FnOnce(&Row) -> Step<T> + Send) -> Step<Option<T>> {
        self.rows().await?.first().map(map).transpose()
    }

    /// All its rows.
    pub(super) async fn all<T: Send>(
        self,
        map: impl FnMut(&Row) -> Step<T> + Send,
    ) -> Step<Vec<T>> {
        self.rows().await?.iter().map(map).collect()
    }
}
