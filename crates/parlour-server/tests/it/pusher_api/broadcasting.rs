//! `/broadcasting/auth`: who gets a signature, for which of the chat's channels, and who does not.

use serde_json::{Value, json};

use super::{KEY, SECRET, publisher::sign, setup};
use crate::support::{Answer, Person, Server};

const SOCKET: &str = "1234.1234";

async fn ask(person: &Person<'_>, path: &str, channel: &str) -> Answer {
    person.post(path, &json!({"channel_name": channel, "socket_id": SOCKET})).await
}

async fn auth(person: &Person<'_>, channel: &str) -> Answer {
    ask(person, "/broadcasting/auth", channel).await
}

/// The whole answer to who is a stranger, but what differs from request to request.
#[track_caller]
fn refusal(answer: Answer) -> (u16, Value) {
    let mut body = answer.refused(403, "forbidden");
    body["request_id"] = Value::Null;
    (403, body)
}

#[tokio::test]
async fn one_gets_what_is_ones_own() {
    let server = setup().start().await;
    let (alice, bob) = (server.alice(), server.bob());
    let conversation = alice.direct("2").await;
    for path in ["/broadcasting/auth", "/api/broadcasting/auth"] {
        let own = ask(&alice, path, "private-user.1").await.ok();
        let expected = format!("{KEY}:{}", sign(SECRET, "1234.1234:private-user.1"));
        assert_eq!(own, json!({"auth": expected}));
    }
    for person in [&alice, &bob] {
        let channel = format!("private-conversation.{conversation}");
        let expected = format!("{KEY}:{}", sign(SECRET, &format!("{SOCKET}:{channel}")));
        assert_eq!(auth(person, &channel).await.ok(), json!({"auth": expected}));
    }
    let channel = format!("presence-conversation.{conversation}");
    let answer = auth(&bob, &channel).await.ok();
    let data = answer["channel_data"].as_str().unwrap();
    let expected = sign(SECRET, &format!("{SOCKET}:{channel}:{data}"));
    assert_eq!(answer["auth"], format!("{KEY}:{expected}"));
    let data: Value = serde_json::from_str(data).unwrap();
    let info = json!({"id": "2", "username": "bob", "name": "Bob", "avatar": null});
    assert_eq!(data, json!({"user_id": "2", "user_info": info}));

    for path in ["/broadcasting/user-auth", "/api/broadcasting/user-auth"] {
        let answer = alice.post(path, &json!({"socket_id": SOCKET})).await.ok();
        let data = answer["user_data"].as_str().unwrap();
        let expected = sign(SECRET, &format!("{SOCKET}::user::{data}"));
        assert_eq!(answer["auth"], format!("{KEY}:{expected}"));
        assert_eq!(serde_json::from_str::<Value>(data).unwrap()["id"], "1");
        assert!(answer.get("channel_data").is_none());
    }
    server.stop().await;
}

#[tokio::test]
async fn g11_strangers_and_what_is_not_there_are_answered_alike() {
    let server = setup().start().await;
    let conversation = server.alice().direct("2").await;
    let mallory = server.mallory();
    let expected = refusal(auth(&mallory, "private-user.1").await);
    for channel in [
        &format!("private-conversation.{conversation}"),
        &format!("presence-conversation.{conversation}"),
        &format!("private-conversation.0{conversation}"),
        &format!("private-encrypted-conversation.{conversation}"),
        &format!("private-cache-conversation.{conversation}"),
        "private-conversation.999999",
        "presence-conversation.999999",
        "private-conversation.9007199254740993",
        "private-conversation.x",
        "private-user.",
        "private-user.2",
        "private-user.nobody",
        "presence-user.3",
        "private-encrypted-user.3",
        "private-orders",
        "presence-lobby",
        "news",
        "#server-to-user-3",
    ] {
        assert_eq!(refusal(auth(&mallory, channel).await), expected, "{channel}");
    }
    server.stop().await;
}

#[tokio::test]
async fn g10_who_was_removed_gets_no_signature() {
    let server = setup().start().await;
    let alice = server.alice();
    let group = json!({"kind": "group", "participants": ["2"], "title": "Trip"});
    let id = alice.post("/api/v1/conversations", &group).await.ok()["id"].as_u64().unwrap();
    let channel = format!("private-conversation.{id}");
    auth(&server.bob(), &channel).await.ok();
    alice.delete(&format!("/api/v1/conversations/{id}/participants/2")).await.ok();
    refusal(auth(&server.bob(), &channel).await);
    server.stop().await;
}

