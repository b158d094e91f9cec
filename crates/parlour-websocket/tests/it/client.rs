//! The client's side against the server's.

use parlour_websocket::{Decoder, Frame, Limits, Opcode, ProtocolError, client};

use crate::reference::compare_complete;
use crate::support::{Owned, binary, close, decode_every_way, ping, pong, raw, text};

#[test]
fn a_server_reads_what_the_client_helper_writes() {
    let mut wire = client::text("grüß dich", [1, 2, 3, 4]);
    client::encode_into(&mut wire, Opcode::Ping, b"", [0; 4]);
    client::encode_into(&mut wire, Opcode::Binary, &[9; 300], [0xff, 0, 0xff, 0]);
    client::encode_into(&mut wire, Opcode::Text, &[b'a'; 65_536], [5; 4]);
    client::encode_into(&mut wire, Opcode::Close, b"\x03\xe8", [7; 4]);
    let limits = Limits { max_message_bytes: 65_536, max_fragments: 1 };
    let outcome = decode_every_way(|| Decoder::server(limits), &wire);
    assert_eq!(outcome.error, None);
    let large = text(&"a".repeat(65_536));
    let expected = [text("grüß dich"), ping(b""), binary(&[9; 300]), large, close(1000, "")];
    assert_eq!(outcome.messages, expected);
    compare_complete(false, limits, &wire, &outcome);
}

#[test]
fn a_client_reads_what_a_server_writes() {
    let frames = [
        Frame::text("héllo"),
        Frame::binary(&[1; 70_000]),
        Frame::ping(b"p"),
        Frame::pong(b""),
        Frame::close(4001, "gone"),
    ];
    let wire: Vec<u8> = frames.iter().flat_map(|frame| frame.as_bytes().to_vec()).collect();
    let limits = Limits { max_message_bytes: 70_000, max_fragments: 1 };
    let outcome = decode_every_way(|| Decoder::client(limits), &wire);
    let expected = [
        text("héllo"),
        binary(&[1; 70_000]),
        ping(b"p"),
        pong(b""),
        Owned::Close(Some((4001, "gone".into()))),
    ];
    assert_eq!((outcome.error, &outcome.messages[..]), (None, &expected[..]));
    compare_complete(true, limits, &wire, &outcome);
}

#[test]
fn a_client_refuses_masked_frames() {
    let outcome = decode_every_way(|| Decoder::client(Limits::default()), &raw(0x81, b"a"));
    assert_eq!(outcome.error, Some(ProtocolError::Masked));
}
