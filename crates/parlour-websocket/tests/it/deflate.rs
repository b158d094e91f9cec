//! Compressed messages through decoder and frame.

use parlour_websocket::{Decoder, Deflater, Frame, Limits, ProtocolError};

use crate::support::{Outcome, binary, decode_every_way, ping, raw, text};

const LIMITS: Limits = Limits { max_message_bytes: 4096, max_fragments: 8 };

fn run(frames: &[Vec<u8>]) -> Outcome {
    decode_every_way(|| Decoder::server(LIMITS).with_deflate(), &frames.concat())
}

fn compressed(plain: &str) -> Vec<u8> {
    Deflater::new(6, 15).text(plain).map_or(Vec::new(), |frame| frame.payload().to_vec())
}

#[test]
fn compressed_and_plain_messages_mix() {
    let long = "to be or not to be, ".repeat(20);
    let payload = compressed(&long);
    let (left, right) = payload.split_at(9);
    let frames = [
        raw(0xc1, &payload),
        raw(0x81, b"plain"),
        raw(0x41, left),
        raw(0x89, b"?"),
        raw(0x00, b""),
        raw(0x80, right),
        raw(0xc2, &payload),
        raw(0xc1, &[0]),
        raw(0x41, b""),
        raw(0x80, &[0]),
    ];
    let outcome = run(&frames);
    let expected = [
        text(&long),
        text("plain"),
        ping(b"?"),
        text(&long),
        binary(long.as_bytes()),
        text(""),
        text(""),
    ];
    assert_eq!((outcome.error, &outcome.messages[..]), (None, &expected[..]));
}

#[test]
fn violations() {
    let refuses = |frames: &[Vec<u8>], error: ProtocolError, code: u16| {
        assert_eq!(run(frames).error, Some(error), "{frames:02x?}");
        assert_eq!(error.close_code(), code);
    };
    // RSV1 belongs to the first frame of a message.
    let begin = raw(0x41, &compressed("aaaaaaaaaaaaaaaaaaaaaa"));
    refuses(&[begin, raw(0xc0, b"")], ProtocolError::ReservedBit, 1002);
    refuses(&[raw(0xc9, b"")], ProtocolError::ReservedBit, 1002);
    refuses(&[raw(0xa1, b"")], ProtocolError::ReservedBit, 1002);
    refuses(&[raw(0xc1, &[0x07, 0xff])], ProtocolError::BadDeflate, 1007);
    refuses(&[raw(0xc1, b"")], ProtocolError::BadDeflate, 1007);
    let cut = compressed(&"cut in the middle of a block ".repeat(9));
    refuses(&[raw(0xc1, &cut[..cut.len() - 5])], ProtocolError::BadDeflate, 1007);
    let latin1 = Deflater::new(6, 15).binary(&[0xe4; 90]).unwrap().payload().to_vec();
    refuses(&[raw(0xc1, &latin1)], ProtocolError::InvalidUtf8, 1007);
}

#[test]
fn bombs_are_refused_by_the_size_of_what_comes_out() {
    let mut deflater = Deflater::new(9, 15);
    let bomb = deflater.binary(&vec![0; 4 << 20]).unwrap();
    assert!(bomb.len() < 4500, "{}", bomb.len());
    let mut frames = vec![raw(0x42, &[])];
    frames.extend(bomb.payload().chunks(1000).map(|chunk| raw(0x00, chunk)));
    frames.push(raw(0x80, &[]));
    assert_eq!(run(&frames).error, Some(ProtocolError::MessageTooBig));
    let fits = deflater.binary(&[0; 4096]).unwrap();
    assert_eq!(run(&[raw(0xc2, fits.payload())]).messages, [binary(&[0; 4096])]);
    let over = deflater.binary(&[0; 4097]).unwrap();
    assert_eq!(run(&[raw(0xc2, over.payload())]).error, Some(ProtocolError::MessageTooBig));
}

#[test]
fn the_compressed_size_is_limited_too() {
    // Empty stored blocks: many bytes that inflate to nothing.
    let padding = [0x00, 0x00, 0x00, 0xff, 0xff].repeat(1000);
    assert_eq!(run(&[raw(0xc2, &padding)]).error, Some(ProtocolError::MessageTooBig));
}

#[test]
fn a_message_that_does_not_shrink_still_fits_the_limit() {
    let noise: Vec<u8> = (0..1024_u32)
        .flat_map(|i| i.wrapping_mul(2_654_435_761).rotate_left(i).to_le_bytes())
        .collect();
    let mut stored = vec![0x00, 0x00, 0x10, 0xff, 0xef];
    stored.extend_from_slice(&noise);
    stored.push(0x00);
    assert_eq!(run(&[raw(0xc2, &stored)]).messages, [binary(&noise)]);
}

#[test]
fn frames_of_every_window_inflate_at_the_other_end() {
    let mut plain = String::new();
    for i in 0..700 {
        plain.push_str(&format!("line {} of {i}\n", i % 37));
    }
    let limits = Limits { max_message_bytes: 1 << 20, max_fragments: 1 };
    for bits in 9..=15 {
        let mut deflater = Deflater::new(6, bits);
        let frame = deflater.text(&plain).unwrap();
        assert!(frame.is_compressed() && !Frame::text(&plain).is_compressed());
        // The same again: no context is carried over.
        assert_eq!(deflater.text(&plain), Some(frame.clone()));
        let wire = [frame.as_bytes(), frame.as_bytes()].concat();
        let outcome = decode_every_way(|| Decoder::client(limits).with_deflate(), &wire);
        assert_eq!((outcome.error, outcome.messages), (None, vec![text(&plain), text(&plain)]));
    }
}
