//! What clients of one-user sockets are told where the transcripts of all dialects do not reach.

use std::sync::Arc;

use parlour_core::{
    Seq, UserId,
    event::{Envelope, Event},
    limits::Limits,
    model::{ConversationKind, Message, Watermark},
    testing::user,
};
use parlour_wire::{
    Audience, Dialect, Place, Scene, Settings,
    direct::Direct,
    inbox::{Inbox, NewMessage},
};

use crate::fixtures::{alice, envelope, events, hello, message, place, profile, written};

fn encode(
    dialect: &dyn Dialect,
    event: &Envelope,
    place: &Place,
    read: &[(UserId, Seq)],
) -> Vec<String> {
    let settings = Settings::default();
    let scene = Scene { place: Some(place), read, settings: &settings };
    written(|out| dialect.encode(event, Audience::Others, &scene, out))
}

fn created(message: Arc<Message>) -> Envelope {
    envelope(Some(1), Event::MessageCreated(message))
}

#[test]
fn a_direct_message_is_read_when_its_receiver_has_read_it() {
    let is_read = |read: &[(UserId, Seq)]| {
        let frames = encode(&Direct, &created(message(1, Some("Hello"))), &place(), read);
        let frame: serde_json::Value = serde_json::from_str(&frames[0]).unwrap();
        frame["message"]["is_read"].as_bool().unwrap()
    };
    assert!(is_read(&[(user("1"), Seq(0)), (user("2"), Seq(1))]));
    assert!(!is_read(&[(user("1"), Seq(9)), (user("2"), Seq(0))]));
    assert!(!is_read(&[]));
}

#[test]
fn a_direct_client_is_told_nothing_of_groups() {
    let group = Place { kind: ConversationKind::Group, peers: None, ..place() };
    for event in events() {
        let frames = encode(&Direct, &event, &group, &[]);
        let is_presence = matches!(event.event, Event::Presence { .. });
        assert_eq!(frames.len(), usize::from(is_presence), "{event:?}: {frames:?}");
    }
}

#[test]
fn g21_a_tombstone_is_no_message() {
    for dialect in [&Direct as &dyn Dialect, &Inbox] {
        let gone = created(message(3, None));
        assert!(encode(dialect, &gone, &place(), &[]).is_empty(), "{}", dialect.name());
    }
    assert!(NewMessage::new(&message(3, None)).is_none());
}

/// A receipt that was read from the store does not know what it covered.
#[test]
fn a_receipt_that_covers_nothing_is_not_told() {
    let mark = |seq| Watermark { delivered: Seq(seq), read: Seq(0) };
    let (from, to) = (mark(0), mark(3));
    let receipt = Event::Receipt { user: user("2"), from, to, version: 4, covered: Arc::default() };
    let settings = Settings::default();
    let place = place();
    let scene = Scene { place: Some(&place), read: &[], settings: &settings };
    for dialect in [&Direct as &dyn Dialect, &Inbox] {
        for audience in [Audience::Author, Audience::Sender, Audience::Others] {
            let receipt = envelope(None, receipt.clone());
            let frames = written(|out| dialect.encode(&receipt, audience, &scene, out));
            assert!(frames.is_empty(), "{}: {frames:?}", dialect.name());
        }
    }
}

#[test]
fn ids_that_are_no_numbers_stay_texts() {
    let anna = profile("user-a", "Anna");
    let message = Message { sender: anna.clone(), ..Arc::unwrap_or_clone(message(1, Some("Hi"))) };
    let event = created(Arc::new(message));
    let place = Place { peers: Some([anna, profile("007", "Bond")]), ..place() };
    let direct = encode(&Direct, &event, &place, &[]).remove(0);
    assert!(direct.contains(r#""sender":"user-a""#), "{direct}");
    assert!(direct.contains(r#""receiver":"007""#), "{direct}");
    let inbox = encode(&Inbox, &event, &place, &[]).remove(0);
    assert!(inbox.contains(r#""sender_id":"user-a""#), "{inbox}");
}

/// What is polled is what arrives.
#[test]
fn an_unread_message_is_shown_as_it_arrives() {
    let message = message(2, Some("Hello"));
    let listed = serde_json::to_string(&NewMessage::new(&message).unwrap()).unwrap();
    assert_eq!(encode(&Inbox, &created(message), &place(), &[]), [listed]);
}

#[test]
fn the_inbox_is_greeted_and_direct_clients_are_not() {
    let (user, limits) = (alice(), Limits::default());
    let hello = hello(&user, &limits);
    assert!(written(|out| Direct.hello(&hello, out)).is_empty());
    let greeting = r#"{"type":"connection_established","user_id":1,"session_id":"c1"}"#;
    assert_eq!(written(|out| Inbox.hello(&hello, out)), [greeting]);
}
