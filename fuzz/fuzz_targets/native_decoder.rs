//! Frames of native clients: any text gives at least one request, and never a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use parlour_core::limits::Limits;
use parlour_wire::{Dialect as _, native::Native};

fuzz_target!(|text: &str| {
    let (limits, mut requests) = (Limits::default(), Vec::new());
    Native.decode(text, &limits, &mut requests);
    assert!(!requests.is_empty() && requests.len() <= limits.batch_commands);
    for request in requests {
        if let Err(error) = request.command {
            let mut out = Vec::new();
            Native.reply(request.id, &Err(error), &mut out);
            assert!(std::str::from_utf8(&out).is_ok_and(|text| text.ends_with('}')));
        }
    }
});
