//! Parlour's own protocol.

use std::io::Write as _;

use super::{Client, Dialect, Heard, number_after, refused};
use crate::text::Text;

/// One socket a user; resumes from its positions.
pub struct Native;

impl Dialect for Native {
    fn path(&self, _: &Client) -> (String, bool) {
        ("/api/v1/ws".into(), true)
    }

    fn is_ready_by_pong(&self) -> bool {
        false
    }

    fn acknowledges(&self) -> bool {
        true
    }

    fn hear(&self, client: &mut Client, frame: &[u8], out: &mut Vec<u8>) -> Heard {
        if frame.starts_with(br#"{"type":"reply""#) {
            return reply(client, frame);
        }
        if frame.starts_with(br#"{"type":"message.created""#) {
            return Text::find(frame).map_or(Heard::Nothing, Heard::Message);
        }
        if frame.starts_with(br#"{"type":"typing""#) {
            return Heard::Typing;
        }
        // The only one of which the type may stand anywhere, once a socket.
        if !frame.starts_with(br#"{"type":"#) && memchr::memmem::find(frame, b"\"hello\"").is_some()
        {
            let positions = if client.memory.is_empty() { "[]" } else { &client.memory };
            // Numbers of commands begin behind it.
            let _ = write!(out, r#"{{"type":"resume","id":1,"positions":{positions}}}"#);
        }
        Heard::Nothing
    }

    fn say(&self, client: &Client, text: &[u8], out: &mut Vec<u8>) {
        let (number, conversation) = (client.commands, client.conversation);
        let _ = write!(
            out,
            r#"{{"type":"message.send","id":{},"conversation_id":{conversation},"client_id":"c{number}","content":""#,
            number + 1
        );
        out.extend_from_slice(text);
        out.extend_from_slice(br#""}"#);
    }

    fn type_on(&self, client: &Client, out: &mut Vec<u8>) {
        let (id, conversation) = (client.commands + 1, client.conversation);
        let _ = write!(
            out,
            r#"{{"type":"typing","id":{id},"conversation_id":{conversation},"active":true}}"#
        );
    }
}

fn reply(client: &mut Client, frame: &[u8]) -> Heard {
    let is_good = frame
        .get(..64.min(frame.len()))
        .is_some_and(|head| memchr::memmem::find(head, br#""ok""#).is_some());
    match number_after(frame, br#""id":"#) {
        Some(1) if is_good => {
            client.memory = positions(frame);
            Heard::Ready
        }
        Some(id) if is_good => Heard::Done(id - 1),
        _ => refused(frame),
    }
}

/// The positions in the answer to a resume: as they are told, they can be said again.
fn positions(frame: &[u8]) -> String {
    let begin = memchr::memmem::find(frame, br#""conversations":["#).map(|at| at + 16);
    let rest = begin.and_then(|begin| frame.get(begin..)).unwrap_or_default();
    let end = rest.iter().position(|byte| *byte == b']').map_or(0, |end| end + 1);
    String::from_utf8_lossy(rest.get(..end).unwrap_or_default()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_said_as_they_were_told() {
        let told = br#"{"type":"reply","id":1,"ok":{"conversations":[{"conversation_id":1,"seq":4}],"resync":[]}}"#;
        assert_eq!(positions(told), r#"[{"conversation_id":1,"seq":4}]"#);
        assert_eq!(positions(b"{}"), "");
    }
}
