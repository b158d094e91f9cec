//! Who gets a socket, and who is refused before the upgrade (guarantees part 4A).

use serde_json::json;

use super::{Client, End, Server, code, is};

fn status(server: &Server, path: &str, headers: &[(&str, &str)]) -> u16 {
    match Client::open(server.address(), path, headers) {
        Ok(_) => 101,
        Err(status) => status,
    }
}

#[test]
fn a_rows_of_the_handshake() {
    let server = Server::start();
    let good = format!("Bearer {}", server.token("1"));
    let foreign = ("origin", "https://evil.test");
    let check = |path: &str, headers: &[(&str, &str)], expected: u16| {
        assert_eq!(status(&server, path, headers), expected, "{path} {headers:?}");
    };
    check("/api/v1/ws", &[("authorization", &good)], 101);
    check("/api/v1/ws", &[("authorization", &good), foreign], 101);
    check("/api/v1/ws", &[("authorization", "Bearer nonsense")], 401);
    check("/api/v1/ws", &[("authorization", "Basic YTpi")], 401);
    check(&format!("/api/v1/ws?token={}", server.token("1")), &[], 400);
    check("/api/v1/ws?ticket=nonsense", &[], 401);
    check("/api/v1/ws", &[("authorization", &good), ("sec-websocket-protocol", "chess")], 400);
    check("/api/v1/ws", &[("cookie", "parlour_session=nonsense")], 403);
    check(
        "/api/v1/ws?device=0123456789012345678901234567890123456789012345678901234567890123456789",
        &[("authorization", &good)],
        413,
    );
}

#[test]
fn a13_the_subprotocol_is_one_that_was_offered() {
    let server = Server::start();
    let token = server.token("1");
    let chosen = |offer: &str| {
        let headers = [("sec-websocket-protocol", offer)];
        Client::open(server.address(), "/api/v1/ws", &headers).unwrap().1
    };
    assert_eq!(chosen(&format!("bearer, {token}")).as_deref(), Some("bearer"));
    assert_eq!(chosen(&format!("parlour.v1, bearer, {token}")).as_deref(), Some("parlour.v1"));
    assert_eq!(
        chosen(&format!("chess, parlour.v1, bearer, {token}")).as_deref(),
        Some("parlour.v1")
    );
}

#[test]
fn a10_before_the_sign_in_nothing_else_is_heard() {
    let server = Server::start();
    let (mut client, _) = Client::open(server.address(), "/api/v1/ws", &[]).unwrap();
    client.send(&json!({ "type": "message.send", "id": 1, "conversation_id": 1, "content": "x" }));
    assert_eq!(code(&client.wait(is("reply"))), "not_authenticated");
    assert!(matches!(client.end(), End::Closed(4401, _)));

    let (mut client, _) = Client::open(server.address(), "/api/v1/ws", &[]).unwrap();
    client.send(&json!({ "type": "auth", "id": 1, "token": "nonsense" }));
    assert_eq!(code(&client.wait(is("reply"))), "not_authenticated");
    assert!(matches!(client.end(), End::Closed(4401, _)));
}

#[test]
fn a_socket_may_sign_in_with_its_first_frame() {
    let server = Server::start();
    let (mut client, _) = Client::open(server.address(), "/api/v1/ws", &[]).unwrap();
    let reply = client.ask(json!({ "type": "auth", "token": server.token("1") }));
    assert_eq!(reply["ok"]["user"]["id"], "1", "{reply}");
    assert!(reply["ok"]["expires_at"].is_string(), "{reply}");
    assert_eq!(client.wait(is("hello"))["user"]["id"], "1");
    assert!(client.ask(json!({ "type": "resume", "positions": [] })).get("ok").is_some());
}

#[test]
fn who_does_not_sign_in_is_closed() {
    let server = Server::with(&[("PARLOUR_LIMITS_AUTH_TIMEOUT", "1s")]);
    let (mut client, _) = Client::open(server.address(), "/api/v1/ws", &[]).unwrap();
    assert!(matches!(client.end(), End::Closed(4408, _)));
}

#[test]
fn i6_the_21st_socket_of_a_user_is_refused_and_the_others_live_on() {
    let server = Server::start();
    let mut sockets: Vec<_> = (0..20).map(|_| server.live("1")).collect();
    let good = format!("Bearer {}", server.token("1"));
    assert_eq!(status(&server, "/api/v1/ws", &[("authorization", &good)]), 429);
    for socket in &mut sockets {
        socket.settle();
    }
}
