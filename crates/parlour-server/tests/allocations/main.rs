//! How often the server allocates for a message: counted, so that a regression is seen without timing anything.
//!
//! Server and clients share this process. While it is counted, the clients allocate nothing: they send what was
//! written before, and read into buffers that they have.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on stops there")]
#![expect(clippy::print_stdout, reason = "the count is of interest when the test passes, too")]

mod client;
mod server;

use std::{
    alloc::System,
    sync::{Mutex, PoisonError},
};

use client::Client;
use server::Server;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// The count is one of the whole process: one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// Messages that are counted.
const COUNTED: usize = 1_000;

/// How many of them are counted at a time.
const SLICE: usize = 100;

/// Messages before them, which fill caches and buffers.
const WARM_UP: usize = 300;

/// Allocations that one stored message may cost, from the sender's frame to the receiver's.
///
/// Seen: 29, with what SQLite's library allocates by itself not counted.
const STORED: f64 = 32.0;

/// The same for typing, which is only relayed.
///
/// Seen: 9.
const RELAYED: f64 = 11.0;

#[test]
fn a_stored_message_allocates_little() {
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let server = Server::start();
    let (mut alice, mut bob) = (server.client("1"), server.client("2"));
    let conversation = alice.create("direct", "2");
    let frames = (1..=WARM_UP + COUNTED).map(|number| {
        Client::frame(&format!(
            r#"{{"type":"message.send","id":{number},"conversation_id":{conversation},"client_id":"c{number}","content":"message {number}"}}"#
        ))
    });
    let each = counted(&frames.collect::<Vec<_>>(), |frame| {
        alice.send(frame);
        bob.wait(br#"{"type":"message.created""#);
        alice.wait(br#"{"type":"reply""#);
    });
    server.stop();
    drop(alone);
    assert!(each <= STORED, "{each:.1} allocations for a stored message, {STORED} are allowed");
}

#[test]
fn relayed_typing_allocates_little() {
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let server = Server::start();
    let (mut alice, mut bob) = (server.client("1"), server.client("2"));
    // Typing is told once a second in each conversation: it takes as many of them.
    let frames = (1..=WARM_UP + COUNTED).map(|number| {
        let conversation = alice.create("group", "2");
        bob.wait(br#"{"type":"conversation.created""#);
        Client::frame(&format!(
            r#"{{"type":"typing","id":{number},"conversation_id":{conversation},"active":true}}"#
        ))
    });
    let frames: Vec<_> = frames.collect();
    let each = counted(&frames, |frame| {
        alice.send(frame);
        bob.wait(br#"{"type":"typing""#);
        alice.wait(br#"{"type":"reply""#);
    });
    server.stop();
    drop(alone);
    assert!(each <= RELAYED, "{each:.1} allocations for relayed typing, {RELAYED} are allowed");
}

/// Allocations that each frame after the first ones costs: the least of several slices, because what the server does
/// by the clock falls into some of them, the more the slower the machine is.
fn counted(frames: &[Vec<u8>], mut exchange: impl FnMut(&[u8])) -> f64 {
    let (warm_up, counted) = frames.split_at(WARM_UP);
    for frame in warm_up {
        exchange(frame);
    }
    let slices = counted.chunks(SLICE).map(|slice| {
        let region = Region::new(ALLOCATOR);
        for frame in slice {
            exchange(frame);
        }
        let change = region.change();
        (change.allocations + change.reallocations) as f64 / slice.len() as f64
    });
    let least = slices.fold(f64::INFINITY, f64::min);
    println!("{least:.2} allocations each");
    least
}
