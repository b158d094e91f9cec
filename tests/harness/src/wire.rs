//! The frames of `docs/protocol/native.md`, to and from what a history records.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::history::{Action, Answer, Change, Kind, Message};

/// A command as a frame.
#[must_use]
pub fn command(op: u64, action: &Action) -> Value {
    match action {
        Action::Send { conversation, client_id, content } => json!({
            "type": "message.send", "id": op, "conversation_id": conversation,
            "client_id": client_id, "content": content,
        }),
        Action::Edit { message, content, .. } => {
            json!({"type": "message.edit", "id": op, "message_id": message, "content": content})
        }
        Action::Delete { message, .. } => {
            json!({"type": "message.delete", "id": op, "message_id": message})
        }
        Action::Read { conversation, seq } => {
            json!({"type": "read", "id": op, "conversation_id": conversation, "seq": seq})
        }
        Action::Add { conversation, user } => json!({
            "type": "participant.add", "id": op, "conversation_id": conversation, "user_id": user,
        }),
        Action::Remove { conversation, user } => json!({
            "type": "participant.remove", "id": op, "conversation_id": conversation, "user_id": user,
        }),
    }
}

/// A number of an object.
///
/// # Errors
/// When it is not there.
pub fn number(value: &Value, field: &str) -> Result<u64> {
    value[field].as_u64().with_context(|| format!("no number {field} in {value}"))
}

/// What a reply says.
///
/// # Errors
/// When it is none as it should be.
pub fn read_answer(frame: &Value) -> Result<Answer> {
    if let Some(error) = frame.get("error") {
        let text = |field: &str| error[field].as_str().unwrap_or_default().to_owned();
        return Ok(Answer::Refused { code: text("code"), class: text("class") });
    }
    let ok = frame.get("ok").with_context(|| format!("neither ok nor error: {frame}"))?;
    match ok.get("message") {
        Some(message) => {
            let message = Message::from_wire(message)
                .with_context(|| format!("no message as it should be: {message}"))?;
            Ok(Answer::Stored { message, duplicate: ok["duplicate"] == true })
        }
        None => Ok(Answer::Done),
    }
}

/// The Change that an event tells of.
///
/// # Errors
/// When it is none as it should be.
pub fn read_change(event: &Value) -> Result<Change> {
    let kind = match event["type"].as_str().context("an event without type")? {
        "message.created" => Kind::Created,
        "message.edited" => Kind::Edited,
        "message.deleted" => Kind::Deleted,
        "participant.joined" => Kind::Joined,
        "participant.left" => Kind::Left,
        _ => Kind::Other,
    };
    let message = match kind {
        Kind::Created | Kind::Edited | Kind::Deleted => Some(
            Message::from_wire(&event["message"])
                .with_context(|| format!("no message as it should be: {event}"))?,
        ),
        _ => None,
    };
    let user = match kind {
        Kind::Joined => event["participant"]["user_id"].as_str(),
        Kind::Left => event["user_id"].as_str(),
        _ => None,
    };
    Ok(Change { seq: number(event, "seq")?, kind, message, user: user.map(Into::into) })
}
