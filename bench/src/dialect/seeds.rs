//! What hand-written clients of Django Channels speak: `direct` and `room`. Parlour and the Channels peers understand it.

use std::io::Write as _;

use super::{Client, Dialect, Heard, message_or};
use crate::checker::Echo;

/// One socket a user, messages to a user.
pub struct Direct;

/// One socket a conversation.
pub struct Room;

impl Dialect for Direct {
    fn path(&self, client: &Client) -> (String, bool) {
        (format!("/ws/chat/?dialect=direct&token={}", client.token), false)
    }

    /// Not every server of this kind tells a sender what it has sent.
    fn echo(&self) -> Echo {
        Echo::Maybe
    }

    fn hear(&self, _: &mut Client, frame: &[u8], _: &mut Vec<u8>) -> Heard {
        hear(frame)
    }

    fn say(&self, client: &Client, text: &[u8], out: &mut Vec<u8>) {
        let _ = write!(out, r#"{{"type":"message","receiver":{},"content":""#, client.other());
        out.extend_from_slice(text);
        let _ = write!(out, r#"","client_id":"c{}"}}"#, client.commands);
    }

    fn type_on(&self, client: &Client, out: &mut Vec<u8>) {
        let _ =
            write!(out, r#"{{"type":"typing","receiver":{},"is_typing":true}}"#, client.other());
    }
}

impl Dialect for Room {
    fn path(&self, client: &Client) -> (String, bool) {
        let (conversation, token) = (client.conversation, &client.token);
        (format!("/ws/chat/{conversation}/?dialect=room&token={token}"), false)
    }

    fn echo(&self) -> Echo {
        Echo::Always
    }

    fn hear(&self, _: &mut Client, frame: &[u8], _: &mut Vec<u8>) -> Heard {
        hear(frame)
    }

    fn say(&self, client: &Client, text: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(br#"{"type":"chat_message","content":""#);
        out.extend_from_slice(text);
        let _ = write!(out, r#"","attachments":null,"client_id":"c{}"}}"#, client.commands);
    }

    fn type_on(&self, _: &Client, out: &mut Vec<u8>) {
        out.extend_from_slice(br#"{"type":"typing_indicator","is_typing":true}"#);
    }
}

/// Python puts blanks into its frames, Parlour does not.
fn hear(frame: &[u8]) -> Heard {
    let head = frame.get(..frame.len().min(32)).unwrap_or_default();
    if memchr::memmem::find(head, b"\"typing").is_some() {
        return Heard::Typing;
    }
    message_or(frame, b"\"error\"")
}
