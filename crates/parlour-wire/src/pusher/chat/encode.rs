//! What subscribers of chat channels are told.

use std::sync::Arc;

use parlour_core::{
    ClientId, Error, Seq, UserId,
    event::{Envelope, Event},
    model::{self, MessageKind},
};
use serde::Serialize;

use crate::{
    Notice, Scene, Sink, Tag,
    native::object::Metadata,
    pusher::Refusal,
    seed::{Time, WireUserId, seen},
};

/// The event by which a conversation must be loaded anew.
const RESYNC: &str = "ResyncEvent";

/// A user, as these clients know one. Addresses for mail are seen by nobody but their owner, so it is empty.
#[derive(Clone, Debug, Serialize)]
struct Person {
    id: WireUserId,
    name: Arc<str>,
    email: &'static str,
}

impl Person {
    fn new(profile: &model::Profile) -> Self {
        Self { id: WireUserId(profile.id.clone()), name: profile.name.clone(), email: "" }
    }
}

/// A message in its present state, as chat channels show it.
#[derive(Clone, Debug, Serialize)]
pub struct Message {
    /// Its id, below 2^53, the same in every dialect.
    pub id: u64,
    /// Where it was said.
    pub conversation_id: u64,
    /// Its place in the conversation.
    pub seq: u64,
    /// Who said it.
    pub sender_id: WireUserId,
    sender: Person,
    /// What it says; null once deleted.
    pub content: Option<Arc<str>>,
    /// `text`, or `system` for what the host application says.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Files; none in this version.
    pub attachments: [(); 0],
    /// Opaque JSON of the sending application.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
    /// The message that it answers.
    pub reply_to: Option<u64>,
    /// When it was stored.
    pub created_at: Time,
    /// When it last changed.
    pub updated_at: Time,
    /// When it was last edited.
    pub edited_at: Option<Time>,
    /// When it was deleted.
    pub deleted_at: Option<Time>,
    /// Whether anybody but the sender has read it.
    pub is_read: bool,
}

impl Message {
    /// A message, with who of `read` has read it (each with the seq up to which he has).
    #[must_use]
    pub fn new(message: &model::Message, read: &[(UserId, Seq)]) -> Self {
        let sender = &message.sender;
        let others = read.iter().filter(|(user, _)| *user != sender.id);
        let content = message.content.as_ref();
        let updated_at = message.deleted_at.or(message.edited_at).unwrap_or(message.created_at);
        Self {
            id: message.id.0,
            conversation_id: message.conversation.0,
            seq: message.seq.0,
            sender_id: WireUserId(sender.id.clone()),
            sender: Person::new(sender),
            content: content.map(|content| content.text.clone()),
            kind: match message.kind {
                MessageKind::Text => "text",
                MessageKind::System => "system",
            },
            attachments: [],
            metadata: content.and_then(|content| content.metadata.clone()).map(Metadata),
            reply_to: message.reply_to.map(|id| id.0),
            created_at: Time(message.created_at),
            updated_at: Time(updated_at),
            edited_at: message.edited_at.map(Time),
            deleted_at: message.deleted_at.map(Time),
            is_read: others.into_iter().any(|(_, up_to)| *up_to >= message.seq),
        }
    }
}

/// What the data of every chat event is.
#[derive(Serialize)]
struct Told<T: Serialize> {
    #[serde(rename = "type")]
    kind: &'static str,
    data: T,
}

/// Writes an event whose data is a text that holds JSON, as the protocol has it.
fn write(name: &str, kind: &'static str, data: impl Serialize, out: &mut dyn Sink) {
    let mut inner = Vec::with_capacity(256);
    crate::json::write(&Told { kind, data }, &mut inner);
    // What was written is JSON, so it is UTF-8.
    let inner = String::from_utf8(inner).unwrap_or_default();
    #[derive(Serialize)]
    struct Frame<'a> {
        event: &'a str,
        data: &'a str,
    }
    crate::json::write(&Frame { event: name, data: &inner }, out.frame());
}

