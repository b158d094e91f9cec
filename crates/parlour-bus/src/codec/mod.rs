//! The envelope: hints as bytes, and back. `docs/protocol/bus.md` has the format.
//!
//! Programs of several versions speak with each other while a cluster is restarted one process at a time. Within one
//! major version hints and their fields are only ever added, at the end, and an older program passes over them. A frame of another
//! major version is passed over whole. What was once written is read for ever: `contract/bus/v1.jsonl`.

mod bytes;
mod hint;

use parlour_core::{NodeId, port::bus::Hint};

use self::bytes::Reader;

/// Programs of one major version understand each other.
pub const MAJOR: u8 = 1;

/// Grows with each field or kind that is added; readers only count what they do not know.
pub const MINOR: u8 = 0;

/// Longest frame that is read, in bytes.
pub const LONGEST_FRAME: usize = 1024 * 1024;

/// Longest body of a hint that cannot be split, in bytes: what one application of the Pusher protocol says at once.
pub const LONGEST_HINT: usize = LONGEST_FRAME - 64;

/// A frame that is as long as this takes no more hints, in bytes.
pub const FULL_FRAME: usize = 16 * 1024;

/// Most hints in a frame.
pub const MOST_HINTS: usize = 4_096;

/// Major and minor version, and the sender.
const HEADER: usize = 10;

/// The bytes end too early, or mean nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Broken;

/// A hint is longer than [`LONGEST_HINT`] and cannot be split.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("what is to be said is too large for the bus")]
pub struct TooLarge;

/// Why a frame, or a hint in it, was passed over.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Skipped {
    /// A frame of another major version.
    #[error("a frame of another version")]
    Version,
    /// A hint that only newer programs know.
    #[error("a kind of hint that is not known here")]
    Unknown,
    /// Bytes that mean nothing.
    #[error("bytes that mean nothing")]
    Broken,
}

/// A frame whose hints are read one by one.
#[derive(Clone)]
pub struct Frame<'a> {
    from: NodeId,
    rest: Reader<'a>,
    left: usize,
}

/// Reads the beginning of a frame, which tells who speaks. The hints are its items: those that cannot be read are passed over alone.
///
/// # Errors
/// [`Skipped`]: nothing of it can be read.
pub fn decode(frame: &[u8]) -> Result<Frame<'_>, Skipped> {
    let (header, rest) = frame.split_first_chunk::<HEADER>().ok_or(Skipped::Broken)?;
    let [major, _minor, from @ ..] = *header;
    if major != MAJOR {
        return Err(Skipped::Version);
    }
    if frame.len() > LONGEST_FRAME {
        return Err(Skipped::Broken);
    }
    Ok(Frame { from: NodeId(u64::from_be_bytes(from)), rest: Reader(rest), left: MOST_HINTS })
}

impl Frame<'_> {
    /// Who speaks, as it says.
    #[must_use]
    pub const fn from(&self) -> NodeId {
        self.from
    }

    fn record(&mut self) -> Result<Result<hint::Read, Broken>, Broken> {
        let kind = self.rest.byte()?;
        let body = self.rest.counted()?;
        Ok(hint::read(kind, body))
    }
}

impl Iterator for Frame<'_> {
    type Item = Result<Hint, Skipped>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.0.is_empty() {
            return None;
        }
        if self.left == 0 {
            self.rest.0 = &[];
            return Some(Err(Skipped::Broken));
        }
        self.left -= 1;
        Some(match self.record() {
            Ok(Ok(hint::Read::Hint(hint))) => Ok(hint),
            Ok(Ok(hint::Read::Unknown)) => Err(Skipped::Unknown),
            Ok(Err(Broken)) => Err(Skipped::Broken),
            // Nobody knows where the next one begins.
            Err(Broken) => {
                self.rest.0 = &[];
                Err(Skipped::Broken)
            }
        })
    }
}

/// A frame that is being filled.
#[derive(Clone, Debug)]
pub struct Writer {
    bytes: Vec<u8>,
    hints: usize,
}

impl Writer {
    /// An empty frame. Sent as it is, it says nothing, and proves that the way to its readers works.
    #[must_use]
    pub fn new(from: NodeId) -> Self {
        let mut bytes = Vec::with_capacity(64);
        bytes.extend([MAJOR, MINOR]);
        bytes.extend(from.0.to_be_bytes());
        Self { bytes, hints: 0 }
    }

    /// Whether a record (from [`records`]) still goes in. An empty frame takes any.
    #[must_use]
    pub fn has_room(&self, record: &[u8]) -> bool {
        self.hints == 0
            || (self.hints < MOST_HINTS && self.bytes.len() + record.len() <= FULL_FRAME)
    }

    /// Adds a record.
    pub fn push(&mut self, record: &[u8]) {
        self.bytes.extend_from_slice(record);
        self.hints += 1;
    }

    /// How many hints are in it.
    #[must_use]
    pub const fn hints(&self) -> usize {
        self.hints
    }

    /// The frame.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// Gives the records of a hint: one, or several where it is large and can be split.
///
/// Whoever reads the parts of a [`Hint::Presence`] takes them together: somebody with very many conversations is in several.
///
/// # Errors
/// [`TooLarge`], before any record is given.
pub fn records(hint: &Hint, each: impl FnMut(&[u8])) -> Result<(), TooLarge> {
    hint::write(hint, each)
}

/// The frames of some hints, in order. Where a queue is, use [`Writer`].
///
/// # Errors
/// [`TooLarge`].
pub fn encode(from: NodeId, hints: &[Hint]) -> Result<Vec<Vec<u8>>, TooLarge> {
    let (mut frames, mut open) = (Vec::new(), Writer::new(from));
    for hint in hints {
        records(hint, |record| {
            if !open.has_room(record) {
                frames.push(std::mem::replace(&mut open, Writer::new(from)).into_bytes());
            }
            open.push(record);
        })?;
    }
    frames.push(open.into_bytes());
    Ok(frames)
}
