//! What moves watermarks. How they move is decided in `decisions`.

use parlour_core::{ConversationId, MessageId, Seq, UserId};

use super::{
    db::{Db, Step},
    rows::{int, number, seq},
};

/// How far the read mark moves in each conversation when these messages are read; nothing where none are unread.
pub(super) async fn newly_read(
    db: &Db,
    user: &UserId,
    only: Option<ConversationId>,
    messages: &[MessageId],
) -> Step<Vec<(ConversationId, Seq)>> {
    let ids: Vec<i64> = messages.iter().map(|id| int(id.0)).collect();
    // What he has not read he sees: his mark is never before his joining.
    db.all(
        "SELECT m.conversation, max(m.seq) FROM messages m \
         JOIN participants p ON p.conversation = m.conversation AND p.user_id = $2 \
         WHERE m.id = ANY ($1) AND m.sender <> $2 AND ($3::bigint IS NULL OR m.conversation = $3) \
         GROUP BY m.conversation, p.read_seq HAVING max(m.seq) > p.read_seq ORDER BY m.conversation",
        &[&ids, &user.as_str(), &only.map(|only| int(only.0))],
        |row| Ok((ConversationId(number(row, 0)?), seq(row, 1)?)),
    )
    .await
}
