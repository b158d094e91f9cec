//! Snapshots for steps that read.
//!
//! While connections are free, each step has a transaction of its own. Where they are not, whoever gets one takes along those
//! that wait behind him: one transaction for all of them, and their statements go to the server one after the other without
//! anybody waiting for an answer in between. So a crowd that comes back costs much less than one at a time.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use parlour_core::Error;
use tokio::sync::oneshot;

use super::{
    db::{Db, Failure, Sent, Step},
    pool::{Lent, Pool},
    transaction::{by_index, has_begun},
    writer::TRIES,
};

/// Begins a transaction that reads one snapshot.
const BEGIN: &str = concat!(
    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; \
     SET LOCAL statement_timeout = 15000; SET LOCAL idle_in_transaction_session_timeout = 10000",
    by_index!()
);
/// Steps that share a snapshot: few enough that none waits long for the others' statements.
const MOST_SHARING: usize = 64;

/// Who waits for a snapshot.
#[derive(Default)]
pub(super) struct Looks(Mutex<VecDeque<oneshot::Sender<Arc<Snapshot>>>>);

/// A transaction that only reads. It ends with the last one who looks.
pub(super) struct Snapshot {
    db: Db,
    /// `None` at its end.
    lent: Option<Lent>,
    /// Nobody shall have its connection any more.
    is_bad: AtomicBool,
}

impl Looks {
    /// A snapshot of what is stored by now, which others may share, and its beginning where nobody has waited for that.
    ///
    /// # Errors
    /// Those of [`Pool::get`].
    pub(super) async fn join(&self, pool: &Pool) -> Step<(Arc<Snapshot>, Option<Sent<()>>)> {
        let (give, mut given) = oneshot::channel();
        self.waiting(|waiting| waiting.push_back(give));
        let mut tries = 1;
        loop {
            let lent = tokio::select! {
                biased;
                taken_along = &mut given => {
                    let snapshot = taken_along.map_err(|_| Error::unavailable("nobody reads any more"))?;
                    return Ok((snapshot, None));
                }
                lent = pool.get() => lent?,
            };
            let (snapshot, mut begun) = Snapshot::begin(lent);
            // Its own place is among those that wait.
            let shares = self.waiting(|waiting| waiting.len() > 1);
            if shares && let Err(failure) = has_begun(&mut begun).await {
                snapshot.note(&failure);
                pool.forget_idle();
                if tries >= TRIES {
                    return Err(failure);
                }
                tries += 1;
                continue;
            }
            let snapshot = Arc::new(snapshot);
            self.waiting(|waiting| take_along(&snapshot, waiting));
            return Ok((snapshot, Some(begun)));
        }
    }

    fn waiting<T>(
        &self,
        act: impl FnOnce(&mut VecDeque<oneshot::Sender<Arc<Snapshot>>>) -> T,
    ) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Everybody here asked before the snapshot is taken, which is with its first statement.
fn take_along(snapshot: &Arc<Snapshot>, waiting: &mut VecDeque<oneshot::Sender<Arc<Snapshot>>>) {
    let mut sharing = 1;
    while sharing < MOST_SHARING
        && let Some(next) = waiting.pop_front()
    {
        // One has gone, or is the one that takes the others along.
        if next.send(snapshot.clone()).is_ok() {
            sharing += 1;
        }
    }
}

impl Snapshot {
    /// One that begins; where that fails, what follows does too.
    pub(super) fn begin(lent: Lent) -> (Self, Sent<()>) {
        let begun = lent.connection().send_plain(BEGIN);
        let db = Db::new(lent.connection().clone());
        (Self { db, lent: Some(lent), is_bad: AtomicBool::new(false) }, begun)
    }

    pub(super) const fn db(&self) -> &Db {
        &self.db
    }

    /// Somebody who looked met this.
    pub(super) fn note(&self, failure: &Failure) {
        if failure.spoils_connection() {
            self.is_bad.store(true, Relaxed);
        }
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        let Some(lent) = self.lent.take() else { return };
        if !self.is_bad.load(Relaxed) {
            // Where a statement has failed this rolls back, which is as well.
            drop(lent.connection().send_plain("COMMIT"));
            lent.give_back();
        }
    }
}
