//! Brings the schema up to date ([`crate::migrations`]). Everything that is missing goes into one transaction, and processes
//! that start together take turns.

use std::path::{Path, PathBuf};

use tokio_postgres::{Client, GenericClient};

use crate::{
    OpenError,
    migrations::{Migration, checksum, migration, missing},
};

/// Who migrates holds this advisory lock: "Parlmigr".
const LOCK: i64 = 0x5061_726c_6d69_6772;

/// Every step there is. Applied ones never change; new ones come after them.
pub(super) const ALL: &[Migration] =
    &[migration!("postgres", "0001_initial"), migration!("postgres", "0002_message_references")];

/// Verifies what was applied and returns what is missing. `place` is the address, for errors.
pub(super) async fn pending<'m>(
    client: &impl GenericClient,
    place: &str,
    all: &'m [Migration],
) -> Result<&'m [Migration], OpenError> {
    let failed = |source| server_error(place, source);
    let known = client
        .query_one(
            "SELECT to_regclass('parlour_migrations') IS NOT NULL, \
               EXISTS (SELECT 1 FROM pg_catalog.pg_tables WHERE schemaname = current_schema() \
                 AND tablename IN ('users', 'conversations', 'messages', 'participants', 'sessions'))",
            &[],
        )
        .await
        .map_err(failed)?;
    let (is_ours, is_used): (bool, bool) = (known.get(0), known.get(1));
    if !is_ours {
        // Tables of these names that are not ours: it is another program's.
        return if is_used { Err(OpenError::Foreign(place.into())) } else { Ok(all) };
    }
    let applied: Vec<(String, String)> = client
        .query("SELECT name, sha256 FROM parlour_migrations ORDER BY version", &[])
        .await
        .map_err(failed)?
        .iter()
        .map(|row| (row.get(0), row.get(1)))
        .collect();
    missing(applied, Path::new(place), all)
}

/// Applies what is missing and returns its names.
pub(super) async fn apply(
    client: &mut Client,
    place: &str,
    all: &[Migration],
) -> Result<Vec<String>, OpenError> {
    if pending(client, place, all).await?.is_empty() {
        return Ok(Vec::new());
    }
    let failed = |source| server_error(place, source);
    let step = client.transaction().await.map_err(failed)?;
    step.execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK]).await.map_err(failed)?;
    // Another process may have done it meanwhile.
    let missing = pending(&step, place, all).await?;
    step.batch_execute(
        "CREATE TABLE IF NOT EXISTS parlour_migrations (\
           version INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL, sha256 TEXT NOT NULL)",
    )
    .await
    .map_err(failed)?;
    let first = all.len() - missing.len() + 1;
    let mut applied = Vec::new();
    for (number, migration) in (first..).zip(missing) {
        step.batch_execute(migration.sql).await.map_err(failed)?;
        let number = i32::try_from(number).unwrap_or(i32::MAX);
        step.execute(
            "INSERT INTO parlour_migrations (version, name, sha256) VALUES ($1, $2, $3)",
            &[&number, &migration.name, &checksum(migration.sql)],
        )
        .await
        .map_err(failed)?;
        applied.push(migration.name.to_owned());
    }
    step.commit().await.map_err(failed)?;
    Ok(applied)
}

/// An error of the server, with the address that it is about.
pub(super) fn server_error(
    place: &str,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> OpenError {
    OpenError::Database { file: PathBuf::from(place), source: source.into() }
}
