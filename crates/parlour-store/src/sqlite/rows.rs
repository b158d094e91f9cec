//! Between columns and values of the domain: the meaning of every stored number is written here once.

use std::sync::Arc;

use parlour_core::{
    ClientId, ConversationId, Epoch, Error, MessageId, Seq, UserId,
    model::{
        Content, Conversation, ConversationKind, ConversationState, Message, MessageKind,
        Participant, Profile, Role, TokenHash, UserState, Watermark,
    },
};
use rusqlite::{Row, types::Type};

use super::db::Db;

/// A number of the domain as SQLite holds it. Larger ones than it can hold name nothing.
pub(crate) fn int(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// A count as SQLite's LIMIT takes it.
pub(crate) fn limit(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// An integer column that is never negative.
pub(crate) fn number(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let value: i64 = row.get(column)?;
    u64::try_from(value).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, value))
}

pub(crate) fn seq(row: &Row<'_>, column: usize) -> rusqlite::Result<Seq> {
    number(row, column).map(Seq)
}

pub(crate) fn user_id(row: &Row<'_>, column: usize) -> rusqlite::Result<UserId> {
    let text = text(row, column)?;
    UserId::new(text).map_err(|error| unreadable(column, error))
}

/// A text column, borrowed from the row.
pub(crate) fn text<'r>(row: &'r Row<'_>, column: usize) -> rusqlite::Result<&'r str> {
    row.get_ref(column)?.as_str().map_err(Into::into)
}

/// A text column as the domain shares it.
pub(crate) fn shared(row: &Row<'_>, column: usize) -> rusqlite::Result<Arc<str>> {
    text(row, column).map(Into::into)
}

/// The same, where it may be NULL.
pub(crate) fn maybe_shared(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Arc<str>>> {
    Ok(row.get_ref(column)?.as_str_or_null()?.map(Into::into))
}

pub(crate) fn token(row: &Row<'_>, column: usize) -> rusqlite::Result<TokenHash> {
    row.get(column).map(TokenHash)
}

fn unreadable(column: usize, error: Error) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error))
}

macro_rules! stored_as_number {
    ($name:ident, $read:ident, $type:ty, $($variant:path => $number:literal),+) => {
        /// As it is stored.
        pub(crate) const fn $name(value: $type) -> i64 {
            match value {
                $($variant => $number),+
            }
        }

        /// From what is stored.
        pub(crate) fn $read(row: &Row<'_>, column: usize) -> rusqlite::Result<$type> {
            match row.get::<_, i64>(column)? {
                $($number => Ok($variant),)+
                other => Err(rusqlite::Error::IntegralValueOutOfRange(column, other)),
            }
        }
    };
}

stored_as_number!(user_state, read_user_state, UserState,
    UserState::Active => 0, UserState::Banned => 1);
stored_as_number!(conversation_kind, read_conversation_kind, ConversationKind,
    ConversationKind::Direct => 0, ConversationKind::Group => 1);
stored_as_number!(conversation_state, read_conversation_state, ConversationState,
    ConversationState::Open => 0, ConversationState::ReadOnly => 1, ConversationState::Closed => 2);
stored_as_number!(role, read_role, Role,
    Role::Member => 0, Role::Admin => 1, Role::Owner => 2);
stored_as_number!(message_kind, read_message_kind, MessageKind,
    MessageKind::Text => 0, MessageKind::System => 1);

/// The Changes that have a row of their own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ChangeKind {
    Joined,
    Left,
    Role,
    Settings,
}

stored_as_number!(change_kind, read_change_kind, ChangeKind,
    ChangeKind::Joined => 0, ChangeKind::Left => 1, ChangeKind::Role => 2, ChangeKind::Settings => 3);

/// From `id, username, name, avatar`.
pub(crate) fn profile(row: &Row<'_>) -> rusqlite::Result<Arc<Profile>> {
    let id = user_id(row, 0)?;
    let username = maybe_shared(row, 1)?.unwrap_or_else(|| id.as_str().into());
    let name = maybe_shared(row, 2)?.unwrap_or_else(|| username.clone());
    Ok(Arc::new(Profile { id, username, name, avatar: maybe_shared(row, 3)? }))
}

/// What [`conversation`] reads.
pub(crate) const CONVERSATION: &str = "c.id, c.kind, c.state, c.title, c.subject, c.external_id, \
     c.metadata, c.epoch, c.last_seq, c.receipts, c.created_at, c.active_at";

/// From [`CONVERSATION`].
pub(crate) fn conversation(row: &Row<'_>) -> rusqlite::Result<Conversation> {
    Ok(Conversation {
        id: ConversationId(number(row, 0)?),
        kind: read_conversation_kind(row, 1)?,
        state: read_conversation_state(row, 2)?,
        title: maybe_shared(row, 3)?,
        subject: maybe_shared(row, 4)?,
        external_id: maybe_shared(row, 5)?,
        metadata: maybe_shared(row, 6)?,
        epoch: Epoch(number(row, 7)?),
        last_seq: seq(row, 8)?,
        receipts: number(row, 9)?,
        created_at: row.get(10)?,
        active_at: row.get(11)?,
    })
}

/// From `user, role, joined_seq, delivered_seq, read_seq, last_seen`.
pub(crate) fn participant(db: &Db, row: &Row<'_>) -> rusqlite::Result<Participant> {
    Ok(Participant {
        profile: db.known_profile(text(row, 0)?)?,
        role: read_role(row, 1)?,
        joined_seq: seq(row, 2)?,
        watermark: Watermark { delivered: seq(row, 3)?, read: seq(row, 4)? },
        last_seen: row.get(5)?,
    })
}

/// What [`message`] reads.
pub(crate) const MESSAGE: &str = "m.id, m.conversation, m.seq, m.change_seq, m.sender, m.client_id, m.kind, \
     m.text, m.metadata, m.reply_to, m.created_at, m.edited_at, m.deleted_at";

/// From [`MESSAGE`].
pub(crate) fn message(db: &Db, row: &Row<'_>) -> rusqlite::Result<Message> {
    let client_id = match row.get_ref(5)?.as_str_or_null()? {
        Some(id) => Some(ClientId::new(id).map_err(|error| unreadable(5, error))?),
        None => None,
    };
    let content = match maybe_shared(row, 7)? {
        Some(text) => Some(Content { text, metadata: maybe_shared(row, 8)? }),
        None => None,
    };
    let reply_to = row.get::<_, Option<i64>>(9)?;
    Ok(Message {
        id: MessageId(number(row, 0)?),
        conversation: ConversationId(number(row, 1)?),
        seq: seq(row, 2)?,
        change_seq: seq(row, 3)?,
        sender: db.known_profile(text(row, 4)?)?,
        client_id,
        kind: read_message_kind(row, 6)?,
        content,
        reply_to: reply_to.and_then(|id| u64::try_from(id).ok()).map(MessageId),
        created_at: row.get(10)?,
        edited_at: row.get(11)?,
        deleted_at: row.get(12)?,
    })
}
