//! Subscribing, by signature where it takes one, and what subscribers get.

use serde_json::{Value, json};

use super::{
    OTHER, Stage, errors, is, said, sign,
    stage::{App, FIRST},
};

#[test]
fn what_is_published_comes_in_order_to_everybody_who_has_the_channel() {
    let stage = Stage::start();
    let (mut one, mut two, mut none) = (stage.socket(), stage.socket(), stage.socket());
    assert_eq!(one.join("news", None), json!({}));
    two.join("news", None);
    none.join("newss", None);
    for n in 0..20 {
        stage.publish("news", "App\\Events\\Said", &format!("{{\"n\":{n},\"é\":\"\\u0031\"}}"));
    }
    let except =
        json!({ "name": "e", "channels": ["news", "newss"], "data": "x", "socket_id": one.id });
    stage.publish_of(FIRST, &except);
    let event = "App\\Events\\Said";
    let expected: Vec<Value> =
        (0..20).map(|n| json!(format!("{{\"n\":{n},\"é\":\"\\u0031\"}}"))).collect();
    let seen = [one.settle(), two.settle(), none.settle()];
    assert_eq!(said(&seen[0], event, "news"), expected);
    assert_eq!(said(&seen[1], event, "news"), expected);
    assert_eq!(seen.each_ref().map(Vec::len), [20, 21, 1]);
    one.leave("news");
    assert!(one.settle().is_empty());
    stage.publish("news", "e", "y");
    assert!(one.settle().is_empty());
    assert_eq!(said(&two.settle(), "e", "news"), ["y"]);
    one.join("news", None);
    stage.publish("news", "e", "z");
    assert_eq!(said(&one.settle(), "e", "news"), ["z"]);
}

#[test]
fn a_channel_is_subscribed_once() {
    let stage = Stage::start();
    let mut socket = stage.socket();
    socket.join("news", None);
    socket.subscribe("news", None);
    socket.leave("other");
    let told = errors(&socket.settle());
    assert_eq!(
        told,
        [
            (Value::Null, "Existing subscription to channel news".to_owned()),
            (Value::Null, "No current subscription to channel other".to_owned())
        ]
    );
    stage.publish("news", "e", "x");
    assert_eq!(said(&socket.settle(), "e", "news"), ["x"]);
}

#[test]
fn m1_only_the_application_s_signature_for_this_connection_and_channel_opens_it() {
    let stage = Stage::start();
    let mut socket = stage.socket();
    let id = socket.id.clone();
    let good = sign(FIRST, &format!("{id}:private-x"));
    let (key, hex) = good.split_once(':').unwrap();
    let mut changed = hex.to_owned();
    changed.replace_range(63.., if hex.ends_with('0') { "1" } else { "0" });
    let old = App { key: "first-old", secret: "a secret that is retired", ..FIRST };
    let wrong = [
        String::new(),
        key.to_owned(),
        format!("{key}:"),
        format!("{key}:{}", hex.to_uppercase()),
        format!("{key}:{changed}"),
        format!("{key}:{hex}0"),
        format!("{key}:{}", &hex[..63]),
        format!("first-new:{hex}"),
        format!("FIRST-KEY:{hex}"),
        format!("nobody:{hex}"),
        sign(FIRST, "1.1:private-x"),
        sign(FIRST, &format!("{id}:private-y")),
        sign(FIRST, &format!("{id}:private-x:{{}}")),
        sign(FIRST, &format!("{id}::user::private-x")),
        sign(OTHER, &format!("{id}:private-x")),
        sign(old, &format!("{id}:private-x")),
    ];
    for auth in wrong {
        let refusal = socket.refused(&json!({ "channel": "private-x", "auth": auth }));
        assert_eq!(
            (&refusal["type"], &refusal["status"]),
            (&json!("AuthError"), &json!(401)),
            "{auth}"
        );
        assert!(!refusal.to_string().contains(hex), "the right signature was told");
    }
    let refusal = socket.refused(&json!({ "channel": "private-x" }));
    assert_eq!(refusal["status"], 401);
    // Data that was not signed.
    let refusal =
        socket.refused(&json!({ "channel": "private-x", "auth": good, "channel_data": "{}" }));
    assert_eq!(refusal["status"], 401);
    // Presence channels sign their data, as it was sent.
    let data = r#"{"user_id":"1"}"#;
    for signed in [r#"{"user_id":"2"}"#, r#"{"user_id": "1"}"#] {
        let auth = sign(FIRST, &format!("{id}:presence-x:{signed}"));
        let asked = json!({ "channel": "presence-x", "auth": auth, "channel_data": data });
        assert_eq!(socket.refused(&asked)["status"], 401, "{signed}");
    }
    stage.publish("private-x", "secret", "x");
    assert!(socket.settle().is_empty());
    let second = App { key: "first-new", secret: "its second secret, as long", ..FIRST };
    let auth = sign(second, &format!("{id}:private-x"));
    socket.send("pusher:subscribe", &json!({ "channel": "private-x", "auth": auth }));
    socket.joined("private-x");
}

