//! A table of PostgreSQL that nobody can read for a while: that of participants.

use std::sync::Arc;

use parlour_engines::Database;
use tokio::task::{JoinSet, yield_now};

/// Where its locks are seen.
const LOCKS: &str = "FROM pg_locks WHERE relation = 'participants'::regclass \
     AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";

/// Those who lock it, one behind the other.
pub(crate) struct Locked {
    database: Arc<Database>,
    holders: JoinSet<()>,
}

impl Locked {
    pub(crate) fn new(database: &Arc<Database>) -> Self {
        Self { database: database.clone(), holders: JoinSet::new() }
    }

    /// Locks it, or waits for the lock behind whoever has it and whoever waits already.
    pub(crate) fn lock(&mut self) {
        let database = self.database.clone();
        self.holders.spawn_blocking(move || {
            // It ends with an error, because it is ended.
            let lock = "BEGIN; LOCK TABLE participants; SELECT pg_sleep(600)";
            database.run(lock).unwrap_err();
        });
    }

    /// Waits until it is locked.
    pub(crate) async fn is_locked(&self) {
        self.until(1, "mode = 'AccessExclusiveLock' AND granted").await;
    }

    /// Waits until somebody waits to lock it.
    pub(crate) async fn is_to_be_locked(&self) {
        self.until(1, "mode = 'AccessExclusiveLock' AND NOT granted").await;
    }

    /// Waits until so many wait to read it.
    pub(crate) async fn keeps_waiting(&self, readers: usize) {
        self.until(readers, "mode = 'AccessShareLock' AND NOT granted").await;
    }

    async fn until(&self, count: usize, of: &str) {
        let sql = format!("SELECT count(*) >= {count} {LOCKS} AND {of}");
        while self.database.run(&sql).unwrap() == "f" {
            yield_now().await;
        }
    }

    /// Ends the lock that is held.
    pub(crate) async fn unlock(&mut self) {
        let holder = "mode = 'AccessExclusiveLock' AND granted";
        let sql = format!("SELECT pg_terminate_backend(pid) {LOCKS} AND {holder}");
        self.database.run(&sql).unwrap();
        self.holders.join_next().await.unwrap().unwrap();
    }
}
