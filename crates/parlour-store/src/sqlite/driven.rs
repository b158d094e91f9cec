//! A database without threads, for simulations: whoever opened it decides when its work is done, and how long it takes.
//!
//! The steps, the transactions and the group commit are those of the real store; what is missing is what a simulation
//! cannot repeat: threads, and the time that a disk takes. Several processes of a simulation share one database, each
//! over a store of its own, as they would share a database server.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use parlour_core::{
    Epoch, Error, NodeId, Result,
    model::Millis,
    port::{
        BoxFuture,
        store::{CommitSink, Store},
    },
};
use tokio::sync::{Notify, watch};

use super::{
    SqliteStore,
    db::{Db, Step},
    file::{self, Held, Place},
    migrate::database_error,
    prepare,
    queue::{Queue, Taken},
    readers,
    rows::int,
    sockets, watch_wal,
    writer::{BATCH_BYTES, Counters, Fatal, Jobs, Pen},
};
use crate::{OpenError, OpenOptions};

/// Bytes of all writing steps of one process that may wait, about.
const MOST_QUEUED_BYTES: usize = 32 << 20;

/// What a simulation decides about its database.
pub struct Simulated {
    /// How long the next read, or the next part of a write (taking the steps; the flush), takes.
    pub pause: Arc<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>,
    /// The wall clock.
    pub clock: Arc<dyn Fn() -> Millis + Send + Sync>,
    /// The epoch of every log of the database.
    pub epoch: Epoch,
}

/// A database that works only when it is driven.
#[derive(Clone)]
pub struct DrivenDatabase(Arc<Shared>);

/// What the processes of a simulation share.
pub(super) struct Shared {
    pen: Mutex<Pen>,
    reader: Mutex<Db>,
    counters: Arc<Counters>,
    /// Which process holds which live rows of `sockets`.
    held_sockets: Mutex<BTreeMap<u64, NodeId>>,
    options: OpenOptions,
    pub(super) simulated: Simulated,
    file: PathBuf,
    // Last, for the file is free only when its connections are closed.
    _held: Held,
}

/// The way from one process's store to the database.
pub(super) struct Seat {
    pub(super) shared: Arc<Shared>,
    pub(super) node: NodeId,
    queued: Notify,
}

impl DrivenDatabase {
    /// Opens the database in a file, or a temporary one.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(
        file: Option<PathBuf>,
        options: OpenOptions,
        simulated: Simulated,
    ) -> Result<Self, OpenError> {
        let held = Held::take(file.map_or(Place::Temporary, Place::File))?;
        let mut connection = prepare(&held)?.0;
        let wal_pages = watch_wal(&mut connection, &held)?;
        let database = |source| database_error(&held.file, source);
        sockets::recover(&mut connection).map_err(database)?;
        connection
            .execute(
                "UPDATE meta SET value = ?1 WHERE key = 'epoch' AND NOT EXISTS (SELECT 1 FROM conversations)",
                [int(simulated.epoch.0)],
            )
            .map_err(database)?;
        // A power cut is not what this simulates, and a flush takes real time.
        connection.pragma_update(None, "synchronous", "OFF").map_err(database)?;
        let reader = Db::new(file::connect_reader(&held.file)?);
        let counters = Arc::<Counters>::default();
        Ok(Self(Arc::new(Shared {
            pen: Mutex::new(Pen::new(Db::new(connection), counters.clone(), wal_pages)),
            reader: Mutex::new(reader),
            counters,
            held_sockets: Mutex::default(),
            options,
            simulated,
            file: held.file.clone(),
            _held: held,
        })))
    }

    /// Where it is.
    #[must_use]
    pub fn file(&self) -> &std::path::Path {
        &self.0.file
    }

    /// The store of one process, and its writer, which the caller runs beside it. Of a process that ran under the same
    /// number before, nothing lives any more.
    ///
    /// # Errors
    /// When the database fails.
    pub fn join(
        &self,
        node: NodeId,
        sink: Arc<dyn CommitSink>,
    ) -> Result<(Arc<dyn Store>, BoxFuture<'static, ()>)> {
        self.bury(node)?;
        let seat = Arc::new(Seat { shared: self.0.clone(), node, queued: Notify::new() });
        let queue: Arc<Jobs> =
            Arc::new(Queue::new(self.0.options.max_queued.max(1), MOST_QUEUED_BYTES));
        let (running, ended) = watch::channel(());
        let store =
            SqliteStore::driven(seat.clone(), queue.clone(), ended, self.0.counters.clone());
        Ok((Arc::new(store), Box::pin(seat.write(queue, sink, running))))
    }

    /// The lease of a process that has died is over: sockets that were live in it wait from now on.
    ///
    /// # Errors
    /// When the database fails.
    pub fn bury(&self, node: NodeId) -> Result<()> {
        let mut rows = lock(&self.0.held_sockets);
        let dead: Vec<u64> =
            rows.iter().filter(|(_, holder)| **holder == node).map(|(row, _)| *row).collect();
        rows.retain(|_, holder| *holder != node);
        drop(rows);
        let pen = lock(&self.0.pen);
        for row in dead {
            let sql = "UPDATE sockets SET waiting_since = 0, expires_at = 0 \
                       WHERE id = ?1 AND waiting_since IS NULL";
            pen.db().run(sql, [int(row)]).map_err(Error::internal)?;
        }
        Ok(())
    }
}

