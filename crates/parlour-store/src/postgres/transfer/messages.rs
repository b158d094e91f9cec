//! The host's messages get their places in logs.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use parlour_core::{
    ClientId, ConversationId, MessageId, Seq, UserId,
    model::{ConversationKind, MessageKind, Millis},
    port::store::transfer::{Fault, HostMessage, KeyKind},
};

use super::{
    history::{Batch, Group, Groups},
    log::Log,
    merge,
    restore::pass_over,
};
use crate::{
    postgres::{
        batch::Tx,
        db::{Db, Failure, Step},
        rows::{self, int, maybe_shared, number, seq, shared, user_id},
    },
    stored::{fold, hash_of},
    transfer::{kept_number, message_state, sort},
};

/// A message under its sender's client id.
struct Sent {
    id: u64,
    seq: Seq,
    text: Option<std::sync::Arc<str>>,
}

/// What decides whether messages can be said: who is in direct conversations, and client ids.
pub(super) struct Facts {
    directs: HashSet<(ConversationId, UserId)>,
    sent: HashMap<(ConversationId, UserId, Box<str>), Sent>,
}

impl Facts {
    /// Asks for all messages of a batch.
    pub(super) async fn load(
        db: &Db,
        groups: &Groups<'_>,
        logs: &BTreeMap<ConversationId, Log>,
    ) -> Step<Self> {
        let is_direct = |id: &&ConversationId| {
            logs.get(id).is_some_and(|log| log.kind == ConversationKind::Direct)
        };
        let directs: Vec<i64> = groups.keys().filter(is_direct).map(|id| int(id.0)).collect();
        let sql = "SELECT conversation, user_id FROM participants WHERE conversation = ANY($1)";
        let directs = db.send(sql, &[&directs]).await?;
        let (mut ids, mut senders, mut client_ids) = (Vec::new(), Vec::new(), Vec::new());
        for (id, group) in groups {
            for (_, message) in &group.fresh {
                if let Some(client_id) = &message.client_id {
                    ids.push(int(id.0));
                    senders.push(message.sender.as_str());
                    client_ids.push(client_id.as_str());
                }
            }
        }
        let sent = db
            .send(
                "SELECT m.conversation, m.sender, m.client_id, m.id, m.seq, m.text \
                 FROM unnest($1::bigint[], $2::text[], $3::text[]) AS w (conversation, sender, client_id) \
                   JOIN messages m ON m.conversation = w.conversation AND m.sender = w.sender \
                     AND m.client_id = w.client_id",
                &[&ids, &senders, &client_ids],
            )
            .await?;
        let directs = directs.all(|row| Ok((ConversationId(number(row, 0)?), user_id(row, 1)?)));
        let directs = directs.await?.into_iter().collect();
        let sent = sent.all(|row| {
            let key =
                (ConversationId(number(row, 0)?), user_id(row, 1)?, (*shared(row, 2)?).into());
            let sent = Sent { id: number(row, 3)?, seq: seq(row, 4)?, text: maybe_shared(row, 5)? };
            Ok((key, sent))
        });
        Ok(Self { directs, sent: sent.await?.into_iter().collect() })
    }

    /// Whether a message can be said there; the message that it is already, by its client id.
    fn check(&self, log: &Log, message: &HostMessage) -> Result<Option<(u64, Seq)>, Fault> {
        if log.kind == ConversationKind::Direct
            && message.kind == MessageKind::Text
            && !self.directs.contains(&(log.id, message.sender.clone()))
        {
            return Err(Fault::NotIn(message.sender.clone()));
        }
        let Some(client_id) = &message.client_id else { return Ok(None) };
        let key = (log.id, message.sender.clone(), client_id.as_str().into());
        match self.sent.get(&key) {
            None => Ok(None),
            Some(sent) if sent.text == message.text => Ok(Some((sent.id, sent.seq))),
            Some(_) => Err(Fault::ClientId),
        }
    }
}

