//! A dialect as its client has it: how it says something, and what a frame tells it; and that of the native protocol.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::log::{Heard, Log, Said};

/// Where a client talks.
#[derive(Clone, Debug)]
pub struct Place {
    /// The conversation.
    pub conversation: u64,
    /// The other one, in a direct conversation.
    pub peer: Option<String>,
}

/// How the clients of one dialect write and read.
pub(crate) trait Speech: Send + Sync {
    /// Path and query of the socket, without what signs in.
    fn address(&self, place: &Place) -> String;

    /// The frame that says something. `number` is one that this client has not used yet.
    fn say(&self, me: &str, place: &Place, text: &str, client_id: &str, number: u64) -> Value;

    /// Takes down what a frame tells; frames that are of no interest tell nothing.
    ///
    /// # Errors
    /// When it lacks what it should have.
    fn hear(&self, me: &str, frame: &Value, log: &mut Log) -> Result<()>;
}

/// A field that holds a number.
pub(crate) fn number(value: &Value, field: &str) -> Result<u64> {
    value[field].as_u64().with_context(|| format!("no number {field} in {value}"))
}

/// A field that holds a text.
pub(crate) fn text(value: &Value, field: &str) -> Result<String> {
    let text = value[field].as_str().with_context(|| format!("no text {field} in {value}"))?;
    Ok(text.into())
}

/// A field that holds a user's id: a number or a text.
pub(crate) fn user(value: &Value, field: &str) -> Result<String> {
    match &value[field] {
        Value::Number(number) => Ok(number.to_string()),
        _ => text(value, field),
    }
}

/// A user's id as clients of the older dialects have it: a number where it is one.
pub(crate) fn written(user: &str) -> Value {
    user.parse::<u64>().map_or_else(|_| user.into(), Into::into)
}

/// A message object as REST and the native protocol have it; `None` for a tombstone.
pub(crate) fn message(value: &Value) -> Result<Option<Said>> {
    if value["content"].is_null() {
        return Ok(None);
    }
    Ok(Some(Said {
        id: number(value, "id")?,
        sender: text(value, "sender_id")?,
        text: text(value, "content")?,
        created_at: text(value, "created_at")?,
    }))
}

/// The native protocol.
pub(crate) struct Native;

impl Speech for Native {
    fn address(&self, _: &Place) -> String {
        "/api/v1/ws".into()
    }

    fn say(&self, _: &str, place: &Place, text: &str, client_id: &str, number: u64) -> Value {
        json!({
            "type": "message.send", "id": number, "conversation_id": place.conversation,
            "client_id": client_id, "content": text,
        })
    }

    fn hear(&self, me: &str, frame: &Value, log: &mut Log) -> Result<()> {
        match frame["type"].as_str().unwrap_or_default() {
            "reply" if frame["error"].is_object() => {
                log.add(Heard::Refused(frame["error"].to_string()), me);
            }
            "reply" => {
                let message = &frame["ok"]["message"];
                if message.is_object() && frame["ok"]["duplicate"] != true {
                    change(me, message, log)?;
                    log.moved(number(message, "change_seq")?);
                }
            }
            "replay" => {
                for event in frame["events"].as_array().into_iter().flatten() {
                    self.hear(me, event, log)?;
                }
                log.moved(number(frame, "up_to")?);
            }
            "resync_required" => log.add(Heard::Resync, me),
            "message.created" | "message.edited" | "message.deleted" => {
                change(me, &frame["message"], log)?;
                log.moved(number(frame, "seq")?);
            }
            _ => {
                if let Some(seq) = frame["seq"].as_u64() {
                    log.moved(seq);
                }
            }
        }
        Ok(())
    }
}

/// The present state of a message: new, edited or gone, depending on what is known.
fn change(me: &str, value: &Value, log: &mut Log) -> Result<()> {
    let heard = match message(value)? {
        Some(said) if log.knows(said.id) => Heard::Edited { id: said.id, text: said.text },
        Some(said) => Heard::Said(said),
        None => Heard::Deleted { id: number(value, "id")? },
    };
    log.add(heard, me);
    Ok(())
}
