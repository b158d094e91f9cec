//! Who is in what: memberships, as whoever comes, and whoever is told something, needs them.

use std::sync::Arc;

use parlour_core::{
    ConversationId, Epoch, Seq, UserId,
    model::{Membership, Peer, Watermark},
};
use tokio_postgres::Row;

use super::{
    db::{Db, Step},
    rows::{self, int, number, seq},
    users,
};

/// All of each user, in the order of conversations.
pub(super) async fn of_all(db: &Db, users: &[UserId]) -> Step<Vec<Vec<Membership>>> {
    let sql = format!(
        "SELECT {MEMBERSHIP}, {PAST}, t.place {MEMBERSHIPS} \
         JOIN unnest($1::text[]) WITH ORDINALITY t (id, place) ON t.id = p.user_id"
    );
    let mut all = vec![Vec::new(); users.len()];
    for row in db.send(&sql, &[&users::ids(users)]).await?.rows().await? {
        rows::placed(&mut all, &row, PAST_COLUMN + 1)?.push(membership_with_past(&row)?);
    }
    for one in &mut all {
        one.sort_unstable_by_key(|membership| membership.conversation);
    }
    Ok(all)
}

/// That of a user in a conversation each; `None` for who is not in it.
pub(super) async fn at(
    db: &Db,
    places: &[(UserId, ConversationId)],
) -> Step<Vec<Option<Membership>>> {
    let users: Vec<&str> = places.iter().map(|(user, _)| user.as_str()).collect();
    let conversations: Vec<i64> = places.iter().map(|(_, id)| int(id.0)).collect();
    let sql = format!(
        "SELECT {MEMBERSHIP}, {PAST}, t.place {MEMBERSHIPS} \
         JOIN unnest($1::text[], $2::bigint[]) WITH ORDINALITY t (id, conversation, place) \
           ON t.conversation = p.conversation AND t.id = p.user_id"
    );
    let found = db.send(&sql, &[&users, &conversations]).await?.rows().await?;
    rows::one_each(&found, places.len(), PAST_COLUMN + 1, membership_with_past)
}

/// All in a conversation, in the order of users.
pub(super) async fn within(db: &Db, conversation: ConversationId) -> Step<Vec<Membership>> {
    let sql =
        format!("SELECT {MEMBERSHIP} {MEMBERSHIPS} WHERE p.conversation = $1 ORDER BY p.user_id");
    db.all(&sql, &[&int(conversation.0)], membership).await
}

/// What [`membership`] reads, of [`MEMBERSHIPS`].
const MEMBERSHIP: &str = "p.conversation, p.user_id, p.joined_seq, p.role, c.kind, c.state, c.epoch, c.last_seq, \
     c.receipts, c.subject, p.delivered_seq, p.read_seq, o.read_seq, o.id, o.username, o.name, o.avatar";

/// The other one is looked for in direct conversations only, and with a limit, so that no plan joins all participants
/// with all others.
const MEMBERSHIPS: &str = "FROM participants p JOIN conversations c ON c.id = p.conversation \
     LEFT JOIN LATERAL (SELECT x.read_seq, u.id, u.username, u.name, u.avatar \
       FROM participants x JOIN users u ON u.id = x.user_id \
       WHERE c.kind = 0 AND x.conversation = p.conversation AND x.user_id <> p.user_id LIMIT 1) o ON TRUE";

/// The column of [`PAST`], behind [`MEMBERSHIP`].
const PAST_COLUMN: usize = 17;

/// When he was there before: the bounds one after the other. Only who joined later can have been.
const PAST: &str = "CASE WHEN p.joined_seq > 0 THEN ARRAY(SELECT bound FROM past_memberships h \
       CROSS JOIN unnest(ARRAY[h.from_seq, h.to_seq]) bound \
       WHERE h.conversation = p.conversation AND h.user_id = p.user_id ORDER BY h.from_seq, bound) END";

fn membership(row: &Row) -> Step<Membership> {
    Ok(Membership {
        conversation: ConversationId(number(row, 0)?),
        user: rows::user_id(row, 1)?,
        joined_seq: seq(row, 2)?,
        past: Arc::default(),
        role: rows::read_role(row, 3)?,
        kind: rows::read_conversation_kind(row, 4)?,
        state: rows::read_conversation_state(row, 5)?,
        epoch: Epoch(number(row, 6)?),
        last_seq: seq(row, 7)?,
        receipts: number(row, 8)?,
        subject: rows::maybe_shared(row, 9)?,
        watermark: Watermark { delivered: seq(row, 10)?, read: seq(row, 11)? },
        peer: match row.try_get::<_, Option<i64>>(12)? {
            Some(_) => Some(Peer { profile: rows::profile(row, 13)?, read: seq(row, 12)? }),
            None => None,
        },
    })
}

fn membership_with_past(row: &Row) -> Step<Membership> {
    let mut membership = membership(row)?;
    if let Some(past) = row.try_get::<_, Option<Vec<i64>>>(PAST_COLUMN)? {
        let seq = |n: i64| u64::try_from(n).map(Seq).map_err(|_| rows::unreadable(PAST_COLUMN));
        let pairs = past.chunks_exact(2).map(|pair| Ok((seq(pair[0])?, seq(pair[1])?)));
        membership.past = pairs.collect::<Step<_>>()?;
    }
    Ok(membership)
}
