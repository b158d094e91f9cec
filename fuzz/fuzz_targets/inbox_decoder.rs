//! Frames of `inbox` clients.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| parlour_fuzz::decode(&parlour_wire::inbox::Inbox, text));
