//! The file: where it is, who may read it, which process holds it, and how connections to it are set up.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, config::DbConfig};

use super::{backup, migrate::database_error};
use crate::OpenError;

/// Before this, two connections that write and checkpoint at once can corrupt a WAL database.
const OLDEST_LIBRARY: i32 = 3_051_003;

/// How long to wait for another program that looks into the file.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Pages that a connection keeps, in KiB and negative, as SQLite wants it. The operating system keeps them too, and every commit
/// that has split a page goes through all that the writer keeps.
const CACHE: i32 = -(16 << 10);

/// Where a database is.
pub(crate) enum Place {
    /// In this file.
    File(PathBuf),
    /// In a private file that is removed at the end.
    Temporary,
    /// The same, beginning as a copy of this one, which may be in use.
    CopyOf(PathBuf),
}

/// A database file that this process holds, until this is dropped.
pub(super) struct Held {
    pub(super) file: PathBuf,
    /// Nothing of it shall outlive the process.
    pub(super) temporary: bool,
    _lock: File,
}

impl Held {
    /// Makes the file if it is not there, and locks it.
    pub(super) fn take(place: Place) -> Result<Self, OpenError> {
        if rusqlite::version_number() < OLDEST_LIBRARY {
            return Err(OpenError::OldLibrary(rusqlite::version()));
        }
        let (path, temporary) = match place {
            Place::File(path) => (path, false),
            Place::Temporary => (temporary_file()?, true),
            Place::CopyOf(original) => (copy(&original)?, true),
        };
        let in_file = |source| OpenError::Io { file: path.clone(), source };
        private().write(true).create(true).truncate(false).open(&path).map_err(in_file)?;
        // One lock for one file, whatever links lead to it.
        let file = path.canonicalize().map_err(in_file)?;
        restrict(&file).map_err(in_file)?;
        let lock_file = beside(&file, ".lock");
        let lock = private()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&lock_file)
            .map_err(|source| OpenError::Io { file: lock_file.clone(), source })?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { file, temporary, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(OpenError::InUse { file, lock: lock_file }),
            Err(TryLockError::Error(source)) => Err(OpenError::Io { file: lock_file, source }),
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.temporary
            && let Some(folder) = self.file.parent()
            && let Err(error) = fs::remove_dir_all(folder)
        {
            tracing::warn!(%error, folder = %folder.display(), "cannot remove a temporary database");
        }
    }
}

/// The connection that writes.
pub(super) fn connect_writer(held: &Held) -> Result<Connection, OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let database = |source| database_error(&held.file, source);
    let connection = Connection::open_with_flags(&held.file, flags).map_err(database)?;
    set_up(&connection).map_err(database)?;
    Ok(connection)
}

/// Settings of the writing connection that change the file, for when it is known to be ours.
pub(super) fn set_up_writing(connection: &Connection, held: &Held) -> Result<(), OpenError> {
    let settings = || {
        let mode: String =
            connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
        if mode != "wal" {
            return Err(rusqlite::Error::InvalidParameterName(format!(
                "the file system allows no WAL (journal mode {mode})"
            )));
        }
        let synchronous = if held.temporary { "OFF" } else { "FULL" };
        connection.pragma_update(None, "synchronous", synchronous)?;
        connection.pragma_update(None, "fullfsync", true)?;
        connection.pragma_update(None, "checkpoint_fullfsync", true)?;
        // Deleted content is overwritten with zeros (guarantee G21).
        connection.pragma_update_and_check(None, "secure_delete", true, |_| Ok(()))?;
        // The writer checkpoints itself, between batches, and sees the errors.
        connection.pragma_update_and_check(None, "wal_autocheckpoint", 0, |_| Ok(()))?;
        connection.pragma_update_and_check(None, "journal_size_limit", 64 << 20, |_| Ok(()))?;
        connection.pragma_update(None, "cache_size", CACHE)
    };
    settings().map_err(|source| database_error(&held.file, source))
}

/// Lets the database grow no further than so many pages.
pub(super) fn bound(connection: &Connection, pages: u32) -> rusqlite::Result<()> {
    connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))
}

/// A connection that only reads.
pub(super) fn connect_reader(file: &Path) -> Result<Connection, OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || {
        let connection = Connection::open_with_flags(file, flags)?;
        set_up(&connection)?;
        connection.pragma_update(None, "query_only", true)?;
        connection.pragma_update(None, "cache_size", CACHE)?;
        Ok(connection)
    };
    open().map_err(|source| database_error(file, source))
}

fn set_up(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // Without this, statements are compiled anew whenever another value is bound to them.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.pragma_update_and_check(None, "mmap_size", 0, |_| Ok(())).or_else(no_row)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "temp_store", "MEMORY")
}

/// A pragma that the library was built without answers nothing.
fn no_row(error: rusqlite::Error) -> rusqlite::Result<()> {
    if matches!(error, rusqlite::Error::QueryReturnedNoRows) { Ok(()) } else { Err(error) }
}

/// The path with something added to its name, as SQLite itself does for `-wal`.
pub(super) fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn temporary_file() -> Result<PathBuf, OpenError> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    loop {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("parlour-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        match private_folder(&folder) {
            Ok(()) => return Ok(folder.join("parlour.db")),
            // Left over from a process that was killed and had our number.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(source) => return Err(OpenError::Io { file: folder, source }),
        }
    }
}

/// A private copy, made while others may use the original. Of nothing it is an empty one.
fn copy(original: &Path) -> Result<PathBuf, OpenError> {
    let file = temporary_file()?;
    if original.exists()
        && let Err(source) = backup::copy_into(original, &file)
    {
        if let Some(folder) = file.parent() {
            // What matters is why there is no copy.
            let _ = fs::remove_dir_all(folder);
        }
        return Err(database_error(original, source));
    }
    Ok(file)
}

#[cfg(unix)]
pub(super) fn private() -> fs::OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = File::options();
    options.mode(0o600);
    options
}

#[cfg(not(unix))]
pub(super) fn private() -> fs::OpenOptions {
    File::options()
}

#[cfg(unix)]
fn private_folder(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().mode(0o700).create(folder)
}

#[cfg(not(unix))]
fn private_folder(folder: &Path) -> io::Result<()> {
    fs::create_dir(folder)
}

/// Takes the file away from everybody but its owner. SQLite gives its other files the same rights.
#[cfg(unix)]
fn restrict(file: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mut permissions = fs::metadata(file)?.permissions();
    if permissions.mode() & 0o077 != 0 {
        tracing::warn!(file = %file.display(), "others could read the database: made it private");
        permissions.set_mode(0o600);
        fs::set_permissions(file, permissions)?;
    }
    Ok(())
}

#[cfg(not(unix))]
fn restrict(_file: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;

    use super::*;

    #[test]
    fn other_values_do_not_compile_a_statement_anew() {
        let held = Held::take(Place::Temporary).unwrap();
        let connection = connect_writer(&held).unwrap();
        set_up_writing(&connection, &held).unwrap();
        connection.execute_batch("CREATE TABLE t (a, b); CREATE INDEX i ON t (a, b)").unwrap();
        let mut statement =
            connection.prepare("SELECT a FROM t WHERE a = ?1 AND b > ?2 ORDER BY b").unwrap();
        for n in 0..50 {
            assert!(!statement.exists([n, n + 1]).unwrap());
        }
        assert_eq!(statement.get_status(StatementStatus::RePrepare), 0);
    }
}
