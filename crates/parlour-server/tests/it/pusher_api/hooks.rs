//! Webhooks from the socket to the application's own server.

use std::time::Duration;

use axum::{Router, body::Bytes, extract::State, routing::post};
use http::HeaderMap;
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::{
    KEY, SECRET,
    live::connect,
    publisher::{hex, sign},
};
use crate::support::Setup;

type Calls = UnboundedSender<(HeaderMap, Bytes)>;

async fn take(State(calls): State<Calls>, headers: HeaderMap, body: Bytes) {
    let _ = calls.send((headers, body));
}

/// An application's server: its address, and the calls that it gets.
async fn receiver() -> (String, UnboundedReceiver<(HeaderMap, Bytes)>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hooks", listener.local_addr().unwrap());
    let (sender, calls) = unbounded_channel();
    let router = Router::new().route("/hooks", post(take)).with_state(sender);
    #[expect(clippy::disallowed_methods, reason = "a test's own little server")]
    tokio::spawn(async { axum::serve(listener, router).await });
    (url, calls)
}

/// The next event; each call that it came in is checked.
async fn next(calls: &mut UnboundedReceiver<(HeaderMap, Bytes)>, rest: &mut Vec<Value>) -> Value {
    while rest.is_empty() {
        let call = tokio::time::timeout(Duration::from_secs(20), calls.recv());
        let (headers, body) = call.await.unwrap().unwrap();
        assert_eq!(headers["content-type"], "application/json");
        assert_eq!(headers["x-pusher-key"], KEY);
        let text = std::str::from_utf8(&body).unwrap();
        assert_eq!(headers["x-pusher-signature"], sign(SECRET, text).as_str(), "{}", hex(&body));
        let body: Value = serde_json::from_str(text).unwrap();
        assert!(body["time_ms"].is_u64(), "{body}");
        rest.extend(body["events"].as_array().unwrap().iter().cloned());
    }
    rest.remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_is_told_what_happens_in_order() {
    let (url, mut calls) = receiver().await;
    let apps = format!(
        r#"[{{id = "3", keys = [{{key = "{KEY}", secret = "{SECRET}"}}], webhooks = [{{url = "{url}"}}]}}]"#
    );
    let server = Setup::new().with("pusher.apps", apps).start().await;
    let mut rest = Vec::new();
    let mut socket = connect(&server, KEY);
    socket.subscribe("cache-price", None);
    let occupied = next(&mut calls, &mut rest).await;
    assert_eq!(occupied, json!({"name": "channel_occupied", "channel": "cache-price"}));
    let miss = next(&mut calls, &mut rest).await;
    assert_eq!(miss, json!({"name": "cache_miss", "channel": "cache-price"}));

    socket.subscribe("presence-room", Some(&json!({"user_id": "7"})));
    let occupied = next(&mut calls, &mut rest).await;
    assert_eq!(occupied, json!({"name": "channel_occupied", "channel": "presence-room"}));
    let added = next(&mut calls, &mut rest).await;
    assert_eq!(added, json!({"name": "member_added", "channel": "presence-room", "user_id": "7"}));

    let wave =
        json!({"event": "client-wave", "channel": "presence-room", "data": {"hand": "left"}});
    socket.client.send(&wave);
    let waved = next(&mut calls, &mut rest).await;
    let expected = json!({"name": "client_event", "channel": "presence-room", "event": "client-wave",
        "data": "{\"hand\":\"left\"}", "socket_id": socket.id, "user_id": "7"});
    assert_eq!(waved, expected);

    drop(socket);
    let mut gone = Vec::new();
    while gone.len() < 3 {
        let event = next(&mut calls, &mut rest).await;
        gone.push(format!("{} {}", event["name"].as_str().unwrap(), event["channel"]));
    }
    gone.sort();
    let expected = [
        r#"channel_vacated "cache-price""#,
        r#"channel_vacated "presence-room""#,
        r#"member_removed "presence-room""#,
    ];
    assert_eq!(gone, expected);
    server.stop().await;
}
