//! Frames of `inbox` clients into requests.

use std::borrow::Cow;

use parlour_core::{
    Code, ConversationId, Error, MessageId,
    command::{Command, SendMessage},
    limits::Limits,
    model::MessageKind,
};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    Request,
    seed::{self, Head, Number, WireUserId},
};

/// Every type of frame that its clients send.
pub(super) const TYPES: &[&str] = &[
    "chat_message",
    "typing_indicator",
    "read_receipt",
    "join_conversation",
    "leave_conversation",
    "edit_message",
    "delete_message",
];

#[derive(Deserialize)]
struct Say<'a> {
    conversation_id: Option<Number>,
    receiver_id: Option<WireUserId>,
    #[serde(borrow)]
    text: Cow<'a, str>,
    #[serde(borrow)]
    attachments: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Typing {
    conversation_id: Option<Number>,
    receiver_id: Option<WireUserId>,
    is_typing: bool,
}

#[derive(Deserialize)]
struct Read {
    message_ids: Vec<Number>,
}

#[derive(Deserialize)]
struct Look {
    conversation_id: Number,
}

#[derive(Deserialize)]
struct Edit<'a> {
    message_id: Number,
    #[serde(borrow)]
    text: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Delete {
    message_id: Number,
}

/// Reads one frame: one request.
pub(super) fn frame(text: &str, limits: &Limits) -> Request {
    seed::request(text, limits, |head| command(text, head))
}

fn command(text: &str, head: &Head<'_>) -> Result<Command, Error> {
    Ok(match head.kind()? {
        "chat_message" => say(seed::fields(text)?, head)?,
        "typing_indicator" => {
            let Typing { conversation_id, receiver_id, is_typing: active } = seed::fields(text)?;
            match (conversation_id, receiver_id) {
                (Some(Number(id)), _) => {
                    Command::Typing { conversation: ConversationId(id), active }
                }
                (None, Some(WireUserId(user))) => Command::TypeTo { user, active },
                (None, None) => return Err(nowhere()),
            }
        }
        "read_receipt" => {
            let read: Read = seed::fields(text)?;
            Command::MarkMessages { conversation: None, messages: seed::newest(read.message_ids) }
        }
        "join_conversation" => look(text, true)?,
        "leave_conversation" => look(text, false)?,
        "edit_message" => {
            let edit: Edit<'_> = seed::fields(text)?;
            Command::EditMessage { message: MessageId(edit.message_id.0), text: edit.text.into() }
        }
        "delete_message" => {
            let delete: Delete = seed::fields(text)?;
            Command::DeleteMessage { message: MessageId(delete.message_id.0) }
        }
        _ => return Err(Head::unknown()),
    })
}

fn say(say: Say<'_>, head: &Head<'_>) -> Result<Command, Error> {
    seed::no_files(say.attachments)?;
    let (client_id, text) = (head.client_id()?, say.text.into());
    let recipient = say.receiver_id.map(|user| user.0);
    Ok(match (say.conversation_id, recipient) {
        (Some(Number(id)), recipient) => Command::SendMessage(SendMessage {
            conversation: ConversationId(id),
            client_id,
            text,
            metadata: None,
            reply_to: None,
            kind: MessageKind::Text,
            recipient,
            subject: None,
        }),
        (None, Some(user)) => Command::SendTo { user, client_id, text },
        (None, None) => return Err(nowhere()),
    })
}

fn look(text: &str, focused: bool) -> Result<Command, Error> {
    let look: Look = seed::fields(text)?;
    Ok(Command::Focus { conversation: ConversationId(look.conversation_id.0), focused })
}

fn nowhere() -> Error {
    Error::new(Code::InvalidFrame, "name a conversation_id or a receiver_id")
}

#[cfg(test)]
mod tests {
    use parlour_core::{ClientId, UserId};

    use super::*;

    fn check(text: &str, expected: Result<Command, Code>) {
        let request = frame(text, &Limits::default());
        assert_eq!([request.command.map_err(|e| e.code)], [expected], "{text}");
    }

    fn user() -> UserId {
        UserId::new("2").unwrap()
    }

    fn send(recipient: Option<UserId>, client_id: Option<&str>) -> Command {
        Command::SendMessage(SendMessage {
            conversation: ConversationId(1),
            client_id: client_id.map(|id| ClientId::new(id).unwrap()),
            text: "Hi".into(),
            metadata: None,
            reply_to: None,
            kind: MessageKind::Text,
            recipient,
            subject: None,
        })
    }

