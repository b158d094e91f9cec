//! What processes tell each other about the Pusher protocol, as bytes: JSON in a versioned envelope.
//!
//! `{"v":1,"m":{"event":{…}}}`. Within a version fields and kinds are only added; who does not know a field passes over
//! it, and a kind that he does not know he ignores. Another version is ignored whole.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// What this process speaks.
const VERSION: u32 = 1;

/// Bytes of the variable parts of a message after which the rest goes into a further one.
pub(crate) const FULL: usize = 128 * 1024;

#[derive(Serialize)]
struct Outgoing<'a> {
    v: u32,
    m: &'a Message,
}

#[derive(Deserialize)]
struct Incoming<'a> {
    v: u32,
    #[serde(borrow)]
    m: &'a RawValue,
}

/// What one process tells another.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Message {
    /// The speaker is there.
    Hello(Hello),
    /// An application has published.
    Event(Event),
    /// A client says something to the others on its channel.
    Whisper(Whisper),
    /// What the speaker has of a channel or user.
    State(State),
    /// What has changed of that.
    Change(Change),
    /// What has not: versions as they are, so that nobody forgets it, and whoever has missed a change asks.
    Still(Still),
    /// Is answered to the asker.
    Question {
        /// Names it in the answers; 0 where nobody waits for them.
        id: u64,
        /// What is asked.
        ask: Question,
    },
    /// A part of an answer.
    Answer(Answer),
    /// Signed calls were carried out: their signatures' first 8 bytes.
    Seen(Vec<u64>),
}

/// The speaker is there; repeated.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Hello {
    /// The first number of the ids of its sockets.
    pub(crate) prefix: u64,
    /// Since when (Unix milliseconds). The oldest process tells the webhooks of all.
    pub(crate) started: i64,
    /// It has not heard the same of the listener yet.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) new: bool,
}

/// An application has published on a channel.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Event {
    pub(crate) app: Box<str>,
    pub(crate) channel: Box<str>,
    /// The speaker's prefix, and a number that grows with everything that it says on channels.
    pub(crate) id: (u64, u64),
    pub(crate) name: Box<str>,
    pub(crate) data: Box<RawValue>,
    /// The id of a socket that does not get it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) except: Option<Box<str>>,
}

/// A client says something to the others on its channel.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Whisper {
    pub(crate) app: Box<str>,
    pub(crate) channel: Box<str>,
    /// As that of an event.
    pub(crate) id: (u64, u64),
    pub(crate) event: Box<str>,
    pub(crate) data: Box<RawValue>,
    /// Who, on a presence channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<Box<str>>,
}

/// Of what a process has something.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Key {
    /// Subscribers of a channel.
    Channel(Box<str>),
    /// Connections that are signed in as a user.
    User(Box<str>),
}

/// A member of a presence channel.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Mate {
    pub(crate) id: Box<str>,
    pub(crate) info: Box<RawValue>,
}

/// What the speaker has of something.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) app: Box<str>,
    pub(crate) of: Key,
    /// Grows by one with each change.
    pub(crate) version: u64,
    /// Subscribers or connections.
    pub(crate) count: u64,
    /// Members, each once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) members: Vec<Mate>,
    /// Which part of the members these are, from 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) part: u32,
    /// Another part follows.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) more: bool,
    /// For how many seconds it holds without being repeated.
    pub(crate) life: u32,
}

/// What has changed of a state.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Change {
    pub(crate) app: Box<str>,
    pub(crate) of: Key,
    pub(crate) version: u64,
    pub(crate) count: u64,
    /// Before there was nothing, so this is all.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) fresh: bool,
    /// A member has come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) came: Option<Mate>,
    /// A member has gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) went: Option<Box<str>>,
    pub(crate) life: u32,
}

/// States that are as they were.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Still {
    pub(crate) app: Box<str>,
    /// Each with its version.
    pub(crate) of: Vec<(Key, u64)>,
    pub(crate) life: u32,
}

/// What is asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Question {
    /// About some channels and users.
    About { app: Box<str>, wants: Vec<Want> },
    /// About everything of an application.
    Everything { app: Box<str> },
    /// Which channels have subscribers.
    Occupied {
        app: Box<str>,
        /// Only those whose names begin so.
        prefix: Box<str>,
        /// Their members' ids too.
        users: bool,
    },
    /// To end the connections that are signed in as a user.
    Terminate { app: Box<str>, user: Box<str> },
    /// To let a socket act as somebody on a channel.
    Grant(Grant),
}

