//! Users who sign in: what is sent to them, and whom they watch.

use serde_json::{Value, json};

use super::{Socket, Stage, inner, is, sign, stage::FIRST};

fn watched(socket: &mut Socket) -> Value {
    let frame = socket.client.wait(is("pusher_internal:watchlist_events", None));
    inner(&frame)["events"].clone()
}

#[test]
fn what_is_sent_to_a_user_reaches_all_of_his_connections() {
    let stage = Stage::start();
    let (mut one, mut two, mut other) = (stage.socket(), stage.socket(), stage.socket());
    let channel = "#server-to-user-7";
    for socket in [&mut one, &mut two] {
        socket.sign_in(&json!({ "id": "7" }));
    }
    one.join(channel, None);
    let refusal = other.refused(&json!({ "channel": channel }));
    assert_eq!(refusal["type"], "AuthError");
    other.sign_in(&json!({ "id": "8" }));
    assert_eq!(other.refused(&json!({ "channel": channel }))["type"], "AuthError");
    stage.publish(channel, "e", "x");
    for socket in [&mut one, &mut two] {
        assert_eq!(socket.event("e", channel)["data"], "x");
        assert!(socket.settle().is_empty());
    }
    assert!(other.settle().is_empty());
}

#[test]
fn m1_a_sign_in_takes_the_application_s_signature_of_what_it_says() {
    let stage = Stage::start();
    let mut socket = stage.socket();
    let id = socket.id.clone();
    let data = r#"{"id":"7"}"#;
    let good = sign(FIRST, &format!("{id}::user::{data}"));
    let refused = |socket: &mut Socket, auth: &str, data: &str| {
        socket.send("pusher:signin", &json!({ "auth": auth, "user_data": data }));
        let error = socket.client.wait(is("pusher:error", None));
        assert_eq!(error["data"]["code"], 4009, "{auth} {data}");
    };
    refused(&mut socket, "", data);
    refused(&mut socket, &good.to_uppercase(), data);
    refused(&mut socket, &good, r#"{"id":"8"}"#);
    refused(&mut socket, &good.replace("first-key", "nobody"), data);
    refused(&mut socket, &sign(FIRST, &format!("1.1::user::{data}")), data);
    refused(&mut socket, &sign(FIRST, &format!("{id}:{data}")), data);
    for wrong in [r#"{"id":7}"#, r#"{"id":""}"#, "{}", "[]", "x"] {
        refused(&mut socket, &sign(FIRST, &format!("{id}::user::{wrong}")), wrong);
    }
    socket.sign_in(&json!({ "id": "7" }));
    let other = json!({ "id": "8" }).to_string();
    refused(&mut socket, &sign(FIRST, &format!("{id}::user::{other}")), &other);
    socket.sign_in(&json!({ "id": "7" }));
}

#[test]
fn who_watches_is_told_who_is_online_and_who_comes_and_goes() {
    let stage = Stage::start();
    let (mut seven, mut eight) = (stage.socket(), stage.socket());
    eight.sign_in(&json!({ "id": "8" }));
    seven.sign_in(&json!({ "id": "7", "watchlist": ["8", "9"] }));
    assert_eq!(
        watched(&mut seven),
        json!([{ "name": "online", "user_ids": ["8"] }, { "name": "offline", "user_ids": ["9"] }])
    );
    let mut nine = stage.socket();
    nine.sign_in(&json!({ "id": "9" }));
    assert_eq!(watched(&mut seven), json!([{ "name": "online", "user_ids": ["9"] }]));
    // A second connection is no coming, and only the last one's end a going.
    let mut again = stage.socket();
    again.sign_in(&json!({ "id": "9" }));
    drop(nine);
    stage.server.wait_for_metric("parlour_connections{transport=\"pusher\"} 3", || {});
    assert!(seven.settle().is_empty());
    drop(again);
    assert_eq!(watched(&mut seven), json!([{ "name": "offline", "user_ids": ["9"] }]));
    assert!(eight.settle().is_empty());
}

#[test]
fn a_watchlist_that_is_too_long_is_cut() {
    let stage = Stage::start();
    let mut socket = stage.socket();
    let list: Vec<String> = (0..101).map(|n| n.to_string()).collect();
    socket.sign_in(&json!({ "id": "7", "watchlist": list }));
    let events = watched(&mut socket);
    let watched = |index: usize| events[index]["user_ids"].as_array().unwrap().len();
    // He is on his own list.
    assert_eq!((watched(0), watched(1)), (1, 99), "{events}");
    let error = socket.client.wait(is("pusher:error", None));
    assert_eq!(error["data"]["code"], 4302);
}
