//! Messages over REST: pages, idempotent sends, edits, deletes, receipts.

use serde_json::{Value, json};

use crate::support::{Server, Setup};

#[tokio::test]
async fn g3_a_send_that_is_repeated_is_stored_once() {
    let server = Server::start().await;
    let alice = server.alice();
    let direct = alice.direct("2").await;
    let path = format!("/api/v1/conversations/{direct}/messages");
    let body = json!({"content": "Hello", "client_id": "c0ffee"});
    let sends = (0..16).map(|_| alice.post(&path, &body));
    let answers = futures_util::future::join_all(sends).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    let bodies: Vec<Value> = answers.into_iter().map(|answer| answer.ok()).collect();
    assert!(bodies.iter().all(|body| *body == bodies[0]));
    assert_eq!((&bodies[0]["client_id"], &bodies[0]["seq"]), (&json!("c0ffee"), &json!(1)));
    // The synonyms are the same name.
    for same in [
        json!({"content": "Hello", "tempId": "c0ffee"}),
        json!({"content": "Hello", "temp_id": "c0ffee"}),
    ] {
        let again = alice.post(&path, &same).await;
        assert_eq!((again.status, &again.body["id"]), (200, &bodies[0]["id"]));
    }
    let header = alice.request("POST", &path).header("idempotency-key", "c0ffee");
    let again = server.send(header.json(&json!({"content": "Hello"}))).await;
    assert_eq!((again.status, &again.body["id"]), (200, &bodies[0]["id"]));
    let both = alice.request("POST", &path).header("idempotency-key", "other").json(&body);
    server.send(both).await.refused(400, "invalid_frame");
    let other = json!({"content": "Bye", "client_id": "c0ffee"});
    alice.post(&path, &other).await.refused(409, "conflict");
    // Another sender's name is another name.
    let bobs = server.bob().post(&path, &body).await;
    assert_eq!(bobs.status, 201);
    assert_eq!(alice.get(&path).await.ok()["results"].as_array().unwrap().len(), 2);
    server.stop().await;
}

#[tokio::test]
async fn what_cannot_be_said_is_refused() {
    let server = Server::start().await;
    let alice = server.alice();
    let direct = alice.direct("2").await;
    let path = format!("/api/v1/conversations/{direct}/messages");
    for (body, status, code) in [
        (json!({}), 400, "invalid_frame"),
        (json!({"content": null}), 400, "invalid_frame"),
        (json!({"content": 5}), 400, "invalid_frame"),
        (json!({"content": ""}), 422, "empty"),
        (json!({"content": " \u{200b}\n"}), 422, "empty"),
        (json!({"content": "a\u{0}b"}), 400, "invalid_frame"),
        (json!({"content": "x".repeat(16 * 1024 + 1)}), 413, "too_long"),
        (json!({"content": "x", "client_id": ""}), 400, "invalid_frame"),
        (json!({"content": "x", "client_id": "y".repeat(65)}), 413, "too_long"),
        (json!({"content": "x", "client_id": "a", "tempId": "b"}), 400, "invalid_frame"),
        (json!({"content": "x", "reply_to": 999_999}), 404, "not_found"),
        (json!({"content": "x", "type": "system"}), 403, "forbidden"),
        (json!({"content": "x", "attachments": [{"id": 1}]}), 400, "invalid_frame"),
    ] {
        alice.post(&path, &body).await.refused(status, code);
    }
    assert_eq!(alice.get(&path).await.ok()["results"], json!([]));
    // What a client says about itself is not asked for (E3).
    let forged = json!({"content": "x", "sender_id": "2", "id": 77, "seq": 9, "created_at": "1970-01-01T00:00:00Z",
        "is_read": true, "attachments": []});
    let said = alice.post(&path, &forged).await.ok();
    assert_eq!((&said["sender_id"], &said["seq"]), (&json!("1"), &json!(1)));
    assert_ne!(said["id"], 77);
    alice.say(direct, &"x".repeat(16 * 1024)).await;
    server.stop().await;
}

#[tokio::test]
async fn pages_lead_through_all_messages_both_ways() {
    let server = Setup::new().with("limits.rate_limits", "off").start().await;
    let alice = server.alice();
    let direct = alice.direct("2").await;
    for number in 1..=25 {
        alice.say(direct, &format!("number {number}")).await;
    }
    let path = format!("/api/v1/conversations/{direct}/messages");
    let seqs = |page: &Value| -> Vec<u64> {
        page["results"].as_array().unwrap().iter().map(|m| m["seq"].as_u64().unwrap()).collect()
    };
    // Backwards from the newest.
    let mut page = alice.get(&format!("{path}?limit=10")).await.ok();
    assert_eq!((seqs(&page), &page["previous"]), ((16..=25).collect(), &Value::Null));
    let mut pages = vec![seqs(&page)];
    while let Some(next) = page["next"].as_str() {
        page = alice.get(&format!("{path}?limit=10&cursor={next}")).await.ok();
        pages.push(seqs(&page));
    }
    assert_eq!(pages, [(16..=25).collect::<Vec<_>>(), (6..=15).collect(), (1..=5).collect()]);
    let newer = page["previous"].as_str().unwrap();
    assert_eq!(
        seqs(&alice.get(&format!("{path}?limit=10&cursor={newer}")).await.ok()),
        (6..=15).collect::<Vec<_>>()
    );
    // Forwards from the beginning.
    let mut page = alice.get(&format!("{path}?limit=10&after=0")).await.ok();
    let mut all = seqs(&page);
    while let Some(next) = page["next"].as_str() {
        page = alice.get(&format!("{path}?limit=10&cursor={next}")).await.ok();
        all.extend(seqs(&page));
    }
    assert_eq!(all, (1..=25).collect::<Vec<_>>());
    let before = alice.get(&format!("{path}?before=5&limit=2")).await.ok();
    assert_eq!(seqs(&before), [3, 4]);
    for bad in ["before=1&after=2", "before=x", "after=-1", "cursor=zzz", "before=1&cursor=bW4"] {
        alice.get(&format!("{path}?{bad}")).await.refused(400, "invalid_frame");
    }
    server.stop().await;
}

