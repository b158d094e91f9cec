//! The four dialects as tables: the frames that their clients send, and what the frames mean that they get.

use serde_json::{Value, json};

/// A dialect of existing clients.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Spoken {
    pub(super) name: &'static str,
    /// One socket carries one conversation.
    pub(super) scoped: bool,
    /// It has frames for edits, deletions, receipts and typing.
    pub(super) rich: bool,
    /// Who may not come in is refused before the upgrade.
    pub(super) refuses_early: bool,
}

pub(super) const DIRECT: Spoken =
    Spoken { name: "direct", scoped: false, rich: true, refuses_early: false };
pub(super) const INBOX: Spoken =
    Spoken { name: "inbox", scoped: false, rich: true, refuses_early: true };
pub(super) const ROOM: Spoken =
    Spoken { name: "room", scoped: true, rich: true, refuses_early: true };
pub(super) const PLAIN: Spoken =
    Spoken { name: "plain", scoped: true, rich: false, refuses_early: false };

pub(super) const ALL: [Spoken; 4] = [DIRECT, INBOX, ROOM, PLAIN];

/// Those with frames for more than messages.
pub(super) fn rich() -> impl Iterator<Item = Spoken> {
    ALL.into_iter().filter(|spoken| spoken.rich)
}

/// Where somebody speaks.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) conversation: u64,
    /// The other one, where there are two.
    pub(super) other: Option<String>,
}

impl Spoken {
    /// The path of a socket, without the query.
    pub(super) fn path(self, conversation: u64) -> String {
        match self.scoped {
            true => format!("/ws/chat/{conversation}/"),
            false => "/ws/chat/".to_owned(),
        }
    }

    pub(super) fn say(self, at: &Place, me: &str, text: &str) -> Value {
        let other = at.other.as_deref().map(id);
        match self.name {
            "direct" => json!({ "type": "message", "receiver": other, "content": text }),
            "inbox" => {
                json!({ "type": "chat_message", "conversation_id": at.conversation, "receiver_id": other, "text": text })
            }
            "room" => json!({ "type": "chat_message", "content": text, "attachments": null }),
            _ => {
                json!({ "message": text, "sender_id": id(me), "recipient_id": other, "item_id": null, "image": null })
            }
        }
    }

    pub(super) fn typing(self, at: &Place, on: bool) -> Value {
        let other = at.other.as_deref().map(id);
        match self.name {
            "direct" => json!({ "type": "typing", "receiver": other, "is_typing": on }),
            "inbox" => {
                json!({ "type": "typing_indicator", "conversation_id": at.conversation, "receiver_id": other, "is_typing": on })
            }
            _ => json!({ "type": "typing_indicator", "is_typing": on }),
        }
    }

    /// One frame for all, or one for each.
    pub(super) fn read(self, messages: &[u64]) -> Vec<Value> {
        match self.name {
            "direct" => vec![json!({ "type": "read", "message_ids": messages })],
            "inbox" => vec![json!({ "type": "read_receipt", "message_ids": messages })],
            _ => messages
                .iter()
                .map(|id| json!({ "type": "read_receipt", "message_id": id }))
                .collect(),
        }
    }

    pub(super) fn edit(self, message: u64, text: &str) -> Value {
        match self.name {
            "direct" => json!({ "type": "edit", "id": message, "content": text }),
            "inbox" => json!({ "type": "edit_message", "message_id": message, "text": text }),
            _ => json!({ "type": "edit_message", "message_id": message, "content": text }),
        }
    }

    pub(super) fn delete(self, message: u64) -> Value {
        match self.name {
            "direct" => json!({ "type": "delete", "id": message }),
            _ => json!({ "type": "delete_message", "message_id": message }),
        }
    }

