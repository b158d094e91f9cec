//! Raw frames, owned messages, and decoding in pieces.

use parlour_websocket::{Decoder, Message, ProtocolError, mask};

/// A [`Message`] to keep and compare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Owned {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<(u16, String)>),
}

impl From<Message<'_>> for Owned {
    fn from(message: Message<'_>) -> Self {
        match message {
            Message::Text(text) => Self::Text(text.into()),
            Message::Binary(bytes) => Self::Binary(bytes.into()),
            Message::Ping(bytes) => Self::Ping(bytes.into()),
            Message::Pong(bytes) => Self::Pong(bytes.into()),
            Message::Close(body) => Self::Close(body.map(|(code, reason)| (code, reason.into()))),
        }
    }
}

/// What a decoder made of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) messages: Vec<Owned>,
    pub(crate) error: Option<ProtocolError>,
    pub(crate) mid_message: bool,
}

/// Feeds `pieces` one by one, and checks what must hold after each.
pub(crate) fn decode<'p>(
    mut decoder: Decoder,
    pieces: impl IntoIterator<Item = &'p [u8]>,
) -> Outcome {
    let mut messages = Vec::new();
    let mut error = None;
    for piece in pieces {
        let mut scratch = piece.to_vec();
        let mut input = &mut scratch[..];
        loop {
            match decoder.next(&mut input) {
                Ok(Some(message)) => {
                    assert!(error.is_none(), "a message after an error");
                    assert!(
                        !matches!(messages.last(), Some(Owned::Close(_))),
                        "a message after a close"
                    );
                    messages.push(message.into());
                }
                Ok(None) => break,
                Err(found) => {
                    assert!(error.is_none(), "an error after an error");
                    error = Some(found);
                }
            }
        }
        assert!(input.is_empty(), "input is left");
        if !decoder.is_mid_message() {
            assert_eq!(decoder.capacity(), 0, "an idle decoder holds memory");
        }
    }
    let closed = matches!(messages.last(), Some(Owned::Close(_)));
    assert_eq!(decoder.is_finished(), error.is_some() || closed);
    Outcome { messages, error, mid_message: decoder.is_mid_message() }
}

/// Decodes as a whole, byte by byte and in two pieces at every point: all must agree.
pub(crate) fn decode_every_way(decoder: impl Fn() -> Decoder, bytes: &[u8]) -> Outcome {
    let whole = decode(decoder(), [bytes]);
    assert_eq!(decode(decoder(), bytes.chunks(1)), whole, "byte by byte");
    let step = bytes.len() / 600 + 1;
    for cut in (0..=bytes.len()).step_by(step) {
        let (left, right) = bytes.split_at(cut);
        assert_eq!(decode(decoder(), [left, right]), whole, "cut at {cut}");
    }
    whole
}

pub(crate) const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A masked frame with any first byte (FIN, RSV, opcode) and the shortest length.
pub(crate) fn raw(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = raw_header(first, payload.len() as u64);
    frame.extend_from_slice(payload);
    let start = frame.len() - payload.len();
    let _ = mask::apply(&mut frame[start..], KEY);
    frame
}

/// The header of such a frame: it may promise any length.
pub(crate) fn raw_header(first: u8, length: u64) -> Vec<u8> {
    let mut header = vec![first];
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short @ 0..=125), _) => header.push(0x80 | short),
        (_, Ok(medium)) => {
            header.push(0x80 | 126);
            header.extend_from_slice(&medium.to_be_bytes());
        }
        _ => {
            header.push(0x80 | 127);
            header.extend_from_slice(&length.to_be_bytes());
        }
    }
    header.extend_from_slice(&KEY);
    header
}

/// The same frame without a mask, as a server sends it.
pub(crate) fn unmasked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = raw_header(first, payload.len() as u64);
    frame[1] &= 0x7f;
    frame.truncate(frame.len() - 4);
    frame.extend_from_slice(payload);
    frame
}

pub(crate) fn text(text: &str) -> Owned {
    Owned::Text(text.into())
}

pub(crate) fn binary(bytes: &[u8]) -> Owned {
    Owned::Binary(bytes.into())
}

pub(crate) fn ping(bytes: &[u8]) -> Owned {
    Owned::Ping(bytes.into())
}

pub(crate) fn pong(bytes: &[u8]) -> Owned {
    Owned::Pong(bytes.into())
}

pub(crate) fn close(code: u16, reason: &str) -> Owned {
    Owned::Close(Some((code, reason.into())))
}
