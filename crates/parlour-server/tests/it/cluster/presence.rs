//! Who is there, and who types, over processes (guarantee G13).

use serde_json::{Value, json};

use super::{Several, is};
use crate::gateway::{client::Client, direct, server::Server};

fn status_of<'a>(user: &'a str, status: &'a str) -> impl Fn(&Value) -> bool + 'a {
    move |frame| is("presence")(frame) && frame["user_id"] == user && frame["status"] == status
}

/// Whether the answer to a resume says that somebody is online.
fn is_there(resumed: &Value, user: &str) -> bool {
    let mut people = resumed["ok"]["presence"].as_array().unwrap().iter();
    people.any(|one| one["user_id"] == user && one["status"] == "online")
}

/// A socket of somebody who is told that another one is there, in the answer to his resume or soon after.
fn arrives(server: &Server, user: &str, other: &str) -> Client {
    let (mut client, _) = Client::connect(server.address(), &server.token(user));
    let resumed = client.ask(json!({ "type": "resume", "positions": [] }));
    if !is_there(&resumed, other) {
        client.wait(status_of(other, "online"));
    }
    client
}

#[test]
fn g13_people_of_other_processes_come_and_go() {
    let Some(several) = Several::start(&[]) else { return };
    let grace = [("PARLOUR_LIMITS_PRESENCE_GRACE", "1s")];
    let (one, other) = (several.server(&grace), several.server(&grace));
    let mut alice = one.live("1");
    let conversation = direct(&mut alice, "2");
    let mut bob = arrives(&other, "2", "1");
    alice.wait(status_of("2", "online"));
    bob.ask(json!({ "type": "presence", "status": "away" }));
    alice.wait(status_of("2", "away"));
    bob.ask(json!({ "type": "presence", "status": "online" }));
    alice.wait(status_of("2", "online"));

    // He moves: nobody is told that he went.
    let mut moved = one.live("2");
    drop(bob);
    other.wait_for_metric("parlour_connections{transport=\"native\"} 0", || {});
    let typing = json!({ "type": "typing", "conversation_id": conversation, "active": true });
    assert_eq!(moved.ask(typing)["ok"], json!({}));
    alice.wait(is("typing"));
    drop(moved);
    alice.wait(status_of("2", "offline"));
    let told: Vec<_> = alice.seen.iter().filter(|frame| is("presence")(frame)).collect();
    assert!(told.is_empty(), "{told:?}");
}

#[test]
fn g13_who_comes_later_is_told_who_is_there_elsewhere() {
    let Some(several) = Several::start(&[]) else { return };
    let (one, other) = (several.server(&[]), several.server(&[]));
    let mut alice = one.live("1");
    direct(&mut alice, "2");
    let _first = arrives(&other, "2", "1");
    let (mut second, _) = Client::connect(other.address(), &other.token("2"));
    let resumed = second.ask(json!({ "type": "resume", "positions": [] }));
    assert!(is_there(&resumed, "1"), "{resumed}");
    let (_, list) = other.get("/api/v1/conversations", &other.token("2"));
    let people = list["results"][0]["participants"].as_array().unwrap();
    let alice = people.iter().find(|person| person["user_id"] == "1").unwrap();
    assert_eq!(alice["status"], "online", "{alice}");
}

#[test]
fn g13_typing_elsewhere_is_shown_and_ends_by_itself() {
    let Some(several) = Several::start(&[]) else { return };
    let ttl = [("PARLOUR_LIMITS_TYPING_TTL", "1s")];
    let (one, other) = (several.server(&ttl), several.server(&ttl));
    let (mut alice, mut bob) = (one.live("1"), other.live("2"));
    let conversation = direct(&mut alice, "2");
    bob.wait(is("conversation.created"));
    alice.ask(json!({ "type": "typing", "conversation_id": conversation, "active": true }));
    assert_eq!(bob.wait(is("typing"))["active"], true);
    assert_eq!(bob.wait(is("typing"))["active"], false);
}

#[test]
fn g11_who_is_blocked_is_not_shown_who_types_or_comes_elsewhere() {
    let Some(several) = Several::start(&[]) else { return };
    let (one, other) = (several.server(&[]), several.server(&[]));
    let (mut alice, mut bob) = (one.live("1"), other.live("2"));
    let conversation = crate::gateway::group(&mut alice, &["2", "3"]);
    bob.wait(is("conversation.created"));
    let mut carol = other.live("3");
    let (status, _) = one.call("PUT", "/api/v1/me/blocks/2", &one.token("1"), None);
    assert_eq!(status, 204);
    // Soon he is not shown what she shows carol: a spell that began before the block has come there does not count.
    let shown =
        |active: bool| move |frame: &Value| is("typing")(frame) && frame["active"] == active;
    let mut rounds = 0;
    loop {
        for active in [true, false] {
            let typing =
                json!({ "type": "typing", "conversation_id": conversation, "active": active });
            alice.ask(typing);
            carol.wait(shown(active));
        }
        if !bob.settle().iter().any(shown(true)) {
            break;
        }
        rounds += 1;
        assert!(rounds < 5, "he is still shown that she types");
    }
}

#[test]
fn in_a_crowd_nobody_is_told_who_is_there_and_types_elsewhere() {
    let Some(several) = Several::start(&[]) else { return };
    let few = [("PARLOUR_LIMITS_SIGNAL_PARTICIPANTS", "3")];
    let (one, other) = (several.server(&few), several.server(&few));
    let mut alice = one.live("1");
    let crowd = crate::gateway::group(&mut alice, &["2", "3", "4"]);
    let mut bob = other.live("2");
    let small = crate::gateway::group(&mut alice, &["3"]);
    let mut carol = arrives(&other, "3", "1");
    for id in [crowd, small] {
        carol.ask(json!({ "type": "typing", "conversation_id": id, "active": true }));
    }
    // What is said of the small one comes after what would be said of the crowd.
    assert_eq!(alice.wait(is("typing"))["conversation_id"], small);
    let of_bob = |frame: &Value| is("presence")(frame) && frame["user_id"] == "2";
    assert!(!alice.settle().iter().any(of_bob));
    let told = bob.settle();
    assert!(!told.iter().any(|frame| is("presence")(frame) || is("typing")(frame)), "{told:?}");
}
