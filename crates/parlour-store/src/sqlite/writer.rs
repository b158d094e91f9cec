//! The one thread that writes: what gathered during the last commit forms the next transaction (group commit).

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicI32, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use parlour_core::{Error, event::Envelope, port::store::CommitSink};
use tokio::sync::watch;

use super::{
    batch::{Effects, Job, Ran, is_certainly_not_stored, is_failed_flush},
    db::{Db, Failure},
    file::{BUSY_TIMEOUT, Held},
    queue::{Queue, Taken},
    unwritten,
};
use crate::{OpenOptions, mutant};

/// Bytes of one transaction, about.
pub(super) const BATCH_BYTES: usize = 1 << 20;
/// Pages in the WAL from which on it is copied back into the database.
const CHECKPOINT_PAGES: i32 = 8_000;
/// Pages in the WAL from which on the writer waits for readers so that it can start over.
const MOST_WAL_PAGES: i32 = 32_000;
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
    pub(super) pen: Pen,
    pub(super) queue: Arc<Jobs>,
    pub(super) options: OpenOptions,
    pub(super) sink: Arc<dyn CommitSink>,
    pub(super) readers: Vec<JoinHandle<()>>,
    pub(super) held: Held,
    /// Dropped when everything is closed.
    pub(super) ended: watch::Sender<()>,
}

/// What runs steps in transactions.
pub(super) struct Pen {
    db: Db,
    counters: Arc<Counters>,
    /// Pages in the WAL after the last commit, as the WAL hook tells.
    wal_pages: Arc<AtomicI32>,
    /// Content was erased that the WAL still holds.
    erased: bool,
    /// Pages of the WAL that have been copied back.
    copied: i32,
}

/// A transaction that has ended: what the sink gets, and the steps with their answers.
pub(super) struct Finished {
    envelopes: Vec<Envelope>,
    jobs: Vec<Box<dyn Job>>,
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

/// The store cannot go on, and why.
pub(super) struct Fatal(pub(super) String);

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
            self.pen.leave_clean();
        }
        let Self { pen, held, ended, sink, .. } = self;
        // In this order: the file is free only when the connection is closed.
        drop(pen);
        drop(held);
        drop(ended);
        drop(sink);
    }

    fn work(&mut self) -> Result<(), Fatal> {
        loop {
            let patience = self.pen.erased.then_some(IDLE);
            // Whoever shares this core may have more to say, which then shares the commit.
            thread::yield_now();
            match self.queue.take(self.options.max_batch.max(1), BATCH_BYTES, patience) {
                Taken::Some(jobs) => {
                    self.pen.write(jobs, &mut |finished| finished.hand_out(&*self.sink))?;
                    self.pen.copy_back()?;
                }
                Taken::Nothing => self.pen.wipe()?,
                Taken::Ended => return Ok(()),
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
}

impl Finished {
    /// Tells the sink first, then the callers.
    pub(super) fn hand_out(self, sink: &dyn CommitSink) {
        if !self.envelopes.is_empty() {
            let handed = catch_unwind(AssertUnwindSafe(|| sink.committed(self.envelopes)));
            if handed.is_err() {
                tracing::error!("the commit sink panicked: what it missed is still in the log");
            }
        }
        answer(self.jobs);
    }
}

impl Pen {
    pub(super) fn new(db: Db, counters: Arc<Counters>, wal_pages: Arc<AtomicI32>) -> Self {
        Self { db, counters, wal_pages, erased: false, copied: 0 }
    }

    pub(super) const fn db(&self) -> &Db {
        &self.db
    }

    /// Copies the WAL back into the database where it has grown enough.
    pub(super) fn copy_back(&mut self) -> Result<(), Fatal> {
        let pages = self.wal_pages.load(Ordering::Relaxed);
        if pages < self.copied {
            // It has started over.
            self.copied = 0;
        }
        if pages - self.copied < CHECKPOINT_PAGES {
            return Ok(());
        }
        if self.erased || pages >= MOST_WAL_PAGES {
            self.erased = !self.checkpoint("TRUNCATE")? && self.erased;
        } else {
            self.checkpoint("PASSIVE")?;
        }
        self.copied = pages;
        Ok(())
    }

    /// Wipes erased content from the WAL.
    pub(super) fn wipe(&mut self) -> Result<(), Fatal> {
        self.erased = !self.checkpoint("TRUNCATE")?;
        Ok(())
    }

    /// Runs steps in one transaction; if one fails, each in its own. `done` gets them as their transactions end.
    pub(super) fn write(
        &mut self,
        mut jobs: Vec<Box<dyn Job>>,
        done: &mut dyn FnMut(Finished),
    ) -> Result<(), Fatal> {
        let mut envelopes = Vec::new();
        let mut fatal = None;
        match self.attempt(&mut jobs)? {
            Attempt::StepFailed if jobs.len() > 1 => {
                for job in jobs {
                    self.write(vec![job], done)?;
                }
                return Ok(());
            }
            Attempt::Committed(effects) => {
                self.erased |= effects.erased;
                self.counters.duplicates.fetch_add(effects.duplicates, Ordering::Relaxed);
                envelopes = effects.envelopes;
            }
            Attempt::StepFailed => {}
            Attempt::NotStored(reason) => fail(&mut jobs, || Error::unavailable(reason.clone())),
            Attempt::Unknown(reason) => {
                fail(&mut jobs, || Error::unknown(reason.clone()));
                fatal = Some(Fatal(reason));
            }
        }
        done(Finished { envelopes, jobs });
        fatal.map_or(Ok(()), Err)
    }

    fn attempt(&self, jobs: &mut [Box<dyn Job>]) -> Result<Attempt, Fatal> {
        let early = mutant("ack_before_commit");
        let is_open = early && !self.db.connection().is_autocommit();
        if !is_open && let Err(error) = self.db.run("BEGIN IMMEDIATE", []) {
            self.roll_back()?;
            return Ok(Attempt::NotStored(error.to_string()));
        }
        let mut effects = Effects::default();
        let done = match self.run(jobs, &mut effects) {
            Ok(done) => done,
            Err(ran) => {
                self.roll_back()?;
                return Ok(match ran {
                    Ran::FlushFailed => Attempt::Unknown("a flush failed before the commit".into()),
                    _ => Attempt::StepFailed,
                });
            }
        };
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

    /// Runs steps in the open transaction, and writes what they have left to its end: how many did something, or what went
    /// wrong.
    fn run(&self, jobs: &mut [Box<dyn Job>], effects: &mut Effects) -> Result<u64, Ran> {
        let mut done = 0;
        for job in &mut *jobs {
            match job.run(&self.db, effects) {
                Ran::Done => done += 1,
                Ran::Refused => {}
                failed => return Err(failed),
            }
        }
        let Err(error) = unwritten::write_down(&self.db) else { return Ok(done) };
        let ran = Ran::failed(&error);
        // Of several, each is tried alone, and whose fault it was shows then.
        if let [only] = jobs {
            only.fail(Failure::from(error).into_error());
        }
        Err(ran)
    }

    /// Takes back what the open transaction wrote, with everything that was cached in it.
    fn roll_back(&self) -> Result<(), Fatal> {
        self.db.forget_profiles();
        self.db.views().forget();
        self.db.client_ids().forget();
        self.db.message_ids().forget();
        self.db.unwritten().forget();
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

    pub(super) fn leave_clean(&self) {
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
