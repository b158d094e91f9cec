//! A table of streams: what a server must make of each, however it arrives.

use parlour_websocket::{Decoder, Limits, ProtocolError};

use crate::support::{
    Outcome, Owned, binary, close, decode_every_way, ping, pong, raw, raw_header, text, unmasked,
};

const LIMITS: Limits = Limits { max_message_bytes: 70_000, max_fragments: 4 };

/// First bytes: FIN and opcode.
const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;
const TEXT_BEGINS: u8 = 0x01;
const BINARY_BEGINS: u8 = 0x02;
const GOES_ON: u8 = 0x00;
const ENDS: u8 = 0x80;

fn run(frames: &[Vec<u8>]) -> Outcome {
    decode_every_way(|| Decoder::server(LIMITS), &frames.concat())
}

fn accepts(frames: &[Vec<u8>], expected: &[Owned]) {
    let outcome = run(frames);
    assert_eq!(outcome.error, None, "{frames:02x?}");
    assert_eq!(outcome.messages, expected);
    assert!(!outcome.mid_message);
}

/// `before` are the messages that precede the violation.
fn refuses(frames: &[Vec<u8>], before: &[Owned], error: ProtocolError, code: u16) {
    let outcome = run(frames);
    assert_eq!(outcome.error, Some(error), "{frames:02x?}");
    assert_eq!(outcome.messages, before);
    assert_eq!(error.close_code(), code);
    assert_eq!(error.close_frame().payload()[..2], code.to_be_bytes());
}

#[test]
fn single_frames_of_every_length_form() {
    for len in [0, 1, 3, 4, 7, 8, 9, 124, 125, 126, 127, 128, 65_535, 65_536, 65_537] {
        let payload = "x".repeat(len);
        accepts(&[raw(TEXT, payload.as_bytes())], &[text(&payload)]);
        accepts(&[raw(BINARY, payload.as_bytes())], &[binary(payload.as_bytes())]);
    }
    accepts(&[raw(BINARY, &[0xff, 0x00, 0x80])], &[binary(&[0xff, 0x00, 0x80])]);
    for len in [0, 1, 125] {
        accepts(&[raw(PING, &vec![7; len])], &[ping(&vec![7; len])]);
        accepts(&[raw(PONG, &vec![7; len])], &[pong(&vec![7; len])]);
    }
}

#[test]
fn the_example_of_the_rfc() {
    let hello = vec![0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    accepts(&[hello], &[text("Hello")]);
}

#[test]
fn fragments_join_and_control_frames_come_between() {
    let joined = [raw(TEXT_BEGINS, b"Hel"), raw(ENDS, b"lo")];
    accepts(&joined, &[text("Hello")]);
    let [begin, end] = joined;
    let between = [begin, raw(PING, b"?"), raw(PONG, b""), raw(GOES_ON, b""), end];
    accepts(&between, &[ping(b"?"), pong(b""), text("Hello")]);
    let four = [raw(BINARY_BEGINS, b"a"), raw(GOES_ON, b"b"), raw(GOES_ON, b"c"), raw(ENDS, b"d")];
    accepts(&four, &[binary(b"abcd")]);
    accepts(&[raw(TEXT_BEGINS, b""), raw(GOES_ON, b""), raw(ENDS, b"")], &[text("")]);
    accepts(&[raw(TEXT_BEGINS, b""), raw(ENDS, b"late")], &[text("late")]);
    accepts(&[raw(BINARY_BEGINS, b"early"), raw(ENDS, b"")], &[binary(b"early")]);
}

#[test]
fn a_stream_of_messages() {
    let frames: Vec<Vec<u8>> =
        (0..20).map(|i| raw(TEXT, format!("number {i}").as_bytes())).collect();
    let expected: Vec<Owned> = (0..20).map(|i| text(&format!("number {i}"))).collect();
    accepts(&frames, &expected);
}

#[test]
fn nothing_counts_after_a_close() {
    accepts(&[raw(CLOSE, b""), raw(TEXT, b"late")], &[Owned::Close(None)]);
    accepts(&[raw(CLOSE, b"\x03\xe8bye"), raw(0xff, b"junk")], &[close(1000, "bye")]);
    let within = [raw(TEXT_BEGINS, b"never"), raw(CLOSE, b"\x03\xe9"), raw(ENDS, b"finished")];
    accepts(&within, &[close(1001, "")]);
}

#[test]
fn nothing_counts_after_an_error() {
    let frames = [raw(TEXT, b"ok"), raw(0x83, b""), raw(TEXT, b"late")];
    refuses(&frames, &[text("ok")], ProtocolError::UnknownOpcode, 1002);
}

#[test]
fn close_codes() {
    let body = |code: u16| [&code.to_be_bytes()[..], "gëh".as_bytes()].concat();
    for code in [1000, 1001, 1002, 1003, 1007, 1011, 1012, 1014, 3000, 3999, 4000, 4999] {
        accepts(&[raw(CLOSE, &body(code))], &[close(code, "gëh")]);
        accepts(&[raw(CLOSE, &code.to_be_bytes())], &[close(code, "")]);
    }
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535] {
        refuses(&[raw(CLOSE, &body(code))], &[], ProtocolError::BadCloseCode(code), 1002);
    }
    refuses(&[raw(CLOSE, b"\x03")], &[], ProtocolError::ShortCloseBody, 1002);
    refuses(&[raw(CLOSE, b"\x03\xe8\xff")], &[], ProtocolError::InvalidUtf8, 1007);
    refuses(&[raw(CLOSE, b"\x03\xe8\xc3")], &[], ProtocolError::InvalidUtf8, 1007);
    let longest = [&1000_u16.to_be_bytes()[..], &[b'r'; 123]].concat();
    accepts(&[raw(CLOSE, &longest)], &[close(1000, &"r".repeat(123))]);
}

