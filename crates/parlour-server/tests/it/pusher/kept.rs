//! What channels keep: the last event of cache channels, and histories.

use serde_json::json;

use super::{OTHER, Stage, is, said, stage::FIRST};

const CACHE: &str = "cache-x";

#[test]
fn a_cache_channel_keeps_its_last_event_also_with_nobody_there() {
    let stage = Stage::start();
    let mut early = stage.socket();
    early.join(CACHE, None);
    assert_eq!(early.event("pusher:cache_miss", CACHE)["data"], "{}");
    stage.publish(CACHE, "e", "one");
    assert_eq!(early.event("e", CACHE)["data"], "one");
    drop(early);
    stage.server.wait_for_metric("parlour_connections{transport=\"pusher\"} 0", || {});
    stage.publish(CACHE, "f", "two");
    let mut late = stage.socket();
    late.join(CACHE, None);
    let mut later = stage.socket();
    later.join(CACHE, None);
    for socket in [&mut late, &mut later] {
        // Once, and to nobody who was there already.
        let seen = socket.settle();
        assert_eq!((said(&seen, "f", CACHE), seen.len()), (vec![json!("two")], 1));
    }
    let info = stage.call(FIRST, "GET", "/channels/cache-x", "info=cache", None);
    assert_eq!((info.0, &info.1["cache"]["data"]), (200, &json!("two")));
    assert!(info.1["cache"]["ttl"].as_u64().unwrap() > 1_700, "{}", info.1);
}

#[test]
fn what_clients_say_is_not_kept() {
    let stage = Stage::start();
    let (mut one, mut two) = (stage.socket(), stage.socket());
    for socket in [&mut one, &mut two] {
        socket.join("private-cache-x", None);
        socket.event("pusher:cache_miss", "private-cache-x");
    }
    one.whisper("client-e", "private-cache-x", &json!({}));
    two.event("client-e", "private-cache-x");
    let mut late = stage.socket();
    late.join("private-cache-x", None);
    late.event("pusher:cache_miss", "private-cache-x");
    // A presence channel keeps, too.
    stage.publish("presence-cache-x", "e", "kept");
    late.join("presence-cache-x", Some(&super::member("1")));
    assert_eq!(late.event("e", "presence-cache-x")["data"], "kept");
}

#[test]
fn a_cached_event_grows_old() {
    let stage = Stage::with(&[("PARLOUR_PUSHER_CACHE_TTL", "0s")]);
    stage.publish(CACHE, "e", "one");
    let mut socket = stage.socket();
    socket.join(CACHE, None);
    assert!(socket.settle().iter().any(is("pusher:cache_miss", Some(CACHE))));
}

#[test]
fn who_asks_gets_the_last_events_marked_as_past() {
    let stage = Stage::start();
    for n in 0..5 {
        stage.publish_of(OTHER, &json!({ "name": "e", "channel": "news", "data": n.to_string() }));
    }
    let told = |history: Option<u32>| {
        let mut socket = stage.socket_of(OTHER);
        let mut data = json!({ "channel": "news" });
        if let Some(history) = history {
            data["history"] = json!(history);
        }
        socket.send("pusher:subscribe", &data);
        socket.joined("news");
        let seen = socket.settle();
        let past: Vec<_> = seen.into_iter().filter(is("e", Some("news"))).collect();
        assert!(past.iter().all(|frame| frame["history"] == true), "{past:?}");
        past.into_iter().map(|frame| frame["data"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(told(None), [""; 0]);
    assert_eq!(told(Some(2)), ["3", "4"]);
    // It keeps no more than the application lets it.
    assert_eq!(told(Some(100)), ["2", "3", "4"]);
    // The first application keeps none.
    let mut socket = stage.socket();
    stage.publish("news", "e", "x");
    socket.send("pusher:subscribe", &json!({ "channel": "news", "history": 5 }));
    socket.joined("news");
    assert!(socket.settle().is_empty());
    let refusal = socket.refused(&json!({ "channel": "other", "history": 0 }));
    assert_eq!(refusal["status"], 400);
}
