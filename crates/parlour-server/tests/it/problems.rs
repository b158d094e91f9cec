//! Refusals have one shape, whatever is wrong; and the pages beside the API.

use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::support::{Server, Setup};

#[tokio::test]
async fn a23_unknown_paths_and_methods() {
    let server = Server::start().await;
    for (method, path, status, code) in [
        ("GET", "/api/v1/nothing", 404, "not_found"),
        ("GET", "/api", 404, "not_found"),
        ("POST", "/", 405, "unknown_type"),
        ("DELETE", "/api/v1/conversations", 405, "unknown_type"),
        ("PUT", "/api/v1/me", 405, "unknown_type"),
        ("POST", "/nothing", 404, "not_found"),
        ("GET", "/nothing.js", 404, "not_found"),
    ] {
        let answer = server.send(server.request(method, path)).await;
        assert_eq!(answer.header("allow").is_some(), status == 405, "{method} {path}");
        answer.refused(status, code);
    }
    server.stop().await;
}

#[tokio::test]
async fn bodies_that_are_not_what_is_asked_for() {
    let server = Server::start().await;
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let nested = format!(r#"{{"content":"x","metadata":{}1{}}}"#, "[".repeat(40), "]".repeat(40));
    for (kind, body, status, code) in [
        ("application/json", "", 400, "invalid_json"),
        ("application/json", "{", 400, "invalid_json"),
        ("application/json", "hello", 400, "invalid_json"),
        ("application/json", "\u{feff}{}", 400, "invalid_json"),
        ("application/json", r#"{"content":"a"}{"content":"b"}"#, 400, "invalid_json"),
        ("application/json", "[]", 400, "invalid_frame"),
        ("application/json", r#"{"content":"\ud800"}"#, 400, "invalid_frame"),
        ("application/json", r#"{"content":"a","content":"b"}"#, 400, "invalid_frame"),
        ("application/json", &deep, 400, "invalid_frame"),
        ("application/json", &nested, 400, "invalid_frame"),
        ("application/jsonp", r#"{"content":"a"}"#, 415, "invalid_frame"),
        ("text/plain", r#"{"content":"a"}"#, 415, "invalid_frame"),
        ("", r#"{"content":"a"}"#, 415, "invalid_frame"),
    ] {
        let request = server.alice().request("PATCH", "/api/v1/messages/1").body(body.to_owned());
        let request = if kind.is_empty() { request } else { request.header("content-type", kind) };
        server.send(request).await.refused(status, code);
    }
    let charset = server.alice().request("PATCH", "/api/v1/me").body(r#"{"name":"A"}"#);
    server.send(charset.header("content-type", "application/json; charset=utf-8")).await.ok();
    let large =
        server.alice().request("PATCH", "/api/v1/me").json(&json!({"name": "x".repeat(300_000)}));
    let body = server.send(large).await.refused(413, "too_long");
    assert_eq!(body["limit"], "body_bytes");
    server.stop().await;
}

/// Sends bytes as they are and reads what comes until the server closes.
async fn raw(server: &Server, request: &str) -> String {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn a16_a17_bodies_that_lie_about_their_length() {
    let server = Setup::new().with("limits.body_timeout", "300ms").start().await;
    let head = |more: &str| {
        format!(
            "POST /api/v1/auth/login HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n{more}\r\n\r\n"
        )
    };
    let huge = raw(&server, &head("content-length: 10000000000")).await;
    assert!(huge.starts_with("HTTP/1.1 413 ") && huge.contains(r#""code":"too_long""#), "{huge}");
    let slow = raw(&server, &format!("{}{{", head("content-length: 100"))).await;
    assert!(slow.starts_with("HTTP/1.1 408 "), "{slow}");
    let both = raw(
        &server,
        &format!("{}0\r\n\r\n", head("content-length: 5\r\ntransfer-encoding: chunked")),
    )
    .await;
    assert!(both.starts_with("HTTP/1.1 400 "), "{both}");
    let long = raw(&server, &head(&format!("x-long: {}", "y".repeat(100_000)))).await;
    assert!(long.starts_with("HTTP/1.1 431 "), "{long:.100}");
    server.stop().await;
}

#[tokio::test]
async fn every_answer_has_an_id_and_safe_headers() {
    let server = Server::start().await;
    let answer = server.send(server.request("GET", "/healthz")).await;
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cache-control", "no-store"),
    ] {
        assert_eq!(answer.header(name), Some(value));
    }
    assert!(answer.header("content-security-policy").unwrap().contains("frame-ancestors 'none'"));
    let id = answer.header("x-request-id").unwrap();
    assert_eq!(id.len(), 16);
    for (given, kept) in
        [("my-request-0001", true), ("short", false), ("bad id with spaces", false)]
    {
        let request = server.request("GET", "/api/v1/me").header("x-request-id", given);
        let body = server.send(request).await.refused(401, "not_authenticated");
        assert_eq!(body["request_id"] == given, kept, "{given}");
    }
    server.stop().await;
}

#[tokio::test]
async fn health_and_figures() {
    let server = Server::start().await;
    for path in ["/healthz", "/health", "/up", "/readyz"] {
        let health = server.send(server.request("GET", path)).await.ok();
        assert_eq!((&health["status"], &health["durability"]), (&json!("ok"), &json!("full")));
    }
    let figures = server.send(server.request("GET", "/metrics")).await;
    assert!(figures.header("content-type").unwrap().starts_with("application/openmetrics-text"));
    assert!(
        figures.text.contains("parlour_http_requests_total{") && figures.text.ends_with("# EOF\n")
    );
    server.stop().await;

    let server = Setup::new().with("metrics.listen", "127.0.0.1:0").start().await;
    server.send(server.request("GET", "/metrics")).await.refused(404, "not_found");
    server.stop().await;
}

#[tokio::test]
async fn the_reference_page_stands_alone() {
    let server = Server::start().await;
    let page = server.send(server.request("GET", "/docs")).await;
    assert_eq!(page.status, 200);
    assert!(page.header("content-security-policy").unwrap().starts_with("default-src 'none'"));
    assert!(page.text.contains("/api/v1/conversations/{id}/messages"));
    assert!(page.text.contains("id=\"not_found\""), "problems point here");
    for foreign in ["<script", "src=\"http", "href=\"http"] {
        assert!(!page.text.contains(foreign), "{foreign}");
    }
    let style = server.send(server.request("GET", "/docs/style.css")).await;
    assert!(style.header("content-type").unwrap().starts_with("text/css"));
    let native = server.send(server.request("GET", "/docs/native-protocol")).await;
    assert!(native.text.contains("parlour.v1"));
    let document = server.send(server.request("GET", "/openapi.json")).await.ok();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    server.stop().await;
}

#[tokio::test]
async fn a22_pages_of_the_inbox_never_leave_it() {
    let server = Server::start().await;
    let html = |path: &str| server.request("GET", path).header("accept", "text/html");
    let page = server.send(html("/")).await;
    assert_eq!(page.status, 200);
    assert!(page.header("content-type").unwrap().starts_with("text/html"));
    assert_eq!(server.send(html("/c/1")).await.text, page.text, "its own addresses give the page");
    for path in [
        "/%2e%2e/Cargo.toml",
        "/..%2fCargo.toml",
        "/%00",
        "//etc/passwd",
        "/a//b",
        "/x.php",
        "/etc\\passwd",
    ] {
        let answer = raw(
            &server,
            &format!(
                "GET {path} HTTP/1.1\r\nhost: x\r\naccept: text/html\r\nconnection: close\r\n\r\n"
            ),
        )
        .await;
        assert!(
            answer.starts_with("HTTP/1.1 404 ") || answer.starts_with("HTTP/1.1 400 "),
            "{path}: {answer:.60}"
        );
    }
    let dots = raw(&server, "GET /../../Cargo.toml HTTP/1.1\r\nhost: x\r\naccept: text/html\r\nconnection: close\r\n\r\n").await;
    assert!(dots.starts_with("HTTP/1.1 404 "), "{dots:.60}");
    server.stop().await;
}
