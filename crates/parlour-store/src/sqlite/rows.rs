//! Between columns and values of the domain. The meaning of stored numbers is in [`crate::stored`].

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
use crate::stored;
pub(crate) use crate::stored::{
    ChangeKind, change_kind, conversation_kind, conversation_state, int, limit, message_kind, role,
    user_state,
};

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

macro_rules! read_numbers {
    ($($read:ident, $of:path, $type:ty;)+) => {$(
        /// From what is stored.
        pub(crate) fn $read(row: &Row<'_>, column: usize) -> rusqlite::Result<$type> {
            let number = row.get::<_, i64>(column)?;
            $of(number).ok_or(rusqlite::Error::IntegralValueOutOfRange(column, number))
        }
    )+};
}

read_numbers! {
    read_user_state, stored::user_state_of, UserState;
    read_conversation_kind, stored::conversation_kind_of, ConversationKind;
    read_conversation_state, stored::conversation_state_of, ConversationState;
    read_role, stored::role_of, Role;
    read_message_kind, stored::message_kind_of, MessageKind;
    read_change_kind, stored::change_kind_of, ChangeKind;
}

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

/// The id that a client gave its message, where it gave one.
pub(crate) fn client_id(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<ClientId>> {
    let id = row.get_ref(column)?.as_str_or_null()?;
    id.map(|id| ClientId::new(id).map_err(|error| unreadable(column, error))).transpose()
}

/// What [`message`] reads.
pub(crate) const MESSAGE: &str = "m.id, m.conversation, m.seq, m.change_seq, m.sender, m.client_id, m.kind, \
     m.text, m.metadata, m.reply_to, m.created_at, m.edited_at, m.deleted_at";

/// From [`MESSAGE`].
pub(crate) fn message(db: &Db, row: &Row<'_>) -> rusqlite::Result<Message> {
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
        client_id: client_id(row, 5)?,
        kind: read_message_kind(row, 6)?,
        content,
        reply_to: reply_to.and_then(|id| u64::try_from(id).ok()).map(MessageId),
        created_at: row.get(10)?,
        edited_at: row.get(11)?,
        deleted_at: row.get(12)?,
    })
}
