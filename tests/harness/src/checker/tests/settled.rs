//! What must be so once everything is whole again: marks, counts, and that nothing comes late.

use std::collections::BTreeMap;

use super::{
    accepts, finds,
    script::{Script, changed, event, message, movement},
};
use crate::{
    checker::{Facts, marks, time},
    history::{Entry, Kind, What},
};

fn receipt(marks: (u64, u64)) -> What {
    let (device, user) = ("bob".to_owned(), "alice".to_owned());
    What::Receipt { device, conversation: 1, user, delivered: marks.0, read: marks.1 }
}

fn holds(source: &str, alice: (u64, u64), bob: (u64, u64), unread: Option<u64>) -> What {
    let marks = BTreeMap::from([("alice".to_owned(), alice), ("bob".to_owned(), bob)]);
    What::Marks { source: source.into(), conversation: 1, marks, unread }
}

#[test]
fn g12_ck8_finds_marks_that_go_back() {
    let moved = Script::new().add(receipt((3, 2)));
    accepts(marks::ck8_marks_grow, &moved.clone().add(receipt((3, 3))));
    finds(marks::ck8_marks_grow, &moved.clone().add(receipt((2, 2))), "the marks of alice");
    finds(marks::ck8_marks_grow, &moved.clone().add(receipt((4, 1))), "the marks of alice");
    // Who comes back begins anew.
    let back = moved.bob(movement(Kind::Left, 4, "alice")).bob(movement(Kind::Joined, 5, "alice"));
    accepts(marks::ck8_marks_grow, &back.add(receipt((0, 0))));
}

#[test]
fn g12_ck8_finds_a_device_with_other_marks_than_the_server() {
    let truth = Script::new().add(holds("rest:bob:0", (3, 2), (3, 3), None));
    accepts(marks::ck8_marks, &truth.clone().add(holds("device:bob", (3, 2), (3, 3), None)));
    finds(
        marks::ck8_marks,
        &truth.add(holds("device:bob", (2, 2), (3, 3), None)),
        "device:bob has",
    );
}

#[test]
fn g12_ck8_counts_what_is_unread() {
    let (a, b, c) = (message(1, "a", "one"), message(2, "b", "two"), message(3, "c", "three"));
    let gone = changed(&b, 4, None);
    let read = Script::new().database(4, &[&a, &gone, &c], &[]);
    let unread = |count| read.clone().add(holds("rest:bob:0", (4, 4), (1, 1), Some(count)));
    accepts(marks::ck8_unread, &unread(1));
    finds(marks::ck8_unread, &unread(2), "there are 1");
    // One's own are not unread.
    let own = read.clone().add(holds("rest:alice:0", (0, 0), (1, 1), Some(2)));
    finds(marks::ck8_unread, &own, "there are 0");
}

#[test]
fn g8_g19_ck11_finds_what_comes_late() {
    let (a, b) = (message(1, "a", "one"), message(2, "b", "two"));
    let script = Script::new()
        .send(1, 10, "a", "one")
        .ack(1, 10, &a)
        .add(What::Healed)
        .send(1, 11, "b", "two")
        .ack(1, 11, &b)
        .bob(event(Kind::Created, &a))
        .bob(event(Kind::Created, &b));
    // Seconds between the healing and the last two entries.
    let late = |a: u64, b: u64| -> Vec<String> {
        let mut entries: Vec<Entry> = script.entries();
        let healed = entries.iter().find(|entry| entry.what == What::Healed).map_or(0, |e| e.at);
        for (entry, after) in entries.iter_mut().rev().zip([b, a]) {
            entry.at = healed + after * 1_000_000;
        }
        time::ck11_time(&Facts::collect(&entries)).iter().map(ToString::to_string).collect()
    };
    assert_eq!(late(1, 2), Vec::<String>::new());
    assert_eq!(late(4, 4), Vec::<String>::new());
    assert!(late(4, 6).iter().any(|text| text.contains("bob got seq 2")), "{:?}", late(4, 6));
    // What was said while something was broken may take as long as a storm.
    assert!(late(31, 31).iter().any(|text| text.contains("bob got seq 1")), "{:?}", late(31, 31));
}
