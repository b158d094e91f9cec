//! Each command is carried out once and answered once, for those who may.

use serde_json::json;

use super::{Client, Server, code, direct, group, is, say};

#[test]
fn a_message_reaches_both_and_the_sender_has_its_reply_in_its_place() {
    let server = Server::start();
    let (mut alice, mut bob) = (server.live("1"), server.live("2"));
    let conversation = direct(&mut alice, "2");
    let created = bob.wait(is("conversation.created"));
    assert_eq!(created["conversation"]["id"], conversation);
    assert!(created.get("seq").is_none());

    let hello = say(&mut alice, conversation, "hello");
    let event = bob.wait(is("message.created"));
    assert_eq!(event["seq"], 1);
    assert_eq!(event["message"], hello);
    assert_eq!(hello["change_seq"], 1);
    let answer = say(&mut bob, conversation, "hi");
    assert_eq!(alice.wait(is("message.created"))["message"], answer);
    assert_eq!(answer["seq"], 2);
    // The sending socket has no event beside its reply.
    assert!(!bob.settle().iter().any(is("message.created")));
}

#[test]
fn another_socket_of_the_sender_gets_the_event() {
    let server = Server::start();
    let (mut phone, mut laptop) = (server.live("1"), server.live("1"));
    let conversation = direct(&mut phone, "2");
    let sent = say(&mut phone, conversation, "from the phone");
    assert_eq!(laptop.wait(is("message.created"))["message"], sent);
}

#[test]
fn edits_and_deletions_reach_everybody_and_leave_a_tombstone() {
    let server = Server::start();
    let (mut alice, mut bob) = (server.live("1"), server.live("2"));
    let conversation = direct(&mut alice, "2");
    let id = say(&mut alice, conversation, "frist")["id"].clone();
    let edit = alice.ask(json!({ "type": "message.edit", "message_id": id, "content": "first" }));
    assert_eq!(edit["ok"]["message"]["change_seq"], 2);
    let edited = bob.wait(is("message.edited"));
    assert_eq!((&edited["seq"], &edited["message"]["content"]), (&json!(2), &json!("first")));
    // The same text again is no Change, and is answered all the same.
    let again = alice.ask(json!({ "type": "message.edit", "message_id": id, "content": "first" }));
    assert_eq!(again["ok"]["duplicate"], true);
    let theirs = bob.ask(json!({ "type": "message.edit", "message_id": id, "content": "mine" }));
    assert_eq!(code(&theirs), "forbidden");
    alice.ask(json!({ "type": "message.delete", "message_id": id }));
    let deleted = bob.wait(is("message.deleted"));
    assert_eq!(deleted["message"]["content"], json!(null));
    assert!(!deleted.to_string().contains("first"));
}

#[test]
fn g3_the_same_client_id_is_the_same_message() {
    let server = Server::start();
    let (mut alice, mut other) = (server.live("1"), server.live("1"));
    let conversation = direct(&mut alice, "2");
    let send = json!({ "type": "message.send", "conversation_id": conversation, "content": "once", "client_id": "c1" });
    let first = alice.ask(send.clone());
    let again = alice.ask(send.clone());
    let elsewhere = other.ask(send.clone());
    assert_eq!(first["ok"]["duplicate"], false);
    for repeated in [again, elsewhere] {
        assert_eq!(repeated["ok"]["duplicate"], true);
        assert_eq!(repeated["ok"]["message"], first["ok"]["message"]);
    }
    let mut changed = send;
    changed["content"] = json!("twice");
    assert_eq!(code(&alice.ask(changed)), "conflict");
    assert_eq!(say(&mut alice, conversation, "next")["seq"], 2);
}

#[test]
fn g4_sends_of_one_frame_keep_their_order() {
    let server = Server::start();
    let (mut alice, mut bob) = (server.live("1"), server.live("2"));
    let conversation = direct(&mut alice, "2");
    let batch: Vec<_> = (1..=40)
        .map(|n| json!({ "type": "message.send", "id": 1000 + n, "conversation_id": conversation, "content": n.to_string() }))
        .collect();
    alice.send(&json!(batch));
    for n in 1..=40 {
        let reply = alice.wait(is("reply"));
        assert_eq!(reply["id"], 1000 + n);
        assert_eq!(reply["ok"]["message"]["seq"], n);
        let event = bob.wait(is("message.created"));
        assert_eq!(
            (&event["seq"], &event["message"]["content"]),
            (&json!(n), &json!(n.to_string()))
        );
    }
}

