//! Import keys: what was imported under which id of which host application, and in which state.

use parlour_core::port::store::transfer::KeyKind;
use rusqlite::Row;

use crate::sqlite::{
    db::Db,
    rows::{int, number},
};
use crate::transfer::key_kind_of;
pub(super) use crate::transfer::{State, key_kind, state};

/// From what is stored.
pub(super) fn read_kind(row: &Row<'_>, column: usize) -> rusqlite::Result<KeyKind> {
    let number = row.get::<_, i64>(column)?;
    key_kind_of(number).ok_or(rusqlite::Error::IntegralValueOutOfRange(column, number))
}

/// What was imported under this id, and in which state.
pub(super) fn find(
    db: &Db,
    source: &str,
    kind: KeyKind,
    host_id: &str,
) -> rusqlite::Result<Option<(u64, State)>> {
    db.one(
        "SELECT target, state FROM import_keys WHERE source = ?1 AND kind = ?2 AND host_id = ?3",
        (source, key_kind(kind), host_id),
        |row| Ok((number(row, 0)?, row.get(1)?)),
    )
}

/// Remembers what was imported under this id, and in which state.
pub(super) fn keep(
    db: &Db,
    source: &str,
    kind: KeyKind,
    host_id: &str,
    target: u64,
    state: &State,
) -> rusqlite::Result<()> {
    db.run(
        "INSERT INTO import_keys (source, kind, host_id, target, state) VALUES (?1, ?2, ?3, ?4, ?5) \
         ON CONFLICT DO UPDATE SET state = excluded.state",
        (source, key_kind(kind), host_id, int(target), state),
    )?;
    Ok(())
}
