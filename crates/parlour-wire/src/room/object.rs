//! The message of `room`, the same on sockets and in pages of history.

use std::sync::Arc;

use parlour_core::{ClientId, Seq, UserId, model::Message};
use serde::Serialize;

use crate::seed::{Time, WireUserId};

/// A message that stands, as `room` shows it.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ChatMessage {
    /// Always `chat_message`.
    #[serde(rename = "type")]
    #[cfg_attr(feature = "schema", schema(value_type = String, example = "chat_message"))]
    kind: &'static str,
    /// Its id, below 2^53, the same in every dialect.
    pub message_id: u64,
    /// Where it was said.
    pub conversation_id: u64,
    /// Who said it: a number where the host application's id is a plain decimal number, else a text.
    pub sender_id: WireUserId,
    /// The name to show.
    #[cfg_attr(feature = "schema", schema(value_type = String, example = "Alice Archer"))]
    pub sender_name: Arc<str>,
    /// What it says now.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub content: Arc<str>,
    /// Files; none in this version.
    #[cfg_attr(feature = "schema", schema(value_type = Vec<Object>))]
    pub attachments: [(); 0],
    /// When it was stored.
    #[cfg_attr(feature = "schema", schema(value_type = String, format = DateTime))]
    pub created_at: Time,
    /// The same moment again: some clients read the one, some the other.
    #[cfg_attr(feature = "schema", schema(value_type = String, format = DateTime))]
    pub timestamp: Time,
    /// Whether it said something else before.
    pub is_edited: bool,
    /// Who besides the sender has read it.
    pub read_by: Vec<WireUserId>,
    /// The name that the sender's client gave the send.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>))]
    pub client_id: Option<Arc<str>>,
}

impl ChatMessage {
    /// A message, with who of `read` has read it (each with the seq up to which he has). `None` when it was
    /// deleted: this dialect leaves it out.
    #[must_use]
    pub fn new(message: &Message, read: &[(UserId, Seq)]) -> Option<Self> {
        let content = message.content.as_ref()?.text.clone();
        let sender = &message.sender;
        let readers =
            read.iter().filter(|(user, up_to)| *user != sender.id && *up_to >= message.seq);
        Some(Self {
            kind: "chat_message",
            message_id: message.id.0,
            conversation_id: message.conversation.0,
            sender_id: WireUserId(sender.id.clone()),
            sender_name: sender.name.clone(),
            content,
            attachments: [],
            created_at: Time(message.created_at),
            timestamp: Time(message.created_at),
            is_edited: message.edited_at.is_some(),
            read_by: readers.map(|(user, _)| WireUserId(user.clone())).collect(),
            client_id: message.client_id.as_ref().map(ClientId::to_shared),
        })
    }
}
