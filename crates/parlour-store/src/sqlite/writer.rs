//! The one thread that writes: what gathered during the last commit forms the next transaction (group commit).

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicI32, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use parlour_core::{Error, event::Envelope, port::store::CommitSink};
use tokio::sync::watch;

use super::{
    batch::{Effects, Job, Ran, is_certainly_not_stored, is_failed_flush},
    db::Db,
    file::{BUSY_TIMEOUT, Held},
    queue::{Queue, Taken},
};
use crate::{OpenOptions, mutant};

/// Bytes of one transaction, about.
const BATCH_BYTES: usize = 1 << 20;
/// Pages in the WAL from which on it is copied back into the database.
const CHECKPOINT_PAGES: i32 = 2_000;
/// Pages in the WAL from which on the writer waits for readers so that it can start over.
const MOST_WAL_PAGES: i32 = 16_000;
/// How long emptying the WAL may wait for readers.
const CHECKPOINT_PATIENCE: Duration = Duration::from_millis(50);
/// How long the writer must be idle before erased content is also wiped from the WAL.
const IDLE: Duration = Duration::from_millis(200);

/// What waits for the writer.
pub(super) type Jobs = Queue<Box<dyn Job>>;

/// Figures that the writer counts.
#[derive(Default)]
pub(super) struct Counters {
    pub(super) commits: AtomicU64,
    pub(super) writes: AtomicU64,
    pub(super) duplicates: AtomicU64,
}

/// Everything that the writing thread owns.
pub(super) struct Writer {
    pub(super) db: Db,
    pub(super) queue: Arc<Jobs>,
    pub(super) options: OpenOptions,
    pub(super) sink: Arc<dyn CommitSink>,
    pub(super) counters: Arc<Counters>,
    /// Pages in the WAL after the last commit, as the WAL hook tells.
    pub(super) wal_pages: Arc<AtomicI32>,
    pub(super) readers: Vec<JoinHandle<()>>,
    pub(super) held: Held,
    /// Dropped when everything is closed.
    pub(super) ended: watch::Sender<()>,
}

/// How trying to commit some steps together ended.
enum Attempt {
    Committed(Effects),
    /// Nothing of it is stored; a step failed, and its answer is in it.
    StepFailed,
    /// Nothing of it is stored.
    NotStored(String),
    /// It cannot be told whether it is stored.
    Unknown(String),
}

/// The store cannot go on.
struct Fatal(String);

impl Writer {
    /// Writes until the queue is closed and empty, then closes the database.
    pub(super) fn run(mut self) {
        let fatal = self.work().err();
        self.queue.close();
        if let Some(Fatal(reason)) = &fatal {
            self.refuse_the_rest();
            (self.options.on_fatal)(reason);
        }
        for reader in self.readers.drain(..) {
            // Readers catch panics; one that died all the same has nothing left to close.
            let _ = reader.join();
        }
        if fatal.is_none() {
            self.leave_clean();
        }
        let Self { db, held, ended, sink, .. } = self;
        // In this order: the file is free only when the connection is closed.
        drop(db);
        drop(held);
        drop(ended);
        drop(sink);
    }

    fn work(&mut self) -> Result<(), Fatal> {
        let mut erased = false;
        let mut copied = 0;
        loop {
            let patience = erased.then_some(IDLE);
            match self.queue.take(self.options.max_batch.max(1), BATCH_BYTES, patience) {
                Taken::Some(jobs) => erased |= self.write(jobs)?,
                Taken::Nothing => {
                    erased = !self.checkpoint("TRUNCATE")?;
                    continue;
                }
                Taken::Ended => return Ok(()),
            }
            let pages = self.wal_pages.load(Ordering::Relaxed);
            if pages < copied {
                // It has started over.
                copied = 0;
            }
            if pages - copied >= CHECKPOINT_PAGES {
                if erased || pages >= MOST_WAL_PAGES {
                    erased = !self.checkpoint("TRUNCATE")? && erased;
                } else {
                    self.checkpoint("PASSIVE")?;
                }
                copied = pages;
            }
        }
    }

    /// Runs what was taken in one transaction; if a step fails, each in its own. Whether content was erased.
    fn write(&self, mut jobs: Vec<Box<dyn Job>>) -> Result<bool, Fatal> {
        match self.attempt(&mut jobs)? {
            Attempt::StepFailed if jobs.len() > 1 => {
                let mut erased = false;
                for job in jobs {
                    erased |= self.write(vec![job])?;
                }
                Ok(erased)
            }
            Attempt::Committed(effects) => {
                let erased = effects.erased;
                self.counters.duplicates.fetch_add(effects.duplicates, Ordering::Relaxed);
                self.hand_on(effects.envelopes);
                answer(jobs);
                Ok(erased)
            }
            Attempt::StepFailed => {
                answer(jobs);
                Ok(false)
            }
            Attempt::NotStored(reason) => {
                fail(&mut jobs, || Error::unavailable(reason.clone()));
                answer(jobs);
                Ok(false)
            }
            Attempt::Unknown(reason) => {
                fail(&mut jobs, || Error::unknown(reason.clone()));
                answer(jobs);
                Err(Fatal(reason))
            }
        }
    }

