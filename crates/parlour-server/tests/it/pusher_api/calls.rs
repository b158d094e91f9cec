//! Calls of the HTTP API, good and bad: signatures, statuses, bodies.

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::{KEY, Publisher, SECRET, publisher, publisher::Signed, setup};
use crate::support::{Answer, Server, Setup, now};

fn event() -> Value {
    json!({"name": "greeting", "channel": "news", "data": "{\"text\":\"hello\"}"})
}

/// A refusal: its status, as plain text that is not empty.
#[track_caller]
fn refused(answer: &Answer, status: u16, part: &str) {
    assert_eq!(answer.status, status, "{}", answer.text);
    assert!(answer.text.contains(part) && !answer.text.is_empty(), "{}", answer.text);
    assert!(answer.header("content-type").unwrap().starts_with("text/plain"), "{answer:?}");
    assert_eq!(answer.header("www-authenticate").is_some(), status == 401);
}

#[tokio::test]
async fn a_publish_and_every_question_are_answered() {
    let server = setup().start().await;
    let app = publisher(&server);
    let answer = app.post("/events", &event()).await;
    assert_eq!((answer.status, answer.text.as_str()), (200, "{}"));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let batch = json!({"batch": [event(), event()]});
    let answer = app.post("/batch_events", &batch).await;
    assert_eq!((answer.status, answer.text.as_str()), (200, "{}"));
    let listed = app.get("/channels", "").await;
    assert_eq!((listed.status, listed.text.as_str()), (200, r#"{"channels":{}}"#));
    let listed = app.get("/channels", "filter_by_prefix=presence-&info=user_count").await;
    assert_eq!(listed.ok(), json!({"channels": {}}));
    let users = app.get("/channels/presence-room/users", "").await;
    assert_eq!((users.status, users.text.as_str()), (200, r#"{"users":[]}"#));
    let ended = app.post("/users/7/terminate_connections", &json!({})).await;
    assert_eq!((ended.status, ended.text.as_str()), (200, "{}"));
    server.stop().await;
}

#[tokio::test]
async fn every_key_that_is_switched_on_may_publish() {
    let server = setup().start().await;
    let first = publisher(&server);
    let second = Publisher { key: "second", secret: "secret of the second key", ..first };
    assert_eq!(second.post("/events", &event()).await.status, 200);
    let retired = Publisher { key: "retired", secret: "secret of the retired key", ..first };
    refused(&retired.post("/events", &event()).await, 403, "switched off");
    let off =
        Publisher { server: &server, app: "5", key: "off", secret: "secret of one that is off" };
    refused(&off.post("/events", &event()).await, 403, "switched off");
    server.stop().await;
}

#[tokio::test]
async fn m10_applications_are_apart() {
    let server = setup().start().await;
    let other =
        Publisher { server: &server, app: "4", key: "other", secret: "secret of the other one" };
    assert_eq!(other.post("/events", &event()).await.status, 200);
    let elsewhere = Publisher { app: "3", ..other };
    refused(&elsewhere.post("/events", &event()).await, 401, "auth_key");
    refused(&Publisher { app: "9", ..other }.post("/events", &event()).await, 404, "application");
    server.stop().await;
}

#[tokio::test]
async fn m10_calls_that_are_not_signed_as_they_must_be() {
    let server = setup().start().await;
    let app = publisher(&server);
    let good = app.sign("POST", "/events", "", &event().to_string());
    let with = |change: fn(&mut Signed)| {
        let mut call = good.clone();
        change(&mut call);
        call
    };
    let cases: [(&str, Signed); 10] = [
        ("auth_signature is missing", with(|call| call.query.clear())),
        ("auth_signature", with(|call| call.query.truncate(call.query.len() - 1))),
        (
            "Invalid",
            with(|call| call.query = call.query.replace("version=1.0&", "version=1.0&x=1&")),
        ),
        ("auth_version", with(|call| call.query = call.query.replace("1.0", "1.1"))),
        (
            "auth_timestamp",
            with(|call| call.query = call.query.replace("timestamp=", "timestamp=x")),
        ),
        ("body_md5", with(|call| call.body = call.body.replace("hello", "bye"))),
        ("body_md5", with(|call| call.body.clear())),
        ("Invalid", with(|call| call.path = call.path.replace("events", "batch_events"))),
        ("auth_key", with(|call| call.query = call.query.replace(KEY, "278d425bdf160c739804"))),
        (
            "Invalid",
            Publisher { secret: "another secret", ..app }.sign("POST", "/events", "", "{}"),
        ),
    ];
    for (part, call) in cases {
        refused(&app.send(&call).await, 401, part);
    }
    for time in [now() - 700, now() + 700, 0] {
        let late = app.sign_at(time, "POST", "/events", "", &event().to_string());
        refused(&app.send(&late).await, 401, "auth_timestamp");
    }
    let close = app.sign_at(now() - 590, "POST", "/events", "", &event().to_string());
    assert_eq!(app.send(&close).await.status, 200);
    server.stop().await;
}

#[tokio::test]
async fn reading_calls_of_libraries_that_sum_an_empty_body() {
    let server = setup().start().await;
    let app = publisher(&server);
    let sum = "body_md5=d41d8cd98f00b204e9800998ecf8427e";
    assert_eq!(app.get("/channels", sum).await.status, 200);
    refused(&app.get("/channels", &sum.replace("d41d", "d41e")).await, 401, "body_md5");
    // The path of a user's id is escaped by some and signed as it is.
    let plain = app.sign("POST", "/users/a b@c/terminate_connections", "", "{}");
    let sent = Signed { path: plain.path.replace(' ', "%20"), ..plain };
    assert_eq!(app.send(&sent).await.status, 200);
    server.stop().await;
}

#[tokio::test]
async fn bodies_and_questions_that_are_wrong() {
    let server = setup().start().await;
    let app = publisher(&server);
    let with = |field: &str, value: Value| {
        let mut event = event();
        event[field] = value;
        event
    };
    for (status, event) in [
        (400, json!([])),
        (400, json!({})),
        (400, with("name", json!("pusher:ping"))),
        (400, with("name", json!("x".repeat(201)))),
        (400, with("data", json!({"an": "object"}))),
        (400, with("channel", json!("with space"))),
        (400, with("channels", json!((0..101).map(|n| format!("c{n}")).collect::<Vec<_>>()))),
        (400, with("socket_id", json!("12"))),
        (400, with("info", json!("colour"))),
        (413, with("data", json!("x".repeat(10 * 1024 + 1)))),
    ] {
        refused(&app.post("/events", &event).await, status, "");
    }
    assert_eq!(app.post("/events", &with("data", json!("é".repeat(5 * 1024)))).await.status, 200);
    let eleven = json!({"batch": vec![event(); 11]});
    refused(&app.post("/batch_events", &eleven).await, 400, "10");
    refused(&app.post("/batch_events", &json!({"batch": [event(), {}]})).await, 400, "");
    for (path, more) in [
        ("/channels", "info=user_count"),
        ("/channels", "filter_by_prefix=private-&info=user_count"),
        ("/channels/news", "info=user_count"),
        ("/channels/news", "info=cache"),
        ("/channels/news/users", ""),
        ("/channels/with%20space", ""),
    ] {
        refused(&app.get(path, more).await, 400, "");
    }
    let huge = app.sign("POST", "/events", "", &"x".repeat(2_000_000));
    refused(&app.send(&huge).await, 413, "bytes");
    let long = format!("/users/{}/terminate_connections", "x".repeat(129));
    refused(&app.post(&long, &json!({})).await, 400, "id");
    server.stop().await;
}

#[tokio::test]
async fn a23_paths_and_methods_that_are_not_there() {
    let server = setup().start().await;
    let app = publisher(&server);
    app.get("/events", "").await.refused(405, "unknown_type");
    app.get("/nothing", "").await.refused(404, "not_found");
    server.stop().await;
    // Without any application there is nothing to call.
    let server = Setup::new().start().await;
    refused(&publisher(&server).post("/events", &event()).await, 404, "application");
    server.stop().await;
}

/// Reads an answer with a `content-length` from a connection that stays open.
async fn read_answer(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if length.is_some_and(|length| body.len() == length.trim().parse::<usize>().unwrap()) {
                return text.into_owned();
            }
        }
        let mut chunk = [0; 1024];
        let read = stream.read(&mut chunk).await.unwrap();
        assert!(read > 0, "closed after {:?}", String::from_utf8_lossy(&bytes));
        bytes.extend_from_slice(&chunk[..read]);
    }
}

#[tokio::test]
async fn a16_who_cannot_sign_is_refused_before_his_body_is_read() {
    let server: Server = setup().start().await;
    let call = Publisher { secret: "wrong", ..publisher(&server) };
    let call = call.sign("POST", "/events", "", &event().to_string());
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head = format!(
        "POST {}?{} HTTP/1.1\r\nhost: x\r\ncontent-length: 60000\r\n\r\n",
        call.path, call.query
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let answer = read_answer(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    drop(stream);
    server.stop().await;
}

#[tokio::test]
async fn connections_stay_open_after_a_publish_and_after_a_refusal() {
    let server: Server = setup().start().await;
    let app = publisher(&server);
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    for (secret, status) in [(SECRET, "200"), ("wrong", "401"), (SECRET, "200")] {
        let call = Publisher { secret, ..app }.sign("POST", "/events", "", &event().to_string());
        let request = format!(
            "POST {}?{} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{}",
            call.path,
            call.query,
            call.body.len(),
            call.body
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let answer = read_answer(&mut stream).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
    }
    drop(stream);
    server.stop().await;
}
