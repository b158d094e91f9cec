//! Conversations as one participant's list shows them: a fixed number of statements for any number of conversations.

use parlour_core::{
    ConversationId, Seq, UserId,
    command::Actor,
    model::{Conversation, ConversationSummary, Participant, Watermark},
    port::store::ListCursor,
};
use tokio_postgres::Row;

use super::{
    db::{Db, Failure, Sent, Step},
    facts::View,
    rows::{self, CONVERSATION, MESSAGE, PARTICIPANT, int, limit, number, seq},
};
use crate::stored::fold;

/// A conversation with one user's place in it.
struct Place {
    conversation: Conversation,
    joined_seq: Seq,
    watermark: Watermark,
    /// Whether something was said that he has not read, perhaps.
    is_behind: bool,
}

/// What [`place`] reads, of `conversations c LEFT JOIN participants p`.
const PLACE: &str = "p.joined_seq, p.delivered_seq, p.read_seq";

fn place(row: &Row) -> Step<Place> {
    let conversation = rows::conversation(row)?;
    let is_in = row.try_get::<_, Option<i64>>(12)?.is_some();
    let (joined_seq, watermark) = if is_in {
        (seq(row, 12)?, Watermark { delivered: seq(row, 13)?, read: seq(row, 14)? })
    } else {
        (Seq::ZERO, Watermark::default())
    };
    let is_behind = is_in && watermark.read < conversation.last_seq;
    Ok(Place { conversation, joined_seq, watermark, is_behind })
}

/// One conversation as the actor sees it.
pub(super) async fn summary(
    db: &Db,
    actor: &Actor,
    id: ConversationId,
) -> Step<ConversationSummary> {
    let sql = format!(
        "SELECT {CONVERSATION}, {PLACE} FROM conversations c \
         LEFT JOIN participants p ON p.conversation = c.id AND p.user_id = $2 WHERE c.id = $1"
    );
    let found = db.send(&sql, &[&int(id.0), &actor.user.as_str()]).await?;
    View::readable(db, id, actor).await?;
    let place = found.one(place).await?.ok_or(Failure::Again)?;
    let mut all = summaries(db, &actor.user, vec![place]).await?;
    all.pop().ok_or(Failure::Again)
}

/// The participants in the order of their ids.
pub(super) async fn participants(
    db: &Db,
    id: ConversationId,
    after: Option<&UserId>,
    most: usize,
) -> Step<Vec<Participant>> {
    let sql = format!(
        "SELECT {PARTICIPANT} FROM participants p JOIN users u ON u.id = p.user_id \
         WHERE p.conversation = $1 AND p.user_id > $2 ORDER BY p.user_id LIMIT $3"
    );
    let after = after.map_or("", UserId::as_str);
    db.all(&sql, &[&int(id.0), &after, &limit(most)], |row| rows::participant(row, 0)).await
}

/// A user's conversations, most recent activity first.
pub(super) async fn of_user(
    db: &Db,
    user: &UserId,
    after: Option<ListCursor>,
    most: usize,
    query: Option<&str>,
) -> Step<Vec<ConversationSummary>> {
    if query.is_some_and(|query| query.contains('\0')) {
        // No stored text has one.
        return Ok(Vec::new());
    }
    let (active_at, id) = match after {
        Some(cursor) => (cursor.active_at, int(cursor.id.0)),
        None => (i64::MAX, i64::MAX),
    };
    let matches = match query {
        None => "AND $4::text IS NULL",
        Some(_) => {
            "AND (strpos(c.title_fold, $4) > 0 OR EXISTS ( \
               SELECT 1 FROM participants o JOIN users u ON u.id = o.user_id \
               WHERE o.conversation = c.id AND o.user_id <> $1 \
                 AND (strpos(u.name_fold, $4) > 0 OR strpos(u.username_fold, $4) > 0)))"
        }
    };
    let sql = format!(
        "SELECT {CONVERSATION}, {PLACE} FROM participants p JOIN conversations c ON c.id = p.conversation \
         WHERE p.user_id = $1 AND (c.active_at, c.id) < ($2, $3) {matches} \
         ORDER BY c.active_at DESC, c.id DESC LIMIT $5"
    );
    let query = query.map(fold);
    let places =
        db.all(&sql, &[&user.as_str(), &active_at, &id, &query, &limit(most)], place).await?;
    summaries(db, user, places).await
}

/// How many conversations a user is in.
pub(super) async fn count(db: &Db, user: &UserId) -> Step<u64> {
    let sql = "SELECT count(*) FROM participants WHERE user_id = $1";
    Ok(db.one(sql, &[&user.as_str()], |row| number(row, 0)).await?.unwrap_or_default())
}

/// What a list shows of conversations besides themselves, each sent at once and read after the others.
struct Shown {
    participants: Sent,
    counts: Sent,
    unread: Sent,
    last: Sent,
}

