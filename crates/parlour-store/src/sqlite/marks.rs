//! Watermarks: how far a participant has received and read.

use std::sync::Arc;

use parlour_core::{
    ConversationId, Error, MessageId, Seq, UserId,
    command::MarkTarget,
    event::{Covered, Event, Origin},
    model::{Millis, Watermark},
    policy::Action,
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
    let view = View::known(tx.db, conversation, &context.actor)?;
    view.allow(Action::Read)?;
    view.place.mine.ok_or_else(Error::not_found)?;
    let up_to = match up_to {
        MarkTarget::Seq(seq) => seq.min(view.head.last_seq),
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
    Ok(advance(tx, context, view, up_to, read)?)
}

/// Moves the actor's watermark to a seq of the log, if that is forward. Where it stands now.
fn advance(
    tx: &mut Tx<'_>,
    context: &Context,
    mut view: View,
    up_to: Seq,
    read: bool,
) -> rusqlite::Result<Watermark> {
    let from = view.place.mine.map(|mine| mine.watermark).unwrap_or_default();
    let to = Watermark {
        delivered: from.delivered.max(up_to),
        read: if read { from.read.max(up_to) } else { from.read },
    };
    if to != from {
        let at = view.time(context.now);
        let covered = covered(tx.db, view.conversation, &view.user, (from.read, to.read))?;
        publish_move(tx, &mut view, &Move { from, to, covered, at }, context.origin)?;
        tx.db.views().keep(&view);
    }
    Ok(to)
}

/// Moves the actor's delivered mark; does nothing where he is no participant or has it already.
pub(super) fn receive(
    tx: &mut Tx<'_>,
    context: &Context,
    conversation: ConversationId,
    up_to: Seq,
) -> Step<()> {
    let is_behind = "SELECT 1 FROM participants \
         WHERE conversation = ?1 AND user = ?2 AND delivered_seq < ?3";
    let user = context.actor.user.as_str();
    if tx.db.exists(is_behind, (int(conversation.0), user, int(up_to.0)))? {
        let view = View::known(tx.db, conversation, &context.actor)?;
        let up_to = up_to.min(view.head.last_seq);
        advance(tx, context, view, up_to, false)?;
    }
    Ok(())
}

/// How far the read mark moves in each conversation when these messages are read; nothing where none are unread.
pub(super) fn newly_read(
    db: &Db,
    user: &UserId,
    only: Option<ConversationId>,
    mut messages: Vec<MessageId>,
) -> rusqlite::Result<Vec<(ConversationId, Seq)>> {
    messages.sort_unstable_by(|one, other| other.cmp(one));
    messages.dedup();
    let mut marks: Vec<(ConversationId, Seq, bool)> = Vec::new();
    for message in messages {
        // What he has not read he sees: his mark is never before his joining.
        let found = db.one(
            "SELECT m.conversation, m.seq, m.seq > p.read_seq FROM messages m \
             JOIN participants p ON p.conversation = m.conversation AND p.user = ?2 \
             WHERE m.id = ?1 AND m.sender <> ?2 AND (?3 IS NULL OR m.conversation = ?3)",
            (int(message.0), user.as_str(), only.map(|only| int(only.0))),
            |row| Ok((ConversationId(number(row, 0)?), rows::seq(row, 1)?, row.get(2)?)),
        )?;
        let Some((conversation, seq, is_new)) = found else { continue };
        match marks.iter_mut().find(|mark| mark.0 == conversation) {
            Some(mark) => mark.1 = mark.1.max(seq),
            None => marks.push((conversation, seq, is_new)),
        }
        if only.is_some() {
            // Ids ascend with the seqs of a conversation: the first that counts is the furthest.
            break;
        }
    }
    let moves = marks.into_iter().filter(|mark| mark.2).map(|(id, seq, _)| (id, seq));
    Ok(moves.collect())
}

/// Marks read in several conversations; those that he has left meanwhile are passed over.
pub(super) fn mark_read(
    tx: &mut Tx<'_>,
    context: &Context,
    marks: &[(ConversationId, Seq)],
) -> Step<()> {
    for (conversation, seq) in marks {
        let view = View::known(tx.db, *conversation, &context.actor)?;
        if view.place.mine.is_some() {
            let up_to = (*seq).min(view.head.last_seq);
            advance(tx, context, view, up_to, true)?;
        }
    }
    Ok(())
}

/// What others have said that the actor has not read and that still stands: the newest, oldest first.
pub(super) fn unread(db: &Db, view: &View, user: &UserId) -> rusqlite::Result<Arc<[Covered]>> {
    match &view.place.mine {
        Some(mine) => {
            covered(db, view.conversation, user, (mine.watermark.read, view.head.last_seq))
        }
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
    view: &mut View,
    covered: Arc<[Covered]>,
) -> rusqlite::Result<()> {
    let Some(mine) = &mut view.place.mine else {
        return Ok(());
    };
    tx.db.unwritten().read(view.conversation, &view.user, view.head.last_seq);
    let to = Watermark { delivered: view.head.last_seq, read: view.head.last_seq };
    if !covered.is_empty() {
        let (from, at) = (mine.watermark, view.head.latest_at);
        return publish_move(tx, view, &Move { from, to, covered, at }, None);
    }
    mine.watermark = to;
    Ok(())
}

fn publish_move(
    tx: &mut Tx<'_>,
    view: &mut View,
    moved: &Move,
    origin: Option<Origin>,
) -> rusqlite::Result<()> {
    let Move { from, to, ref covered, at } = *moved;
    let version = view.head.receipts + 1;
    view.head.receipts = version;
    if let Some(mine) = &mut view.place.mine {
        mine.watermark = to;
    }
    tx.db.run(
        "UPDATE participants SET delivered_seq = ?3, read_seq = ?4, receipt_version = ?5, receipt_at = ?6 \
         WHERE conversation = ?1 AND user = ?2",
        (
            int(view.conversation.0),
            view.user.as_str(),
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
        Event::Receipt { user: view.user.clone(), from, to, version, covered: covered.clone() };
    tx.publish(view.envelope(None, at, origin, receipt));
    Ok(())
}
