//! Messages between processes are lost, one by one or all: nobody misses anything, and nobody is refused (guarantee G8).

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Several, is, says};
use crate::gateway::{direct, group, say, server::Server};

/// Everything that can happen to bob happens at alice's process; how long each took to reach him at most.
fn longest_delay(one: &Server, other: &Server) -> Duration {
    let (mut alice, mut bob) = (one.live("1"), other.live("2"));
    let mut longest = Duration::ZERO;
    let mut timed = |bob: &mut crate::gateway::client::Client, fits: &dyn Fn(&Value) -> bool| {
        let begun = Instant::now();
        bob.wait(fits);
        longest = longest.max(begun.elapsed());
    };
    let conversation = direct(&mut alice, "2");
    timed(&mut bob, &is("conversation.created"));
    for n in 0..3 {
        let message = say(&mut alice, conversation, &n.to_string());
        timed(&mut bob, &says(&n.to_string()));
        let edit =
            json!({ "type": "message.edit", "message_id": message["id"], "content": "other" });
        assert!(alice.ask(edit)["ok"].is_object());
        timed(&mut bob, &is("message.edited"));
    }
    say(&mut bob, conversation, "answer");
    timed(&mut alice, &says("answer"));
    let read = json!({ "type": "read", "conversation_id": conversation, "seq": 7 });
    assert!(alice.ask(read.clone())["ok"].is_object(), "{read}");
    timed(&mut bob, &|frame| {
        is("receipt")(frame) && frame["user_id"] == "1" && frame["read_seq"] == 7
    });
    let group = group(&mut alice, &["3"]);
    let add = json!({ "type": "participant.add", "conversation_id": group, "user_id": "2" });
    assert!(alice.ask(add)["ok"].is_object());
    timed(&mut bob, &is("participant.joined"));
    longest
}

#[test]
fn g8_with_a_dead_bus_others_hear_within_two_seconds() {
    let Some(mut several) = Several::start(&[]) else { return };
    let (one, other) = (several.server(&[]), several.server(&[]));
    several.redis.kill().unwrap();
    let longest = longest_delay(&one, &other);
    // Two seconds, and what a busy machine needs to read and write.
    assert!(longest < Duration::from_secs(4), "{longest:?}");
    let (status, ready) = other.get("/readyz", &other.token("1"));
    assert_eq!((status, &ready["status"]), (200, &json!("degraded")));
}

#[test]
fn g8_when_every_message_is_lost_the_poll_finds_it() {
    let Some(several) = Several::start(&[]) else { return };
    // Each speaks on channels that the other does not hear, and nobody notices.
    let one = several.server(&[("PARLOUR_BUS_PREFIX", "one")]);
    let other = several.server(&[("PARLOUR_BUS_PREFIX", "other")]);
    let longest = longest_delay(&one, &other);
    assert!(longest < Duration::from_secs(5), "{longest:?}");
}

#[test]
fn g4_who_is_let_in_late_is_told_of_every_seq() {
    let Some(several) = Several::start(&[]) else { return };
    // No hint arrives: by the time bob's process finds out, what was said has been edited.
    let one = several.server(&[("PARLOUR_BUS_PREFIX", "one")]);
    let other = several.server(&[("PARLOUR_BUS_PREFIX", "other")]);
    let (mut alice, mut bob) = (one.live("1"), other.live("2"));
    let group = group(&mut alice, &["3"]);
    let add = json!({ "type": "participant.add", "conversation_id": group, "user_id": "2" });
    assert!(alice.ask(add)["ok"].is_object());
    let edited = say(&mut alice, group, "first");
    say(&mut alice, group, "second");
    let edit = json!({ "type": "message.edit", "message_id": edited["id"], "content": "better" });
    let last = alice.ask(edit)["ok"]["message"]["change_seq"].as_u64().unwrap();

    let mut seqs = Vec::new();
    while seqs.last() != Some(&last) {
        let frame = bob.wait(|frame| frame["conversation_id"] == group && frame["seq"].is_u64());
        seqs.push(frame["seq"].as_u64().unwrap());
    }
    assert_eq!(seqs, (last - 3..=last).collect::<Vec<_>>());
}

#[test]
fn g8_a_bus_that_comes_back_is_used_again() {
    let Some(mut several) = Several::start(&[]) else { return };
    let (one, other) = (several.server(&[]), several.server(&[]));
    let (mut alice, mut bob) = (one.live("1"), other.live("2"));
    let conversation = direct(&mut alice, "2");
    bob.wait(is("conversation.created"));
    several.redis.kill().unwrap();
    say(&mut alice, conversation, "without");
    bob.wait(says("without"));
    several.redis.restart().unwrap();
    for server in [&one, &other] {
        server.wait_for_metric("parlour_bus_up 1", || {});
    }
    for n in 0..20 {
        say(&mut alice, conversation, &n.to_string());
        bob.wait(says(&n.to_string()));
    }
    assert!(!bob.settle().iter().any(is("message.created")), "nothing comes twice");
}
