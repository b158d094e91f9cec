//! Rows become records of a dump. The columns are those that `dump` names.

use parlour_core::{
    ClientId, ConversationId, MessageId,
    model::UserState,
    port::store::transfer::{
        Dump, DumpedBlock, DumpedChange, DumpedConversation, DumpedKey, DumpedMembership,
        DumpedMessage, DumpedParticipant, DumpedRevision, DumpedUser,
    },
};
use rusqlite::{Row, types::Type};

use super::keys;
use crate::{
    sqlite::rows::{
        maybe_shared, number, read_change_kind, read_conversation_kind, read_conversation_state,
        read_message_kind, read_role, read_user_state, seq, shared, user_id,
    },
    transfer::dumped_change_kind,
};

pub(super) fn user(row: &Row<'_>) -> rusqlite::Result<Dump> {
    Ok(Dump::User(DumpedUser {
        id: user_id(row, 0)?,
        username: maybe_shared(row, 1)?,
        name: maybe_shared(row, 2)?,
        email: maybe_shared(row, 3)?,
        avatar: maybe_shared(row, 4)?,
        banned: read_user_state(row, 5)? == UserState::Banned,
        revoked_before: row.get(6)?,
        last_seen: row.get(7)?,
        created_at: row.get(8)?,
    }))
}

pub(super) fn block(row: &Row<'_>) -> rusqlite::Result<Dump> {
    Ok(Dump::Block(DumpedBlock {
        blocker: user_id(row, 0)?,
        blocked: user_id(row, 1)?,
        at: row.get(2)?,
    }))
}

pub(super) fn conversation(row: &Row<'_>) -> rusqlite::Result<Dump> {
    Ok(Dump::Conversation(DumpedConversation {
        id: ConversationId(number(row, 0)?),
        kind: read_conversation_kind(row, 1)?,
        state: read_conversation_state(row, 2)?,
        title: maybe_shared(row, 3)?,
        subject: maybe_shared(row, 4)?,
        external_id: maybe_shared(row, 5)?,
        direct_key: maybe_shared(row, 6)?,
        metadata: maybe_shared(row, 7)?,
        last_seq: seq(row, 8)?,
        receipts: number(row, 9)?,
        created_at: row.get(10)?,
        active_at: row.get(11)?,
        latest_at: row.get(12)?,
    }))
}

pub(super) fn participant(row: &Row<'_>) -> rusqlite::Result<Dump> {
    Ok(Dump::Participant(DumpedParticipant {
        conversation: ConversationId(number(row, 0)?),
        user: user_id(row, 1)?,
        role: read_role(row, 2)?,
        joined_seq: seq(row, 3)?,
        entered_seq: seq(row, 4)?,
        delivered_seq: seq(row, 5)?,
        read_seq: seq(row, 6)?,
        receipt_version: number(row, 7)?,
        receipt_at: row.get(8)?,
        joined_at: row.get(9)?,
    }))
}

pub(super) fn membership(row: &Row<'_>) -> rusqlite::Result<Dump> {
    Ok(Dump::Membership(DumpedMembership {
        conversation: ConversationId(number(row, 0)?),
        user: user_id(row, 1)?,
        from_seq: seq(row, 2)?,
        to_seq: seq(row, 3)?,
    }))
}

pub(super) fn message(row: &Row<'_>) -> rusqlite::Result<Dump> {
    let client_id = maybe_shared(row, 5)?.map(|id| ClientId::new(&id)).transpose();
    let client_id = client_id.map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(5, Type::Text, Box::new(error))
    })?;
    let reply_to: Option<i64> = row.get(10)?;
    Ok(Dump::Message(DumpedMessage {
        id: MessageId(number(row, 0)?),
        conversation: ConversationId(number(row, 1)?),
        seq: seq(row, 2)?,
        change_seq: seq(row, 3)?,
        sender: user_id(row, 4)?,
        client_id,
        content_hash: row.get(6)?,
        kind: read_message_kind(row, 7)?,
        text: maybe_shared(row, 8)?,
        metadata: maybe_shared(row, 9)?,
        reply_to: reply_to.and_then(|id| u64::try_from(id).ok()).map(MessageId),
        created_at: row.get(11)?,
        edited_at: row.get(12)?,
        deleted_at: row.get(13)?,
    }))
}

pub(super) fn revision(row: &Row<'_>) -> rusqlite::Result<Dump> {
    Ok(Dump::Revision(DumpedRevision {
        message: MessageId(number(row, 0)?),
        seq: seq(row, 1)?,
        text: shared(row, 2)?,
        at: row.get(3)?,
    }))
}

pub(super) fn change(row: &Row<'_>) -> rusqlite::Result<Dump> {
    let is_there =
        |column| row.get_ref(column).map(|value| value != rusqlite::types::ValueRef::Null);
    Ok(Dump::Change(DumpedChange {
        conversation: ConversationId(number(row, 0)?),
        seq: seq(row, 1)?,
        kind: dumped_change_kind(read_change_kind(row, 2)?),
        actor: user_id(row, 3)?,
        user: if is_there(4)? { Some(user_id(row, 4)?) } else { None },
        role: if is_there(5)? { Some(read_role(row, 5)?) } else { None },
        title: maybe_shared(row, 6)?,
        state: if is_there(7)? { Some(read_conversation_state(row, 7)?) } else { None },
        metadata: maybe_shared(row, 8)?,
        at: row.get(9)?,
    }))
}

pub(super) fn key(row: &Row<'_>) -> rusqlite::Result<Dump> {
    Ok(Dump::Key(DumpedKey {
        source: shared(row, 0)?,
        kind: keys::read_kind(row, 1)?,
        host_id: shared(row, 2)?,
        target: number(row, 3)?,
        state: row.get(4)?,
    }))
}
