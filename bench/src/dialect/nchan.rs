//! nginx with nchan: what is said on a channel comes to everybody on it, as it is.

use std::io::Write as _;

use super::{Client, Dialect, Heard, Place, message_or};
use crate::checker::Echo;

/// One socket a channel.
pub struct Nchan;

impl Dialect for Nchan {
    fn path(&self, client: &Client) -> (String, bool) {
        match client.place {
            Place::Pair(pair) => (format!("/pubsub/pair-{pair}"), false),
            Place::Room => ("/pubsub/room".into(), false),
        }
    }

    fn echo(&self) -> Echo {
        Echo::Always
    }

    fn hear(&self, client: &mut Client, frame: &[u8], _: &mut Vec<u8>) -> Heard {
        let Some(typist) = frame.strip_prefix(b"typing ") else {
            return message_or(frame, b"\"error\"");
        };
        // One's own comes back.
        match parlour_harness::load::wire::digits(typist) == u64::from(client.user) {
            true => Heard::Nothing,
            false => Heard::Typing,
        }
    }

    fn say(&self, _: &Client, text: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(text);
    }

    fn type_on(&self, client: &Client, out: &mut Vec<u8>) {
        let _ = write!(out, "typing {}", client.user);
    }
}
