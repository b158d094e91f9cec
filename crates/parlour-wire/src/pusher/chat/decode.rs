//! What a client event on a chat channel asks of the chat.

use std::borrow::Cow;

use parlour_core::{
    ConversationId, Error,
    command::{Command, SendMessage},
    model::MessageKind,
};
use serde::{Deserialize, de::IgnoredAny};

use crate::{
    Caller, Request,
    pusher::Payload,
    seed::{Head, Number, fields, request},
};

/// What is to be done about a client event.
#[derive(Debug)]
pub enum Asked {
    /// It is carried out by the chat, and goes to nobody as it is.
    Chat(Request),
    /// It is one of the chat's, but says nothing that is not known: it is dropped.
    Nothing,
    /// It is none of the chat's.
    Other,
}

/// What both have.
#[derive(Deserialize)]
struct About {
    conversation_id: Option<Number>,
    id: Option<IgnoredAny>,
    #[serde(rename = "messageId")]
    message: Option<IgnoredAny>,
    message_id: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Typing {
    is_typing: Option<bool>,
}

#[derive(Deserialize)]
struct Said<'a> {
    #[serde(borrow)]
    content: Cow<'a, str>,
}

/// Reads a client event. On the channel of a conversation (`caller.scope`) it is about that one, on a user's channel
/// about the one that it names; without one it says nothing.
#[must_use]
pub fn asked(event: &str, data: &Payload, caller: &Caller<'_>) -> Asked {
    let read: fn(&str, &Head<'_>, ConversationId) -> Result<Command, Error> = match event {
        "client-typing" => typing,
        "client-message" => message,
        _ => return Asked::Other,
    };
    let text = data.to_text();
    // Texts, lists and nothing name no conversation.
    if caller.scope.is_none() && !text.trim_start().starts_with('{') {
        return Asked::Nothing;
    }
    let mut nothing = false;
    let request = request(&text, caller.limits, |head| {
        let about: About = fields(&text)?;
        let named = about.conversation_id.map(|id| ConversationId(id.0));
        let echo = about.id.is_some() || about.message.is_some() || about.message_id.is_some();
        let conversation = match (caller.scope, named) {
            (Some(scope), Some(named)) if scope != named => return Err(Error::not_found()),
            (scope, named) => scope.or(named),
        };
        // What names a message was sent by REST already; this is only its echo.
        let conversation = conversation.filter(|_| event != "client-message" || !echo);
        nothing = conversation.is_none();
        conversation.map_or(Ok(Command::Ping), |conversation| read(&text, head, conversation))
    });
    if nothing { Asked::Nothing } else { Asked::Chat(request) }
}

fn typing(text: &str, _head: &Head<'_>, conversation: ConversationId) -> Result<Command, Error> {
    let typing: Typing = fields(text)?;
    Ok(Command::Typing { conversation, active: typing.is_typing.unwrap_or(true) })
}

fn message(text: &str, head: &Head<'_>, conversation: ConversationId) -> Result<Command, Error> {
    let said: Said<'_> = fields(text)?;
    Ok(Command::SendMessage(SendMessage {
        conversation,
        client_id: head.client_id()?,
        text: said.content.into(),
        metadata: None,
        reply_to: None,
        kind: MessageKind::Text,
        recipient: None,
        subject: None,
    }))
}

#[cfg(test)]
mod tests {
    use parlour_core::{ClientId, Code, limits::Limits, testing::user};

    use super::*;

    /// What is asked on a channel: `None` for nothing.
    fn read(scope: Option<u64>, event: &str, data: &str) -> Option<Result<Command, Code>> {
        let (me, limits) = (user("1"), Limits::default());
        let caller = Caller { user: &me, scope: scope.map(ConversationId), limits: &limits };
        let data = Payload::raw(serde_json::from_str(data).unwrap());
        match asked(event, &data, &caller) {
            Asked::Chat(request) => Some(request.command.map_err(|error| error.code)),
            Asked::Nothing => None,
            Asked::Other => panic!("none of the chat's"),
        }
    }

    fn types(conversation: u64, active: bool) -> Option<Result<Command, Code>> {
        Some(Ok(Command::Typing { conversation: ConversationId(conversation), active }))
    }

    fn sends(conversation: u64, text: &str, id: Option<&str>) -> Option<Result<Command, Code>> {
        Some(Ok(Command::SendMessage(SendMessage {
            conversation: ConversationId(conversation),
            client_id: id.map(|id| ClientId::new(id).unwrap()),
            text: text.into(),
            metadata: None,
            reply_to: None,
            kind: MessageKind::Text,
            recipient: None,
            subject: None,
        })))
    }

    #[test]
    fn typing_in_every_form() {
        let read = |scope, data: &str| read(scope, "client-typing", data);
        assert_eq!(read(None, r#"{"conversation_id":7,"is_typing":true}"#), types(7, true));
        assert_eq!(read(None, r#"{"conversation_id":"7","is_typing":false}"#), types(7, false));
        assert_eq!(read(None, r#""{\"conversation_id\":7}""#), types(7, true));
        assert_eq!(read(Some(7), "{}"), types(7, true));
        assert_eq!(read(Some(7), r#"{"conversation_id":7}"#), types(7, true));
        assert_eq!(read(Some(7), r#"{"conversation_id":8}"#), Some(Err(Code::NotFound)));
        for nothing in ["{}", r#""""#, "null", "[]", r#""x""#, r#"{"conversation_id":null}"#] {
            assert_eq!(read(None, nothing), None, "{nothing}");
        }
        let misfit = Some(Err(Code::InvalidFrame));
        assert_eq!(read(None, r#"{"conversation_id":7,"is_typing":"yes"}"#), misfit);
        assert_eq!(read(None, r#"{"conversation_id":"x"}"#), misfit);
        assert_eq!(read(Some(7), "[]"), misfit);
    }

    #[test]
    fn messages_are_sent_and_echoes_are_not() {
        let read = |scope, data: &str| read(scope, "client-message", data);
        assert_eq!(
            read(None, r#"{"conversation_id":7,"content":"Hi","tempId":"a"}"#),
            sends(7, "Hi", Some("a"))
        );
        assert_eq!(read(Some(7), r#""{\"content\":\"Hi\"}""#), sends(7, "Hi", None));
        for name in ["id", "messageId", "message_id"] {
            let echo = format!(r#"{{"conversation_id":7,"content":"Hi","{name}":101}}"#);
            assert_eq!(read(None, &echo), None, "{echo}");
            assert_eq!(read(Some(7), &echo), None, "{echo}");
            let null = format!(r#"{{"conversation_id":7,"content":"Hi","{name}":null}}"#);
            assert_eq!(read(None, &null), sends(7, "Hi", None), "{null}");
        }
        assert_eq!(read(None, r#"{"content":"Hi"}"#), None);
        assert_eq!(read(None, r#"{"conversation_id":7}"#), Some(Err(Code::InvalidFrame)));
        let long =
            format!(r#"{{"conversation_id":7,"content":"Hi","tempId":"{}"}}"#, "x".repeat(65));
        assert_eq!(read(None, &long), Some(Err(Code::TooLong)));
    }
}
