//! What a peer can do wrong, and the close code it gets for it.

use crate::{Frame, close};

/// A violation that ends the connection (RFC 6455 section 7.1.7, "Fail the WebSocket Connection").
///
/// Every one of them is answered: send [`ProtocolError::close_frame`], then close the socket. The
/// decoder that returned it ignores all further input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// RSV1, RSV2 or RSV3 is set and no extension gives it a meaning there (section 5.2).
    #[error("reserved bit set")]
    ReservedBit,
    /// Opcode 3 to 7 or 11 to 15 (section 5.2).
    #[error("unknown opcode")]
    UnknownOpcode,
    /// A client sent a frame without a mask (section 5.1).
    #[error("client frame is not masked")]
    Unmasked,
    /// A server sent a frame with a mask (section 5.1).
    #[error("server frame is masked")]
    Masked,
    /// A control frame without FIN (section 5.5).
    #[error("control frame is fragmented")]
    FragmentedControl,
    /// A control frame of more than 125 bytes (section 5.5).
    #[error("control frame is too long")]
    ControlTooLong,
    /// A continuation frame although no message is open (section 5.4).
    #[error("continuation without a message")]
    UnexpectedContinuation,
    /// A text or binary frame although a message is open (section 5.4).
    #[error("new message inside a fragmented message")]
    ExpectedContinuation,
    /// A payload length of 2^63 or more, or one not written in the fewest bytes (section 5.2).
    #[error("malformed payload length")]
    BadLength,
    /// A close frame with a body of one byte (section 5.5.1).
    #[error("close frame with half a code")]
    ShortCloseBody,
    /// A close code that may not be sent (section 7.4).
    #[error("close code {0} may not be sent")]
    BadCloseCode(u16),
    /// Text or a close reason that is not UTF-8 (section 8.1).
    #[error("invalid UTF-8")]
    InvalidUtf8,
    /// A compressed message that is not a deflate stream (RFC 7692 section 7.2.2).
    #[error("invalid compressed data")]
    BadDeflate,
    /// A message larger than [`Limits::max_message_bytes`](crate::Limits::max_message_bytes),
    /// before or after inflating.
    #[error("message is too big")]
    MessageTooBig,
    /// A message in more frames than [`Limits::max_fragments`](crate::Limits::max_fragments).
    #[error("message has too many fragments")]
    TooManyFragments,
}

impl ProtocolError {
    /// The code to close with: 1002, 1007 or 1009.
    #[must_use]
    pub const fn close_code(self) -> u16 {
        match self {
            Self::InvalidUtf8 | Self::BadDeflate => close::INVALID_PAYLOAD,
            Self::MessageTooBig | Self::TooManyFragments => close::TOO_BIG,
            _ => close::PROTOCOL_ERROR,
        }
    }

    /// The close frame to answer with: the code, and this error's text as the reason.
    #[must_use]
    pub fn close_frame(self) -> Frame {
        Frame::close(self.close_code(), &self.to_string())
    }
}
