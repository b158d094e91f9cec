//! Frames of clients.

use std::borrow::Cow;

use parlour_core::Code;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use super::{
    channel::ChannelName,
    error::Refusal,
    limits::PusherLimits,
    payload::{self, Payload},
};
use crate::json;

/// What a client says in one frame.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ClientFrame {
    /// It asks whether the server is there.
    Ping,
    /// It is there.
    Pong,
    /// It wants a channel.
    Subscribe(Subscribe),
    /// It wants a channel no longer.
    Unsubscribe(ChannelName),
    /// It says which user it is.
    SignIn {
        /// A key and a signature of `user_data`. Not checked yet.
        auth: String,
        /// The JSON that is signed, as it was received.
        user_data: String,
    },
    /// It tells the others on a channel something.
    ClientEvent {
        /// Where. Whether it may, and whether such a channel takes client events, is not checked yet.
        channel: ChannelName,
        /// What; begins with `client-`.
        event: String,
        /// The data as it was received; nothing and null are [`Payload::empty`].
        data: Payload,
    },
}

/// What a client says to get a channel.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Subscribe {
    /// Which.
    pub channel: ChannelName,
    /// A key and a signature, if there is one. Not checked yet.
    pub auth: Option<String>,
    /// Who joins, as it was received and signed: JSON, not read yet.
    pub channel_data: Option<String>,
    /// How many past events it wants first, where the channel keeps them: 1 to `limits.history`.
    pub history: Option<u16>,
}

/// Why a frame is none.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refused {
    /// The reason.
    pub refusal: Refusal,
    /// The channel that it wanted to subscribe, which then hears of it in a `pusher:subscription_error`.
    pub channel: Option<ChannelName>,
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, channel: None }
    }
}

#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow)]
    event: Cow<'a, str>,
    #[serde(borrow)]
    channel: Option<Cow<'a, str>>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct SubscribeData {
    channel: String,
    auth: Option<String>,
    channel_data: Option<String>,
    history: Option<u16>,
}

#[derive(Deserialize)]
struct UnsubscribeData {
    channel: String,
}

#[derive(Deserialize)]
struct SignInData {
    auth: String,
    user_data: String,
}

/// Reads one text frame.
///
/// `data` may be an object or a text that holds one. Signatures, `channel_data` and `user_data` are not looked
/// into, only bounded.
///
/// # Errors
/// [`Refused`] with what to answer; the connection stays open.
pub fn frame(text: &str, limits: &PusherLimits) -> Result<ClientFrame, Refused> {
    let fields: Fields<'_> = object(text, limits)?;
    match &*fields.event {
        "pusher:ping" => Ok(ClientFrame::Ping),
        "pusher:pong" => Ok(ClientFrame::Pong),
        "pusher:subscribe" => subscribe(data(fields.data, limits)?, limits),
        "pusher:unsubscribe" => {
            let wanted: UnsubscribeData = data(fields.data, limits)?;
            Ok(ClientFrame::Unsubscribe(ChannelName::new(&wanted.channel, limits)?))
        }
        "pusher:signin" => {
            let SignInData { auth, user_data } = data(fields.data, limits)?;
            if auth.len() > limits.auth {
                return Err(Refusal::InvalidUserData("auth is too long").into());
            }
            if user_data.len() > limits.user_data {
                return Err(Refusal::InvalidUserData("it is too long").into());
            }
            Ok(ClientFrame::SignIn { auth, user_data })
        }
        event if event.starts_with("client-") => client_event(&fields, limits),
        _ => Err(Refusal::UnsupportedEvent.into()),
    }
}

fn subscribe(wanted: SubscribeData, limits: &PusherLimits) -> Result<ClientFrame, Refused> {
    let channel = ChannelName::new(&wanted.channel, limits)?;
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let (auth, channel_data) = (given(wanted.auth), given(wanted.channel_data));
    let refusal = if auth.as_ref().is_some_and(|auth| auth.len() > limits.auth) {
        Refusal::InvalidFrame("auth is too long")
    } else if channel_data.as_ref().is_some_and(|data| data.len() > limits.channel_data) {
        Refusal::InvalidChannelData("it is too long")
    } else if wanted.history.is_some_and(|count| count == 0 || count > limits.history) {
        Refusal::InvalidFrame("history is a number from 1 to its limit")
    } else {
        let history = wanted.history;
        return Ok(ClientFrame::Subscribe(Subscribe { channel, auth, channel_data, history }));
    };
    Err(Refused { refusal, channel: Some(channel) })
}

