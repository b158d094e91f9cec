//! The four dialects of existing clients: `direct`, `inbox`, `room` and `plain`.

use anyhow::Result;
use serde_json::{Value, json};

use super::{
    log::{Heard, Log, Said},
    speech::{Place, Speech, number, text, user, written},
};

/// One socket a user, messages to people.
pub(crate) struct Direct;

/// One socket a user, messages to conversations.
pub(crate) struct Inbox;

/// One socket a conversation.
pub(crate) struct Room;

/// One socket a conversation, frames without a type.
pub(crate) struct Plain;

impl Speech for Direct {
    fn address(&self, _: &Place) -> String {
        "/ws/chat/?dialect=direct".into()
    }

    fn say(&self, _: &str, place: &Place, text: &str, client_id: &str, _: u64) -> Value {
        let receiver = place.peer.as_deref().map(written);
        json!({"type": "message", "receiver": receiver, "content": text, "client_id": client_id})
    }

    fn hear(&self, me: &str, frame: &Value, log: &mut Log) -> Result<()> {
        let heard = match frame["type"].as_str().unwrap_or_default() {
            "message" => {
                let message = &frame["message"];
                Heard::Said(Said {
                    id: number(message, "id")?,
                    sender: user(message, "sender")?,
                    text: text(message, "content")?,
                    created_at: text(message, "created_at")?,
                })
            }
            "edited" => {
                let message = &frame["message"];
                Heard::Edited { id: number(message, "id")?, text: text(message, "content")? }
            }
            "deleted" => Heard::Deleted { id: number(frame, "id")? },
            _ => return common(me, frame, log),
        };
        log.add(heard, me);
        Ok(())
    }
}

impl Speech for Inbox {
    fn address(&self, _: &Place) -> String {
        "/ws/chat/?dialect=inbox".into()
    }

    fn say(&self, _: &str, place: &Place, text: &str, client_id: &str, _: u64) -> Value {
        let receiver = place.peer.as_deref().map(written);
        json!({
            "type": "chat_message", "conversation_id": place.conversation, "receiver_id": receiver,
            "text": text, "client_id": client_id,
        })
    }

    fn hear(&self, me: &str, frame: &Value, log: &mut Log) -> Result<()> {
        let heard = match frame["type"].as_str().unwrap_or_default() {
            // Its own messages it has only the name of, and knows their text.
            "message_sent" => Heard::Said(Said {
                id: number(frame, "message_id")?,
                sender: me.into(),
                text: log.remembered(&text(frame, "client_id")?),
                created_at: text(frame, "created_at")?,
            }),
            "new_message" => Heard::Said(Said {
                id: number(frame, "message_id")?,
                sender: user(frame, "sender_id")?,
                text: text(frame, "text")?,
                created_at: text(frame, "created_at")?,
            }),
            "message_edited" => {
                Heard::Edited { id: number(frame, "message_id")?, text: text(frame, "text")? }
            }
            "message_deleted" => Heard::Deleted { id: number(frame, "message_id")? },
            _ => return common(me, frame, log),
        };
        log.add(heard, me);
        Ok(())
    }
}

impl Speech for Room {
    fn address(&self, place: &Place) -> String {
        format!("/ws/chat/{}/?dialect=room", place.conversation)
    }

    fn say(&self, _: &str, _: &Place, text: &str, client_id: &str, _: u64) -> Value {
        json!({"type": "chat_message", "content": text, "attachments": null, "client_id": client_id})
    }

    fn hear(&self, me: &str, frame: &Value, log: &mut Log) -> Result<()> {
        let heard = match frame["type"].as_str().unwrap_or_default() {
            "chat_message" => Heard::Said(Said {
                id: number(frame, "message_id")?,
                sender: user(frame, "sender_id")?,
                text: text(frame, "content")?,
                created_at: text(frame, "created_at")?,
            }),
            "message_edited" => {
                Heard::Edited { id: number(frame, "message_id")?, text: text(frame, "content")? }
            }
            "message_deleted" => Heard::Deleted { id: number(frame, "message_id")? },
            _ => return common(me, frame, log),
        };
        log.add(heard, me);
        Ok(())
    }
}

impl Speech for Plain {
    fn address(&self, place: &Place) -> String {
        format!("/ws/chat/{}/?dialect=plain", place.conversation)
    }

    fn say(&self, me: &str, place: &Place, text: &str, client_id: &str, _: u64) -> Value {
        let recipient = place.peer.as_deref().map(written);
        json!({
            "message": text, "sender_id": written(me), "recipient_id": recipient, "item_id": null,
            "image": null, "client_id": client_id,
        })
    }

    fn hear(&self, me: &str, frame: &Value, log: &mut Log) -> Result<()> {
        if !frame["type"].is_null() {
            return common(me, frame, log);
        }
        let said = Said {
            id: number(frame, "message_id")?,
            sender: user(frame, "sender_id")?,
            text: text(frame, "message")?,
            created_at: text(frame, "timestamp")?,
        };
        log.add(Heard::Said(said), me);
        Ok(())
    }
}

/// What the four say alike. Typing, receipts and presence are of no interest here.
fn common(me: &str, frame: &Value, log: &mut Log) -> Result<()> {
    match text(frame, "type")?.as_str() {
        "resync" => log.add(Heard::Resync, me),
        "error" => log.add(Heard::Refused(frame.to_string()), me),
        _ => {}
    }
    Ok(())
}
