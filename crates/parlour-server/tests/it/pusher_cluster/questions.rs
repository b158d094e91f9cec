//! What applications ask about channels is answered for all processes.

use std::{
    sync::atomic::Ordering::Relaxed,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::stage::{Cluster, channels};
use crate::pusher::{
    inner, member,
    stage::{FIRST, OTHER, Socket},
};

#[test]
fn channels_are_listed_and_counted_over_all_processes() {
    let cluster = Cluster::of(3);
    let (mut one, mut two) = (cluster.stage(0).socket(), cluster.stage(1).socket());
    for socket in [&mut one, &mut two] {
        socket.join("news", None);
        socket.join("presence-a", Some(&member("1")));
    }
    two.join("presence-a-b", Some(&member("2")));
    let listed =
        channels(cluster.stage(2), "filter_by_prefix=presence-&info=user_count,subscription_count");
    let about = |users: u32, all: u32| json!({ "user_count": users, "subscription_count": all });
    assert_eq!(listed, (200, json!({ "presence-a": about(1, 2), "presence-a-b": about(1, 1) })));
    let (_, all) = channels(cluster.stage(2), "");
    let mut names: Vec<_> = all.as_object().unwrap().keys().cloned().collect();
    names.retain(|name| !name.starts_with("hello-"));
    assert_eq!(names, ["news", "presence-a", "presence-a-b"]);
    let body = json!({ "name": "e", "channels": ["news", "nobody"], "data": "",
        "info": "subscription_count" });
    let answer = cluster.stage(2).call(FIRST, "POST", "/events", "", Some(&body));
    let told =
        json!({ "news": { "subscription_count": 2 }, "nobody": { "subscription_count": 0 } });
    assert_eq!(answer, (200, json!({ "channels": told })));
}

#[test]
fn a_process_that_does_not_answer_is_waited_for_once_and_not_for_long() {
    let cluster = Cluster::of(2);
    let mut one = cluster.stage(0).socket();
    one.join("news", None);
    cluster.state(1).cut.store(true, Relaxed);
    let start = Instant::now();
    for _ in 0..20 {
        let (status, answer) = cluster.stage(0).call(FIRST, "GET", "/channels/news", "", None);
        assert_eq!((status, answer), (200, json!({ "occupied": true })));
    }
    let mut late = cluster.stage(0).socket();
    late.join("presence-x", Some(&member("1")));
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[test]
fn subscribers_are_told_how_many_they_are_in_all() {
    let cluster = Cluster::of(2);
    let told = |socket: &mut Socket| -> Value {
        inner(&socket.event("pusher_internal:subscription_count", "news"))["subscription_count"]
            .clone()
    };
    let mut one = cluster.stage(0).socket_of(OTHER);
    one.join("news", None);
    assert_eq!(told(&mut one), 1);
    let mut two = cluster.stage(1).socket_of(OTHER);
    two.join("news", None);
    assert_eq!((told(&mut one), told(&mut two)), (json!(2), json!(2)));
    drop(two);
    assert_eq!(told(&mut one), 1);
}
