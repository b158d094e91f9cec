//! What native clients are told.

use std::sync::Arc;

use parlour_core::{
    ConversationId, Error, Seq, UserId,
    command::{Reply, ResumeFrom, Resumed, ResyncReason},
    event::{Envelope, Event, PresenceStatus},
};
use serde::Serialize;
use serde_json::json;

use super::object::{self, Time};
use crate::{Notice, Sink};

/// Writes a value. Nothing that is written here can fail: no map has keys but texts, and a `Vec` takes everything.
pub(super) fn write(value: &impl Serialize, out: &mut Vec<u8>) {
    let written = serde_json::to_writer(out, value);
    debug_assert!(written.is_ok(), "a frame could not be written: {written:?}");
}

#[derive(Serialize)]
struct EventFrame<'a, T: Serialize> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    conversation_id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
    #[serde(flatten)]
    fields: &'a T,
}

#[derive(Serialize)]
struct MessageFrame {
    #[serde(rename = "type")]
    kind: &'static str,
    conversation_id: u64,
    seq: u64,
    message: object::Message,
}

#[derive(Serialize)]
struct TypingFields {
    active: bool,
    ttl_ms: u64,
    user: object::Profile,
    user_id: Arc<str>,
}

/// Writes the frame of an event, the same for everybody who gets it.
pub fn event_frame(envelope: &Envelope, out: &mut Vec<u8>) {
    let by = |user: &UserId| json!(user.as_str());
    match &envelope.event {
        Event::MessageCreated(message) => message_frame("message.created", envelope, message, out),
        Event::MessageEdited(message) => message_frame("message.edited", envelope, message, out),
        Event::MessageDeleted(message) => message_frame("message.deleted", envelope, message, out),
        Event::ConversationCreated { conversation, participants } => {
            let conversation = object::Conversation::made(conversation, participants);
            frame("conversation.created", envelope, &json!({ "conversation": conversation }), out);
        }
        Event::ParticipantJoined { participant, by: actor, .. } => {
            let person = object::Participant::new(participant, PresenceStatus::Offline);
            let fields = json!({ "participant": person, "by": by(actor) });
            frame("participant.joined", envelope, &fields, out);
        }
        Event::ParticipantLeft { user, by: actor } => {
            let fields = json!({ "user_id": user.id.as_str(), "by": by(actor) });
            frame("participant.left", envelope, &fields, out);
        }
        Event::RoleChanged { user, role, by: actor } => {
            let fields =
                json!({ "user_id": user.as_str(), "role": object::role(*role), "by": by(actor) });
            frame("participant.role", envelope, &fields, out);
        }
        Event::ConversationChanged { title, state, metadata, by: actor } => {
            let mut fields = serde_json::Map::new();
            if let Some(title) = title {
                fields.insert("title".into(), removed_or(title, |t| json!(t)));
            }
            if let Some(state) = state {
                fields.insert("state".into(), json!(object::state(*state)));
            }
            if let Some(metadata) = metadata {
                let value = |text: &str| serde_json::from_str(text).unwrap_or_default();
                fields.insert("metadata".into(), removed_or(metadata, value));
            }
            fields.insert("by".into(), by(actor));
            frame("conversation.changed", envelope, &fields, out);
        }
        Event::Receipt { user, to, version, .. } => {
            let fields = json!({ "user_id": user.as_str(), "delivered_seq": to.delivered.0,
                "read_seq": to.read.0, "version": version });
            frame("receipt", envelope, &fields, out);
        }
        Event::Typing { user, active } => {
            let user = object::Profile::from(&**user);
            let user_id = user.id.clone();
            let fields = TypingFields { active: *active, ttl_ms: 6_000, user, user_id };
            frame("typing", envelope, &fields, out);
        }
        Event::Presence { user, status, last_seen } => {
            let fields = json!({ "user_id": user.id.as_str(), "status": status.as_str(),
                "last_seen": object::seen(*last_seen) });
            frame("presence", envelope, &fields, out);
        }
    }
}

fn removed_or(text: &str, value: impl Fn(&str) -> serde_json::Value) -> serde_json::Value {
    if text.is_empty() { serde_json::Value::Null } else { value(text) }
}

fn frame(kind: &'static str, envelope: &Envelope, fields: &impl Serialize, out: &mut Vec<u8>) {
    let frame = EventFrame {
        kind,
        conversation_id: envelope.conversation.map(|id| id.0),
        seq: envelope.seq.map(|seq| seq.0),
        fields,
    };
    write(&frame, out);
}

/// The frames of messages are most of all traffic, and are written without an intermediate tree.
fn message_frame(
    kind: &'static str,
    envelope: &Envelope,
    message: &parlour_core::model::Message,
    out: &mut Vec<u8>,
) {
    let frame = MessageFrame {
        kind,
        conversation_id: message.conversation.0,
        seq: envelope.seq.unwrap_or(message.change_seq).0,
        message: message.into(),
    };
    write(&frame, out);
}

#[derive(Serialize)]
struct ReplyFrame<T: Serialize> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u64>,
    ok: T,
}

#[derive(Serialize)]
struct MessageReply {
    message: object::Message,
    duplicate: bool,
}

fn ok(id: Option<u64>, ok: impl Serialize, out: &mut Vec<u8>) {
    write(&ReplyFrame { kind: "reply", id, ok }, out);
}

/// Writes the answer to the command that caused the event; only events of messages answer.
pub(super) fn own(envelope: &Envelope, command: u64, out: &mut Vec<u8>) {
    match envelope.event.message() {
        Some(message) => {
            let id = (command != 0).then_some(command);
            ok(id, MessageReply { message: (&**message).into(), duplicate: false }, out);
        }
        None => event_frame(envelope, out),
    }
}

