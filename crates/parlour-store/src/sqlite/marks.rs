//! Watermarks: how far a participant has received and read.

use parlour_core::{
    ConversationId, Error, Seq, UserId,
    command::MarkTarget,
    event::{Event, Origin},
    model::{Millis, Watermark},
    port::store::Context,
};

use super::{
    batch::Tx,
    db::{Db, Step},
    facts::View,
    rows::{self, int},
};

/// Moves the actor's watermark forward.
pub(super) fn mark(
    tx: &mut Tx<'_>,
    context: &Context,
    conversation: ConversationId,
    up_to: MarkTarget,
    read: bool,
) -> Step<Watermark> {
    let user = &context.actor.user;
    let view = View::readable(tx.db, conversation, &context.actor)?;
    let mine = view.mine.ok_or_else(Error::not_found)?;
    let from = mine.watermark;
    let up_to = match up_to {
        MarkTarget::Seq(seq) => seq.min(view.last_seq),
        MarkTarget::Message(id) => {
            let target = tx.db.one(
                "SELECT seq, sender = ?3 FROM messages WHERE id = ?1 AND conversation = ?2",
                (int(id.0), int(conversation.0), user.as_str()),
                |row| Ok((rows::seq(row, 0)?, row.get(1)?)),
            )?;
            match target {
                // One's own message says nothing about those of others.
                Some((seq, own)) if view.sight(tx.db)?.sees(seq) => {
                    if own {
                        Seq::ZERO
                    } else {
                        seq
                    }
                }
                _ => return Err(Error::not_found().into()),
            }
        }
    };
    let to = Watermark {
        delivered: from.delivered.max(up_to),
        read: if read { from.read.max(up_to) } else { from.read },
    };
    if to != from {
        let at = view.time(context.now);
        publish_move(tx, &view, user, (from, to), at, context.origin)?;
    }
    Ok(to)
}

/// Whether others have said something that the actor has not read and that still stands.
pub(super) fn has_unread(db: &Db, view: &View, user: &UserId) -> rusqlite::Result<bool> {
    match &view.mine {
        Some(mine) if mine.watermark.read < view.last_seq => db.exists(
            "SELECT 1 FROM messages \
             WHERE conversation = ?1 AND seq > ?2 AND sender <> ?3 AND deleted_at IS NULL",
            (int(view.conversation.0), int(mine.watermark.read.0), user.as_str()),
        ),
        _ => Ok(false),
    }
}

/// Who says something has read what was said before: moves his watermark to his new message. Others learn of
/// it by the message itself; only when it covers messages of theirs is a receipt published.
pub(super) fn follow_own_message(
    tx: &mut Tx<'_>,
    view: &View,
    user: &UserId,
    catches_up: bool,
) -> rusqlite::Result<()> {
    let Some(mine) = &view.mine else {
        return Ok(());
    };
    let to = Watermark { delivered: view.last_seq, read: view.last_seq };
    if catches_up {
        return publish_move(tx, view, user, (mine.watermark, to), view.latest_at, None);
    }
    tx.db.run(
        "UPDATE participants SET delivered_seq = ?3, read_seq = ?3 WHERE conversation = ?1 AND user = ?2",
        (int(view.conversation.0), user.as_str(), int(view.last_seq.0)),
    )?;
    Ok(())
}

fn publish_move(
    tx: &mut Tx<'_>,
    view: &View,
    user: &UserId,
    (from, to): (Watermark, Watermark),
    at: Millis,
    origin: Option<Origin>,
) -> rusqlite::Result<()> {
    let version = view.receipts + 1;
    tx.db.run(
        "UPDATE participants SET delivered_seq = ?3, read_seq = ?4, receipt_version = ?5, receipt_at = ?6 \
         WHERE conversation = ?1 AND user = ?2",
        (
            int(view.conversation.0),
            user.as_str(),
            int(to.delivered.0),
            int(to.read.0),
            int(version),
            at,
        ),
    )?;
    tx.db.run(
        "UPDATE conversations SET receipts = ?2 WHERE id = ?1",
        (int(view.conversation.0), int(version)),
    )?;
    let receipt = Event::Receipt { user: user.clone(), from, to, version };
    tx.publish(view.envelope(None, at, origin, receipt));
    Ok(())
}
