//! Lists: pages of history, of conversations, and of what is unread.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{follow, group, history, ids, say_many, start};
use crate::support::Setup;

#[tokio::test]
async fn history_is_paged_without_holes_or_repeats() {
    let server = start().await;
    let alice = server.alice();
    let id = alice.direct("2").await;
    let mut standing = say_many(&alice, id, 250).await;
    // The newest, the oldest, a whole page, and here and there.
    let gone: BTreeSet<u64> = standing
        .iter()
        .enumerate()
        .filter(|(n, _)| *n < 3 || *n > 246 || (100..150).contains(n) || n % 10 == 0)
        .map(|(_, id)| *id)
        .collect();
    let deletions = gone.iter().map(|id| format!("/api/v1/messages/{id}")).collect::<Vec<_>>();
    for answer in join_all(deletions.iter().map(|path| alice.delete(path))).await {
        assert_eq!(answer.status, 204);
    }
    standing.retain(|id| !gone.contains(id));
    let path = history(id);
    for (query, size) in [("", 50), ("?page_size=33", 33), ("?limit=1000", 100), ("?limit=0", 1)] {
        let address = format!("{path}/{query}");
        let (mut page, mut all, mut pages) = (alice.get(&address).await.ok(), Vec::new(), vec![]);
        assert_eq!(page["previous"], Value::Null);
        loop {
            let here = ids(&page);
            assert_eq!(page["count"], standing.len());
            assert!(here.is_sorted(), "each page ascends");
            all.splice(0..0, here.iter().copied());
            pages.push(page.clone());
            if page["next"].is_null() {
                break;
            }
            assert_eq!(here.len(), size, "{query}: deletions shorten no page");
            assert!(page["next"].as_str().unwrap().contains(&format!("{path}/?")), "{page}");
            page = follow(&alice, &page["next"]).await;
        }
        assert_eq!(all, standing, "{query}");
        // And back, over the same pages.
        for expected in pages.iter().rev().skip(1).map(ids) {
            page = follow(&alice, &page["previous"]).await;
            assert_eq!(ids(&page), expected, "{query}");
        }
        assert_eq!(page["previous"], Value::Null);
    }
    // By number, as other clients ask.
    let newest = |skip: usize, size: usize| {
        let end = standing.len().saturating_sub(skip);
        standing[end.saturating_sub(size)..end].to_vec()
    };
    for (query, skip, size) in [
        ("page=1", 0, 50),
        ("page=0", 0, 50),
        ("page=2", 50, 50),
        ("page=3&page_size=40", 80, 40),
        ("limit=20&offset=30", 30, 20),
        ("offset=99999999999999999999", usize::MAX, 50),
        ("page=18446744073709551615&page_size=100", usize::MAX, 100),
    ] {
        let page = alice.get(&format!("{path}?{query}")).await.ok();
        assert_eq!(ids(&page), newest(skip, size), "{query}");
        assert_eq!(page["count"], standing.len());
        assert_eq!(page["previous"].is_null(), skip == 0, "{query}");
    }
    for bad in ["page=x", "cursor=zzz", "page_size=many", "page=2&offset=3", "cursor=bW4&page=2"] {
        alice.get(&format!("{path}?{bad}")).await.refused(400, "invalid_frame");
    }
    // What the caller brings in his address is not handed on.
    let page = alice.get(&format!("{path}?page_size=5&token=secret")).await.ok();
    assert!(!page["next"].as_str().unwrap().contains("secret"));
    let answer = alice.get(&path).await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    server.stop().await;
}

#[tokio::test]
async fn addresses_are_those_under_which_the_server_is_reached() {
    let server = Setup::new().with("server.public_url", "https://chat.test").start().await;
    let alice = server.alice();
    let id = alice.direct("2").await;
    for text in ["one", "two"] {
        alice.say(id, text).await;
    }
    let page = alice.get(&format!("{}/?page_size=1", history(id))).await.ok();
    let begin = format!("https://chat.test{}/?cursor=", history(id));
    assert!(page["next"].as_str().unwrap().starts_with(&begin), "{page}");
    server.stop().await;
}

