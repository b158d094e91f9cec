//! What browsers do: cookies, origins, CORS, tickets (table 4A).

use serde_json::json;

use crate::support::{Answer, Server, Setup};

async fn cookie(server: &Server) -> String {
    server.login("alice", "demo").await.cookie()
}

async fn demo() -> Server {
    Setup::new().demo().with("server.allowed_origins", "https://app.test").start().await
}

#[tokio::test]
async fn a_cookie_reads_without_an_origin_and_writes_only_from_allowed_pages() {
    let server = demo().await;
    let cookie = cookie(&server).await;
    let own = server.origin();
    let me = |method: &str| server.request(method, "/api/v1/me").header("cookie", &cookie);
    server.send(me("GET")).await.ok();
    server.send(me("GET").header("origin", &own)).await.ok();
    server.send(me("GET").header("origin", "https://evil.test")).await.refused(403, "forbidden");

    let patch = || me("PATCH").json(&json!({"name": "Alice"}));
    for good in [
        patch().header("origin", &own),
        patch().header("origin", "https://app.test"),
        patch().header("sec-fetch-site", "same-origin"),
    ] {
        server.send(good).await.ok();
    }
    for bad in [
        patch(),
        patch().header("origin", "https://evil.test"),
        patch().header("origin", "null"),
        patch().header("origin", "https://app.test.evil.test"),
        patch().header("sec-fetch-site", "cross-site"),
        patch().header("sec-fetch-site", "same-site"),
        patch().header("origin", "https://evil.test").header("sec-fetch-site", "same-origin"),
    ] {
        server.send(bad).await.refused(403, "forbidden");
    }
    server.stop().await;
}

#[tokio::test]
async fn a20_a_form_of_another_site_does_nothing() {
    let server = demo().await;
    let cookie = cookie(&server).await;
    for path in ["/api/v1/auth/logout", "/api/v1/auth/ticket", "/api/v1/conversations"] {
        for kind in
            ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
        {
            let request = server.request("POST", path).header("cookie", &cookie);
            let request =
                request.header("content-type", kind).header("origin", "https://evil.test");
            server.send(request.body("{}")).await.refused(415, "invalid_frame");
        }
    }
    let me = server.request("GET", "/api/v1/me").header("cookie", &cookie);
    server.send(me).await.ok();
    server.stop().await;
}

#[tokio::test]
async fn a5_several_origins_are_malformed() {
    let server = demo().await;
    let two = server.alice().request("GET", "/api/v1/me");
    let two = two.header("origin", "https://app.test").header("origin", "https://app.test");
    server.send(two).await.refused(400, "invalid_frame");
    let long = server.alice().request("GET", "/api/v1/me").header("origin", "x".repeat(8_192));
    server.send(long).await.refused(400, "invalid_frame");
    server.stop().await;
}

fn allows(answer: &Answer) -> (Option<&str>, bool) {
    let credentials = answer.header("access-control-allow-credentials") == Some("true");
    (answer.header("access-control-allow-origin"), credentials)
}

#[tokio::test]
async fn cors_is_open_for_tokens_and_closed_for_cookies() {
    let server = demo().await;
    let cookie = cookie(&server).await;
    let preflight = |origin: &str, headers: &str| {
        let request = server.request("OPTIONS", "/api/v1/conversations").header("origin", origin);
        let request = request.header("access-control-request-method", "POST");
        request.header("access-control-request-headers", headers)
    };
    for (origin, headers, expected) in [
        ("https://evil.test", "content-type", (None, false)),
        ("https://evil.test", "authorization, content-type", (Some("*"), false)),
        ("https://app.test", "content-type", (Some("https://app.test"), true)),
    ] {
        let answer = server.send(preflight(origin, headers)).await;
        assert_eq!(answer.status, 204);
        assert_eq!(allows(&answer), expected, "{origin} {headers}");
        let allowed = expected.0.is_some();
        assert_eq!(answer.header("access-control-allow-methods").is_some(), allowed);
    }
    let evil = ("origin", "https://evil.test");
    let with_token = server.alice().request("GET", "/api/v1/me").header(evil.0, evil.1);
    assert_eq!(allows(&server.send(with_token).await), (Some("*"), false));
    let both = server.alice().request("GET", "/api/v1/me").header(evil.0, evil.1);
    assert_eq!(allows(&server.send(both.header("cookie", &cookie)).await), (None, false));
    let nothing = server.request("GET", "/api/v1/me").header(evil.0, evil.1);
    let answer = server.send(nothing).await;
    assert_eq!((answer.status, allows(&answer)), (401, (None, false)));
    assert_eq!(answer.header("vary"), Some("Origin"));
    let app = server.request("GET", "/api/v1/me").header("origin", "https://app.test");
    let answer = server.send(app.header("cookie", &cookie)).await;
    assert_eq!((answer.status, allows(&answer)), (200, (Some("https://app.test"), true)));
    server.stop().await;
}

