//! Who may: strangers, cookies, participants.

use serde_json::{Value, json};

use super::{group, history, start};
use crate::support::{Answer, Setup};

#[tokio::test]
async fn participants_come_and_go_named_in_the_body() {
    let server = start().await;
    let (alice, bob) = (server.alice(), server.bob());
    let id = group(&server).await;
    let path = format!("/api/conversations/{id}/participants");
    for (slash, user) in [("", json!(5)), ("/", json!("n-1"))] {
        let path = format!("{path}{slash}");
        let body = json!({"user_id": user});
        let added = alice.post(&path, &body).await;
        assert_eq!((added.status, &added.body), (201, &json!({"user_id": user, "added": true})));
        let again = alice.post(&path, &body).await;
        assert_eq!((again.status, &again.body), (200, &json!({"user_id": user, "added": false})));
        bob.post(&path, &json!({"user_id": 6})).await.refused(403, "forbidden");
        bob.call("DELETE", &path, &body).await.refused(403, "forbidden");
        assert_eq!(alice.call("DELETE", &path, &body).await.status, 204);
        alice.call("DELETE", &path, &body).await.refused(404, "not_found");
        alice.call("DELETE", &path, &json!({"user": 2})).await.refused(400, "invalid_frame");
        alice.delete(&path).await.refused(415, "invalid_frame");
    }
    for (slash, user) in [("", "5"), ("/", "n-1")] {
        alice.post(&path, &json!({"user_id": user})).await.ok();
        assert_eq!(alice.delete(&format!("{path}/{user}{slash}")).await.status, 204);
    }
    assert_eq!(bob.call("DELETE", &path, &json!({"user_id": 2})).await.status, 204, "he leaves");
    bob.get(&history(id)).await.refused(404, "not_found");
    server.stop().await;
}

/// What a refusal tells, but for the name of the request.
fn told(answer: Answer) -> (u16, Value) {
    let mut body = answer.body;
    body["request_id"] = Value::Null;
    (answer.status, body)
}

#[tokio::test]
async fn g11_a_stranger_learns_nothing() {
    let server = start().await;
    let mallory = server.mallory();
    let id = server.alice().direct("2").await;
    server.alice().say(id, "secret").await;
    let someone = json!({"user_id": 3});
    let calls = [
        ("GET", "", Value::Null),
        ("GET", "/messages", Value::Null),
        ("GET", "/messages?page=7", Value::Null),
        ("POST", "/messages", json!({"content": "x", "client_id": "c"})),
        ("POST", "/participants", someone.clone()),
        ("DELETE", "/participants", someone),
        ("DELETE", "/participants/1", Value::Null),
    ];
    for (method, rest, body) in &calls {
        let place = |conversation: &str, slash: &str| {
            let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
            format!("/api/conversations/{conversation}{path}{slash}?{query}")
        };
        for slash in ["", "/"] {
            let foreign = mallory.call(method, &place(&id.to_string(), slash), body).await;
            let foreign = told(foreign);
            assert_eq!((foreign.0, &foreign.1["code"]), (404, &json!("not_found")), "{rest}");
            for unknown in ["4711", "x", "-1", "9007199254740993"] {
                let unknown = mallory.call(method, &place(unknown, slash), body).await;
                assert_eq!(told(unknown), foreign, "{method} {rest}{slash}");
            }
            let anonymous = server.request(method, &place(&id.to_string(), slash));
            server.send(anonymous.json(body)).await.refused(401, "not_authenticated");
        }
    }
    assert_eq!(mallory.get("/api/conversations").await.ok()["count"], 0);
    assert_eq!(mallory.get("/api/v1/messages/unread").await.ok()["results"], json!([]));
    for path in ["/api/conversations", "/api/conversations/", "/api/v1/messages/unread/"] {
        let anonymous = server.request("GET", path);
        server.send(anonymous).await.refused(401, "not_authenticated");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_poll_by_cookie_is_for_allowed_pages() {
    let server = Setup::new().with("server.allowed_origins", "https://app.test").start().await;
    let (alice, bob) = (server.alice(), server.bob());
    let id = alice.direct("2").await;
    let said = alice.say(id, "hello").await;
    let cookie = server.send(bob.request("POST", "/api/v1/auth/session")).await.cookie();
    let with_cookie =
        |method: &str, path: &str| server.request(method, path).header("cookie", &cookie);
    for path in ["/api/v1/messages/unread/", "/api/v1/messages/unread"] {
        let poll = || with_cookie("GET", path);
        let own = server.origin();
        for good in
            [poll(), poll().header("origin", own), poll().header("origin", "https://app.test")]
        {
            let page = server.send(good).await.ok();
            assert_eq!(page["results"][0]["message_id"], said["id"]);
            assert_eq!(page["results"][0]["type"], "new_message");
        }
        for bad in ["https://evil.test", "null", "https://app.test.evil.test"] {
            let answer = server.send(poll().header("origin", bad)).await;
            assert_eq!(answer.header("access-control-allow-origin"), None);
            answer.refused(403, "forbidden");
        }
        let forged = server.request("GET", path).header("cookie", "parlour_session=forged");
        server.send(forged).await.refused(401, "not_authenticated");
    }
    // Writing by cookie asks for more, and a form of another site gets nowhere.
    let send = || with_cookie("POST", &history(id)).json(&json!({"content": "x"}));
    server.send(send()).await.refused(403, "forbidden");
    server.send(send().header("origin", "https://evil.test")).await.refused(403, "forbidden");
    server.send(send().header("origin", "https://app.test")).await.ok();
    for path in [history(id), "/api/conversations/".to_owned()] {
        let form = with_cookie("POST", &path).header("content-type", "text/plain");
        server.send(form.body("{}")).await.refused(415, "invalid_frame");
    }
    server.stop().await;
}
