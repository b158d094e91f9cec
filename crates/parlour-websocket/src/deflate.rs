//! permessage-deflate payloads (RFC 7692 section 7.2), each message on its own.
//!
//! Without context takeover a message is compressed once for all receivers, and a connection holds
//! no window.

use std::cell::RefCell;
use std::convert::Infallible;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use crate::extension::{MAX_WINDOW_BITS, MIN_WINDOW_BITS};
use crate::header::Opcode;
use crate::{Frame, ProtocolError};

/// What a sender removes from the end of a message: the length fields of an empty stored block.
const STRIPPED: [u8; 4] = [0x00, 0x00, 0xff, 0xff];
/// What a receiver appends: the stripped bytes, and an empty final block that is only read as such
/// if the message ended between two blocks.
const TAIL: [u8; 6] = [0x00, 0x00, 0xff, 0xff, 0x03, 0x00];
const FIRST_OUTPUT_BYTES: usize = 512;
/// What a compressor keeps of its buffer from one message to the next.
const KEPT_SCRATCH_BYTES: usize = 64 << 10;

/// Compresses messages into shared [`Frame`]s. Holds about 300 KiB: keep one per thread.
pub struct Deflater {
    compress: Compress,
    scratch: Vec<u8>,
}

impl Deflater {
    /// `level` is zlib's, 1 (fast) to 9 (small). `window_bits` is the base-2 logarithm of the
    /// window in bytes, 9 to 15; a peer that negotiated fewer bits cannot read the frames of one
    /// with more ([`Deflate::can_read`](crate::Deflate::can_read)). Both are brought into range.
    #[must_use]
    pub fn new(level: u32, window_bits: u8) -> Self {
        let window_bits = window_bits.clamp(MIN_WINDOW_BITS, MAX_WINDOW_BITS);
        let level = Compression::new(level.clamp(1, 9));
        Self {
            compress: Compress::new_with_window_bits(level, false, window_bits),
            scratch: Vec::new(),
        }
    }

    /// A compressed text message, or `None` if it would not be smaller than the plain one.
    pub fn text(&mut self, text: &str) -> Option<Frame> {
        self.compressed(Opcode::Text, text.as_bytes())
    }

    /// A compressed binary message, or `None` if it would not be smaller than the plain one.
    pub fn binary(&mut self, payload: &[u8]) -> Option<Frame> {
        self.compressed(Opcode::Binary, payload)
    }

    /// The compressed form of a text or binary frame, or `None` if it would not be smaller. Control
    /// frames are never compressed (RFC 7692 section 6.1), nor is anything twice.
    pub fn frame(&mut self, plain: &Frame) -> Option<Frame> {
        self.compressed(plain.plain_opcode()?, plain.payload())
    }

    fn compressed(&mut self, opcode: Opcode, payload: &[u8]) -> Option<Frame> {
        self.compress.reset();
        self.scratch.clear();
        self.scratch.shrink_to(KEPT_SCRATCH_BYTES);
        // Output that needs more room than this is of no use.
        self.scratch.reserve(payload.len() + STRIPPED.len());
        let flush = FlushCompress::Sync;
        self.compress.compress_vec(payload, &mut self.scratch, flush).ok()?;
        let complete = self.scratch.len() < self.scratch.capacity();
        let compressed = self.scratch.strip_suffix(&STRIPPED)?;
        if !complete || compressed.len() >= payload.len() {
            return None;
        }
        let Ok(frame) = Frame::build(opcode, true, compressed.len(), |out| {
            out.extend_from_slice(compressed);
            Ok::<(), Infallible>(())
        });
        Some(frame)
    }
}

impl std::fmt::Debug for Deflater {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Deflater").finish_non_exhaustive()
    }
}

thread_local! {
    /// About 40 KiB, made when the first compressed message of the thread arrives.
    static INFLATER: RefCell<Option<Decompress>> = const { RefCell::new(None) };
}

/// The plain form of one message, at most `max_bytes` long. Never holds more than that and a byte
/// of output, whatever the input claims.
pub(crate) fn inflate(compressed: &[u8], max_bytes: usize) -> Result<Vec<u8>, ProtocolError> {
    INFLATER.with_borrow_mut(|slot| {
        let inflater = slot.get_or_insert_with(|| Decompress::new(false));
        inflater.reset(false);
        let mut output = Vec::new();
        inflate_part(inflater, compressed, &mut output, max_bytes)?;
        if inflate_part(inflater, &TAIL, &mut output, max_bytes)? {
            Ok(output)
        } else {
            Err(ProtocolError::BadDeflate)
        }
    })
}

