//! Frames on the way out.

use std::fmt::Write as _;

use bytes::BytesMut;
use parlour_websocket::{Frame, Message, encode_binary_into, encode_text_into};

#[test]
fn headers_take_the_shortest_form() {
    let header = |len: usize| {
        let frame = Frame::binary(&vec![0xaa; len]);
        assert_eq!(frame.payload(), vec![0xaa; len]);
        frame.as_bytes()[..frame.len() - len].to_vec()
    };
    assert_eq!(header(0), [0x82, 0]);
    assert_eq!(header(125), [0x82, 125]);
    assert_eq!(header(126), [0x82, 126, 0, 126]);
    assert_eq!(header(65_535), [0x82, 126, 0xff, 0xff]);
    assert_eq!(header(65_536), [0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
}

#[test]
fn all_constructors_agree() {
    for len in [0, 1, 125, 126, 65_535, 65_536] {
        let text = "a".repeat(len);
        let frame = Frame::text(&text);
        let built = Frame::text_with(8, |out| {
            out.extend_from_slice(text.as_bytes());
            Ok::<(), std::fmt::Error>(())
        });
        assert_eq!(built.as_ref(), Ok(&frame));
        let mut vec = b"before".to_vec();
        encode_text_into(&mut vec, &text);
        assert_eq!(vec[6..], *frame.as_bytes());
        let mut bytes = BytesMut::new();
        encode_binary_into(&mut bytes, text.as_bytes());
        assert_eq!(bytes, Frame::binary(text.as_bytes()).into_bytes());
    }
}

#[test]
fn a_writer_that_fails_makes_no_frame() {
    let failed = Frame::binary_with(0, |_| Err("no"));
    assert_eq!(failed, Err("no"));
}

#[test]
fn clones_share_the_bytes() {
    let frame = Frame::text("shared");
    assert_eq!(frame.clone().as_bytes().as_ptr(), frame.as_bytes().as_ptr());
    assert!(frame.shares_bytes_with(&frame.clone()));
    assert!(!frame.shares_bytes_with(&Frame::text("shared")));
}

#[test]
fn a_row_is_its_frames_one_after_the_other() {
    let frames = [Frame::text("one"), Frame::binary(&[2; 200]), Frame::text("three")];
    let row = Frame::row(&frames);
    let bytes: Vec<_> = frames.iter().flat_map(|frame| frame.as_bytes().to_vec()).collect();
    assert_eq!(row.as_bytes(), bytes);
    assert_eq!(row.len(), 5 + 204 + 7);
}

#[test]
fn control_frames_keep_to_their_length() {
    assert_eq!(Frame::ping(&[1; 300]).len(), 127);
    assert_eq!(Frame::pong(&[1; 300]).len(), 127);
    let mut reason = String::new();
    for i in 0..100 {
        write!(reason, "{i}ü").unwrap();
    }
    let frame = Frame::close(4000, &reason);
    assert!(frame.is_close() && frame.payload().len() <= 125);
    assert!(reason.starts_with(str::from_utf8(&frame.payload()[2..]).unwrap()));
    assert_eq!(Frame::close(1006, "").payload(), 1011_u16.to_be_bytes());
}

#[test]
fn answers() {
    assert_eq!(Message::Ping(b"x").answer(), Some(Frame::pong(b"x")));
    assert_eq!(Message::Close(None).answer(), Some(Frame::close(1000, "")));
    assert_eq!(Message::Close(Some((4001, "bye"))).answer(), Some(Frame::close(4001, "")));
    assert_eq!(Message::Pong(b"x").answer(), None);
    assert_eq!(Message::Text("x").answer(), None);
}
