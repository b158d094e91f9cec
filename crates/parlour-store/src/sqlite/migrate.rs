//! Brings the schema up to date ([`crate::migrations`]), each step in a transaction of its own.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use crate::{
    OpenError,
    migrations::{Migration, checksum, migration, missing, version},
};

/// "Parl", so that `file` and we can tell whose database it is.
const APPLICATION_ID: i64 = 0x5061_726c;

/// Every step there is. Applied ones never change; new ones come after them.
pub(super) const ALL: &[Migration] = &[
    migration!("sqlite", "0001_initial"),
    migration!("sqlite", "0002_sockets"),
    migration!("sqlite", "0003_import"),
    migration!("sqlite", "0004_cluster"),
    migration!("sqlite", "0005_changed_messages"),
    migration!("sqlite", "0006_client_ids"),
    migration!("sqlite", "0007_message_ids"),
];

/// Verifies what was applied and returns what is missing.
pub(super) fn pending<'m>(
    connection: &Connection,
    file: &Path,
    all: &'m [Migration],
) -> Result<&'m [Migration], OpenError> {
    let database = |source| database_error(file, source);
    let mark = |name| connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0));
    let application_id: i64 = mark("application_id").map_err(database)?;
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(database)?;
    if tables == 0 && (application_id == 0 || application_id == APPLICATION_ID) {
        return Ok(all);
    }
    if application_id != APPLICATION_ID {
        return Err(OpenError::Foreign(file.to_owned()));
    }
    let applied: Vec<(String, String)> = connection
        .prepare("SELECT name, sha256 FROM migrations ORDER BY version")
        .and_then(|mut rows| rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect())
        .map_err(database)?;
    missing(applied, file, all)
}

/// Applies what is missing and returns its names.
pub(super) fn apply(
    connection: &mut Connection,
    file: &Path,
    all: &[Migration],
) -> Result<Vec<String>, OpenError> {
    let missing = pending(connection, file, all)?;
    let first = all.len() - missing.len() + 1;
    let mut applied = Vec::new();
    for (number, migration) in (first..).zip(missing) {
        apply_one(connection, number, migration).map_err(|source| database_error(file, source))?;
        applied.push(migration.name.to_owned());
    }
    Ok(applied)
}

fn apply_one(
    connection: &mut Connection,
    number: usize,
    migration: &Migration,
) -> rusqlite::Result<()> {
    let step = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    step.execute_batch(
        "CREATE TABLE IF NOT EXISTS migrations (\
           version INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL, sha256 TEXT NOT NULL) STRICT",
    )?;
    step.execute_batch(migration.sql)?;
    step.execute(
        "INSERT INTO migrations (version, name, sha256) VALUES (?1, ?2, ?3)",
        (version(number), migration.name, checksum(migration.sql)),
    )?;
    step.pragma_update(None, "application_id", APPLICATION_ID)?;
    step.pragma_update(None, "user_version", version(number))?;
    step.commit()
}

/// Looks for damage, and says what was found first.
pub(super) fn find_damage(connection: &Connection) -> rusqlite::Result<Option<String>> {
    let finding: Option<String> =
        connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).optional()?;
    Ok(finding.filter(|finding| finding != "ok"))
}

/// An error of the database, with the file that it is about.
pub(super) fn database_error(file: &Path, source: rusqlite::Error) -> OpenError {
    if source.sqlite_error_code() == Some(rusqlite::ErrorCode::NotADatabase) {
        return OpenError::Foreign(file.to_owned());
    }
    OpenError::Database { file: file.to_owned(), source: Box::new(source) }
}