    /// What a frame of the server means.
    pub(super) fn hear(self, frame: &Value) -> Heard {
        let number = |name: &str| frame[name].as_u64().unwrap_or_else(|| panic!("{name}: {frame}"));
        let said = |message: &Value, [id, by, text]: [&str; 3]| Heard::Said {
            id: message[id].as_u64().unwrap(),
            by: user(&message[by]),
            text: message[text].as_str().unwrap().to_owned(),
        };
        let edited =
            |message: u64, text: &Value| Heard::Edited(message, text.as_str().unwrap().to_owned());
        let Some(kind) = frame["type"].as_str() else {
            assert_eq!(self, PLAIN, "a frame without a type: {frame}");
            return said(frame, ["message_id", "sender_id", "message"]);
        };
        match (self.name, kind) {
            (_, "error") => Heard::Error(frame["code"].as_str().unwrap().to_owned()),
            ("direct" | "inbox" | "room", "resync") => Heard::Resync(number("conversation_id")),
            ("direct" | "inbox" | "room", "user_status") => {
                Heard::Status(user(&frame["user_id"]), frame["status"].as_str().unwrap().to_owned())
            }
            ("direct", "message") => said(&frame["message"], ["id", "sender", "content"]),
            ("direct", "edited") => {
                let message = &frame["message"];
                edited(message["id"].as_u64().unwrap(), &message["content"])
            }
            ("direct", "deleted") => Heard::Deleted(number("id")),
            ("direct", "read") | ("inbox", "read_receipt") => {
                Heard::Read(numbers(&frame["message_ids"]), user(&frame["user_id"]))
            }
            ("direct", "typing") | ("inbox" | "room", "typing_indicator") => {
                Heard::Typing(user(&frame["user_id"]), frame["is_typing"].as_bool().unwrap())
            }
            ("inbox", "connection_established") => Heard::Greeting(user(&frame["user_id"])),
            ("inbox", "message_sent") => Heard::Sent(number("message_id")),
            ("inbox", "new_message") => said(frame, ["message_id", "sender_id", "text"]),
            ("inbox", "message_edited") => edited(number("message_id"), &frame["text"]),
            ("room", "chat_message") => said(frame, ["message_id", "sender_id", "content"]),
            ("room", "message_edited") => edited(number("message_id"), &frame["content"]),
            ("inbox" | "room", "message_deleted") => Heard::Deleted(number("message_id")),
            ("room", "read_receipt") => {
                Heard::Read(vec![number("message_id")], user(&frame["user_id"]))
            }
            ("inbox", "conversation_joined") => Heard::Joined(number("conversation_id")),
            ("inbox", "conversation_left") => Heard::Left(number("conversation_id")),
            _ => panic!("no frame of {}: {frame}", self.name),
        }
    }
}

/// What a frame means, whatever its dialect.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Heard {
    Said { id: u64, by: String, text: String },
    Sent(u64),
    Edited(u64, String),
    Deleted(u64),
    Read(Vec<u64>, String),
    Typing(String, bool),
    Status(String, String),
    Error(String),
    Resync(u64),
    Joined(u64),
    Left(u64),
    Greeting(String),
}

impl Heard {
    /// Whether it is there to stay: a message or what became of one.
    pub(super) const fn is_durable(&self) -> bool {
        matches!(self, Self::Said { .. } | Self::Sent(_) | Self::Edited(..) | Self::Deleted(_))
    }

    pub(super) fn says(&self, what: &str) -> bool {
        matches!(self, Self::Said { text, .. } if text == what)
    }

    pub(super) fn is_error(&self, with: &str) -> bool {
        matches!(self, Self::Error(code) if code == with)
    }
}

/// A user id as these clients have it: a number, where it is one.
pub(super) fn id(user: &str) -> Value {
    user.parse::<u64>().map_or_else(|_| json!(user), |number| json!(number))
}

fn user(id: &Value) -> String {
    id.as_str().map_or_else(|| id.as_u64().unwrap().to_string(), str::to_owned)
}

fn numbers(list: &Value) -> Vec<u64> {
    list.as_array().unwrap().iter().map(|id| id.as_u64().unwrap()).collect()
}
