//! Numbers of messages. They ascend, and none is ever given twice: messages are not removed, only emptied, and a database that
//! was brought back from a backup begins above what may have been given since.

use parlour_core::MessageId;
use rusqlite::{Connection, ffi};

use super::{db::Db, rows::int};

/// The last number that was given. Nothing until it is first asked, and after a rollback.
#[derive(Default)]
pub(super) struct MessageIds(Option<i64>);

impl MessageIds {
    /// Forgets what may have been taken back.
    pub(super) fn forget(&mut self) {
        self.0 = None;
    }
}

/// The number of the next message.
pub(super) fn next(db: &Db) -> rusqlite::Result<MessageId> {
    let mut ids = db.message_ids();
    let last = match ids.0 {
        Some(last) => last,
        None => last_given(db.connection())?,
    };
    let Some(next) = last.checked_add(1) else {
        let no_more = ffi::Error::new(ffi::SQLITE_FULL);
        return Err(rusqlite::Error::SqliteFailure(no_more, Some("no message id is left".into())));
    };
    ids.0 = Some(next);
    Ok(MessageId(next.unsigned_abs()))
}

/// Notes that a message has kept its number from elsewhere.
pub(super) fn keep(db: &Db, id: MessageId) {
    let mut ids = db.message_ids();
    ids.0 = ids.0.map(|last| last.max(int(id.0)));
}

/// The last number that was given; zero before the first. No row, where the migration of this name was not applied yet.
pub(super) fn last_given(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row(
        "SELECT max(value, (SELECT coalesce(max(id), 0) FROM messages)) FROM meta WHERE key = 'message_ids'",
        [],
        |row| row.get(0),
    )
}

/// Gives no number up to this one any more. For a database that no store has open.
pub(super) fn begin_after(connection: &Connection, last: i64) -> rusqlite::Result<()> {
    let sql = "UPDATE meta SET value = max(value, ?1) WHERE key = 'message_ids'";
    connection.execute(sql, [last]).map(drop)
}
