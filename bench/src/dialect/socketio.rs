//! Socket.IO 4 over Engine.IO 4, on a WebSocket from the beginning. Packets are a digit or two, then JSON.

use std::io::Write as _;

use super::{Client, Dialect, Heard, Place, refused};
use crate::text::Text;

/// One socket a user; each message is acknowledged.
pub struct SocketIo;

impl Dialect for SocketIo {
    fn path(&self, _: &Client) -> (String, bool) {
        ("/socket.io/?EIO=4&transport=websocket".into(), false)
    }

    fn is_ready_by_pong(&self) -> bool {
        false
    }

    fn acknowledges(&self) -> bool {
        true
    }

    fn hear(&self, client: &mut Client, frame: &[u8], out: &mut Vec<u8>) -> Heard {
        match frame {
            // An event.
            [b'4', b'2', event @ ..] => match Text::find(event) {
                Some(text) => Heard::Message(text),
                None if event.starts_with(br#"["typing""#) => Heard::Typing,
                None => Heard::Nothing,
            },
            // The answer to an event of ours: its number, then what it says.
            [b'4', b'3', answer @ ..] => match memchr::memmem::find(answer, br#""error""#) {
                Some(_) => refused(frame),
                None => Heard::Done(parlour_harness::load::wire::digits(answer)),
            },
            // The transport is open: sign in.
            [b'0', ..] => {
                let _ = write!(out, r#"40{{"token":"{}"}}"#, client.token);
                Heard::Nothing
            }
            [b'4', b'0', ..] => Heard::Ready,
            [b'4', b'4', ..] => refused(frame),
            // A ping of the transport.
            [b'2', ..] => {
                out.push(b'3');
                Heard::Nothing
            }
            _ => Heard::Nothing,
        }
    }

    fn say(&self, client: &Client, text: &[u8], out: &mut Vec<u8>) {
        let number = client.commands;
        let _ = match client.place {
            Place::Pair(_) => {
                write!(out, r#"42{number}["message",{{"to":{},"text":""#, client.other())
            }
            Place::Room => {
                write!(out, r#"42{number}["message",{{"room":{},"text":""#, client.conversation)
            }
        };
        out.extend_from_slice(text);
        out.extend_from_slice(br#""}]"#);
    }

    fn type_on(&self, client: &Client, out: &mut Vec<u8>) {
        let _ = write!(out, r#"42["typing",{{"to":{}}}]"#, client.other());
    }
}
