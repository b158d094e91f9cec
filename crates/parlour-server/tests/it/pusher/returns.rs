//! Coming back: what was missed on the chat's channels comes first, once more at most, in order.

use serde_json::{Value, json};

use super::{Socket, Stage, inner};
use crate::gateway::{direct, group, say};

const TWO: &str = "private-user.2";

/// What the messages of the chat's frames on a channel say, in order.
fn texts(frames: &[Value], channel: &str) -> Vec<String> {
    let own = frames.iter().filter(|frame| frame["channel"] == channel);
    let messages = own.filter(|frame| frame["event"].as_str().unwrap().starts_with("Message"));
    messages
        .map(|frame| {
            let told = inner(frame);
            let content = told["data"]["message"]["content"].as_str().unwrap_or("(gone)");
            format!("{} {content}", told["type"].as_str().unwrap())
        })
        .collect()
}

/// Reads until a text has come on a channel.
fn until(socket: &mut Socket, channel: &str, last: &str) -> Vec<Value> {
    let mut seen = std::mem::take(&mut socket.client.seen);
    while texts(&seen, channel).last().is_none_or(|text| !text.ends_with(last)) {
        seen.push(socket.client.read().unwrap());
    }
    seen
}

#[test]
fn g5_who_was_cut_gets_what_he_missed_first() {
    let stage = Stage::start();
    let mut alice = stage.server.live("1");
    let conversation = direct(&mut alice, "2");
    let first = say(&mut alice, conversation, "before")["id"].clone();
    let mut bob = stage.user("2");
    assert!(bob.settle().is_empty(), "a first socket gets nothing old");
    let gone = say(&mut alice, conversation, "gone")["id"].clone();
    assert_eq!(texts(&until(&mut bob, TWO, "gone"), TWO), ["message gone"]);
    // Its proof of arrival is a pong, which the client answers while it reads.
    let proved = |frame: &Value| {
        frame["type"] == "receipt" && frame["user_id"] == "2" && frame["delivered_seq"] == 2
    };
    while !alice.settle().iter().any(proved) {
        bob.settle();
    }
    drop(bob);
    stage.server.wait_for_metric("parlour_connections{transport=\"pusher_chat\"} 0", || {});
    for n in 0..5 {
        say(&mut alice, conversation, &n.to_string());
    }
    alice.ask(json!({ "type": "message.edit", "message_id": first, "content": "edited" }));
    alice.ask(json!({ "type": "message.delete", "message_id": gone }));
    let mut back = stage.user("2");
    say(&mut alice, conversation, "after");
    let seen = until(&mut back, TWO, "after");
    let mut expected: Vec<String> = (0..5).map(|n| format!("message {n}")).collect();
    expected.extend(["edited edited", "deleted (gone)", "message after"].map(str::to_owned));
    assert_eq!(texts(&seen, TWO), expected);
}

#[test]
fn g5_each_channel_has_its_place() {
    let stage = Stage::start();
    let mut alice = stage.server.live("1");
    let (one, two) = (group(&mut alice, &["2"]), group(&mut alice, &["2"]));
    let channels = [format!("private-conversation.{one}"), format!("private-conversation.{two}")];
    let mut bob = stage.socket_at(super::stage::FIRST, "&device=phone");
    bob.sign_in(&json!({ "id": "2" }));
    for channel in &channels {
        bob.join(channel, None);
    }
    say(&mut alice, one, "both here");
    until(&mut bob, &channels[0], "both here");
    // One is left, the other goes on.
    bob.leave(&channels[0]);
    assert!(bob.settle().is_empty());
    say(&mut alice, one, "missed");
    say(&mut alice, two, "not missed");
    let seen = until(&mut bob, &channels[1], "not missed");
    assert_eq!(texts(&seen, &channels[0]), [""; 0]);
    bob.join(&channels[0], None);
    say(&mut alice, one, "new");
    let seen = until(&mut bob, &channels[0], "new");
    let told = texts(&seen, &channels[0]);
    assert!(told.ends_with(&["message missed".to_owned(), "message new".to_owned()]), "{told:?}");
    assert_eq!(texts(&seen, &channels[1]), [""; 0]);
}

#[test]
fn g5_a_channel_taken_again_waits_for_the_place_it_had() {
    let stage = Stage::start();
    let mut alice = stage.server.live("1");
    let conversation = group(&mut alice, &["2"]);
    let channel = format!("private-conversation.{conversation}");
    let bobs_socket = || {
        let mut bob = stage.socket();
        bob.sign_in(&json!({ "id": "2" }));
        bob
    };
    let mut bob = bobs_socket();
    bob.join(&channel, None);
    say(&mut alice, conversation, "before");
    until(&mut bob, &channel, "before");
    // The store cannot take down that the channel was left.
    let no_room = stage.server.without_room_for_ends();
    bob.leave(&channel);
    assert!(bob.settle().is_empty());
    say(&mut alice, conversation, "missed");
    bob.subscribe(&channel, None);
    assert!(matches!(bob.client.end(), super::End::Closed(1011, _)));
    drop(no_room);
    let mut back = bobs_socket();
    back.join(&channel, None);
    say(&mut alice, conversation, "new");
    let told = texts(&until(&mut back, &channel, "new"), &channel);
    assert!(told.ends_with(&["message missed".to_owned(), "message new".to_owned()]), "{told:?}");
}

/// Clients come and go while others write; whoever is here at the end has everything in order, if perhaps again.
#[test]
fn g5_nothing_is_lost_however_often_somebody_drops() {
    let stage = Stage::start();
    let mut alice = stage.server.live("1");
    let conversation = direct(&mut alice, "2");
    let mut bob = stage.user("2");
    let writer = std::thread::spawn(move || {
        for n in 1..=300 {
            say(&mut alice, conversation, &n.to_string());
        }
        alice
    });
    let mut known = 0;
    while known < 300 {
        // What has no proof comes again, so each time it stays until it has something new.
        let enough = (known + 25).min(300);
        while known < enough {
            let frame = bob.client.read().unwrap();
            if frame["event"] != "MessageSentEvent" {
                continue;
            }
            let told = inner(&frame);
            let n: u64 = told["data"]["message"]["content"].as_str().unwrap().parse().unwrap();
            assert!(n <= known + 1, "{n} came after {known}");
            known = known.max(n);
        }
        drop(bob);
        bob = stage.socket();
        bob.subscribe(TWO, None);
    }
    drop(writer.join().unwrap());
}

#[test]
fn a_device_that_comes_back_replaces_itself() {
    let stage = Stage::start();
    let mut alice = stage.server.live("1");
    let conversation = direct(&mut alice, "2");
    let mut old = stage.user_at("2", "&device=phone");
    let private = format!("private-conversation.{conversation}");
    // Two channels of one connection are no two devices.
    old.join(&private, None);
    old.join(&format!("presence-conversation.{conversation}"), Some(&json!({ "user_id": "2" })));
    assert!(!old.settle().iter().any(|frame| frame["event"] == "pusher:subscription_error"));
    let mut new = stage.user_at("2", "&device=phone");
    assert!(matches!(old.client.end(), super::End::Closed(4009, _)));
    say(&mut alice, conversation, "Hello");
    until(&mut new, TWO, "Hello");
}
