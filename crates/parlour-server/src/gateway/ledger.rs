//! What has been written to a socket and is not proved to have arrived yet (the implicit resume of `docs/protocol/resume.md`).
//!
//! A pong answers a ping in order, so it proves that every frame before the ping has arrived. One ping at a time is
//! under way; what it will prove is set aside when it is sent.

use std::{
    pin::pin,
    sync::{
        Arc, OnceLock,
        atomic::{
            AtomicBool,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
};

use parking_lot::Mutex;
use parlour_core::{ConversationId, Seq, port::store::SocketId};
use tokio::sync::Notify;

/// How far one subscription has proof of, kept for clients that cannot say so themselves.
#[derive(Default, Debug)]
pub(crate) struct Track {
    /// Where it is kept in the store, once that is known.
    row: OnceLock<SocketId>,
    proved: Mutex<Vec<(ConversationId, Seq)>>,
    /// Its socket has ended, and the store could not be told.
    unreleased: AtomicBool,
    /// Its claim of a place is under way.
    claims: AtomicBool,
    claim_ended: Notify,
}

/// That a claim is under way.
pub(crate) struct Claiming(Arc<Track>);

impl Claiming {
    /// Keeps the subscription in this place from now on.
    pub(crate) fn keep_in(&self, row: SocketId) {
        // Nobody claims a second one.
        let _one_row_for_ever = self.0.row.set(row);
    }
}

impl Drop for Claiming {
    fn drop(&mut self) {
        self.0.claims.store(false, Release);
        self.0.claim_ended.notify_waiters();
    }
}

impl Track {
    /// Where it is kept in the store; `None` until its resume has claimed a place.
    pub(crate) fn row(&self) -> Option<SocketId> {
        self.row.get().copied()
    }

    /// Begins the claim of its place, which ends when what this gives is dropped.
    pub(crate) fn begin_claim(self: &Arc<Self>) -> Claiming {
        self.claims.store(true, Relaxed);
        Claiming(self.clone())
    }

    /// Waits until no claim is under way: then its place is known, if it has got one.
    pub(crate) async fn end_of_claim(&self) {
        loop {
            let mut ended = pin!(self.claim_ended.notified());
            ended.as_mut().enable();
            if !self.claims.load(Acquire) {
                return;
            }
            ended.await;
        }
    }

    /// Whether its socket has ended, but its place does not wait for the next one yet.
    pub(crate) fn is_unreleased(&self) -> bool {
        self.unreleased.load(Relaxed)
    }

    pub(crate) fn set_unreleased(&self, unreleased: bool) {
        self.unreleased.store(unreleased, Relaxed);
    }

    fn prove(&self, conversation: ConversationId, seq: Seq) {
        let mut proved = self.proved.lock();
        match proved.iter_mut().find(|(known, _)| *known == conversation) {
            Some((_, known)) => *known = seq.max(*known),
            None => proved.push((conversation, seq)),
        }
    }

    /// What has been proved since the last call.
    pub(crate) fn take(&self) -> Vec<(ConversationId, Seq)> {
        std::mem::take(&mut *self.proved.lock())
    }

    /// Puts back what could not be stored, for the next try.
    pub(crate) fn put_back(&self, proved: &[(ConversationId, Seq)]) {
        for (conversation, seq) in proved {
            self.prove(*conversation, *seq);
        }
    }
}

/// Changes of one conversation that one subscription was sent.
#[derive(Debug)]
struct Entry {
    track: Arc<Track>,
    conversation: ConversationId,
    first: Seq,
    last: Seq,
}

/// The unproved part of what was written to one socket.
#[derive(Default, Debug)]
pub(crate) struct Ledger {
    /// Written after the last ping.
    written: Vec<Entry>,
    /// Written before the ping that is under way.
    pinged: Vec<Entry>,
    under_way: bool,
    number: u64,
}

impl Ledger {
    /// A frame has been written as a whole.
    pub(crate) fn wrote(&mut self, track: &Arc<Track>, conversation: ConversationId, seq: Seq) {
        let same = |entry: &&mut Entry| {
            entry.conversation == conversation && Arc::ptr_eq(&entry.track, track)
        };
        match self.written.iter_mut().rev().find(same) {
            Some(entry) => {
                entry.first = entry.first.min(seq);
                entry.last = entry.last.max(seq);
            }
            None => self.written.push(Entry {
                track: track.clone(),
                conversation,
                first: seq,
                last: seq,
            }),
        }
    }

    /// Whether something waits for a ping, and none is under way.
    pub(crate) const fn wants_ping(&self) -> bool {
        !self.under_way && !self.written.is_empty()
    }

    /// Whether a ping has not been answered.
    pub(crate) const fn awaits_pong(&self) -> bool {
        self.under_way
    }

    /// The payload of the ping that is sent now.
    pub(crate) fn ping(&mut self) -> [u8; 8] {
        self.number += 1;
        self.under_way = true;
        self.pinged = std::mem::take(&mut self.written);
        self.number.to_be_bytes()
    }

    /// A pong has come. One that answers no ping of ours proves nothing.
    pub(crate) fn pong(&mut self, payload: &[u8]) {
        if self.under_way && payload == self.number.to_be_bytes() {
            self.under_way = false;
            for entry in std::mem::take(&mut self.pinged) {
                entry.track.prove(entry.conversation, entry.last);
            }
        }
    }

    /// The first Change of each conversation that a subscription was sent and that has no proof.
    pub(crate) fn unproved(&self, track: &Arc<Track>) -> Vec<(ConversationId, Seq)> {
        let entries = self.pinged.iter().chain(&self.written);
        let own = entries.filter(|entry| Arc::ptr_eq(&entry.track, track));
        own.map(|entry| (entry.conversation, entry.first)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn g5_only_the_pong_of_the_last_ping_proves_and_only_what_was_before_it() {
        let (track, mut ledger) = (Arc::new(Track::default()), Ledger::default());
        let one = ConversationId(1);
        ledger.wrote(&track, one, Seq(4));
        ledger.wrote(&track, one, Seq(5));
        assert!(ledger.wants_ping());
        let ping = ledger.ping();
        ledger.wrote(&track, one, Seq(6));
        assert!(!ledger.wants_ping() && ledger.awaits_pong());
        ledger.pong(b"something");
        assert_eq!(track.take(), []);
        assert_eq!(ledger.unproved(&track), [(one, Seq(4)), (one, Seq(6))]);
        ledger.pong(&ping);
        assert_eq!(track.take(), [(one, Seq(5))]);
        assert_eq!(ledger.unproved(&track), [(one, Seq(6))]);
        ledger.pong(&ping);
        assert_eq!(track.take(), []);
        assert!(ledger.wants_ping());
    }
}
