//! How transactions begin and end where the way to the server may be cut at any moment.
//!
//! A connection can be dead without anybody knowing: what is sent goes nowhere. So the beginning, which asks for nothing, must
//! be answered soon, or the step goes to another connection. And where a COMMIT is not answered, it is looked over another
//! connection whether its rows are there (guarantee G2). Its number would not tell: after a crash the server gives the
//! numbers of what it had not flushed to others.

use std::{future::pending, pin::pin, time::Duration};

use futures_util::future::BoxFuture;
use parlour_core::Error;
use tokio::{
    sync::SemaphorePermit,
    time::{sleep, timeout},
};

use super::{
    batch::Tx,
    db::{Db, Failure, Sent, Step, is_refusal},
    pool::{Lent, jittered},
    writer::{PAUSE, Runner},
};

/// Everything is looked up by an index, one row after the other: a plan from when tables were small would go through all of them
/// for as long as the server has not counted again. And compiling a statement would cost more than it saves.
macro_rules! by_index {
    () => {
        "; SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; \
         SET LOCAL enable_mergejoin = off; SET LOCAL jit = off"
    };
}
pub(super) use by_index;

/// How a transaction begins that writes, but for how durable it is. A statement that takes longer than this is stuck; and who
/// waits longer for a lock than this waits for a process that is stuck. A transaction whose client has fallen silent ends before
/// those give up that were begun in its place, and wait for what it holds.
macro_rules! begin {
    ($commit:literal) => {
        concat!(
            "BEGIN; SET LOCAL synchronous_commit = ",
            $commit,
            "; SET LOCAL statement_timeout = 15000; SET LOCAL lock_timeout = 8000; \
             SET LOCAL idle_in_transaction_session_timeout = 6000",
            by_index!()
        )
    };
}

/// Begins a transaction that is on the server's disk when it is committed.
pub(super) const BEGIN: &str = begin!("on");
/// One that its standbys have applied too.
pub(super) const BEGIN_APPLIED: &str = begin!("remote_apply");
/// What transactions of several steps add: their statements only look up what is named, so they are planned once. And they do
/// not wait long for one conversation.
pub(super) const OF_SEVERAL: &str =
    "; SET LOCAL plan_cache_mode = force_generic_plan; SET LOCAL lock_timeout = 4000";
/// How long a server that is well may take for what is no work.
const SILENCE: Duration = Duration::from_secs(4);
/// How long a whole step may take.
const STEP_PATIENCE: Duration = Duration::from_secs(25);
/// How long it is tried to find out what became of a COMMIT whose connection is lost.
const SETTLING: Duration = Duration::from_secs(5);

/// A transaction that writes, on a connection of its own.
pub(super) struct Transaction {
    lent: Lent,
    begun: Sent<()>,
}

/// Tells in a transaction of its own whether another one is stored: takes what that one held, so it is over, and looks.
pub(super) type Proof<'a> =
    &'a (dyn for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Step<bool>> + Send + Sync);

