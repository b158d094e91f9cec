//! What the host has edited or deleted since it was imported: a Change at the end of the log.

use std::sync::Arc;

use parlour_core::{
    MessageId,
    model::Millis,
    port::store::transfer::{HostMessage, KeyKind},
};

use super::{history::Batch, log::Log};
use crate::{
    postgres::{
        batch::Tx,
        db::Step,
        rows::{int, integer, maybe_shared},
    },
    transfer::message_state,
};

/// A message as it is here.
struct Present {
    text: Option<Arc<str>>,
    metadata: Option<Arc<str>>,
    change_seq: i64,
    since: Millis,
}

/// Brings a message to the state that the host tells. What is deleted here stays deleted.
pub(super) async fn amend(
    tx: &mut Tx,
    batch: &mut Batch<'_>,
    log: &mut Log,
    id: MessageId,
    host: &HostMessage,
) -> Step<()> {
    let sql = "SELECT text, metadata, change_seq, coalesce(edited_at, created_at) FROM messages WHERE id = $1";
    let present = tx
        .db
        .one(sql, &[&int(id.0)], |row| {
            Ok(Present {
                text: maybe_shared(row, 0)?,
                metadata: maybe_shared(row, 1)?,
                change_seq: integer(row, 2)?,
                since: integer(row, 3)?,
            })
        })
        .await?;
    let now = batch.options.now;
    if let Some(Present { text: Some(text), metadata, change_seq, since }) = present {
        match &host.text {
            None => delete(tx, log, id, host.deleted_at.unwrap_or(now)).await?,
            Some(new) if *new != text || host.metadata != metadata => {
                tx.send(
                    "INSERT INTO revisions (message, seq, text, at) VALUES ($1, $2, $3, $4)",
                    &[&int(id.0), &change_seq, &&*text, &since],
                )
                .await?;
                let at = host.edited_at.unwrap_or(now).max(log.latest_at);
                let seq = log.next(at);
                tx.send(
                    "UPDATE messages SET text = $2, metadata = $3, change_seq = $4, edited_at = $5 \
                     WHERE id = $1",
                    &[&int(id.0), &&**new, &host.metadata.as_deref(), &int(seq.0), &at],
                )
                .await?;
            }
            Some(_) => {}
        }
    }
    batch.known.keep(KeyKind::Message, &host.host_id, id.0, message_state(host));
    Ok(())
}

async fn delete(tx: &mut Tx, log: &mut Log, id: MessageId, at: Millis) -> Step<()> {
    let at = at.max(log.latest_at);
    let seq = log.next(at);
    tx.send("DELETE FROM revisions WHERE message = $1", &[&int(id.0)]).await?;
    tx.send(
        "UPDATE messages SET text = NULL, metadata = NULL, change_seq = $2, deleted_at = $3 WHERE id = $1",
        &[&int(id.0), &int(seq.0), &at],
    )
    .await
}