/// The conversations as the user sees them, in the given order.
async fn summaries(db: &Db, user: &UserId, places: Vec<Place>) -> Step<Vec<ConversationSummary>> {
    if places.is_empty() {
        return Ok(Vec::new());
    }
    let shown = send_shown(db, user, &places).await?;
    let mut all: Vec<ConversationSummary> = places.into_iter().map(bare).collect();
    for row in shown.participants.rows().await? {
        shown_in(&mut all, &row)?.participants.push(rows::participant(&row, 1)?);
    }
    for row in shown.counts.rows().await? {
        let count = usize::try_from(number(&row, 1)?).unwrap_or(usize::MAX);
        shown_in(&mut all, &row)?.participant_count = count;
    }
    for row in shown.unread.rows().await? {
        let unread = u32::try_from(number(&row, 1)?).unwrap_or(u32::MAX);
        shown_in(&mut all, &row)?.unread = unread;
    }
    for row in shown.last.rows().await? {
        shown_in(&mut all, &row)?.last_message = Some(rows::message_at(&row, 1)?);
    }
    Ok(all)
}

/// The conversation that a row is about, by its place in the list, which begins at one.
fn shown_in<'a>(
    all: &'a mut [ConversationSummary],
    row: &Row,
) -> Step<&'a mut ConversationSummary> {
    let place = usize::try_from(number(row, 0)?).unwrap_or(usize::MAX);
    all.get_mut(place.wrapping_sub(1)).ok_or_else(|| rows::unreadable(0))
}

/// What is known of it without looking further.
fn bare(place: Place) -> ConversationSummary {
    ConversationSummary {
        conversation: place.conversation,
        participants: Vec::new(),
        participant_count: 0,
        last_message: None,
        unread: 0,
        watermark: place.watermark,
        joined_seq: place.joined_seq,
    }
}

async fn send_shown(db: &Db, user: &UserId, places: &[Place]) -> Step<Shown> {
    let ids: Vec<i64> = places.iter().map(|place| int(place.conversation.id.0)).collect();
    let joined: Vec<i64> = places.iter().map(|place| int(place.joined_seq.0)).collect();
    let user = user.as_str();
    let sql = format!(
        "SELECT t.place, {PARTICIPANT} FROM unnest($1::bigint[]) WITH ORDINALITY t (id, place) \
         CROSS JOIN LATERAL (SELECT * FROM participants x WHERE x.conversation = t.id \
           ORDER BY x.user_id LIMIT $2) p \
         JOIN users u ON u.id = p.user_id ORDER BY t.place, p.user_id"
    );
    let participants =
        db.send(&sql, &[&ids, &limit(ConversationSummary::SHOWN_PARTICIPANTS)]).await?;
    let counts = db
        .send(
            "SELECT t.place, (SELECT count(*) FROM participants x WHERE x.conversation = t.id) \
             FROM unnest($1::bigint[]) WITH ORDINALITY t (id, place)",
            &[&ids],
        )
        .await?;
    let unread = send_unread(db, user, places).await?;
    // Who returned sees what was said while he was there before, and nothing between.
    let sql = format!(
        "SELECT t.place, {MESSAGE} FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY t (id, joined, place) \
         CROSS JOIN LATERAL (SELECT newest.* FROM ( \
             SELECT t.joined AS begin, 9223372036854775807 AS until \
             UNION ALL SELECT h.from_seq, h.to_seq FROM past_memberships h \
               WHERE t.joined > 0 AND h.conversation = t.id AND h.user_id = $3) part \
           CROSS JOIN LATERAL (SELECT * FROM messages x \
             WHERE x.conversation = t.id AND x.seq > part.begin AND x.seq <= part.until \
               AND x.deleted_at IS NULL ORDER BY x.seq DESC LIMIT 1) newest \
           ORDER BY newest.seq DESC LIMIT 1) m \
         JOIN users u ON u.id = m.sender"
    );
    let last = db.send(&sql, &[&ids, &joined, &user]).await?;
    Ok(Shown { participants, counts, unread, last })
}

/// Messages of others after the user's read marks that still stand, where there may be any. Who joined
/// later has read all before it. One index range each, up to the cap.
async fn send_unread(db: &Db, user: &str, places: &[Place]) -> Step<Sent> {
    let behind: Vec<(i64, &Place)> =
        (1..).zip(places).filter(|(_, place)| place.is_behind).collect();
    let numbers: Vec<i64> = behind.iter().map(|(number, _)| *number).collect();
    let ids: Vec<i64> = behind.iter().map(|(_, place)| int(place.conversation.id.0)).collect();
    let read: Vec<i64> = behind.iter().map(|(_, place)| int(place.watermark.read.0)).collect();
    db.send(
        "SELECT t.place, (SELECT count(*) FROM (SELECT 1 FROM messages m \
             WHERE m.conversation = t.id AND m.seq > t.read AND m.sender <> $4 AND m.deleted_at IS NULL \
             LIMIT $5) unread) \
         FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) t (place, id, read)",
        &[&numbers, &ids, &read, &user, &i64::from(ConversationSummary::UNREAD_CAP)],
    )
    .await
}
