//! The durable truth behind [`parlour_core::port::store::Store`], and the only SQL of the workspace.
//!
//! [`open`] picks the database by its address. SQLite is for one process: one writer thread that puts what
//! gathered during the last commit into the next one, and a few readers that it never holds up. PostgreSQL may be
//! shared by several processes: what is said in a conversation is committed in groups too.

mod backup;
mod copy;
mod fields;
mod migrations;
mod mutant;
mod postgres;
mod replays;
mod sqlite;
mod stored;
mod transfer;

use std::{fmt, path::PathBuf, sync::Arc};

use parlour_core::{
    NodeId,
    port::store::{CommitSink, Store},
};

use backup::SKIPPED_IDS;
pub use backup::{RestoreError, back_up, renew, restore};
pub use copy::{
    Comparison, CopyError, CopyProgress, LogDifference, LogDigest, TableComparison, Tally, compare,
    copy,
};
#[doc(hidden)]
pub use mutant::mutant;
#[doc(hidden)]
pub use sqlite::{DrivenDatabase, Simulated};

/// What the caller decides about a store.
#[derive(Clone)]
pub struct OpenOptions {
    /// Most writing steps in one transaction. 1 switches group commit off, for comparisons.
    pub max_batch: usize,
    /// Most writing steps that may wait; past it they are refused with [`parlour_core::Code::Unavailable`].
    pub max_queued: usize,
    /// SQLite: threads that read.
    pub readers: usize,
    /// PostgreSQL: most connections, besides the one that keeps the lease.
    pub pool: usize,
    /// PostgreSQL: whether statements are prepared once for each connection. Not behind a pooler that hands
    /// connections round and does not know of it.
    pub prepare: bool,
    /// PostgreSQL: the address for the connection that keeps the lease, where `url` leads to a pooler.
    pub session_url: Option<String>,
    /// The process, for its lease.
    pub node: NodeId,
    /// Whether other processes may use the database at the same time: they can be woken over a bus. SQLite never shares.
    pub shared: bool,
    /// SQLite: most pages (of 4 KiB) that the database may grow to; past it, writing is as on a full disk.
    pub max_pages: Option<u32>,
    /// Called once, with the reason, when a flush failed and it cannot be told any more what is on the disk.
    /// The callers concerned got [`parlour_core::Code::Unknown`], nothing more is written; the process must end.
    pub on_fatal: Arc<dyn Fn(&str) + Send + Sync>,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self {
            max_batch: 256,
            max_queued: 8_192,
            readers: 3,
            pool: 8,
            prepare: true,
            session_url: None,
            node: NodeId(1),
            shared: false,
            max_pages: None,
            on_fatal: Arc::new(|reason| tracing::error!(reason, "the store has failed")),
        }
    }
}

impl fmt::Debug for OpenOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenOptions")
            .field("max_batch", &self.max_batch)
            .field("max_queued", &self.max_queued)
            .field("readers", &self.readers)
            .field("pool", &self.pool)
            .field("prepare", &self.prepare)
            .field("node", &self.node)
            .field("shared", &self.shared)
            .field("max_pages", &self.max_pages)
            .finish_non_exhaustive()
    }
}

