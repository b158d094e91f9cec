//! Frames for clients. No key is ever written as null but the code of an error: several clients fail on others.

use std::{sync::Arc, time::Duration};

use super::{
    channel::ChannelName,
    error::{CloseCode, Refusal},
    handshake::SocketId,
    payload::{Payload, quoted},
    presence::Member,
};

/// Data of events that have none: some clients fail where the key is missing.
const NO_DATA: &str = r#""{}""#;

/// The first frame. `activity_timeout` is told in whole seconds, at least one: clients refuse a zero.
pub fn connection_established(socket: SocketId, activity_timeout: Duration, out: &mut Vec<u8>) {
    let seconds = activity_timeout.as_secs().max(1);
    let data = format!(r#"{{"socket_id":"{socket}","activity_timeout":{seconds}}}"#);
    frame("pusher:connection_established", None, &quoted(&data), out);
}

/// Asks whether the client is there.
pub fn ping(out: &mut Vec<u8>) {
    frame("pusher:ping", None, NO_DATA, out);
}

/// Answers a client's ping.
pub fn pong(out: &mut Vec<u8>) {
    frame("pusher:pong", None, NO_DATA, out);
}

/// A subscribe was granted, on any channel but a presence one.
pub fn subscription_succeeded(channel: &ChannelName, out: &mut Vec<u8>) {
    frame("pusher_internal:subscription_succeeded", Some(channel), NO_DATA, out);
}

/// A subscribe to a presence channel was granted: who is in it, the one who joins included, each user once.
pub fn presence_succeeded<'a>(
    channel: &ChannelName,
    members: impl IntoIterator<Item = &'a Member>,
    out: &mut Vec<u8>,
) {
    let (mut ids, mut hash, mut count) = (String::new(), String::new(), 0usize);
    for member in members {
        let comma = if count == 0 { "" } else { "," };
        let id = quoted(&member.user_id);
        ids.push_str(comma);
        ids.push_str(&id);
        hash.push_str(comma);
        hash.push_str(&id);
        hash.push(':');
        hash.push_str(&member.user_info);
        count += 1;
    }
    let data = format!(r#"{{"presence":{{"ids":[{ids}],"hash":{{{hash}}},"count":{count}}}}}"#);
    frame("pusher_internal:subscription_succeeded", Some(channel), &quoted(&data), out);
}

/// A user has come to a presence channel, with his first connection.
pub fn member_added(channel: &ChannelName, member: &Member, out: &mut Vec<u8>) {
    let (id, info) = (quoted(&member.user_id), &member.user_info);
    let data = format!(r#"{{"user_id":{id},"user_info":{info}}}"#);
    frame("pusher_internal:member_added", Some(channel), &quoted(&data), out);
}

/// A user has gone from a presence channel, with his last connection.
pub fn member_removed(channel: &ChannelName, user_id: &str, out: &mut Vec<u8>) {
    let data = format!(r#"{{"user_id":{}}}"#, quoted(user_id));
    frame("pusher_internal:member_removed", Some(channel), &quoted(&data), out);
}

/// A cache channel has no event kept.
pub fn cache_miss(channel: &ChannelName, out: &mut Vec<u8>) {
    frame("pusher:cache_miss", Some(channel), NO_DATA, out);
}

/// How many connections have a channel.
pub fn subscription_count(channel: &ChannelName, count: usize, out: &mut Vec<u8>) {
    let data = format!(r#"{{"subscription_count":{count}}}"#);
    frame("pusher_internal:subscription_count", Some(channel), &quoted(&data), out);
}

/// A subscribe was refused; clients hand this to who listens on the channel.
pub fn subscription_error(channel: &ChannelName, refusal: &Refusal, out: &mut Vec<u8>) {
    let (kind, status) = refusal.subscription_status();
    let error = quoted(&refusal.to_string());
    let data = format!(r#"{{"type":"{kind}","error":{error},"status":{status}}}"#);
    frame("pusher:subscription_error", Some(channel), &data, out);
}

/// Something else was refused.
pub fn refusal(refusal: &Refusal, out: &mut Vec<u8>) {
    error(refusal.code(), &refusal.to_string(), out);
}

/// The connection is about to be closed with this code.
pub fn closing(code: CloseCode, out: &mut Vec<u8>) {
    error(Some(code.code), code.text, out);
}

/// An error; `code` is null where the connection stays and no number is documented.
pub fn error(code: Option<u16>, message: &str, out: &mut Vec<u8>) {
    let code = code.map_or_else(|| "null".to_owned(), |code| code.to_string());
    let data = format!(r#"{{"code":{code},"message":{}}}"#, quoted(message));
    frame("pusher:error", None, &data, out);
}

/// A sign-in was granted; `user_data` is what the client sent, as it was received.
pub fn signin_success(user_data: &str, out: &mut Vec<u8>) {
    let data = format!(r#"{{"user_data":{}}}"#, quoted(user_data));
    frame("pusher:signin_success", None, &data, out);
}

/// Users of a watchlist are online or offline (now, or since the last such frame). Writes nothing where both
/// are empty.
pub fn watchlist_events(online: &[Arc<str>], offline: &[Arc<str>], out: &mut Vec<u8>) {
    let event = |name: &str, users: &[Arc<str>]| {
        let ids: Vec<String> = users.iter().map(|id| quoted(id)).collect();
        (!ids.is_empty()).then(|| format!(r#"{{"name":"{name}","user_ids":[{}]}}"#, ids.join(",")))
    };
    let events: Vec<String> =
        [event("online", online), event("offline", offline)].into_iter().flatten().collect();
    if !events.is_empty() {
        let data = format!(r#"{{"events":[{}]}}"#, events.join(","));
        frame("pusher_internal:watchlist_events", None, &quoted(&data), out);
    }
}

/// An event of a publisher, with its data as it came.
pub fn event(channel: &ChannelName, event: &str, data: &Payload, out: &mut Vec<u8>) {
    frame(event, Some(channel), data.as_json(), out);
}

/// An event of another client, in an envelope of our own: only its name and data are the sender's. On a
/// presence channel `user_id` is the sender's id, which the server knows.
pub fn client_event(
    channel: &ChannelName,
    event: &str,
    data: &Payload,
    user_id: Option<&str>,
    out: &mut Vec<u8>,
) {
    frame(event, Some(channel), data.as_json(), out);
    if let Some(user_id) = user_id {
        out.pop();
        out.extend_from_slice(b",\"user_id\":");
        out.extend_from_slice(quoted(user_id).as_bytes());
        out.push(b'}');
    }
}

/// An envelope around `data`, which is JSON.
fn frame(event: &str, channel: Option<&ChannelName>, data: &str, out: &mut Vec<u8>) {
    out.reserve(event.len() + data.len() + channel.map_or(0, |c| c.as_str().len()) + 40);
    out.extend_from_slice(b"{\"event\":");
    out.extend_from_slice(quoted(event).as_bytes());
    if let Some(channel) = channel {
        out.extend_from_slice(b",\"channel\":");
        out.extend_from_slice(quoted(channel.as_str()).as_bytes());
    }
    out.extend_from_slice(b",\"data\":");
    out.extend_from_slice(data.as_bytes());
    out.push(b'}');
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, value::RawValue};

    use super::{super::limits::PusherLimits, *};

    fn check(write: impl FnOnce(&mut Vec<u8>), expected: &str) {
        let mut out = Vec::new();
        write(&mut out);
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text, expected);
        let value: Value = serde_json::from_str(&text).unwrap();
        assert!(value.as_object().unwrap().values().all(|value| !value.is_null()), "{text}");
    }

    fn channel(name: &str) -> ChannelName {
        ChannelName::new(name, &PusherLimits::default()).unwrap()
    }

    fn member(id: &str, info: &str) -> Member {
        Member { user_id: id.into(), user_info: info.into() }
    }

    #[test]
    fn frames_of_the_connection() {
        check(
            |out| connection_established(SocketId::new(123, 456), Duration::from_secs(120), out),
            r#"{"event":"pusher:connection_established","data":"{\"socket_id\":\"123.456\",\"activity_timeout\":120}"}"#,
        );
        check(
            |out| connection_established(SocketId::new(0, 1), Duration::ZERO, out),
            r#"{"event":"pusher:connection_established","data":"{\"socket_id\":\"0.1\",\"activity_timeout\":1}"}"#,
        );
        check(ping, r#"{"event":"pusher:ping","data":"{}"}"#);
        check(pong, r#"{"event":"pusher:pong","data":"{}"}"#);
    }

    #[test]
    fn frames_of_subscriptions() {
        check(
            |out| subscription_succeeded(&channel("news"), out),
            r#"{"event":"pusher_internal:subscription_succeeded","channel":"news","data":"{}"}"#,
        );
        let members = [member("1", r#"{"name":"A"}"#), member("\"q", "{}")];
        check(
            |out| presence_succeeded(&channel("presence-x"), &members, out),
            r#"{"event":"pusher_internal:subscription_succeeded","channel":"presence-x","data":"{\"presence\":{\"ids\":[\"1\",\"\\\"q\"],\"hash\":{\"1\":{\"name\":\"A\"},\"\\\"q\":{}},\"count\":2}}"}"#,
        );
        check(
            |out| presence_succeeded(&channel("presence-x"), [], out),
            r#"{"event":"pusher_internal:subscription_succeeded","channel":"presence-x","data":"{\"presence\":{\"ids\":[],\"hash\":{},\"count\":0}}"}"#,
        );
        check(
            |out| member_added(&channel("presence-x"), &members[0], out),
            r#"{"event":"pusher_internal:member_added","channel":"presence-x","data":"{\"user_id\":\"1\",\"user_info\":{\"name\":\"A\"}}"}"#,
        );
        check(
            |out| member_removed(&channel("presence-x"), "1", out),
            r#"{"event":"pusher_internal:member_removed","channel":"presence-x","data":"{\"user_id\":\"1\"}"}"#,
        );
        check(
            |out| cache_miss(&channel("cache-x"), out),
            r#"{"event":"pusher:cache_miss","channel":"cache-x","data":"{}"}"#,
        );
        check(
            |out| subscription_count(&channel("news"), 7, out),
            r#"{"event":"pusher_internal:subscription_count","channel":"news","data":"{\"subscription_count\":7}"}"#,
        );
    }

    #[test]
    fn frames_of_errors() {
        check(
            |out| subscription_error(&channel("private-x"), &Refusal::InvalidKey, out),
            r#"{"event":"pusher:subscription_error","channel":"private-x","data":{"type":"AuthError","error":"Invalid key in subscription auth data: it is not the application's","status":401}}"#,
        );
        check(
            |out| subscription_error(&channel("presence-x"), &Refusal::PresenceFull(100), out),
            r#"{"event":"pusher:subscription_error","channel":"presence-x","data":{"type":"LimitReached","error":"The channel has reached its limit of 100 members","status":4100}}"#,
        );
        check(
            |out| refusal(&Refusal::UnsupportedEvent, out),
            r#"{"event":"pusher:error","data":{"code":null,"message":"Unsupported event received on socket"}}"#,
        );
        check(
            |out| refusal(&Refusal::ClientEventRate, out),
            r#"{"event":"pusher:error","data":{"code":4301,"message":"Client event rejected due to rate limit"}}"#,
        );
        check(
            |out| closing(CloseCode::NO_APP, out),
            r#"{"event":"pusher:error","data":{"code":4001,"message":"Application does not exist"}}"#,
        );
    }

    #[test]
    fn frames_of_signed_in_users() {
        check(
            |out| signin_success(r#"{"id":"1"}"#, out),
            r#"{"event":"pusher:signin_success","data":{"user_data":"{\"id\":\"1\"}"}}"#,
        );
        check(
            |out| watchlist_events(&["1".into(), "2".into()], &["3".into()], out),
            r#"{"event":"pusher_internal:watchlist_events","data":"{\"events\":[{\"name\":\"online\",\"user_ids\":[\"1\",\"2\"]},{\"name\":\"offline\",\"user_ids\":[\"3\"]}]}"}"#,
        );
        check(
            |out| watchlist_events(&[], &["3".into()], out),
            r#"{"event":"pusher_internal:watchlist_events","data":"{\"events\":[{\"name\":\"offline\",\"user_ids\":[\"3\"]}]}"}"#,
        );
        let mut out = Vec::new();
        watchlist_events(&[], &[], &mut out);
        assert!(out.is_empty());
    }

    #[test]
    fn events_carry_their_data_as_it_came() {
        let raw = |json| Payload::raw(serde_json::from_str::<&RawValue>(json).unwrap());
        check(
            |out| event(&channel("news"), "App\\Events\\X", &raw(r#""{\"a\":\u0031}""#), out),
            r#"{"event":"App\\Events\\X","channel":"news","data":"{\"a\":\u0031}"}"#,
        );
        check(
            |out| event(&channel("#server-to-user-a\"b"), "x", &Payload::text("é\n"), out),
            r##"{"event":"x","channel":"#server-to-user-a\"b","data":"é\n"}"##,
        );
        check(
            |out| client_event(&channel("private-x"), "client-a", &raw(r#"{"a" : 1}"#), None, out),
            r#"{"event":"client-a","channel":"private-x","data":{"a" : 1}}"#,
        );
        check(
            |out| {
                let data = Payload::empty();
                client_event(&channel("presence-x"), "client-a", &data, Some("7\""), out);
            },
            r#"{"event":"client-a","channel":"presence-x","data":"{}","user_id":"7\""}"#,
        );
    }
}
