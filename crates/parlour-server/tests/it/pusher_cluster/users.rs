//! Users who are signed in, and the chat's channels, at any process.

use serde_json::{Value, json};

use super::stage::Cluster;
use crate::{
    gateway::client::End,
    pusher::stage::{FIRST, Socket},
};

/// The next change of somebody for whom a socket watches.
fn watched(socket: &mut Socket) -> Value {
    let fits = |frame: &Value| frame["event"] == "pusher_internal:watchlist_events";
    let frame = socket.client.wait(fits);
    let data: Value = serde_json::from_str(frame["data"].as_str().unwrap()).unwrap();
    data["events"].clone()
}

fn one_event(name: &str, users: &[&str]) -> Value {
    json!({ "name": name, "user_ids": users })
}

#[test]
fn who_watches_sees_users_of_other_processes_come_and_go() {
    let cluster = Cluster::of(3);
    let mut here = cluster.stage(1).socket();
    here.sign_in(&json!({ "id": "here" }));
    let mut watcher = cluster.stage(0).socket();
    watcher.sign_in(&json!({ "id": "w", "watchlist": ["here", "away"] }));
    let both = json!([one_event("online", &["here"]), one_event("offline", &["away"])]);
    assert_eq!(watched(&mut watcher), both);
    let mut away = cluster.stage(2).socket();
    away.sign_in(&json!({ "id": "away" }));
    assert_eq!(watched(&mut watcher), json!([one_event("online", &["away"])]));
    let mut second = cluster.stage(0).socket();
    second.sign_in(&json!({ "id": "away" }));
    drop(away);
    drop(here);
    assert_eq!(watched(&mut watcher), json!([one_event("offline", &["here"])]));
    drop(second);
    assert_eq!(watched(&mut watcher), json!([one_event("offline", &["away"])]));
}

#[test]
fn what_is_for_a_user_finds_him_and_so_does_his_end() {
    let cluster = Cluster::of(2);
    let mut sockets: Vec<_> = (0..2).map(|number| cluster.stage(number).socket()).collect();
    for socket in &mut sockets {
        socket.sign_in(&json!({ "id": "u" }));
    }
    cluster.stage(0).publish("#server-to-user-u", "for-you", "1");
    for socket in &mut sockets {
        assert_eq!(socket.event("for-you", "#server-to-user-u")["data"], "1");
    }
    let path = "/users/u/terminate_connections";
    let answer = cluster.stage(0).call(FIRST, "POST", path, "", Some(&json!({})));
    assert_eq!(answer, (200, json!({})));
    for socket in &mut sockets {
        assert!(matches!(socket.client.end(), End::Closed(4009, _)));
    }
}

#[test]
fn a_channel_that_one_process_has_allowed_can_be_had_at_another() {
    let cluster = Cluster::of(2);
    // Each process of this test has a database of its own: the same conversation is made in both.
    for number in 0..2 {
        let server = &cluster.stage(number).server;
        server.live("bob");
        let body = json!({ "kind": "direct", "participants": ["bob"] });
        let token = server.token("alice");
        let (status, answer) = server.call("POST", "/api/v1/conversations", &token, Some(&body));
        assert_eq!((status, &answer["id"]), (201, &json!(1)), "{answer}");
    }
    let mut socket = cluster.stage(0).socket();
    let (status, answer) =
        cluster.stage(1).broadcasting("alice", &socket.id, "private-conversation.1");
    assert_eq!(status, 200, "{answer}");
    let data = json!({ "channel": "private-conversation.1", "auth": answer["auth"] });
    socket.send("pusher:subscribe", &data);
    socket.joined("private-conversation.1");

    // What the application alone has signed says nothing about who it is.
    let mut other = cluster.stage(0).socket();
    let auth = other.auth("private-conversation.1", None);
    let refusal = other.refused(&json!({ "channel": "private-conversation.1", "auth": auth }));
    assert_eq!(refusal["status"], 403, "{refusal}");
}
