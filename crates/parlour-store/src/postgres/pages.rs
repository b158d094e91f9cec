//! Reading messages: pages of a conversation, and what a message said before.

use std::sync::Arc;

use parlour_core::{
    ConversationId, MessageId, Seq, UserId,
    command::Actor,
    model::{Message, Revision},
    port::store::{HistoryFrom, HistoryPage, MessagePage, Page, UnreadPage},
};

use super::{
    db::{Db, Sent, Step},
    facts::{Sight, View},
    rows::{self, MESSAGE, MESSAGES, int, limit, number, seq},
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
pub(super) async fn page(
    db: &Db,
    actor: &Actor,
    conversation: ConversationId,
    page: Page,
    most: usize,
) -> Step<MessagePage> {
    let sight = View::readable(db, conversation, actor).await?.sight(db).await?;
    page_of(db, &Part { conversation, sight: &sight, standing: false }, page, most).await
}

/// A page of what stands in a conversation, as the actor may see it, and how much that is in all.
pub(super) async fn history(
    db: &Db,
    actor: &Actor,
    conversation: ConversationId,
    from: HistoryFrom,
    most: usize,
) -> Step<HistoryPage> {
    let sight = View::readable(db, conversation, actor).await?.sight(db).await?;
    let part = Part { conversation, sight: &sight, standing: true };
    let count = send_count(db, &part, HistoryPage::COUNT_CAP).await?;
    let page = match from {
        HistoryFrom::Place(page) => page,
        HistoryFrom::Past(0) => Page::Newest,
        // Nothing is before the first seq.
        HistoryFrom::Past(skipped) => {
            Page::Before(nth_newest(db, &part, skipped).await?.map_or(Seq::ZERO, Seq::next))
        }
    };
    let page = page_of(db, &part, page, most).await?;
    Ok(HistoryPage { page, count: counted(count, HistoryPage::COUNT_CAP).await? })
}

async fn page_of(db: &Db, part: &Part<'_>, page: Page, most: usize) -> Step<MessagePage> {
    let (end, more) = (Seq(u64::MAX), most.saturating_add(1));
    let (mut messages, has_before, has_after) = match page {
        Page::Newest | Page::Before(_) => {
            let last = match page {
                Page::Before(seq) => Seq(seq.0.saturating_sub(1)),
                Page::Newest | Page::After(_) => end,
            };
            let sent = Between::send(db, part, (Seq::ZERO, last), more, Order::NewestFirst).await?;
            let after = Between::send(db, part, (last, end), 1, Order::OldestFirst).await?;
            let mut messages = sent.get().await?;
            let has_before = messages.len() > most;
            messages.truncate(most);
            messages.reverse();
            (messages, has_before, !after.get().await?.is_empty())
        }
        Page::After(seq) => {
            let sent = Between::send(db, part, (seq, end), more, Order::OldestFirst).await?;
            let before = Between::send(db, part, (Seq::ZERO, seq), 1, Order::NewestFirst).await?;
            let messages = sent.get().await?;
            let has_after = messages.len() > most;
            (messages, !before.get().await?.is_empty(), has_after)
        }
    };
    messages.truncate(most);
    Ok(MessagePage { messages, has_before, has_after })
}

/// The messages of a part between two seqs, on their way.
struct Between {
    sent: Vec<Sent>,
    most: usize,
}

impl Between {
    /// Asks for those after one seq and up to another.
    async fn send(
        db: &Db,
        part: &Part<'_>,
        (after, up_to): (Seq, Seq),
        most: usize,
        order: Order,
    ) -> Step<Self> {
        let direction = match order {
            Order::OldestFirst => "ASC",
            Order::NewestFirst => "DESC",
        };
        let standing = if part.standing { "AND m.deleted_at IS NULL" } else { "" };
        let sql = format!(
            "SELECT {MESSAGE} FROM {MESSAGES} \
             WHERE m.conversation = $1 AND m.seq > $2 AND m.seq <= $3 {standing} \
             ORDER BY m.seq {direction} LIMIT $4"
        );
        let mut ranges = part.sight.ranges().to_vec();
        if order == Order::NewestFirst {
            ranges.reverse();
        }
        let mut sent = Vec::new();
        for (begin, end) in ranges {
            let (begin, end) = (begin.max(after), end.min(up_to));
            if begin < end {
                let id = int(part.conversation.0);
                sent.push(db.send(&sql, &[&id, &int(begin.0), &int(end.0), &limit(most)]).await?);
            }
        }
        Ok(Self { sent, most })
    }

    async fn get(self) -> Step<Vec<Arc<Message>>> {
        let mut messages = Vec::new();
        for sent in self.sent {
            messages.extend(sent.all(|row| rows::message(row).map(Arc::new)).await?);
        }
        messages.truncate(self.most);
        Ok(messages)
    }
}

/// Where the message stands that has so many newer ones which stand; `None` when there are not so many.
async fn nth_newest(db: &Db, part: &Part<'_>, newer: usize) -> Step<Option<Seq>> {
    if newer >= HistoryPage::COUNT_CAP as usize {
        return Ok(None);
    }
    let (begins, ends) = range_columns(part);
    db.one(
        "SELECT m.seq FROM unnest($2::bigint[], $3::bigint[]) AS r (begins, ends) \
         CROSS JOIN LATERAL ( \
           SELECT seq FROM messages \
           WHERE conversation = $1 AND seq > r.begins AND seq <= r.ends AND deleted_at IS NULL \
           ORDER BY seq DESC LIMIT $4 + 1) m \
         ORDER BY m.seq DESC OFFSET $4 LIMIT 1",
        &[&int(part.conversation.0), &begins, &ends, &limit(newer)],
        |row| seq(row, 0),
    )
    .await
}

fn range_columns(part: &Part<'_>) -> (Vec<i64>, Vec<i64>) {
    part.sight.ranges().iter().map(|(begin, end)| (int(begin.0), int(end.0))).unzip()
}

/// How many messages of a part stand, up to a bound. See [`counted`].
async fn send_count(db: &Db, part: &Part<'_>, most: u32) -> Step<Sent> {
    let (begins, ends) = range_columns(part);
    db.send(
        "SELECT count(*) FROM (SELECT 1 \
           FROM unnest($2::bigint[], $3::bigint[]) AS r (begins, ends) \
           JOIN messages m ON m.conversation = $1 AND m.seq > r.begins AND m.seq <= r.ends \
             AND m.deleted_at IS NULL \
           LIMIT $4) found",
        &[&int(part.conversation.0), &begins, &ends, &i64::from(most)],
    )
    .await
}

async fn counted(sent: Sent, most: u32) -> Step<u32> {
    let count = sent.one(|row| number(row, 0)).await?.unwrap_or_default();
    Ok(u32::try_from(count).unwrap_or(most))
}

/// What others have said above a user's read marks and still stands, in the order of ids.
pub(super) async fn unread(
    db: &Db,
    user: &UserId,
    after: Option<MessageId>,
    most: usize,
) -> Step<UnreadPage> {
    let count = db
        .send(
            "SELECT count(*) FROM (SELECT 1 \
               FROM participants p JOIN conversations c ON c.id = p.conversation \
               CROSS JOIN LATERAL ( \
                 SELECT 1 FROM messages \
                 WHERE conversation = p.conversation AND seq > p.read_seq AND sender <> $1 \
                   AND deleted_at IS NULL LIMIT $2) m \
               WHERE p.user_id = $1 AND p.read_seq < c.last_seq LIMIT $2) found",
            &[&user.as_str(), &i64::from(UnreadPage::COUNT_CAP)],
        )
        .await?;
    // In each conversation, the order of seqs is that of ids; the first part keeps the index that has it. As a sum no index
    // knows the id: while the server knows little about the table, it would go through all messages by their ids.
    let sql = format!(
        "SELECT {MESSAGE} FROM participants p JOIN conversations c ON c.id = p.conversation \
         CROSS JOIN LATERAL ( \
           SELECT * FROM messages \
           WHERE conversation = p.conversation AND seq > p.read_seq AND sender <> $1 \
             AND deleted_at IS NULL AND id + 0 > $2 \
           ORDER BY seq LIMIT $3) m \
         JOIN users u ON u.id = m.sender \
         WHERE p.user_id = $1 AND p.read_seq < c.last_seq ORDER BY m.id LIMIT $3"
    );
    let after = after.map_or(0, |after| int(after.0));
    let params = (user.as_str(), limit(most.saturating_add(1)));
    let sent = db.send(&sql, &[&params.0, &after, &params.1]).await?;
    let count = counted(count, UnreadPage::COUNT_CAP).await?;
    let mut messages = sent.all(|row| rows::message(row).map(Arc::new)).await?;
    let has_more = messages.len() > most;
    messages.truncate(most);
    let next = messages.last().filter(|_| has_more).map(|last: &Arc<Message>| last.id);
    Ok(UnreadPage { messages, count, next })
}

/// What a message said before, the present text last; nothing of a deleted one.
pub(super) async fn revisions(db: &Db, message: &Message) -> Step<Vec<Revision>> {
    let Some(content) = &message.content else {
        return Ok(Vec::new());
    };
    let mut revisions = db
        .all(
            "SELECT seq, text, at FROM revisions WHERE message = $1 ORDER BY seq",
            &[&int(message.id.0)],
            |row| {
                let (seq, text) = (seq(row, 0)?, rows::shared(row, 1)?);
                Ok(Revision { seq, text, at: rows::integer(row, 2)? })
            },
        )
        .await?;
    revisions.push(Revision {
        seq: message.change_seq,
        text: content.text.clone(),
        at: message.edited_at.unwrap_or(message.created_at),
    });
    Ok(revisions)
}
