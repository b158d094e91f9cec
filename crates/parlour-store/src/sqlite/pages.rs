//! Reading messages: pages of a conversation, and what a message said before.

use std::sync::Arc;

use parlour_core::{
    ConversationId, MessageId, Seq, UserId,
    command::Actor,
    model::{Message, Revision},
    port::store::{HistoryFrom, HistoryPage, MessagePage, Page, UnreadPage},
};

use super::{
    db::{Db, Step},
    facts::{Sight, View},
    rows::{self, MESSAGE, int, limit, seq},
};

/// Which way a page is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    OldestFirst,
    NewestFirst,
}

/// Which of a conversation's messages are read.
struct Part<'a> {
    conversation: ConversationId,
    sight: &'a Sight,
    /// Leaves tombstones out.
    standing: bool,
}

/// A page of a conversation, as the actor may see it.
pub(super) fn page(
    db: &Db,
    actor: &Actor,
    conversation: ConversationId,
    page: Page,
    most: usize,
) -> Step<MessagePage> {
    let sight = View::readable(db, conversation, actor)?.sight(db)?;
    Ok(page_of(db, &Part { conversation, sight: &sight, standing: false }, page, most)?)
}

/// A page of what stands in a conversation, as the actor may see it, and how much that is in all.
pub(super) fn history(
    db: &Db,
    actor: &Actor,
    conversation: ConversationId,
    from: HistoryFrom,
    most: usize,
) -> Step<HistoryPage> {
    let sight = View::readable(db, conversation, actor)?.sight(db)?;
    let part = Part { conversation, sight: &sight, standing: true };
    let page = match from {
        HistoryFrom::Place(page) => page,
        HistoryFrom::Past(0) => Page::Newest,
        // Nothing is before the first seq.
        HistoryFrom::Past(skipped) => {
            Page::Before(nth_newest(db, &part, skipped)?.map_or(Seq::ZERO, Seq::next))
        }
    };
    let page = page_of(db, &part, page, most)?;
    Ok(HistoryPage { page, count: count_standing(db, &part)? })
}

fn page_of(db: &Db, part: &Part<'_>, page: Page, most: usize) -> rusqlite::Result<MessagePage> {
    let read = |after, up_to, most, order| between(db, part, (after, up_to), most, order);
    let end = Seq(u64::MAX);
    let (mut messages, has_before, has_after) = match page {
        Page::Newest | Page::Before(_) => {
            let last = match page {
                Page::Before(seq) => Seq(seq.0.saturating_sub(1)),
                Page::Newest | Page::After(_) => end,
            };
            let mut messages = read(Seq::ZERO, last, most.saturating_add(1), Order::NewestFirst)?;
            let has_before = messages.len() > most;
            messages.truncate(most);
            messages.reverse();
            let has_after = last != end && !read(last, end, 1, Order::OldestFirst)?.is_empty();
            (messages, has_before, has_after)
        }
        Page::After(seq) => {
            let messages = read(seq, end, most.saturating_add(1), Order::OldestFirst)?;
            let has_before = !read(Seq::ZERO, seq, 1, Order::NewestFirst)?.is_empty();
            let has_after = messages.len() > most;
            (messages, has_before, has_after)
        }
    };
    messages.truncate(most);
    Ok(MessagePage { messages, has_before, has_after })
}

/// The messages of a part after one seq and up to another.
fn between(
    db: &Db,
    part: &Part<'_>,
    (after, up_to): (Seq, Seq),
    most: usize,
    order: Order,
) -> rusqlite::Result<Vec<Arc<Message>>> {
    let direction = match order {
        Order::OldestFirst => "ASC",
        Order::NewestFirst => "DESC",
    };
    let standing = if part.standing { "AND m.deleted_at IS NULL" } else { "" };
    let sql = format!(
        "SELECT {MESSAGE} FROM messages m \
         WHERE m.conversation = ?1 AND m.seq > ?2 AND m.seq <= ?3 {standing} \
         ORDER BY m.seq {direction} LIMIT ?4"
    );
    let mut ranges = part.sight.ranges().to_vec();
    if order == Order::NewestFirst {
        ranges.reverse();
    }
    let mut messages = Vec::new();
    for (begin, end) in ranges {
        let (begin, end) = (begin.max(after), end.min(up_to));
        if begin >= end || messages.len() >= most {
            continue;
        }
        messages.extend(db.all(
            &sql,
            (int(part.conversation.0), int(begin.0), int(end.0), limit(most - messages.len())),
            |row| rows::message(db, row).map(Arc::new),
        )?);
    }
    Ok(messages)
}

/// Where the message stands that has so many newer ones which stand; `None` when there are not so many.
fn nth_newest(db: &Db, part: &Part<'_>, newer: usize) -> rusqlite::Result<Option<Seq>> {
    let mut left = newer;
    if left >= HistoryPage::COUNT_CAP as usize {
        return Ok(None);
    }
    for range in part.sight.ranges().iter().rev() {
        let found = db.one(
            "SELECT seq FROM messages \
             WHERE conversation = ?1 AND seq > ?2 AND seq <= ?3 AND deleted_at IS NULL \
             ORDER BY seq DESC LIMIT 1 OFFSET ?4",
            (int(part.conversation.0), int(range.0.0), int(range.1.0), limit(left)),
            |row| seq(row, 0),
        )?;
        if found.is_some() {
            return Ok(found);
        }
        let here = count_range(db, part, *range, HistoryPage::COUNT_CAP)?;
        left = left.saturating_sub(here as usize);
    }
    Ok(None)
}

