//! What waits to be written to Redis: frames by channel, bounded in hints and bytes, and given up when they are old.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use parlour_core::{NodeId, port::bus::BusMessage};

use super::channels::Channel;
use crate::codec::{self, TooLarge, Writer};

/// Most hints that wait. Past that new ones are refused.
pub const MOST_WAITING: usize = 65_536;
/// Most bytes that wait. Past that new ones are refused.
pub const MOST_WAITING_BYTES: usize = 8 * 1024 * 1024;
/// How long a hint waits at most: by then everybody has found out by himself, or it means nothing any more.
pub const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Most of one channel that is written before the answers are read, so that a busy one does not delay the others.
const LANE_FRAMES: usize = 8;
const LANE_BYTES: usize = 256 * 1024;

/// A frame that waits.
pub(super) struct Pending {
    pub(super) channel: Channel,
    pub(super) frame: Vec<u8>,
    pub(super) hints: usize,
    since: Instant,
}

struct Filling {
    writer: Writer,
    since: Instant,
    bytes: usize,
}

#[derive(Default)]
struct Lane {
    /// Were taken, and could not be written.
    again: VecDeque<Pending>,
    frames: VecDeque<Filling>,
}

#[derive(Default)]
struct Queue {
    lanes: HashMap<Channel, Lane>,
    hints: usize,
    bytes: usize,
}

/// Why a hint was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum Refused {
    #[error("too much waits already to be told to other processes")]
    Full,
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
}

/// What waits.
pub(super) struct Outbox {
    own: NodeId,
    queue: Mutex<Queue>,
}

impl Outbox {
    pub(super) fn new(own: NodeId) -> Self {
        Self { own, queue: Mutex::default() }
    }

    /// Queues a hint.
    pub(super) fn push(&self, channel: Channel, message: &BusMessage) -> Result<(), Refused> {
        let now = Instant::now();
        let mut queue = self.queue.lock();
        if queue.hints >= MOST_WAITING || queue.bytes >= MOST_WAITING_BYTES {
            return Err(Refused::Full);
        }
        let Queue { lanes, hints, bytes } = &mut *queue;
        codec::records(&message.hint, |record| {
            let lane = lanes.entry(channel).or_default();
            if lane.frames.back().is_none_or(|last| !last.writer.has_room(record)) {
                let writer = Writer::new(self.own);
                lane.frames.push_back(Filling { writer, since: now, bytes: 0 });
            }
            if let Some(last) = lane.frames.back_mut() {
                last.writer.push(record);
                last.bytes += record.len();
            }
            *hints += 1;
            *bytes += record.len();
        })?;
        Ok(())
    }

    /// Takes what is written next of the channels for which `select` says so, and how many hints were given up as too old.
    pub(super) fn take(&self, mut select: impl FnMut(Channel) -> bool) -> (Vec<Pending>, usize) {
        let (now, mut taken, mut old) = (Instant::now(), Vec::new(), 0);
        let mut queue = self.queue.lock();
        let Queue { lanes, hints, bytes } = &mut *queue;
        lanes.retain(|channel, lane| {
            let (mut frames, mut size) = (0, 0);
            while select(*channel) && frames < LANE_FRAMES && size < LANE_BYTES {
                let Some((pending, counted)) = lane.next(*channel) else { break };
                *hints = hints.saturating_sub(pending.hints);
                *bytes = bytes.saturating_sub(counted);
                if now.duration_since(pending.since) > LONGEST_WAIT {
                    old += pending.hints;
                    continue;
                }
                frames += 1;
                size += pending.frame.len();
                taken.push(pending);
            }
            lane.oldest().is_some()
        });
        (taken, old)
    }

    /// Puts back what could not be written, before all that came since. It must have been taken from here, in this order.
    pub(super) fn put_back(&self, taken: Vec<Pending>) {
        let mut queue = self.queue.lock();
        for pending in taken.into_iter().rev() {
            queue.hints += pending.hints;
            queue.bytes += pending.frame.len();
            queue.lanes.entry(pending.channel).or_default().again.push_front(pending);
        }
    }

