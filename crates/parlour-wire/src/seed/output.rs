//! Frames that more than one of these dialects writes.

use parlour_core::{
    Error,
    event::PresenceStatus,
    model::{Millis, Profile},
    port::store::Appended,
};
use serde::Serialize;

use super::{Time, WireUserId, seen};
use crate::{Notice, Sink, Tag};

/// Writes a frame.
pub(crate) fn write(frame: &impl Serialize, out: &mut dyn Sink) {
    crate::json::write(frame, out.frame());
}

/// Whether a message is the answer to a send, not to an edit or a deletion: a send that is repeated is answered as it
/// was at first, whatever has become of the message since.
pub(crate) fn answers_send(tag: &Tag, appended: &Appended) -> bool {
    let message = &appended.message;
    match &tag.client_id {
        Some(id) => message.client_id.as_ref().is_some_and(|first| first.as_str() == &**id),
        // Without a name nothing is a repetition of a send, and what has changed since is no send.
        None => !appended.duplicate && message.change_seq == message.seq,
    }
}

/// Writes why something was not done.
pub(crate) fn error(tag: &Tag, refusal: &Error, out: &mut dyn Sink) {
    #[derive(Serialize)]
    struct Frame<'a> {
        #[serde(rename = "type")]
        kind: &'static str,
        code: &'static str,
        message: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        client_id: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u128>,
        #[serde(skip_serializing_if = "Option::is_none")]
        limit: Option<&'static str>,
    }
    let frame = Frame {
        kind: "error",
        code: refusal.code.as_str(),
        message: &refusal.message,
        client_id: tag.client_id.as_deref(),
        retry_after_ms: refusal.retry_after.map(|after| after.as_millis()),
        limit: refusal.limit,
    };
    write(&frame, out);
}

/// Writes that a conversation must be loaded anew. These clients have no word for a sign-in or a server that ends:
/// they learn it from the close code, as they learn that they are no longer in a conversation.
pub(crate) fn notice(notice: Notice, out: &mut dyn Sink) {
    #[derive(Serialize)]
    struct Frame {
        #[serde(rename = "type")]
        kind: &'static str,
        conversation_id: u64,
    }
    match notice {
        Notice::Resync(conversation, _) => {
            write(&Frame { kind: "resync", conversation_id: conversation.0 }, out);
        }
        Notice::Expiring(_) | Notice::Restarting(_) | Notice::Removed => {}
    }
}

/// Writes that somebody came or went.
pub(crate) fn user_status(
    user: &Profile,
    status: PresenceStatus,
    last_seen: Millis,
    out: &mut dyn Sink,
) {
    #[derive(Serialize)]
    struct Frame<'a> {
        #[serde(rename = "type")]
        kind: &'static str,
        user_id: WireUserId,
        username: &'a str,
        status: &'static str,
        last_seen: Option<Time>,
    }
    let frame = Frame {
        kind: "user_status",
        user_id: WireUserId(user.id.clone()),
        username: &user.username,
        status: status.as_str(),
        last_seen: seen(last_seen),
    };
    write(&frame, out);
}
