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
    sync::{Semaphore, SemaphorePermit},
    time::sleep,
};
use tokio_postgres::error::SqlState;
use tokio_util::sync::CancellationToken;

use super::{
    batch::Tx,
    db::{Db, Failure, Step},
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
        let (snapshot, begun) = match shares {
            true => self.looks.join(&self.pool).await?,
            false => {
                let (snapshot, begun) = Snapshot::begin(self.pool.get().await?);
                (Arc::new(snapshot), Some(begun))
            }
        };
        let found = in_time(begun.as_ref(), step(snapshot.db(), args)).await;
        if let Err(failure) = &found {
            snapshot.note(failure);
            self.learn_from(failure);
        }
        found
    }
}
