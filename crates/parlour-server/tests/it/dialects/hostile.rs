//! What no client should send: the error frame of the dialect, nothing stored, nobody else notices
//! (guarantees' tables C and D).

use serde_json::{Value, json};
use tungstenite::Message;

use super::{ALICE, ALL, BOB, DIRECT, Heard, INBOX, PLAIN, ROOM, Spoken, Stage};
use crate::gateway::client::End;

/// Texts that are no JSON, in whatever dialect.
fn no_json() -> Vec<String> {
    vec![
        String::new(),
        " ".to_owned(),
        "hello".to_owned(),
        "{".to_owned(),
        "{}{}".to_owned(),
        "{'type':1}".to_owned(),
        "\u{feff}{}".to_owned(),
        format!(r#"{{"type":"x","y":{}{}}}"#, "[".repeat(10_000), "]".repeat(10_000)),
    ]
}

/// JSON that is no frame of any dialect.
fn misfits() -> Vec<String> {
    let long_key = "k".repeat(60_000);
    [
        "null",
        "0",
        "[]",
        "true",
        "\"x\"",
        "{}",
        r#"{"type":null}"#,
        r#"{"type":5}"#,
        r#"["message","2","x"]"#,
        r#"{"__proto__":{"type":"message"}}"#,
    ]
    .into_iter()
    .map(str::to_owned)
    .chain([format!("{{\"{long_key}\":1}}")])
    .collect()
}

/// A send with something wrong in it, and the code of the refusal.
fn bad_sends(spoken: Spoken, stage: &Stage) -> Vec<(String, &'static str)> {
    let at = stage.place(ALICE);
    let field = match spoken.name {
        "direct" | "room" => "content",
        "inbox" => "text",
        _ => "message",
    };
    let with = |value: Value| {
        let mut frame = spoken.say(&at, ALICE, "");
        frame[field] = value;
        frame
    };
    let good = spoken.say(&at, ALICE, "MARK").to_string();
    let mut bad: Vec<(String, &'static str)> = vec![
        (with(json!("")).to_string(), "empty"),
        (with(json!(" \u{200b}\n\t")).to_string(), "empty"),
        (with(json!("x".repeat(16 * 1024 + 1))).to_string(), "too_long"),
        (with(json!("é".repeat(8 * 1024) + "x")).to_string(), "too_long"),
        (with(json!("a\u{0}b")).to_string(), "invalid_frame"),
        (with(json!(5)).to_string(), "invalid_frame"),
        (with(json!(["x"])).to_string(), "invalid_frame"),
        (with(json!({"x": 1})).to_string(), "invalid_frame"),
        (good.replace("MARK", r"\ud83d"), "invalid_frame"),
        (good.replace("MARK", r"\ude00\ud83d"), "invalid_frame"),
        (good.replacen('{', &format!("{{\"{field}\":\"first\","), 1), "invalid_frame"),
    ];
    for (name, code) in [
        (json!(""), "invalid_frame"),
        (json!(7), "invalid_frame"),
        (json!({}), "invalid_frame"),
        (json!("n".repeat(65)), "too_long"),
        (json!("a\u{0}b"), "invalid_frame"),
    ] {
        let mut frame = with(json!("named"));
        frame["client_id"] = name;
        bad.push((frame.to_string(), code));
    }
    if spoken.rich {
        let mut frame = with(json!("with a file"));
        frame["attachments"] = json!([{ "id": 1 }]);
        bad.push((frame.to_string(), "invalid_frame"));
        bad.push((r#"{"type":"no_such_type"}"#.to_owned(), "unknown_type"));
    } else {
        let mut frame = with(json!("with a picture"));
        frame["image"] = json!("data:image/png;base64,AAAA");
        bad.push((frame.to_string(), "invalid_frame"));
    }
    bad
}

/// Frames of other kinds with something wrong in them.
fn bad_others(spoken: Spoken) -> Vec<Value> {
    let huge = 9_007_199_254_740_992_u64;
    match spoken.name {
        "direct" => vec![
            json!({ "type": "typing", "receiver": 2 }),
            json!({ "type": "typing", "receiver": [2], "is_typing": true }),
            json!({ "type": "read", "message_ids": "all" }),
            json!({ "type": "read", "message_ids": [huge] }),
            json!({ "type": "edit", "id": -1, "content": "x" }),
            json!({ "type": "delete", "id": null }),
        ],
        "inbox" => vec![
            json!({ "type": "chat_message", "text": "to nobody" }),
            json!({ "type": "typing_indicator", "is_typing": true }),
            json!({ "type": "read_receipt", "message_ids": [1.5] }),
            json!({ "type": "join_conversation" }),
            json!({ "type": "join_conversation", "conversation_id": "../1" }),
            json!({ "type": "leave_conversation", "conversation_id": huge }),
            json!({ "type": "edit_message", "message_id": 1 }),
            json!({ "type": "delete_message", "message_id": "x" }),
        ],
        "room" => vec![
            json!({ "type": "typing_indicator", "is_typing": "yes" }),
            json!({ "type": "read_receipt", "message_id": [1] }),
            json!({ "type": "read_receipt" }),
            json!({ "type": "edit_message", "message_id": {}, "content": "x" }),
            json!({ "type": "delete_message", "message_id": 1e300 }),
        ],
        _ => vec![
            json!({ "message": "x", "item_id": -1 }),
            json!({ "message": "x", "recipient_id": {} }),
            json!({ "message": "x", "sender_id": true }),
        ],
    }
}

#[test]
fn d_hostile_frames_get_an_error_and_nothing_else_happens() {
    for spoken in ALL {
        let stage = Stage::new();
        let mut alice = stage.socket(spoken, ALICE);
        let mut bystander = stage.socket(spoken, BOB);
        let mut count = 0;
        let mut refused = |text: &str, code: &str| {
            alice.send_text(text);
            alice.refused(code);
            count += 1;
        };
        for (n, text) in no_json().iter().enumerate() {
            refused(text, "invalid_json");
            if n % 5 == 4 {
                // Not ten in a row.
                refused("{}", "invalid_frame");
            }
        }
        for text in misfits() {
            refused(&text, "invalid_frame");
        }
        for (text, code) in bad_sends(spoken, &stage) {
            refused(&text, code);
        }
        for frame in bad_others(spoken) {
            refused(&frame.to_string(), "invalid_frame");
        }
        assert!(count > 30);
        assert_eq!(stage.history(BOB), [], "{}", spoken.name);
        let marker = alice.said("marker");
        let heard = bystander.until("marker");
        let others: Vec<_> = heard.iter().filter(|h| !matches!(h, Heard::Greeting(_))).collect();
        assert_eq!(others.len(), 1, "{}: {others:?}", spoken.name);
        alice.leave();
        bystander.leave();
        assert_eq!(stage.history(BOB), [(marker, "marker".to_owned())], "{}", spoken.name);
    }
}

#[test]
fn d5_ten_texts_in_a_row_that_are_no_json_end_it() {
    let stage = Stage::new();
    for spoken in ALL {
        let mut alice = stage.socket(spoken, ALICE);
        let mut other = stage.socket(spoken, ALICE);
        for _ in 0..9 {
            alice.send_text("nonsense");
        }
        alice.said("one good frame begins the count anew");
        for _ in 0..10 {
            alice.send_text("nonsense");
        }
        assert_eq!(alice.end(), End::Closed(4400, "protocol_broken".to_owned()));
        assert!(alice.heard.iter().filter(|heard| heard.is_error("invalid_json")).count() >= 18);
        other.settle();
        other.leave();
    }
}

#[test]
fn c_what_is_no_text_or_too_large_ends_that_socket_alone() {
    let stage = Stage::new();
    for spoken in ALL {
        let mut witness = stage.socket(spoken, ALICE);
        let mut one = stage.socket(spoken, ALICE);
        one.client.socket.send(Message::binary(vec![1, 2, 3])).unwrap();
        assert!(matches!(one.end(), End::Closed(1003, _)), "{}", spoken.name);
        let mut one = stage.socket(spoken, ALICE);
        one.send_text(&"x".repeat(70_000));
        assert!(matches!(one.end(), End::Closed(1009, _)), "{}", spoken.name);
        witness.said("still here");
        witness.leave();
    }
}

#[test]
fn d2_d13_strange_texts_are_kept_as_they_are() {
    let stage = Stage::new();
    let texts = [
        "'); DROP TABLE messages; --",
        "<script>alert(1)</script>",
        "\u{202e}gnp.exe\u{202c} e\u{301}\u{301}\u{301} \u{1f469}\u{200d}\u{1f469}",
        "{\"type\":\"error\"}",
        "line\nbreak\ttab \\ \" /",
        "\u{7f}\u{85}\u{fffd}",
    ];
    for spoken in ALL {
        let mut alice = stage.socket(spoken, ALICE);
        let mut bob = stage.socket(spoken, BOB);
        for text in texts {
            alice.said(text);
            assert_eq!(bob.durable_until(text).len(), 1, "{}: {text}", spoken.name);
        }
        let mut most = "x".repeat(16 * 1024 - 4);
        most.push('\u{1f600}');
        alice.said(&most);
        bob.wait(|heard| heard.says(&most));
        alice.leave();
        bob.leave();
    }
    let kept = stage.history(BOB);
    for text in texts {
        assert_eq!(kept.iter().filter(|(_, known)| known == text).count(), ALL.len(), "{text}");
    }
}

#[test]
fn fields_of_no_concern_do_no_harm() {
    let stage = Stage::new();
    for (spoken, more) in
        [(DIRECT, "id"), (INBOX, "message_id"), (ROOM, "read_by"), (PLAIN, "type_")]
    {
        let mut alice = stage.socket(spoken, ALICE);
        let mut frame = spoken.say(&stage.place(ALICE), ALICE, "with more");
        frame[more] = json!({ "deep": [1, 2, { "x": null }] });
        frame["constructor"] = json!("x");
        frame["__proto__"] = json!({ "admin": true });
        alice.send(&frame);
        alice.own("with more");
        alice.leave();
    }
}