/// Returns whether the input ended with a final block.
fn inflate_part(
    inflater: &mut Decompress,
    mut input: &[u8],
    output: &mut Vec<u8>,
    max_bytes: usize,
) -> Result<bool, ProtocolError> {
    let mut ended = false;
    loop {
        if output.len() == output.capacity() {
            let room = max_bytes.saturating_add(1) - output.len();
            output.reserve_exact(output.len().max(FIRST_OUTPUT_BYTES).min(room));
        }
        let (read, written) = (inflater.total_in(), output.len());
        let status = inflater
            .decompress_vec(input, output, FlushDecompress::None)
            .map_err(|_| ProtocolError::BadDeflate)?;
        let consumed = usize::try_from(inflater.total_in() - read).unwrap_or(usize::MAX);
        input = input.get(consumed..).unwrap_or_default();
        if output.len() > max_bytes {
            return Err(ProtocolError::MessageTooBig);
        }
        let progress = consumed > 0 || output.len() > written;
        if progress {
            ended = status == Status::StreamEnd;
        }
        if ended {
            // Section 7.2.3.5: a final block may stand inside a message; what follows is new.
            inflater.reset(false);
        }
        if input.is_empty() && output.len() < output.capacity() {
            return Ok(ended);
        }
        if !progress && output.len() < output.capacity() {
            return Err(ProtocolError::BadDeflate);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Deflater, inflate};
    use crate::{Frame, ProtocolError};

    #[test]
    fn the_examples_of_rfc_7692_inflate() {
        let hello = |bytes: &[u8]| inflate(bytes, 100).map(|out| String::from_utf8(out).unwrap());
        // 7.2.3.1 one block, 7.2.3.3 stored, 7.2.3.4 final block, 7.2.3.5 two blocks.
        let one = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
        let stored = [0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00];
        let last = [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00];
        let two = [0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00];
        for bytes in [&one[..], &stored, &last, &two] {
            assert_eq!(hello(bytes).as_deref(), Ok("Hello"), "{bytes:02x?}");
        }
        assert_eq!(hello(&[0x00]).as_deref(), Ok(""));
    }

    #[test]
    fn cut_and_broken_streams_are_refused() {
        let text = "the quick brown fox jumps over the lazy dog, and over it again";
        let mut deflater = Deflater::new(6, 15);
        let frame = deflater.text(&text.repeat(4)).unwrap();
        let payload = frame.payload();
        assert!(inflate(payload, 1000).is_ok());
        assert_eq!(inflate(&payload[..payload.len() / 2], 1000), Err(ProtocolError::BadDeflate));
        assert_eq!(inflate(&[0x07, 0xff, 0xff], 1000), Err(ProtocolError::BadDeflate));
    }

    #[test]
    fn a_message_of_exactly_the_limit_inflates_and_one_more_byte_does_not() {
        let mut deflater = Deflater::new(6, 15);
        for len in [300_usize, 511, 512, 513, 4096] {
            let frame = deflater.binary(&vec![7; len]).unwrap();
            assert_eq!(inflate(frame.payload(), len).unwrap().len(), len);
            assert_eq!(inflate(frame.payload(), len - 1), Err(ProtocolError::MessageTooBig));
        }
    }

    #[test]
    fn a_bomb_is_refused_before_its_output_is_held() {
        let frame = Deflater::new(9, 15).binary(&vec![0; 16 << 20]).unwrap();
        assert!(frame.len() < 20_000);
        assert_eq!(inflate(frame.payload(), 64 << 10), Err(ProtocolError::MessageTooBig));
    }

    #[test]
    fn a_frame_is_compressed_as_its_message_would_be() {
        let text = "to be or not to be, ".repeat(20);
        let mut deflater = Deflater::new(6, 15);
        let compressed = deflater.text(&text);
        assert!(compressed.is_some());
        assert_eq!(deflater.frame(&Frame::text(&text)), compressed);
        assert_eq!(
            deflater.frame(&Frame::binary(text.as_bytes())),
            deflater.binary(text.as_bytes())
        );
        assert_eq!(deflater.frame(&Frame::ping(&[7; 100])), None);
        assert_eq!(deflater.frame(&Frame::close(1000, &"a".repeat(100))), None);
        assert_eq!(compressed.and_then(|frame| deflater.frame(&frame)), None, "twice");
    }

    #[test]
    fn what_does_not_shrink_is_not_compressed() {
        let mut deflater = Deflater::new(6, 15);
        assert_eq!(deflater.text(""), None);
        assert_eq!(deflater.text("ab"), None);
        let noise: Vec<u8> = (0..500_u32)
            .flat_map(|i| i.wrapping_mul(2_654_435_761).rotate_left(i).to_be_bytes())
            .collect();
        assert_eq!(deflater.binary(&noise), None);
        assert!(deflater.text(&"ab".repeat(50)).is_some());
    }
}