    #[test]
    fn m6_a_send_names_a_conversation_a_receiver_or_both() {
        check(
            r#"{"type":"chat_message","conversation_id":1,"receiver_id":2,"text":"Hi"}"#,
            Ok(send(Some(user()), None)),
        );
        check(
            r#"{"type":"chat_message","conversation_id":"1","text":"Hi","client_id":"c"}"#,
            Ok(send(None, Some("c"))),
        );
        for text in [
            r#"{"type":"chat_message","conversation_id":null,"receiver_id":2,"text":"Hi"}"#,
            r#"{"type":"chat_message","receiver_id":"2","text":"Hi","attachments":null}"#,
        ] {
            let to = Command::SendTo { user: user(), client_id: None, text: "Hi".into() };
            check(text, Ok(to));
        }
        for text in [
            r#"{"type":"chat_message","text":"Hi"}"#,
            r#"{"type":"chat_message","conversation_id":null,"receiver_id":null,"text":"Hi"}"#,
        ] {
            check(text, Err(Code::InvalidFrame));
        }
    }

    #[test]
    fn e3_who_sends_is_not_the_frame_s_to_say() {
        check(
            r#"{"type":"chat_message","conversation_id":1,"text":"Hi","sender_id":9,"user_id":"9",
                "sender_name":"root","message_id":"mine","created_at":0,"session_id":[]}"#,
            Ok(send(None, None)),
        );
    }

    #[test]
    fn every_other_frame() {
        let (conversation, message) = (ConversationId(1), MessageId(7));
        check(
            r#"{"type":"typing_indicator","conversation_id":1,"receiver_id":2,"is_typing":false}"#,
            Ok(Command::Typing { conversation, active: false }),
        );
        check(
            r#"{"type":"typing_indicator","conversation_id":null,"receiver_id":2,"is_typing":true}"#,
            Ok(Command::TypeTo { user: user(), active: true }),
        );
        check(
            r#"{"type":"read_receipt","message_ids":[7]}"#,
            Ok(Command::MarkMessages { conversation: None, messages: vec![message] }),
        );
        check(
            r#"{"type":"join_conversation","conversation_id":1}"#,
            Ok(Command::Focus { conversation, focused: true }),
        );
        check(
            r#"{"type":"leave_conversation","conversation_id":1}"#,
            Ok(Command::Focus { conversation, focused: false }),
        );
        check(
            r#"{"type":"edit_message","message_id":7,"text":"b"}"#,
            Ok(Command::EditMessage { message, text: "b".into() }),
        );
        check(
            r#"{"type":"delete_message","message_id":7}"#,
            Ok(Command::DeleteMessage { message }),
        );
    }

    #[test]
    fn a_receipt_for_a_very_long_page_is_no_error() {
        let ids: Vec<_> = (0..9_000u64).map(|id| id.to_string()).collect();
        let text = format!(r#"{{"type":"read_receipt","message_ids":[{}]}}"#, ids.join(","));
        let Ok(Command::MarkMessages { messages, .. }) = frame(&text, &Limits::default()).command
        else {
            panic!("refused");
        };
        assert_eq!((messages.len(), messages[0]), (500, MessageId(8_999)));
    }

    #[test]
    fn d4_d5_what_does_not_fit_is_refused() {
        for text in [
            r#"{"type":"chat_message","conversation_id":1}"#,
            r#"{"type":"chat_message","conversation_id":1,"text":null}"#,
            r#"{"type":"chat_message","conversation_id":1,"text":["Hi"]}"#,
            r#"{"type":"chat_message","conversation_id":1,"text":"\udc00"}"#,
            r#"{"type":"chat_message","conversation_id":-1,"text":"Hi"}"#,
            r#"{"type":"chat_message","conversation_id":9007199254740992,"text":"Hi"}"#,
            r#"{"type":"chat_message","conversation_id":"../1","text":"Hi"}"#,
            r#"{"type":"chat_message","conversation_id":1,"receiver_id":{},"text":"Hi"}"#,
            r#"{"type":"chat_message","conversation_id":1,"text":"a","text":"b"}"#,
            r#"{"type":"chat_message","conversation_id":1,"text":"Hi","attachments":["x"]}"#,
            r#"{"type":"chat_message","conversation_id":1,"text":"Hi","client_id":"a\u0000"}"#,
            r#"{"type":"typing_indicator","is_typing":true}"#,
            r#"{"type":"typing_indicator","conversation_id":1}"#,
            r#"{"type":"read_receipt","message_ids":null}"#,
            r#"{"type":"read_receipt","message_ids":[null]}"#,
            r#"{"type":"join_conversation"}"#,
            r#"{"type":"edit_message","message_id":7}"#,
            r#"{"type":"delete_message"}"#,
            r#"["chat_message",1,null,"Hi"]"#,
            "[]",
        ] {
            check(text, Err(Code::InvalidFrame));
        }
        check(r#"{"type":"message","receiver":2,"content":"Hi"}"#, Err(Code::UnknownType));
        check("", Err(Code::InvalidJson));
    }

    #[test]
    fn the_table_of_types_is_what_is_read() {
        for kind in TYPES {
            let outcome = frame(&format!(r#"{{"type":"{kind}"}}"#), &Limits::default());
            let code = outcome.command.unwrap_err().code;
            assert_eq!(code, Code::InvalidFrame, "{kind} lacks its fields, and is known");
        }
    }
}