fn client_event(fields: &Fields<'_>, limits: &PusherLimits) -> Result<ClientFrame, Refused> {
    let name = fields.channel.as_deref();
    let name = name.ok_or(Refusal::InvalidFrame("a client event has a channel"))?;
    let channel = ChannelName::new(name, limits)?;
    if fields.event.chars().count() > limits.event_name {
        return Err(Refusal::EventNameTooLong(limits.event_name).into());
    }
    let data = match fields.data {
        Some(raw) if payload::size(raw.get()) > limits.event_data => {
            return Err(Refusal::EventDataTooLarge(limits.event_data).into());
        }
        Some(raw) => Payload::raw(raw),
        None => Payload::empty(),
    };
    Ok(ClientFrame::ClientEvent { channel, event: fields.event.to_string(), data })
}

/// The `data` of an event of the protocol itself.
fn data<T: DeserializeOwned>(raw: Option<&RawValue>, limits: &PusherLimits) -> Result<T, Refusal> {
    let raw = raw.map_or("", RawValue::get);
    if raw.starts_with('"') {
        let text: String = json::parse(raw, limits.json_depth).map_err(|error| refusal(&error))?;
        return object(&text, limits);
    }
    if raw.is_empty() {
        return Err(Refusal::InvalidFrame("this event has data"));
    }
    object(raw, limits)
}

/// An object. Without the check an array of the fields in their order would be taken for one.
pub(super) fn object<'a, T: Deserialize<'a>>(
    text: &'a str,
    limits: &PusherLimits,
) -> Result<T, Refusal> {
    let parsed = json::parse(text, limits.json_depth).map_err(|error| refusal(&error));
    match text.trim_start().starts_with('{') {
        true => parsed,
        false => parsed.and(Err(MISFIT)),
    }
}

/// JSON of another form than the protocol's.
const MISFIT: Refusal = Refusal::InvalidFrame("it is not what the protocol has for this event");

