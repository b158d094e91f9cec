//! The frame header (RFC 6455 section 5.2): parsed with every rule that needs no payload.

use crate::ProtocolError;

/// Longest header: two bytes, an eight-byte length, a four-byte mask.
pub(crate) const MAX_HEADER_BYTES: usize = 14;

const FIN: u8 = 0x80;
const RSV1: u8 = 0x40;
const RSV2_AND_3: u8 = 0x30;
const MASKED: u8 = 0x80;

/// The kind of a frame (RFC 6455 section 11.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Opcode {
    /// A further fragment of the open message.
    Continuation = 0,
    /// A text message, or its first fragment.
    Text = 1,
    /// A binary message, or its first fragment.
    Binary = 2,
    /// The closing handshake.
    Close = 8,
    /// "Are you there?"; answered by a pong with the same payload.
    Ping = 9,
    /// The answer to a ping, or an unasked sign of life.
    Pong = 10,
}

impl Opcode {
    /// Close, ping and pong: never fragmented, at most 125 bytes (section 5.5).
    #[must_use]
    pub const fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }

    const fn from_nibble(nibble: u8) -> Option<Self> {
        Some(match nibble {
            0 => Self::Continuation,
            1 => Self::Text,
            2 => Self::Binary,
            8 => Self::Close,
            9 => Self::Ping,
            10 => Self::Pong,
            _ => return None,
        })
    }
}

/// A header that obeyed all [`Rules`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Header {
    pub(crate) fin: bool,
    pub(crate) compressed: bool,
    pub(crate) opcode: Opcode,
    pub(crate) payload_bytes: usize,
    /// Zero when the frame is not masked: then unmasking changes nothing.
    pub(crate) mask: [u8; 4],
}

/// What the receiver accepts at this point of the stream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    /// Frames must be masked (a server reads), or must not be (a client reads).
    pub(crate) masked: bool,
    /// permessage-deflate was negotiated.
    pub(crate) deflate: bool,
    /// A fragmented message is open.
    pub(crate) in_message: bool,
    /// One more data frame is within the fragment limit.
    pub(crate) fragment_allowed: bool,
    /// Payload bytes a plain data frame may still bring.
    pub(crate) room: usize,
    /// The same for a frame of a compressed message.
    pub(crate) compressed_room: usize,
    /// The open message is compressed.
    pub(crate) message_compressed: bool,
}

impl Rules {
    /// Reads a header from the start of `bytes`: the header and its size, or `None` if more bytes
    /// are needed. Fails at the first byte that proves a violation.
    pub(crate) fn parse(&self, bytes: &[u8]) -> Result<Option<(Header, usize)>, ProtocolError> {
        let Some((&first, rest)) = bytes.split_first() else { return Ok(None) };
        let opcode = self.check_first(first)?;
        let Some((&second, rest)) = rest.split_first() else { return Ok(None) };
        match (second & MASKED != 0, self.masked) {
            (false, true) => return Err(ProtocolError::Unmasked),
            (true, false) => return Err(ProtocolError::Masked),
            _ => {}
        }
        let short = second & !MASKED;
        if opcode.is_control() && short > 125 {
            return Err(ProtocolError::ControlTooLong);
        }
        let (length, rest) = match short {
            126 => {
                let Some((length, rest)) = rest.split_first_chunk() else { return Ok(None) };
                (at_least(u16::from_be_bytes(*length).into(), 126)?, rest)
            }
            127 => {
                let Some((length, rest)) = rest.split_first_chunk() else { return Ok(None) };
                (at_least(u64::from_be_bytes(*length), 1 << 16)?, rest)
            }
            short => (u64::from(short), rest),
        };
        let compressed = first & RSV1 != 0;
        let payload_bytes = self.check_length(opcode, compressed, length)?;
        let (mask, rest) = if self.masked {
            let Some((mask, rest)) = rest.split_first_chunk() else { return Ok(None) };
            (*mask, rest)
        } else {
            ([0; 4], rest)
        };
        let header = Header { fin: first & FIN != 0, compressed, opcode, payload_bytes, mask };
        Ok(Some((header, bytes.len() - rest.len())))
    }

    fn check_first(&self, first: u8) -> Result<Opcode, ProtocolError> {
        if first & RSV2_AND_3 != 0 {
            return Err(ProtocolError::ReservedBit);
        }
        let opcode = Opcode::from_nibble(first & 0x0f).ok_or(ProtocolError::UnknownOpcode)?;
        // RFC 7692 section 6: RSV1 marks the first frame of a compressed message, nothing else.
        let may_compress = self.deflate && matches!(opcode, Opcode::Text | Opcode::Binary);
        if first & RSV1 != 0 && !may_compress {
            return Err(ProtocolError::ReservedBit);
        }
        match opcode {
            Opcode::Close | Opcode::Ping | Opcode::Pong if first & FIN == 0 => {
                Err(ProtocolError::FragmentedControl)
            }
            Opcode::Continuation if !self.in_message => Err(ProtocolError::UnexpectedContinuation),
            Opcode::Text | Opcode::Binary if self.in_message => {
                Err(ProtocolError::ExpectedContinuation)
            }
            opcode if !opcode.is_control() && !self.fragment_allowed => {
                Err(ProtocolError::TooManyFragments)
            }
            opcode => Ok(opcode),
        }
    }

    fn check_length(
        &self,
        opcode: Opcode,
        compressed: bool,
        length: u64,
    ) -> Result<usize, ProtocolError> {
        if length >> 63 != 0 {
            return Err(ProtocolError::BadLength);
        }
        let length = usize::try_from(length).map_err(|_| ProtocolError::MessageTooBig)?;
        let room = match compressed || self.message_compressed {
            true => self.compressed_room,
            false => self.room,
        };
        if !opcode.is_control() && length > room {
            return Err(ProtocolError::MessageTooBig);
        }
        Ok(length)
    }
}

fn at_least(length: u64, least: u64) -> Result<u64, ProtocolError> {
    if length < least { Err(ProtocolError::BadLength) } else { Ok(length) }
}

/// Writes the header of a final frame into the end of `space`, and returns where it starts.
///
/// `mask` is set for frames of a client.
#[expect(clippy::cast_possible_truncation, reason = "each arm covers only lengths that fit")]
pub(crate) fn write(
    space: &mut [u8; MAX_HEADER_BYTES],
    opcode: Opcode,
    compressed: bool,
    payload_bytes: usize,
    mask: Option<[u8; 4]>,
) -> usize {
    let mut start = MAX_HEADER_BYTES;
    let mut prepend = |bytes: &[u8]| {
        let end = start;
        start -= bytes.len();
        space[start..end].copy_from_slice(bytes);
    };
    if let Some(mask) = mask {
        prepend(&mask);
    }
    let short = match payload_bytes {
        0..=125 => payload_bytes as u8,
        126..=0xffff => {
            prepend(&(payload_bytes as u16).to_be_bytes());
            126
        }
        _ => {
            prepend(&(payload_bytes as u64).to_be_bytes());
            127
        }
    };
    let rsv1 = if compressed { RSV1 } else { 0 };
    let masked = if mask.is_some() { MASKED } else { 0 };
    prepend(&[FIN | rsv1 | opcode as u8, masked | short]);
    start
}
