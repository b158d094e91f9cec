//! Frames of the bus: any bytes are read or passed over, and what was read is written so that it reads the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use parlour_bus::codec;

fuzz_target!(|bytes: &[u8]| {
    let Ok(frame) = codec::decode(bytes) else { return };
    let from = frame.from();
    let hints: Vec<_> = frame.flatten().collect();
    assert!(hints.len() <= codec::MOST_HINTS);
    for hint in hints {
        // What just fits in a frame of somebody else may not fit in one of ours.
        let Ok(frames) = codec::encode(from, std::slice::from_ref(&hint)) else { continue };
        let again: Vec<_> =
            frames.iter().flat_map(|frame| codec::decode(frame).expect("a frame")).collect();
        // Large ones are split; a few say nothing and are left out.
        if let ([Ok(one)], [_]) = (again.as_slice(), frames.as_slice()) {
            assert_eq!(*one, hint);
        }
        assert!(again.iter().all(Result::is_ok));
    }
});
