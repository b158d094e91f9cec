//! Between columns and values of the domain. The meaning of stored numbers is in [`crate::stored`].

use std::sync::Arc;

use parlour_core::{
    ClientId, ConversationId, Epoch, Error, MessageId, Seq, UserId,
    model::{
        Content, Conversation, ConversationKind, ConversationState, Message, MessageKind,
        Participant, Profile, Role, TokenHash, UserState, Watermark,
    },
};
use tokio_postgres::Row;

use super::db::{Failure, Step};
use crate::stored;
pub(super) use crate::stored::{
    ChangeKind, change_kind, conversation_kind, conversation_state, int, limit, message_kind, role,
    user_state,
};

/// A `bigint` column that is never negative.
pub(super) fn number(row: &Row, column: usize) -> Step<u64> {
    let value: i64 = row.try_get(column)?;
    u64::try_from(value).map_err(|_| unreadable(column))
}

/// An array of numbers; NULL has none.
pub(super) fn numbers(row: &Row, column: usize) -> Step<Vec<u64>> {
    let values: Option<Vec<i64>> = row.try_get(column)?;
    let values = values.unwrap_or_default().into_iter();
    values.map(|value| u64::try_from(value).map_err(|_| unreadable(column))).collect()
}

pub(super) fn seq(row: &Row, column: usize) -> Step<Seq> {
    number(row, column).map(Seq)
}

/// A `bigint` column of any meaning: times, flags of statements.
pub(super) fn integer(row: &Row, column: usize) -> Step<i64> {
    Ok(row.try_get(column)?)
}

pub(super) fn boolean(row: &Row, column: usize) -> Step<bool> {
    Ok(row.try_get(column)?)
}

pub(super) fn user_id(row: &Row, column: usize) -> Step<UserId> {
    Ok(UserId::new(text(row, column)?).map_err(Error::internal)?)
}

/// A text column, borrowed from the row.
pub(super) fn text(row: &Row, column: usize) -> Step<&str> {
    Ok(row.try_get(column)?)
}

/// A text column as the domain shares it.
pub(super) fn shared(row: &Row, column: usize) -> Step<Arc<str>> {
    text(row, column).map(Into::into)
}

/// The same, where it may be NULL.
pub(super) fn maybe_shared(row: &Row, column: usize) -> Step<Option<Arc<str>>> {
    Ok(row.try_get::<_, Option<&str>>(column)?.map(Into::into))
}

pub(super) fn token(row: &Row, column: usize) -> Step<TokenHash> {
    maybe_token(row, column)?.ok_or_else(|| unreadable(column))
}

/// A hash that may be NULL.
pub(super) fn maybe_token(row: &Row, column: usize) -> Step<Option<TokenHash>> {
    let Some(bytes) = row.try_get::<_, Option<&[u8]>>(column)? else { return Ok(None) };
    bytes.try_into().map(|hash| Some(TokenHash(hash))).map_err(|_| unreadable(column))
}

/// Which of what was asked a row is about, where a column tells it as `WITH ORDINALITY` does, which counts from one.
pub(super) fn place(row: &Row, column: usize) -> Step<usize> {
    let place = usize::try_from(number(row, column)?).unwrap_or(usize::MAX);
    Ok(place.wrapping_sub(1))
}

/// What belongs to the [`place`] of a row.
pub(super) fn placed<'a, T>(all: &'a mut [T], row: &Row, column: usize) -> Step<&'a mut T> {
    all.get_mut(place(row, column)?).ok_or_else(|| unreadable(column))
}

/// What the one row of each of so many [`place`]s says; `None` where there is none.
pub(super) fn one_each<T>(
    rows: &[Row],
    count: usize,
    column: usize,
    read: impl Fn(&Row) -> Step<T>,
) -> Step<Vec<Option<T>>> {
    let mut all: Vec<Option<T>> = (0..count).map(|_| None).collect();
    for row in rows {
        *placed(&mut all, row, column)? = Some(read(row)?);
    }
    Ok(all)
}

/// What is stored has no meaning.
pub(super) fn unreadable(column: usize) -> Failure {
    Error::internal(format!("column {column} of a row holds what nobody has written")).into()
}

