//! Message compression (permessage-deflate, RFC 7692): with whom it is agreed, and each large frame compressed once for
//! all of them.
//!
//! Every message is compressed by itself, so a connection holds no window, and the same compressed frame goes to
//! everybody. The compressor is the thread's, made when it is first needed.

use std::{cell::RefCell, collections::VecDeque, fmt};

use parlour_websocket::{Deflate, Deflater, Frame};

use crate::config::ServerSection;

/// zlib's level: saves nearly what the highest saves, in a third of its time (`docs/operations.md`).
const LEVEL: u32 = 3;

/// The window, as the logarithm of its bytes: the largest, which clients have but for those that ask for less.
const WINDOW_BITS: u8 = 15;

/// So many frames a thread remembers with their compressed forms. One event has as many as there are dialects and
/// variants of it among those who hear it.
const REMEMBERED: usize = 8;

/// What clients may have that ask for compression.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Compression {
    pub(super) min_bytes: usize,
}

impl Compression {
    /// What the operator wants; `None`: no compression.
    pub(crate) fn of(server: &ServerSection) -> Option<Self> {
        server.compression.then_some(Self { min_bytes: server.compression_min_bytes })
    }

    /// What is agreed with a client that asks for this (`Sec-WebSocket-Extensions`).
    pub(crate) fn agree(self, asked: &str) -> Option<Agreed> {
        let deflate = Deflate::negotiate(asked)?;
        Some(Agreed { deflate, min_bytes: self.min_bytes })
    }
}

/// What was agreed with one client.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Agreed {
    deflate: Deflate,
    min_bytes: usize,
}

impl fmt::Display for Agreed {
    /// The value of the header that answers the client.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.deflate.fmt(f)
    }
}

impl Agreed {
    /// A frame as it goes to this client, when others may get the same one: it is compressed for the first of them.
    pub(crate) fn shared(&self, frame: Frame) -> Frame {
        match self.is_worth_it(&frame) {
            true => with_compressor(|compressor| compressor.remembered(&frame)).unwrap_or(frame),
            false => frame,
        }
    }

    /// A frame as it goes to this client alone.
    pub(crate) fn alone(&self, frame: Frame) -> Frame {
        match self.is_worth_it(&frame) {
            true => with_compressor(|c| c.deflater.frame(&frame)).unwrap_or(frame),
            false => frame,
        }
    }

    fn is_worth_it(&self, frame: &Frame) -> bool {
        let bytes = frame.payload().len();
        bytes >= self.min_bytes && self.deflate.can_read(WINDOW_BITS, bytes)
    }
}

/// What a thread compresses with.
struct Compressor {
    deflater: Deflater,
    /// The last frames that others may get too. They are kept, so their bytes stay where they are: who has the
    /// same bytes has the same frame.
    remembered: VecDeque<Known>,
}

/// A frame and its compressed form, if that is smaller.
struct Known {
    plain: Frame,
    compressed: Option<Frame>,
}

thread_local! {
    static COMPRESSOR: RefCell<Option<Compressor>> = const { RefCell::new(None) };
}

fn with_compressor<T>(work: impl FnOnce(&mut Compressor) -> T) -> T {
    COMPRESSOR.with_borrow_mut(|slot| {
        work(slot.get_or_insert_with(|| Compressor {
            deflater: Deflater::new(LEVEL, WINDOW_BITS),
            remembered: VecDeque::with_capacity(REMEMBERED),
        }))
    })
}

impl Compressor {
    fn remembered(&mut self, plain: &Frame) -> Option<Frame> {
        let known = self.remembered.iter().find(|known| known.plain.shares_bytes_with(plain));
        if let Some(known) = known {
            return known.compressed.clone();
        }
        let compressed = self.deflater.frame(plain);
        if self.remembered.len() == REMEMBERED {
            self.remembered.pop_front();
        }
        self.remembered.push_back(Known { plain: plain.clone(), compressed: compressed.clone() });
        compressed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agreed(asked: &str, min_bytes: usize) -> Agreed {
        Compression { min_bytes }.agree(asked).unwrap()
    }

    #[test]
    fn small_frames_go_as_they_are() {
        let agreed = agreed("permessage-deflate", 100);
        let goes = |bytes: usize| agreed.shared(Frame::text(&"a".repeat(bytes)));
        assert!(!goes(99).is_compressed());
        assert!(goes(100).is_compressed());
        assert!(!agreed.alone(Frame::close(1000, &"a".repeat(110))).is_compressed());
    }

    #[test]
    fn a_frame_is_compressed_once_for_all() {
        let (one, other) = (agreed("permessage-deflate", 1), agreed("permessage-deflate", 1));
        let frames: Vec<_> =
            (0..REMEMBERED).map(|n| Frame::text(&format!("{n}").repeat(500))).collect();
        let first: Vec<_> = frames.iter().map(|frame| one.shared(frame.clone())).collect();
        for (frame, first) in frames.iter().zip(&first) {
            assert!(first.is_compressed());
            assert!(other.shared(frame.clone()).shares_bytes_with(first));
        }
        let same_text = Frame::text(&"0".repeat(500));
        assert_eq!(one.shared(same_text.clone()), first[0]);
        assert!(!one.alone(same_text).shares_bytes_with(&first[0]));
    }

    #[test]
    fn who_has_a_small_window_gets_large_frames_as_they_are() {
        let small = agreed("permessage-deflate; server_max_window_bits=9", 1);
        assert!(small.shared(Frame::text(&"a".repeat(512))).is_compressed());
        assert!(!small.shared(Frame::text(&"a".repeat(513))).is_compressed());
    }
}
