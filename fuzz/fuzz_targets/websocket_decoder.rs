//! Any bytes into the WebSocket decoder: the same in all pieces, and no contradiction to
//! tungstenite.
//!
//! What is checked stands with the crate's tests, which replay the seeds in
//! `corpus/websocket_decoder` without a fuzzer. A long run collects into another folder, the first
//! that it is given; here, from the root of the repository:
//!
//! `mkdir -p fuzz/target/found && cargo +nightly fuzz run websocket_decoder fuzz/target/found
//! fuzz/corpus/websocket_decoder`

#![no_main]

#[path = "../../crates/parlour-websocket/tests/it/reference.rs"]
#[expect(dead_code, reason = "the crate's tests use more of it")]
mod reference;
#[path = "../../crates/parlour-websocket/tests/it/support.rs"]
#[expect(dead_code, reason = "the crate's tests use more of it")]
mod support;

libfuzzer_sys::fuzz_target!(|data: &[u8]| reference::check(data));
