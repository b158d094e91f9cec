//! What the host knows of reading becomes watermarks.

use std::collections::BTreeMap;

use parlour_core::{
    ConversationId, Seq,
    port::store::transfer::{Fault, HostRead, ReadUpTo},
};

use super::{
    history::{Batch, Groups},
    log::Log,
};
use crate::{
    postgres::{
        batch::Tx,
        db::{Db, Step},
        rows::{int, number, seq, user_id},
    },
    transfer::Marks,
};

/// Moves the watermarks of the conversations to what the batch tells.
pub(super) async fn move_marks(
    tx: &mut Tx,
    batch: &mut Batch<'_>,
    logs: &mut BTreeMap<ConversationId, Log>,
    groups: &Groups<'_>,
) -> Step<()> {
    let mut told = BTreeMap::new();
    for (id, group) in groups {
        let mut marks = Marks::default();
        for (seq, message) in &group.placed {
            marks.message(*seq, message);
        }
        for (_, message, _) in &group.known {
            if let Some((_, seq)) = batch.known.place(&message.host_id) {
                marks.message(seq, message);
            }
        }
        for (index, read) in &group.reads {
            match end(&tx.db, batch, *id, read).await? {
                Ok(seq) => marks.raise(&read.user, seq),
                Err(fault) => batch.fault(*index, fault),
            }
        }
        told.insert(*id, marks);
    }
    let ids: Vec<i64> = groups.keys().map(|id| int(id.0)).collect();
    let sql = "SELECT conversation, user_id, read_seq FROM participants WHERE conversation = ANY($1) \
               ORDER BY conversation, user_id";
    let marks = tx
        .db
        .all(sql, &[&ids], |row| {
            Ok((ConversationId(number(row, 0)?), user_id(row, 1)?, seq(row, 2)?))
        })
        .await?;
    let (mut places, mut users) = (Vec::new(), Vec::new());
    let (mut reads, mut versions, mut times) = (Vec::new(), Vec::new(), Vec::new());
    for (id, user, read) in &marks {
        let Some(to) = told.get(id).map(|marks| marks.of(user)).filter(|to| to > read) else {
            continue;
        };
        let Some(log) = logs.get_mut(id) else { continue };
        places.push(int(id.0));
        users.push(user.as_str());
        reads.push(int(to.0));
        versions.push(int(log.next_receipt()));
        times.push(log.latest_at);
    }
    tx.send(
        "UPDATE participants p SET read_seq = m.read, delivered_seq = greatest(p.delivered_seq, m.read), \
           receipt_version = m.version, receipt_at = m.at \
         FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[]) \
           AS m (conversation, user_id, read, version, at) \
         WHERE p.conversation = m.conversation AND p.user_id = m.user_id",
        &[&places, &users, &reads, &versions, &times],
    )
    .await
}

/// How far somebody has read.
async fn end(
    db: &Db,
    batch: &Batch<'_>,
    conversation: ConversationId,
    read: &HostRead,
) -> Step<Result<Seq, Fault>> {
    match &read.up_to {
        ReadUpTo::Message(host_id) => {
            let place = batch.known.place(host_id).filter(|(at, _)| *at == conversation);
            Ok(place.map(|(_, seq)| seq).ok_or_else(|| Fault::NoMessage(host_id.clone())))
        }
        ReadUpTo::Time(time) => {
            let sql = "SELECT seq FROM messages WHERE conversation = $1 AND created_at <= $2 \
                       ORDER BY seq DESC LIMIT 1";
            let found = db.one(sql, &[&int(conversation.0), time], |row| seq(row, 0)).await?;
            Ok(Ok(found.unwrap_or_default()))
        }
    }
}
