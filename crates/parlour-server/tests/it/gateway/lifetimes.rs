//! How connections end: each for its own reason, with its own code.

use serde_json::json;
use tungstenite::Message;

use super::{Client, End, Server, direct, is, say, server::now};

#[test]
fn d5_ten_frames_that_are_no_json_end_it() {
    let server = Server::start();
    let mut alice = server.live("1");
    for _ in 0..9 {
        alice.socket.send(Message::text("nonsense")).unwrap();
    }
    // One good frame, and the count begins anew.
    alice.settle();
    for _ in 0..10 {
        alice.socket.send(Message::text("nonsense")).unwrap();
    }
    assert!(matches!(alice.end(), End::Closed(4400, _)));
}

#[test]
fn what_is_no_text_or_too_large_ends_it() {
    let server = Server::start();
    let mut alice = server.live("1");
    alice.socket.send(Message::binary(vec![1, 2, 3])).unwrap();
    assert!(matches!(alice.end(), End::Closed(1003, _)));
    let mut alice = server.live("1");
    alice.socket.send(Message::text("x".repeat(70_000))).unwrap();
    assert!(matches!(alice.end(), End::Closed(1009, _)));
}

#[test]
fn g23_a_sign_in_ends_when_it_says_and_can_be_renewed_before() {
    let server = Server::start();
    let mut alice = Client::live(server.address(), &server.token_until("1", now() + 3));
    let mut bob = Client::live(server.address(), &server.token_until("2", now() + 3));
    alice.wait(is("expiring"));
    let renewed =
        alice.ask(json!({ "type": "auth", "token": server.token_until("1", now() + 3600) }));
    assert!(renewed["ok"]["expires_at"].is_string(), "{renewed}");
    assert!(matches!(bob.end(), End::Closed(4401, _)));
    alice.settle();
}

#[test]
fn a11_nobody_becomes_somebody_else() {
    let server = Server::start();
    let mut alice = server.live("1");
    alice.send(&json!({ "type": "auth", "id": 1, "token": server.token("2") }));
    assert!(matches!(alice.end(), End::Closed(4401, _)));
}

#[test]
fn g20_who_does_not_answer_a_ping_is_closed() {
    let server = Server::with(&[
        ("PARLOUR_LIMITS_PING_INTERVAL", "1s"),
        ("PARLOUR_LIMITS_PONG_TIMEOUT", "1s"),
    ]);
    let _silent = server.live("1");
    let mut alive = server.live("2");
    // The one that reads answers pings by itself; the other's library is never called.
    server.wait_for_metric("parlour_closes_total{code=\"4408\"} 1", || {
        alive.settle();
    });
    alive.settle();
}

#[test]
fn g9_a_slow_reader_is_closed_and_nobody_else_notices() {
    let server = Server::with(&[
        ("PARLOUR_LIMITS_QUEUE_BYTES", "65536"),
        ("PARLOUR_LIMITS_WRITE_TIMEOUT", "2s"),
    ]);
    let (mut alice, mut bob, slow) = (server.live("1"), server.live("2"), server.live("2"));
    let conversation = direct(&mut alice, "2");
    let text = "x".repeat(15_000);
    server.wait_for_metric("parlour_closes_total{code=\"4508\"} 1", || {
        let sent = say(&mut alice, conversation, &text);
        assert_eq!(bob.wait(is("message.created"))["message"]["id"], sent["id"]);
    });
    drop(slow);
}

#[test]
fn a_newer_socket_of_the_same_device_takes_over() {
    let server = Server::start();
    let bearer = format!("Bearer {}", server.token("1"));
    let open = || {
        Client::open(server.address(), "/api/v1/ws?device=phone", &[("authorization", &bearer)])
            .unwrap()
            .0
    };
    let mut old = open();
    // It is taken in when it is greeted.
    old.wait(is("hello"));
    let mut new = open();
    assert!(matches!(old.end(), End::Closed(4409, _)));
    new.wait(is("hello"));
}

#[test]
fn a_clean_close_is_answered_at_once() {
    let server = Server::start();
    let mut alice = server.live("1");
    alice.socket.close(None).unwrap();
    assert!(matches!(alice.end(), End::Closed(1000 | 1005, _)));
}

#[test]
fn g18_the_end_of_the_server_is_told_with_a_time_to_come_back() {
    let server = Server::start();
    let mut alice = server.live("1");
    server.stop();
    let told = alice.wait(is("restarting"));
    assert!(told["retry_after_ms"].is_u64(), "{told}");
    let End::Closed(1012, reason) = alice.end() else { panic!("not told to come back") };
    assert!(reason.starts_with("retry_after_ms="), "{reason}");
}

#[test]
fn g10_a_revoked_session_ends_its_sockets() {
    let server = Server::start();
    let access = server.register("dora", "correct horse battery");
    let mut dora = Client::live(server.address(), &access);
    server.log_out(&access);
    assert!(matches!(dora.end(), End::Closed(4401, _)));
}