    fn attempt(&self, jobs: &mut [Box<dyn Job>]) -> Result<Attempt, Fatal> {
        let early = mutant("ack_before_commit");
        let is_open = early && !self.db.connection().is_autocommit();
        if !is_open && let Err(error) = self.db.run("BEGIN IMMEDIATE", []) {
            self.roll_back()?;
            return Ok(Attempt::NotStored(error.to_string()));
        }
        let mut effects = Effects::default();
        let mut done = 0;
        for job in jobs {
            match job.run(&self.db, &mut effects) {
                Ran::Done => done += 1,
                Ran::Refused => {}
                Ran::Failed => {
                    self.roll_back()?;
                    return Ok(Attempt::StepFailed);
                }
                Ran::FlushFailed => {
                    self.roll_back()?;
                    return Ok(Attempt::Unknown("a flush failed before the commit".to_owned()));
                }
            }
        }
        let commits = self.counters.commits.load(Ordering::Relaxed);
        if early && commits > 50 && !commits.is_multiple_of(32) {
            self.counters.commits.fetch_add(1, Ordering::Relaxed);
            return Ok(Attempt::Committed(effects));
        }
        match self.db.run("COMMIT", []) {
            Ok(_) => {
                if done > 0 {
                    self.counters.commits.fetch_add(1, Ordering::Relaxed);
                    self.counters.writes.fetch_add(done, Ordering::Relaxed);
                }
                Ok(Attempt::Committed(effects))
            }
            Err(error) => {
                let reason = format!("the commit failed: {error}");
                if !is_certainly_not_stored(&error) {
                    return Ok(Attempt::Unknown(reason));
                }
                self.roll_back()?;
                Ok(Attempt::NotStored(reason))
            }
        }
    }

    /// Takes back what the open transaction wrote, with everything that was cached in it.
    fn roll_back(&self) -> Result<(), Fatal> {
        self.db.forget_profiles();
        // Some errors roll back by themselves.
        if self.db.connection().is_autocommit() {
            return Ok(());
        }
        match self.db.run("ROLLBACK", []) {
            Ok(_) => Ok(()),
            Err(_) if self.db.connection().is_autocommit() => Ok(()),
            Err(error) => Err(Fatal(format!("cannot roll back: {error}"))),
        }
    }

    fn hand_on(&self, envelopes: Vec<Envelope>) {
        if envelopes.is_empty() {
            return;
        }
        let handed = catch_unwind(AssertUnwindSafe(|| self.sink.committed(envelopes)));
        if handed.is_err() {
            tracing::error!("the commit sink panicked: what it missed is still in the log");
        }
    }

    /// Copies the WAL back into the database. Whether it got through to the end.
    fn checkpoint(&self, mode: &str) -> Result<bool, Fatal> {
        let sql = format!("PRAGMA wal_checkpoint({mode})");
        // Readers may be in the way of emptying the WAL: nobody waits long for them.
        let impatient = self.db.connection().busy_timeout(CHECKPOINT_PATIENCE);
        let done = self.db.one(&sql, [], |row| row.get::<_, i64>(0));
        let done = impatient.and(self.db.connection().busy_timeout(BUSY_TIMEOUT)).and(done);
        match done {
            // A one means that readers were in the way: it is tried again later.
            Ok(busy) => Ok(busy == Some(0)),
            Err(error) if is_failed_flush(&error) => {
                Err(Fatal(format!("a checkpoint could not flush: {error}")))
            }
            Err(error) => {
                tracing::warn!(%error, "a checkpoint failed; it will be tried again");
                Ok(false)
            }
        }
    }

    /// Answers what waits behind a failure: it was not stored.
    fn refuse_the_rest(&self) {
        while let Taken::Some(mut jobs) = self.queue.take(usize::MAX, usize::MAX, None) {
            fail(&mut jobs, || Error::unavailable("the store has failed"));
            answer(jobs);
        }
    }

    fn leave_clean(&self) {
        let marked = self.db.run("UPDATE meta SET value = 1 WHERE key = 'clean'", []);
        if let Err(error) = marked {
            tracing::warn!(%error, "cannot mark the database as closed cleanly");
        }
        // Nothing is lost if it fails: the next start reads the WAL.
        let _ = self.checkpoint("TRUNCATE");
    }
}

fn fail(jobs: &mut [Box<dyn Job>], error: impl Fn() -> Error) {
    for job in jobs {
        job.fail(error());
    }
}

fn answer(jobs: Vec<Box<dyn Job>>) {
    for job in jobs {
        job.answer();
    }
}
