//! Frames of `room` clients into requests.

use std::{borrow::Cow, sync::Arc};

use parlour_core::{
    ConversationId, Error, MessageId,
    command::{Command, SendMessage},
    model::MessageKind,
};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    Caller, Request,
    seed::{Head, Number, fields, no_files, request},
};

#[derive(Deserialize)]
struct ChatMessage<'a> {
    #[serde(borrow)]
    content: Cow<'a, str>,
    #[serde(borrow)]
    attachments: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Typing {
    is_typing: bool,
}

#[derive(Deserialize)]
struct OneMessage {
    message_id: Number,
}

#[derive(Deserialize)]
struct Edit<'a> {
    message_id: Number,
    #[serde(borrow)]
    content: Cow<'a, str>,
}

/// Reads one frame.
pub(super) fn frame(text: &str, caller: &Caller<'_>) -> Request {
    request(text, caller.limits, |head| command(text, head, caller.scope))
}

fn command(text: &str, head: &Head<'_>, scope: Option<ConversationId>) -> Result<Command, Error> {
    let kind = head.kind()?;
    // Only a socket whose address named a conversation speaks this dialect.
    let conversation = scope.ok_or_else(Error::not_found)?;
    Ok(match kind {
        "chat_message" => {
            let said = fields::<ChatMessage<'_>>(text)?;
            no_files(said.attachments)?;
            Command::SendMessage(SendMessage {
                conversation,
                client_id: head.client_id()?,
                text: said.content.into(),
                metadata: None,
                reply_to: None,
                kind: MessageKind::Text,
                recipient: None,
                subject: None,
            })
        }
        "typing_indicator" => {
            Command::Typing { conversation, active: fields::<Typing>(text)?.is_typing }
        }
        "read_receipt" => Command::MarkMessages {
            conversation: Some(conversation),
            messages: vec![fields::<OneMessage>(text)?.id()],
        },
        "edit_message" => {
            let edit = fields::<Edit<'_>>(text)?;
            let text: Arc<str> = edit.content.into();
            Command::EditMessage { message: MessageId(edit.message_id.0), text }
        }
        "delete_message" => Command::DeleteMessage { message: fields::<OneMessage>(text)?.id() },
        _ => return Err(Head::unknown()),
    })
}

impl OneMessage {
    const fn id(&self) -> MessageId {
        MessageId(self.message_id.0)
    }
}

#[cfg(test)]
mod tests {
    use parlour_core::{ClientId, Code, limits::Limits, testing::user};

    use super::*;

    fn decode_in(scope: Option<ConversationId>, text: &str) -> Result<Command, Code> {
        let (me, limits) = (user("1"), Limits::default());
        let caller = Caller { user: &me, scope, limits: &limits };
        frame(text, &caller).command.map_err(|error| error.code)
    }

    fn check(text: &str, expected: &Result<Command, Code>) {
        assert_eq!(&decode_in(Some(ConversationId(9)), text), expected, "{text}");
    }

    fn send(text: &str, client_id: Option<&str>) -> Command {
        Command::SendMessage(SendMessage {
            conversation: ConversationId(9),
            client_id: client_id.map(|id| ClientId::new(id).unwrap()),
            text: text.into(),
            metadata: None,
            reply_to: None,
            kind: MessageKind::Text,
            recipient: None,
            subject: None,
        })
    }

    #[test]
    fn each_frame_of_its_clients() {
        let hi = Ok(send("hi", None));
        check(r#"{"type":"chat_message","content":"hi","attachments":null}"#, &hi);
        check(r#"{"type":"chat_message","content":"hi"}"#, &hi);
        check(r#"{"type":"chat_message","content":"hi","attachments":[ ]}"#, &hi);
        check(r#"{"type":"chat_message","content":"hi","client_id":null}"#, &hi);
        for name in ["client_id", "tempId", "temp_id"] {
            let text = format!(r#"{{"type":"chat_message","content":"a\n\u00e9","{name}":"c"}}"#);
            check(&text, &Ok(send("a\né", Some("c"))));
        }
        let conversation = ConversationId(9);
        for active in [true, false] {
            let text = format!(r#"{{"type":"typing_indicator","is_typing":{active}}}"#);
            check(&text, &Ok(Command::Typing { conversation, active }));
        }
        let messages = vec![MessageId(42)];
        let read = Command::MarkMessages { conversation: Some(conversation), messages };
        check(r#"{"type":"read_receipt","message_id":42}"#, &Ok(read));
        let message = MessageId(42);
        let edit = Command::EditMessage { message, text: "b".into() };
        check(r#"{"type":"edit_message","message_id":42,"content":"b"}"#, &Ok(edit));
        let delete = Command::DeleteMessage { message };
        check(r#"{"type":"delete_message","message_id":42}"#, &Ok(delete));
    }

    #[test]
    fn e3_what_a_client_says_of_itself_is_ignored() {
        let text = r#"{"type":"chat_message","content":"hi","sender_id":2,"user_id":2,"conversation_id":1,"created_at":"x","is_read":true,"id":5,"role":"owner"}"#;
        check(text, &Ok(send("hi", None)));
        let text =
            r#"{"type":"typing_indicator","is_typing":true,"user_id":2,"conversation_id":1}"#;
        check(text, &Ok(Command::Typing { conversation: ConversationId(9), active: true }));
    }

    #[test]
    fn misfits_are_told_apart() {
        for misfit in [
            "{}",
            r#"{"content":"hi"}"#,
            r#"{"type":7,"content":"hi"}"#,
            r#"{"type":"chat_message"}"#,
            r#"{"type":"chat_message","content":null}"#,
            r#"{"type":"chat_message","content":5}"#,
            r#"{"type":"chat_message","content":"\ud83d"}"#,
            r#"{"type":"chat_message","content":"a","content":"b"}"#,
            r#"{"type":"chat_message","content":"hi","attachments":[1]}"#,
            r#"{"type":"chat_message","content":"hi","attachments":{}}"#,
            r#"{"type":"chat_message","content":"hi","client_id":""}"#,
            r#"{"type":"typing_indicator"}"#,
            r#"{"type":"typing_indicator","is_typing":1}"#,
            r#"{"type":"read_receipt"}"#,
            r#"{"type":"read_receipt","message_id":-1}"#,
            r#"{"type":"read_receipt","message_id":9007199254740992}"#,
            r#"{"type":"read_receipt","message_id":[1]}"#,
            r#"{"type":"edit_message","message_id":1}"#,
            r#"{"type":"delete_message","message_id":1.5}"#,
            r#"["chat_message"]"#,
        ] {
            check(misfit, &Err(Code::InvalidFrame));
        }
        let long =
            format!(r#"{{"type":"chat_message","content":"a","tempId":"{}"}}"#, "c".repeat(65));
        check(&long, &Err(Code::TooLong));
        check(r#"{"type":"message"}"#, &Err(Code::UnknownType));
        check("hello", &Err(Code::InvalidJson));
    }

    #[test]
    fn m4_without_a_conversation_nothing_is_found() {
        let text = r#"{"type":"chat_message","content":"hi"}"#;
        assert_eq!(decode_in(None, text), Err(Code::NotFound));
    }
}
