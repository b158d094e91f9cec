//! Presence channels: rosters, and who is told of whom.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Socket, Stage, inner, is, member, said};

const ROOM: &str = "presence-room";

fn ids(roster: &Value) -> Vec<&str> {
    let presence = &roster["presence"];
    let ids: Vec<_> =
        presence["ids"].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect();
    assert_eq!(presence["count"], ids.len());
    assert!(ids.iter().all(|id| presence["hash"].get(id).is_some()), "{roster}");
    ids
}

#[test]
fn who_joins_gets_the_roster_and_the_others_get_him() {
    let stage = Stage::start();
    let (mut one, mut two) = (stage.socket(), stage.socket());
    let first = one.join(ROOM, Some(&member("1")));
    assert_eq!(ids(&first), ["1"]);
    assert_eq!(first["presence"]["hash"]["1"], json!({ "name": "N1" }));
    // A number is the text of it.
    let roster = two.join(ROOM, Some(&json!({ "user_id": 2 })));
    assert_eq!(ids(&roster), ["1", "2"]);
    assert_eq!(roster["presence"]["hash"]["2"], json!({}));
    let added = one.event("pusher_internal:member_added", ROOM);
    assert_eq!(inner(&added), json!({ "user_id": "2", "user_info": {} }));
    assert!(two.settle().is_empty() && one.settle().is_empty());
}

#[test]
fn a_second_tab_is_no_second_member() {
    let stage = Stage::start();
    let (mut one, mut tab, mut tab2) = (stage.socket(), stage.socket(), stage.socket());
    one.join(ROOM, Some(&member("1")));
    tab.join(ROOM, Some(&member("2")));
    assert_eq!(ids(&tab2.join(ROOM, Some(&member("2")))), ["1", "2"]);
    assert_eq!(said(&one.settle(), "pusher_internal:member_added", ROOM).len(), 1);
    assert!(tab.settle().is_empty());
    drop(tab);
    tab2.leave(ROOM);
    let removed = one.event("pusher_internal:member_removed", ROOM);
    assert_eq!(inner(&removed), json!({ "user_id": "2" }));
    assert!(!one.settle().iter().any(is("pusher_internal:member_removed", Some(ROOM))));
    assert!(tab2.settle().is_empty());
}

#[test]
fn g20_a_connection_that_is_cut_leaves_its_channels() {
    let stage = Stage::start();
    let (mut one, mut two) = (stage.socket(), stage.socket());
    one.join(ROOM, Some(&member("1")));
    two.join(ROOM, Some(&member("2")));
    drop(two);
    assert_eq!(
        inner(&one.event("pusher_internal:member_removed", ROOM)),
        json!({ "user_id": "2" })
    );
    let mut back = stage.socket();
    assert_eq!(ids(&back.join(ROOM, Some(&member("3")))), ["1", "3"]);
}

#[test]
fn twenty_who_join_at_once_are_each_in_the_roster_or_announced() {
    let stage = Stage::start();
    for round in 0..5 {
        let room = format!("presence-{round}");
        let mut sockets: Vec<(String, Socket)> =
            (0..20).map(|n| (format!("u{n}"), stage.socket())).collect();
        let rosters: Vec<(Socket, BTreeSet<String>)> = std::thread::scope(|scope| {
            let joining: Vec<_> = sockets
                .drain(..)
                .map(|(id, mut socket)| {
                    let room = &room;
                    scope.spawn(move || {
                        let roster = socket.join(room, Some(&member(&id)));
                        let known = ids(&roster).into_iter().map(str::to_owned).collect();
                        (socket, known)
                    })
                })
                .collect();
            joining.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        for (mut socket, mut known) in rosters {
            for added in said(&socket.settle(), "pusher_internal:member_added", &room) {
                let added: Value = serde_json::from_str(added.as_str().unwrap()).unwrap();
                let id = added["user_id"].as_str().unwrap().to_owned();
                assert!(known.insert(id), "somebody was in the roster and announced");
            }
            assert_eq!(known.len(), 20, "somebody was neither in the roster nor announced");
        }
    }
}

#[test]
fn a_channel_has_so_many_members_and_so_much_is_told_of_one() {
    let stage = Stage::with(&[("PARLOUR_PUSHER_MAX_PRESENCE_MEMBERS", "2")]);
    let (mut one, mut two, mut three) = (stage.socket(), stage.socket(), stage.socket());
    one.join(ROOM, Some(&member("1")));
    two.join(ROOM, Some(&member("2")));
    three.subscribe(ROOM, Some(&member("3")));
    let refusal = three.event("pusher:subscription_error", ROOM);
    assert_eq!(refusal["data"]["type"], "LimitReached");
    // Who is there already has room.
    three.join(ROOM, Some(&member("2")));
    for wrong in [
        json!({}),
        json!({ "user_id": "" }),
        json!({ "user_id": null }),
        json!({ "user_id": { "a": 1 } }),
        json!({ "user_id": "x".repeat(129) }),
        json!({ "user_id": "1", "user_info": "x".repeat(1_100) }),
        json!(["1"]),
    ] {
        let mut socket = stage.socket();
        socket.subscribe("presence-other", Some(&wrong));
        let refusal = socket.event("pusher:subscription_error", "presence-other");
        assert_eq!(refusal["data"]["type"], "AuthError", "{wrong}");
    }
    let mut socket = stage.socket();
    socket.subscribe("presence-other", None);
    assert_eq!(socket.event("pusher:subscription_error", "presence-other")["data"]["status"], 401);
}

#[test]
fn who_is_signed_in_joins_as_himself() {
    let stage = Stage::start();
    let mut socket = stage.socket();
    socket.sign_in(&json!({ "id": "7", "user_info": { "name": "Seven" } }));
    let roster = socket.join(ROOM, None);
    assert_eq!(ids(&roster), ["7"]);
    assert_eq!(roster["presence"]["hash"]["7"], json!({ "name": "Seven" }));
}
