//! Message compression through the front door: who gets it, which frames, and what hostile clients get for it.

mod client;
mod hostile;

use serde_json::json;

use self::client::{Compressing, OFFER};
use crate::{
    gateway::{client::Client, direct, group, say, server::Server},
    pusher::stage::{FIRST, Stage},
};

const ON: (&str, &str) = ("PARLOUR_SERVER_COMPRESSION", "on");

/// What two no-context-takeover ends agree on.
const AGREED: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

/// A text whose frame is above the usual size from which frames are compressed.
fn long(word: &str) -> String {
    format!("{word}, and again ").repeat(80)
}

#[test]
fn c11_without_the_setting_nobody_gets_it() {
    let server = Server::start();
    let mut client = Compressing::open(&server, "/api/v1/ws", "1", OFFER);
    assert_eq!(client.agreed, None);
    client.send_compressed(&json!({ "type": "ping", "id": 1 }));
    assert_eq!(client.end(), 1002);
}

#[test]
fn who_asks_gets_it_in_the_form_that_needs_no_memory() {
    let server = Server::with(&[ON]);
    let check = |offer: &str, expected: Option<&str>| {
        let client = Compressing::open(&server, "/api/v1/ws", "1", offer);
        assert_eq!(client.agreed.as_deref(), expected, "{offer}");
    };
    check("", None);
    check("permessage-bzip2", None);
    check("permessage-deflate; mood=good", None);
    check("permessage-deflate", Some(AGREED));
    check("permessage-deflate; client_max_window_bits", Some(AGREED));
    check(
        "permessage-deflate; server_max_window_bits=10, permessage-deflate",
        Some(&format!("{AGREED}; server_max_window_bits=10")),
    );
}

#[test]
fn large_frames_are_compressed_for_those_who_asked_and_for_nobody_else() {
    let server = Server::with(&[ON]);
    let mut alice = server.live("1");
    let conversation = group(&mut alice, &["2", "3"]);
    let mut one = Compressing::live(&server, "2");
    let mut other = Compressing::live(&server, "3");
    let mut plain = server.live("3");

    say(&mut alice, conversation, &long("hello"));
    let told = plain.wait(|frame| frame["type"] == "message.created");
    let frames = [&mut one, &mut other].map(|client| client.wait("message.created"));
    for frame in &frames {
        assert!(frame.compressed);
        assert_eq!(frame.json(), told);
        assert!(frame.payload.len() < told.to_string().len() / 4);
    }
    assert_eq!(frames[0].payload, frames[1].payload);

    say(&mut alice, conversation, "short");
    let frame = one.wait("message.created");
    assert!(!frame.compressed);
    assert_eq!(frame.json()["message"]["content"], "short");
}

#[test]
fn the_size_from_which_frames_are_compressed_can_be_set() {
    let server = Server::with(&[ON, ("PARLOUR_SERVER_COMPRESSION_MIN_BYTES", "40")]);
    let mut client = Compressing::open(&server, "/api/v1/ws", "1", OFFER);
    let hello = client.wait("hello");
    // What waits for a socket before it is open goes out as it is; everything after that may be compressed.
    assert_eq!(hello.json()["user"]["id"], "1");
    client.send(
        &json!({ "type": "conversation.create", "kind": "direct", "participants": ["2"], "id": 1 }),
    );
    assert!(client.wait("reply").compressed);
    client.send(&json!({ "type": "nonsense" }));
    assert!(client.wait("reply").json()["error"]["code"].is_string());
}

#[test]
fn what_a_client_compresses_is_understood_also_before_its_sign_in() {
    let server = Server::with(&[ON]);
    let mut alice = server.live("1");
    let conversation = direct(&mut alice, "2");
    let mut bob = Compressing::open_as_nobody(&server, "/api/v1/ws", OFFER);
    bob.send_compressed(&json!({ "type": "auth", "id": 1, "token": server.token("2") }));
    assert_eq!(bob.wait("hello").json()["user"]["id"], "2");
    let text = long("compressed by bob");
    bob.send_compressed(
        &json!({ "type": "message.send", "id": 2, "conversation_id": conversation, "content": text }),
    );
    let told = alice.wait(|frame| frame["type"] == "message.created");
    assert_eq!(told["message"]["content"], text);
}

#[test]
fn a_page_of_what_was_missed_is_compressed() {
    let server = Server::with(&[ON]);
    let mut alice = server.live("1");
    let conversation = direct(&mut alice, "2");
    for n in 0..60 {
        say(&mut alice, conversation, &format!("missed {n}"));
    }
    let path = format!("/api/v1/conversations/{conversation}");
    let epoch = server.get(&path, &server.token("1")).1["epoch"].clone();
    let resume = json!({ "type": "resume", "id": 1, "positions": [
        { "conversation_id": conversation, "epoch": epoch, "seq": 0, "receipts": 0 },
    ]});
    let (mut plain, _) = Client::connect(server.address(), &server.token("2"));
    plain.send(&resume);
    let expected = plain.wait(|frame| frame["type"] == "replay");
    let mut bob = Compressing::open(&server, "/api/v1/ws", "2", OFFER);
    bob.send(&resume);
    let page = bob.wait("replay");
    assert!(page.compressed);
    assert_eq!(page.json(), expected);
    assert!(page.payload.len() < expected.to_string().len() / 4);
}

#[test]
fn every_dialect_has_it() {
    let server = Server::with(&[ON]);
    let mut alice = server.live("1");
    let conversation = direct(&mut alice, "2");
    let paths = [
        "/ws/chat/?dialect=inbox".to_owned(),
        "/ws/chat/?dialect=direct".to_owned(),
        format!("/ws/chat/{conversation}/?dialect=room"),
        format!("/ws/chat/{conversation}/?dialect=plain"),
    ];
    let mut clients = paths.each_ref().map(|path| Compressing::open(&server, path, "2", OFFER));
    let text = long("in every dialect");
    say(&mut alice, conversation, &text);
    for (path, client) in paths.iter().zip(&mut clients) {
        let frame = client.wait_for_text(&text);
        assert!(frame.compressed, "{path}");
    }
}

#[test]
fn events_of_pusher_channels_are_compressed_once_for_all() {
    let stage = Stage::with(&[ON]);
    let path = format!("/app/{}?protocol=7&client=js&version=8.4.0&flash=false", FIRST.key);
    let mut clients = [(); 2].map(|()| {
        let mut client = Compressing::open_as_nobody(&stage.server, &path, OFFER);
        assert_eq!(client.agreed.as_deref(), Some(AGREED));
        client.send_compressed(
            &json!({ "event": "pusher:subscribe", "data": { "channel": "news" } }),
        );
        client.wait_for_text("subscription_succeeded");
        client
    });
    let text = long("news");
    stage.publish("news", "told", &text);
    let frames = clients.each_mut().map(|client| client.wait_for_text(&text));
    assert!(frames[0].compressed);
    assert_eq!(frames[0].payload, frames[1].payload);
}
