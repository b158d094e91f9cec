//! What migrations are in both stores: ordered SQL from the binary, remembered with its SHA-256 so that an altered one is
//! noticed. How they are read and applied is each store's own.

use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::OpenError;

/// A step of the schema. Its version is its place in its list, from one.
pub(crate) struct Migration {
    pub(crate) name: &'static str,
    pub(crate) sql: &'static str,
}

/// A step of a store by its name, which is that of its file. Called from a folder beside this file.
macro_rules! migration {
    ($store:literal, $name:literal) => {
        $crate::migrations::Migration {
            name: $name,
            sql: include_str!(concat!("../../migrations/", $store, "/", $name, ".sql")),
        }
    };
}
pub(crate) use migration;

/// Verifies the names and checksums of what was applied, in its order, and returns what is missing. `place` is the
/// database, for errors.
pub(crate) fn missing<'m>(
    applied: Vec<(String, String)>,
    place: &Path,
    all: &'m [Migration],
) -> Result<&'m [Migration], OpenError> {
    if applied.len() > all.len() {
        return Err(OpenError::Newer {
            file: place.to_owned(),
            found: version(applied.len()),
            known: version(all.len()),
        });
    }
    let (known, missing) = all.split_at(applied.len());
    for (migration, (name, sha256)) in known.iter().zip(applied) {
        if migration.name != name || checksum(migration.sql) != sha256 {
            return Err(OpenError::Altered { file: place.to_owned(), name });
        }
    }
    Ok(missing)
}

pub(crate) fn version(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

pub(crate) fn checksum(sql: &str) -> String {
    // Line ends are the checkout's business.
    let digest = Sha256::digest(sql.replace("\r\n", "\n").as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
