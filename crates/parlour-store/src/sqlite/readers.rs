//! The threads that read: each has a read-only connection and answers from one snapshot, whatever is written meanwhile.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread::{Builder, JoinHandle},
};

use parlour_core::{Error, Result};
use tokio::sync::oneshot;

use super::{
    db::{Db, Failure, Step},
    queue::{Queue, Refused, Taken},
};

/// A read that waits for a thread.
type Read = Box<dyn FnOnce(&Db) + Send>;

/// Most reads that may wait.
const MOST_QUEUED: usize = 16_384;

/// The way to the reading threads.
#[derive(Clone)]
pub(crate) struct Readers {
    queue: Arc<Queue<Read>>,
}

impl Readers {
    /// Starts one thread for each connection.
    pub(crate) fn start(connections: Vec<Db>) -> std::io::Result<(Self, Vec<JoinHandle<()>>)> {
        let queue = Arc::new(Queue::new(MOST_QUEUED, usize::MAX));
        let mut threads = Vec::new();
        for (number, db) in connections.into_iter().enumerate() {
            let own_queue = queue.clone();
            let thread = Builder::new()
                .name(format!("store-read-{number}"))
                .spawn(move || run(&db, &own_queue));
            match thread {
                Ok(thread) => threads.push(thread),
                Err(error) => {
                    queue.close();
                    return Err(error);
                }
            }
        }
        Ok((Self { queue }, threads))
    }

    /// Queues a read. Its answer comes over the channel; a caller who has gone is not read for.
    pub(crate) fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Db) -> Step<T> + Send + 'static,
    ) -> Result<oneshot::Receiver<Result<T>>, Refused> {
        let (reply, answer) = oneshot::channel();
        let job: Read = Box::new(move |db| {
            if !reply.is_closed() {
                let _ = reply.send(in_snapshot(db, read));
            }
        });
        self.queue.push(0, job)?;
        Ok(answer)
    }

    /// Lets the threads end when they have answered what waits.
    pub(crate) fn close(&self) {
        self.queue.close();
    }
}

fn run(db: &Db, queue: &Queue<Read>) {
    while let Taken::Some(reads) = queue.take(1, 0, None) {
        for read in reads {
            db.forget_profiles();
            read(db);
        }
    }
}

/// Answers from one snapshot.
pub(super) fn in_snapshot<T>(db: &Db, read: impl FnOnce(&Db) -> Step<T>) -> Result<T> {
    let done = catch_unwind(AssertUnwindSafe(|| {
        let _snapshot = Snapshot::begin(db)?;
        read(db)
    }));
    match done {
        Ok(done) => done.map_err(Failure::into_error),
        Err(_) => Err(Error::internal("a read panicked")),
    }
}

/// A transaction that reads, until it is dropped. Not that of rusqlite, which compiles its two statements anew each time.
struct Snapshot<'a>(&'a Db);

impl<'a> Snapshot<'a> {
    fn begin(db: &'a Db) -> rusqlite::Result<Self> {
        db.run("BEGIN", [])?;
        Ok(Self(db))
    }
}

impl Drop for Snapshot<'_> {
    fn drop(&mut self) {
        // There is nothing to commit. Should it fail, so does the next BEGIN, which says so.
        let _ = self.0.run("ROLLBACK", []);
    }
}