/// Writes the frame of an event, the same for everybody who gets it.
pub(super) fn event(envelope: &Envelope, scene: &Scene<'_>, out: &mut dyn Sink) {
    let names = &scene.settings.events;
    match &envelope.event {
        Event::MessageCreated(message) => sent(message, scene, out),
        Event::MessageEdited(message) => {
            changed(&names.message_edited, "edited", message, scene, out);
        }
        Event::MessageDeleted(message) => deleted(message, scene, out),
        Event::Receipt { user, covered, .. } => {
            if let (Some(conversation), false) = (envelope.conversation, covered.is_empty()) {
                let read = Read {
                    conversation_id: conversation.0,
                    reader_id: WireUserId(user.clone()),
                    message_ids: covered.iter().map(|covered| covered.message.0).collect(),
                };
                write(&names.messages_read, "read", read, out);
            }
        }
        Event::Typing { user, active } => {
            if let Some(conversation) = envelope.conversation {
                let typing = Typing { conversation_id: conversation.0, user: Person::new(user) };
                match active {
                    true => write(&names.user_typing, "typing", typing, out),
                    false => write(&names.user_stopped_typing, "typing_stopped", typing, out),
                }
            }
        }
        Event::Presence { user, status, last_seen } => {
            let status = Status {
                user_id: WireUserId(user.id.clone()),
                username: &user.username,
                status: status.as_str(),
                last_seen: seen(*last_seen),
            };
            write(&names.user_status, "status", status, out);
        }
        // Its clients learn of a conversation by its messages.
        Event::ConversationCreated { .. }
        | Event::ParticipantJoined { .. }
        | Event::ParticipantLeft { .. }
        | Event::RoleChanged { .. }
        | Event::ConversationChanged { .. } => {}
    }
}

/// Writes that something was said, or that it was and is deleted.
pub(super) fn sent(message: &model::Message, scene: &Scene<'_>, out: &mut dyn Sink) {
    #[derive(Serialize)]
    struct Sent<'a> {
        message: Message,
        #[serde(rename = "tempId", skip_serializing_if = "Option::is_none")]
        temp_id: Option<&'a str>,
    }
    if message.content.is_none() {
        return deleted(message, scene, out);
    }
    let temp_id = message.client_id.as_ref().map(ClientId::as_str);
    let sent = Sent { message: Message::new(message, scene.read), temp_id };
    write(&scene.settings.events.message_sent, "message", sent, out);
}

fn deleted(message: &model::Message, scene: &Scene<'_>, out: &mut dyn Sink) {
    changed(&scene.settings.events.message_deleted, "deleted", message, scene, out);
}

fn changed(
    name: &str,
    kind: &'static str,
    message: &model::Message,
    scene: &Scene<'_>,
    out: &mut dyn Sink,
) {
    #[derive(Serialize)]
    struct Changed {
        conversation_id: u64,
        seq: u64,
        message_id: u64,
        message: Message,
    }
    let changed = Changed {
        conversation_id: message.conversation.0,
        seq: message.change_seq.0,
        message_id: message.id.0,
        message: Message::new(message, scene.read),
    };
    write(name, kind, changed, out);
}

/// Writes why something was not done. The connection stays, so its `code` is null.
pub(super) fn error(tag: &Tag, refusal: &Error, out: &mut dyn Sink) {
    #[derive(Serialize)]
    struct Data<'a> {
        code: Option<u16>,
        message: &'a str,
        error: &'static str,
        #[serde(rename = "tempId", skip_serializing_if = "Option::is_none")]
        temp_id: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u128>,
        #[serde(skip_serializing_if = "Option::is_none")]
        limit: Option<&'static str>,
    }
    #[derive(Serialize)]
    struct Frame<'a> {
        event: &'static str,
        data: Data<'a>,
    }
    let data = Data {
        code: None,
        message: &refusal.message,
        error: refusal.code.as_str(),
        temp_id: tag.client_id.as_deref(),
        retry_after_ms: refusal.retry_after.map(|after| after.as_millis()),
        limit: refusal.limit,
    };
    crate::json::write(&Frame { event: "pusher:error", data }, out.frame());
}

/// Writes what the server has to say of the channel.
pub(super) fn notice(notice: Notice, out: &mut dyn Sink) {
    #[derive(Serialize)]
    struct Resync {
        conversation_id: u64,
    }
    #[derive(Serialize)]
    struct Ended<'a> {
        #[serde(rename = "type")]
        kind: &'static str,
        error: &'a str,
        status: u16,
    }
    #[derive(Serialize)]
    struct Frame<'a> {
        event: &'static str,
        data: Ended<'a>,
    }
    match notice {
        Notice::Resync(conversation, _) => {
            write(RESYNC, "resync", Resync { conversation_id: conversation.0 }, out);
        }
        Notice::Removed => {
            let (kind, status) = Refusal::Forbidden.subscription_status();
            let error = &Refusal::Forbidden.to_string();
            let frame =
                Frame { event: "pusher:subscription_error", data: Ended { kind, error, status } };
            crate::json::write(&frame, out.frame());
        }
        // They learn it from the close code.
        Notice::Expiring(_) | Notice::Restarting(_) => {}
    }
}

#[derive(Serialize)]
struct Read {
    conversation_id: u64,
    reader_id: WireUserId,
    message_ids: Vec<u64>,
}

#[derive(Serialize)]
struct Typing {
    conversation_id: u64,
    user: Person,
}

#[derive(Serialize)]
struct Status<'a> {
    user_id: WireUserId,
    username: &'a str,
    status: &'static str,
    last_seen: Option<Time>,
}
