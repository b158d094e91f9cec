//! Import keys: what was imported under which id of which host application, and in which state.

use parlour_core::port::store::transfer::KeyKind;
use rusqlite::Row;
use sha2::{Digest, Sha256};

use crate::sqlite::{
    db::Db,
    rows::{int, number},
};

/// A hash of what an import brought.
pub(super) type State = [u8; 16];

/// As it is stored.
pub(super) const fn kind_number(kind: KeyKind) -> i64 {
    match kind {
        KeyKind::User => 0,
        KeyKind::Conversation => 1,
        KeyKind::Message => 2,
    }
}

/// From what is stored.
pub(super) fn read_kind(row: &Row<'_>, column: usize) -> rusqlite::Result<KeyKind> {
    match row.get::<_, i64>(column)? {
        0 => Ok(KeyKind::User),
        1 => Ok(KeyKind::Conversation),
        2 => Ok(KeyKind::Message),
        other => Err(rusqlite::Error::IntegralValueOutOfRange(column, other)),
    }
}

/// Hashes parts so that none runs into the next.
pub(super) fn state(parts: &[Option<&str>]) -> State {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update([u8::from(part.is_some())]);
        let part = part.unwrap_or_default();
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let mut state = State::default();
    for (to, from) in state.iter_mut().zip(hash.finalize()) {
        *to = from;
    }
    state
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
        (source, kind_number(kind), host_id),
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
        (source, kind_number(kind), host_id, int(target), state),
    )?;
    Ok(())
}
