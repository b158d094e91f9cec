//! Backups of a SQLite database, and the new life that logs begin after one was put back.

use std::path::{Path, PathBuf};

use crate::{Address, OpenError, postgres, sqlite};

/// Ids of messages and conversations that are skipped when a database was put back to an earlier state. Clients may know
/// ids that were given since; none of them may mean something else.
pub(crate) const SKIPPED_IDS: i64 = 1_000_000_000;

/// Why a backup could not be made or put back. The texts are for the operator.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// The database or the backup cannot be used.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Something is in the place already.
    #[error("{} is there already", .0.display())]
    Taken(PathBuf),
    /// The address names no file: other databases have backups of their own.
    #[error("this is for SQLite files; make backups of other databases with their own programs")]
    NoFile,
}

/// Writes a backup of the database at `url`, as it is at one moment, into a new file. The database may be in use; it
/// is not held up.
///
/// # Errors
/// [`RestoreError`].
pub fn back_up(url: &str, to: &Path) -> Result<(), RestoreError> {
    sqlite::back_up(&file(url)?, to)
}

/// Puts a backup in the place of the database at `url`, which nobody uses, and gives all its logs a new life (epoch):
/// clients that have seen what the backup does not hold are told to load anew, and ids that may have been given since
/// are never given again. With `replace` a database that is there is put aside; gives where.
///
/// # Errors
/// [`RestoreError`]. Then the database is as it was.
pub fn restore(url: &str, backup: &Path, replace: bool) -> Result<Option<PathBuf>, RestoreError> {
    sqlite::restore(backup, file(url)?, replace)
}

/// Gives every log of the database at `url`, which nobody uses, a new life, as [`restore`] does: for databases that were
/// put back to an earlier state by their own means. `session_url` is [`crate::OpenOptions::session_url`].
///
/// # Errors
/// [`RestoreError`].
pub async fn renew(url: &str, session_url: Option<&str>) -> Result<(), RestoreError> {
    match Address::parse(url)? {
        Address::Sqlite(sqlite::Place::File(file)) => sqlite::renew(file),
        Address::Postgres(url) => Ok(postgres::renew(&url, session_url).await?),
        Address::Sqlite(_) => Err(RestoreError::NoFile),
    }
}

fn file(url: &str) -> Result<PathBuf, RestoreError> {
    match Address::parse(url)? {
        Address::Sqlite(sqlite::Place::File(file)) => Ok(file),
        _ => Err(RestoreError::NoFile),
    }
}
