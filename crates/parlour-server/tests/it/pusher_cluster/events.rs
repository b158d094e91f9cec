//! What is published at one process reaches the clients of all.

use std::sync::atomic::Ordering::Relaxed;

use serde_json::{Value, json};

use super::stage::{Cluster, until};
use crate::pusher::stage::{FIRST, OTHER, Socket, Stage};

/// How many events of a name came on a channel before what is waited for now.
fn count(socket: &Socket, event: &str) -> usize {
    socket.client.seen.iter().filter(|frame| frame["event"] == event).count()
}

#[test]
fn events_and_client_events_reach_everybody_once() {
    let cluster = Cluster::of(3);
    let mut sockets: Vec<_> = (0..3).map(|number| cluster.stage(number).socket()).collect();
    for socket in &mut sockets {
        socket.join("private-x", None);
    }
    for round in 0..20 {
        let publisher = cluster.stage(round % 3);
        let body = json!({ "name": "e", "channel": "private-x", "data": "1",
            "socket_id": sockets[0].id, "info": "" , "unknown": round });
        publisher.publish_of(FIRST, &body);
        let batch = json!({ "batch": [{ "name": "b", "channel": "private-x", "data": "2" }] });
        let (status, _) = publisher.call(FIRST, "POST", "/batch_events", "", Some(&batch));
        assert_eq!(status, 200);
    }
    sockets[1].whisper("client-w", "private-x", &json!({ "a": 1 }));
    for number in 0..3 {
        cluster.stage(number).publish("private-x", &format!("end-{number}"), "");
    }
    for (number, socket) in sockets.iter_mut().enumerate() {
        if number != 1 {
            let whisper = socket.event("client-w", "private-x");
            assert_eq!(
                whisper,
                json!({ "event": "client-w", "channel": "private-x", "data": { "a": 1 } })
            );
        }
        for publisher in 0..3 {
            socket.event(&format!("end-{publisher}"), "private-x");
        }
        let all = if number == 0 { 0 } else { 20 };
        assert_eq!(
            (count(socket, "e"), count(socket, "b"), count(socket, "client-w")),
            (all, 20, 0)
        );
    }
}

#[test]
fn nobody_gets_what_another_application_publishes() {
    let cluster = Cluster::of(2);
    let mut one = cluster.stage(0).socket();
    one.join("news", None);
    let other = json!({ "name": "theirs", "channel": "news", "data": "" });
    cluster.stage(1).publish_of(OTHER, &other);
    cluster.stage(1).publish("news", "ours", "");
    one.event("ours", "news");
    assert_eq!(count(&one, "theirs"), 0);
}

#[test]
fn a_cache_channel_knows_its_last_event_everywhere() {
    let cluster = Cluster::of(3);
    let mut early = cluster.stage(2).socket();
    early.join("cache-price", None);
    early.client.wait(|frame| frame["event"] == "pusher:cache_miss");
    cluster.stage(0).publish("cache-price", "first", "1");
    early.event("first", "cache-price");
    cluster.stage(1).publish("cache-price", "second", "2");
    early.event("second", "cache-price");
    let mut late = cluster.stage(0).socket();
    late.join("cache-price", None);
    assert_eq!(late.event("second", "cache-price")["data"], "2");
    let told = |stage: &Stage| {
        stage.call(FIRST, "GET", "/channels/cache-price", "info=cache", None).1["cache"]["data"]
            .clone()
    };
    assert_eq!([0, 1, 2].map(|number| told(cluster.stage(number))), ["2", "2", "2"]);

    // Published where nobody listens, asked for where it was not heard.
    cluster.stage(1).publish("cache-other", "kept", "3");
    let mut socket = cluster.stage(2).socket();
    socket.join("cache-other", None);
    assert_eq!(socket.event("kept", "cache-other")["data"], "3");
}

#[test]
fn histories_are_put_together_from_all_processes() {
    let cluster = Cluster::of(2);
    for (number, event) in ["a", "b", "c"].into_iter().enumerate() {
        let body = json!({ "name": event, "channel": "room", "data": "" });
        cluster.stage(number % 2).publish_of(OTHER, &body);
    }
    for number in 0..2 {
        let mut socket = cluster.stage(number).socket_of(OTHER);
        socket.send("pusher:subscribe", &json!({ "channel": "room", "history": 3 }));
        socket.joined("room");
        let events: Vec<Value> = ["a", "b", "c"].iter().map(|e| socket.event(e, "room")).collect();
        assert!(events.iter().all(|event| event["history"] == true), "{events:?}");
    }
}

#[test]
fn without_a_bus_everything_goes_on_here_and_afterwards_everywhere() {
    let cluster = Cluster::of(2);
    let (mut one, mut two) = (cluster.stage(0).socket(), cluster.stage(1).socket());
    for socket in [&mut one, &mut two] {
        socket.join("news", None);
    }
    for number in 0..2 {
        cluster.state(number).down.store(true, Relaxed);
    }
    let mut late = cluster.stage(0).socket();
    late.join("news", None);
    late.join("presence-other", Some(&json!({ "user_id": "1" })));
    cluster.stage(0).publish("news", "alone", "");
    one.event("alone", "news");
    late.event("alone", "news");
    for number in 0..2 {
        cluster.state(number).down.store(false, Relaxed);
    }
    cluster.interrupt();
    cluster.stage(0).publish("news", "together", "");
    two.event("together", "news");
    // What was said last before the bus came back may just have been in time for it.
    assert!(count(&two, "alone") <= 1);
    until(|| {
        let path = "/channels/presence-other/users";
        let (_, users) = cluster.stage(1).call(FIRST, "GET", path, "", None);
        users == json!({ "users": [{ "id": "1" }] })
    });
}

#[test]
fn m10_a_call_that_was_carried_out_is_refused_by_every_process() {
    let cluster = Cluster::with(2, &[("PARLOUR_PUSHER_REPEAT_WINDOW", "0s")]);
    let mut socket = cluster.stage(1).socket();
    socket.join("x", None);
    let body = json!({ "name": "e", "channel": "x", "data": "once" });
    let caught = Stage::signed(FIRST, "POST", "/events", "", Some(&body));
    let send = |number: usize| cluster.stage(number).send(&caught, Some(&body)).0;
    assert_eq!(send(0), 200);
    // Who has heard of what it did has heard of the call.
    socket.event("e", "x");
    assert_eq!((send(1), send(0)), (401, 401));
}
