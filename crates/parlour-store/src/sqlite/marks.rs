//! Watermarks: how far a participant has received and read.

use std::sync::Arc;

use parlour_core::{
    ConversationId, Error, MessageId, Seq, UserId,
    command::MarkTarget,
    event::{Covered, Event, Origin},
    model::{Millis, Watermark},
    port::store::Context,
};

use super::{
    batch::Tx,
    db::{Db, Step},
    facts::View,
    rows::{self, int, limit, number, text},
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
        let covered = covered(tx.db, conversation, user, (from.read, to.read))?;
        publish_move(tx, &view, user, &Move { from, to, covered, at }, context.origin)?;
    }
    Ok(to)
}

/// What others have said that the actor has not read and that still stands: the newest, oldest first.
pub(super) fn unread(db: &Db, view: &View, user: &UserId) -> rusqlite::Result<Arc<[Covered]>> {
    match &view.mine {
        Some(mine) => covered(db, view.conversation, user, (mine.watermark.read, view.last_seq)),
        None => Ok(Arc::default()),
    }
}

/// The messages of others that stand in a range of seqs: the newest, oldest first. One index range.
fn covered(
    db: &Db,
    conversation: ConversationId,
    user: &UserId,
    (after, up_to): (Seq, Seq),
) -> rusqlite::Result<Arc<[Covered]>> {
    if after >= up_to {
        return Ok(Arc::default());
    }
    let mut newest = db.all(
        "SELECT id, sender FROM messages \
         WHERE conversation = ?1 AND seq > ?2 AND seq <= ?3 AND sender <> ?4 AND deleted_at IS NULL \
         ORDER BY seq DESC LIMIT ?5",
        (
            int(conversation.0),
            int(after.0),
            int(up_to.0),
            user.as_str(),
            limit(Covered::MOST),
        ),
        |row| {
            let message = MessageId(number(row, 0)?);
            // One id shared by all that he has said.
            Ok(Covered { message, sender: db.known_profile(text(row, 1)?)?.id.clone() })
        },
    )?;
    newest.reverse();
    Ok(newest.into())
}

/// How a watermark moves.
struct Move {
    from: Watermark,
    to: Watermark,
    covered: Arc<[Covered]>,
    at: Millis,
}

/// Who says something has read what was said before: moves his watermark to his new message. Others learn of
/// it by the message itself; only when it covers messages of theirs, which [`unread`] named, is a receipt published.
pub(super) fn follow_own_message(
    tx: &mut Tx<'_>,
    view: &View,
    user: &UserId,
    covered: Arc<[Covered]>,
) -> rusqlite::Result<()> {
    let Some(mine) = &view.mine else {
        return Ok(());
    };
    let to = Watermark { delivered: view.last_seq, read: view.last_seq };
    if !covered.is_empty() {
        let (from, at) = (mine.watermark, view.latest_at);
        return publish_move(tx, view, user, &Move { from, to, covered, at }, None);
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
    moved: &Move,
    origin: Option<Origin>,
) -> rusqlite::Result<()> {
    let Move { from, to, ref covered, at } = *moved;
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
    let receipt =
        Event::Receipt { user: user.clone(), from, to, version, covered: covered.clone() };
    tx.publish(view.envelope(None, at, origin, receipt));
    Ok(())
}
