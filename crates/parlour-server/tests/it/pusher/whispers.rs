//! Client events: who may send them where, and what the others get.

use serde_json::{Value, json};
use tungstenite::Message;

use super::{OTHER, Stage, errors, is, member, said, stage::FIRST};

#[test]
fn client_events_go_to_the_others_in_an_envelope_of_the_server_s() {
    let stage = Stage::start();
    let (mut one, mut two) = (stage.socket(), stage.socket());
    for socket in [&mut one, &mut two] {
        socket.join("private-x", None);
    }
    one.client.send(&json!({
        "event": "client-e", "channel": "private-x", "data": { "a": 1 }, "user_id": "9", "extra": 1
    }));
    one.whisper("client-e", "private-x", &json!("{\"a\":2}"));
    one.client.send(&json!({ "event": "client-e", "channel": "private-x" }));
    assert!(one.settle().is_empty(), "the sender gets nothing");
    let seen = two.settle();
    let frame = |data: Value| json!({ "event": "client-e", "channel": "private-x", "data": data });
    assert_eq!(seen, [frame(json!({ "a": 1 })), frame(json!("{\"a\":2}")), frame(json!("{}"))]);
}

#[test]
fn what_was_said_at_once_and_right_before_the_end_reaches_all_in_its_order() {
    let stage = Stage::start();
    let (mut one, mut two, mut three) = (stage.socket(), stage.socket(), stage.socket());
    for socket in [&mut one, &mut two, &mut three] {
        socket.join("private-x", None);
    }
    for number in 0..5 {
        let event = json!({ "event": "client-e", "channel": "private-x", "data": number });
        one.client.socket.write(Message::text(event.to_string())).unwrap();
    }
    one.client.socket.write(Message::Close(None)).unwrap();
    // All of it is one piece on the wire.
    one.client.socket.flush().unwrap();
    for socket in [&mut two, &mut three] {
        for number in 0..5 {
            assert_eq!(socket.event("client-e", "private-x")["data"], number);
        }
    }
}

#[test]
fn on_presence_channels_the_server_says_who_it_was() {
    let stage = Stage::start();
    let (mut one, mut two) = (stage.socket(), stage.socket());
    one.join("presence-x", Some(&member("1")));
    two.join("presence-x", Some(&member("2")));
    one.client.send(&json!({
        "event": "client-e", "channel": "presence-x", "data": {}, "user_id": "2"
    }));
    let frame = two.event("client-e", "presence-x");
    assert_eq!(frame["user_id"], "1");
}

#[test]
fn m3_what_may_not_be_sent_reaches_nobody() {
    let stage = Stage::start();
    let (mut one, mut two) = (stage.socket(), stage.socket());
    for channel in ["news", "private-encrypted-x", "private-x"] {
        one.join(channel, None);
        two.join(channel, None);
    }
    two.join("private-y", None);
    for (event, channel) in [
        ("client-e", "news"),
        ("client-e", "private-encrypted-x"),
        ("client-e", "private-y"),
        ("client-e", "private-z"),
        ("e", "private-x"),
        ("client", "private-x"),
        ("pusher:e", "private-x"),
        ("pusher_internal:member_added", "private-x"),
    ] {
        one.whisper(event, channel, &json!({}));
        let told = errors(&one.settle());
        assert_eq!(told.len(), 1, "{event} on {channel}");
        assert!(told[0].0.is_null(), "{told:?}");
    }
    let large = json!("x".repeat(10_241));
    one.whisper("client-e", "private-x", &large);
    one.whisper(&format!("client-{}", "x".repeat(194)), "private-x", &json!({}));
    assert_eq!(errors(&one.settle()).iter().filter(|(code, _)| *code == 4301).count(), 2);
    assert!(two.settle().is_empty());
    one.whisper("client-e", "private-x", &json!("x".repeat(10_240)));
    two.event("client-e", "private-x");
}

#[test]
fn m3_ten_a_second_and_the_connection_stays() {
    let stage = Stage::with(&[("PARLOUR_RATE_LIMITS", "on")]);
    let (mut one, mut two) = (stage.socket(), stage.socket());
    for socket in [&mut one, &mut two] {
        socket.join("private-x", None);
    }
    for n in 0..30 {
        one.whisper("client-e", "private-x", &json!(n));
    }
    let told = errors(&one.settle());
    let got = said(&two.settle(), "client-e", "private-x");
    assert!(told.iter().all(|(code, _)| *code == 4301), "{told:?}");
    assert_eq!(told.len() + got.len(), 30);
    assert!((10..20).contains(&got.len()), "{got:?}");
}

#[test]
fn m3_an_application_may_have_none() {
    let stage = Stage::start();
    let mut socket = stage.socket_of(OTHER);
    socket.join("private-x", None);
    socket.whisper("client-e", "private-x", &json!({}));
    let error = socket.client.wait(is("pusher:error", None));
    assert_eq!(error["data"]["code"], 4301);
}

#[test]
fn the_user_s_own_channel_is_shared_by_his_devices_only() {
    let stage = Stage::start();
    let (mut one, mut two) = (stage.user("1"), stage.user("1"));
    let mut other = stage.user("2");
    one.whisper("client-e", "private-user.1", &json!({ "a": 1 }));
    two.event("client-e", "private-user.1");
    one.whisper("client-e", "private-user.2", &json!({ "a": 1 }));
    assert_eq!(errors(&one.settle()).len(), 1);
    assert!(!other.settle().iter().any(is("client-e", Some("private-user.2"))));
    let count =
        stage.call(FIRST, "GET", "/channels/private-user.1", "info=subscription_count", None);
    assert_eq!(count.1, json!({ "occupied": true, "subscription_count": 2 }));
}
