//! Copies of the file: made while a server writes, and put back with a new life for every log.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use rusqlite::{
    Connection, OpenFlags, OptionalExtension,
    backup::{Backup, StepResult},
};

use super::{
    file::{self, Held, Place, beside},
    message_ids,
    migrate::{self, database_error},
};
use crate::{OpenError, RestoreError, SKIPPED_IDS};

/// Copies a database, which may be in use, as it is at one moment.
pub(super) fn copy_into(original: &Path, copy: &Path) -> rusqlite::Result<()> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let source = Connection::open_with_flags(original, flags)?;
    source.busy_timeout(file::BUSY_TIMEOUT)?;
    let mut target = Connection::open(copy)?;
    let copying = Backup::new(&source, &mut target)?;
    // All pages in one step, so that what others write meanwhile neither mixes with it nor makes it begin again.
    match copying.step(-1)? {
        StepResult::Done => Ok(()),
        _ => Err(rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY),
            None,
        )),
    }
}

/// Writes a backup into a new file, flushed.
pub(crate) fn back_up(original: &Path, to: &Path) -> Result<(), RestoreError> {
    let in_file = |source| OpenError::Io { file: to.to_owned(), source };
    if to.exists() {
        return Err(RestoreError::Taken(to.to_owned()));
    }
    if !original.is_file() {
        let source = io::Error::from(io::ErrorKind::NotFound);
        return Err(OpenError::Io { file: original.to_owned(), source }.into());
    }
    // Under its own name it is whole, also when this ends half way.
    let unfinished = beside(to, ".part");
    let _ = fs::remove_file(&unfinished);
    file::private().write(true).create_new(true).open(&unfinished).map_err(in_file)?;
    copy_into(original, &unfinished).map_err(|source| database_error(original, source))?;
    look_at(&unfinished)?;
    put_in_place(&unfinished, to).map_err(in_file)?;
    Ok(())
}

/// Puts a backup in the place of a database that is not in use. Gives where the old one was put, if there was one.
pub(crate) fn restore(
    backup: &Path,
    target: PathBuf,
    replace: bool,
) -> Result<Option<PathBuf>, RestoreError> {
    look_at(backup)?;
    let held = Held::take(Place::File(target))?;
    let database = &held.file;
    let in_file = |source| OpenError::Io { file: database.clone(), source };
    let is_empty = fs::metadata(database).map_err(in_file)?.len() == 0;
    if !is_empty && !replace {
        return Err(RestoreError::Taken(database.clone()));
    }
    let unfinished = beside(database, ".restoring");
    let _ = fs::remove_file(&unfinished);
    file::private().write(true).create_new(true).open(&unfinished).map_err(in_file)?;
    copy_into(backup, &unfinished).map_err(|source| database_error(backup, source))?;
    begin_new_life(&unfinished).map_err(|source| database_error(&unfinished, source))?;
    let old = (!is_empty).then(|| beside(database, ".replaced"));
    if let Some(old) = &old {
        set_aside(database, old).map_err(in_file)?;
    }
    put_in_place(&unfinished, database).map_err(in_file)?;
    Ok(old)
}

/// Gives every log of a database that is not in use a new life.
pub(crate) fn renew(target: PathBuf) -> Result<(), RestoreError> {
    let held = Held::take(Place::File(target))?;
    look_at(&held.file)?;
    begin_new_life(&held.file).map_err(|source| database_error(&held.file, source))?;
    Ok(())
}

/// Refuses what is no database of ours, or damaged.
fn look_at(database: &Path) -> Result<(), OpenError> {
    let connection = file::connect_reader(database)?;
    let missing = migrate::pending(&connection, database, migrate::ALL)?;
    if missing.len() == migrate::ALL.len() {
        return Err(OpenError::Foreign(database.to_owned()));
    }
    let damage = migrate::find_damage(&connection);
    match damage.map_err(|source| database_error(database, source))? {
        Some(finding) => Err(OpenError::Damaged { file: database.to_owned(), finding }),
        None => Ok(()),
    }
}

/// Clients that know these logs are told to load them anew: what they have seen may be more than what is here.
fn begin_new_life(database: &Path) -> rusqlite::Result<()> {
    let mut connection = Connection::open(database)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    let step = connection.transaction()?;
    step.execute_batch(
        "UPDATE meta SET value = (abs(random() % 281474976710655)) + 1 WHERE key = 'epoch';
         UPDATE conversations SET epoch = (SELECT value FROM meta WHERE key = 'epoch');",
    )?;
    // The numbers of messages were once kept there too: a backup may be as old.
    step.execute(
        "UPDATE sqlite_sequence SET seq = seq + ?1 WHERE name IN ('messages', 'conversations')",
        [SKIPPED_IDS],
    )?;
    if let Some(last) = message_ids::last_given(&step).optional()? {
        message_ids::begin_after(&step, last.saturating_add(SKIPPED_IDS))?;
    }
    step.commit()?;
    // Without a log beside it, the file alone is the database.
    connection.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(()))
}

/// Puts a database away whole, with what its log still holds.
fn set_aside(database: &Path, old: &Path) -> io::Result<()> {
    let folded = Connection::open(database).and_then(|connection| {
        connection.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(()))
    });
    if let Err(error) = folded {
        tracing::warn!(%error, "the old database cannot be read: it is put away as it is");
    }
    for suffix in ["-wal", "-shm"] {
        let from = beside(database, suffix);
        if from.exists() {
            fs::rename(from, beside(old, suffix))?;
        }
    }
    fs::rename(database, old)
}

/// Flushes a file, and gives it its name for good.
fn put_in_place(unfinished: &Path, file: &Path) -> io::Result<()> {
    File::open(unfinished)?.sync_all()?;
    fs::rename(unfinished, file)?;
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}
