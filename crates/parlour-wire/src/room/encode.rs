//! What `room` clients are told.

use parlour_core::{
    UserId,
    event::{Covered, Envelope, Event},
    model::{Message, Profile},
    port::store::Appended,
};
use serde::Serialize;

use super::ChatMessage;
use crate::{
    Scene, Sink, Tag,
    seed::{Time, WireUserId, answers_send, user_status, write},
};

/// So many messages one receipt names at most: its clients look through all they show for each.
const RECEIPT_FRAMES: usize = 200;

/// Writes the frames of an event, the same for everybody who gets any.
pub(super) fn event(envelope: &Envelope, scene: &Scene<'_>, out: &mut dyn Sink) {
    match &envelope.event {
        Event::MessageCreated(message) => {
            if let Some(message) = ChatMessage::new(message, scene.read) {
                write(&message, out);
            }
        }
        Event::MessageEdited(message) => edited(message, out),
        Event::MessageDeleted(message) => deleted(message, out),
        Event::Receipt { user, covered, .. } => {
            let unnamed = covered.len().saturating_sub(RECEIPT_FRAMES);
            for one in covered.iter().skip(unnamed) {
                receipt(user, one, out);
            }
        }
        Event::Typing { user, active } => typing(user, *active, out),
        Event::Presence { user, status, last_seen } => user_status(user, *status, *last_seen, out),
        Event::ConversationCreated { .. }
        | Event::ParticipantJoined { .. }
        | Event::ParticipantLeft { .. }
        | Event::RoleChanged { .. }
        | Event::ConversationChanged { .. } => {}
    }
}

/// Writes the answer to a send, edit or deletion that no event answers.
pub(super) fn answer(tag: &Tag, appended: &Appended, scene: &Scene<'_>, out: &mut dyn Sink) {
    let message = &appended.message;
    match ChatMessage::new(message, scene.read) {
        None => deleted(message, out),
        Some(shown) if answers_send(tag, appended) => write(&shown, out),
        Some(_) if message.edited_at.is_some() => edited(message, out),
        // An edit that changed nothing of a message that stands as it was said.
        Some(_) => {}
    }
}

fn edited(message: &Message, out: &mut dyn Sink) {
    #[derive(Serialize)]
    struct Frame<'a> {
        #[serde(rename = "type")]
        kind: &'static str,
        message_id: u64,
        content: &'a str,
        is_edited: bool,
        edited_at: Option<Time>,
    }
    let Some(content) = &message.content else { return deleted(message, out) };
    let frame = Frame {
        kind: "message_edited",
        message_id: message.id.0,
        content: &content.text,
        is_edited: true,
        edited_at: message.edited_at.map(Time),
    };
    write(&frame, out);
}

fn deleted(message: &Message, out: &mut dyn Sink) {
    #[derive(Serialize)]
    struct Frame {
        #[serde(rename = "type")]
        kind: &'static str,
        message_id: u64,
    }
    write(&Frame { kind: "message_deleted", message_id: message.id.0 }, out);
}

fn receipt(reader: &UserId, covered: &Covered, out: &mut dyn Sink) {
    #[derive(Serialize)]
    struct Frame {
        #[serde(rename = "type")]
        kind: &'static str,
        message_id: u64,
        user_id: WireUserId,
    }
    let user_id = WireUserId(reader.clone());
    write(&Frame { kind: "read_receipt", message_id: covered.message.0, user_id }, out);
}

fn typing(user: &Profile, active: bool, out: &mut dyn Sink) {
    #[derive(Serialize)]
    struct Frame<'a> {
        #[serde(rename = "type")]
        kind: &'static str,
        user_id: WireUserId,
        username: &'a str,
        is_typing: bool,
    }
    let frame = Frame {
        kind: "typing_indicator",
        user_id: WireUserId(user.id.clone()),
        username: &user.username,
        is_typing: active,
    };
    write(&frame, out);
}
