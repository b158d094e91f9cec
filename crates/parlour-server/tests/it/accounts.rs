//! Built-in accounts: logins, refresh tokens, registration, passwords (table 4J).

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Person, Server, Setup};

async fn demo() -> Server {
    Setup::new().demo().start().await
}

fn with_token<'a>(server: &'a Server, login: &Value) -> Person<'a> {
    Person { server, token: login["access"].as_str().unwrap().to_owned() }
}

#[tokio::test]
async fn a_login_gives_tokens_a_cookie_and_the_user() {
    let server = demo().await;
    let answer = server.login("ALICE", "demo").await;
    let line = answer.header("set-cookie").unwrap().to_owned();
    for part in ["parlour_session=", "; Path=/", "; HttpOnly", "; SameSite=Lax", "; Max-Age="] {
        assert!(line.contains(part), "{line}");
    }
    assert!(!line.contains("Secure"), "it is served without TLS");
    let login = answer.ok();
    assert_eq!((&login["user"]["id"], &login["expires_in"]), (&json!("1"), &json!(900)));
    let me = with_token(&server, &login).get("/api/v1/me").await.ok();
    assert_eq!(me, login["user"]);
    server.stop().await;
}

#[tokio::test]
async fn with_https_the_cookie_is_secure() {
    let setup = Setup::new().demo().with("server.public_url", "https://chat.test");
    let server = setup.start().await;
    assert!(server.login("alice", "demo").await.header("set-cookie").unwrap().contains("; Secure"));
    server.stop().await;
}

#[tokio::test]
async fn wrong_names_and_passwords_look_the_same() {
    let server = Setup::new().demo().with("limits.rate_limits", "off").start().await;
    let mut bodies = Vec::new();
    for (name, password) in [("alice", "wrong"), ("nobody", "demo"), ("", "demo")] {
        let mut body = server.login(name, password).await.refused(401, "not_authenticated");
        body["request_id"] = Value::Null;
        bodies.push(body);
    }
    assert!(bodies.iter().all(|body| *body == bodies[0]));
    let time = async |name: &str| {
        let began = Instant::now();
        for _ in 0..4 {
            server.login(name, "wrong").await;
        }
        began.elapsed()
    };
    time("alice").await;
    let (known, unknown) = (time("alice").await, time("nobody").await);
    assert!(unknown * 4 > known && known * 4 > unknown, "known {known:?}, unknown {unknown:?}");
    server.stop().await;
}

#[tokio::test]
async fn j3_passwords_of_every_size() {
    let server = demo().await;
    server.login("alice", &"x".repeat(1 << 17)).await.refused(413, "too_long");
    server.login("alice", &"x".repeat(1_025)).await.refused(413, "too_long");
    server.login("alice", &"x".repeat(1_024)).await.refused(401, "not_authenticated");
    server.login("alice", "").await.refused(422, "empty");
    server.login("alice", "demo\0").await.refused(400, "invalid_frame");
    server.stop().await;

    let server = Setup::new().with("auth.registration", "on").start().await;
    let long = "p".repeat(80);
    let new = json!({"username": "dana", "password": long, "name": "Dana"});
    server.post("/api/v1/auth/register", &new).await.ok();
    server.login("dana", &long[..72]).await.refused(401, "not_authenticated");
    server.login("dana", &long).await.ok();
    server.stop().await;
}

#[tokio::test]
async fn guessing_is_slowed_down() {
    let server = demo().await;
    for _ in 0..10 {
        server.login("alice", "wrong").await.refused(401, "not_authenticated");
    }
    let answer = server.login("alice", "demo").await;
    assert!(answer.header("retry-after").unwrap().parse::<u32>().unwrap() > 0);
    let body = answer.refused(429, "rate_limited");
    assert_eq!(body["limit"], "logins");
    assert!(body["retry_after_ms"].as_u64().unwrap() > 0);
    server.login("bob", "demo").await.ok();
    server.stop().await;
}

