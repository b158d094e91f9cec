//! From what a dialect writes to frames that connections share.

use parlour_websocket::Frame;
use parlour_wire::Sink;

/// Room that a frame gets to begin with, in bytes: enough for a message of a line or two with all that is said of it.
const USUAL: usize = 512;

/// The frames that a dialect wrote for one thing: mostly one, or none.
#[derive(Default)]
pub(crate) struct Frames {
    sealed: Vec<Frame>,
    open: Option<Vec<u8>>,
}

impl Frames {
    /// All that `write` writes.
    pub(crate) fn of(write: impl FnOnce(&mut dyn Sink)) -> Vec<Frame> {
        let mut frames = Self::default();
        write(&mut frames);
        frames.seal();
        frames.sealed
    }

    fn seal(&mut self) {
        self.sealed.extend(self.open.take().map(Frame::text_from));
    }
}

impl Sink for Frames {
    fn frame(&mut self) -> &mut Vec<u8> {
        self.seal();
        self.open.insert(Frame::room(USUAL))
    }
}

/// Makes one frame.
pub(crate) fn frame(write: impl FnOnce(&mut Vec<u8>)) -> Frame {
    let mut buffer = Frame::room(USUAL);
    write(&mut buffer);
    Frame::text_from(buffer)
}

/// The frame of a Pusher channel: its text is an object, to which the channel is added. Channel names have no
/// character that JSON would escape.
pub(crate) fn on_channel(frame: &Frame, channel: &str) -> Frame {
    let text = frame.payload();
    let body = text.strip_suffix(b"}").unwrap_or(text);
    let mut buffer = Frame::room(text.len() + channel.len() + 16);
    buffer.extend_from_slice(body);
    buffer.extend_from_slice(b",\"channel\":\"");
    buffer.extend_from_slice(channel.as_bytes());
    buffer.extend_from_slice(b"\"}");
    Frame::text_from(buffer)
}
