//! The client's side: masked frames, for tests and load generators.
//!
//! Read with [`Decoder::client`](crate::Decoder::client).

use crate::header::{self, MAX_HEADER_BYTES, Opcode};
use crate::mask;

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
