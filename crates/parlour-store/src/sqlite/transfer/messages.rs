//! The host's messages get their places in a log.

use parlour_core::{
    ClientId, ConversationId, MessageId, Seq,
    model::{ConversationKind, MessageKind},
    port::store::transfer::{Fault, HostMessage, KeyKind},
};

use super::{
    history::{Batch, Group},
    keys,
    log::Log,
    merge,
};
use crate::sqlite::{
    batch::Tx,
    client_ids,
    db::{Db, Step},
    directs, message_ids, messages as stored,
    rows::{self, int, number},
    users,
};
pub(super) use crate::transfer::message_state as state;
use crate::transfer::{kept_number, sort};

/// Where a message is.
pub(super) fn conversation_of(db: &Db, id: MessageId) -> rusqlite::Result<Option<ConversationId>> {
    db.one("SELECT conversation FROM messages WHERE id = ?1", [int(id.0)], |row| {
        number(row, 0).map(ConversationId)
    })
}

/// Puts the new messages of a batch into their conversation, in the order of time and id.
pub(super) fn place<'a>(
    tx: &mut Tx<'_>,
    batch: &mut Batch<'a>,
    log: &mut Log,
    group: &mut Group<'a>,
) -> Step<()> {
    let mut fresh = std::mem::take(&mut group.fresh);
    sort(&mut fresh);
    let mut checked = Vec::with_capacity(fresh.len());
    for (index, message) in fresh {
        match check(tx.db, log, message)? {
            Ok(None) => checked.push((index, message)),
            Ok(Some(same)) => {
                // The host has sent it to us as well: it is here already.
                let source = &batch.options.source;
                let (id, state) = (&message.host_id, state(message));
                keys::keep(tx.db, source, KeyKind::Message, id, same.0, &state)?;
                group.known.push((same, message, false));
            }
            Err(fault) => batch.fault(index, fault),
        }
    }
    if log.last_seq > Seq::ZERO {
        let older = checked.partition_point(|(_, message)| message.created_at() < log.latest_at);
        if older > 0 && batch.options.merge {
            let places = merge::make_room(tx.db, log, &checked)?;
            for ((_, message), seq) in checked.into_iter().zip(places) {
                store(tx, batch, log, message, seq)?;
                group.placed.push((seq, message));
            }
            return Ok(());
        }
        for (index, _) in checked.drain(..older) {
            batch.fault(index, Fault::Older);
        }
    } else if let Some((_, first)) = checked.first() {
        log.created_at = log.created_at.min(first.created_at());
        (log.active_at, log.latest_at) = (log.created_at, log.created_at);
    }
    for (_, message) in checked {
        let seq = log.next(message.created_at());
        log.active_at = log.latest_at;
        store(tx, batch, log, message, seq)?;
        group.placed.push((seq, message));
    }
    Ok(())
}

/// Whether a message can be said there; the message that it is already, by its client id.
fn check(db: &Db, log: &Log, message: &HostMessage) -> Step<Result<Option<MessageId>, Fault>> {
    if log.kind == ConversationKind::Direct
        && message.kind == MessageKind::Text
        && !directs::is_in(db, log.id, &message.sender)?
    {
        return Ok(Err(Fault::NotIn(message.sender.clone())));
    }
    let Some(key) = client_ids::key(log.id, &message.sender, &message.client_id) else {
        return Ok(Ok(None));
    };
    let Some(id) = client_ids::find(db, &key)? else {
        return Ok(Ok(None));
    };
    let same = "SELECT 1 FROM messages WHERE id = ?1 AND text IS ?2";
    let is_same = db.exists(same, (int(id.0), &message.text))?;
    Ok(if is_same { Ok(Some(id)) } else { Err(Fault::ClientId) })
}

fn store(
    tx: &Tx<'_>,
    batch: &mut Batch<'_>,
    log: &Log,
    message: &HostMessage,
    seq: Seq,
) -> Step<()> {
    let options = batch.options;
    users::ensure(tx, &message.sender, message.created_at())?;
    let reply_to = match &message.reply_to {
        None => None,
        Some(target) => {
            let found = answered(tx.db, &options.source, log.id, target)?;
            batch.report.lost_replies += u64::from(found.is_none());
            found
        }
    };
    let wanted = kept_number(options, &message.host_id);
    let id = match wanted {
        Some(id) if !tx.db.exists("SELECT 1 FROM messages WHERE id = ?1", [int(id)])? => {
            message_ids::keep(tx.db, MessageId(id));
            MessageId(id)
        }
        taken => {
            batch.report.renumbered += u64::from(taken.is_some());
            message_ids::next(tx.db)?
        }
    };
    let text = message.text.as_deref();
    let metadata = message.metadata.as_deref().filter(|_| text.is_some());
    let hash =
        stored::hash_of(text.unwrap_or_default(), metadata, message.kind, reply_to.map(MessageId));
    tx.db.run(
        "INSERT INTO messages (id, conversation, seq, change_seq, sender, client_id, content_hash, kind, \
           text, metadata, reply_to, created_at, edited_at, deleted_at) \
         VALUES (?1, ?2, ?3, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        (
            int(id.0),
            int(log.id.0),
            int(seq.0),
            message.sender.as_str(),
            message.client_id.as_ref().map(ClientId::as_str),
            hash,
            rows::message_kind(message.kind),
            text,
            metadata,
            reply_to.map(int),
            message.created_at(),
            message.edited_at,
            message.deleted_at.filter(|_| text.is_none()),
        ),
    )?;
    let key = client_ids::key(log.id, &message.sender, &message.client_id);
    client_ids::add_imported(tx.db, id, key)?;
    let (source, host_id) = (&options.source, &message.host_id);
    keys::keep(tx.db, source, KeyKind::Message, host_id, id.0, &state(message))?;
    batch.report.messages += 1;
    Ok(())
}

/// The message that a reply answers, if it is here, in this conversation.
fn answered(
    db: &Db,
    source: &str,
    conversation: ConversationId,
    host_id: &str,
) -> rusqlite::Result<Option<u64>> {
    let Some((target, _)) = keys::find(db, source, KeyKind::Message, host_id)? else {
        return Ok(None);
    };
    Ok((conversation_of(db, MessageId(target))? == Some(conversation)).then_some(target))
}

/// The seq of a message under the host's id, in this conversation.
pub(super) fn seq_of(
    db: &Db,
    source: &str,
    conversation: ConversationId,
    host_id: &str,
) -> rusqlite::Result<Option<Seq>> {
    match answered(db, source, conversation, host_id)? {
        None => Ok(None),
        Some(id) => seq_by_id(db, MessageId(id)),
    }
}

/// The seq of a message.
pub(super) fn seq_by_id(db: &Db, id: MessageId) -> rusqlite::Result<Option<Seq>> {
    db.one("SELECT seq FROM messages WHERE id = ?1", [int(id.0)], |row| rows::seq(row, 0))
}