/// Why a database could not be opened. The texts are for the operator and name the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The address names no database that this build knows.
    #[error(
        "`{0}` is no database address: use `sqlite://PATH`, `sqlite::memory:` or `postgres://USER@HOST/NAME`"
    )]
    Address(String),
    /// Another process holds the file.
    #[error("{} is in use by another process (it holds {})", file.display(), lock.display())]
    InUse {
        /// The database.
        file: PathBuf,
        /// Its lock file.
        lock: PathBuf,
    },
    /// The file system refused.
    #[error("cannot open {}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// What it said.
        source: std::io::Error,
    },
    /// The linked SQLite has a bug that can corrupt a database of this shape.
    #[error("SQLite {0} can corrupt databases in WAL mode: 3.51.3 or later is needed")]
    OldLibrary(&'static str),
    /// The file holds something else.
    #[error("{} is not a Parlour database", .0.display())]
    Foreign(PathBuf),
    /// A later version of Parlour has written it.
    #[error("{} has schema version {found}, this program knows {known}: use a newer Parlour", file.display())]
    Newer {
        /// The database.
        file: PathBuf,
        /// Its version.
        found: u32,
        /// The last one that is known here.
        known: u32,
    },
    /// A migration that was applied is not the one in this program.
    #[error("{}: the applied migration `{name}` differs from the one in this program", file.display())]
    Altered {
        /// The database.
        file: PathBuf,
        /// The migration.
        name: String,
    },
    /// The check of the file's structure found damage.
    #[error("{} is damaged: {finding}; restore a backup", file.display())]
    Damaged {
        /// The database.
        file: PathBuf,
        /// The first thing that was found.
        finding: String,
    },
    /// A database server cannot be reached, or its address cannot be understood.
    #[error("cannot reach {address}")]
    Server {
        /// The address, without the password.
        address: String,
        /// What was wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A database server does not keep what it says it has kept, or cannot be written to.
    #[error("{address} cannot be used: {reason}")]
    Unfit {
        /// The address, without the password.
        address: String,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// A process has the database alone, and this one would be one of several.
    #[error(
        "{address} is used by a process that has no `bus.redis_url` and so has it alone: stop that one, or give all \
         processes the same `bus.redis_url`"
    )]
    Alone {
        /// The address, without the password.
        address: String,
    },
    /// Other processes use the database, and this one would have it alone.
    #[error(
        "other processes use {address}, and without `bus.redis_url` this one can share it with nobody: stop the others, \
         or give all processes the same `bus.redis_url`"
    )]
    Shared {
        /// The address, without the password.
        address: String,
    },
    /// Another process has the same number.
    #[error("another process with the number of this one uses {address}: start this one again")]
    SameNode {
        /// The address, without the password.
        address: String,
    },
    /// Statements of one connection reach different connections of the server.
    #[error(
        "{address} leads through a pooler that hands connections round (such as PgBouncer in transaction mode): set \
         `database.session_url` to an address of the server itself, for the one connection that keeps the lease"
    )]
    Pooler {
        /// The address, without the password.
        address: String,
    },
    /// The database refused.
    #[error("cannot use {}", file.display())]
    Database {
        /// The database.
        file: PathBuf,
        /// What it said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Opens the database at `url`, brings its schema up to date, and starts its threads.
///
/// `sqlite://PATH` is a file, made when it is not there; `sqlite::memory:` a private temporary one that is
/// gone when the store ends. The file is locked for this process until the store is closed or dropped.
/// `postgres://USER[:PASSWORD]@HOST[:PORT]/NAME` is a database of a PostgreSQL server, with the parameters that
/// PostgreSQL's own programs know (`sslmode` and `sslrootcert` among them). Called within a runtime of tokio, which
/// must live as long as the store.
///
/// # Errors
/// [`OpenError`], whose text is for the operator.
pub async fn open(
    url: &str,
    options: OpenOptions,
    sink: Arc<dyn CommitSink>,
) -> Result<Arc<dyn Store>, OpenError> {
    match Address::parse(url)? {
        Address::Sqlite(place) => Ok(Arc::new(sqlite::SqliteStore::open(place, options, sink)?)),
        Address::Postgres(url) => {
            Ok(Arc::new(postgres::PostgresStore::open(&url, options, sink).await?))
        }
    }
}

/// Opens a temporary copy of the database at `url`, which may be in use and is not changed: for trying out what
/// something would do. It is gone when the store ends.
///
/// # Errors
/// [`OpenError`].
pub async fn open_copy(
    url: &str,
    options: OpenOptions,
    sink: Arc<dyn CommitSink>,
) -> Result<Arc<dyn Store>, OpenError> {
    match Address::parse(url)? {
        Address::Sqlite(place) => {
            let place = match place {
                sqlite::Place::File(file) => sqlite::Place::CopyOf(file),
                other => other,
            };
            Ok(Arc::new(sqlite::SqliteStore::open(place, options, sink)?))
        }
        Address::Postgres(url) => Err(OpenError::Unfit {
            address: redacted(&url),
            reason:
                "a database server cannot be copied for a trial: restore a dump of it into another \
                 database, and try it there"
                    .to_owned(),
        }),
    }
}

/// Brings the schema of the database at `url` up to date and returns the names of the migrations that were
/// applied. [`open`] does it by itself.
///
/// # Errors
/// [`OpenError`].
pub async fn migrate(url: &str) -> Result<Vec<String>, OpenError> {
    match Address::parse(url)? {
        Address::Sqlite(place) => sqlite::migrate(place),
        Address::Postgres(url) => postgres::migrate(&url).await,
    }
}

/// The migrations that the database at `url` still lacks. Changes nothing.
///
/// # Errors
/// [`OpenError`].
pub async fn pending_migrations(url: &str) -> Result<Vec<String>, OpenError> {
    match Address::parse(url)? {
        Address::Sqlite(place) => sqlite::pending_migrations(place),
        Address::Postgres(url) => postgres::pending_migrations(&url).await,
    }
}

/// A database address, taken apart.
enum Address {
    Sqlite(sqlite::Place),
    Postgres(String),
}

impl Address {
    fn parse(url: &str) -> Result<Self, OpenError> {
        if matches!(url, "sqlite::memory:" | "sqlite://:memory:") {
            return Ok(Self::Sqlite(sqlite::Place::Temporary));
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(Self::Postgres(url.to_owned()));
        }
        match url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:")) {
            Some(path) if !path.is_empty() && !path.contains('\0') => {
                Ok(Self::Sqlite(sqlite::Place::File(path.into())))
            }
            _ => Err(OpenError::Address(redacted(url))),
        }
    }
}

/// An address may hold a password: only its beginning is shown.
fn redacted(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, _)) => format!("{scheme}://…"),
        None => url.chars().take(16).collect(),
    }
}