#[test]
fn an_id_is_taken_until_its_reply_has_come_and_no_longer() {
    let server = Server::start();
    let mut alice = server.live("1");
    let conversation = direct(&mut alice, "2");
    let send = json!({ "type": "message.send", "id": 1000, "conversation_id": conversation, "content": "x" });
    for seq in 1..=500 {
        alice.send(&send);
        let reply = alice.wait(is("reply"));
        assert_eq!(reply["ok"]["message"]["seq"], seq, "{reply}");
    }
    alice.send(&json!([send, send]));
    let answers = [alice.wait(is("reply")), alice.wait(is("reply"))];
    let refused = answers.iter().filter(|answer| answer["error"]["code"] == "conflict").count();
    assert_eq!(refused, 1, "{answers:?}");
    assert_eq!(say(&mut alice, conversation, "next")["seq"], 502);
}

#[test]
fn g10_who_was_removed_hears_that_and_nothing_after_it() {
    let server = Server::start();
    let (mut alice, mut bob, mut carol) = (server.live("1"), server.live("2"), server.live("3"));
    let conversation = group(&mut alice, &["2", "3"]);
    say(&mut alice, conversation, "before");
    assert_eq!(carol.wait(is("message.created"))["seq"], 1);
    alice.ask(
        json!({ "type": "participant.remove", "conversation_id": conversation, "user_id": "3" }),
    );
    let left = carol.wait(is("participant.left"));
    assert_eq!((&left["seq"], &left["user_id"]), (&json!(2), &json!("3")));
    say(&mut alice, conversation, "secret after");
    assert_eq!(bob.wait(|f| f["seq"] == 3)["message"]["content"], "secret after");
    let rest = carol.settle();
    assert!(rest.iter().all(|frame| !frame.to_string().contains("secret after")), "{rest:?}");
    let send =
        json!({ "type": "message.send", "conversation_id": conversation, "content": "still here" });
    assert_eq!(code(&carol.ask(send)), "not_found");

    // Added again, he hears what is said from then on.
    alice
        .ask(json!({ "type": "participant.add", "conversation_id": conversation, "user_id": "3" }));
    assert_eq!(carol.wait(is("participant.joined"))["seq"], 4);
    say(&mut alice, conversation, "welcome back");
    assert_eq!(carol.wait(is("message.created"))["message"]["content"], "welcome back");
}

#[test]
fn g11_a_stranger_gets_the_same_answer_for_what_is_and_what_is_not() {
    let server = Server::start();
    let (mut alice, mut mallory) = (server.live("1"), server.live("9"));
    let conversation = direct(&mut alice, "2");
    let message = say(&mut alice, conversation, "secret-marker-1")["id"].clone();
    for id in [conversation, 999_999] {
        for command in [
            json!({ "type": "message.send", "conversation_id": id, "content": "x" }),
            json!({ "type": "read", "conversation_id": id, "seq": 1 }),
            json!({ "type": "typing", "conversation_id": id, "active": true }),
            json!({ "type": "participant.add", "conversation_id": id, "user_id": "9" }),
            json!({ "type": "participant.remove", "conversation_id": id, "user_id": "1" }),
        ] {
            let reply = mallory.ask(command.clone());
            assert_eq!(code(&reply), "not_found", "{command}");
        }
    }
    for id in [message, json!(999_999)] {
        let edit = json!({ "type": "message.edit", "message_id": id, "content": "x" });
        assert_eq!(code(&mallory.ask(edit)), "not_found");
        assert_eq!(
            code(&mallory.ask(json!({ "type": "message.delete", "message_id": id }))),
            "not_found"
        );
    }
    let heard = mallory.settle();
    assert!(heard.iter().all(|frame| !frame.to_string().contains("secret-marker")), "{heard:?}");
}

