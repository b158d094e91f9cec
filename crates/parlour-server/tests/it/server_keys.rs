//! API keys: what only the host application's server may do, and revocation (G10).

use serde_json::json;

use crate::support::{
    SECRET, Server, Setup,
    keys::{Hmac, Signer as _},
    now, soon,
};

async fn server() -> Server {
    Setup::new().with_api_key().start().await
}

#[tokio::test]
async fn a_key_acts_for_whom_it_names() {
    let server = server().await;
    let host = server.host();
    let direct = json!({"kind": "direct", "participants": ["2"]});
    host.post("/api/v1/conversations", &direct).await.refused(400, "invalid_frame");
    let as_alice =
        |method: &str, path: &str| host.request(method, path).header("parlour-user", "1");
    let made = server.send(as_alice("POST", "/api/v1/conversations").json(&direct)).await;
    assert_eq!(made.status, 201);
    let path = format!("/api/v1/conversations/{}/messages", made.ok()["id"]);
    let system = json!({"content": "booking confirmed", "type": "system"});
    let said = server.send(as_alice("POST", &path).json(&system)).await.ok();
    assert_eq!((&said["type"], &said["sender_id"]), (&json!("system"), &json!("1")));
    server.bob().post(&path, &system).await.refused(403, "forbidden");
    // The same key in the other header.
    let key = host.token.clone();
    let other =
        server.request("GET", "/api/v1/me").header("x-api-key", key).header("parlour-user", "1");
    assert_eq!(server.send(other).await.ok()["id"], "1");
    server.stop().await;
}

#[tokio::test]
async fn b23_naming_another_user_needs_a_key() {
    let server = server().await;
    let request = server.alice().request("GET", "/api/v1/me").header("parlour-user", "2");
    assert_eq!(server.send(request).await.ok()["id"], "1");
    let wrong =
        server.request("GET", "/api/v1/me").bearer_auth("pk_wrong").header("parlour-user", "1");
    server.send(wrong).await.refused(401, "not_authenticated");
    server.stop().await;
}

#[tokio::test]
async fn profiles_are_the_hosts_to_write() {
    let server = server().await;
    let profile = json!({"username": "carla", "name": "Carla", "avatar": "https://a.test/c.png"});
    server.alice().call("PUT", "/api/v1/users/7", &profile).await.refused(403, "forbidden");
    let made = server.host().call("PUT", "/api/v1/users/7", &profile).await.ok();
    assert_eq!(made["name"], "Carla");
    assert_eq!(server.alice().get("/api/v1/users/7").await.ok(), made);
    let found = server.alice().get("/api/v1/users?query=car").await.ok();
    assert_eq!(found["results"], json!([made]));
    server.alice().get("/api/v1/users/8").await.refused(404, "not_found");
    server.alice().get("/api/v1/users?query=%20").await.refused(422, "empty");
    server.alice().get("/api/v1/users").await.refused(400, "invalid_frame");
    server.stop().await;
}

#[tokio::test]
async fn what_is_null_is_removed_from_a_profile() {
    let server = server().await;
    let host = server.host();
    let seven = async |method: &str, body: serde_json::Value| {
        let request = host.request(method, "/api/v1/me").header("parlour-user", "7");
        server.send(request.json(&body)).await
    };
    let profile = json!({"username": "al", "name": "Al", "avatar": "https://a.test/a.png"});
    host.call("PUT", "/api/v1/users/7", &profile).await.ok();
    let me = seven("PATCH", json!({"email": "a@a.test"})).await.ok();
    assert_eq!((&me["avatar"], &me["email"]), (&profile["avatar"], &json!("a@a.test")));

    let me = seven("PATCH", json!({"avatar": null, "email": null})).await.ok();
    assert_eq!(
        (&me["avatar"], &me["email"], &me["name"]),
        (&json!(null), &json!(null), &json!("Al"))
    );
    assert_eq!(seven("PATCH", json!({"name": null})).await.ok()["name"], "al");
    seven("PATCH", json!({"username": null})).await.refused(403, "forbidden");
    let made = host.call("PUT", "/api/v1/users/7", &json!({"username": null})).await.ok();
    assert_eq!((&made["username"], &made["name"]), (&json!("7"), &json!("7")));
    // What is empty is a mistake.
    seven("PATCH", json!({"name": " "})).await.refused(422, "empty");
    seven("PATCH", json!({"email": ""})).await.refused(400, "invalid_frame");
    server.stop().await;
}

#[tokio::test]
async fn b16_the_banned_are_refused_at_once() {
    let server = server().await;
    let (alice, host) = (server.alice(), server.host());
    alice.get("/api/v1/me").await.ok();
    alice.post("/api/v1/users/2/ban", &json!({})).await.refused(403, "forbidden");
    assert_eq!(host.post("/api/v1/users/1/ban", &json!({})).await.status, 204);
    alice.get("/api/v1/me").await.refused(401, "not_authenticated");
    assert_eq!(host.delete("/api/v1/users/1/ban").await.status, 204);
    alice.get("/api/v1/me").await.ok();
    host.post("/api/v1/users/99/ban", &json!({})).await.refused(404, "not_found");
    server.stop().await;
}

#[tokio::test]
async fn g10_revoked_tokens_and_sessions_are_refused_at_once() {
    let server = server().await;
    let old = Hmac::new(SECRET).jwt(&json!({"sub": "1", "iat": now() - 60, "exp": soon()}));
    let undated = server.alice();
    let me = |token: &str| server.request("GET", "/api/v1/me").bearer_auth(token);
    let cookie = undated.post("/api/v1/auth/session", &json!({})).await.cookie();
    let ticket = undated.post("/api/v1/auth/ticket", &json!({})).await.ok();
    server.send(me(&old)).await.ok();

    assert_eq!(server.host().post("/api/v1/users/1/revoke", &json!({})).await.status, 204);
    server.send(me(&old)).await.refused(401, "not_authenticated");
    undated.get("/api/v1/me").await.refused(401, "not_authenticated");
    let with_cookie = server.request("GET", "/api/v1/me").header("cookie", &cookie);
    server.send(with_cookie).await.refused(401, "not_authenticated");
    let path = format!("/api/v1/events/poll?ticket={}", ticket["ticket"].as_str().unwrap());
    server.send(server.request("GET", &path)).await.refused(401, "not_authenticated");
    // Clocks of hosts are not ours: a token from a little later is a new one.
    let new = Hmac::new(SECRET).jwt(&json!({"sub": "1", "iat": now() + 5, "exp": soon()}));
    server.send(me(&new)).await.ok();
    server.stop().await;
}