#[tokio::test]
async fn conversations_are_made_and_found_in_their_words() {
    let server = start().await;
    let (alice, bob) = (server.alice(), server.bob());
    assert_eq!(bob.get("/api/conversations").await.ok()["count"], 0);
    let made = async |path: &str, body: Value, status: u16| {
        let answer = alice.post(path, &body).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.text);
        answer.body
    };
    let direct = made("/api/conversations/", json!({"participants": [2]}), 201).await;
    assert_eq!((&direct["kind"], &direct["participant_count"]), (&json!("direct"), &json!(2)));
    assert_eq!(direct["participants"][0]["user_id"], 1);
    let same = json!({"participant_ids": ["1", "2"], "type": "direct", "title": null});
    let again = made("/api/conversations", same, 200).await;
    assert_eq!(again, direct);
    let same = json!({"kind": "direct", "participants": ["2"]});
    let native = alice.post("/api/v1/conversations", &same).await;
    assert_eq!((native.status, &native.body["id"]), (200, &direct["id"]));
    let about = json!({"participants": [2], "subject": "booking/42"});
    let about = made("/api/conversations", about, 201).await;
    assert_ne!(about["id"], direct["id"]);
    assert_eq!(about["subject"], "booking/42");
    let group = json!({"participant_ids": [2, "m-7"], "type": "group", "name": "Trip"});
    let group = made("/api/conversations/", group, 201).await;
    assert_eq!((&group["kind"], &group["title"]), (&json!("group"), &json!("Trip")));
    let people = group["participants"].as_array().unwrap();
    let people: Vec<_> = people.iter().map(|p| (p["user_id"].clone(), p["role"].clone())).collect();
    assert!(people.contains(&(json!(1), json!("owner"))), "{people:?}");
    assert!(people.contains(&(json!("m-7"), json!("member"))), "{people:?}");
    let titled =
        made("/api/conversations", json!({"participants": [2], "title": "Two"}), 201).await;
    assert_eq!(titled["kind"], "group");
    for bad in [
        json!({"kind": "direct", "participants": [2, 3]}),
        json!({"kind": "direct"}),
        json!({"kind": "party", "participants": [2]}),
        json!({"participants": 2}),
        json!({"participants": [2], "participant_ids": [2]}),
        json!([]),
    ] {
        alice.post("/api/conversations", &bad).await.refused(400, "invalid_frame");
    }

    let said = alice.say(direct["id"].as_u64().unwrap(), "hello").await;
    let list = alice.get("/api/conversations/?page_size=3").await.ok();
    assert_eq!((&list["count"], &list["previous"]), (&json!(4), &Value::Null));
    assert_eq!(list["results"][0]["id"], direct["id"]);
    assert_eq!(list["results"][0]["last_message"]["message_id"], said["id"]);
    assert_eq!(list["results"][0]["last_message"]["sender_id"], 1);
    let rest = follow(&alice, &list["next"]).await;
    assert_eq!((rest["results"].as_array().unwrap().len(), &rest["next"]), (1, &Value::Null));
    let bobs = bob.get("/api/conversations").await.ok();
    assert_eq!((&bobs["count"], &bobs["results"][0]["unread_count"]), (&json!(4), &json!(1)));
    for slash in ["", "/"] {
        let one = alice.get(&format!("/api/conversations/{}{slash}", direct["id"])).await.ok();
        assert_eq!(one, list["results"][0]);
    }
    for numbered in ["/api/conversations?page=2", "/api/v1/messages/unread?offset=1"] {
        alice.get(numbered).await.refused(400, "invalid_frame");
    }
    server.stop().await;
}

#[tokio::test]
async fn g5_polling_what_is_unread_misses_nothing() {
    let server = start().await;
    let (alice, bob) = (server.alice(), server.bob());
    let (one, other) = (bob.direct("1").await, group(&server).await);
    let mut said = say_many(&alice, one, 700).await;
    said.extend(say_many(&alice, other, 500).await);
    bob.say(other, "I read the group").await;
    let newest = say_many(&alice, other, 401).await;
    said.truncate(700);
    said.extend(&newest);
    let gone = said.remove(3);
    assert_eq!(alice.delete(&format!("/api/v1/messages/{gone}")).await.status, 204);

    let path = "/api/v1/messages/unread/";
    let page = bob.get(path).await.ok();
    assert_eq!(page["count"], 1_100);
    assert_eq!(ids(&page), said[..1_000], "oldest first, a thousand at once");
    let rest = follow(&bob, &page["next"]).await;
    assert_eq!(ids(&rest), said[1_000..]);
    assert_eq!((&rest["next"], &rest["count"]), (&Value::Null, &json!(1_100)));
    let (mut page, mut all) = (bob.get(&format!("{path}?page_size=300")).await.ok(), Vec::new());
    loop {
        all.extend(ids(&page));
        if page["next"].is_null() {
            break;
        }
        assert_eq!(ids(&page).len(), 300);
        page = follow(&bob, &page["next"]).await;
    }
    assert_eq!(all, said);
    assert_eq!(ids(&bob.get(&format!("{path}?limit=99999")).await.ok()).len(), 1_000);
    bob.get(&format!("{path}?cursor=bW4")).await.refused(400, "invalid_frame");
    // What is read is no longer there.
    let read = json!({"message_id": said[698]});
    assert_eq!(bob.post(&format!("/api/v1/conversations/{one}/read"), &read).await.status, 204);
    assert_eq!(ids(&bob.get(path).await.ok()), newest);
    assert_eq!(alice.get(path).await.ok()["count"], 0, "one's own are not unread");
    bob.say(other, "now I have read all").await;
    assert_eq!(bob.get(path).await.ok()["count"], 0);
    assert_eq!(alice.get(path).await.ok()["count"], 1);
    server.stop().await;
}