impl Seat {
    /// Says that a step was queued.
    pub(super) fn notify(&self) {
        self.queued.notify_one();
    }

    /// Which live sockets other processes hold.
    pub(super) fn held_elsewhere(&self) -> Vec<u64> {
        let rows = lock(&self.shared.held_sockets);
        rows.iter().filter(|(_, holder)| **holder != self.node).map(|(row, _)| *row).collect()
    }

    /// Notes that this process holds a socket.
    pub(super) fn hold(&self, socket: u64) {
        lock(&self.shared.held_sockets).insert(socket, self.node);
    }

    /// The same for a socket that has ended.
    pub(super) fn let_go(&self, socket: u64) {
        lock(&self.shared.held_sockets).remove(&socket);
    }

    /// Reads in the task of the caller.
    pub(super) async fn read<T>(&self, read: impl FnOnce(&Db) -> Step<T>) -> Result<T> {
        (self.shared.simulated.pause)().await;
        let outcome = {
            let db = lock(&self.shared.reader);
            db.forget_profiles();
            readers::in_snapshot(&db, read)
        };
        // What was read may be old when the caller gets it.
        (self.shared.simulated.pause)().await;
        outcome
    }

    /// Writes until the queue is closed and empty: what gathered during the last commit forms the next transaction.
    async fn write(
        self: Arc<Self>,
        queue: Arc<Jobs>,
        sink: Arc<dyn CommitSink>,
        running: watch::Sender<()>,
    ) {
        loop {
            let most = self.shared.options.max_batch.max(1);
            let jobs = match queue.take(most, BATCH_BYTES, Some(Duration::ZERO)) {
                Taken::Some(jobs) => jobs,
                Taken::Nothing => {
                    self.queued.notified().await;
                    (self.shared.simulated.pause)().await;
                    continue;
                }
                Taken::Ended => break,
            };
            let mut finished = Vec::new();
            let written = self.commit(jobs, &mut finished);
            // From here on others see it, and who asked knows nothing of it yet.
            (self.shared.simulated.pause)().await;
            for finished in finished {
                finished.hand_out(&*sink);
            }
            if let Err(Fatal(reason)) = written {
                queue.close();
                (self.shared.options.on_fatal)(&reason);
                break;
            }
        }
        drop(running);
    }

    fn commit(
        &self,
        jobs: Vec<Box<dyn super::batch::Job>>,
        finished: &mut Vec<super::writer::Finished>,
    ) -> Result<(), Fatal> {
        let mut pen = lock(&self.shared.pen);
        // Other processes may have changed what is kept beside the connection.
        pen.db().forget_profiles();
        pen.write(jobs, &mut |done| finished.push(done))?;
        pen.copy_back()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
