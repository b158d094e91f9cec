//! Frames of native clients: any text gives at least one request, and never a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use parlour_core::{UserId, limits::Limits};
use parlour_wire::{Caller, Dialect as _, Scene, Settings, native::Native};

fuzz_target!(|text: &str| {
    let (limits, mut requests) = (Limits::default(), Vec::new());
    let me = UserId::new("1").expect("a user id");
    let caller = Caller { user: &me, scope: None, limits: &limits };
    Native.decode(text, &caller, &mut requests);
    assert!(!requests.is_empty() && requests.len() <= limits.batch_commands);
    let settings = Settings::default();
    let scene = Scene { place: None, read: &[], settings: &settings };
    for request in requests {
        if let Err(error) = request.command {
            let mut out: Vec<Vec<u8>> = Vec::new();
            Native.reply(&request.tag, &Err(error), &scene, &mut out);
            assert!(out.len() == 1 && std::str::from_utf8(&out[0]).is_ok_and(|text| text.ends_with('}')));
        }
    }
});