#[tokio::test]
async fn g21_edits_keep_their_history_and_deletion_leaves_nothing() {
    let server = Server::start().await;
    let (alice, bob) = (server.alice(), server.bob());
    let direct = alice.direct("2").await;
    let said = alice.say(direct, "frist").await;
    let path = format!("/api/v1/messages/{}", said["id"]);
    let edit = json!({"content": "first"});
    bob.call("PATCH", &path, &edit).await.refused(403, "forbidden");
    let edited = alice.call("PATCH", &path, &edit).await.ok();
    assert_eq!(
        (&edited["content"], &edited["seq"], &edited["change_seq"]),
        (&json!("first"), &json!(1), &json!(2))
    );
    assert!(edited["edited_at"].is_string());
    let history = bob.get(&format!("{path}/revisions")).await.ok();
    let texts: Vec<_> =
        history["results"].as_array().unwrap().iter().map(|r| r["content"].clone()).collect();
    assert_eq!(texts, [json!("frist"), json!("first")]);
    bob.delete(&path).await.refused(403, "forbidden");
    assert_eq!(alice.delete(&path).await.status, 204);
    assert_eq!(alice.delete(&path).await.status, 204, "again is no error");
    let tombstone = bob.get(&path).await.ok();
    assert_eq!((&tombstone["content"], tombstone["deleted_at"].is_string()), (&Value::Null, true));
    alice.call("PATCH", &path, &edit).await.refused(404, "not_found");
    let revisions = bob.get(&format!("{path}/revisions")).await;
    assert!(!revisions.text.contains("frist"), "{}", revisions.text);
    let list = bob.get("/api/v1/conversations").await;
    assert!(!list.text.contains("first"), "{}", list.text);
    server.stop().await;
}

#[tokio::test]
async fn g12_marks_go_forward_only() {
    let server = Server::start().await;
    let (alice, bob) = (server.alice(), server.bob());
    let direct = alice.direct("2").await;
    let first = alice.say(direct, "one").await;
    alice.say(direct, "two").await;
    let path = format!("/api/v1/conversations/{direct}");
    let read = async || bob.get(&path).await.ok();
    assert_eq!(read().await["unread_count"], 2);
    let mark = async |what: &str, body: Value| bob.post(&format!("{path}/{what}"), &body).await;
    assert_eq!(mark("read", json!({"message_id": first["id"]})).await.status, 204);
    assert_eq!((&read().await["unread_count"], &read().await["read_seq"]), (&json!(1), &json!(1)));
    assert_eq!(mark("delivered", json!({"seq": 2})).await.status, 204);
    assert_eq!((&read().await["delivered_seq"], &read().await["read_seq"]), (&json!(2), &json!(1)));
    assert_eq!(mark("read", json!({"seq": 99})).await.status, 204);
    assert_eq!(mark("read", json!({"seq": 1})).await.status, 204);
    assert_eq!((&read().await["unread_count"], &read().await["read_seq"]), (&json!(0), &json!(2)));
    for bad in
        [json!({}), json!({"seq": 1, "message_id": 1}), json!({"seq": -1}), json!({"seq": "1"})]
    {
        mark("read", bad).await.refused(400, "invalid_frame");
    }
    assert_eq!(mark("typing", json!({"active": true})).await.status, 204);
    server.stop().await;
}

#[tokio::test]
async fn i1_too_many_sends_are_refused_with_a_time() {
    let server = Server::start().await;
    let alice = server.alice();
    let direct = alice.direct("2").await;
    let path = format!("/api/v1/conversations/{direct}/messages");
    let bodies: Vec<_> = (0..80).map(|n| json!({"content": n.to_string()})).collect();
    let sends = bodies.iter().map(|body| alice.post(&path, body));
    let answers = futures_util::future::join_all(sends).await;
    let stored = answers.iter().filter(|answer| answer.status == 201).count();
    let refused = answers.into_iter().find(|answer| answer.status == 429).unwrap();
    let body = refused.refused(429, "rate_limited");
    assert_eq!(body["limit"], "sends");
    assert!(body["retry_after_ms"].as_u64().is_some_and(|wait| wait <= 1_000));
    let page = alice.get(&format!("{path}?limit=100")).await.ok();
    assert_eq!(page["results"].as_array().unwrap().len(), stored);
    assert!(stored >= 50);
    server.stop().await;
}
