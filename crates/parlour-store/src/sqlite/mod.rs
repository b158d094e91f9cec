//! The store on SQLite: one writing thread with group commit, and a few reading ones.

mod accounts;
mod backup;
mod batch;
mod client_ids;
mod cluster;
mod conversations;
mod copy;
mod db;
mod directs;
mod driven;
mod facts;
mod file;
mod lists;
mod log;
mod marks;
mod message_ids;
mod messages;
mod migrate;
mod pages;
mod participants;
mod queue;
mod readers;
mod rows;
mod sessions;
mod sockets;
mod transfer;
mod unwritten;
mod users;
mod views;
mod writer;

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI32, Ordering},
    },
    thread::{self, JoinHandle},
};

use parlour_core::{
    Error, Result,
    model::Millis,
    port::{
        BoxFuture,
        store::{CommitSink, Store, StoreStats},
    },
};
use rusqlite::Connection;
use tokio::sync::{oneshot, watch};

use self::{
    batch::{Kind, Tx, Write},
    db::{Db, Step},
    driven::Seat,
    file::Held,
    queue::{Queue, Refused},
    readers::Readers,
    writer::{Counters, Jobs, Pen, Writer},
};
use crate::{OpenError, OpenOptions, migrations::Migration};

pub(crate) use backup::{back_up, renew, restore};
pub(crate) use copy::CopySide;
pub use driven::{DrivenDatabase, Simulated};
pub(crate) use file::Place;

/// Bytes of all writing steps that may wait, about.
const MOST_QUEUED_BYTES: usize = 32 << 20;

/// The store. Dropping it closes it, and waits for that.
pub(crate) struct SqliteStore {
    queue: Arc<Jobs>,
    reading: Reading,
    counters: Arc<Counters>,
    opened_at: Millis,
    ended: watch::Receiver<()>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

/// Who reads.
enum Reading {
    /// Threads of the store.
    Threads(Readers),
    /// The callers themselves, in a simulation.
    Callers(Arc<Seat>),
}

impl Reading {
    fn close(&self) {
        match self {
            Self::Threads(readers) => readers.close(),
            Self::Callers(seat) => seat.notify(),
        }
    }
}

impl SqliteStore {
    /// Opens the file, brings its schema up to date, and starts the threads.
    pub(crate) fn open(
        place: Place,
        options: OpenOptions,
        sink: Arc<dyn CommitSink>,
    ) -> Result<Self, OpenError> {
        let held = Held::take(place)?;
        let mut connection = prepare(&held)?.0;
        let wal_pages = watch_wal(&mut connection, &held)?;
        sockets::recover(&mut connection)
            .map_err(|source| migrate::database_error(&held.file, source))?;
        if let Some(pages) = options.max_pages {
            file::bound(&connection, pages)
                .map_err(|source| migrate::database_error(&held.file, source))?;
        }
        let readers = (0..options.readers.max(1))
            .map(|_| file::connect_reader(&held.file).map(Db::new))
            .collect::<Result<Vec<_>, _>>()?;
        let path = held.file.clone();
        let no_thread = |source| OpenError::Io { file: path.clone(), source };
        let (readers, reader_threads) = Readers::start(readers).map_err(no_thread)?;
        let queue: Arc<Jobs> = Arc::new(Queue::new(options.max_queued.max(1), MOST_QUEUED_BYTES));
        let counters = Arc::<Counters>::default();
        let (running, ended) = watch::channel(());
        let writer = Writer {
            pen: Pen::new(Db::new(connection), counters.clone(), wal_pages),
            queue: queue.clone(),
            options,
            sink,
            readers: reader_threads,
            held,
            ended: running,
        };
        let thread = thread::Builder::new().name("store-write".into()).spawn(|| writer.run());
        let writer = match thread {
            Ok(thread) => Mutex::new(Some(thread)),
            Err(source) => {
                readers.close();
                return Err(no_thread(source));
            }
        };
        let opened_at = cluster::wall_clock();
        let reading = Reading::Threads(readers);
        Ok(Self { queue, reading, counters, opened_at, ended, writer })
    }

    /// A store without threads: its writer is run by who simulates.
    fn driven(
        seat: Arc<Seat>,
        queue: Arc<Jobs>,
        ended: watch::Receiver<()>,
        counters: Arc<Counters>,
    ) -> Self {
        let opened_at = (seat.shared.simulated.clock)();
        let (reading, writer) = (Reading::Callers(seat), Mutex::new(None));
        Self { queue, reading, counters, opened_at, ended, writer }
    }

    /// The wall clock of the database.
    fn wall_clock(&self) -> Millis {
        match &self.reading {
            Reading::Threads(_) => cluster::wall_clock(),
            Reading::Callers(seat) => (seat.shared.simulated.clock)(),
        }
    }

    /// Where the processes of a simulation meet.
    fn seat(&self) -> Option<Arc<Seat>> {
        match &self.reading {
            Reading::Threads(_) => None,
            Reading::Callers(seat) => Some(seat.clone()),
        }
    }

    /// Queues a writing step of about that many bytes. It is queued at once, in the order of the calls, and
    /// runs also when nobody waits for its answer any more. It may run again after a rollback.
    fn write<T: Send + 'static>(
        &self,
        bytes: usize,
        mut step: impl FnMut(&mut Tx<'_>) -> Step<T> + Send + 'static,
    ) -> BoxFuture<'_, Result<T>> {
        self.write_seen(bytes, move |tx| {
            let done = step(tx);
            // Whatever it may have changed.
            tx.db.views().forget();
            done
        })
    }

