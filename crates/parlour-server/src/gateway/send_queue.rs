//! The bounded queue of one connection: in bytes and in frames, Signals dropped first.

use std::{collections::VecDeque, io, mem, sync::Arc};

use parlour_core::{ConversationId, Seq, event::Durability, limits::Limits};
use parlour_store::mutant;
use parlour_websocket::Frame;

use super::{
    ledger::{Ledger, Track},
    socket::Socket,
};

/// Most frames in one write.
const GATHER: usize = 64;

/// A frame on its way to a client.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) frame: Frame,
    pub(crate) durability: Durability,
    /// The Change that it carries, for those who keep positions on the client's behalf.
    pub(crate) mark: Option<(ConversationId, Seq)>,
    /// For whom it is noted that the Change was sent.
    pub(crate) track: Option<Arc<Track>>,
}

impl Item {
    /// A frame that must arrive and is no Change.
    pub(crate) const fn control(frame: Frame) -> Self {
        Self { frame, durability: Durability::Durable, mark: None, track: None }
    }
}

/// What became of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Pushed {
    /// It waits its turn.
    Queued,
    /// It was a Signal, and the reader is slow.
    Dropped,
    /// The queue is full: the connection must be closed.
    Overflow,
}

/// Items in a row. Mostly there is one at most, which needs no memory of its own.
#[derive(Default, Debug)]
struct Row {
    /// None where nothing waits.
    first: Option<Item>,
    rest: VecDeque<Item>,
}

impl Row {
    const fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.rest.len()
    }

    fn iter(&self) -> impl Iterator<Item = &Item> {
        self.first.iter().chain(&self.rest)
    }

    fn push_back(&mut self, item: Item) {
        if self.first.is_none() {
            self.first = Some(item);
        } else {
            self.rest.push_back(item);
        }
    }

    fn push_front(&mut self, item: Item) {
        if let Some(second) = self.first.replace(item) {
            self.rest.push_front(second);
        }
    }

    fn pop_front(&mut self) -> Option<Item> {
        let first = self.first.take();
        self.move_up();
        first
    }

    fn retain(&mut self, mut keep: impl FnMut(&Item) -> bool) {
        if self.first.as_ref().is_some_and(|first| !keep(first)) {
            self.first = None;
        }
        self.rest.retain(keep);
        if self.first.is_none() {
            self.move_up();
        }
    }

    fn move_up(&mut self) {
        self.first = self.rest.pop_front();
        if self.first.is_none() && self.rest.capacity() > 0 {
            // An idle connection holds no buffer.
            self.rest = VecDeque::new();
        }
    }
}

/// Frames in the order in which they will be written. Not locked: its owner does that.
#[derive(Default, Debug)]
pub(crate) struct SendQueue {
    items: Row,
    bytes: usize,
    /// Bytes of the first frame that are written already.
    written: usize,
    /// What was written and has no proof yet; none where nobody asks.
    ledger: Option<Box<Ledger>>,
}

impl SendQueue {
    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether a frame has no room. Signals may take a quarter of it.
    pub(crate) fn is_too_full_for(&self, item: &Item, limits: &Limits) -> bool {
        let part = if item.durability == Durability::Ephemeral { 4 } else { 1 };
        (self.bytes + item.frame.len()) * part > limits.queue_bytes
            || (self.items.len() + 1) * part > limits.queue_frames
    }

    /// Adds a live event or an answer.
    pub(crate) fn push(&mut self, item: Item, limits: &Limits) -> Pushed {
        if self.is_too_full_for(&item, limits) {
            if item.durability == Durability::Ephemeral {
                return Pushed::Dropped;
            }
            self.drop_signals();
            // An empty queue takes any frame: what the server makes is bounded by other limits.
            if !self.items.is_empty() && self.is_too_full_for(&item, limits) {
                return Pushed::Overflow;
            }
        }
        self.push_ahead(item);
        if mutant("swap_frames") && self.items.len() > 2 {
            let last = self.items.rest.len() - 1;
            self.items.rest.swap(last, last - 1);
        }
        Pushed::Queued
    }

    /// Adds a frame whatever waits: replays, whose reader is waited for, and answers.
    pub(crate) fn push_ahead(&mut self, item: Item) {
        self.bytes += item.frame.len();
        self.items.push_back(item);
    }

    /// Adds the answer that opens the socket, before all frames; nothing of them may have been written.
    pub(crate) fn begin_with(&mut self, answer: Vec<u8>) {
        if !answer.is_empty() {
            self.bytes += answer.len();
            self.items.push_front(Item::control(Frame::raw(answer)));
        }
    }

    /// What has been written and is not proved to have arrived.
    pub(crate) fn ledger(&mut self) -> Option<&mut Ledger> {
        self.ledger.as_deref_mut()
    }

    /// The first Change of each conversation that was or will be sent to a subscription and has no proof.
    pub(crate) fn unproved(&self, track: &Arc<Track>) -> Vec<(ConversationId, Seq)> {
        let mut firsts = self.ledger.as_ref().map(|l| l.unproved(track)).unwrap_or_default();
        let own = |item: &&Item| item.track.as_ref().is_some_and(|t| Arc::ptr_eq(t, track));
        firsts.extend(self.items.iter().filter(own).filter_map(|item| item.mark));
        firsts.sort_unstable();
        firsts.dedup_by_key(|(conversation, _)| *conversation);
        firsts
    }

