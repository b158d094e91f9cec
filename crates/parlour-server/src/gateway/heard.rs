//! What the bytes of one read meant.

use parlour_websocket::{Decoder, Frame, Message};

use super::{close::Close, link::Link};

/// What the bytes of one read meant, besides what was answered on the spot.
pub(super) enum Heard<T> {
    /// A message, as its protocol understands it.
    Said(T),
    Answer(Frame),
    /// The client closes; the answer.
    Close(Option<Frame>),
    Broken(Close),
}

/// After so many bytes of messages, those that came with them wait until these are dealt with. Plain ones of usual size
/// never come to it; compressed ones can be a thousand times what was read.
const AT_ONCE: usize = 256 * 1024;

/// Turns bytes into what they mean; `read` understands a text, `read_binary` what is none, if anything. What is left in
/// `input` is to be given again.
pub(super) fn understand<T>(
    decoder: &mut Decoder,
    link: &Link,
    input: &mut &mut [u8],
    mut read: impl FnMut(&str) -> T,
    mut read_binary: impl FnMut(&[u8]) -> Option<T>,
) -> Vec<Heard<T>> {
    let mut heard = Vec::new();
    let mut bytes = 0;
    while bytes < AT_ONCE {
        match decoder.next(input) {
            Ok(None) => return heard,
            Ok(Some(Message::Text(text))) => {
                bytes += text.len();
                heard.push(Heard::Said(read(text)));
            }
            Ok(Some(Message::Binary(message))) => match read_binary(message) {
                Some(read) => {
                    bytes += message.len();
                    heard.push(Heard::Said(read));
                }
                None => {
                    heard.push(Heard::Broken(Close::BINARY));
                    return heard;
                }
            },
            Ok(Some(Message::Pong(payload))) => link.pong(payload),
            Ok(Some(message @ Message::Ping(_))) => {
                heard.extend(message.answer().map(Heard::Answer));
            }
            Ok(Some(message @ Message::Close(_))) => {
                heard.push(Heard::Close(message.answer()));
                return heard;
            }
            Err(error) => {
                heard.push(Heard::Broken(Close {
                    code: error.close_code(),
                    reason: error.to_string().into(),
                }));
                return heard;
            }
        }
    }
    heard
}
