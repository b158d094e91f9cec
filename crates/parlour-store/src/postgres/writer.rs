//! Runs steps: each in one transaction, again when it met another's or lost its connection before the commit.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::future::BoxFuture;
use parlour_core::{Error, Result};
use tokio::{
    sync::Semaphore,
    time::{sleep, timeout},
};
use tokio_postgres::error::SqlState;

use super::{
    batch::Tx,
    db::{Db, Failure, Sent, Step, is_refusal},
    looks::{Looks, Snapshot},
    pool::{Lent, Pool, jittered},
    publisher::{Publisher, Slot},
    together::Together,
};

/// Begins a transaction that writes. A statement that takes longer than this is stuck; and who waits longer for a lock
/// than this waits for a process that is stuck.
pub(super) const BEGIN: &str = "BEGIN; SET LOCAL synchronous_commit = on; SET LOCAL statement_timeout = 15000; \
     SET LOCAL lock_timeout = 8000; SET LOCAL idle_in_transaction_session_timeout = 10000";
/// The same where the server waits for its standbys to have applied it.
pub(super) const BEGIN_APPLIED: &str = "BEGIN; SET LOCAL synchronous_commit = remote_apply; \
     SET LOCAL statement_timeout = 15000; SET LOCAL lock_timeout = 8000; \
     SET LOCAL idle_in_transaction_session_timeout = 10000";
/// What transactions of several steps add: their statements look up what is named, however little the server knows about the
/// sizes of tables that have just begun to grow, so they are planned once. And they do not wait long for one conversation.
pub(super) const OF_SEVERAL: &str = "; SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; \
     SET LOCAL enable_mergejoin = off; SET LOCAL plan_cache_mode = force_generic_plan; SET LOCAL lock_timeout = 4000";
/// How long a start waits for the server.
pub(super) const START_PATIENCE: Duration = Duration::from_secs(10);
/// How often a step runs at most.
pub(super) const TRIES: u32 = 5;
/// How long the beginning of a transaction may take that many share: none of them shall wait for a connection that is dead
/// without anybody knowing.
const BEGIN_PATIENCE: Duration = Duration::from_secs(4);
/// How long a whole step may take.
pub(super) const STEP_PATIENCE: Duration = Duration::from_secs(25);
/// Between two runs of a step that met another's.
pub(super) const PAUSE: Duration = Duration::from_millis(20);

/// Figures that are counted.
#[derive(Default)]
pub(super) struct Counters {
    pub(super) commits: AtomicU64,
    pub(super) writes: AtomicU64,
    pub(super) duplicates: AtomicU64,
}

/// What runs steps.
pub(super) struct Runner {
    pub(super) pool: Pool,
    pub(super) looks: Looks,
    pub(super) together: Together,
    pub(super) publisher: Arc<Publisher>,
    pub(super) counters: Counters,
    /// [`BEGIN`] or [`BEGIN_APPLIED`].
    pub(super) begin: &'static str,
    /// The same with [`OF_SEVERAL`].
    pub(super) begin_several: String,
    /// Bounds the connections that steps which go alone hold, so that reading goes on.
    pub(super) alone: Semaphore,
}

/// How a step's transaction ended badly.
pub(super) enum Ended {
    /// Nothing is stored.
    NotStored(Failure),
    /// It cannot be told whether it is stored.
    Unknown(Error),
}

impl Runner {
    /// Runs a writing step in a transaction of its own.
    pub(super) async fn write<A, T, F>(&self, args: &A, step: &F) -> Result<T>
    where
        A: Sync,
        F: for<'t> Fn(&'t mut Tx, &'t A) -> BoxFuture<'t, Step<T>> + Sync,
    {
        let Ok(_permit) = self.alone.acquire().await else {
            return Err(Error::unavailable("the store is closed"));
        };
        let mut tries = 1;
        loop {
            let failure = match self.attempt(args, step).await {
                Ok(done) => return Ok(done),
                Err(Ended::Unknown(error)) => return Err(error),
                Err(Ended::NotStored(failure)) => failure,
            };
            if tries >= TRIES || !failure.is_worth_another_try() {
                return Err(failure.into_error());
            }
            sleep(jittered(PAUSE * tries)).await;
            tries += 1;
        }
    }