#[test]
fn control_frames_are_short_and_whole() {
    for opcode in [CLOSE, PING, PONG] {
        let part = opcode & 0x7f;
        refuses(&[raw(part, b"")], &[], ProtocolError::FragmentedControl, 1002);
        refuses(&[raw(part, b""), raw(ENDS, b"")], &[], ProtocolError::FragmentedControl, 1002);
        refuses(&[raw(opcode, &[b'a'; 126])], &[], ProtocolError::ControlTooLong, 1002);
        refuses(&[raw_header(opcode, 1 << 40)], &[], ProtocolError::ControlTooLong, 1002);
    }
}

#[test]
fn fragments_out_of_order() {
    let unexpected = ProtocolError::UnexpectedContinuation;
    refuses(&[raw(ENDS, b"a")], &[], unexpected, 1002);
    refuses(&[raw(GOES_ON, b"")], &[], unexpected, 1002);
    refuses(&[raw(TEXT, b"a"), raw(ENDS, b"b")], &[text("a")], unexpected, 1002);
    for first in [TEXT, BINARY, TEXT_BEGINS, BINARY_BEGINS] {
        let frames = [raw(TEXT_BEGINS, b"a"), raw(first, b"b")];
        refuses(&frames, &[], ProtocolError::ExpectedContinuation, 1002);
    }
}

#[test]
fn reserved_bits_and_opcodes() {
    for bits in [0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70] {
        for first in [TEXT, BINARY, PING, PONG, CLOSE, TEXT_BEGINS] {
            refuses(&[raw(first | bits, b"")], &[], ProtocolError::ReservedBit, 1002);
        }
        let frames = [raw(TEXT_BEGINS, b"a"), raw(ENDS | bits, b"")];
        refuses(&frames, &[], ProtocolError::ReservedBit, 1002);
    }
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        refuses(&[raw(0x80 | opcode, b"")], &[], ProtocolError::UnknownOpcode, 1002);
        refuses(&[raw(opcode, b"a")], &[], ProtocolError::UnknownOpcode, 1002);
    }
}

#[test]
fn client_frames_are_masked() {
    for first in [TEXT, BINARY, PING, CLOSE] {
        refuses(&[unmasked(first, b"")], &[], ProtocolError::Unmasked, 1002);
        refuses(&[unmasked(first, b"ab")], &[], ProtocolError::Unmasked, 1002);
    }
}

#[test]
fn lengths_are_refused_by_the_header_alone() {
    let too_big = ProtocolError::MessageTooBig;
    for length in [70_001, 10 << 30, (1 << 63) - 1] {
        refuses(&[raw_header(BINARY, length)], &[], too_big, 1009);
        refuses(&[raw_header(TEXT_BEGINS, length)], &[], too_big, 1009);
        let frames = [raw(BINARY_BEGINS, b"a"), raw_header(ENDS, length)];
        refuses(&frames, &[], too_big, 1009);
    }
    for length in [1 << 63, u64::MAX] {
        refuses(&[raw_header(BINARY, length)], &[], ProtocolError::BadLength, 1002);
    }
    let together = [raw(BINARY_BEGINS, &[0; 69_999]), raw_header(ENDS, 2)];
    refuses(&together, &[], too_big, 1009);
    let fits = [raw(BINARY_BEGINS, &[0; 69_999]), raw(ENDS, &[0])];
    accepts(&fits, &[binary(&[0; 70_000])]);
}

