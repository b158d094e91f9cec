//! Coming in and going: the first frame, both forms of ping, and every code by which a connection ends.

use std::collections::HashSet;

use serde_json::json;
use tungstenite::Message;

use super::{
    End, OTHER, Socket, Stage, errors, is,
    stage::{App, FIRST},
};
use crate::gateway::client::Client;

fn code(end: &End) -> u16 {
    match end {
        End::Closed(code, _) => *code,
        End::Cut => panic!("cut off without a code"),
    }
}

#[test]
fn the_first_frame_is_what_every_client_needs() {
    let stage = Stage::start();
    let mut ids = HashSet::new();
    for protocol in ["5", "6", "7"] {
        let path = format!("/app/first-key?client=x&protocol={protocol}&version=1");
        let (mut client, _) = Client::open(stage.server.address(), &path, &[]).unwrap();
        // Some clients ping before they have read anything.
        client.send(&json!({ "event": "pusher:ping", "data": "" }));
        let hello = client.read().unwrap();
        assert_eq!(hello["event"], "pusher:connection_established");
        assert_eq!(hello.as_object().unwrap().len(), 2, "{hello}");
        let data = super::inner(&hello);
        assert_eq!(data["activity_timeout"], 120);
        let id = data["socket_id"].as_str().unwrap().to_owned();
        let (high, low) = id.split_once('.').unwrap();
        assert!([high, low].iter().all(|part| part.bytes().all(|b| b.is_ascii_digit())), "{id}");
        assert!(ids.insert(id));
        assert_eq!(client.read().unwrap(), json!({ "event": "pusher:pong", "data": "{}" }));
        client.socket.send(Message::Ping(b"x".to_vec().into())).unwrap();
        assert_eq!(client.socket.read().unwrap(), Message::Pong(b"x".to_vec().into()));
    }
    let new_key = App { key: "first-new", ..FIRST };
    stage.socket_of(new_key);
}

#[test]
fn who_may_not_come_in_is_told_by_a_code_after_the_upgrade() {
    let stage = Stage::start();
    for (path, expected) in [
        ("/app/nobody?protocol=7", 4001),
        ("/app/first-old?protocol=7", 4003),
        ("/app/off?protocol=7", 4003),
        ("/app/first-key?protocol=x", 4006),
        ("/app/first-key?protocol=4", 4007),
        ("/app/first-key?protocol=8", 4007),
        ("/app/first-key", 4008),
    ] {
        let (seen, code) = stage.refused(path);
        assert_eq!((code, seen.len()), (expected, 1), "{path}");
        assert_eq!(errors(&seen)[0].0, json!(expected), "{path}");
    }
    let _three: Vec<Socket> = (0..3).map(|_| stage.socket_of(OTHER)).collect();
    let (seen, code) = stage.refused("/app/other-key?protocol=7");
    assert_eq!((code, errors(&seen)[0].0.clone()), (4004, json!(4004)));
}

#[test]
fn i6_an_address_has_so_many_connections() {
    let stage = Stage::with(&[("PARLOUR_LIMITS_CONNECTIONS_PER_ADDRESS", "2")]);
    let one = stage.socket();
    let _two = stage.socket();
    assert_eq!(stage.refused("/app/first-key?protocol=7").1, 4100);
    drop(one);
    stage.server.wait_for_metric("parlour_connections{transport=\"pusher\"} 1", || {});
    stage.socket();
}

#[test]
fn d5_broken_frames_are_told_and_ten_in_a_row_end_it() {
    let stage = Stage::start();
    let mut socket = stage.socket();
    let text = |socket: &mut Socket, text: &str| {
        socket.client.socket.send(Message::text(text.to_owned())).unwrap();
    };
    for broken in ["", "x", "{", "{\"event\":1", "[[["] {
        text(&mut socket, broken);
    }
    for misfit in ["null", "[]", "{}", "0", r#"{"event":7}"#, r#"{"event":"pusher:subscribe"}"#] {
        text(&mut socket, misfit);
    }
    text(&mut socket, r#"{"event":"pusher_internal:subscription_succeeded","channel":"x"}"#);
    text(&mut socket, r#"{"event":"anything","channel":"x","data":"{}"}"#);
    let seen = socket.settle();
    let told = errors(&seen);
    assert_eq!((told.len(), seen.len()), (13, 13));
    assert!(told.iter().all(|(code, _)| code.is_null()), "{told:?}");
    assert_eq!(told[12].1, "Unsupported event received on socket");
    for _ in 0..10 {
        text(&mut socket, "{");
    }
    assert_eq!(code(&socket.client.end()), 4005);
    let mut other = stage.socket();
    other.client.socket.send(Message::binary(b"x".to_vec())).unwrap();
    assert_eq!(code(&other.client.end()), 1003);
}

#[test]
fn who_authorises_nothing_in_time_is_closed() {
    let stage = Stage::start();
    let strict = App { id: "4", key: "strict", secret: "the secret of the strict one" };
    let (mut idle, mut public) = (stage.socket_of(strict), stage.socket_of(strict));
    let (mut private, mut signed) = (stage.socket_of(strict), stage.socket_of(strict));
    public.join("news", None);
    private.join("private-x", None);
    signed.sign_in(&json!({ "id": "1" }));
    for socket in [&mut idle, &mut public] {
        assert_eq!(code(&socket.client.end()), 4009);
        assert_eq!(errors(&socket.client.seen)[0].0, 4009);
    }
    assert!(private.settle().is_empty() && signed.settle().is_empty());
}

#[test]
fn an_application_ends_the_connections_of_its_signed_in_users() {
    let stage = Stage::start();
    let (mut one, mut two) = (stage.socket(), stage.socket());
    let (mut other, mut present) = (stage.socket(), stage.socket());
    one.sign_in(&json!({ "id": "7" }));
    two.sign_in(&json!({ "id": "7" }));
    other.sign_in(&json!({ "id": "8" }));
    present.join("presence-x", Some(&super::member("7")));
    let path = "/users/7/terminate_connections";
    assert_eq!(stage.call(FIRST, "POST", path, "", Some(&json!({}))), (200, json!({})));
    assert_eq!(code(&one.client.end()), 4009);
    assert_eq!(code(&two.client.end()), 4009);
    assert!(other.settle().is_empty() && present.settle().is_empty());
    // Users of another application are others.
    assert_eq!(
        stage.call(OTHER, "POST", "/users/8/terminate_connections", "", Some(&json!({}))).0,
        200
    );
    assert!(other.settle().is_empty());
}

#[test]
fn g18_the_end_of_the_server_tells_clients_to_come_back() {
    let stage = Stage::start();
    let (mut plain, mut chat) = (stage.socket(), stage.user("1"));
    stage.server.stop();
    for socket in [&mut plain, &mut chat] {
        assert_eq!(code(&socket.client.end()), 4200);
        assert!(socket.client.seen.iter().any(is("pusher:error", None)));
    }
}