#[tokio::test]
async fn j5_a_refresh_token_that_comes_twice_ends_the_sign_in() {
    let server = demo().await;
    let login = server.login("alice", "demo").await;
    let cookie = login.cookie();
    let login = login.ok();
    let refresh =
        async |token: &Value| server.post("/api/v1/auth/refresh", &json!({"refresh": token})).await;
    let second = refresh(&login["refresh"]).await.ok();
    let third = refresh(&second["refresh"]).await.ok();
    with_token(&server, &third).get("/api/v1/me").await.ok();

    refresh(&login["refresh"]).await.refused(401, "not_authenticated");
    for stolen in [&login, &second, &third] {
        with_token(&server, stolen).get("/api/v1/me").await.refused(401, "not_authenticated");
        refresh(&stolen["refresh"]).await.refused(401, "not_authenticated");
    }
    let with_cookie = server.request("GET", "/api/v1/me").header("cookie", cookie);
    server.send(with_cookie).await.refused(401, "not_authenticated");
    refresh(&json!("nonsense")).await.refused(401, "not_authenticated");
    server.stop().await;
}

#[tokio::test]
async fn a_logout_ends_that_sign_in_alone() {
    let server = demo().await;
    let (one, two) =
        (server.login("alice", "demo").await.ok(), server.login("alice", "demo").await.ok());
    let (one, two) = (with_token(&server, &one), with_token(&server, &two));
    let answer = one.post("/api/v1/auth/logout", &json!({})).await;
    assert_eq!(answer.status, 204);
    assert!(answer.header("set-cookie").unwrap().contains("Max-Age=0"));
    one.get("/api/v1/me").await.refused(401, "not_authenticated");
    two.get("/api/v1/me").await.ok();
    server.stop().await;
}

#[tokio::test]
async fn a_new_password_ends_every_sign_in() {
    let server = demo().await;
    let old = server.login("alice", "demo").await.ok();
    let alice = with_token(&server, &old);
    let change = |current: &str, new: &str| json!({"current": current, "new": new});
    let path = "/api/v1/auth/password";
    alice.post(path, &change("wrong", "long enough")).await.refused(403, "forbidden");
    alice.post(path, &change("demo", "short")).await.refused(400, "invalid_frame");
    let new = alice.post(path, &change("demo", "long enough")).await.ok();
    alice.get("/api/v1/me").await.refused(401, "not_authenticated");
    with_token(&server, &new).get("/api/v1/me").await.ok();
    server.login("alice", "demo").await.refused(401, "not_authenticated");
    server.login("alice", "long enough").await.ok();
    server.stop().await;
}

#[tokio::test]
async fn accounts_are_made_only_where_that_is_allowed() {
    let server = demo().await;
    let new = json!({"username": "dana", "password": "long enough", "name": "Dana"});
    server.post("/api/v1/auth/register", &new).await.refused(403, "forbidden");
    let methods = server.send(server.request("GET", "/api/v1/auth/methods")).await.ok();
    assert_eq!((&methods["password"], &methods["registration"]), (&json!(true), &json!(false)));
    assert_eq!(methods["demo"][0]["username"], "alice");
    server.stop().await;

    let server = Setup::new().with("auth.registration", "on").start().await;
    let methods = server.send(server.request("GET", "/api/v1/auth/methods")).await.ok();
    assert_eq!((&methods["registration"], &methods["demo"]), (&json!(true), &json!([])));
    let made = server.post("/api/v1/auth/register", &new).await;
    assert_eq!(made.status, 201);
    let made = made.ok();
    assert_eq!(made["user"]["username"], "dana");
    with_token(&server, &made).get("/api/v1/me").await.ok();
    let again = json!({"username": "DANA", "password": "long enough"});
    server.post("/api/v1/auth/register", &again).await.refused(409, "conflict");
    for (username, password, status, code) in [
        ("", "long enough", 422, "empty"),
        ("a\u{202e}b", "long enough", 400, "invalid_frame"),
        ("eve", "short", 400, "invalid_frame"),
    ] {
        let body = json!({"username": username, "password": password});
        server.post("/api/v1/auth/register", &body).await.refused(status, code);
    }
    server.stop().await;
}

#[tokio::test]
async fn i16_a_thousand_logins_at_once_are_bounded() {
    let server = Setup::new().demo().with("limits.rate_limits", "off").start().await;
    let began = Instant::now();
    let logins = (0..300).map(|_| server.login("alice", "demo"));
    let answers = futures_util::future::join_all(logins).await;
    let count = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!(count(200) + count(429), 300);
    assert!(count(200) > 0 && count(429) > 0, "{} {}", count(200), count(429));
    server.send(server.request("GET", "/healthz")).await.ok();
    assert!(began.elapsed() < Duration::from_secs(60));
    server.stop().await;
}
