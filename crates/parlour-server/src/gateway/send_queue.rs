//! The bounded queue of one connection: in bytes and in frames, Signals dropped first.

use std::collections::VecDeque;

use parlour_core::{ConversationId, Seq, event::Durability, limits::Limits};
use parlour_store::mutant;
use parlour_websocket::Frame;

/// A frame on its way to a client.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) frame: Frame,
    pub(crate) durability: Durability,
    /// The Change that it carries, for those who keep positions on the client's behalf.
    pub(crate) mark: Option<(ConversationId, Seq)>,
}

impl Item {
    /// A frame that must arrive and is no Change.
    pub(crate) const fn control(frame: Frame) -> Self {
        Self { frame, durability: Durability::Durable, mark: None }
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

/// Frames in the order in which they will be written. Not locked: its owner does that.
#[derive(Default, Debug)]
pub(crate) struct SendQueue {
    items: VecDeque<Item>,
    bytes: usize,
    /// Bytes of the first frame that are written already.
    written: usize,
    /// Live events that wait until a resume has sent what came before them.
    held: Option<VecDeque<Item>>,
}

impl SendQueue {
    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds a live event or an answer.
    pub(crate) fn push(&mut self, item: Item, limits: &Limits) -> Pushed {
        let ephemeral = item.durability == Durability::Ephemeral;
        let held = self.held.as_ref().map_or(0, VecDeque::len);
        let fits = |bytes: usize, frames: usize, part: usize| {
            (bytes + item.frame.len()) * part <= limits.queue_bytes
                && (frames + 1) * part <= limits.queue_frames
        };
        if ephemeral && !fits(self.bytes, self.items.len() + held, 4) {
            return Pushed::Dropped;
        }
        if !fits(self.bytes, self.items.len() + held, 1) {
            self.drop_signals();
            // An empty queue takes any frame: what the server makes is bounded by other limits.
            if !self.items.is_empty() && !fits(self.bytes, self.items.len() + held, 1) {
                return Pushed::Overflow;
            }
        }
        self.bytes += item.frame.len();
        match &mut self.held {
            Some(held) => held.push_back(item),
            None => self.items.push_back(item),
        }
        if mutant("swap_frames") && self.items.len() > 2 {
            let last = self.items.len() - 1;
            self.items.swap(last, last - 1);
        }
        Pushed::Queued
    }

    /// Adds a frame past what is held back: replays, and answers while a resume runs.
    pub(crate) fn push_ahead(&mut self, item: Item) {
        self.bytes += item.frame.len();
        self.items.push_back(item);
    }

    /// Holds live events back from now on.
    pub(crate) fn hold(&mut self) {
        self.held.get_or_insert_default();
    }

    /// Lets what was held back follow, but for what `covered` says has been sent already.
    pub(crate) fn release(&mut self, covered: impl Fn(ConversationId, Seq) -> bool) {
        for item in self.held.take().unwrap_or_default() {
            if item.mark.is_some_and(|(conversation, seq)| covered(conversation, seq)) {
                self.bytes -= item.frame.len();
            } else {
                self.items.push_back(item);
            }
        }
    }

    /// Forgets everything but a frame that is half written, and ends with this one.
    pub(crate) fn close_with(&mut self, last: Option<Frame>) {
        let half = if self.written > 0 { self.items.pop_front() } else { None };
        *self = Self { written: self.written, ..Self::default() };
        for item in half.into_iter().chain(last.map(Item::control)) {
            self.push_ahead(item);
        }
    }

    /// The first frame, for transports that take whole ones.
    pub(crate) fn pop(&mut self) -> Option<Item> {
        let item = self.items.pop_front()?;
        self.bytes -= item.frame.len();
        self.free_when_empty();
        Some(item)
    }

    /// The bytes that are due, in at most as many slices as there is room for.
    pub(crate) fn slices<'a>(&'a self, out: &mut [std::io::IoSlice<'a>]) -> usize {
        let mut count = 0;
        for (slot, item) in out.iter_mut().zip(&self.items) {
            let skip = if count == 0 { self.written } else { 0 };
            *slot = std::io::IoSlice::new(item.frame.as_bytes().get(skip..).unwrap_or_default());
            count += 1;
        }
        count
    }

    /// So many bytes of what is due have been written.
    pub(crate) fn advance(&mut self, mut bytes: usize) {
        while let Some(first) = self.items.front() {
            let due = first.frame.len() - self.written;
            if bytes < due {
                self.written += bytes;
                return;
            }
            bytes -= due;
            self.bytes -= first.frame.len();
            self.written = 0;
            self.items.pop_front();
        }
        self.free_when_empty();
    }

    /// An idle connection holds no buffer.
    fn free_when_empty(&mut self) {
        if self.items.is_empty() {
            self.items = VecDeque::new();
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
        if let Some(held) = &mut self.held {
            held.retain(|item| {
                let keep = item.durability == Durability::Durable;
                freed += if keep { 0 } else { item.frame.len() };
                keep
            });
        }
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
    fn what_is_held_follows_without_what_was_replayed() {
        let limits = Limits::default();
        let mut queue = SendQueue::default();
        queue.hold();
        for seq in 1..=4 {
            queue.push(item(10, Durability::Durable, seq), &limits);
        }
        queue.push_ahead(item(10, Durability::Durable, 100));
        queue.release(|_, seq| seq.0 <= 2);
        assert_eq!(drain(&mut queue), [100, 3, 4]);
        assert_eq!(queue.bytes(), 0);
    }

    #[test]
    fn a_half_written_frame_is_finished_before_the_close() {
        let limits = Limits::default();
        let mut queue = SendQueue::default();
        queue.push(item(10, Durability::Durable, 1), &limits);
        queue.push(item(10, Durability::Durable, 2), &limits);
        queue.advance(5);
        queue.close_with(Some(Frame::close(4508, "slow_consumer")));
        let mut slices = [std::io::IoSlice::new(&[]); 8];
        assert_eq!(queue.slices(&mut slices), 2);
        assert_eq!(slices[0].len(), 7);
        assert_eq!(slices[1][0], 0x88);
    }
}
