//! Conversations and their participants over REST.

use serde_json::{Value, json};

use crate::support::{Person, Server, Setup};

async fn group(person: &Person<'_>, others: &[&str]) -> Value {
    let body = json!({"kind": "group", "participants": others, "title": "Trip"});
    person.post("/api/v1/conversations", &body).await.ok()
}

#[tokio::test]
async fn a_direct_conversation_is_found_again() {
    let server = Server::start().await;
    let (alice, bob) = (server.alice(), server.bob());
    // Numbers are ids too: the host application's may be either.
    let body = json!({"kind": "direct", "participants": [2]});
    let made = alice.post("/api/v1/conversations", &body).await;
    assert_eq!(made.status, 201);
    let place = made.header("location").unwrap().to_owned();
    let made = made.ok();
    assert_eq!(place, format!("/api/v1/conversations/{}", made["id"]));
    assert_eq!((&made["kind"], &made["participant_count"]), (&json!("direct"), &json!(2)));
    let from_the_other_side = json!({"kind": "direct", "participants": ["1"]});
    let found = bob.post("/api/v1/conversations", &from_the_other_side).await;
    assert_eq!(found.status, 200);
    assert_eq!(found.ok()["id"], made["id"]);
    let about = json!({"kind": "direct", "participants": ["2"], "subject": "booking/42"});
    let other = alice.post("/api/v1/conversations", &about).await;
    assert_eq!(other.status, 201);
    assert_eq!(alice.get(&place).await.ok()["id"], made["id"]);
    server.stop().await;
}

#[tokio::test]
async fn what_cannot_be_made_is_refused() {
    let server = Server::start().await;
    let long = "x".repeat(129);
    for (body, status, code) in [
        (json!({"kind": "direct", "participants": []}), 400, "invalid_frame"),
        (json!({"kind": "direct", "participants": ["1"]}), 400, "invalid_frame"),
        (json!({"kind": "direct", "participants": ["2", "3"]}), 400, "invalid_frame"),
        (json!({"kind": "club", "participants": ["2"]}), 400, "invalid_frame"),
        (json!({"kind": "direct"}), 400, "invalid_frame"),
        (json!({"kind": "direct", "participants": ["a\u{0}b"]}), 400, "invalid_frame"),
        (json!({"kind": "direct", "participants": [1.5]}), 400, "invalid_frame"),
        (json!({"kind": "group", "participants": ["2"], "title": long}), 413, "too_long"),
        (
            json!({"kind": "group", "participants": ["2"], "metadata": "m".repeat(5_000)}),
            413,
            "too_long",
        ),
        (json!(null), 400, "invalid_frame"),
        (json!([]), 400, "invalid_frame"),
    ] {
        server.alice().post("/api/v1/conversations", &body).await.refused(status, code);
    }
    server.stop().await;
}

