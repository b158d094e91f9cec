//! Runs steps: each in one transaction, again when it met another's or lost its connection before the commit.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::future::BoxFuture;
use parlour_core::{Error, Result};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{sleep, timeout},
};
use tokio_postgres::error::SqlState;
use tokio_util::sync::CancellationToken;

use super::{
    batch::Tx,
    db::{Db, Failure, Sent, Step},
    looks::{Looks, Snapshot},
    pool::{Pool, jittered},
    publisher::{Publisher, Slot},
    together::Together,
    transaction::{Doubt, Ended, Transaction, in_time},
};

/// How long a start waits for the server.
pub(super) const START_PATIENCE: Duration = Duration::from_secs(10);
/// How often a step runs at most.
pub(super) const TRIES: u32 = 5;
/// Between two runs of a step that met another's.
pub(super) const PAUSE: Duration = Duration::from_millis(20);
/// What is looked up takes milliseconds. Longer than it takes to notice that a transaction has not begun.
const LONG_LOOK: Duration = Duration::from_secs(5);

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
    /// [`super::transaction::BEGIN`] or that of a server with standbys.
    pub(super) begin: &'static str,
    /// The same for several steps.
    pub(super) begin_several: String,
    /// Bounds the connections that steps which go alone hold, so that reading goes on.
    pub(super) alone: Semaphore,
    /// That the store closes: what cannot be found out is given up.
    pub(super) closing: CancellationToken,
}

impl Runner {
    /// Runs a writing step in a transaction of its own.
    pub(super) async fn write<A, T, F>(&self, args: &A, step: &F) -> Result<T>
    where
        A: Sync,
        F: for<'t> Fn(&'t mut Tx, &'t A) -> BoxFuture<'t, Step<T>> + Sync,
    {
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
        let permit = self.permit().await.map_err(Ended::NotStored)?;
        let lent = self.pool.get().await.map_err(Ended::NotStored)?;
        let mut transaction = Transaction::begin(lent, self.begin);
        let mut tx = transaction.tx();
        let done = match transaction.run(step(&mut tx, args)).await {
            Ok(done) => done,
            Err(failure) => {
                let failure = tx.cause(failure).await;
                self.leave(transaction, &failure);
                return Err(Ended::NotStored(failure));
            }
        };
        let slot = self.publisher.slot(&tx.effects().envelopes);
        let later = tx.take_later();
        if let Some(lent) = self.commit(transaction, later, Some(permit), Doubt::Stays).await? {
            lent.give_back();
        }
        self.settle(tx, slot, 1).await;
        Ok(done)
    }

    /// The permission to hold a connection for a step that goes alone.
    pub(super) async fn permit(&self) -> Step<SemaphorePermit<'_>> {
        let permit = self.alone.acquire().await;
        permit.map_err(|_| Error::unavailable("the store is closed").into())
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
    pub(super) fn leave(&self, transaction: Transaction, failure: &Failure) {
        self.learn_from(failure);
        if !failure.spoils_connection() {
            transaction.roll_back().give_back();
        }
    }

    /// Forgets the connections that wait where they are likely to be no better than one that failed so.
    fn learn_from(&self, failure: &Failure) {
        let leads_nowhere = match failure {
            Failure::Dead => true,
            Failure::Database(error) => error.code() == Some(&SqlState::READ_ONLY_SQL_TRANSACTION),
            _ => false,
        };
        if leads_nowhere {
            self.pool.forget_idle();
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
            let seen = match tries {
                1 => self.look_with_others(args, step).await,
                _ => self.look_alone(args, step).await,
            };
            let failure = match seen {
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

    /// Where others want to look too, in one snapshot with them. What is not seen for long is looked at over another
    /// connection too: the server may be at work, or its answer lost with the connection without anybody knowing.
    async fn look_with_others<A, T, F>(&self, args: &A, step: &F) -> Step<T>
    where
        F: for<'t> Fn(&'t Db, &'t A) -> BoxFuture<'t, Step<T>>,
    {
        let (snapshot, begun) = self.looks.join(&self.pool).await?;
        let mut seen = pin!(self.see(&snapshot, begun.as_ref(), args, step));
        if let Ok(seen) = timeout(LONG_LOOK, &mut seen).await {
            return seen;
        }
        tokio::select! {
            seen = &mut seen => seen,
            seen = self.look_elsewhere(args, step) => {
                snapshot.note(&Failure::Stuck);
                seen
            }
        }
    }

    /// Looks until something is seen, however long the database cannot be reached.
    async fn look_elsewhere<A, T, F>(&self, args: &A, step: &F) -> Step<T>
    where
        F: for<'t> Fn(&'t Db, &'t A) -> BoxFuture<'t, Step<T>>,
    {
        loop {
            match self.look_alone(args, step).await {
                Err(failure)
                    if failure.is_worth_another_try() || failure.is_for_want_of_database() =>
                {
                    sleep(jittered(PAUSE * 10)).await;
                }
                seen => return seen,
            }
        }
    }

    async fn look_alone<A, T, F>(&self, args: &A, step: &F) -> Step<T>
    where
        F: for<'t> Fn(&'t Db, &'t A) -> BoxFuture<'t, Step<T>>,
    {
        let (snapshot, begun) = Snapshot::begin(self.pool.get().await?);
        self.see(&snapshot, Some(&begun), args, step).await
    }

    async fn see<A, T, F>(
        &self,
        snapshot: &Snapshot,
        begun: Option<&Sent<()>>,
        args: &A,
        step: &F,
    ) -> Step<T>
    where
        F: for<'t> Fn(&'t Db, &'t A) -> BoxFuture<'t, Step<T>>,
    {
        let found = in_time(begun, step(snapshot.db(), args)).await;
        if let Err(failure) = &found {
            snapshot.note(failure);
            self.learn_from(failure);
        }
        found
    }
}