/// Writes the answer to a command.
pub fn reply(id: Option<u64>, outcome: &Result<Reply, Error>, out: &mut Vec<u8>) {
    match outcome {
        Err(refusal) => error(id, refusal, out),
        Ok(Reply::Message(appended)) => {
            let message = (&*appended.message).into();
            ok(id, MessageReply { message, duplicate: appended.duplicate }, out);
        }
        Ok(Reply::Marked(mark)) => {
            ok(id, json!({ "delivered_seq": mark.delivered.0, "read_seq": mark.read.0 }), out);
        }
        Ok(Reply::Conversation(made)) => {
            let status = |_: &UserId| PresenceStatus::Offline;
            let conversation = object::Conversation::new(&made.summary, status);
            ok(id, json!({ "conversation": conversation, "created": made.created }), out);
        }
        Ok(Reply::Added(added)) => ok(id, json!({ "added": added }), out),
        Ok(Reply::Authenticated { user, expires_at }) => {
            let user = object::Me::from(&**user);
            ok(id, json!({ "user": user, "expires_at": expires_at.map(Time) }), out);
        }
        Ok(Reply::Resumed(resumed)) => ok(id, Ready::from(&**resumed), out),
        Ok(Reply::Focused(_) | Reply::Done) => ok(id, json!({}), out),
        Ok(Reply::Pong(now)) => ok(id, json!({ "server_time": Time(*now) }), out),
    }
}

fn error(id: Option<u64>, refusal: &Error, out: &mut Vec<u8>) {
    #[derive(Serialize)]
    struct Problem<'a> {
        code: &'static str,
        class: &'static str,
        message: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u128>,
        #[serde(skip_serializing_if = "Option::is_none")]
        limit: Option<&'static str>,
    }
    #[derive(Serialize)]
    struct ErrorFrame<'a> {
        #[serde(rename = "type")]
        kind: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<u64>,
        error: Problem<'a>,
    }
    let error = Problem {
        code: refusal.code.as_str(),
        class: refusal.code.class().as_str(),
        message: &refusal.message,
        retry_after_ms: refusal.retry_after.map(|after| after.as_millis()),
        limit: refusal.limit,
    };
    write(&ErrorFrame { kind: "reply", id, error }, out);
}

/// Where a stream stands once everything missed has been sent.
#[derive(Serialize)]
pub struct Ready {
    conversations: Vec<ReadyPlace>,
    resync: Vec<serde_json::Value>,
    gone: Vec<u64>,
    presence: Vec<ReadyPresence>,
}

/// Of those with whom the user shares a conversation, one who is there.
#[derive(Serialize)]
struct ReadyPresence {
    /// Not said in this place.
    last_seen: Option<Time>,
    status: &'static str,
    user_id: Arc<str>,
}

#[derive(Serialize)]
struct ReadyPlace {
    conversation_id: u64,
    epoch: u64,
    seq: u64,
    receipts: u64,
}

impl From<&Resumed> for Ready {
    fn from(resumed: &Resumed) -> Self {
        let place = |at: &ResumeFrom| ReadyPlace {
            conversation_id: at.conversation.0,
            epoch: at.position.epoch.0,
            seq: at.position.seq.0,
            receipts: at.receipts,
        };
        let resync = |(id, reason): &(ConversationId, ResyncReason)| json!({ "conversation_id": id.0, "reason": reason.as_str() });
        let presence = |(user, status): &(UserId, PresenceStatus)| ReadyPresence {
            last_seen: None,
            status: status.as_str(),
            user_id: user.to_shared(),
        };
        Self {
            conversations: resumed.conversations.iter().map(place).collect(),
            resync: resumed.resync.iter().map(resync).collect(),
            gone: resumed.gone.iter().map(|id| id.0).collect(),
            presence: resumed.presence.iter().map(presence).collect(),
        }
    }
}

/// Writes the frame that ends the replay of a stream which has no commands (server-sent events, polling).
pub fn ready(resumed: &Resumed, out: &mut Vec<u8>) {
    #[derive(Serialize)]
    struct Frame {
        #[serde(rename = "type")]
        kind: &'static str,
        #[serde(flatten)]
        ready: Ready,
    }
    write(&Frame { kind: "ready", ready: resumed.into() }, out);
}

/// Writes a part of what was missed in one conversation.
pub fn replay(
    conversation: ConversationId,
    after: Seq,
    up_to: Seq,
    events: &[Envelope],
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(
        format!(
            r#"{{"type":"replay","conversation_id":{conversation},"after":{after},"up_to":{up_to},"events":["#
        )
        .as_bytes(),
    );
    for (index, event) in events.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        event_frame(event, out);
    }
    out.extend_from_slice(b"]}");
}

/// Writes what the server has to say of the connection.
pub(super) fn notice(notice: Notice, out: &mut dyn Sink) {
    match notice {
        // A native connection is about everything; it is told by the Change.
        Notice::Removed => {}
        Notice::Expiring(at) => {
            write(&json!({ "type": "expiring", "expires_at": Time(at) }), out.frame());
        }
        Notice::Restarting(wait) => {
            let retry = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
            write(&json!({ "type": "restarting", "retry_after_ms": retry }), out.frame());
        }
        Notice::Resync(conversation, reason) => write(
            &json!({ "type": "resync_required", "conversation_id": conversation.0, "reason": reason.as_str() }),
            out.frame(),
        ),
    }
}

/// Writes that a Change went by which the client may not see, so that its position moves on.
pub(super) fn skipped(conversation: ConversationId, seq: Seq, out: &mut Vec<u8>) {
    write(&json!({ "type": "skipped", "conversation_id": conversation.0, "seq": seq.0 }), out);
}