fn refusal(error: &parlour_core::Error) -> Refusal {
    match error.code {
        Code::InvalidJson => Refusal::InvalidJson,
        _ => MISFIT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(text: &str) -> Result<ClientFrame, Refused> {
        frame(text, &PusherLimits::default())
    }

    fn channel(name: &str) -> ChannelName {
        ChannelName::new(name, &PusherLimits::default()).unwrap()
    }

    fn plain(name: &str) -> ClientFrame {
        ClientFrame::Subscribe(Subscribe {
            channel: channel(name),
            auth: None,
            channel_data: None,
            history: None,
        })
    }

    #[test]
    fn pings_in_every_form() {
        for data in ["", r#","data":{}"#, r#","data":"""#, r#","data":null"#, r#","data":"{}""#] {
            let text = format!(r#"{{"event":"pusher:ping"{data}}}"#);
            assert_eq!(decode(&text), Ok(ClientFrame::Ping), "{text}");
        }
        assert_eq!(decode(r#"{"event":"pusher:pong","data":{}}"#), Ok(ClientFrame::Pong));
    }

    #[test]
    fn subscribing() {
        for text in [
            r#"{"event":"pusher:subscribe","data":{"auth":"","channel":"news"}}"#,
            r#"{"event":"pusher:subscribe","data":{"channel":"news","auth":null,"other":[1]}}"#,
            r#" {"event":"pusher:subscribe","data":"{\"channel\":\"news\"}"} "#,
            r#"{"event":"pusher:subscribe","channel":"x","data":{"channel":"news","channel_data":""}}"#,
        ] {
            assert_eq!(decode(text), Ok(plain("news")), "{text}");
        }
        let text = r#"{"event":"pusher:subscribe","data":{"channel":"presence-x","auth":"k:ab","channel_data":"{\"user_id\":1}","history":100}}"#;
        let full = Subscribe {
            channel: channel("presence-x"),
            auth: Some("k:ab".into()),
            channel_data: Some(r#"{"user_id":1}"#.into()),
            history: Some(100),
        };
        assert_eq!(decode(text), Ok(ClientFrame::Subscribe(full)));
        assert_eq!(
            decode(r#"{"event":"pusher:unsubscribe","data":{"channel":"news"}}"#),
            Ok(ClientFrame::Unsubscribe(channel("news")))
        );
    }

    #[test]
    fn signing_in() {
        let text =
            r#"{"event":"pusher:signin","data":{"auth":"k:ab","user_data":"{\"id\":\"1\"}"}}"#;
        let expected =
            ClientFrame::SignIn { auth: "k:ab".into(), user_data: r#"{"id":"1"}"#.into() };
        assert_eq!(decode(text), Ok(expected));
    }

    #[test]
    fn client_events_keep_their_data_as_it_came() {
        for (sent, kept) in [
            (r#","data":{"a" : 1}"#, r#"{"a" : 1}"#),
            (r#","data":"{\"a\":\u0031}""#, r#""{\"a\":\u0031}""#),
            (r#","data":7"#, "7"),
            (r#","data":null"#, r#""{}""#),
            ("", r#""{}""#),
        ] {
            let text =
                format!(r#"{{"event":"client-x","channel":"private-x","user_id":"9"{sent}}}"#);
            let Ok(ClientFrame::ClientEvent { channel: to, event, data }) = decode(&text) else {
                panic!("{text}: {:?}", decode(&text));
            };
            assert_eq!((to, &*event, data.as_json()), (channel("private-x"), "client-x", kept));
        }
    }

    fn refused(text: &str, expected: Refusal) {
        assert_eq!(decode(text), Err(expected.into()), "{}", &text[..text.len().min(200)]);
    }

    #[test]
    fn d_frames_that_are_none() {
        for broken in ["", " ", "{", "{}{}", "nul", "\u{feff}{}", "{\"event\":\"pusher:ping\""] {
            refused(broken, Refusal::InvalidJson);
        }
        for misfit in [
            "null",
            "0",
            "[]",
            "\"x\"",
            "{}",
            r#"["pusher:ping"]"#,
            r#"{"event":null}"#,
            r#"{"event":1}"#,
            r#"{"event":"pusher:ping","event":"pusher:ping"}"#,
            r#"{"event":"\ud83d"}"#,
            r#"{"event":"client-x","channel":5}"#,
            r#"{"event":"pusher:subscribe","data":[]}"#,
            r#"{"event":"pusher:subscribe","data":["news"]}"#,
            r#"{"event":"pusher:subscribe","data":"[\"news\"]"}"#,
            r#"{"event":"pusher:subscribe","data":{"channel":7}}"#,
            r#"{"event":"pusher:subscribe","data":{"channel":"x","history":-1}}"#,
            r#"{"event":"pusher:subscribe","data":{"channel":"x","channel_data":{}}}"#,
            r#"{"event":"pusher:signin","data":{"auth":"k:ab"}}"#,
        ] {
            refused(misfit, MISFIT);
        }
        let deep =
            |n| format!(r#"{{"event":"pusher:ping","data":{}{}}}"#, "[".repeat(n), "]".repeat(n));
        assert_eq!(decode(&deep(31)), Ok(ClientFrame::Ping));
        refused(&deep(10_000), Refusal::InvalidJson);
        let inner = format!(r#"{{\"x\":{}1{}}}"#, "[".repeat(5_000), "]".repeat(5_000));
        refused(
            &format!(r#"{{"event":"pusher:subscribe","data":"{inner}"}}"#),
            Refusal::InvalidJson,
        );
        refused(r#"{"event":"pusher:subscribe","data":""}"#, Refusal::InvalidJson);
        refused(r#"{"event":"pusher:subscribe"}"#, Refusal::InvalidFrame("this event has data"));
    }

    #[test]
    fn m3_events_that_clients_do_not_send() {
        for event in ["", "x", "pusher:error", "pusher_internal:member_added", "Client-x", "client"]
        {
            let text = format!(r#"{{"event":"{event}","channel":"private-x","data":"{{}}"}}"#);
            refused(&text, Refusal::UnsupportedEvent);
        }
        refused(
            r#"{"event":"client-x","data":"{}"}"#,
            Refusal::InvalidFrame("a client event has a channel"),
        );
        refused(r#"{"event":"client-x","channel":"a b"}"#, Refusal::InvalidChannel);
    }

    #[test]
    fn m3_everything_is_bounded() {
        let event = |name: usize, data: usize| {
            format!(
                r#"{{"event":"client-{}","channel":"private-x","data":"{}"}}"#,
                "x".repeat(name),
                "y".repeat(data)
            )
        };
        assert!(decode(&event(193, 10_240)).is_ok());
        refused(&event(194, 1), Refusal::EventNameTooLong(200));
        refused(&event(1, 10_241), Refusal::EventDataTooLarge(10_240));

        let subscribe = |fields: &str| {
            decode(&format!(
                r#"{{"event":"pusher:subscribe","data":{{"channel":"presence-x",{fields}}}}}"#
            ))
        };
        let of_channel = |refusal| Err(Refused { refusal, channel: Some(channel("presence-x")) });
        assert_eq!(
            subscribe(&format!(r#""auth":"{}""#, "x".repeat(257))),
            of_channel(Refusal::InvalidFrame("auth is too long"))
        );
        assert_eq!(
            subscribe(&format!(r#""channel_data":"{}""#, "x".repeat(8_193))),
            of_channel(Refusal::InvalidChannelData("it is too long"))
        );
        for history in ["0", "101"] {
            assert_eq!(
                subscribe(&format!(r#""history":{history}"#)),
                of_channel(Refusal::InvalidFrame("history is a number from 1 to its limit"))
            );
        }
        refused(
            &format!(
                r#"{{"event":"pusher:signin","data":{{"auth":"k:a","user_data":"{}"}}}}"#,
                "x".repeat(32_769)
            ),
            Refusal::InvalidUserData("it is too long"),
        );
        refused(
            &format!(
                r#"{{"event":"pusher:subscribe","data":{{"channel":"{}"}}}}"#,
                "x".repeat(201)
            ),
            Refusal::InvalidChannel,
        );
    }
}
