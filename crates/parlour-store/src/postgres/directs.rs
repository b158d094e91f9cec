//! Direct conversations: the one of two users and a subject, and how a conversation gets a subject.

use parlour_core::{ConversationId, UserId, model::ConversationKind};

use super::{
    batch::Tx,
    db::{Db, Sent, Step},
    facts::View,
    rows::{self, int, number},
};
pub(super) use crate::stored::direct_key as key;

/// The direct conversation with this key.
pub(super) async fn named(db: &Db, key: &str) -> Step<Option<ConversationId>> {
    let sql = "SELECT id FROM conversations WHERE direct_key = $1";
    db.one(sql, &[&key], |row| number(row, 0).map(ConversationId)).await
}

/// Sends the question for the direct conversation of two users about a subject: the one that was made for it, else
/// the one that was made without a subject and has this one from a message. Its answer: one row, NULL for none.
pub(super) async fn send_about(
    db: &Db,
    one: &UserId,
    other: &UserId,
    subject: Option<&str>,
) -> Step<Sent> {
    db.send(
        "SELECT coalesce( \
           (SELECT id FROM conversations WHERE direct_key = $1), \
           (SELECT id FROM conversations WHERE direct_key = $2 AND subject = $3))",
        &[&key(one, other, subject), &key(one, other, None), &subject],
    )
    .await
}

/// What [`send_about`] has found.
pub(super) async fn about(sent: Sent) -> Step<Option<ConversationId>> {
    let found = sent.one(|row| Ok(row.try_get::<_, Option<i64>>(0)?)).await?.flatten();
    Ok(found.and_then(|id| u64::try_from(id).ok()).map(ConversationId))
}

/// Gives a conversation, whose row the step has taken, its subject, unless it has one, or is a direct one and the
/// two have another of that subject. It stays the one of the two that was made without: whoever writes to the user
/// alone finds it.
pub(super) async fn adopt_subject(tx: &mut Tx, view: &View, subject: &str) -> Step<()> {
    let id = int(view.conversation.0);
    let sql = "UPDATE conversations SET subject = $2 WHERE id = $1 AND subject IS NULL";
    if view.kind == ConversationKind::Group {
        return tx.send(sql, &[&id, &subject]).await;
    }
    let two = tx
        .db
        .all("SELECT user_id FROM participants WHERE conversation = $1", &[&id], |row| {
            rows::user_id(row, 0)
        })
        .await?;
    if let [one, other] = two.as_slice()
        && about(send_about(&tx.db, one, other, Some(subject)).await?).await?.is_none()
    {
        tx.send(sql, &[&id, &subject]).await?;
    }
    Ok(())
}
