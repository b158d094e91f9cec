//! Looking at a conversation: who is in it, and that its participants learn that somebody looks.

use parlour_core::{
    ConversationId, Error, Result,
    command::{Focused, Reply},
    model::Participant,
};

use super::{Gateway, conn::Conn};
use crate::http::Live as _;

/// Of a large conversation so many participants are named.
const NAMED: usize = 200;

/// Begins or ends looking at a conversation.
pub(super) async fn focus(
    gateway: &Gateway,
    conn: &Conn,
    conversation: ConversationId,
    focused: bool,
) -> Result<Reply> {
    let store = gateway.chat.store();
    let people = if focused {
        let people = store.participants(conn.actor(), conversation, None, NAMED).await?;
        gateway.hub.show_presence_in(conversation, &conn.user);
        let with_status = |person: Participant| {
            let status = gateway.hub.presence(&person.profile.id);
            (person, status)
        };
        Some(people.into_iter().map(with_status).collect())
    } else {
        let membership = store.membership(conn.user.clone(), conversation).await?;
        membership.ok_or_else(Error::not_found)?;
        None
    };
    Ok(Reply::Focused(Box::new(Focused { conversation, people })))
}
