//! Frames of `direct` clients into requests.

use std::borrow::Cow;

use parlour_core::{Error, MessageId, command::Command, limits::Limits};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    Request,
    seed::{self, Head, Number, WireUserId},
};

#[derive(Deserialize)]
struct Say<'a> {
    receiver: WireUserId,
    #[serde(borrow)]
    content: Cow<'a, str>,
    #[serde(borrow)]
    attachments: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Typing {
    receiver: WireUserId,
    is_typing: bool,
}

#[derive(Deserialize)]
struct Read {
    message_ids: Vec<Number>,
}

#[derive(Deserialize)]
struct Edit<'a> {
    id: Number,
    #[serde(borrow)]
    content: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Delete {
    id: Number,
}

/// Reads one frame: one request.
pub(super) fn frame(text: &str, limits: &Limits) -> Request {
    seed::request(text, limits, |head| command(text, head))
}

fn command(text: &str, head: &Head<'_>) -> Result<Command, Error> {
    Ok(match head.kind()? {
        "message" => {
            let say: Say<'_> = seed::fields(text)?;
            seed::no_files(say.attachments)?;
            Command::SendTo {
                user: say.receiver.0,
                client_id: head.client_id()?,
                text: say.content.into(),
            }
        }
        "typing" => {
            let typing: Typing = seed::fields(text)?;
            Command::TypeTo { user: typing.receiver.0, active: typing.is_typing }
        }
        "read" => {
            let read: Read = seed::fields(text)?;
            Command::MarkMessages { conversation: None, messages: seed::newest(read.message_ids) }
        }
        "edit" => {
            let edit: Edit<'_> = seed::fields(text)?;
            Command::EditMessage { message: MessageId(edit.id.0), text: edit.content.into() }
        }
        "delete" => {
            let delete: Delete = seed::fields(text)?;
            Command::DeleteMessage { message: MessageId(delete.id.0) }
        }
        _ => return Err(Head::unknown()),
    })
}

#[cfg(test)]
mod tests {
    use parlour_core::{ClientId, Code, UserId};

    use super::*;

    fn check(text: &str, expected: Result<Command, Code>) {
        let request = frame(text, &Limits::default());
        assert_eq!([request.command.map_err(|e| e.code)], [expected], "{text}");
    }

    fn say(user: &str, client_id: Option<&str>, text: &str) -> Command {
        Command::SendTo {
            user: UserId::new(user).unwrap(),
            client_id: client_id.map(|id| ClientId::new(id).unwrap()),
            text: text.into(),
        }
    }

    #[test]
    fn m6_a_receiver_is_enough() {
        check(r#"{"type":"message","receiver":2,"content":"Hi"}"#, Ok(say("2", None, "Hi")));
        check(
            r#"{"content":"a\nb","type":"message","receiver":"b-7","tempId":"t1"}"#,
            Ok(say("b-7", Some("t1"), "a\nb")),
        );
    }

    #[test]
    fn e3_who_sends_is_not_the_frame_s_to_say() {
        check(
            r#"{"type":"message","receiver":2,"content":"Hi","sender":9,"sender_id":"9","user_id":9,
                "id":"mine","created_at":"1970-01-01","is_read":true,"role":"owner","attachments":[]}"#,
            Ok(say("2", None, "Hi")),
        );
    }

    #[test]
    fn every_other_frame() {
        let user = || UserId::new("2").unwrap();
        let message = MessageId(7);
        check(
            r#"{"type":"typing","receiver":2,"is_typing":true}"#,
            Ok(Command::TypeTo { user: user(), active: true }),
        );
        check(
            r#"{"type":"read","message_ids":[5,"7",7]}"#,
            Ok(Command::MarkMessages { conversation: None, messages: vec![message, MessageId(5)] }),
        );
        check(
            r#"{"type":"read","message_ids":[]}"#,
            Ok(Command::MarkMessages { conversation: None, messages: vec![] }),
        );
        check(
            r#"{"type":"edit","id":7,"content":"b"}"#,
            Ok(Command::EditMessage { message, text: "b".into() }),
        );
        check(r#"{"type":"delete","id":7}"#, Ok(Command::DeleteMessage { message }));
    }

    #[test]
    fn d4_d5_what_does_not_fit_is_refused() {
        for text in [
            r#"{"type":"message","content":"Hi"}"#,
            r#"{"type":"message","receiver":null,"content":"Hi"}"#,
            r#"{"type":"message","receiver":"","content":"Hi"}"#,
            r#"{"type":"message","receiver":-2,"content":"Hi"}"#,
            r#"{"type":"message","receiver":[2],"content":"Hi"}"#,
            r#"{"type":"message","receiver":2}"#,
            r#"{"type":"message","receiver":2,"content":null}"#,
            r#"{"type":"message","receiver":2,"content":5}"#,
            r#"{"type":"message","receiver":2,"content":"\ud83d"}"#,
            r#"{"type":"message","receiver":2,"receiver":3,"content":"Hi"}"#,
            r#"{"type":"message","receiver":2,"content":"Hi","attachments":[{"id":1}]}"#,
            r#"{"type":"typing","receiver":2}"#,
            r#"{"type":"typing","receiver":2,"is_typing":"yes"}"#,
            r#"{"type":"read"}"#,
            r#"{"type":"read","message_ids":7}"#,
            r#"{"type":"read","message_ids":[-7]}"#,
            r#"{"type":"read","message_ids":[9007199254740992]}"#,
            r#"{"type":"edit","id":7}"#,
            r#"{"type":"delete","id":{}}"#,
            r#"["message",2,"Hi"]"#,
            r#"{"receiver":2,"content":"Hi"}"#,
        ] {
            check(text, Err(Code::InvalidFrame));
        }
        check(r#"{"type":"chat_message","text":"Hi"}"#, Err(Code::UnknownType));
        check("hello", Err(Code::InvalidJson));
    }

    #[test]
    fn a_refusal_names_its_send() {
        let text = r#"{"type":"message","receiver":[],"content":"Hi","temp_id":"t1"}"#;
        let tag = frame(text, &Limits::default()).tag;
        assert_eq!(tag.client_id.as_deref(), Some("t1"));
    }
}
