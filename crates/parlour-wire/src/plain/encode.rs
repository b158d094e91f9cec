//! What `plain` clients are told.

use parlour_core::{
    event::{Envelope, Event},
    ids::MAX_INTEGER,
    model::{Content, Message},
};
use serde::{Deserialize, Serialize};

use super::date::Date;
use crate::{
    Scene, Sink,
    seed::{Number, WireUserId, write},
};

#[derive(Serialize)]
struct Frame<'a> {
    message: &'a str,
    sender_id: WireUserId,
    sender_username: &'a str,
    timestamp: Date<'a>,
    message_id: u64,
    image: Option<&'static str>,
    item_id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<&'a str>,
}

/// Writes the frame of an event: its clients show every frame as a message, so all else is left out.
pub(super) fn event(envelope: &Envelope, scene: &Scene<'_>, out: &mut dyn Sink) {
    match &envelope.event {
        Event::MessageCreated(created) => message(created, scene, out),
        Event::MessageEdited(_)
        | Event::MessageDeleted(_)
        | Event::Receipt { .. }
        | Event::Typing { .. }
        | Event::Presence { .. }
        | Event::ConversationCreated { .. }
        | Event::ParticipantJoined { .. }
        | Event::ParticipantLeft { .. }
        | Event::RoleChanged { .. }
        | Event::ConversationChanged { .. } => {}
    }
}

/// Writes a message; nothing when it was deleted.
pub(super) fn message(message: &Message, scene: &Scene<'_>, out: &mut dyn Sink) {
    let Some(content) = &message.content else { return };
    let frame = Frame {
        message: &content.text,
        sender_id: WireUserId(message.sender.id.clone()),
        sender_username: &message.sender.username,
        timestamp: Date { at: message.created_at, zone: &scene.settings.time_zone },
        message_id: message.id.0,
        image: None,
        item_id: item(content, scene),
        client_id: message.client_id.as_ref().map(|id| id.as_str()),
    };
    write(&frame, out);
}

/// What a message is about: what its sender said, else what the conversation is about.
fn item(content: &Content, scene: &Scene<'_>) -> Option<u64> {
    #[derive(Deserialize)]
    struct Metadata {
        item_id: Option<Number>,
    }
    let said = content.metadata.as_deref().and_then(|metadata| {
        // Metadata is the host application's: whatever else is in it is no fault.
        serde_json::from_str::<Metadata>(metadata).ok()?.item_id
    });
    // A JSON number is written in one way only, so `item/05` stays the host application's own.
    let subject = || {
        let digits = scene.place?.subject.as_deref()?.strip_prefix("item/")?;
        serde_json::from_str(digits).ok().filter(|number| *number <= MAX_INTEGER)
    };
    said.map(|number| number.0).or_else(subject)
}
