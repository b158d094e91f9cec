//! Frames a server sends: encoded once, shared by every receiver.

use std::convert::Infallible;

use bytes::{Buf as _, BufMut, Bytes};

use crate::close;
use crate::header::{self, MAX_HEADER_BYTES, Opcode};

/// Longest payload of a ping, pong or close in bytes (RFC 6455 section 5.5).
pub const MAX_CONTROL_BYTES: usize = 125;

/// A complete, final, unmasked frame with its header, ready to be written to any number of sockets.
///
/// A clone shares the bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame(Bytes);

impl Frame {
    /// A text message.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::encode(Opcode::Text, text.as_bytes())
    }

    /// A binary message.
    #[must_use]
    pub fn binary(payload: &[u8]) -> Self {
        Self::encode(Opcode::Binary, payload)
    }

    /// A ping. A payload above [`MAX_CONTROL_BYTES`] is cut.
    #[must_use]
    pub fn ping(payload: &[u8]) -> Self {
        Self::encode(Opcode::Ping, &payload[..payload.len().min(MAX_CONTROL_BYTES)])
    }

    /// A pong. A payload above [`MAX_CONTROL_BYTES`] is cut.
    #[must_use]
    pub fn pong(payload: &[u8]) -> Self {
        Self::encode(Opcode::Pong, &payload[..payload.len().min(MAX_CONTROL_BYTES)])
    }

    /// A close frame. A reason above [`close::MAX_REASON_BYTES`] is cut between two characters. A
    /// `code` that may not be sent ([`close::is_allowed`]) becomes 1011, a fault of this server.
    #[must_use]
    pub fn close(code: u16, reason: &str) -> Self {
        let code = if close::is_allowed(code) { code } else { close::INTERNAL_ERROR };
        let reason = close::fit_reason(reason);
        let Ok(frame) = Self::build(Opcode::Close, false, 2 + reason.len(), |payload| {
            payload.extend_from_slice(&code.to_be_bytes());
            payload.extend_from_slice(reason.as_bytes());
            Ok::<(), Infallible>(())
        });
        frame
    }

    /// A text message whose payload `write` appends to the given buffer: header and payload share
    /// one allocation, of about `capacity` payload bytes to begin with.
    ///
    /// `write` must only append, and only UTF-8 (checked in debug builds); what stands in the
    /// buffer before is room for the header.
    ///
    /// # Errors
    /// Whatever `write` returns.
    pub fn text_with<E>(
        capacity: usize,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<Self, E> {
        let frame = Self::build(Opcode::Text, false, capacity, write)?;
        debug_assert!(str::from_utf8(frame.payload()).is_ok(), "text frame is not UTF-8");
        Ok(frame)
    }

    /// A binary message whose payload `write` appends, as in [`Frame::text_with`].
    ///
    /// # Errors
    /// Whatever `write` returns.
    pub fn binary_with<E>(
        capacity: usize,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<Self, E> {
        Self::build(Opcode::Binary, false, capacity, write)
    }

    /// Frames that are written one after the other, as one piece: sharing and queueing it costs what one frame costs.
    ///
    /// It is for writing only: [`Frame::as_bytes`] and [`Frame::len`] are those of all, the other methods tell of the first,
    /// so that it must not be compressed.
    #[must_use]
    pub fn row(frames: &[Self]) -> Self {
        let mut bytes = Vec::with_capacity(frames.iter().map(Self::len).sum());
        frames.iter().for_each(|frame| bytes.extend_from_slice(frame.as_bytes()));
        Self(bytes.into())
    }

    /// What goes out before the first frame: the answer to the upgrade. For writing only, as [`Frame::row`].
    #[must_use]
    pub fn raw(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }

    /// The frame as it goes to the socket.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The same as shared bytes.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.0
    }

    /// Size on the wire in bytes, header included.
    #[expect(clippy::len_without_is_empty, reason = "a frame has at least a header")]
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// What the frame carries; for a compressed frame the compressed bytes.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        let header = match self.0.get(1) {
            Some(126) => 4,
            Some(127) => 10,
            _ => 2,
        };
        self.0.get(header..).unwrap_or_default()
    }

    /// Whether the payload is compressed (RSV1, RFC 7692 section 6). Such a frame may only go to a
    /// peer with which the extension was negotiated.
    #[must_use]
    pub fn is_compressed(&self) -> bool {
        self.0.first().is_some_and(|first| first & 0x40 != 0)
    }

    /// Whether both are clones of one frame: they have the same bytes at the same place.
    #[must_use]
    pub fn shares_bytes_with(&self, other: &Self) -> bool {
        std::ptr::eq(self.as_bytes(), other.as_bytes())
    }

    /// What kind of message it carries, if it carries one that is not compressed.
    #[cfg(feature = "deflate")]
    pub(crate) fn plain_opcode(&self) -> Option<Opcode> {
        let opcode = self.0.first().filter(|_| !self.is_compressed()).map(|first| first & 0x0f);
        [Opcode::Text, Opcode::Binary].into_iter().find(|known| opcode == Some(*known as u8))
    }

    /// Whether this is a close frame: nothing may be sent after it (RFC 6455 section 5.5.1).
    #[must_use]
    pub fn is_close(&self) -> bool {
        self.0.first().is_some_and(|first| first & 0x0f == Opcode::Close as u8)
    }

    fn encode(opcode: Opcode, payload: &[u8]) -> Self {
        let mut space = [0; MAX_HEADER_BYTES];
        let start = header::write(&mut space, opcode, false, payload.len(), None);
        let mut bytes = Vec::with_capacity(MAX_HEADER_BYTES - start + payload.len());
        bytes.extend_from_slice(&space[start..]);
        bytes.extend_from_slice(payload);
        Self(bytes.into())
    }

    /// Leaves room for the longest header, lets `write` append, then writes the header so that it
    /// ends where the payload starts.
    pub(crate) fn build<E>(
        opcode: Opcode,
        compressed: bool,
        capacity: usize,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<Self, E> {
        let mut bytes = Self::room(capacity);
        write(&mut bytes)?;
        Ok(Self::seal(opcode, compressed, bytes))
    }

    /// A buffer for the payload of a text message, with room for a header in front: to be appended to, and given to
    /// [`Frame::text_from`].
    #[must_use]
    pub fn room(capacity: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(MAX_HEADER_BYTES + capacity);
        bytes.extend_from_slice(&[0; MAX_HEADER_BYTES]);
        bytes
    }

    /// A text message of a buffer that [`Frame::room`] gave. What was appended must be UTF-8 (checked in debug builds).
    #[must_use]
    pub fn text_from(buffer: Vec<u8>) -> Self {
        let frame = Self::seal(Opcode::Text, false, buffer);
        debug_assert!(str::from_utf8(frame.payload()).is_ok(), "text frame is not UTF-8");
        frame
    }

    fn seal(opcode: Opcode, compressed: bool, mut bytes: Vec<u8>) -> Self {
        let payload_bytes = bytes.len().saturating_sub(MAX_HEADER_BYTES);
        let mut start = 0;
        if let Some(space) = bytes.first_chunk_mut::<MAX_HEADER_BYTES>() {
            start = header::write(space, opcode, compressed, payload_bytes, None);
        }
        let mut frame = Bytes::from(bytes);
        frame.advance(start);
        Self(frame)
    }
}

/// Appends a text message to `out`, which may hold other frames: for answers that go to one socket
/// and need no sharing.
pub fn encode_text_into(out: &mut impl BufMut, text: &str) {
    encode_into(out, Opcode::Text, text.as_bytes());
}

/// Appends a binary message to `out`, as [`encode_text_into`] does.
pub fn encode_binary_into(out: &mut impl BufMut, payload: &[u8]) {
    encode_into(out, Opcode::Binary, payload);
}

fn encode_into(out: &mut impl BufMut, opcode: Opcode, payload: &[u8]) {
    let mut space = [0; MAX_HEADER_BYTES];
    let start = header::write(&mut space, opcode, false, payload.len(), None);
    out.put_slice(&space[start..]);
    out.put_slice(payload);
}
