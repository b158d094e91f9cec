//! The decoder against itself in other pieces, and against tungstenite's parser.
//!
//! Also the body of the fuzz target.

use std::io::{self, Cursor, Read, Write};

use parlour_websocket::{Decoder, Limits, ProtocolError};
use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Error, Message, WebSocket};

use crate::support::{Outcome, Owned, decode};

/// Checks one fuzz input: a byte of settings, a seed for the pieces, then the stream.
pub(crate) fn check(data: &[u8]) {
    let [settings, seed, stream @ ..] = data else { return };
    let client = settings & 1 != 0;
    let deflate = settings & 2 != 0 && cfg!(feature = "deflate");
    let limits = match settings & 4 {
        0 => Limits { max_message_bytes: 4096, max_fragments: 64 },
        _ => Limits { max_message_bytes: 130, max_fragments: 3 },
    };
    let decoder = || {
        let decoder = if client { Decoder::client(limits) } else { Decoder::server(limits) };
        #[cfg(feature = "deflate")]
        let decoder = if deflate { decoder.with_deflate() } else { decoder };
        decoder
    };
    let outcome = decode(decoder(), [stream]);
    assert_eq!(decode(decoder(), pieces(stream, *seed)), outcome, "in pieces by seed {seed}");
    if !deflate {
        compare(client, limits, stream, &outcome);
    }
}

/// Pieces of one byte for seed 0, else of 1 to 16 bytes and now and then of more.
fn pieces(mut stream: &[u8], seed: u8) -> Vec<&[u8]> {
    let mut state = u32::from(seed);
    let mut pieces = Vec::new();
    while !stream.is_empty() {
        state =
            state.wrapping_mul(1_664_525).wrapping_add(u32::from(seed).wrapping_mul(1_013_904_223));
        let size = match state >> 28 {
            _ if seed == 0 => 1,
            15 => 300,
            bits => bits as usize + 1,
        };
        let (piece, rest) = stream.split_at(size.min(stream.len()));
        pieces.push(piece);
        stream = rest;
    }
    pieces
}

/// Requires of tungstenite the same messages, and a verdict that does not contradict `ours`.
///
/// tungstenite judges a frame only when its payload is there, so it may still wait where we have
/// refused; [`compare_complete`] excludes that.
fn compare(client: bool, limits: Limits, stream: &[u8], ours: &Outcome) -> Option<Verdict> {
    let (theirs, verdict) = reference(client, limits, stream);
    match ours.error {
        // Rules that tungstenite does not have (it reads a short control frame whose length is
        // written long), or whose violation it does not return as an error.
        Some(
            ProtocolError::BadLength
            | ProtocolError::ControlTooLong
            | ProtocolError::BadCloseCode(_)
            | ProtocolError::TooManyFragments,
        ) => {
            assert!(theirs.starts_with(&ours.messages), "{theirs:?} for {ours:?}");
            return None;
        }
        Some(_) => {
            assert_eq!(theirs, ours.messages, "before the error {:?}", ours.error);
            assert_ne!(verdict, Verdict::Closed, "{ours:?}");
        }
        None => {
            let closed = match ours.messages.last() {
                // Registered since, and unknown to tungstenite.
                Some(Owned::Close(Some((1014, _)))) => return None,
                Some(Owned::Close(_)) => Verdict::Closed,
                _ => Verdict::Waiting,
            };
            assert_eq!((&theirs, verdict), (&ours.messages, closed));
        }
    }
    Some(verdict)
}

/// The same for a stream of complete frames: what we refuse, tungstenite refuses too.
pub(crate) fn compare_complete(client: bool, limits: Limits, stream: &[u8], ours: &Outcome) {
    let verdict = compare(client, limits, stream, ours);
    if ours.error.is_some() && verdict.is_some() {
        assert_eq!(verdict, Some(Verdict::Refused), "we refused with {:?}", ours.error);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Waiting,
    Closed,
    Refused,
}

fn reference(client: bool, limits: Limits, stream: &[u8]) -> (Vec<Owned>, Verdict) {
    let role = if client { Role::Client } else { Role::Server };
    let config = WebSocketConfig::default()
        .read_buffer_size(512)
        .max_message_size(Some(limits.max_message_bytes))
        .max_frame_size(Some(limits.max_message_bytes));
    let wire = Wire(Cursor::new(stream.to_vec()));
    let mut socket = WebSocket::from_raw_socket(wire, role, Some(config));
    let mut messages = Vec::new();
    loop {
        let message = match socket.read() {
            Ok(Message::Text(text)) => Owned::Text(text.as_str().into()),
            Ok(Message::Binary(bytes)) => Owned::Binary(bytes.into()),
            Ok(Message::Ping(bytes)) => Owned::Ping(bytes.into()),
            Ok(Message::Pong(bytes)) => Owned::Pong(bytes.into()),
            Ok(Message::Close(body)) => {
                let body = body.map(|frame| (frame.code.into(), frame.reason.as_str().into()));
                messages.push(Owned::Close(body));
                return (messages, Verdict::Closed);
            }
            // The end of the stream.
            Err(Error::Protocol(
                tungstenite::error::ProtocolError::ResetWithoutClosingHandshake,
            )) => return (messages, Verdict::Waiting),
            Ok(Message::Frame(_)) | Err(_) => return (messages, Verdict::Refused),
        };
        messages.push(message);
    }
}

/// Reads what is given, swallows what is written.
struct Wire(Cursor<Vec<u8>>);

impl Read for Wire {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.read(into)
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
