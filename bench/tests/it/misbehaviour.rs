//! Each misdeed is found, counted exactly, and called by its name.

use std::time::Duration;

use parlour_bench::{
    checker::Faults,
    clients::Clients,
    dialect::{Floor, World},
    text,
    traffic::{self, Outcome, Pace, Plan},
};

use crate::server::{Misdeed, start};

/// Every so manieth message is a bad one.
const EVERY: u64 = 100;

/// Four pairs, or a room of eight in which two speak; some thousand messages at a rate.
fn run(misdeed: Misdeed, in_room: bool) -> Outcome {
    let address = start(misdeed, EVERY);
    let world = World::in_order(4);
    let mut clients = Clients::new(&[address], Box::new(Floor), &world, 8, in_room).unwrap();
    clients.connect(0..8).unwrap();
    let plan = Plan {
        run: 1,
        senders: if in_room { vec![0, 3] } else { vec![0, 2, 4, 6] },
        to_all: in_room,
        deaf: 0..0,
        pace: Pace::Fixed(2_000.0),
        time: Duration::from_millis(1_000),
        length: text::LENGTH,
        most_open: f64::INFINITY,
        patience: traffic::PATIENCE,
    };
    traffic::run(&mut clients, plan).unwrap()
}

/// For so many bad messages, in a shape with so many receivers of each.
fn check(misdeed: Misdeed, expected: impl Fn(u64, u64) -> Faults) {
    for (in_room, receivers) in [(false, 1), (true, 7)] {
        let outcome = run(misdeed, in_room);
        assert_eq!(outcome.messages, 2_000, "{misdeed:?}");
        let bad = outcome.messages / EVERY;
        assert_eq!(outcome.faults, expected(bad, receivers), "{misdeed:?}, room: {in_room}");
        let missing = outcome.faults.lost;
        assert_eq!(outcome.deliveries, outcome.messages * receivers - missing, "{misdeed:?}");
    }
}

#[test]
fn an_honest_server_has_no_faults() {
    check(Misdeed::None, |_, _| Faults::default());
}

#[test]
fn dropped_messages_are_lost() {
    check(Misdeed::Drop, |bad, receivers| Faults { lost: bad * receivers, ..Faults::default() });
}

#[test]
fn doubled_messages_are_found() {
    check(Misdeed::Double, |bad, receivers| Faults {
        doubled: bad * receivers,
        ..Faults::default()
    });
}

#[test]
fn swapped_messages_are_out_of_order() {
    // The last one is swapped with none, and so never comes.
    let outcome = run(Misdeed::Swap, false);
    let Faults { lost, misordered, doubled, misdelivered } = outcome.faults;
    assert_eq!((lost + misordered, doubled, misdelivered), (20, 0, 0));
    assert!(misordered >= 15, "{misordered}");
}

#[test]
fn messages_at_somebody_else_are_misdelivered_and_lost() {
    let outcome = run(Misdeed::Misdeliver, false);
    let none = Faults::default();
    assert_eq!(outcome.faults, Faults { lost: 20, misdelivered: 20, ..none });
}

#[test]
fn messages_that_are_not_whole_are_lost() {
    check(Misdeed::Cut, |bad, receivers| Faults { lost: bad * receivers, ..Faults::default() });
}

#[test]
fn a_closed_loop_goes_on_when_messages_are_lost() {
    let address = start(Misdeed::Drop, EVERY);
    let mut clients =
        Clients::new(&[address], Box::new(Floor), &World::in_order(4), 8, false).unwrap();
    clients.connect(0..8).unwrap();
    let plan = Plan {
        run: 1,
        senders: vec![0, 2, 4, 6],
        to_all: false,
        deaf: 0..0,
        pace: Pace::Closed(2),
        time: Duration::from_secs(3),
        length: text::LENGTH,
        most_open: f64::INFINITY,
        patience: traffic::PATIENCE,
    };
    let outcome = traffic::run(&mut clients, plan).unwrap();
    // All windows are full of lost ones after 800 messages.
    assert!(outcome.messages > 800, "{}", outcome.messages);
    assert_eq!(outcome.faults.lost, outcome.messages / EVERY);
    assert_eq!(outcome.deliveries + outcome.faults.lost, outcome.messages);
}