    async fn attempt<A, T, F>(&self, args: &A, step: &F) -> Result<T, Ended>
    where
        F: for<'t> Fn(&'t mut Tx, &'t A) -> BoxFuture<'t, Step<T>>,
    {
        let lent = self.pool.get().await.map_err(Ended::NotStored)?;
        let begun = lent.connection().send_plain(self.begin);
        let mut tx = Tx::new(Db::new(lent.connection().clone()));
        let done = match timeout(STEP_PATIENCE, step(&mut tx, args)).await {
            Ok(Ok(done)) => done,
            Ok(Err(failure)) => {
                self.leave(lent, &failure);
                return Err(Ended::NotStored(failure));
            }
            Err(_) => return Err(Ended::NotStored(stuck().into())),
        };
        let slot = self.publisher.slot(&tx.effects().envelopes);
        commit(&lent, [begun].into_iter().chain(tx.take_later())).await?;
        lent.give_back();
        self.settle(tx, slot, 1).await;
        Ok(done)
    }

    /// After a commit: counts, and hands on.
    pub(super) async fn settle(&self, tx: Tx, slot: Slot, steps: u64) {
        let effects = tx.into_effects();
        self.counters.commits.fetch_add(1, Ordering::Relaxed);
        self.counters.writes.fetch_add(steps, Ordering::Relaxed);
        self.count_duplicates(effects.duplicates);
        slot.publish(effects.envelopes).await;
    }

    pub(super) fn count_duplicates(&self, duplicates: u64) {
        self.counters.duplicates.fetch_add(duplicates, Ordering::Relaxed);
    }

    /// Takes back what a step wrote that failed, and keeps the connection where it is sound.
    pub(super) fn leave(&self, lent: Lent, failure: &Failure) {
        if let Failure::Database(error) = failure
            && error.code() == Some(&SqlState::READ_ONLY_SQL_TRANSACTION)
        {
            self.pool.forget_idle();
        }
        if !failure.spoils_connection() {
            // Its answer comes before those of whoever has the connection next.
            drop(lent.connection().send_plain("ROLLBACK"));
            lent.give_back();
        }
    }

    /// Runs a step that reads, in one snapshot. Again, when its connection was lost, or somebody's with whom it shared a
    /// transaction failed: then alone.
    pub(super) async fn read<A, T, F>(&self, args: &A, step: &F) -> Result<T>
    where
        A: Sync,
        F: for<'t> Fn(&'t Db, &'t A) -> BoxFuture<'t, Step<T>> + Sync,
    {
        let mut tries = 1;
        loop {
            let failure = match self.look(args, step, tries == 1).await {
                Ok(found) => return Ok(found),
                Err(failure) => failure,
            };
            let again = failure.is_worth_another_try() || failure.is_of_another();
            if tries >= TRIES || !again {
                return Err(failure.into_error());
            }
            sleep(jittered(PAUSE * tries)).await;
            tries += 1;
        }
    }

    async fn look<A, T, F>(&self, args: &A, step: &F, shares: bool) -> Step<T>
    where
        F: for<'t> Fn(&'t Db, &'t A) -> BoxFuture<'t, Step<T>>,
    {
        let snapshot = match shares {
            true => self.looks.join(&self.pool).await?,
            false => Arc::new(Snapshot::begin(self.pool.get().await?).0),
        };
        match timeout(STEP_PATIENCE, step(snapshot.db(), args)).await {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(failure)) => {
                snapshot.note(&failure);
                Err(failure)
            }
            Err(_) => {
                snapshot.give_up();
                Err(stuck().into())
            }
        }
    }
}

/// Commits, and looks at everything that was sent before and not looked at: where a statement has failed, COMMIT
/// says that all is well, and rolls back.
pub(super) async fn commit(
    lent: &Lent,
    before: impl IntoIterator<Item = Sent>,
) -> Result<(), Ended> {
    let committed = lent.connection().send_plain("COMMIT");
    let answers = async {
        for sent in before {
            sent.done().await?;
        }
        committed.done().await
    };
    match timeout(STEP_PATIENCE, answers).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) if is_refusal(&error) => Err(Ended::NotStored(error.into())),
        Ok(Err(error)) => Err(Ended::Unknown(Error::unknown(error))),
        Err(_) => Err(Ended::Unknown(Error::unknown("COMMIT is not answered"))),
    }
}

/// Waits until a transaction has begun that many shall share.
pub(super) async fn has_begun(begun: Sent) -> Step<()> {
    match timeout(BEGIN_PATIENCE, begun.done()).await {
        Ok(answered) => Ok(answered?),
        Err(_) => Err(stuck().into()),
    }
}

pub(super) fn stuck() -> Error {
    Error::unavailable("the database does not answer in time")
}
