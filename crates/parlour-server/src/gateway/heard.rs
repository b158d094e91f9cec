//! What the bytes of one read meant.

use parlour_websocket::{Decoder, Frame, Message};
use parlour_wire::Request;

use super::{Gateway, close::Close, conn::Conn};

/// What the bytes of one read meant, besides what was answered on the spot.
pub(super) enum Heard {
    Requests(Vec<Request>),
    Answer(Frame),
    /// The client closes; the answer.
    Close(Option<Frame>),
    Broken(Close),
}

/// Turns bytes into what they mean.
pub(super) fn understand(
    decoder: &mut Decoder,
    conn: &Conn,
    gateway: &Gateway,
    bytes: &mut [u8],
) -> Vec<Heard> {
    let mut heard = Vec::new();
    let mut input = bytes;
    loop {
        match decoder.next(&mut input) {
            Ok(None) => return heard,
            Ok(Some(Message::Text(text))) => {
                let mut requests = Vec::new();
                conn.dialect.decode(text, &gateway.limits, &mut requests);
                heard.push(Heard::Requests(requests));
            }
            Ok(Some(Message::Binary(_))) => {
                heard.push(Heard::Broken(Close::BINARY));
                return heard;
            }
            Ok(Some(Message::Pong(_))) => {}
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
}