#[tokio::test]
async fn m1_what_would_sign_something_else_is_refused() {
    let server = setup().start().await;
    let alice = server.alice();
    for body in [
        json!({}),
        json!({"channel_name": "private-user.1"}),
        json!({"channel_name": "private-user.1", "socket_id": ""}),
        json!({"channel_name": "private-user.1", "socket_id": "12"}),
        json!({"channel_name": "private-user.1", "socket_id": "1.1:private-user.2"}),
        json!({"channel_name": "private-user.1", "socket_id": "1.1\n"}),
        json!({"channel_name": "private-user.1", "socket_id": 1.1}),
        json!({"channel_name": "private-user.1:{\"user_id\":\"2\"}", "socket_id": SOCKET}),
        json!({"channel_name": ["private-user.1"], "socket_id": SOCKET}),
        json!({"socket_id": SOCKET}),
        json!([SOCKET, "private-user.1"]),
    ] {
        alice.post("/broadcasting/auth", &body).await.refused(400, "invalid_frame");
    }
    let forged = json!({"socket_id": "1.1::user::{\"id\":\"2\"}"});
    alice.post("/broadcasting/user-auth", &forged).await.refused(400, "invalid_frame");
    let long = json!({"socket_id": SOCKET, "channel_name": "x".repeat(20_000)});
    alice.post("/broadcasting/auth", &long).await.refused(400, "invalid_frame");
    server.stop().await;
}

#[tokio::test]
async fn forms_queries_and_json_say_the_same() {
    let server = setup().start().await;
    let alice = server.alice();
    let expected = auth(&alice, "private-user.1").await.ok();
    let form = "socket_id=1234.1234&channel_name=private-user.1";
    let posted = |kind: &str| {
        alice.request("POST", "/broadcasting/auth").header("content-type", kind).body(form)
    };
    for kind in
        ["application/x-www-form-urlencoded", "application/x-www-form-urlencoded; charset=UTF-8"]
    {
        assert_eq!(server.send(posted(kind)).await.ok(), expected);
    }
    let bare = alice.request("POST", "/broadcasting/auth").body(form);
    assert_eq!(server.send(bare).await.ok(), expected);
    let asked = alice.get(&format!("/broadcasting/auth?{form}")).await;
    assert_eq!(asked.header("cache-control"), Some("no-store"));
    assert_eq!(asked.ok(), expected);
    server.stop().await;
}

#[tokio::test]
async fn who_is_not_signed_in_gets_403_and_learns_nothing() {
    let server = setup().start().await;
    let body = json!({"channel_name": "private-user.1", "socket_id": SOCKET});
    server.post("/broadcasting/auth", &body).await.refused(403, "not_authenticated");
    server.post("/broadcasting/auth", &json!({})).await.refused(403, "not_authenticated");
    let expired = Person { server: &server, token: "not.a.token".to_owned() };
    expired.post("/broadcasting/auth", &body).await.refused(403, "not_authenticated");
    expired.post("/broadcasting/user-auth", &body).await.refused(403, "not_authenticated");
    server.stop().await;
}

#[tokio::test]
async fn a1_a_cookie_counts_for_pages_of_allowed_origins_alone() {
    let server: Server = setup().demo().start().await;
    let cookie = server.login("alice", "demo").await.cookie();
    let form = "socket_id=1234.1234&channel_name=private-user.1";
    for (method, path) in [
        ("POST", "/broadcasting/auth".to_owned()),
        ("GET", format!("/broadcasting/auth?{form}")),
        ("GET", format!("/broadcasting/user-auth?{form}")),
    ] {
        let request = || {
            let request = server.request(method, &path).header("cookie", &cookie);
            let kind = "application/x-www-form-urlencoded";
            if method == "POST" { request.header("content-type", kind).body(form) } else { request }
        };
        server.send(request().header("origin", server.origin())).await.ok();
        server.send(request().header("sec-fetch-site", "same-origin")).await.ok();
        let evil = request().header("origin", "https://evil.test");
        server.send(evil).await.refused(403, "forbidden");
        server.send(request()).await.refused(403, "forbidden");
        let cross = request().header("sec-fetch-site", "cross-site");
        server.send(cross).await.refused(403, "forbidden");
    }
    server.stop().await;
}

#[tokio::test]
async fn pages_of_other_origins_may_bring_a_token() {
    let server = setup().start().await;
    let preflight = server
        .request("OPTIONS", "/broadcasting/auth")
        .header("origin", "https://app.test")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization,x-csrf-token,x-socket-id");
    let answer = server.send(preflight).await;
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    let allowed = answer.header("access-control-allow-headers").unwrap();
    for name in ["authorization", "x-csrf-token", "x-requested-with", "x-socket-id"] {
        assert!(allowed.split(", ").any(|known| known == name), "{allowed}");
    }
    server.stop().await;
}
