//! Receipts, at most two a second of one person in one conversation: what he reads in between is told together.
//!
//! Clients keep the version of the receipts that they have, so receipts of a conversation must go out in the order of
//! their versions: one that waits goes out before another person's.

use std::{sync::Arc, time::Duration};

use parlour_core::{
    ConversationId, UserId,
    event::{Covered, Envelope, Event},
};

use super::{Hub, State, flush};
use crate::{gateway::conn::Conn, metrics::Metrics};

/// Shortest time between two receipts of the same person in the same conversation.
const SPACING: Duration = Duration::from_millis(500);

/// The last receipt of a conversation.
pub(super) struct Told {
    user: UserId,
    at: Duration,
    waiting: Option<Envelope>,
}

impl Told {
    fn is_due(&self, now: Duration) -> bool {
        now.saturating_sub(self.at) >= SPACING
    }
}

impl Hub {
    /// Tells the receipts that have waited long enough.
    pub(crate) fn sweep_receipts(&self) {
        let now = self.clock.monotonic();
        let mut dirty = Vec::new();
        let mut state = self.state.lock();
        if state.receipts.is_empty() {
            return;
        }
        let mut due = Vec::new();
        state.receipts.retain(|_, told| {
            let over = told.is_due(now);
            if over && let Some(envelope) = told.waiting.take() {
                told.at = now;
                due.push(envelope);
                return true;
            }
            !over
        });
        for envelope in &due {
            state.fan_out(envelope, &mut dirty, &self.metrics);
        }
        drop(state);
        flush(&mut dirty);
    }
}

impl State {
    /// Delivers a receipt, or lets it wait and grow.
    pub(super) fn receipt(
        &mut self,
        conversation: ConversationId,
        envelope: &Envelope,
        now: Duration,
        dirty: &mut Vec<Arc<Conn>>,
        metrics: &Metrics,
    ) {
        let Event::Receipt { user, .. } = &envelope.event else { return };
        match self.receipts.remove(&conversation) {
            Some(mut told) if told.user == *user && !told.is_due(now) => {
                told.waiting = Some(joined(told.waiting, envelope));
                self.receipts.insert(conversation, told);
                return;
            }
            Some(told) if told.user == *user => {
                self.fan_out(&joined(told.waiting, envelope), dirty, metrics);
            }
            earlier => {
                if let Some(waiting) = earlier.and_then(|told| told.waiting) {
                    self.fan_out(&waiting, dirty, metrics);
                }
                self.fan_out(envelope, dirty, metrics);
            }
        }
        self.receipts.insert(conversation, Told { user: user.clone(), at: now, waiting: None });
    }
}

/// One receipt for two of the same person, one after the other.
fn joined(first: Option<Envelope>, second: &Envelope) -> Envelope {
    let mut both = second.clone();
    if let (
        Some(Event::Receipt { from: begin, covered: earlier, .. }),
        Event::Receipt { from, covered, .. },
    ) = (first.map(|first| first.event), &mut both.event)
    {
        *from = begin;
        if covered.is_empty() {
            *covered = earlier;
        } else if !earlier.is_empty() {
            // The newest, as in a receipt that covers them at once.
            let kept = earlier.len().min(Covered::MOST.saturating_sub(covered.len()));
            let newest = earlier.iter().skip(earlier.len() - kept);
            *covered = newest.chain(covered.iter()).cloned().collect();
        }
    }
    both
}

#[cfg(test)]
mod tests {
    use parlour_core::{Epoch, MessageId, Seq, model::Watermark, testing::user};

    use super::*;

    fn receipt(read: (u64, u64), covered: std::ops::Range<u64>) -> Envelope {
        let mark = |seq| Watermark { delivered: Seq(seq), read: Seq(seq) };
        let covered = covered.map(|id| Covered { message: MessageId(id), sender: user("1") });
        Envelope {
            conversation: Some(ConversationId(1)),
            epoch: Epoch(1),
            seq: None,
            at: 0,
            origin: None,
            event: Event::Receipt {
                user: user("2"),
                from: mark(read.0),
                to: mark(read.1),
                version: read.1,
                covered: covered.collect(),
            },
        }
    }

    #[test]
    fn g12_what_waited_is_told_with_all_that_it_covers() {
        let most = Covered::MOST as u64;
        let cases = [
            ((0..2), (2..4), (0..4)),
            ((0..0), (2..4), (2..4)),
            ((0..2), (2..2), (0..2)),
            ((0..most), (most..most + 3), (3..most + 3)),
            ((0..5), (5..5 + most), (5..5 + most)),
        ];
        for (first, second, both) in cases {
            let waiting = receipt((0, first.end), first.clone());
            let newer = receipt((first.end, second.end), second.clone());
            let expected = receipt((0, second.end), both);
            assert_eq!(joined(Some(waiting), &newer), expected, "{first:?} and {second:?}");
        }
        let alone = receipt((3, 4), 3..4);
        assert_eq!(joined(None, &alone), alone);
    }
}