/// Gives the new messages of a batch their places in a conversation, in the order of time and id.
pub(super) async fn place<'a>(
    tx: &mut Tx,
    batch: &mut Batch<'a>,
    facts: &Facts,
    log: &mut Log,
    group: &mut Group<'a>,
) -> Step<()> {
    let mut fresh = std::mem::take(&mut group.fresh);
    sort(&mut fresh);
    let mut checked = Vec::with_capacity(fresh.len());
    let mut client_ids = HashSet::new();
    for (index, message) in fresh {
        match facts.check(log, message) {
            Ok(None) => {
                let named = message.client_id.as_ref().map(|id| (&message.sender, id.as_str()));
                if named.is_some_and(|named| !client_ids.insert(named)) {
                    batch.fault(index, Fault::ClientId);
                } else {
                    checked.push((index, message));
                }
            }
            Ok(Some((same, seq))) => {
                // The host has sent it to us as well: it is here already.
                let state = message_state(message);
                batch.known.keep_message(&message.host_id, same, state, (log.id, seq));
                group.known.push((MessageId(same), message, false));
            }
            Err(fault) => batch.fault(index, fault),
        }
    }
    if log.last_seq > Seq::ZERO {
        let older = checked.partition_point(|(_, message)| message.created_at() < log.latest_at);
        if older > 0 && batch.options.merge {
            let (shift, places) = merge::make_room(tx, log, &checked).await?;
            batch.known.shift(log.id, &shift);
            group.placed =
                places.into_iter().zip(checked.into_iter().map(|(_, host)| host)).collect();
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
        group.placed.push((seq, message));
    }
    Ok(())
}

/// The columns of new messages.
#[derive(Default)]
struct Columns<'a> {
    ids: Vec<i64>,
    conversations: Vec<i64>,
    seqs: Vec<i64>,
    senders: Vec<&'a str>,
    client_ids: Vec<Option<&'a str>>,
    hashes: Vec<Vec<u8>>,
    kinds: Vec<i64>,
    texts: Vec<Option<&'a str>>,
    metadata: Vec<Option<&'a str>>,
    replies: Vec<Option<i64>>,
    created: Vec<i64>,
    edited: Vec<Option<i64>>,
    deleted: Vec<Option<i64>>,
}

/// Stores messages in their places.
pub(super) async fn store<'a>(
    tx: &mut Tx,
    batch: &mut Batch<'a>,
    fresh: Vec<(ConversationId, Seq, &'a HostMessage)>,
) -> Step<()> {
    if fresh.is_empty() {
        return Ok(());
    }
    know_senders(tx, &fresh).await?;
    let ids = numbers(tx, batch, &fresh).await?;
    let mut columns = Columns::default();
    for ((conversation, seq, message), id) in fresh.into_iter().zip(ids) {
        let reply_to = match &message.reply_to {
            None => None,
            Some(target) => {
                let place = batch.known.place(target);
                let found = batch.known.find(KeyKind::Message, target).map(|(id, _)| id);
                let found = found.filter(|_| place.is_some_and(|(at, _)| at == conversation));
                batch.report.lost_replies += u64::from(found.is_none());
                found
            }
        };
        let place = (conversation, seq);
        batch.known.keep_message(&message.host_id, id, message_state(message), place);
        columns.add(id, place, message, reply_to);
        batch.report.messages += 1;
    }
    columns.send(tx).await
}

/// Makes the senders who are unknown.
async fn know_senders(tx: &mut Tx, fresh: &[(ConversationId, Seq, &HostMessage)]) -> Step<()> {
    let mut senders: BTreeMap<&str, Millis> = BTreeMap::new();
    for (_, _, message) in fresh {
        senders.entry(message.sender.as_str()).or_insert_with(|| message.created_at());
    }
    let folded: Vec<String> = senders.keys().map(|id| fold(id)).collect();
    let (ids, times): (Vec<&str>, Vec<i64>) = senders.into_iter().unzip();
    tx.send(
        "INSERT INTO users (id, created_at, id_fold, username_fold, name_fold) \
         SELECT s.id, s.at, s.folded, s.folded, s.folded \
         FROM unnest($1::text[], $2::bigint[], $3::text[]) AS s (id, at, folded) ON CONFLICT DO NOTHING",
        &[&ids, &times, &folded],
    )
    .await
}

