//! Webhooks of several processes: each happening is told once.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpListener,
    sync::{
        atomic::Ordering::Relaxed,
        mpsc::{Receiver, channel},
    },
    time::Duration,
};

use serde_json::{Value, json};

use super::stage::Cluster;
use crate::pusher::{member, stage::FIRST};

/// An application's server: its address, and the events that it is told.
fn receiver() -> (String, Receiver<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hooks", listener.local_addr().unwrap());
    let (sender, events) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut reader = BufReader::new(stream.unwrap());
            let mut length = 0;
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                if line.trim().is_empty() {
                    break;
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let answer = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";
            reader.get_mut().write_all(answer).unwrap();
            let body: Value = serde_json::from_slice(&body).unwrap();
            for event in body["events"].as_array().unwrap() {
                if sender.send(event.clone()).is_err() {
                    return;
                }
            }
        }
    });
    (url, events)
}

fn apps(url: &str) -> String {
    let (key, secret) = (FIRST.key, FIRST.secret);
    format!(
        r#"[{{id = "1", keys = [{{key = "{key}", secret = "{secret}"}}], webhooks = [{{url = "{url}"}}]}}]"#
    )
}

/// The next event that is not about finding each other.
fn next(events: &Receiver<Value>) -> Value {
    loop {
        let event = events.recv_timeout(Duration::from_secs(40)).unwrap();
        if !event["channel"].as_str().unwrap().starts_with("hello-") {
            return event;
        }
    }
}

fn event(name: &str, channel: &str) -> Value {
    json!({ "name": name, "channel": channel })
}

fn of_member(name: &str, user: &str) -> Value {
    json!({ "name": name, "channel": "presence-room", "user_id": user })
}

#[test]
fn what_happens_at_any_process_is_told_once() {
    let (url, events) = receiver();
    let cluster = Cluster::with(3, &[("PARLOUR_PUSHER_APPS", &apps(&url))]);
    let mut one = cluster.stage(1).socket();
    one.join("presence-room", Some(&member("1")));
    assert_eq!(next(&events), event("channel_occupied", "presence-room"));
    assert_eq!(next(&events), of_member("member_added", "1"));
    let mut again = cluster.stage(2).socket();
    again.join("presence-room", Some(&member("1")));
    let mut two = cluster.stage(0).socket();
    two.join("presence-room", Some(&member("2")));
    assert_eq!(next(&events), of_member("member_added", "2"));
    two.whisper("client-w", "presence-room", &json!(1));
    assert_eq!(next(&events)["name"], "client_event");
    drop(one);
    drop(two);
    assert_eq!(next(&events), of_member("member_removed", "2"));
    drop(again);
    assert_eq!(next(&events), of_member("member_removed", "1"));
    assert_eq!(next(&events), event("channel_vacated", "presence-room"));
    let mut miss = cluster.stage(2).socket();
    miss.join("cache-x", None);
    let mut told = [next(&events), next(&events)];
    told.sort_by_key(|event| event["name"].to_string());
    assert_eq!(told, [event("cache_miss", "cache-x"), event("channel_occupied", "cache-x")]);
}

#[test]
fn what_a_dead_process_had_is_told_to_have_gone() {
    let (url, events) = receiver();
    let cluster = Cluster::with(2, &[("PARLOUR_PUSHER_APPS", &apps(&url))]);
    // The first process is the oldest: it tells, until it is dead.
    let mut one = cluster.stage(0).socket();
    one.join("presence-room", Some(&member("1")));
    assert_eq!(next(&events), event("channel_occupied", "presence-room"));
    assert_eq!(next(&events), of_member("member_added", "1"));
    cluster.state(0).cut.store(true, Relaxed);
    // What it told just before may be told again: nobody knows whether it got so far.
    let before = [event("channel_occupied", "presence-room"), of_member("member_added", "1")];
    let mut told = next(&events);
    while before.contains(&told) {
        told = next(&events);
    }
    assert_eq!(told, of_member("member_removed", "1"));
    assert_eq!(next(&events), event("channel_vacated", "presence-room"));
}
