//! What `inbox` clients are told.

use std::sync::Arc;

use parlour_core::{
    ClientId,
    command::Focused,
    event::{Envelope, Event, PresenceStatus},
    model::{Message, Participant},
    port::store::Appended,
};
use serde::Serialize;

use crate::{
    Hello, Sink, Tag,
    seed::{self, Time, WireUserId, seen},
};

/// A message, as sockets and the list of unread messages show it.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct NewMessage {
    /// Always `new_message`, so that what is polled can be handled as what arrives.
    #[serde(rename = "type")]
    #[cfg_attr(feature = "schema", schema(value_type = String, example = "new_message"))]
    kind: &'static str,
    /// Its id, below 2^53, the same in every dialect.
    pub message_id: u64,
    /// Where it was said.
    pub conversation_id: u64,
    /// Who said it: a number where the id is a canonical decimal one, else a text.
    pub sender_id: WireUserId,
    /// The name of the sender that is to be shown.
    #[cfg_attr(feature = "schema", schema(value_type = String, example = "Alice Archer"))]
    pub sender_name: Arc<str>,
    /// What it says.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub text: Arc<str>,
    /// When it was stored.
    #[cfg_attr(feature = "schema", schema(value_type = String, format = DateTime))]
    pub created_at: Time,
    /// The name that the sender's client gave the send.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>))]
    pub client_id: Option<Arc<str>>,
}

impl NewMessage {
    /// `None` for a tombstone: it has no text, and is left out of lists.
    #[must_use]
    pub fn new(message: &Message) -> Option<Self> {
        let content = message.content.as_ref()?;
        Some(Self {
            kind: "new_message",
            message_id: message.id.0,
            conversation_id: message.conversation.0,
            sender_id: WireUserId(message.sender.id.clone()),
            sender_name: message.sender.name.clone(),
            text: content.text.clone(),
            created_at: Time(message.created_at),
            client_id: message.client_id.as_ref().map(ClientId::to_shared),
        })
    }
}

/// Writes the first frame.
pub(super) fn hello(hello: &Hello<'_>, out: &mut dyn Sink) {
    #[derive(Serialize)]
    struct Frame<'a> {
        #[serde(rename = "type")]
        kind: &'static str,
        user_id: WireUserId,
        session_id: &'a str,
    }
    let user_id = WireUserId(hello.user.profile.id.clone());
    let frame = Frame { kind: "connection_established", user_id, session_id: hello.session };
    seed::write(&frame, out);
}

/// Writes the frame of an event, the same for everybody who gets it.
pub(super) fn event(envelope: &Envelope, out: &mut dyn Sink) {
    match &envelope.event {
        Event::MessageCreated(message) => {
            if let Some(message) = NewMessage::new(message) {
                seed::write(&message, out);
            }
        }
        Event::MessageEdited(message) => edited(message, out),
        Event::MessageDeleted(message) => deleted(message, out),
        Event::Receipt { user, covered, .. } => {
            if let (Some(conversation), false) = (envelope.conversation, covered.is_empty()) {
                let frame = Read {
                    kind: "read_receipt",
                    conversation_id: conversation.0,
                    message_ids: covered.iter().map(|covered| covered.message.0).collect(),
                    user_id: WireUserId(user.clone()),
                    read_at: Time(envelope.at),
                };
                seed::write(&frame, out);
            }
        }
        Event::Typing { user, active } => {
            if let Some(conversation) = envelope.conversation {
                let frame = Typing {
                    kind: "typing_indicator",
                    conversation_id: conversation.0,
                    user_id: WireUserId(user.id.clone()),
                    username: &user.username,
                    is_typing: *active,
                };
                seed::write(&frame, out);
            }
        }
        Event::Presence { user, status, last_seen } => {
            seed::user_status(user, *status, *last_seen, out);
        }
        // Its clients learn of a conversation by its messages.
        Event::ConversationCreated { .. }
        | Event::ParticipantJoined { .. }
        | Event::ParticipantLeft { .. }
        | Event::RoleChanged { .. }
        | Event::ConversationChanged { .. } => {}
    }
}

/// Writes that a message is stored, for the socket that sent it.
pub(super) fn sent(message: &Message, out: &mut dyn Sink) {
    #[derive(Serialize)]
    struct Frame<'a> {
        #[serde(rename = "type")]
        kind: &'static str,
        message_id: u64,
        conversation_id: u64,
        created_at: Time,
        client_id: Option<&'a str>,
    }
    let frame = Frame {
        kind: "message_sent",
        message_id: message.id.0,
        conversation_id: message.conversation.0,
        created_at: Time(message.created_at),
        client_id: message.client_id.as_ref().map(ClientId::as_str),
    };
    seed::write(&frame, out);
}

/// Writes the answer to a send, edit or deletion that no event answers.
pub(super) fn answer(tag: &Tag, appended: &Appended, out: &mut dyn Sink) {
    let message = &appended.message;
    if seed::answers_send(tag, appended) {
        sent(message, out);
    } else if message.content.is_none() {
        deleted(message, out);
    } else {
        edited(message, out);
    }
}

/// Writes who is in a conversation that is looked at, or that it is no longer looked at.
pub(super) fn focused<'a>(focused: &'a Focused, out: &mut dyn Sink) {
    #[derive(Serialize)]
    struct Person<'a> {
        user_id: WireUserId,
        username: &'a str,
        status: &'static str,
        last_seen: Option<Time>,
    }
    #[derive(Serialize)]
    struct Frame<'a> {
        #[serde(rename = "type")]
        kind: &'static str,
        conversation_id: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        participants: Option<Vec<Person<'a>>>,
    }
    let person = |(participant, status): &'a (Participant, PresenceStatus)| Person {
        user_id: WireUserId(participant.profile.id.clone()),
        username: &participant.profile.username,
        status: status.as_str(),
        last_seen: seen(participant.last_seen),
    };
    let joined = focused.people.is_some();
    let frame = Frame {
        kind: if joined { "conversation_joined" } else { "conversation_left" },
        conversation_id: focused.conversation.0,
        participants: focused.people.as_ref().map(|people| people.iter().map(person).collect()),
    };
    seed::write(&frame, out);
}

fn edited(message: &Message, out: &mut dyn Sink) {
    #[derive(Serialize)]
    struct Frame<'a> {
        #[serde(rename = "type")]
        kind: &'static str,
        message_id: u64,
        conversation_id: u64,
        text: &'a str,
        edited_at: Option<Time>,
    }
    if let Some(content) = &message.content {
        let frame = Frame {
            kind: "message_edited",
            message_id: message.id.0,
            conversation_id: message.conversation.0,
            text: &content.text,
            edited_at: message.edited_at.map(Time),
        };
        seed::write(&frame, out);
    }
}

fn deleted(message: &Message, out: &mut dyn Sink) {
    #[derive(Serialize)]
    struct Frame {
        #[serde(rename = "type")]
        kind: &'static str,
        message_id: u64,
        conversation_id: u64,
    }
    let frame = Frame {
        kind: "message_deleted",
        message_id: message.id.0,
        conversation_id: message.conversation.0,
    };
    seed::write(&frame, out);
}

#[derive(Serialize)]
struct Read {
    #[serde(rename = "type")]
    kind: &'static str,
    conversation_id: u64,
    message_ids: Vec<u64>,
    user_id: WireUserId,
    read_at: Time,
}

#[derive(Serialize)]
struct Typing<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    conversation_id: u64,
    user_id: WireUserId,
    username: &'a str,
    is_typing: bool,
}
