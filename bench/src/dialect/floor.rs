//! What the floors speak: the least that a chat needs.

use std::io::Write as _;

use super::{Client, Dialect, Heard, Place, message_or, number_after};

/// One socket a user, who says its number itself.
pub struct Floor;

impl Dialect for Floor {
    fn path(&self, client: &Client) -> (String, bool) {
        let room = match client.place {
            Place::Room => format!("&room={}", client.conversation),
            Place::Pair(_) => String::new(),
        };
        (format!("/?user={}{room}", client.user), false)
    }

    fn acknowledges(&self) -> bool {
        true
    }

    fn hear(&self, client: &mut Client, frame: &[u8], _: &mut Vec<u8>) -> Heard {
        if frame.starts_with(br#"{"ok":"#) {
            // It counts the frames of a socket.
            let count = number_after(frame, br#"{"ok":"#).unwrap_or(0);
            return Heard::Done(client.before + count);
        }
        if frame.starts_with(br#"{"typing":"#) {
            return Heard::Typing;
        }
        message_or(frame, b"\"error\"")
    }

    fn say(&self, client: &Client, text: &[u8], out: &mut Vec<u8>) {
        let _ = match client.place {
            Place::Pair(_) => write!(out, r#"{{"to":{},"text":""#, client.other()),
            Place::Room => write!(out, r#"{{"room":{},"text":""#, client.conversation),
        };
        out.extend_from_slice(text);
        out.extend_from_slice(br#""}"#);
    }

    fn type_on(&self, client: &Client, out: &mut Vec<u8>) {
        let _ = write!(out, r#"{{"typing":{}}}"#, client.other());
    }
}
