//! What the host has edited or deleted since it was imported: a Change at the end of the log.

use std::sync::Arc;

use parlour_core::{
    MessageId,
    model::Millis,
    port::store::transfer::{HostMessage, ImportOptions, KeyKind},
};

use super::{keys, log::Log, messages};
use crate::sqlite::{
    batch::Tx,
    db::Step,
    rows::{int, maybe_shared},
};

/// A message as it is here.
struct Present {
    text: Option<Arc<str>>,
    metadata: Option<Arc<str>>,
    change_seq: i64,
    since: Millis,
}

/// Brings a message to the state that the host tells. What is deleted here stays deleted.
pub(super) fn amend(
    tx: &mut Tx<'_>,
    options: &ImportOptions,
    log: &mut Log,
    id: MessageId,
    host: &HostMessage,
) -> Step<()> {
    let present = tx.db.one(
        "SELECT text, metadata, change_seq, coalesce(edited_at, created_at) FROM messages WHERE id = ?1",
        [int(id.0)],
        |row| {
            Ok(Present {
                text: maybe_shared(row, 0)?,
                metadata: maybe_shared(row, 1)?,
                change_seq: row.get(2)?,
                since: row.get(3)?,
            })
        },
    )?;
    if let Some(Present { text: Some(text), metadata, change_seq, since }) = present {
        match &host.text {
            None => delete(tx, log, id, host.deleted_at.unwrap_or(options.now))?,
            Some(new) if *new != text || host.metadata != metadata => {
                tx.db.run(
                    "INSERT INTO revisions (message, seq, text, at) VALUES (?1, ?2, ?3, ?4)",
                    (int(id.0), change_seq, &text, since),
                )?;
                let at = host.edited_at.unwrap_or(options.now).max(log.latest_at);
                let seq = log.next(at);
                tx.db.run(
                    "UPDATE messages SET text = ?2, metadata = ?3, change_seq = ?4, edited_at = ?5 \
                     WHERE id = ?1",
                    (int(id.0), new, &host.metadata, int(seq.0), at),
                )?;
            }
            Some(_) => {}
        }
    }
    let state = messages::state(host);
    keys::keep(tx.db, &options.source, KeyKind::Message, &host.host_id, id.0, &state)?;
    Ok(())
}

fn delete(tx: &mut Tx<'_>, log: &mut Log, id: MessageId, at: Millis) -> Step<()> {
    let at = at.max(log.latest_at);
    let seq = log.next(at);
    tx.db.run("DELETE FROM revisions WHERE message = ?1", [int(id.0)])?;
    tx.db.run(
        "UPDATE messages SET text = NULL, metadata = NULL, change_seq = ?2, deleted_at = ?3 WHERE id = ?1",
        (int(id.0), int(seq.0), at),
    )?;
    tx.note_erasure();
    Ok(())
}