/// What is asked about one channel or user.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Want {
    pub(crate) of: Key,
    /// Who and how many are there.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) state: bool,
    /// So many of its last events.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) kept: u32,
}

/// For whom a socket was allowed a channel, signed with the application's secret.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Grant {
    pub(crate) app: Box<str>,
    pub(crate) socket: Box<str>,
    pub(crate) channel: Box<str>,
    pub(crate) user: Box<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) session: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expires_at: Option<i64>,
    pub(crate) issued_at: i64,
    pub(crate) signature: Box<str>,
}

/// A part of an answer.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Answer {
    /// The question's.
    pub(crate) id: u64,
    /// Nothing more follows.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) last: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) states: Vec<State>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) kept: Vec<KeptOf>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) occupied: Vec<Occupied>,
}

/// What a channel keeps.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct KeptOf {
    pub(crate) app: Box<str>,
    pub(crate) channel: Box<str>,
    /// The oldest first.
    pub(crate) events: Vec<KeptEvent>,
}

/// An event that is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct KeptEvent {
    pub(crate) id: (u64, u64),
    pub(crate) name: Box<str>,
    pub(crate) data: Box<RawValue>,
    /// How old it is, in milliseconds.
    pub(crate) age: u64,
}

/// A channel that has subscribers at the speaker's.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Occupied {
    pub(crate) channel: Box<str>,
    pub(crate) count: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) users: Vec<Box<str>>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
const fn is_false(value: &bool) -> bool {
    !*value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
const fn is_zero(value: &u32) -> bool {
    *value == 0
}

impl Message {
    /// As bytes; `None` does not happen.
    pub(crate) fn encode(&self) -> Option<Vec<u8>> {
        serde_json::to_vec(&Outgoing { v: VERSION, m: self }).ok()
    }

    /// From bytes; `None` for what this process does not understand.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let incoming: Incoming<'_> = serde_json::from_slice(bytes).ok()?;
        if incoming.v != VERSION {
            return None;
        }
        serde_json::from_str(incoming.m.get()).ok()
    }
}

/// JSON that was checked when it came in.
pub(crate) fn raw(json: &str) -> Box<RawValue> {
    let known = RawValue::from_string(json.to_owned());
    known.unwrap_or_else(|_| RawValue::NULL.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// What processes of this version have ever said.
    const STORED: &str = include_str!("../../../../../contract/bus/pusher-v1.jsonl");

    fn value(bytes: &[u8]) -> Value {
        serde_json::from_slice(bytes).unwrap()
    }

    #[test]
    fn what_was_ever_said_is_understood_and_said_so_still() {
        for line in STORED.lines() {
            let message = Message::decode(line.as_bytes()).unwrap_or_else(|| panic!("{line}"));
            assert_eq!(value(&message.encode().unwrap()), value(line.as_bytes()));
        }
    }

    #[test]
    fn fields_of_newer_processes_are_passed_over() {
        for line in STORED.lines() {
            let newer = line.replacen("{\"v\":1,", "{\"v\":1,\"new\":[1],", 1);
            assert!(Message::decode(newer.as_bytes()).is_some(), "{newer}");
        }
        let newer = r#"{"v":1,"m":{"hello":{"prefix":7,"started":1,"more":{"x":1}}}}"#;
        assert!(matches!(Message::decode(newer.as_bytes()), Some(Message::Hello(_))));
    }

    #[test]
    fn what_is_not_understood_is_ignored() {
        for bytes in [
            &b""[..],
            b"\xff",
            b"[]",
            br#"{"v":2,"m":{"seen":[]}}"#,
            br#"{"v":1,"m":{"newer":{}}}"#,
            br#"{"v":1,"m":{"question":{"id":1,"ask":{"newer":{}}}}}"#,
            br#"{"v":1,"m":{"seen":[-1]}}"#,
            br#"{"v":1}"#,
            br#"{"v":-1,"m":{"seen":[]}}"#,
        ] {
            assert!(Message::decode(bytes).is_none(), "{}", String::from_utf8_lossy(bytes));
        }
        let deep = format!(r#"{{"v":1,"m":{}{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
        assert!(Message::decode(deep.as_bytes()).is_none());
    }
}
