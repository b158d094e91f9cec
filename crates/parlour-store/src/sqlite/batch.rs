//! A writing step on its way through the writer: what it runs in, what it leaves behind, how it is answered.

use std::panic::{AssertUnwindSafe, catch_unwind};

use parlour_core::{Error, Result, event::Envelope};
use rusqlite::ffi;
use tokio::sync::oneshot;

use super::{
    db::{Db, Failure, Step},
    unwritten,
};

/// The transaction that a step runs in.
pub(crate) struct Tx<'a> {
    /// The writing connection.
    pub(crate) db: &'a Db,
    effects: &'a mut Effects,
}

/// What steps leave behind beside their rows; nothing of it counts before the commit.
#[derive(Default)]
pub(super) struct Effects {
    pub(super) envelopes: Vec<Envelope>,
    pub(super) duplicates: u64,
    /// Content was erased: the WAL still holds it until it is emptied.
    pub(super) erased: bool,
}

impl<'a> Tx<'a> {
    pub(super) const fn new(db: &'a Db, effects: &'a mut Effects) -> Self {
        Self { db, effects }
    }

    /// Goes to the sink after the commit.
    pub(crate) fn publish(&mut self, envelope: Envelope) {
        self.effects.envelopes.push(envelope);
    }

    /// A send whose client id was known.
    pub(crate) const fn count_duplicate(&mut self) {
        self.effects.duplicates += 1;
    }

    /// Content was erased, which must leave the WAL soon.
    pub(crate) const fn note_erasure(&mut self) {
        self.effects.erased = true;
    }
}

/// How running a step ended; its answer is kept in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ran {
    /// It did what it should.
    Done,
    /// It was refused, and wrote nothing.
    Refused,
    /// It failed, perhaps after it had written: the transaction must be rolled back.
    Failed,
    /// A flush failed in it.
    FlushFailed,
}

impl Ran {
    /// How a step ended in which the database failed.
    pub(super) fn failed(error: &rusqlite::Error) -> Self {
        if is_failed_flush(error) { Self::FlushFailed } else { Self::Failed }
    }
}

/// A queued step. It can run again after a rollback.
pub(super) trait Job: Send {
    fn run(&mut self, db: &Db, effects: &mut Effects) -> Ran;

    /// Replaces the answer.
    fn fail(&mut self, error: Error);

    fn answer(self: Box<Self>);
}

/// What a step does with what appends before it have not written yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// It appends too, and adds to it.
    Append,
    /// It may look at the tables: it is written before.
    Looking,
}

/// A step with the way back to its caller.
pub(super) struct Write<T, F> {
    kind: Kind,
    step: F,
    /// `None` until it has run.
    outcome: Option<Result<T>>,
    reply: oneshot::Sender<Result<T>>,
}

impl<T, F> Write<T, F>
where
    F: FnMut(&mut Tx<'_>) -> Step<T>,
{
    pub(super) fn new(kind: Kind, step: F) -> (Self, oneshot::Receiver<Result<T>>) {
        let (reply, answer) = oneshot::channel();
        (Self { kind, step, outcome: None, reply }, answer)
    }
}

impl<T, F> Job for Write<T, F>
where
    T: Send,
    F: FnMut(&mut Tx<'_>) -> Step<T> + Send,
{
    fn run(&mut self, db: &Db, effects: &mut Effects) -> Ran {
        if self.kind == Kind::Looking
            && let Err(error) = unwritten::write_down(db)
        {
            let ran = Ran::failed(&error);
            return self.keep(Ok(Err(error.into())), ran);
        }
        let envelopes = effects.envelopes.len();
        let written = db.connection().total_changes();
        let step = &mut self.step;
        let done = catch_unwind(AssertUnwindSafe(|| step(&mut Tx::new(db, effects))));
        let ran = match &done {
            Ok(Ok(_)) => return self.keep(done, Ran::Done),
            Ok(Err(Failure::Refused(_))) if db.connection().total_changes() == written => {
                Ran::Refused
            }
            Ok(Err(Failure::Database(error))) => Ran::failed(error),
            Ok(Err(_)) | Err(_) => Ran::Failed,
        };
        effects.envelopes.truncate(envelopes);
        self.keep(done, ran)
    }

    fn fail(&mut self, error: Error) {
        self.outcome = Some(Err(error));
    }

    fn answer(self: Box<Self>) {
        let outcome = self.outcome.unwrap_or_else(|| Err(Error::unavailable("it never ran")));
        // Who asked may have gone.
        let _ = self.reply.send(outcome);
    }
}

impl<T, F> Write<T, F> {
    fn keep(&mut self, done: std::thread::Result<Step<T>>, ran: Ran) -> Ran {
        self.outcome = Some(match done {
            Ok(done) => done.map_err(Failure::into_error),
            Err(_) => Err(Error::internal("a writing step panicked")),
        });
        ran
    }
}

/// Whether the database could not flush: what is on the disk cannot be told any more (guarantee G1).
pub(super) fn is_failed_flush(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error().map(|error| error.extended_code),
        Some(ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC)
    )
}

/// Whether a failed COMMIT has certainly stored nothing, once it is rolled back: a full disk leaves the
/// transaction without its last frame, and a busy database without any. After every other failure the
/// frames may be on the disk, and a later recovery may find them.
pub(super) fn is_certainly_not_stored(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseBusy, DiskFull};
    matches!(error.sqlite_error_code(), Some(DiskFull | DatabaseBusy))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn g2_only_a_full_or_busy_database_is_certain_at_a_failed_commit() {
        let failure = |code| rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
        for code in [ffi::SQLITE_FULL, ffi::SQLITE_BUSY] {
            assert!(is_certainly_not_stored(&failure(code)), "{code}");
            assert!(!is_failed_flush(&failure(code)), "{code}");
        }
        for code in [ffi::SQLITE_IOERR_WRITE, ffi::SQLITE_IOERR_FSYNC, ffi::SQLITE_NOMEM] {
            assert!(!is_certainly_not_stored(&failure(code)), "{code}");
        }
        assert!(is_failed_flush(&failure(ffi::SQLITE_IOERR_FSYNC)));
        assert!(!is_failed_flush(&failure(ffi::SQLITE_IOERR_READ)));
    }
}