/// The ids of new messages: the host's numbers, where they are kept and free, else the next ones.
async fn numbers(
    tx: &mut Tx,
    batch: &mut Batch<'_>,
    fresh: &[(ConversationId, Seq, &HostMessage)],
) -> Step<Vec<u64>> {
    let wanted: Vec<Option<u64>> =
        fresh.iter().map(|(_, _, host)| kept_number(batch.options, &host.host_id)).collect();
    let named: Vec<i64> = wanted.iter().flatten().copied().map(int).collect();
    let sql = "SELECT id FROM messages WHERE id = ANY($1)";
    let taken: BTreeSet<u64> =
        tx.db.all(sql, &[&named], |row| number(row, 0)).await?.into_iter().collect();
    let kept: Vec<Option<u64>> =
        wanted.iter().map(|id| id.filter(|id| !taken.contains(id))).collect();
    batch.report.renumbered +=
        (wanted.iter().flatten().count() - kept.iter().flatten().count()) as u64;
    pass_over(tx, "messages", kept.iter().flatten().copied().map(int).max().unwrap_or(0)).await?;
    let missing = rows::limit(kept.iter().filter(|id| id.is_none()).count());
    let sql = "SELECT nextval('messages_id_seq') FROM generate_series(1, $1)";
    let mut given = tx.db.all(sql, &[&missing], |row| number(row, 0)).await?.into_iter();
    let ids = kept.into_iter().map(|id| id.or_else(|| given.next()).ok_or(Failure::Again));
    ids.collect()
}

impl<'a> Columns<'a> {
    fn add(
        &mut self,
        id: u64,
        (conversation, seq): (ConversationId, Seq),
        message: &'a HostMessage,
        reply_to: Option<u64>,
    ) {
        let text = message.text.as_deref();
        let metadata = message.metadata.as_deref().filter(|_| text.is_some());
        let answered = reply_to.map(MessageId);
        let hash = hash_of(text.unwrap_or_default(), metadata, message.kind, answered);
        self.ids.push(int(id));
        self.conversations.push(int(conversation.0));
        self.seqs.push(int(seq.0));
        self.senders.push(message.sender.as_str());
        self.client_ids.push(message.client_id.as_ref().map(ClientId::as_str));
        self.hashes.push(hash.to_vec());
        self.kinds.push(rows::message_kind(message.kind));
        self.texts.push(text);
        self.metadata.push(metadata);
        self.replies.push(reply_to.map(int));
        self.created.push(message.created_at());
        self.edited.push(message.edited_at);
        self.deleted.push(message.deleted_at.filter(|_| text.is_none()));
    }

    async fn send(self, tx: &mut Tx) -> Step<()> {
        tx.send(
            "INSERT INTO messages (id, conversation, seq, change_seq, sender, client_id, content_hash, kind, \
               text, metadata, reply_to, created_at, edited_at, deleted_at) \
             SELECT n.id, n.conversation, n.seq, n.seq, n.sender, n.client_id, n.content_hash, n.kind, \
               n.text, n.metadata, n.reply_to, n.created_at, n.edited_at, n.deleted_at \
             FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::bytea[], \
               $7::bigint[], $8::text[], $9::text[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[]) \
               AS n (id, conversation, seq, sender, client_id, content_hash, kind, text, metadata, reply_to, \
                 created_at, edited_at, deleted_at)",
            &[
                &self.ids,
                &self.conversations,
                &self.seqs,
                &self.senders,
                &self.client_ids,
                &self.hashes,
                &self.kinds,
                &self.texts,
                &self.metadata,
                &self.replies,
                &self.created,
                &self.edited,
                &self.deleted,
            ],
        )
        .await
    }
}
