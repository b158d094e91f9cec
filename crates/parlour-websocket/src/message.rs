//! What the decoder hands out.

use crate::{Frame, Opcode, ProtocolError, close};

/// A complete message or control frame, borrowed from the input or from the decoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message<'a> {
    /// A text message; RFC 6455 section 5.6.
    Text(&'a str),
    /// A binary message; section 5.6.
    Binary(&'a [u8]),
    /// A ping of at most 125 bytes; section 5.5.2. Answer it with [`Message::answer`].
    Ping(&'a [u8]),
    /// A pong of at most 125 bytes; section 5.5.3. Needs no answer.
    Pong(&'a [u8]),
    /// The peer closes: its code and reason, or `None` for an empty body; section 5.5.1. The code
    /// has been checked by [`close::is_allowed`]. Nothing is decoded after it.
    Close(Option<(u16, &'a str)>),
}

impl Message<'_> {
    /// The frame the protocol asks for in return: a pong with the same payload for a ping, a close
    /// frame with the same code for a close (1000 if it had none). `None` for the others.
    ///
    /// If a close frame was sent before, a received close is its answer and is not answered again.
    #[must_use]
    pub fn answer(&self) -> Option<Frame> {
        match *self {
            Self::Ping(payload) => Some(Frame::pong(payload)),
            Self::Close(body) => {
                Some(Frame::close(body.map_or(close::NORMAL, |(code, _)| code), ""))
            }
            Self::Text(_) | Self::Binary(_) | Self::Pong(_) => None,
        }
    }
}

/// Checks text.
pub(crate) fn utf8(bytes: &[u8]) -> Result<&str, ProtocolError> {
    simdutf8::basic::from_utf8(bytes).map_err(|_| ProtocolError::InvalidUtf8)
}

/// Checks the payload of a control frame.
pub(crate) fn control(opcode: Opcode, payload: &[u8]) -> Result<Message<'_>, ProtocolError> {
    match opcode {
        Opcode::Ping => Ok(Message::Ping(payload)),
        Opcode::Pong => Ok(Message::Pong(payload)),
        _ => match payload {
            [] => Ok(Message::Close(None)),
            [_] => Err(ProtocolError::ShortCloseBody),
            [high, low, reason @ ..] => {
                let code = u16::from_be_bytes([*high, *low]);
                if !close::is_allowed(code) {
                    return Err(ProtocolError::BadCloseCode(code));
                }
                Ok(Message::Close(Some((code, utf8(reason)?))))
            }
        },
    }
}
