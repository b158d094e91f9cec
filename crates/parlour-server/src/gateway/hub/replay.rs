//! What was read from the store, on its way to those who listen: to close a hole, or because another process wrote it.

use std::{ops::Range, sync::Arc};

use parlour_core::{
    ConversationId, Seq, UserId,
    event::{Envelope, Event},
    port::store::Replay,
};

use super::{Hub, State, Topic, deliver::Hole, subscribe::Seat};
use crate::{
    gateway::conn::Conn,
    hash::{HashMap, HashSet},
};

/// So many messages that were not told of are remembered of a conversation, the newest.
const MOST_UNSAID: usize = 1_000;

/// So many people's read marks are remembered of a conversation.
const MOST_MARKS: usize = 10_000;

impl Hub {
    /// Delivers what the store said of a conversation's log after a seq; what the hub has had meanwhile is left out.
    /// `to_end` says that nothing was left out at the end.
    pub(crate) fn deliver_replay(
        &self,
        conversation: ConversationId,
        after: Seq,
        replay: &Replay,
        to_end: bool,
        dirty: &mut Vec<Arc<Conn>>,
    ) {
        let mut state = self.state.lock();
        let Some(topic) = state.topics.get_mut(&conversation) else { return };
        let last = topic.last_seq.unwrap_or(after);
        if last < after || replay.covered <= last {
            // Something lies between: it is read when it is next looked for. Or everything was there already.
            return;
        }
        let envelopes = topic.take_over(last, replay, to_end);
        let mut next = last.next();
        for envelope in &envelopes {
            if let (Some(topic), Some(seq)) = (state.topics.get_mut(&conversation), envelope.seq) {
                topic.last_seq = topic.last_seq.max(Some(seq));
                state.pass_over(conversation, next..seq, dirty);
                next = seq.next();
            }
            state.fan_out(envelope, dirty, &self.metrics);
            self.metrics.events.inc();
        }
        state.pass_over(conversation, next..replay.covered.next(), dirty);
        if let Some(topic) = state.topics.get_mut(&conversation) {
            topic.last_seq = topic.last_seq.max(Some(replay.covered));
        }
    }

    /// Delivers receipts that were read from the store, those that are newer than what went through. Everything before
    /// `up_to` has been read.
    pub(crate) fn deliver_receipts(
        &self,
        conversation: ConversationId,
        receipts: &[Envelope],
        up_to: Option<u64>,
        dirty: &mut Vec<Arc<Conn>>,
    ) {
        let now = self.clock.monotonic();
        let mut state = self.state.lock();
        for envelope in receipts {
            let Event::Receipt { version, .. } = envelope.event else { continue };
            let Some(topic) = state.topics.get_mut(&conversation) else { return };
            if up_to.is_some_and(|end| version >= end) || topic.receipts >= Some(version) {
                continue;
            }
            topic.receipts = Some(version);
            state.receipt(conversation, envelope, now, dirty, &self.metrics);
        }
        if let (Some(end), Some(topic)) = (up_to, state.topics.get_mut(&conversation)) {
            topic.receipts = topic.receipts.max(Some(end.saturating_sub(1)));
        }
    }
}

impl State {
    /// Says of Changes that later ones have superseded that they went by.
    fn pass_over(
        &self,
        conversation: ConversationId,
        seqs: Range<Seq>,
        dirty: &mut Vec<Arc<Conn>>,
    ) {
        let Some(topic) = self.topics.get(&conversation) else { return };
        for seq in (seqs.start.0..seqs.end.0).map(Seq) {
            for subscriber in topic.subscribers.iter().filter(|subscriber| subscriber.hears(seq)) {
                if let Some(slot) = self.slots.get(subscriber.slot) {
                    slot.pass_over(conversation, seq, dirty);
                }
            }
        }
    }

    /// Whether a receipt comes next; it is taken note of then. Not, when it went through already.
    pub(super) fn is_next_receipt(
        &mut self,
        conversation: ConversationId,
        version: u64,
    ) -> Result<bool, Hole> {
        if !self.voice.is_shared() {
            return Ok(true);
        }
        let Some(topic) = self.topics.get_mut(&conversation) else { return Ok(true) };
        match topic.receipts {
            Some(last) if version <= last => return Ok(false),
            Some(last) if version > last + 1 => {
                return Err(Hole::Receipts { conversation, after: last, before: version });
            }
            _ => topic.receipts = Some(version),
        }
        Ok(true)
    }
}

impl Topic {
    /// One that nothing has happened in yet, as far as this process knows.
    pub(super) fn new(seat: &Seat) -> Self {
        Self {
            last_seq: seat.ends.map(|(seq, _)| seq),
            receipts: seat.ends.map(|(_, version)| version),
            marks: seat.read.iter().cloned().collect(),
            unsaid: Vec::new(),
            far: HashSet::default(),
            place: seat.place.clone(),
            read: seat.read.clone(),
            state: seat.state,
            participants: None,
            subscribers: Vec::new(),
        }
    }

    /// Up to where people were told that somebody has read.
    pub(super) fn note_mark(&mut self, user: &UserId, read: Seq) {
        if self.receipts.is_none() {
            return;
        }
        if let Some(mark) = self.marks.get_mut(user) {
            *mark = read.max(*mark);
        } else if self.marks.len() < MOST_MARKS {
            self.marks.insert(user.clone(), read);
        }
    }

    /// The edit of a message that nobody here was told of, as its creation.
    pub(super) fn as_new(&mut self, envelope: &Envelope) -> Option<Envelope> {
        if self.unsaid.is_empty() {
            return None;
        }
        let message = envelope.event.message()?;
        let place = self.unsaid.iter().position(|seq| *seq == message.seq)?;
        self.unsaid.swap_remove(place);
        let Event::MessageEdited(message) = &envelope.event else { return None };
        let event = Event::MessageCreated(message.clone());
        Some(Envelope { event, origin: None, ..envelope.clone() })
    }

    /// The Changes of a replay after `last`, each as those must be told who know everything up to there and nothing more.
    fn take_over(&mut self, last: Seq, replay: &Replay, to_end: bool) -> Vec<Envelope> {
        let mut told: HashMap<Seq, ()> = HashMap::default();
        let mut envelopes = Vec::with_capacity(replay.envelopes.len());
        for envelope in &replay.envelopes {
            let Some(seq) = envelope.seq.filter(|seq| *seq > last) else { continue };
            told.insert(seq, ());
            let mut envelope = envelope.clone();
            if let Some(message) = envelope.event.message().cloned() {
                told.insert(message.seq, ());
                let unsaid = self.unsaid.iter().position(|seq| *seq == message.seq);
                let is_new = message.seq > last || unsaid.is_some();
                if let Some(place) = unsaid {
                    self.unsaid.swap_remove(place);
                }
                if !matches!(envelope.event, Event::MessageDeleted(_)) {
                    envelope.event = match is_new {
                        true => Event::MessageCreated(message),
                        false => Event::MessageEdited(message),
                    };
                }
            }
            envelopes.push(envelope);
        }
        if !to_end {
            let first = replay.covered.0.saturating_sub(MOST_UNSAID as u64).max(last.0);
            let passed = (first + 1..=replay.covered.0).map(Seq);
            self.unsaid.extend(passed.filter(|seq| !told.contains_key(seq)));
            let excess = self.unsaid.len().saturating_sub(MOST_UNSAID);
            self.unsaid.drain(..excess);
        }
        envelopes
    }
}
