//! Frames of `plain` clients into requests.

use std::borrow::Cow;

use parlour_core::{
    Code, Error,
    command::{Command, SendMessage},
    model::MessageKind,
};
use serde::{Deserialize, de::IgnoredAny};

use crate::{
    Caller, Request,
    seed::{Head, Number, WireUserId, fields, request},
};

#[derive(Deserialize)]
struct Said<'a> {
    #[serde(borrow)]
    message: Option<Cow<'a, str>>,
    sender_id: Option<WireUserId>,
    recipient_id: Option<WireUserId>,
    item_id: Option<Number>,
    #[serde(borrow)]
    image: Option<Cow<'a, str>>,
}

/// Reads one frame.
pub(super) fn frame(text: &str, caller: &Caller<'_>) -> Request {
    request(text, caller.limits, |head| command(text, head, caller))
}

/// Whether a frame has a message and no type.
pub(super) fn is_plain(text: &str) -> bool {
    #[derive(Deserialize)]
    struct Shape {
        #[serde(rename = "type")]
        kind: Option<IgnoredAny>,
        message: Option<IgnoredAny>,
    }
    let shape = |text| serde_json::from_str::<Shape>(text).ok();
    text.trim_start().starts_with('{')
        && shape(text).is_some_and(|shape| shape.kind.is_none() && shape.message.is_some())
}

fn command(text: &str, head: &Head<'_>, caller: &Caller<'_>) -> Result<Command, Error> {
    let said = fields::<Said<'_>>(text)?;
    let Some(message) = said.message else {
        // With a type it is a frame of another dialect, and a better hint than "missing".
        let missing = || Error::new(Code::InvalidFrame, "missing field `message`");
        return Err(if head.kind().is_ok() { Head::unknown() } else { missing() });
    };
    if said.sender_id.is_some_and(|sender| sender.0 != *caller.user) {
        return Err(Error::new(Code::Forbidden, "sender_id is not the one who is signed in"));
    }
    if said.image.is_some_and(|image| !image.is_empty()) {
        return Err(Error::new(
            Code::InvalidFrame,
            "images are not taken here yet; send the text, and a link to the image in it",
        ));
    }
    Ok(Command::SendMessage(SendMessage {
        // Only a socket whose address named a conversation speaks this dialect.
        conversation: caller.scope.ok_or_else(Error::not_found)?,
        client_id: head.client_id()?,
        text: message.into(),
        metadata: said.item_id.map(|item| format!(r#"{{"item_id":{}}}"#, item.0).into()),
        reply_to: None,
        kind: MessageKind::Text,
        recipient: said.recipient_id.map(|recipient| recipient.0),
        subject: said.item_id.map(|item| format!("item/{}", item.0).into()),
    }))
}

#[cfg(test)]
mod tests {
    use parlour_core::{ClientId, ConversationId, limits::Limits, testing::user};

    use super::*;

    fn decode_as(me: &str, text: &str) -> Result<Command, Code> {
        let (me, limits) = (user(me), Limits::default());
        let caller = Caller { user: &me, scope: Some(ConversationId(9)), limits: &limits };
        frame(text, &caller).command.map_err(|error| error.code)
    }

    fn check(text: &str, expected: &Result<Command, Code>) {
        assert_eq!(&decode_as("1", text), expected, "{text}");
    }

    fn send(recipient: Option<&str>, item: Option<u64>, client_id: Option<&str>) -> Command {
        Command::SendMessage(SendMessage {
            conversation: ConversationId(9),
            client_id: client_id.map(|id| ClientId::new(id).unwrap()),
            text: "hi".into(),
            metadata: item.map(|item| format!(r#"{{"item_id":{item}}}"#).into()),
            reply_to: None,
            kind: MessageKind::Text,
            recipient: recipient.map(user),
            subject: item.map(|item| format!("item/{item}").into()),
        })
    }

    #[test]
    fn each_frame_of_its_clients() {
        let whole = Ok(send(Some("2"), Some(5), None));
        check(
            r#"{"message":"hi","sender_id":1,"recipient_id":2,"item_id":5,"image":null}"#,
            &whole,
        );
        check(
            r#"{"message":"hi","sender_id":"1","recipient_id":"2","item_id":"5","image":""}"#,
            &whole,
        );
        let bare = Ok(send(None, None, None));
        check(r#"{"message":"hi"}"#, &bare);
        check(r#"{"message":"hi","sender_id":null,"recipient_id":null,"item_id":null}"#, &bare);
        check(r#"{"type":"chat_message","message":"hi"}"#, &bare);
        for name in ["client_id", "tempId", "temp_id"] {
            let text = format!(r#"{{"message":"hi","sender_id":1,"{name}":"c"}}"#);
            check(&text, &Ok(send(None, None, Some("c"))));
        }
    }

    #[test]
    fn e3_a_sender_is_never_taken_from_a_frame() {
        let text = r#"{"message":"hi","sender_id":2,"client_id":"c"}"#;
        check(text, &Err(Code::Forbidden));
        let (me, limits) = (user("1"), Limits::default());
        let caller = Caller { user: &me, scope: Some(ConversationId(9)), limits: &limits };
        assert_eq!(frame(text, &caller).tag.client_id.as_deref(), Some("c"));
        assert_eq!(decode_as("007", r#"{"message":"hi","sender_id":7}"#), Err(Code::Forbidden));
        assert!(decode_as("007", r#"{"message":"hi","sender_id":"007"}"#).is_ok());
    }

    #[test]
    fn misfits_are_told_apart() {
        for misfit in [
            "{}",
            r#"{"message":null}"#,
            r#"{"message":5}"#,
            r#"{"message":"\ud83d"}"#,
            r#"{"message":"a","message":"b"}"#,
            r#"{"message":"a","type":5}"#,
            r#"{"message":"a","sender_id":1.5}"#,
            r#"{"message":"a","recipient_id":""}"#,
            r#"{"message":"a","item_id":-1}"#,
            r#"{"message":"a","item_id":"x"}"#,
            r#"{"message":"a","item_id":9007199254740992}"#,
            r#"{"message":"a","image":"data:image/png;base64,AA=="}"#,
            r#"{"message":"a","image":7}"#,
            r#"["a",1,2,3]"#,
        ] {
            check(misfit, &Err(Code::InvalidFrame));
        }
        check(r#"{"type":"typing_indicator","is_typing":true}"#, &Err(Code::UnknownType));
        check("hello", &Err(Code::InvalidJson));
    }

    #[test]
    fn m4_without_a_conversation_nothing_is_found() {
        let (me, limits) = (user("1"), Limits::default());
        let caller = Caller { user: &me, scope: None, limits: &limits };
        let refusal = frame(r#"{"message":"hi"}"#, &caller).command.unwrap_err();
        assert_eq!(refusal.code, Code::NotFound);
    }

    #[test]
    fn the_first_frame_tells_the_dialect() {
        assert!(is_plain(r#"{"message":"hi","sender_id":1}"#));
        assert!(is_plain(r#" {"type":null,"message":5}"#));
        for other in
            ["", "[]", "{}", r#"["a","b"]"#, r#"{"type":"x","message":"hi"}"#, r#"{"type":"x"}"#]
        {
            assert!(!is_plain(other), "{other}");
        }
    }
}
