//! Which client ids were used: a table, and beside it the newest ones, in memory.
//!
//! An index of the messages would have a page to write for almost each message where conversations are many. The newest ids
//! are only remembered instead - after a start or a rollback they are read again from the messages themselves - and go to the
//! table a few with each message and in the table's own order, so that those of a conversation share their page.

use std::collections::HashMap;

use parlour_core::{ClientId, ConversationId, MessageId, UserId, model::Millis};
use rusqlite::Connection;

use super::{
    db::Db,
    rows::{self, int, number, text},
};

/// Messages after which the ids remembered begin to go to the table.
const MOST_RECENT: usize = 4_096;
/// How many go to the table with each message: more than come, so that they get there.
const MOVED_WITH_EACH: usize = 2;

/// By what a message is found: where it was said, by whom, under which id.
pub(super) type Key = (ConversationId, UserId, ClientId);

/// The newest ids. Nothing until it is first asked, and after a rollback.
#[derive(Default)]
pub(super) struct ClientIds(Option<Recent>);

#[derive(Default)]
struct Recent {
    /// Those that are not in the table.
    messages: HashMap<Key, MessageId>,
    /// Messages, with and without ids, since the ids last began to go to the table.
    said: usize,
    /// Those that go to the table, the last first; all of `messages` at the time.
    moving: Vec<Key>,
    /// The newest message when that began.
    up_to: MessageId,
}

impl ClientIds {
    /// Forgets what may have been taken back.
    pub(super) fn forget(&mut self) {
        self.0 = None;
    }

    fn loaded(&mut self, db: &Db) -> rusqlite::Result<&mut Recent> {
        match &mut self.0 {
            Some(recent) => Ok(recent),
            nothing => Ok(nothing.insert(Recent::load(db)?)),
        }
    }
}

/// How a message can be found again, if its client has given it an id.
pub(super) fn key(
    conversation: ConversationId,
    sender: &UserId,
    client_id: &Option<ClientId>,
) -> Option<Key> {
    client_id.clone().map(|client_id| (conversation, sender.clone(), client_id))
}

/// The message that has a client id.
pub(super) fn find(db: &Db, key: &Key) -> rusqlite::Result<Option<MessageId>> {
    if let Some(message) = db.client_ids().loaded(db)?.messages.get(key) {
        return Ok(Some(*message));
    }
    db.one(
        "SELECT message FROM client_ids WHERE conversation = ?1 AND sender = ?2 AND client_id = ?3",
        (int(key.0.0), key.1.as_str(), key.2.as_str()),
        |row| Ok(MessageId(number(row, 0)?)),
    )
}

/// Notes the newest message of all, whose client id [`find`] does not know.
pub(super) fn add(db: &Db, message: MessageId, key: Option<Key>) -> rusqlite::Result<()> {
    let mut ids = db.client_ids();
    let recent = ids.loaded(db)?;
    recent.said += 1;
    if let Some(key) = key {
        recent.messages.insert(key, message);
    }
    if recent.said >= MOST_RECENT && recent.moving.is_empty() {
        recent.begin_to_move(db, message)?;
    }
    recent.move_some(db, MOVED_WITH_EACH)
}

/// Notes a message that keeps an id from elsewhere, which need not be the newest. A known client id is an error.
pub(super) fn add_imported(db: &Db, message: MessageId, key: Option<Key>) -> rusqlite::Result<()> {
    let mut ids = db.client_ids();
    let recent = ids.loaded(db)?;
    recent.messages.extend(key.map(|key| (key, message)));
    // With nothing remembered, the table is complete, whatever the numbers of the messages.
    recent.said = 0;
    recent.moving = recent.messages.keys().cloned().collect();
    recent.move_some(db, usize::MAX)?;
    complete_up_to(db, message)
}

/// Fills the empty table from the messages.
pub(super) fn fill(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "INSERT INTO client_ids (conversation, sender, client_id, message) \
           SELECT conversation, sender, client_id, id FROM messages \
           WHERE client_id IS NOT NULL ORDER BY conversation, sender, client_id; \
         UPDATE meta SET value = (SELECT coalesce(max(id), 0) FROM messages) WHERE key = 'client_ids'",
    )
}

impl Recent {
    fn load(db: &Db) -> rusqlite::Result<Self> {
        let mut said = 0;
        let rows = db.all(
            "SELECT id, conversation, sender, client_id FROM messages \
             WHERE id > (SELECT value FROM meta WHERE key = 'client_ids') ORDER BY id",
            [],
            |row| {
                said += 1;
                let Some(client_id) = rows::client_id(row, 3)? else { return Ok(None) };
                let sender = db.known_profile(text(row, 2)?)?.id.clone();
                let key = (ConversationId(number(row, 1)?), sender, client_id);
                Ok(Some((key, MessageId(number(row, 0)?))))
            },
        )?;
        let messages = rows.into_iter().flatten().collect();
        Ok(Self { messages, said, ..Self::default() })
    }

    fn begin_to_move(&mut self, db: &Db, newest: MessageId) -> rusqlite::Result<()> {
        self.said = 0;
        self.up_to = newest;
        self.moving = self.messages.keys().cloned().collect();
        self.moving.sort_unstable_by(|one, other| order(other).cmp(&order(one)));
        if self.moving.is_empty() { complete_up_to(db, newest) } else { Ok(()) }
    }

    fn move_some(&mut self, db: &Db, most: usize) -> rusqlite::Result<()> {
        for _ in 0..most {
            let Some(key) = self.moving.pop() else { return Ok(()) };
            if let Some(message) = self.messages.remove(&key) {
                // It may be there already, from a move that a restart cut short.
                let moved = db.run(
                    "INSERT INTO client_ids (conversation, sender, client_id, message) \
                     VALUES (?1, ?2, ?3, ?4) \
                     ON CONFLICT DO UPDATE SET message = message WHERE message = excluded.message",
                    (int(key.0.0), key.1.as_str(), key.2.as_str(), int(message.0)),
                )?;
                if moved != 1 {
                    // No two messages have one client id (guarantee G3), whatever was believed.
                    return Err(rusqlite::Error::StatementChangedRows(moved));
                }
            }
            if self.moving.is_empty() {
                complete_up_to(db, self.up_to)?;
            }
        }
        Ok(())
    }
}

/// A fault on purpose: what was said before some time counts as new.
pub(super) fn forget_all_before(db: &Db, time: Millis) -> rusqlite::Result<()> {
    db.client_ids().forget();
    db.run("UPDATE messages SET client_id = NULL WHERE created_at < ?1", [time])?;
    let old =
        "DELETE FROM client_ids WHERE message IN (SELECT id FROM messages WHERE client_id IS NULL)";
    db.run(old, [])?;
    Ok(())
}

/// The order of the table.
fn order((conversation, sender, client_id): &Key) -> (u64, &str, &str) {
    (conversation.0, sender.as_str(), client_id.as_str())
}

/// The table holds the client ids of all messages up to this one.
fn complete_up_to(db: &Db, message: MessageId) -> rusqlite::Result<()> {
    let sql = "UPDATE meta SET value = max(value, ?1) WHERE key = 'client_ids'";
    db.run(sql, [int(message.0)])?;
    Ok(())
}
