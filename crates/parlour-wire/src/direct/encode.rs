//! What `direct` clients are told.

use parlour_core::{
    ClientId, UserId,
    event::{Envelope, Event},
    model::{ConversationKind, Message},
    port::store::Appended,
};
use serde::Serialize;

use crate::{
    Place, Scene, Sink, Tag,
    seed::{self, Time, WireUserId},
};

/// A message between two people.
#[derive(Serialize)]
struct Object<'a> {
    id: u64,
    sender: WireUserId,
    sender_username: &'a str,
    receiver: WireUserId,
    receiver_username: &'a str,
    content: &'a str,
    created_at: Time,
    is_read: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<&'a str>,
}

impl<'a> Object<'a> {
    /// `None` for a tombstone, and where there is nobody else in the conversation.
    fn new(message: &'a Message, place: &'a Place, scene: &Scene<'_>) -> Option<Self> {
        let content = message.content.as_ref()?;
        let receiver = place.other(&message.sender.id)?;
        let has_read = |(user, read): &(UserId, _)| *user == receiver.id && *read >= message.seq;
        Some(Self {
            id: message.id.0,
            sender: WireUserId(message.sender.id.clone()),
            sender_username: &message.sender.username,
            receiver: WireUserId(receiver.id.clone()),
            receiver_username: &receiver.username,
            content: &content.text,
            created_at: Time(message.created_at),
            is_read: scene.read.iter().any(has_read),
            client_id: message.client_id.as_ref().map(ClientId::as_str),
        })
    }
}

/// Writes the frame of an event, the same for everybody who gets it.
pub(super) fn event(envelope: &Envelope, scene: &Scene<'_>, out: &mut dyn Sink) {
    match &envelope.event {
        Event::MessageCreated(message) => said("message", message, scene, out),
        Event::MessageEdited(message) => said("edited", message, scene, out),
        Event::MessageDeleted(message) => {
            if between_two(scene).is_some() {
                deleted(message, out);
            }
        }
        Event::Receipt { user, covered, .. } => {
            if between_two(scene).is_some() && !covered.is_empty() {
                let message_ids = covered.iter().map(|covered| covered.message.0).collect();
                let user_id = WireUserId(user.clone());
                seed::write(&ReadFrame { kind: "read", message_ids, user_id }, out);
            }
        }
        Event::Typing { user, active } => {
            if between_two(scene).is_some() {
                let user_id = WireUserId(user.id.clone());
                seed::write(&TypingFrame { kind: "typing", user_id, is_typing: *active }, out);
            }
        }
        Event::Presence { user, status, last_seen } => {
            seed::user_status(user, *status, *last_seen, out);
        }
        // Its clients know people, not conversations.
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
    match between_two(scene) {
        None => {}
        Some(_) if message.content.is_none() => deleted(message, out),
        Some(_) if seed::answers_send(tag, appended) => said("message", message, scene, out),
        Some(_) => said("edited", message, scene, out),
    }
}

/// Where the event happened, if that is a conversation of two.
fn between_two<'a>(scene: &Scene<'a>) -> Option<&'a Place> {
    scene.place.filter(|place| place.kind == ConversationKind::Direct)
}

fn said(kind: &'static str, message: &Message, scene: &Scene<'_>, out: &mut dyn Sink) {
    #[derive(Serialize)]
    struct Frame<'a> {
        #[serde(rename = "type")]
        kind: &'static str,
        message: Object<'a>,
    }
    let object = between_two(scene).and_then(|place| Object::new(message, place, scene));
    if let Some(message) = object {
        seed::write(&Frame { kind, message }, out);
    }
}

fn deleted(message: &Message, out: &mut dyn Sink) {
    #[derive(Serialize)]
    struct Frame {
        #[serde(rename = "type")]
        kind: &'static str,
        id: u64,
    }
    seed::write(&Frame { kind: "deleted", id: message.id.0 }, out);
}

#[derive(Serialize)]
struct ReadFrame {
    #[serde(rename = "type")]
    kind: &'static str,
    message_ids: Vec<u64>,
    user_id: WireUserId,
}

#[derive(Serialize)]
struct TypingFrame {
    #[serde(rename = "type")]
    kind: &'static str,
    user_id: WireUserId,
    is_typing: bool,
}
