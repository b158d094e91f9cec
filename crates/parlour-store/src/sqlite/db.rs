//! One connection with what its thread keeps beside it, and the two ways in which a step can end badly.

use std::{
    cell::{RefCell, RefMut},
    collections::HashMap,
    sync::Arc,
};

use parlour_core::{Error, UserId, model::Profile};
use rusqlite::{Connection, OptionalExtension, Params, Row};

use super::{client_ids::ClientIds, message_ids::MessageIds, unwritten::Unwritten, views::Views};

/// Profiles kept at most; past it all are read anew.
const MOST_PROFILES: usize = 20_000;

/// What a step gives.
pub(crate) type Step<T> = Result<T, Failure>;

/// Why a step gave nothing.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It was refused before it wrote anything.
    Refused(Error),
    /// The database failed, perhaps in the middle.
    Database(rusqlite::Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

impl Failure {
    /// What the caller is told. The transaction has been rolled back.
    pub(crate) fn into_error(self) -> Error {
        match self {
            Self::Refused(error) => error,
            Self::Database(error) if is_passing(&error) => Error::unavailable(error),
            Self::Database(error) => Error::internal(error),
        }
    }
}

/// Whether the same may work soon: the disk is full, or failed a read or write that was no flush.
fn is_passing(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{
        CannotOpen, DatabaseBusy, DatabaseLocked, DiskFull, OutOfMemory, SystemIoFailure,
    };
    matches!(
        error.sqlite_error_code(),
        Some(DiskFull | SystemIoFailure | DatabaseBusy | DatabaseLocked | CannotOpen | OutOfMemory)
    )
}

/// A connection, and the profiles that were read over it.
pub(crate) struct Db {
    connection: Connection,
    profiles: RefCell<HashMap<Arc<str>, Arc<Profile>>>,
    /// Used by the writer alone.
    views: RefCell<Views>,
    /// The same.
    client_ids: RefCell<ClientIds>,
    /// The same.
    message_ids: RefCell<MessageIds>,
    /// The same.
    unwritten: RefCell<Unwritten>,
}

impl Db {
    pub(crate) fn new(connection: Connection) -> Self {
        connection.set_prepared_statement_cache_capacity(256);
        Self {
            connection,
            profiles: RefCell::default(),
            views: RefCell::default(),
            client_ids: RefCell::default(),
            message_ids: RefCell::default(),
            unwritten: RefCell::default(),
        }
    }

    pub(crate) const fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Runs a statement that writes; the number of rows.
    pub(crate) fn run(&self, sql: &str, params: impl Params) -> rusqlite::Result<usize> {
        self.connection.prepare_cached(sql)?.execute(params)
    }

    /// The number of the row that was inserted last.
    pub(crate) fn last_id(&self) -> u64 {
        u64::try_from(self.connection.last_insert_rowid()).unwrap_or_default()
    }

    /// The first row, if there is one.
    pub(crate) fn one<T>(
        &self,
        sql: &str,
        params: impl Params,
        map: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Option<T>> {
        self.connection.prepare_cached(sql)?.query_row(params, map).optional()
    }

    /// Whether there is a row.
    pub(crate) fn exists(&self, sql: &str, params: impl Params) -> rusqlite::Result<bool> {
        self.connection.prepare_cached(sql)?.exists(params)
    }

    /// All rows.
    pub(crate) fn all<T>(
        &self,
        sql: &str,
        params: impl Params,
        map: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Vec<T>> {
        self.connection.prepare_cached(sql)?.query_map(params, map)?.collect()
    }

    /// What others see of a user; `None` when unknown.
    pub(crate) fn profile(&self, id: &str) -> rusqlite::Result<Option<Arc<Profile>>> {
        if let Some(profile) = self.profiles.borrow().get(id) {
            return Ok(Some(profile.clone()));
        }
        let found = self.one(
            "SELECT id, username, name, avatar FROM users WHERE id = ?1",
            [id],
            super::rows::profile,
        )?;
        if let Some(profile) = &found {
            let mut profiles = self.profiles.borrow_mut();
            if profiles.len() >= MOST_PROFILES {
                profiles.clear();
            }
            profiles.insert(id.into(), profile.clone());
        }
        Ok(found)
    }

    /// What others see of a user whom another row names: the foreign key says that he is there.
    pub(crate) fn known_profile(&self, id: &str) -> rusqlite::Result<Arc<Profile>> {
        self.profile(id)?.ok_or(rusqlite::Error::QueryReturnedNoRows)
    }

    /// Forgets a profile that is about to change.
    pub(crate) fn forget_profile(&self, id: &UserId) {
        self.profiles.borrow_mut().remove(id.as_str());
    }

    /// What the writer remembers of conversations.
    pub(super) fn views(&self) -> RefMut<'_, Views> {
        self.views.borrow_mut()
    }

    /// What the writer remembers of client ids.
    pub(super) fn client_ids(&self) -> RefMut<'_, ClientIds> {
        self.client_ids.borrow_mut()
    }

    /// The numbers that the writer gives.
    pub(super) fn message_ids(&self) -> RefMut<'_, MessageIds> {
        self.message_ids.borrow_mut()
    }

    /// What the running transaction has yet to write of what its appends have moved.
    pub(super) fn unwritten(&self) -> RefMut<'_, Unwritten> {
        self.unwritten.borrow_mut()
    }

    /// Forgets all profiles: they may come from a transaction that was rolled back, or another's may be newer.
    pub(crate) fn forget_profiles(&self) {
        self.profiles.borrow_mut().clear();
    }
}