    /// Gives up what has waited too long; how many hints that were.
    pub(super) fn give_up_old(&self) -> usize {
        let now = Instant::now();
        let mut queue = self.queue.lock();
        let Queue { lanes, hints, bytes } = &mut *queue;
        let mut old = 0;
        lanes.retain(|channel, lane| {
            while lane.oldest().is_some_and(|at| now.duration_since(at) > LONGEST_WAIT) {
                let Some((pending, counted)) = lane.next(*channel) else { break };
                *hints = hints.saturating_sub(pending.hints);
                *bytes = bytes.saturating_sub(counted);
                old += pending.hints;
            }
            lane.oldest().is_some()
        });
        old
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.lock().lanes.is_empty()
    }
}

impl Lane {
    fn oldest(&self) -> Option<Instant> {
        let again = self.again.front().map(|pending| pending.since);
        again.or_else(|| self.frames.front().map(|filling| filling.since))
    }

    /// The next frame, and what it was counted as.
    fn next(&mut self, channel: Channel) -> Option<(Pending, usize)> {
        if let Some(pending) = self.again.pop_front() {
            let counted = pending.frame.len();
            return Some((pending, counted));
        }
        let Filling { writer, since, bytes } = self.frames.pop_front()?;
        let hints = writer.hints();
        Some((Pending { channel, frame: writer.into_bytes(), hints, since }, bytes))
    }
}

#[cfg(test)]
mod tests {
    use parlour_core::{
        ConversationId, Seq,
        port::bus::{Hint, Topic},
    };

    use super::*;

    fn head(seq: u64) -> BusMessage {
        let conversation = ConversationId(1);
        BusMessage {
            topic: Topic::Conversation(conversation),
            hint: Hint::Head { conversation, seq: Seq(seq) },
        }
    }

    fn seqs(taken: &[Pending]) -> Vec<u64> {
        let hints = taken.iter().flat_map(|p| codec::decode(&p.frame).unwrap().map(Result::unwrap));
        hints
            .map(|hint| match hint {
                Hint::Head { seq, .. } => seq.0,
                hint => panic!("{hint:?}"),
            })
            .collect()
    }

    const CHANNEL: Channel = Channel::Partition(1);

    #[test]
    fn hints_share_frames_and_keep_their_order_when_put_back() {
        let outbox = Outbox::new(NodeId(1));
        for seq in 1..=10 {
            outbox.push(CHANNEL, &head(seq)).unwrap();
        }
        assert!(outbox.take(|_| false).0.is_empty());
        let (taken, old) = outbox.take(|_| true);
        assert_eq!((taken.len(), old), (1, 0));
        outbox.push(CHANNEL, &head(11)).unwrap();
        outbox.put_back(taken);
        let (taken, _) = outbox.take(|_| true);
        assert_eq!(seqs(&taken), (1..=11).collect::<Vec<_>>());
        assert!(outbox.is_empty());
        let queue = outbox.queue.lock();
        assert_eq!((queue.hints, queue.bytes), (0, 0));
    }

    #[test]
    fn it_is_bounded_in_hints_and_bytes() {
        let outbox = Outbox::new(NodeId(1));
        for seq in 0..MOST_WAITING as u64 {
            outbox.push(CHANNEL, &head(seq)).unwrap();
        }
        assert_eq!(outbox.push(CHANNEL, &head(0)), Err(Refused::Full));
        let outbox = Outbox::new(NodeId(1));
        let hint = Hint::Channel(vec![0; 1024 * 1024 - 64].into());
        let big = BusMessage { topic: Topic::Everyone, hint };
        let taken = (0..100).take_while(|_| outbox.push(Channel::Everyone, &big).is_ok()).count();
        assert_eq!(taken, 9);
    }

    #[test]
    fn what_is_too_large_is_refused_alone() {
        let outbox = Outbox::new(NodeId(1));
        let hint = Hint::Channel(vec![0; codec::LONGEST_HINT + 1].into());
        let huge = BusMessage { topic: Topic::Everyone, hint };
        assert_eq!(outbox.push(CHANNEL, &huge), Err(Refused::TooLarge(TooLarge)));
        assert!(outbox.is_empty());
    }
}