#[test]
fn names_decide_what_a_channel_is() {
    let stage = Stage::start();
    let mut socket = stage.socket();
    for public in ["private", "presence", "privateX", "a=b@c,d.e;f-g_h"] {
        socket.send("pusher:subscribe", &json!({ "channel": public }));
        socket.joined(public);
    }
    for bad in ["", "a b", "a/b", "#x", "é", &"x".repeat(201)] {
        socket.send("pusher:subscribe", &json!({ "channel": bad }));
        let error = socket.client.wait(is("pusher:error", None));
        assert!(error["data"]["code"].is_null(), "{bad}");
    }
    socket.join("private-encrypted-x", None);
    let sealed = r#"{"nonce":"AAAA","ciphertext":"BBBB"}"#;
    stage.publish("private-encrypted-x", "e", sealed);
    assert_eq!(socket.event("e", "private-encrypted-x")["data"], sealed);
}

#[test]
fn applications_are_apart() {
    let stage = Stage::start();
    let (mut first, mut other) = (stage.socket(), stage.socket_of(OTHER));
    for channel in ["news", "private-x", "cache-x"] {
        first.join(channel, None);
        other.join(channel, None);
        stage.publish(channel, "e", "secret-marker");
    }
    first.join("presence-x", Some(&super::member("1")));
    other.join("presence-x", Some(&super::member("2")));
    let seen = other.settle();
    assert!(!seen.iter().any(|frame| frame.to_string().contains("secret-marker")), "{seen:?}");
    assert!(!seen.iter().any(is("pusher_internal:member_added", Some("presence-x"))));
    assert_eq!(first.settle().iter().filter(|frame| frame["event"] == "e").count(), 3);
}

#[test]
fn a_connection_has_so_many_channels() {
    let stage = Stage::with(&[("PARLOUR_PUSHER_MAX_CHANNELS_PER_CONNECTION", "2")]);
    let mut socket = stage.socket();
    socket.join("a", None);
    socket.join("b", None);
    let refusal = socket.refused(&json!({ "channel": "c" }));
    assert_eq!((&refusal["type"], &refusal["status"]), (&json!("LimitReached"), &json!(4100)));
    socket.leave("a");
    socket.join("c", None);
}

#[test]
fn i1_who_asks_too_much_is_refused_and_at_last_closed() {
    let stage = Stage::with(&[
        ("PARLOUR_RATE_LIMITS", "on"),
        ("PARLOUR_PUSHER_MAX_CHANNELS_PER_CONNECTION", "100"),
    ]);
    let mut socket = stage.socket();
    // All that a connection may have, at once.
    for n in 0..100 {
        socket.subscribe(&format!("c{n}"), None);
    }
    for n in 0..100 {
        socket.joined(&format!("c{n}"));
    }
    let mut sent = 0;
    while sent < 2_000 {
        let frame = json!({ "event": "pusher:unsubscribe", "data": { "channel": "none" } });
        let text = tungstenite::Message::text(frame.to_string());
        if socket.client.socket.send(text).is_err() {
            break;
        }
        sent += 1;
    }
    match socket.client.end() {
        super::End::Closed(code, _) => assert_eq!(code, 4100),
        super::End::Cut => assert!(sent < 2_000, "it was never closed"),
    }
    assert!(errors(&socket.client.seen).iter().any(|(_, text)| text.contains("slow down")));
}

#[test]
fn subscribers_are_told_how_many_they_are_where_the_application_wants_it() {
    let stage = Stage::start();
    let (mut one, mut two) = (stage.socket_of(OTHER), stage.socket_of(OTHER));
    one.join("news", None);
    two.join("news", None);
    two.join("presence-x", Some(&super::member("1")));
    assert!(!two.settle().iter().any(is("pusher_internal:subscription_count", Some("presence-x"))));
    drop(two);
    let mut counts = Vec::new();
    for _ in 0..3 {
        let count = one.event("pusher_internal:subscription_count", "news");
        counts.push(super::inner(&count)["subscription_count"].clone());
    }
    assert_eq!(counts, [1, 2, 1]);
    let mut plain = stage.socket();
    plain.join("news", None);
    assert!(plain.settle().is_empty());
}