macro_rules! read_numbers {
    ($($read:ident, $of:path, $type:ty;)+) => {$(
        /// From a `smallint` column.
        pub(super) fn $read(row: &Row, column: usize) -> Step<$type> {
            $of(row.try_get::<_, i16>(column)?.into()).ok_or_else(|| unreadable(column))
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

/// What [`profile`] reads, of a `users u`.
pub(super) const PROFILE: &str = "u.id, u.username, u.name, u.avatar";

/// From [`PROFILE`], which begins at a column.
pub(super) fn profile(row: &Row, column: usize) -> Step<Arc<Profile>> {
    let id = user_id(row, column)?;
    let username = maybe_shared(row, column + 1)?.unwrap_or_else(|| id.as_str().into());
    let name = maybe_shared(row, column + 2)?.unwrap_or_else(|| username.clone());
    Ok(Arc::new(Profile { id, username, name, avatar: maybe_shared(row, column + 3)? }))
}

/// What [`conversation`] reads: twelve columns of a `conversations c`.
pub(super) const CONVERSATION: &str = "c.id, c.kind, c.state, c.title, c.subject, c.external_id, \
     c.metadata, c.epoch, c.last_seq, c.receipts, c.created_at, c.active_at";

/// From [`CONVERSATION`].
pub(super) fn conversation(row: &Row) -> Step<Conversation> {
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
        created_at: integer(row, 10)?,
        active_at: integer(row, 11)?,
    })
}

/// What [`participant`] reads: nine columns of `participants p JOIN users u ON u.id = p.user_id`.
pub(super) const PARTICIPANT: &str = "u.id, u.username, u.name, u.avatar, \
     p.role, p.joined_seq, p.delivered_seq, p.read_seq, u.last_seen";

/// From [`PARTICIPANT`], which begins at a column.
pub(super) fn participant(row: &Row, column: usize) -> Step<Participant> {
    Ok(Participant {
        profile: profile(row, column)?,
        role: read_role(row, column + 4)?,
        joined_seq: seq(row, column + 5)?,
        watermark: Watermark { delivered: seq(row, column + 6)?, read: seq(row, column + 7)? },
        last_seen: integer(row, column + 8)?,
    })
}

/// What [`message`] reads: 16 columns of [`MESSAGES`].
pub(super) const MESSAGE: &str = "m.id, m.conversation, m.seq, m.change_seq, m.client_id, m.kind, \
     m.text, m.metadata, m.reply_to, m.created_at, m.edited_at, m.deleted_at, \
     u.id, u.username, u.name, u.avatar";

/// How many columns [`MESSAGE`] has.
pub(super) const MESSAGE_COLUMNS: usize = 16;

/// Messages with those who sent them.
pub(super) const MESSAGES: &str = "messages m JOIN users u ON u.id = m.sender";

/// From [`MESSAGE`].
pub(super) fn message(row: &Row) -> Step<Message> {
    message_at(row, 0)
}

/// From [`MESSAGE`], which begins at a column.
pub(super) fn message_at(row: &Row, column: usize) -> Step<Message> {
    let client_id = match row.try_get::<_, Option<&str>>(column + 4)? {
        Some(id) => Some(ClientId::new(id).map_err(Error::internal)?),
        None => None,
    };
    let content = match maybe_shared(row, column + 6)? {
        Some(text) => Some(Content { text, metadata: maybe_shared(row, column + 7)? }),
        None => None,
    };
    let reply_to = row.try_get::<_, Option<i64>>(column + 8)?;
    Ok(Message {
        id: MessageId(number(row, column)?),
        conversation: ConversationId(number(row, column + 1)?),
        seq: seq(row, column + 2)?,
        change_seq: seq(row, column + 3)?,
        sender: profile(row, column + 12)?,
        client_id,
        kind: read_message_kind(row, column + 5)?,
        content,
        reply_to: reply_to.and_then(|id| u64::try_from(id).ok()).map(MessageId),
        created_at: integer(row, column + 9)?,
        edited_at: row.try_get(column + 10)?,
        deleted_at: row.try_get(column + 11)?,
    })
}
