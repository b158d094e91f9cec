//! What clients of one-conversation sockets are told, where the transcripts of all dialects do not reach.

use std::sync::Arc;

use parlour_core::{
    MessageId, Seq, UserId,
    event::{Covered, Event},
    model::{Content, Message, MessageKind, Watermark},
    testing::user,
};
use parlour_wire::{
    Audience, Dialect, Place, Scene, Settings,
    plain::Plain,
    room::{ChatMessage, Room},
};

use crate::fixtures::{envelope, message, place, profile, written};

/// What others are told of an event in an ordinary conversation of two, with who has read how far.
fn told(dialect: &dyn Dialect, event: Event, read: &[(UserId, Seq)], place: &Place) -> Vec<String> {
    let settings = Settings::default();
    let scene = Scene { place: Some(place), read, settings: &settings };
    written(|out| dialect.encode(&envelope(Some(1), event), Audience::Others, &scene, out))
}

fn saying(metadata: Option<&str>) -> Message {
    let content = Content { text: "Booked".into(), metadata: metadata.map(Into::into) };
    Message { content: Some(content), ..Arc::unwrap_or_clone(message(1, Some(""))) }
}

/// By somebody whose id is no number, said by the system, edited before it was seen, without a client id.
fn strange() -> Arc<Message> {
    Arc::new(Message {
        sender: profile("host/7", "Host"),
        client_id: None,
        kind: MessageKind::System,
        edited_at: Some(1_767_225_601_123),
        ..saying(None)
    })
}

#[test]
fn m7_a_strange_message_has_every_field_that_an_ordinary_one_has() {
    let read =
        [(user("host/7"), Seq(3)), (user("2"), Seq(1)), (user("c"), Seq(1)), (user("4"), Seq(0))];
    assert_eq!(
        told(&Room, Event::MessageCreated(strange()), &read, &place()),
        [concat!(
            r#"{"type":"chat_message","message_id":10,"conversation_id":1,"sender_id":"host/7","sender_name":"Host","#,
            r#""content":"Booked","attachments":[],"created_at":"2026-01-01T00:00:00.123Z","#,
            r#""timestamp":"2026-01-01T00:00:00.123Z","is_edited":true,"read_by":[2,"c"],"client_id":null}"#
        )]
    );
    assert_eq!(
        told(&Plain, Event::MessageCreated(strange()), &read, &place()),
        [concat!(
            r#"{"message":"Booked","sender_id":"host/7","sender_username":"host","#,
            r#""timestamp":"Jan. 01, 2026, 12:00 AM","message_id":10,"image":null,"item_id":null}"#
        )]
    );
}

#[test]
fn pages_of_history_hold_the_same_objects() {
    let page = serde_json::to_string(&ChatMessage::new(&strange(), &[])).unwrap();
    assert_eq!(told(&Room, Event::MessageCreated(strange()), &[], &place()), [page]);
    assert!(ChatMessage::new(&message(3, None), &[]).is_none(), "deleted messages are left out");
}

#[test]
fn a_receipt_names_the_newest_two_hundred() {
    let covered = (1..=300).map(|id| Covered { message: MessageId(id), sender: user("1") });
    let mark = |seq| Watermark { delivered: Seq(seq), read: Seq(seq) };
    let receipt = Event::Receipt {
        user: user("2"),
        from: mark(0),
        to: mark(300),
        version: 1,
        covered: covered.collect(),
    };
    let frames = told(&Room, receipt, &[], &place());
    assert_eq!(frames.len(), 200);
    assert_eq!(frames[0], r#"{"type":"read_receipt","message_id":101,"user_id":2}"#);
    assert_eq!(frames[199], r#"{"type":"read_receipt","message_id":300,"user_id":2}"#);
}

#[test]
fn g21_a_tombstone_is_no_message() {
    for dialect in [&Room as &dyn Dialect, &Plain] {
        let gone = Event::MessageCreated(message(3, None));
        assert_eq!(told(dialect, gone, &[], &place()), [""; 0]);
    }
}

/// The `item_id` that is written for some metadata in a conversation with some subject.
fn item(metadata: Option<&str>, subject: Option<&str>) -> Option<u64> {
    let place = Place { subject: subject.map(Into::into), ..place() };
    let frames = told(&Plain, Event::MessageCreated(Arc::new(saying(metadata))), &[], &place);
    let frame: serde_json::Value = serde_json::from_str(&frames[0]).unwrap();
    assert!(frame["item_id"].is_u64() || frame["item_id"].is_null(), "{frame}");
    frame["item_id"].as_u64()
}

#[test]
fn an_item_is_the_message_s_else_the_conversation_s() {
    let check = |metadata, subject, expected| {
        assert_eq!(item(metadata, subject), expected, "{metadata:?} {subject:?}");
    };
    check(Some(r#"{"item_id":5}"#), Some("item/6"), Some(5));
    check(Some(r#"{"mood":"good"}"#), Some("item/6"), Some(6));
    check(Some(r#"{"item_id":{"a":[1]}}"#), Some("item/6"), Some(6));
    check(None, Some("item/6"), Some(6));
    for subject in ["booking/6", "item/06", "item/+6", "item/-6", "item/", "item/x", "item/1e3"] {
        check(None, Some(subject), None);
    }
    check(None, Some("item/9007199254740992"), None);
    check(None, None, None);
}
