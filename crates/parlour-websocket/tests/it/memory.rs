//! What a decoder costs: its own size, and heap memory only while a message is incomplete.

use parlour_websocket::{Decoder, Limits, Message, ProtocolError};

use crate::support::{raw, raw_header};

fn feed(decoder: &mut Decoder, bytes: &[u8]) -> Result<usize, ProtocolError> {
    let mut scratch = bytes.to_vec();
    let mut input = &mut scratch[..];
    let mut messages = 0;
    while decoder.next(&mut input)?.is_some() {
        messages += 1;
    }
    Ok(messages)
}

#[test]
fn a_decoder_is_small() {
    assert!(size_of::<Decoder>() <= 96, "{} bytes", size_of::<Decoder>());
}

#[test]
fn whole_frames_are_lent_from_the_input() {
    let mut decoder = Decoder::server(Limits::default());
    let mut bytes = raw(0x81, "né".as_bytes());
    let range = bytes.as_ptr_range();
    let mut input = &mut bytes[..];
    match decoder.next(&mut input) {
        Ok(Some(Message::Text(text))) => {
            assert_eq!(text, "né");
            assert!(range.contains(&text.as_ptr()));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(decoder.capacity(), 0);
}

#[test]
fn memory_is_held_for_a_part_and_freed_with_it() {
    let mut decoder = Decoder::server(Limits::default());
    let frame = raw(0x82, &[1; 40_000]);
    let (left, right) = frame.split_at(30_000);
    assert_eq!(feed(&mut decoder, left), Ok(0));
    assert!((29_000..41_000).contains(&decoder.capacity()), "{}", decoder.capacity());
    assert_eq!(feed(&mut decoder, right), Ok(1));
    assert_eq!(decoder.capacity(), 0);
    // A part of a control frame between fragments.
    assert_eq!(feed(&mut decoder, &raw(0x01, b"text")), Ok(0));
    let ping = raw(0x89, b"12345");
    assert_eq!(feed(&mut decoder, &ping[..8]), Ok(0));
    assert_eq!(feed(&mut decoder, &ping[8..]), Ok(1));
    assert!(decoder.capacity() > 0);
    assert_eq!(feed(&mut decoder, &raw(0x80, b"")), Ok(1));
    assert_eq!(decoder.capacity(), 0);
}

#[test]
fn a_promised_length_allocates_nothing() {
    let mut decoder = Decoder::server(Limits { max_message_bytes: 1 << 30, ..Limits::default() });
    assert_eq!(feed(&mut decoder, &raw_header(0x82, 1 << 30)), Ok(0));
    assert_eq!(decoder.capacity(), 0);
    assert_eq!(feed(&mut decoder, &[0; 10]), Ok(0));
    assert!(decoder.capacity() < 512, "{}", decoder.capacity());
    let mut decoder = Decoder::server(Limits::default());
    assert_eq!(feed(&mut decoder, &raw_header(0x82, 10 << 30)), Err(ProtocolError::MessageTooBig));
    assert_eq!(decoder.capacity(), 0);
}

#[test]
fn a_message_never_holds_more_than_twice_its_bytes() {
    let limits = Limits { max_message_bytes: 64 << 10, max_fragments: u32::MAX };
    let mut decoder = Decoder::server(limits);
    assert_eq!(feed(&mut decoder, &raw(0x02, b"")), Ok(0));
    for sent in 1..=64 << 10 {
        assert_eq!(feed(&mut decoder, &raw(0x00, b"a")), Ok(0));
        assert!(decoder.capacity() <= 2 * sent + 512, "{} after {sent}", decoder.capacity());
    }
    assert_eq!(feed(&mut decoder, &raw(0x00, b"a")), Err(ProtocolError::MessageTooBig));
    assert_eq!(decoder.capacity(), 0);
}

#[test]
fn empty_fragments_hold_nothing_and_end_at_the_limit() {
    let mut decoder = Decoder::server(Limits::default());
    assert_eq!(feed(&mut decoder, &raw(0x01, b"")), Ok(0));
    for _ in 1..256 {
        assert_eq!(feed(&mut decoder, &raw(0x00, b"")), Ok(0));
        assert_eq!(decoder.capacity(), 0);
    }
    assert_eq!(feed(&mut decoder, &raw(0x00, b"")), Err(ProtocolError::TooManyFragments));
}

#[test]
fn a_cut_ping_in_an_empty_message_leaves_nothing_behind() {
    let mut decoder = Decoder::server(Limits::default());
    assert_eq!(feed(&mut decoder, &raw(0x01, b"")), Ok(0));
    let ping = raw(0x89, b"12345");
    assert_eq!(feed(&mut decoder, &ping[..8]), Ok(0));
    assert_eq!(feed(&mut decoder, &ping[8..]), Ok(1));
    assert_eq!(feed(&mut decoder, &raw(0x80, b"")), Ok(1));
    assert_eq!(decoder.capacity(), 0);
}

#[cfg(feature = "deflate")]
#[test]
fn who_only_waits_for_the_end_keeps_and_inflates_nothing() {
    let mut decoder = Decoder::server(Limits::default()).with_deflate();
    assert_eq!(feed(&mut decoder, &raw(0x01, &[b'a'; 1000])), Ok(0));
    let close = raw(0x88, b"\x03\xe8bye");
    decoder.ignore_data();
    assert_eq!(feed(&mut decoder, &raw(0x80, b"\xff")), Ok(0));
    assert_eq!(decoder.capacity(), 0);
    // No deflate stream, and no text.
    assert_eq!(feed(&mut decoder, &raw(0xc1, &[0xff; 1000])), Ok(0));
    assert_eq!(feed(&mut decoder, &raw(0x82, &[0; 1000])[..500]), Ok(0));
    assert_eq!(decoder.capacity(), 0);
    assert_eq!(feed(&mut decoder, &[0; 508]), Ok(0));
    assert_eq!(feed(&mut decoder, &raw(0x89, b"?")), Ok(1));
    assert_eq!(feed(&mut decoder, &close[..7]), Ok(0));
    assert_eq!(feed(&mut decoder, &close[7..]), Ok(1));
    assert!(decoder.is_finished());
}
