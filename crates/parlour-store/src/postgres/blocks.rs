//! Who has blocked whom.

use std::sync::Arc;

use parlour_core::{
    ConversationId, UserId,
    model::{ConversationKind, Profile},
    port::store::Context,
};

use super::{
    batch::Tx,
    db::{Db, Sent, Step},
    rows::{self, PROFILE, number},
    users,
};

/// Asks whether somebody would be brought together with somebody whom he has blocked: a row if so.
pub(super) async fn send_between(
    db: &Db,
    actor: &UserId,
    others: &[&UserId],
    kind: ConversationKind,
) -> Step<Sent> {
    db.send(
        "SELECT 1 FROM blocks WHERE blocked = $1 AND blocker = ANY ($2) \
         UNION ALL SELECT 1 FROM blocks WHERE $3 AND blocker = $1 AND blocked = ANY ($2) LIMIT 1",
        &[&actor.as_str(), &users::ids(others), &(kind == ConversationKind::Direct)],
    )
    .await
}

/// The direct conversations of two, in the order of ids. Their rows are taken first, so that whatever is said in
/// them after a block was answered meets it.
pub(super) async fn set(
    tx: &mut Tx,
    context: &Context,
    blocked: &UserId,
    block: bool,
) -> Step<Vec<ConversationId>> {
    let blocker = &context.actor.user;
    let create = !block || context.create_users;
    let knowing = users::send_known(&tx.db, &[blocker, blocked], create).await?;
    let (one, other) = (blocker.as_str(), blocked.as_str());
    let between = tx
        .db
        .send(
            "SELECT id FROM conversations WHERE id IN ( \
           SELECT c.id FROM participants mine \
           JOIN participants his ON his.conversation = mine.conversation AND his.user_id = $2 \
           JOIN conversations c ON c.id = mine.conversation \
           WHERE mine.user_id = $1 AND c.kind = 0) \
         ORDER BY id FOR NO KEY UPDATE",
            &[&one, &other],
        )
        .await?;
    knowing.check().await?;
    let changed = if block {
        drop(users::known(&tx.db, &[blocker, blocked], context.now).await?);
        let sql =
            "INSERT INTO blocks (blocker, blocked, at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
        tx.db.run(sql, &[&one, &other, &context.now]).await?
    } else {
        let sql = "DELETE FROM blocks WHERE blocker = $1 AND blocked = $2";
        tx.db.run(sql, &[&one, &other]).await?
    };
    if changed > 0 {
        users::touch(tx, &[blocker, blocked]).await?;
    }
    between.all(|row| number(row, 0).map(ConversationId)).await
}

/// Whom the user has blocked.
pub(super) async fn of(db: &Db, user: &UserId) -> Step<Vec<Arc<Profile>>> {
    let sql = format!(
        "SELECT {PROFILE} FROM blocks b JOIN users u ON u.id = b.blocked \
         WHERE b.blocker = $1 ORDER BY u.id"
    );
    db.all(&sql, &[&user.as_str()], |row| rows::profile(row, 0)).await
}

/// Whom each user has blocked, and who has blocked him, in the order of ids.
pub(super) async fn both_ways(db: &Db, users: &[UserId]) -> Step<Vec<Vec<UserId>>> {
    let sql = "SELECT b.blocked, t.place FROM unnest($1::text[]) WITH ORDINALITY t (id, place) \
           JOIN blocks b ON b.blocker = t.id \
         UNION SELECT b.blocker, t.place FROM unnest($1::text[]) WITH ORDINALITY t (id, place) \
           JOIN blocks b ON b.blocked = t.id ORDER BY 1";
    let mut all = vec![Vec::new(); users.len()];
    for row in db.send(sql, &[&users::ids(users)]).await?.rows().await? {
        rows::placed(&mut all, &row, 1)?.push(rows::user_id(&row, 0)?);
    }
    Ok(all)
}
