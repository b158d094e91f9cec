//! Conversations as one participant's list shows them.

use parlour_core::{
    ConversationId, Seq, UserId,
    command::Actor,
    model::{ConversationSummary, Participant, Watermark},
    port::store::ListCursor,
};

use super::{
    conversations,
    db::{Db, Step},
    facts::View,
    pages,
    rows::{self, int, limit},
    users,
};

/// One conversation as the actor sees it.
pub(super) fn summary(db: &Db, actor: &Actor, id: ConversationId) -> Step<ConversationSummary> {
    let view = View::readable(db, id, actor)?;
    let conversation = conversations::load(db, id)?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
    let count = db
        .one("SELECT count(*) FROM participants WHERE conversation = ?1", [int(id.0)], |row| {
            rows::number(row, 0)
        })?
        .unwrap_or_default();
    let (unread, watermark, joined_seq) = match &view.place.mine {
        None => (0, Watermark::default(), Seq::ZERO),
        Some(mine) => {
            let from = (int(id.0), int(mine.watermark.read.0));
            let cap = ConversationSummary::UNREAD_CAP;
            let unread = pages::count_unread(db, from, &actor.user, cap)?;
            (unread, mine.watermark, mine.joined_seq)
        }
    };
    Ok(ConversationSummary {
        conversation,
        participants: participants(db, id, None, ConversationSummary::SHOWN_PARTICIPANTS)?,
        participant_count: usize::try_from(count).unwrap_or(usize::MAX),
        last_message: pages::last_standing(db, id, &view.sight(db)?)?,
        unread,
        watermark,
        joined_seq,
    })
}

/// The participants in the order of their ids.
pub(super) fn participants(
    db: &Db,
    id: ConversationId,
    after: Option<&UserId>,
    most: usize,
) -> rusqlite::Result<Vec<Participant>> {
    db.all(
        "SELECT p.user, p.role, p.joined_seq, p.delivered_seq, p.read_seq, u.last_seen \
         FROM participants p JOIN users u ON u.id = p.user \
         WHERE p.conversation = ?1 AND p.user > ?2 ORDER BY p.user LIMIT ?3",
        (int(id.0), after.map_or("", UserId::as_str), limit(most)),
        |row| rows::participant(db, row),
    )
}

/// A user's conversations, most recent activity first.
pub(super) fn of_user(
    db: &Db,
    user: &UserId,
    after: Option<ListCursor>,
    most: usize,
    query: Option<&str>,
) -> Step<Vec<ConversationSummary>> {
    let (active_at, id) = match after {
        Some(cursor) => (cursor.active_at, int(cursor.id.0)),
        None => (i64::MAX, i64::MAX),
    };
    let ids = db.all(
        "SELECT c.id FROM participants p JOIN conversations c ON c.id = p.conversation \
         WHERE p.user = ?1 AND (c.active_at, c.id) < (?2, ?3) \
           AND (?4 IS NULL OR instr(c.title_fold, ?4) > 0 OR EXISTS ( \
             SELECT 1 FROM participants o JOIN users u ON u.id = o.user \
             WHERE o.conversation = c.id AND o.user <> ?1 \
               AND (instr(u.name_fold, ?4) > 0 OR instr(u.username_fold, ?4) > 0))) \
         ORDER BY c.active_at DESC, c.id DESC LIMIT ?5",
        (user.as_str(), active_at, id, query.map(users::fold), limit(most)),
        |row| rows::number(row, 0).map(ConversationId),
    )?;
    let actor = Actor::user(user.clone());
    ids.into_iter().map(|id| summary(db, &actor, id)).collect()
}

/// How many conversations a user is in.
pub(super) fn count(db: &Db, user: &UserId) -> rusqlite::Result<u64> {
    let sql = "SELECT count(*) FROM participants WHERE user = ?1";
    Ok(db.one(sql, [user.as_str()], |row| rows::number(row, 0))?.unwrap_or_default())
}