    /// Forgets everything but a frame that is half written, and ends with this one.
    pub(crate) fn close_with(&mut self, last: Option<Frame>) {
        let half = if self.written > 0 { self.items.pop_front() } else { None };
        let Row { first, rest } = mem::take(&mut self.items);
        for item in first.into_iter().chain(rest) {
            // Not sent is not proved: who comes back gets it.
            if let Item { mark: Some((at, seq)), track: Some(track), .. } = item {
                self.ledger.get_or_insert_default().wrote(&track, at, seq);
            }
        }
        let ledger = self.ledger.take();
        *self = Self { written: self.written, ledger, ..Self::default() };
        for item in half.into_iter().chain(last.map(Item::control)) {
            self.push_ahead(item);
        }
    }

    /// The first frame, for transports that take whole ones.
    pub(crate) fn pop(&mut self) -> Option<Item> {
        let item = self.items.pop_front()?;
        self.bytes -= item.frame.len();
        Some(item)
    }

    /// Writes until everything is out (`true`) or the socket takes no more (`false`).
    ///
    /// # Errors
    /// Those of the socket, which is of no use then.
    pub(crate) fn write(&mut self, socket: &Socket) -> io::Result<bool> {
        while !self.is_empty() {
            // Most often there is one frame alone, and the plain call is the cheaper one.
            let only = self.only_slice().map(|only| socket.try_write(only));
            match only.unwrap_or_else(|| self.write_many(socket)) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => self.advance(written),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    fn write_many(&self, socket: &Socket) -> io::Result<usize> {
        let mut slices = [io::IoSlice::new(&[]); GATHER];
        let count = self.slices(&mut slices);
        socket.try_write_vectored(slices.get(..count).unwrap_or_default())
    }

    /// The bytes that are due, where they are those of one frame.
    fn only_slice(&self) -> Option<&[u8]> {
        let Row { first: Some(only), rest } = &self.items else { return None };
        if rest.is_empty() { only.frame.as_bytes().get(self.written..) } else { None }
    }

    /// The bytes that are due, in at most as many slices as there is room for.
    fn slices<'a>(&'a self, out: &mut [io::IoSlice<'a>]) -> usize {
        let mut count = 0;
        for (slot, item) in out.iter_mut().zip(self.items.iter()) {
            let skip = if count == 0 { self.written } else { 0 };
            *slot = io::IoSlice::new(item.frame.as_bytes().get(skip..).unwrap_or_default());
            count += 1;
        }
        count
    }

    /// So many bytes of what is due have been written.
    fn advance(&mut self, mut bytes: usize) {
        while let Some(first) = &self.items.first {
            let due = first.frame.len() - self.written;
            if bytes < due {
                self.written += bytes;
                return;
            }
            bytes -= due;
            self.bytes -= first.frame.len();
            self.written = 0;
            if let Some(Item { mark: Some((at, seq)), track: Some(track), .. }) =
                self.items.pop_front()
            {
                self.ledger.get_or_insert_default().wrote(&track, at, seq);
            }
        }
    }

    fn drop_signals(&mut self) {
        let half = usize::from(self.written > 0);
        let (mut index, mut freed) = (0, 0);
        self.items.retain(|item| {
            let keep = index < half || item.durability == Durability::Durable;
            index += 1;
            freed += if keep { 0 } else { item.frame.len() };
            keep
        });
        self.bytes -= freed;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(size: usize, durability: Durability, seq: u64) -> Item {
        Item {
            frame: Frame::text(&"x".repeat(size)),
            durability,
            mark: Some((ConversationId(1), Seq(seq))),
            track: None,
        }
    }

    fn limits(bytes: usize, frames: usize) -> Limits {
        Limits { queue_bytes: bytes, queue_frames: frames, ..Limits::default() }
    }

    fn drain(queue: &mut SendQueue) -> Vec<u64> {
        std::iter::from_fn(|| queue.pop()).filter_map(|i| i.mark).map(|(_, seq)| seq.0).collect()
    }

    #[test]
    fn g9_signals_go_first_then_the_connection() {
        let limits = limits(1_000_000, 8);
        let mut queue = SendQueue::default();
        assert_eq!(queue.push(item(10, Durability::Ephemeral, 1), &limits), Pushed::Queued);
        for seq in 2..=8 {
            assert_eq!(queue.push(item(10, Durability::Durable, seq), &limits), Pushed::Queued);
        }
        assert_eq!(queue.push(item(10, Durability::Ephemeral, 9), &limits), Pushed::Dropped);
        assert_eq!(queue.push(item(10, Durability::Durable, 10), &limits), Pushed::Queued);
        assert_eq!(queue.push(item(10, Durability::Durable, 11), &limits), Pushed::Overflow);
        assert_eq!(drain(&mut queue), [2, 3, 4, 5, 6, 7, 8, 10]);
        assert_eq!(queue.bytes(), 0);
    }

    #[test]
    fn the_bytes_are_bounded_too() {
        let limits = limits(1_000, 1_000);
        let mut queue = SendQueue::default();
        assert_eq!(queue.push(item(2_000, Durability::Durable, 1), &limits), Pushed::Queued);
        assert_eq!(queue.push(item(10, Durability::Durable, 2), &limits), Pushed::Overflow);
    }

    #[test]
    fn a_half_written_frame_is_finished_before_the_close() {
        let limits = Limits::default();
        let mut queue = SendQueue::default();
        queue.push(item(10, Durability::Durable, 1), &limits);
        queue.push(item(10, Durability::Durable, 2), &limits);
        queue.advance(5);
        queue.close_with(Some(Frame::close(4508, "slow_consumer")));
        let mut slices = [io::IoSlice::new(&[]); 8];
        assert_eq!(queue.slices(&mut slices), 2);
        assert_eq!(slices[0].len(), 7);
        assert_eq!(slices[1][0], 0x88);
    }
}
