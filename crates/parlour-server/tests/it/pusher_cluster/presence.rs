//! Who is on a presence channel, whichever process his connections are at.

use std::sync::atomic::Ordering::Relaxed;

use serde_json::{Value, json};

use super::stage::{Cluster, until};
use crate::pusher::{
    member,
    stage::{FIRST, Socket, Stage},
};

const ROOM: &str = "presence-room";

fn ids(joined: &Value) -> Vec<String> {
    let ids = joined["presence"]["ids"].as_array().unwrap();
    let mut ids: Vec<_> = ids.iter().map(|id| id.as_str().unwrap().to_owned()).collect();
    ids.sort();
    assert_eq!(joined["presence"]["count"], ids.len());
    ids
}

fn users(stage: &Stage) -> Vec<String> {
    let (status, answer) = stage.call(FIRST, "GET", "/channels/presence-room/users", "", None);
    assert_eq!(status, 200);
    let users = answer["users"].as_array().unwrap();
    users.iter().map(|user| user["id"].as_str().unwrap().to_owned()).collect()
}

fn came(socket: &mut Socket) -> String {
    let frame = socket.event("pusher_internal:member_added", ROOM);
    let data: Value = serde_json::from_str(frame["data"].as_str().unwrap()).unwrap();
    assert_eq!(data["user_info"]["name"], format!("N{}", data["user_id"].as_str().unwrap()));
    data["user_id"].as_str().unwrap().to_owned()
}

fn went(socket: &mut Socket) -> String {
    let frame = socket.event("pusher_internal:member_removed", ROOM);
    let data: Value = serde_json::from_str(frame["data"].as_str().unwrap()).unwrap();
    data["user_id"].as_str().unwrap().to_owned()
}

/// Nobody has come or gone besides those who were waited for.
fn nothing_else(socket: &mut Socket) {
    let seen = socket.settle();
    let other = seen.iter().find(|frame| {
        frame["event"].as_str().is_some_and(|event| event.starts_with("pusher_internal:member_"))
    });
    assert_eq!(other, None);
}

#[test]
fn everybody_sees_everybody_and_each_comes_and_goes_once() {
    let cluster = Cluster::of(3);
    let mut one = cluster.stage(0).socket();
    assert_eq!(ids(&one.join(ROOM, Some(&member("1")))), ["1"]);
    let mut two = cluster.stage(1).socket();
    assert_eq!(ids(&two.join(ROOM, Some(&member("2")))), ["1", "2"]);
    let mut again = cluster.stage(1).socket();
    assert_eq!(ids(&again.join(ROOM, Some(&member("1")))), ["1", "2"]);
    let mut three = cluster.stage(2).socket();
    assert_eq!(ids(&three.join(ROOM, Some(&member("3")))), ["1", "2", "3"]);
    assert_eq!([came(&mut one), came(&mut one)], ["2", "3"]);
    assert_eq!(came(&mut two), "3");
    for number in 0..3 {
        assert_eq!(users(cluster.stage(number)), ["1", "2", "3"]);
        let info = "info=user_count,subscription_count";
        let path = "/channels/presence-room";
        let (_, about) = cluster.stage(number).call(FIRST, "GET", path, info, None);
        let expected = json!({ "occupied": true, "user_count": 3, "subscription_count": 4 });
        assert_eq!(about, expected);
    }
    // He is still there with his other connection, at another process.
    drop(one);
    until(|| {
        let info = "info=subscription_count";
        let path = "/channels/presence-room";
        cluster.stage(2).call(FIRST, "GET", path, info, None).1["subscription_count"] == 3
    });
    two.leave(ROOM);
    assert_eq!(went(&mut three), "2");
    nothing_else(&mut three);
    drop(again);
    assert_eq!(went(&mut three), "1");
    assert_eq!(users(cluster.stage(0)), ["3"]);
    nothing_else(&mut three);
}

#[test]
fn who_come_at_the_same_moment_all_see_each_other() {
    let cluster = Cluster::of(2);
    let count = 20;
    let mut sockets: Vec<_> = (0..count).map(|number| cluster.stage(number % 2).socket()).collect();
    for (number, socket) in sockets.iter_mut().enumerate() {
        socket.subscribe(ROOM, Some(&member(&number.to_string())));
    }
    for socket in &mut sockets {
        let mut seen = ids(&socket.joined(ROOM));
        while seen.len() < count {
            let new = came(socket);
            assert!(!seen.contains(&new), "{new} twice");
            seen.push(new);
        }
        nothing_else(socket);
    }
}

#[test]
fn what_the_bus_has_lost_is_told_again() {
    let cluster = Cluster::of(2);
    let (mut one, mut two) = (cluster.stage(0).socket(), cluster.stage(1).socket());
    one.join(ROOM, Some(&member("1")));
    two.join(ROOM, Some(&member("2")));
    assert_eq!(came(&mut one), "2");
    cluster.state(1).cut.store(true, Relaxed);
    let mut lost = cluster.stage(1).socket();
    lost.join(ROOM, Some(&member("3")));
    two.leave(ROOM);
    two.settle();
    cluster.state(1).cut.store(false, Relaxed);
    assert_eq!((came(&mut one), went(&mut one)), ("3".to_owned(), "2".to_owned()));
    nothing_else(&mut one);
}

#[test]
fn the_members_of_a_dead_process_leave_and_come_back_with_it() {
    let cluster = Cluster::of(2);
    let (mut one, mut two) = (cluster.stage(0).socket(), cluster.stage(1).socket());
    one.join(ROOM, Some(&member("1")));
    two.join(ROOM, Some(&member("2")));
    assert_eq!(came(&mut one), "2");
    cluster.state(1).cut.store(true, Relaxed);
    assert_eq!(went(&mut one), "2");
    assert_eq!(users(cluster.stage(0)), ["1"]);
    cluster.state(1).cut.store(false, Relaxed);
    assert_eq!(came(&mut one), "2");
    until(|| users(cluster.stage(1)) == ["1", "2"]);
    nothing_else(&mut one);
}

#[test]
fn the_members_of_a_process_that_ends_leave_at_once() {
    let mut cluster = Cluster::of(2);
    let (mut one, mut two) = (cluster.stage(0).socket(), cluster.stage(1).socket());
    one.join(ROOM, Some(&member("1")));
    two.join(ROOM, Some(&member("2")));
    assert_eq!(came(&mut one), "2");
    let ending = cluster.processes.pop().unwrap();
    let over = std::thread::spawn(|| ending.end());
    two.client.end();
    drop(two);
    assert_eq!(went(&mut one), "2");
    over.join().unwrap();
}