#[tokio::test]
async fn the_list_is_paged_by_activity_and_searched() {
    let server = Setup::new().with("limits.rate_limits", "off").start().await;
    let alice = server.alice();
    server.bob().get("/api/v1/me").await.ok();
    let mut ids = Vec::new();
    for other in ["2", "4", "5", "6", "7"] {
        let id = alice.direct(other).await;
        alice.say(id, "hello").await;
        ids.push(id);
    }
    // The list is in the order of milliseconds: let one go by.
    let spoken = std::time::Instant::now();
    while spoken.elapsed() < std::time::Duration::from_millis(2) {
        tokio::task::yield_now().await;
    }
    alice.say(ids[0], "again").await;
    let mut seen = Vec::new();
    let mut path = "/api/v1/conversations?limit=2".to_owned();
    loop {
        let page = alice.get(&path).await.ok();
        let results = page["results"].as_array().unwrap();
        assert!(results.len() <= 2);
        seen.extend(results.iter().map(|c| c["id"].as_u64().unwrap()));
        match page["next"].as_str() {
            Some(next) => path = format!("/api/v1/conversations?limit=2&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen.len(), 5);
    assert_eq!(seen[0], ids[0]);
    let first = &alice.get("/api/v1/conversations?limit=1").await.ok()["results"][0];
    assert_eq!(first["last_message"]["content"], "again");
    assert_eq!((&first["unread_count"], &first["last_seq"]), (&json!(0), &json!(2)));
    let found = alice.get("/api/v1/conversations?query=bob").await.ok();
    assert_eq!(found["results"].as_array().unwrap().len(), 1);
    let unread = &server.bob().get("/api/v1/conversations").await.ok()["results"][0];
    assert_eq!(unread["unread_count"], 2);
    for (limit, expected) in
        [("0", 1), ("-1", 1), ("1000000000", 5), ("99999999999999999999999", 5)]
    {
        let page = alice.get(&format!("/api/v1/conversations?limit={limit}")).await.ok();
        assert_eq!(page["results"].as_array().unwrap().len(), expected, "{limit}");
    }
    for bad in ["limit=many", "limit=", "cursor=nonsense", "cursor=bW4", "limit=1&limit=2"] {
        alice.get(&format!("/api/v1/conversations?{bad}")).await.refused(400, "invalid_frame");
    }
    server.stop().await;
}

#[tokio::test]
async fn settings_are_for_those_who_manage() {
    let server = Server::start().await;
    let (alice, bob) = (server.alice(), server.bob());
    let made = group(&alice, &["2"]).await;
    let path = format!("/api/v1/conversations/{}", made["id"]);
    let patch = json!({"title": "Lisbon", "metadata": {"a": [1]}});
    bob.call("PATCH", &path, &patch).await.refused(403, "forbidden");
    let changed = alice.call("PATCH", &path, &patch).await.ok();
    assert_eq!((&changed["title"], &changed["metadata"]), (&json!("Lisbon"), &json!({"a": [1]})));
    let kept = alice.call("PATCH", &path, &json!({"state": "read_only"})).await.ok();
    assert_eq!((&kept["title"], &kept["state"]), (&json!("Lisbon"), &json!("read_only")));
    let messages = format!("{path}/messages");
    bob.post(&messages, &json!({"content": "hi"})).await.refused(403, "forbidden");
    let removed = json!({"title": null, "metadata": null, "state": "open"});
    let removed = alice.call("PATCH", &path, &removed).await.ok();
    assert_eq!((&removed["title"], &removed["metadata"]), (&Value::Null, &Value::Null));
    alice.call("PATCH", &path, &json!({"state": "gone"})).await.refused(400, "invalid_frame");
    server.stop().await;
}

#[tokio::test]
async fn participants_come_and_go() {
    let server = Server::start().await;
    let (alice, bob) = (server.alice(), server.bob());
    let made = group(&alice, &["2"]).await;
    let path = format!("/api/v1/conversations/{}/participants", made["id"]);
    bob.post(&path, &json!({"user_id": "4"})).await.refused(403, "forbidden");
    let added = alice.post(&path, &json!({"user_id": 4})).await;
    assert_eq!((added.status, &added.body), (201, &json!({"user_id": "4", "added": true})));
    assert_eq!(alice.post(&path, &json!({"user_id": "4"})).await.status, 200);
    let page = alice.get(&format!("{path}?limit=2")).await.ok();
    let next = page["next"].as_str().unwrap();
    let rest = alice.get(&format!("{path}?limit=2&cursor={next}")).await.ok();
    let ids: Vec<_> = [page, rest.clone()]
        .iter()
        .flat_map(|page| page["results"].as_array().unwrap().clone())
        .map(|participant| participant["user_id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!((ids, &rest["next"]), (vec!["1".into(), "2".into(), "4".into()], &Value::Null));
    assert_eq!(
        alice.call("PATCH", &format!("{path}/2"), &json!({"role": "admin"})).await.status,
        204
    );
    bob.post(&path, &json!({"user_id": "5"})).await.ok();
    bob.delete(&format!("{path}/1")).await.refused(403, "forbidden");
    assert_eq!(alice.delete(&format!("{path}/4")).await.status, 204);
    assert_eq!(bob.delete(&format!("{path}/2")).await.status, 204);
    bob.get(&path).await.refused(404, "not_found");
    alice.delete(&format!("{path}/2")).await.refused(404, "not_found");
    server.stop().await;
}

#[tokio::test]
async fn blocks_are_kept_and_hold() {
    let server = Server::start().await;
    let (alice, bob) = (server.alice(), server.bob());
    let direct = alice.direct("2").await;
    let path = "/api/v1/me/blocks/1";
    let put = server.send(bob.request("PUT", path)).await;
    assert_eq!(put.status, 204);
    let blocked = bob.get("/api/v1/me/blocks").await.ok();
    assert_eq!(blocked["results"][0]["id"], "1");
    let messages = format!("/api/v1/conversations/{direct}/messages");
    alice.post(&messages, &json!({"content": "hi"})).await.refused(403, "blocked");
    assert_eq!(bob.delete(path).await.status, 204);
    alice.say(direct, "hi").await;
    server.send(bob.request("PUT", "/api/v1/me/blocks/2")).await.refused(400, "invalid_frame");
    server.stop().await;
}

#[tokio::test]
async fn g11_a_stranger_gets_the_answer_of_a_thing_that_is_not_there() {
    let server = Setup::new().with("limits.rate_limits", "off").start().await;
    let (alice, mallory) = (server.alice(), server.mallory());
    let made = group(&alice, &["2"]).await;
    let here = made["id"].as_u64().unwrap();
    let message = alice.say(here, "marker-of-a-secret").await["id"].as_u64().unwrap();
    mallory.get("/api/v1/me").await.ok();
    let calls = |conversation: String, message: String| {
        let c = format!("/api/v1/conversations/{conversation}");
        let m = format!("/api/v1/messages/{message}");
        [
            ("GET", c.clone(), json!(null)),
            ("PATCH", c.clone(), json!({"title": "x"})),
            ("GET", format!("{c}/messages"), json!(null)),
            ("POST", format!("{c}/messages"), json!({"content": "x"})),
            ("GET", format!("{c}/participants"), json!(null)),
            ("POST", format!("{c}/participants"), json!({"user_id": "3"})),
            ("DELETE", format!("{c}/participants/1"), json!(null)),
            ("PATCH", format!("{c}/participants/1"), json!({"role": "member"})),
            ("POST", format!("{c}/read"), json!({"seq": 1})),
            ("POST", format!("{c}/read"), json!({"message_id": 1})),
            ("POST", format!("{c}/delivered"), json!({"seq": 1})),
            ("POST", format!("{c}/typing"), json!({"active": true})),
            ("GET", m.clone(), json!(null)),
            ("PATCH", m.clone(), json!({"content": "x"})),
            ("DELETE", m.clone(), json!(null)),
            ("GET", format!("{m}/revisions"), json!(null)),
        ]
    };
    let real = calls(here.to_string(), message.to_string());
    for absent in ["999999", "0", "9007199254740993", "no-number", "-1", "1%2F2"] {
        let not_there = calls(absent.to_owned(), absent.to_owned());
        for ((method, path, body), (_, other, _)) in real.iter().zip(&not_there) {
            let mut answers = Vec::new();
            for path in [path, other] {
                let answer = mallory.call(method, path, body).await;
                assert!(!answer.text.contains("marker-of-a-secret"));
                let mut body = answer.refused(404, "not_found");
                body["request_id"] = Value::Null;
                answers.push(body);
            }
            assert_eq!(answers[0], answers[1], "{method} {path} {other}");
        }
    }
    server.stop().await;
}