    /// The same for a step that itself keeps up what the writer remembers of conversations ([`views`]).
    fn write_seen<T: Send + 'static>(
        &self,
        bytes: usize,
        step: impl FnMut(&mut Tx<'_>) -> Step<T> + Send + 'static,
    ) -> BoxFuture<'_, Result<T>> {
        self.write_as(Kind::Looking, bytes, step)
    }

    /// The same for a step of some kind: an append leaves to the end of the transaction what others of it may move too
    /// ([`unwritten`]).
    fn write_as<T: Send + 'static>(
        &self,
        kind: Kind,
        bytes: usize,
        step: impl FnMut(&mut Tx<'_>) -> Step<T> + Send + 'static,
    ) -> BoxFuture<'_, Result<T>> {
        let (job, answer) = Write::new(kind, step);
        let queued = self.queue.push(bytes + 64, Box::new(job));
        if let Reading::Callers(seat) = &self.reading {
            seat.notify();
        }
        answered(queued.map(|()| answer), Error::unknown)
    }

    /// Queues a read, which sees every write that was answered before.
    fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Db) -> Step<T> + Send + 'static,
    ) -> BoxFuture<'_, Result<T>> {
        match &self.reading {
            Reading::Threads(readers) => answered(readers.read(read), Error::unavailable),
            Reading::Callers(seat) => Box::pin(seat.read(read)),
        }
    }
}

/// The answer, when it comes. `lost` makes the error for a thread that died without one.
fn answered<'a, T: Send + 'static>(
    queued: Result<oneshot::Receiver<Result<T>>, Refused>,
    lost: fn(&'static str) -> Error,
) -> BoxFuture<'a, Result<T>> {
    Box::pin(async move {
        match queued {
            Ok(answer) => answer.await.unwrap_or_else(|_| Err(lost("the store's thread ended"))),
            Err(refused) => Err(Error::unavailable(refused)),
        }
    })
}

impl Store for SqliteStore {
    fn check(&self) -> BoxFuture<'_, Result<()>> {
        self.write_seen(0, |tx| {
            tx.db.run("UPDATE meta SET value = value + 1 WHERE key = 'checks'", [])?;
            Ok(())
        })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.queue.close();
        self.reading.close();
        let mut ended = self.ended.clone();
        // An error means that the writer has dropped its end, which is what we wait for.
        Box::pin(async move { while ended.changed().await.is_ok() {} })
    }

    fn stats(&self) -> StoreStats {
        StoreStats {
            commits: self.counters.commits.load(Ordering::Relaxed),
            writes: self.counters.writes.load(Ordering::Relaxed),
            queued: self.queue.len() as u64,
            duplicates: self.counters.duplicates.load(Ordering::Relaxed),
        }
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.queue.close();
        self.reading.close();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer
            // The last owner may be the sink, which the writer itself drops at its end.
            && writer.thread().id() != thread::current().id()
        {
            let _ = writer.join();
        }
    }
}

/// Opens, checks and migrates the file. Returns the writing connection and the migrations that were applied.
fn prepare(held: &Held) -> Result<(Connection, Vec<String>), OpenError> {
    let mut connection = file::connect_writer(held)?;
    // Before anything is changed: is it ours, and do we know its schema?
    let fresh =
        migrate::pending(&connection, &held.file, migrate::ALL)?.len() == migrate::ALL.len();
    file::set_up_writing(&connection, held)?;
    let database = |source| migrate::database_error(&held.file, source);
    if !fresh && !is_clean(&connection).map_err(database)? {
        tracing::info!(file = %held.file.display(), "the last end was not clean: checking the database");
        if let Some(finding) = migrate::find_damage(&connection).map_err(database)? {
            return Err(OpenError::Damaged { file: held.file.clone(), finding });
        }
    }
    let applied = migrate::apply(&mut connection, &held.file, migrate::ALL)?;
    Ok((connection, applied))
}

fn is_clean(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("SELECT value FROM meta WHERE key = 'clean'", [], |row| row.get(0))
}

/// Marks the file as in use, and follows the size of its WAL.
fn watch_wal(connection: &mut Connection, held: &Held) -> Result<Arc<AtomicI32>, OpenError> {
    let database = |source| migrate::database_error(&held.file, source);
    let pages = Arc::new(AtomicI32::new(0));
    let counted = pages.clone();
    connection
        .wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, pages| {
            counted.store(pages, Ordering::Relaxed);
            Ok(())
        }))
        .map_err(database)?;
    connection.execute("UPDATE meta SET value = 0 WHERE key = 'clean'", []).map_err(database)?;
    Ok(pages)
}

/// Brings a database up to date without starting a store.
pub(crate) fn migrate(place: Place) -> Result<Vec<String>, OpenError> {
    let held = Held::take(place)?;
    prepare(&held).map(|(_, applied)| applied)
}

/// Names what is missing. The database may be in use.
pub(crate) fn pending_migrations(place: Place) -> Result<Vec<String>, OpenError> {
    let names =
        |missing: &[Migration]| missing.iter().map(|migration| migration.name.to_owned()).collect();
    match place {
        Place::File(path) if path.exists() => {
            let connection = file::connect_reader(&path)?;
            migrate::pending(&connection, &path, migrate::ALL).map(names)
        }
        Place::File(_) | Place::Temporary | Place::CopyOf(_) => Ok(names(migrate::ALL)),
    }
}
