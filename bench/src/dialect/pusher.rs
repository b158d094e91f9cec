//! The Pusher protocol: private channels, client events, signatures made here. Sockudo and Parlour understand it.

use std::io::Write as _;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::{Client, Dialect, Heard, Place, message_or, refused};

/// Key of the application of the benchmark; its id too.
pub const KEY: &str = "bench";

/// Secret of the application of the benchmark.
pub const SECRET: &str = "bench-secret";

/// One socket a user, with one channel.
pub struct Pusher;

impl Dialect for Pusher {
    fn path(&self, _: &Client) -> (String, bool) {
        (format!("/app/{KEY}?protocol=7&client=bench&version=1.0&flash=false"), false)
    }

    fn is_ready_by_pong(&self) -> bool {
        false
    }

    fn hear(&self, client: &mut Client, frame: &[u8], out: &mut Vec<u8>) -> Heard {
        // Most are client events, in whatever order their fields are.
        let has = |name: &[u8]| memchr::memmem::find(frame, name).is_some();
        if has(b"\"client-message\"") {
            return message_or(frame, b"pusher:error");
        }
        if has(b"\"client-typing\"") {
            return Heard::Typing;
        }
        if has(b"pusher:connection_established") {
            return match socket_id(frame) {
                Some(id) => {
                    subscribe(&channel(client), &id, out);
                    Heard::Nothing
                }
                None => refused(frame),
            };
        }
        if has(b"pusher:ping") {
            out.extend_from_slice(br#"{"event":"pusher:pong","data":{}}"#);
        }
        if has(b"subscription_succeeded") {
            return Heard::Ready;
        }
        if has(b"pusher:error") || has(b"subscription_error") {
            refused(frame)
        } else {
            Heard::Nothing
        }
    }

    fn say(&self, client: &Client, text: &[u8], out: &mut Vec<u8>) {
        let channel = channel(client);
        let _ =
            write!(out, r#"{{"event":"client-message","channel":"{channel}","data":{{"text":""#);
        out.extend_from_slice(text);
        out.extend_from_slice(br#""}}"#);
    }

    fn type_on(&self, client: &Client, out: &mut Vec<u8>) {
        let channel = channel(client);
        let _ = write!(
            out,
            r#"{{"event":"client-typing","channel":"{channel}","data":{{"is_typing":true}}}}"#
        );
    }
}

fn channel(client: &Client) -> String {
    match client.place {
        Place::Pair(pair) => format!("private-pair-{pair}"),
        Place::Room => "private-room".into(),
    }
}

/// The id of the socket, from the greeting: its data is JSON in a text.
fn socket_id(frame: &[u8]) -> Option<String> {
    let frame: serde_json::Value = serde_json::from_slice(frame).ok()?;
    let data: serde_json::Value = serde_json::from_str(frame["data"].as_str()?).ok()?;
    data["socket_id"].as_str().map(str::to_owned)
}

fn subscribe(channel: &str, socket_id: &str, out: &mut Vec<u8>) {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()) else { return };
    mac.update(format!("{socket_id}:{channel}").as_bytes());
    let signature: String =
        mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let _ = write!(
        out,
        r#"{{"event":"pusher:subscribe","data":{{"channel":"{channel}","auth":"{KEY}:{signature}"}}}}"#
    );
}
