//! Direct conversations: the one of two users and a subject, and how a conversation gets a subject.

use parlour_core::{ConversationId, UserId, model::ConversationKind};

use super::{
    batch::Tx,
    db::Db,
    facts::View,
    rows::{self, int},
};
pub(super) use crate::stored::direct_key as key;

/// The direct conversation with this key.
pub(super) fn named(db: &Db, key: &str) -> rusqlite::Result<Option<ConversationId>> {
    db.one("SELECT id FROM conversations WHERE direct_key = ?1", [key], |row| {
        rows::number(row, 0).map(ConversationId)
    })
}

/// Whether somebody is in a conversation.
pub(super) fn is_in(db: &Db, id: ConversationId, user: &UserId) -> rusqlite::Result<bool> {
    db.exists(
        "SELECT 1 FROM participants WHERE conversation = ?1 AND user = ?2",
        (int(id.0), user.as_str()),
    )
}

/// The direct conversation of two users about a subject: the one that was made for it, else the one that was made
/// without a subject and has this one from a message.
pub(super) fn about(
    db: &Db,
    one: &UserId,
    other: &UserId,
    subject: Option<&str>,
) -> rusqlite::Result<Option<ConversationId>> {
    let made_for_it = named(db, &key(one, other, subject))?;
    if made_for_it.is_some() || subject.is_none() {
        return Ok(made_for_it);
    }
    db.one(
        "SELECT id FROM conversations WHERE direct_key = ?1 AND subject = ?2",
        (key(one, other, None), subject),
        |row| rows::number(row, 0).map(ConversationId),
    )
}

/// Gives a conversation its subject, unless it has one, or is a direct one and the two have another of that
/// subject. It stays the one of the two that was made without: whoever writes to the user alone finds it.
pub(super) fn adopt_subject(tx: &Tx<'_>, view: &View, subject: &str) -> rusqlite::Result<()> {
    let id = int(view.conversation.0);
    if !tx.db.exists("SELECT 1 FROM conversations WHERE id = ?1 AND subject IS NULL", [id])? {
        return Ok(());
    }
    if view.head.kind == ConversationKind::Group {
        tx.db.run("UPDATE conversations SET subject = ?2 WHERE id = ?1", (id, subject))?;
        return Ok(());
    }
    let two = tx.db.all("SELECT user FROM participants WHERE conversation = ?1", [id], |row| {
        rows::user_id(row, 0)
    })?;
    if let [one, other] = two.as_slice()
        && about(tx.db, one, other, Some(subject))?.is_none()
    {
        tx.db.run("UPDATE conversations SET subject = ?2 WHERE id = ?1", (id, subject))?;
    }
    Ok(())
}