#[test]
fn g14_what_cannot_be_understood_is_answered_too() {
    let server = Server::start();
    let (mut alice, _) = Client::connect(server.address(), &server.token("1"));
    let answer = |client: &mut Client, text: &str| {
        client.socket.send(tungstenite::Message::text(text)).unwrap();
        client.wait(is("reply"))
    };
    for (text, expected) in [
        ("not json", "invalid_json"),
        ("null", "invalid_frame"),
        ("[]", "invalid_frame"),
        ("0", "invalid_frame"),
        (r#"{"type":"nonsense"}"#, "unknown_type"),
        (r#"{"type":"message.send","conversation_id":1}"#, "invalid_frame"),
        (r#"{"type":"message.send","conversation_id":1,"content":"\ud800"}"#, "invalid_frame"),
        (r#"{"type":"message.send","conversation_id":1,"content":"a\u0000b"}"#, "invalid_frame"),
        (r#"{"type":"message.send","conversation_id":1,"content":" \u200b "}"#, "empty"),
    ] {
        let reply = answer(&mut alice, text);
        assert_eq!(code(&reply), expected, "{text}");
        assert!(reply.get("id").is_none(), "{reply}");
    }
    let long = json!({ "type": "message.send", "id": 5, "conversation_id": 1, "content": "x".repeat(16 * 1024 + 1) });
    let reply = answer(&mut alice, &long.to_string());
    assert_eq!(
        (code(&reply), &reply["id"], &reply["error"]["limit"]),
        ("too_long", &json!(5), &json!("content_bytes"))
    );
}

#[test]
fn g12_reading_moves_the_mark_forward_for_everybody() {
    let server = Server::start();
    let (mut alice, mut bob) = (server.live("1"), server.live("2"));
    let conversation = direct(&mut alice, "2");
    for text in ["one", "two", "three"] {
        say(&mut alice, conversation, text);
    }
    let read = bob.ask(json!({ "type": "read", "conversation_id": conversation, "seq": 2 }));
    assert_eq!(read["ok"], json!({ "delivered_seq": 2, "read_seq": 2 }));
    let receipt = alice.wait(is("receipt"));
    assert_eq!((&receipt["user_id"], &receipt["read_seq"]), (&json!("2"), &json!(2)));
    // Backwards and past the end: where it stands, and no further.
    let back = bob.ask(json!({ "type": "read", "conversation_id": conversation, "seq": 1 }));
    assert_eq!(back["ok"]["read_seq"], 2);
    let far = bob.ask(json!({ "type": "read", "conversation_id": conversation, "seq": 99 }));
    assert_eq!(far["ok"]["read_seq"], 3);
    assert_eq!(alice.wait(is("receipt"))["read_seq"], 3);
    assert!(!alice.settle().iter().any(is("receipt")));
}

#[test]
fn i1_past_the_rate_sends_are_refused_and_nothing_is_stored() {
    let server =
        Server::with(&[("PARLOUR_RATE_LIMITS", "on"), ("PARLOUR_LIMITS_COMMANDS_BURST", "1000")]);
    let mut alice = server.live("1");
    let conversation = direct(&mut alice, "2");
    let mut stored = 0;
    let refusal = loop {
        let send =
            json!({ "type": "message.send", "conversation_id": conversation, "content": "spam" });
        let reply = alice.ask(send);
        if reply.get("error").is_some() {
            break reply;
        }
        stored += 1;
        assert!(stored < 500, "no limit is in force");
    };
    assert_eq!((code(&refusal), &refusal["error"]["class"]), ("rate_limited", &json!("retry")));
    assert!(
        refusal["error"]["retry_after_ms"].as_u64().is_some_and(|ms| (1..=1_000).contains(&ms))
    );
    assert!(stored >= 50, "the burst is 50, {stored} came through");
}

#[test]
fn g10_what_becomes_of_messages_from_before_one_came_is_not_told() {
    let server = Server::start();
    let (mut alice, mut carol) = (server.live("1"), server.live("3"));
    let conversation = group(&mut alice, &["2"]);
    let early = say(&mut alice, conversation, "secret-marker-3")["id"].clone();
    alice
        .ask(json!({ "type": "participant.add", "conversation_id": conversation, "user_id": "3" }));
    carol.wait(is("participant.joined"));
    alice.ask(json!({ "type": "message.edit", "message_id": early, "content": "secret-marker-4" }));
    // The Change is named, so that there is no gap, but nothing of it is told.
    let skipped = carol.wait(is("skipped"));
    assert_eq!(skipped["seq"], 3);
    say(&mut alice, conversation, "hello carol");
    assert_eq!(carol.wait(is("message.created"))["seq"], 4);
    assert!(!format!("{:?}", carol.settle()).contains("secret-marker"));
}

#[test]
fn who_returns_sees_what_becomes_of_what_was_said_while_he_was_there() {
    let server = Server::start();
    let (mut alice, mut carol) = (server.live("1"), server.live("3"));
    let conversation = group(&mut alice, &["3"]);
    let seen = say(&mut alice, conversation, "seen")["id"].clone();
    for kind in ["participant.remove", "participant.add"] {
        alice.ask(json!({ "type": kind, "conversation_id": conversation, "user_id": "3" }));
    }
    alice.ask(json!({ "type": "message.edit", "message_id": seen, "content": "edited" }));
    assert_eq!(carol.wait(is("message.edited"))["message"]["content"], "edited");
    let mut laptop = server.live("3");
    alice.ask(json!({ "type": "message.edit", "message_id": seen, "content": "again" }));
    assert_eq!(laptop.wait(is("message.edited"))["message"]["content"], "again");
}