/// What is done about a COMMIT that is not answered.
#[derive(Clone, Copy)]
pub(super) enum Doubt<'a> {
    /// Nobody can tell what became of it.
    Stays,
    /// It is looked for a while.
    Looks(Proof<'a>),
    /// The same until the store closes, however long the server is away.
    Insists(Proof<'a>),
}

/// How a step's transaction ended badly.
pub(super) enum Ended {
    /// Nothing is stored.
    NotStored(Failure),
    /// It cannot be told whether it is stored.
    Unknown(Error),
}

impl Ended {
    /// What who asked is told.
    pub(super) fn into_error(self) -> Error {
        match self {
            Self::NotStored(failure) => failure.into_error(),
            Self::Unknown(error) => error,
        }
    }
}

impl Transaction {
    /// One that begins with this text.
    pub(super) fn begin(lent: Lent, sql: &str) -> Self {
        let begun = lent.connection().send_plain(sql);
        Self { lent, begun }
    }

    /// As steps see it.
    pub(super) fn tx(&self) -> Tx {
        Tx::new(Db::new(self.lent.connection().clone()))
    }

    /// Runs what it is for. Then it has begun.
    pub(super) async fn run<T>(&mut self, work: impl Future<Output = Step<T>>) -> Step<T> {
        let done = in_time(Some(&self.begun), work).await?;
        // What waited for any answer has this one already.
        has_begun(&mut self.begun).await?;
        Ok(done)
    }

    /// Takes back what was written.
    pub(super) fn roll_back(self) -> Lent {
        // Its answer comes before those of whoever has the connection next.
        drop(self.lent.connection().send_plain("ROLLBACK"));
        self.lent
    }
}

/// Waits until a transaction has begun.
///
/// # Errors
/// [`Failure::Dead`].
pub(super) async fn has_begun(begun: &mut Sent<()>) -> Step<()> {
    timeout(SILENCE, begun.arrive()).await.map_err(|_| Failure::Dead)
}

/// Runs what a transaction is for, in the time that a step has; where its beginning is not answered, it is given up soon.
pub(super) async fn in_time<T>(
    begun: Option<&Sent<()>>,
    work: impl Future<Output = Step<T>>,
) -> Step<T> {
    let mut work = pin!(work);
    match timeout(SILENCE, &mut work).await {
        Ok(done) => done,
        Err(_) if begun.is_some_and(|begun| !begun.has_arrived()) => Err(Failure::Dead),
        Err(_) => {
            let left = STEP_PATIENCE.saturating_sub(SILENCE);
            timeout(left, work).await.unwrap_or(Err(Failure::Stuck))
        }
    }
}

impl Runner {
    /// Commits what has [run](Transaction::run), and looks at everything that was sent before and not looked at: where a
    /// statement has failed, COMMIT says that all is well, and rolls back. Gives the connection back, if it is sound.
    ///
    /// While it is found out what became of a COMMIT whose connection is lost, others may have the step's permit.
    pub(super) async fn commit(
        &self,
        transaction: Transaction,
        before: Vec<Sent>,
        permit: Option<SemaphorePermit<'_>>,
        doubt: Doubt<'_>,
    ) -> Result<Option<Lent>, Ended> {
        let Transaction { lent, begun } = transaction;
        begun.done().await.map_err(|error| Ended::NotStored(error.into()))?;
        let committed = lent.connection().send_plain("COMMIT");
        let answers = async {
            for sent in before {
                sent.done().await?;
            }
            committed.done().await
        };
        let mut answers = pin!(answers);
        let answered = match timeout(SILENCE, &mut answers).await {
            Ok(answered) => Some(answered),
            // It may be at work, or the connection dead.
            Err(_) => tokio::select! {
                answered = &mut answers => Some(answered),
                fate = timeout(STEP_PATIENCE, self.learn(doubt)) => match fate {
                    Ok(is_stored) => return settled(is_stored),
                    Err(_) => None,
                },
            },
        };
        let error = match answered {
            Some(Ok(())) => return Ok(Some(lent)),
            Some(Err(error)) if is_refusal(&error) => return Err(Ended::NotStored(error.into())),
            Some(Err(error)) => Error::unknown(error),
            None => Error::unknown("COMMIT is not answered"),
        };
        drop((lent, permit));
        let insists = match doubt {
            Doubt::Stays => return Err(Ended::Unknown(error)),
            Doubt::Looks(_) => false,
            Doubt::Insists(_) => true,
        };
        loop {
            match timeout(SETTLING, self.learn(doubt)).await {
                Ok(is_stored) => return settled(is_stored),
                Err(_) if insists && !self.closing.is_cancelled() => {}
                Err(_) => break,
            }
        }
        tracing::warn!("it could not be found out in time whether a commit was stored");
        Err(Ended::Unknown(error))
    }

    /// Looks whether a transaction is stored until that is known.
    async fn learn(&self, doubt: Doubt<'_>) -> bool {
        let (Doubt::Looks(proof) | Doubt::Insists(proof)) = doubt else { return pending().await };
        loop {
            match self.look_for(proof).await {
                Ok(is_stored) => return is_stored,
                Err(_) => sleep(jittered(PAUSE * 5)).await,
            }
        }
    }

    async fn look_for(&self, proof: Proof<'_>) -> Step<bool> {
        let mut transaction = Transaction::begin(self.pool.get().await?, self.begin);
        let mut tx = transaction.tx();
        let is_stored = transaction.run(proof(&mut tx)).await?;
        transaction.roll_back().give_back();
        Ok(is_stored)
    }
}

/// What has become of a COMMIT that was not answered.
fn settled(is_stored: bool) -> Result<Option<Lent>, Ended> {
    tracing::info!(is_stored, "a commit that was not answered is settled");
    if is_stored { Ok(None) } else { Err(Ended::NotStored(Failure::Dead)) }
}