#[tokio::test]
async fn the_first_credential_present_decides() {
    let server = demo().await;
    let cookie = cookie(&server).await;
    let me = || server.request("GET", "/api/v1/me");
    for bad in [
        me().header("cookie", &cookie).bearer_auth("bad"),
        me().header("cookie", &cookie).header("authorization", "Basic YTpi"),
        me().header("cookie", &cookie).header("authorization", "Bearer"),
        me().header("cookie", &cookie).header("x-api-key", "pk_wrong"),
        me().header("cookie", "parlour_session=bad"),
        me().bearer_auth(&server.alice().token).header("authorization", "Bearer x"),
        server.request("GET", &format!("/api/v1/me?token={}", server.alice().token)),
        me(),
    ] {
        let answer = server.send(bad).await;
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        answer.refused(401, "not_authenticated");
    }
    let good = me().header("cookie", "parlour_session=bad").bearer_auth(&server.alice().token);
    server.send(good).await.ok();
    server.stop().await;
}

#[tokio::test]
async fn a_hosts_token_becomes_a_cookie() {
    let server = Server::start().await;
    let answer = server.alice().post("/api/v1/auth/session", &json!({})).await;
    assert_eq!(answer.status, 204);
    let cookie = answer.cookie();
    let me = || server.request("GET", "/api/v1/me").header("cookie", &cookie);
    assert_eq!(server.send(me()).await.ok()["id"], "1");
    let logout = server.request("POST", "/api/v1/auth/logout").header("cookie", &cookie);
    let logout = logout.header("origin", server.origin());
    assert_eq!(server.send(logout).await.status, 204);
    server.send(me()).await.refused(401, "not_authenticated");
    server.alice().get("/api/v1/me").await.ok();
    server.stop().await;
}

/// Tries a ticket at the polling stream, which answers at once.
async fn poll(server: &Server, ticket: &str, origin: Option<&str>) -> u16 {
    let path = format!("/api/v1/events/poll?ticket={ticket}");
    let mut request = server.request("GET", &path);
    if let Some(origin) = origin {
        request = request.header("origin", origin);
    }
    server.send(request).await.status
}

#[tokio::test]
async fn a7_of_many_takers_of_a_ticket_exactly_one_gets_it() {
    let server = Server::start().await;
    let answer = server.alice().post("/api/v1/auth/ticket", &json!({})).await.ok();
    assert_eq!(answer["expires_in"], 30);
    let ticket = answer["ticket"].as_str().unwrap();
    let takers = (0..16).map(|_| poll(&server, ticket, None));
    let answers = futures_util::future::join_all(takers).await;
    assert_eq!(answers.iter().filter(|status| **status == 200).count(), 1, "{answers:?}");
    assert_eq!(answers.iter().filter(|status| **status == 401).count(), 15, "{answers:?}");
    server.stop().await;
}

#[tokio::test]
async fn a8_a_ticket_is_for_the_page_that_asked() {
    let server = Server::start().await;
    let ticket = async |origin: &str| {
        let request =
            server.alice().request("POST", "/api/v1/auth/ticket").header("origin", origin);
        server.send(request).await.ok()["ticket"].as_str().unwrap().to_owned()
    };
    let taken = ticket("https://one.test").await;
    assert_eq!(poll(&server, &taken, Some("https://two.test")).await, 401);
    assert_eq!(poll(&server, &taken, Some("https://one.test")).await, 401, "it is spent");
    assert_eq!(poll(&server, &ticket("https://one.test").await, None).await, 401);
    assert_eq!(
        poll(&server, &ticket("https://one.test").await, Some("https://one.test")).await,
        200
    );
    // A page of our own asks for a stream without an Origin, and says so in another header.
    let path = format!("/api/v1/events/poll?ticket={}", ticket(&server.origin()).await);
    let own = server.request("GET", &path).header("sec-fetch-site", "same-origin");
    assert_eq!(server.send(own).await.status, 200);
    server.stop().await;
}