/// How many messages of a part stand, up to [`HistoryPage::COUNT_CAP`].
fn count_standing(db: &Db, part: &Part<'_>) -> rusqlite::Result<u32> {
    let mut count = 0;
    for range in part.sight.ranges() {
        count += count_range(db, part, *range, HistoryPage::COUNT_CAP - count)?;
    }
    Ok(count)
}

fn count_range(
    db: &Db,
    part: &Part<'_>,
    (begin, end): (Seq, Seq),
    most: u32,
) -> rusqlite::Result<u32> {
    let count = db.one(
        "SELECT count(*) FROM (SELECT 1 FROM messages \
           WHERE conversation = ?1 AND seq > ?2 AND seq <= ?3 AND deleted_at IS NULL LIMIT ?4)",
        (int(part.conversation.0), int(begin.0), int(end.0), most),
        |row| row.get(0),
    )?;
    Ok(count.unwrap_or_default())
}

/// What others have said above a user's read marks and still stands, in the order of ids.
pub(super) fn unread(
    db: &Db,
    user: &UserId,
    after: Option<MessageId>,
    most: usize,
) -> rusqlite::Result<UnreadPage> {
    let behind = db.all(
        "SELECT p.conversation, p.read_seq FROM participants p JOIN conversations c ON c.id = p.conversation \
         WHERE p.user = ?1 AND p.read_seq < c.last_seq",
        [user.as_str()],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let after = after.map_or(0, |after| int(after.0));
    let (mut count, mut ids) = (0, Vec::new());
    for (conversation, read) in behind {
        if count < UnreadPage::COUNT_CAP {
            count += count_unread(db, (conversation, read), user, UnreadPage::COUNT_CAP - count)?;
        }
        // The sign keeps the index that has all of this, in the order of seqs, which is that of ids.
        ids.extend(db.all(
            "SELECT id FROM messages \
             WHERE conversation = ?1 AND seq > ?2 AND sender <> ?3 AND deleted_at IS NULL AND +id > ?4 \
             ORDER BY seq LIMIT ?5",
            (conversation, read, user.as_str(), after, limit(most.saturating_add(1))),
            |row| row.get::<_, i64>(0),
        )?);
        ids.sort_unstable();
        ids.truncate(most.saturating_add(1));
    }
    let has_more = ids.len() > most;
    ids.truncate(most);
    let sql = format!("SELECT {MESSAGE} FROM messages m WHERE m.id = ?1");
    let mut messages = Vec::with_capacity(ids.len());
    for id in ids {
        messages.extend(db.one(&sql, [id], |row| rows::message(db, row).map(Arc::new))?);
    }
    let next = messages.last().filter(|_| has_more).map(|last: &Arc<Message>| last.id);
    Ok(UnreadPage { messages, count, next })
}

/// Messages of others after a seq that still stand, counted up to `most`. Who joined later has read all before it.
pub(super) fn count_unread(
    db: &Db,
    (conversation, read): (i64, i64),
    user: &UserId,
    most: u32,
) -> rusqlite::Result<u32> {
    let count = db.one(
        "SELECT count(*) FROM (SELECT 1 FROM messages \
           WHERE conversation = ?1 AND seq > ?2 AND sender <> ?3 AND deleted_at IS NULL LIMIT ?4)",
        (conversation, read, user.as_str(), most),
        |row| row.get(0),
    )?;
    Ok(count.unwrap_or_default())
}

/// The newest message that is in sight and still stands.
pub(super) fn last_standing(
    db: &Db,
    conversation: ConversationId,
    sight: &Sight,
) -> rusqlite::Result<Option<Message>> {
    let sql = format!(
        "SELECT {MESSAGE} FROM messages m \
         WHERE m.conversation = ?1 AND m.seq > ?2 AND m.seq <= ?3 AND m.deleted_at IS NULL \
         ORDER BY m.seq DESC LIMIT 1"
    );
    for (begin, end) in sight.ranges().iter().rev() {
        let params = (int(conversation.0), int(begin.0), int(end.0));
        if let Some(message) = db.one(&sql, params, |row| rows::message(db, row))? {
            return Ok(Some(message));
        }
    }
    Ok(None)
}

/// What a message said before, the present text last; nothing of a deleted one.
pub(super) fn revisions(db: &Db, message: &Message) -> rusqlite::Result<Vec<Revision>> {
    let Some(content) = &message.content else {
        return Ok(Vec::new());
    };
    let mut revisions = db.all(
        "SELECT seq, text, at FROM revisions WHERE message = ?1 ORDER BY seq",
        [int(message.id.0)],
        |row| Ok(Revision { seq: seq(row, 0)?, text: rows::shared(row, 1)?, at: row.get(2)? }),
    )?;
    revisions.push(Revision {
        seq: message.change_seq,
        text: content.text.clone(),
        at: message.edited_at.unwrap_or(message.created_at),
    });
    Ok(revisions)
}
