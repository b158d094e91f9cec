//! Typing and presence: told to those concerned, at most so often, and always ended.

use std::time::Instant;

use serde_json::json;

use super::{Client, Server, direct, group, is, say};

#[test]
fn g13_typing_is_shown_and_ends_by_itself() {
    let server = Server::with(&[("PARLOUR_LIMITS_TYPING_TTL", "1s")]);
    let (mut alice, mut bob) = (server.live("1"), server.live("2"));
    let conversation = direct(&mut alice, "2");
    bob.wait(is("conversation.created"));
    alice.ask(json!({ "type": "typing", "conversation_id": conversation, "active": true }));
    let began = bob.wait(is("typing"));
    assert_eq!((&began["user_id"], &began["active"]), (&json!("1"), &json!(true)));
    assert_eq!(bob.wait(is("typing"))["active"], false);
    assert!(!alice.settle().iter().any(is("typing")), "a typist never sees himself");
}

#[test]
fn i4_typing_is_told_at_most_once_a_second_and_the_last_state_gets_through() {
    let server = Server::start();
    let (mut alice, mut bob) = (server.live("1"), server.live("2"));
    let conversation = direct(&mut alice, "2");
    let began = Instant::now();
    for n in 0..60 {
        let typing =
            json!({ "type": "typing", "conversation_id": conversation, "active": n % 2 == 0 });
        assert_eq!(alice.ask(typing)["ok"], json!({}));
    }
    alice.ask(json!({ "type": "typing", "conversation_id": conversation, "active": false }));
    let mut told = 1;
    bob.wait(is("typing"));
    while bob.wait(is("typing"))["active"] == true {
        told += 1;
    }
    assert!(told <= 2 + began.elapsed().as_secs(), "{told} frames in {:?}", began.elapsed());
    // Sending ends it.
    alice.ask(json!({ "type": "typing", "conversation_id": conversation, "active": true }));
    assert_eq!(bob.wait(is("typing"))["active"], true);
    say(&mut alice, conversation, "written");
    assert_eq!(bob.wait(is("typing"))["active"], false);
}

#[test]
fn g13_presence_over_many_sockets_with_a_grace() {
    let server = Server::with(&[("PARLOUR_LIMITS_PRESENCE_GRACE", "1s")]);
    let mut alice = server.live("1");
    direct(&mut alice, "2");
    let mut phone = server.live("2");
    let online = alice.wait(is("presence"));
    assert_eq!((&online["user_id"], &online["status"]), (&json!("2"), &json!("online")));
    let mut laptop = server.live("2");
    phone.ask(json!({ "type": "presence", "status": "away" }));
    laptop.ask(json!({ "type": "presence", "status": "away" }));
    assert_eq!(alice.wait(is("presence"))["status"], "away");
    laptop.ask(json!({ "type": "presence", "status": "online" }));
    assert_eq!(alice.wait(is("presence"))["status"], "online");
    drop(phone);
    drop(laptop);
    let offline = alice.wait(|f| f["type"] == "presence" && f["status"] == "offline");
    assert!(offline["last_seen"].is_string(), "{offline}");
}

#[test]
fn presence_at_resume_names_who_is_there_and_only_those_one_shares_something_with() {
    let server = Server::start();
    let (mut alice, mut bob, _stranger) = (server.live("1"), server.live("2"), server.live("7"));
    group(&mut alice, &["2", "3"]);
    bob.wait(is("conversation.created"));
    let (mut carol, _) = Client::connect(server.address(), &server.token("3"));
    let resumed = carol.ask(json!({ "type": "resume", "positions": [] }));
    let mut there: Vec<_> = resumed["ok"]["presence"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["user_id"].as_str().unwrap())
        .collect();
    there.sort_unstable();
    assert_eq!(there, ["1", "2"]);
    assert_eq!(bob.wait(is("presence"))["user_id"], "3");
}

#[test]
fn i4_a_flood_of_marks_is_told_together() {
    let server = Server::start();
    let (mut alice, mut bob) = (server.live("1"), server.live("2"));
    let conversation = direct(&mut alice, "2");
    for n in 0..100 {
        say(&mut alice, conversation, &n.to_string());
    }
    let began = Instant::now();
    for seq in 1..=100 {
        let read = json!({ "type": "read", "conversation_id": conversation, "seq": seq });
        assert_eq!(bob.ask(read)["ok"]["read_seq"], seq);
    }
    let mut told = 1;
    while alice.wait(is("receipt"))["read_seq"] != 100 {
        told += 1;
    }
    assert!(told <= 2 + began.elapsed().as_millis() / 500, "{told} in {:?}", began.elapsed());
}
