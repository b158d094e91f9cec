//! One event to everybody who listens.

use std::sync::Arc;

use parlour_core::{
    ConversationId, Seq,
    event::{Envelope, Event},
};
use parlour_store::mutant;
use parlour_wire::Scene;

use super::{Hub, State, encoder::Encoder};
use crate::{gateway::conn::Conn, metrics::Metrics};

/// What did not come by: it must be read from the store before what follows can be delivered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Hole {
    /// Changes.
    Changes {
        conversation: ConversationId,
        /// The last one that was delivered.
        after: Seq,
        /// The one that came instead of its successor.
        before: Seq,
    },
    /// Receipts.
    Receipts {
        conversation: ConversationId,
        /// The version of the last one that was delivered.
        after: u64,
        /// The one that came instead of its successor.
        before: u64,
    },
}

impl Hub {
    /// Delivers an event: the next Change of its conversation goes out, an old one is dropped. Connections with
    /// something to write are added to `dirty`.
    pub(crate) fn deliver(
        &self,
        envelope: &Envelope,
        dirty: &mut Vec<Arc<Conn>>,
    ) -> Result<(), Hole> {
        let mut state = self.state.lock();
        if let (Event::Receipt { version, .. }, Some(at)) = (&envelope.event, envelope.conversation)
        {
            let now = self.clock.monotonic();
            if state.is_next_receipt(at, *version)? {
                state.receipt(at, envelope, now, dirty, &self.metrics);
            } else {
                state.came_late(envelope, dirty, &self.metrics);
            }
            return Ok(());
        }
        let outcome = state.deliver(envelope, dirty, &self.metrics);
        if outcome.is_ok() {
            self.metrics.events.inc();
        }
        outcome
    }
}

impl State {
    fn deliver(
        &mut self,
        envelope: &Envelope,
        dirty: &mut Vec<Arc<Conn>>,
        metrics: &Metrics,
    ) -> Result<(), Hole> {
        if let (Some(conversation), Some(seq)) = (envelope.conversation, envelope.seq)
            && let Some(topic) = self.topics.get_mut(&conversation)
        {
            match topic.last_seq {
                Some(last) if seq <= last => {
                    self.came_late(envelope, dirty, metrics);
                    return Ok(());
                }
                Some(last) if seq > last.next() => {
                    return Err(Hole::Changes { conversation, after: last, before: seq });
                }
                _ => topic.last_seq = Some(seq),
            }
            if let Some(as_new) = topic.as_new(envelope) {
                self.fan_out(&as_new, dirty, metrics);
                self.answer(envelope, dirty, metrics);
                return Ok(());
            }
        }
        self.fan_out(envelope, dirty, metrics);
        Ok(())
    }

    /// What came was read from the store before. Who asked for it still waits for the answer.
    pub(super) fn came_late(
        &mut self,
        envelope: &Envelope,
        dirty: &mut Vec<Arc<Conn>>,
        metrics: &Metrics,
    ) {
        if let Event::ParticipantJoined { participant, .. } = &envelope.event {
            self.voice.look_again_at(&participant.profile.id);
        }
        self.answer(envelope, dirty, metrics);
    }

    /// Answers the connection that asked, if the event answers, and nobody else.
    fn answer(&self, envelope: &Envelope, dirty: &mut Vec<Arc<Conn>>, metrics: &Metrics) {
        let origin = envelope.origin.and_then(|origin| self.conns.get(&origin.connection));
        let Some(conn) = origin else { return };
        let topic = envelope.conversation.and_then(|at| self.topics.get(&at));
        let scene = self.scene(topic);
        let answered = Encoder::new(envelope, scene).answer(conn, dirty);
        metrics.deliveries.inc_by(u64::from(answered));
    }

    /// What a dialect needs to know of a conversation.
    pub(super) fn scene<'a>(&'a self, topic: Option<&'a super::Topic>) -> Scene<'a> {
        Scene {
            place: topic.map(|topic| &*topic.place),
            read: topic.map_or(&[], |topic| &topic.read),
            settings: &self.settings,
        }
    }

    /// Puts the event into the queues of everybody concerned, and applies what it changes about who listens.
    pub(super) fn fan_out(
        &mut self,
        envelope: &Envelope,
        dirty: &mut Vec<Arc<Conn>>,
        metrics: &Metrics,
    ) {
        match (&envelope.event, envelope.conversation, envelope.seq) {
            (Event::ConversationCreated { conversation, participants }, ..) => {
                self.conversation_created(conversation, participants);
            }
            (Event::ParticipantJoined { participant, past, .. }, Some(at), Some(seq)) => {
                self.participant_joined(at, seq, participant, past);
                self.topics
                    .entry(at)
                    .and_modify(|topic| topic.last_seq = topic.last_seq.max(Some(seq)));
            }
            _ => {}
        }
        if let Some(conversation) = envelope.conversation {
            self.fan_out_in(conversation, envelope, dirty, metrics);
            self.note(conversation, &envelope.event);
        }
        match (&envelope.event, envelope.conversation, envelope.seq) {
            (Event::ParticipantLeft { user, .. }, Some(at), Some(seq))
                if !mutant("serve_ex_participant") =>
            {
                self.participant_left(at, seq, &user.id);
            }
            (Event::MessageCreated(message), Some(at), _) => {
                self.typing_ends(at, &message.sender.id);
            }
            _ => {}
        }
    }

    fn fan_out_in(
        &mut self,
        conversation: ConversationId,
        envelope: &Envelope,
        dirty: &mut Vec<Arc<Conn>>,
        metrics: &Metrics,
    ) {
        let topic = self.topics.get(&conversation);
        let mut encoder = Encoder::new(envelope, self.scene(topic));
        let mut delivered = 0;
        let mut origin = envelope.origin.map(|origin| origin.connection);
        if let Some(topic) = topic {
            let is_crowd = topic.is_crowd(self.signal_participants);
            for subscriber in &topic.subscribers {
                if envelope.seq.is_some_and(|seq| !subscriber.hears(seq)) {
                    continue;
                }
                let Some(slot) = self.slots.get(subscriber.slot) else { continue };
                if encoder.is_hidden_from(&slot.user, &slot.hidden)
                    || (is_crowd && encoder.is_receipt_of_others(&slot.user))
                {
                    continue;
                }
                let visible = encoder.said().is_none_or(|said| subscriber.sees(said));
                for conn in slot.listeners(conversation) {
                    delivered += u64::from(if visible {
                        encoder.send(conn, dirty)
                    } else {
                        encoder.skip(conn, dirty)
                    });
                    origin = origin.filter(|key| *key != conn.key);
                }
            }
        }
        // Who asked is answered even when he does not listen to this conversation.
        if let Some(conn) = origin.and_then(|key| self.conns.get(&key)) {
            delivered += u64::from(encoder.answer(conn, dirty));
        }
        metrics.deliveries.inc_by(delivered);
    }
}
