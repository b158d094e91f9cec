//! The client's side: masked frames, for tests and load generators.
//!
//! Read with [`Decoder::client`](crate::Decoder::client).

use std::io::{self, Read, Write};

use crate::header::{self, MAX_HEADER_BYTES, Opcode};
use crate::mask;

/// Asks for a socket at `target`, and returns the head of the answer, whatever it is. `lines` are more lines of the
/// request, each with its end. Nothing behind the head is read.
///
/// The key is that of RFC 6455 section 1.3: a real client takes an unpredictable one.
///
/// # Errors
/// Those of the stream, also when it ends before the head does, and when the head is no UTF-8.
pub fn open(
    stream: &mut (impl Read + Write),
    target: &str,
    host: &str,
    lines: &str,
) -> io::Result<String> {
    let request = format!(
        "GET {target} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{lines}\r\n"
    );
    stream.write_all(request.as_bytes())?;
    let mut head = Vec::new();
    // One by one: what follows belongs to the frames.
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.extend_from_slice(&byte);
    }
    String::from_utf8(head).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// Appends a final frame masked with `key` to `out` (RFC 6455 section 5.3).
///
/// A real client takes an unpredictable `key` for each frame; a load generator need not.
pub fn encode_into(out: &mut Vec<u8>, opcode: Opcode, payload: &[u8], key: [u8; 4]) {
    let mut space = [0; MAX_HEADER_BYTES];
    let start = header::write(&mut space, opcode, false, payload.len(), Some(key));
    out.extend_from_slice(&space[start..]);
    let payload_start = out.len();
    out.extend_from_slice(payload);
    let _ = mask::apply(&mut out[payload_start..], key);
}

/// A masked text message of its own.
#[must_use]
pub fn text(text: &str, key: [u8; 4]) -> Vec<u8> {
    let mut out = Vec::with_capacity(MAX_HEADER_BYTES + text.len());
    encode_into(&mut out, Opcode::Text, text.as_bytes(), key);
    out
}