#[test]
fn lengths_are_written_in_the_fewest_bytes() {
    let bad = |bytes: &[u8]| refuses(&[bytes.to_vec()], &[], ProtocolError::BadLength, 1002);
    bad(&[TEXT, 0x80 | 126, 0, 0]);
    bad(&[TEXT, 0x80 | 126, 0, 125]);
    bad(&[TEXT, 0x80 | 127, 0, 0, 0, 0, 0, 0, 0, 5]);
    bad(&[TEXT, 0x80 | 127, 0, 0, 0, 0, 0, 0, 0xff, 0xff]);
}

#[test]
fn fragments_are_counted() {
    let mut frames = vec![raw(TEXT_BEGINS, b"1")];
    frames.extend((0..3).map(|_| raw(GOES_ON, b"")));
    frames.push(raw(PING, b""));
    frames.push(raw(ENDS, b"5"));
    refuses(&frames, &[ping(b"")], ProtocolError::TooManyFragments, 1009);
}

#[test]
fn text_is_utf8_across_all_boundaries() {
    let characters = "κόσμε ß € 𝄞 \u{0} \u{7f} \u{10ffff} \u{d7ff}\u{e000}\u{fffe}\u{ffff}";
    accepts(&[raw(TEXT, characters.as_bytes())], &[text(characters)]);
    for cut in 0..=characters.len() {
        let (left, right) = characters.as_bytes().split_at(cut);
        accepts(&[raw(TEXT_BEGINS, left), raw(ENDS, right)], &[text(characters)]);
        accepts(
            &[raw(TEXT_BEGINS, left), raw(PING, b""), raw(GOES_ON, b""), raw(ENDS, right)],
            &[ping(b""), text(characters)],
        );
    }
    let invalid: [&[u8]; 11] = [
        b"\xff",
        b"\x80",
        b"\xc3",
        b"\xc0\x80",
        b"\xe0\x80\x80",
        b"\xed\xa0\x80",
        b"\xf0\x80\x80\x80",
        b"\xf4\x90\x80\x80",
        b"\xf8\x88\x80\x80\x80",
        b"\xe2\x82",
        b"\xf0\x9d\x84a",
    ];
    for bytes in invalid {
        let payload = [b"valid \xe2\x82\xac ", bytes].concat();
        refuses(&[raw(TEXT, &payload)], &[], ProtocolError::InvalidUtf8, 1007);
        for cut in 0..=payload.len() {
            let (left, right) = payload.split_at(cut);
            let frames = [raw(TEXT_BEGINS, left), raw(GOES_ON, right), raw(ENDS, b"")];
            refuses(&frames, &[], ProtocolError::InvalidUtf8, 1007);
        }
        accepts(&[raw(BINARY, &payload)], &[binary(&payload)]);
    }
}

#[test]
fn text_fails_at_the_first_invalid_byte() {
    // Each is doomed with its last byte, although the frame promises more.
    let doomed: [&[u8]; 5] =
        [b"ok\xff", b"ok\xed\xa0", b"ok\xf4\x90", b"\xe0\x80", b"\xce\xba\xf8"];
    for payload in doomed {
        let mut frame = raw(TEXT, &[payload, &[b'a'; 50]].concat());
        frame.truncate(6 + payload.len());
        let outcome = run(&[frame.clone()]);
        assert_eq!(outcome.error, Some(ProtocolError::InvalidUtf8), "{payload:02x?}");
        frame.pop();
        let outcome = run(&[frame]);
        assert_eq!((outcome.error, outcome.mid_message), (None, true), "{payload:02x?}");
    }
}

#[test]
fn what_is_unfinished_is_reported() {
    let frames = [raw(TEXT_BEGINS, b"half"), raw(PING, b"alive")].concat();
    for end in 0..=frames.len() {
        let outcome = decode_every_way(|| Decoder::server(LIMITS), &frames[..end]);
        assert_eq!((outcome.error, outcome.mid_message), (None, end > 0), "{end} bytes");
    }
}
