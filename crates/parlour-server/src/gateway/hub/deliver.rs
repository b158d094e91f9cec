//! One event to everybody who listens, encoded once for each audience.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use parlour_core::{
    ConversationId, Seq, UserId,
    event::{Durability, Envelope, Event},
};
use parlour_store::mutant;
use parlour_websocket::Frame;
use parlour_wire::{Audience, Dialect, Scene, Settings, Variant};

use super::{Hub, State};
use crate::{
    gateway::{conn::Conn, frames::Frames, send_queue::Item},
    metrics::Metrics,
};

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
                for conn in &slot.conns {
                    if conn.listening.load(Relaxed) && conn.covers(conversation) {
                        delivered += u64::from(if visible {
                            encoder.send(conn, dirty)
                        } else {
                            encoder.skip(conn, dirty)
                        });
                        origin = origin.filter(|key| *key != conn.key);
                    }
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

/// The frames of one event, each made when the first connection needs it.
pub(super) struct Encoder<'a> {
    envelope: &'a Envelope,
    scene: Scene<'a>,
    actor: Option<&'a UserId>,
    /// Whose messages a receipt covers, in order.
    authors: Vec<&'a UserId>,
    made: Vec<Made>,
}

/// What one dialect writes for one variant; on one channel, where many share it.
struct Made {
    dialect: &'static str,
    variant: Variant,
    channel: Option<Arc<str>>,
    frames: Vec<Frame>,
}

impl<'a> Encoder<'a> {
    pub(super) fn new(envelope: &'a Envelope, scene: Scene<'a>) -> Self {
        let actor = match &envelope.event {
            Event::MessageCreated(message)
            | Event::MessageEdited(message)
            | Event::MessageDeleted(message) => Some(&message.sender.id),
            Event::Receipt { user, .. } => Some(user),
            Event::Typing { user, .. } | Event::Presence { user, .. } => Some(&user.id),
            Event::ParticipantJoined { by, .. }
            | Event::ParticipantLeft { by, .. }
            | Event::RoleChanged { by, .. }
            | Event::ConversationChanged { by, .. } => Some(by),
            Event::ConversationCreated { .. } => None,
        };
        let mut authors = Vec::new();
        if let Event::Receipt { covered, .. } = &envelope.event {
            authors.extend(covered.iter().map(|covered| &covered.sender));
            authors.sort_unstable();
            authors.dedup();
        }
        Self { envelope, scene, actor, authors, made: Vec::new() }
    }

    /// Typing is not shown to the typist, nor between two of whom one has blocked the other.
    fn is_hidden_from(&self, user: &UserId, hidden: &[UserId]) -> bool {
        let Event::Typing { user: typist, .. } = &self.envelope.event else { return false };
        typist.id == *user || hidden.contains(&typist.id)
    }

    /// Whether it is a receipt that concerns a user neither as its reader nor because he said what was read.
    fn is_receipt_of_others(&self, user: &UserId) -> bool {
        matches!(self.envelope.event, Event::Receipt { .. })
            && self.actor != Some(user)
            && self.authors.binary_search(&user).is_err()
    }

    /// Queues the frames for a connection; whether there were any and they were taken.
    pub(super) fn send(&mut self, conn: &Arc<Conn>, dirty: &mut Vec<Arc<Conn>>) -> bool {
        let audience = match self.envelope.origin {
            Some(origin) if origin.connection == conn.key => Audience::Origin(origin.command),
            _ if self.actor == Some(&conn.user) => Audience::Sender,
            _ if self.authors.binary_search(&&conn.user).is_ok() => Audience::Author,
            _ => Audience::Others,
        };
        self.queue(conn, audience, dirty)
    }

    /// The seq at which the message of the event was said: who was not there then does not see what becomes of it.
    fn said(&self) -> Option<Seq> {
        self.envelope.event.message().map(|message| message.seq)
    }

    /// Queues the notice that a Change went by which this connection may not see.
    fn skip(&self, conn: &Arc<Conn>, dirty: &mut Vec<Arc<Conn>>) -> bool {
        let place = self.envelope.conversation.zip(self.envelope.seq);
        place.is_some_and(|(at, seq)| skip(conn, at, seq, dirty))
    }

    /// Queues the answer for the connection that asked, if the event answers.
    fn answer(&mut self, conn: &Arc<Conn>, dirty: &mut Vec<Arc<Conn>>) -> bool {
        let Some(origin) = self.envelope.origin else { return false };
        let audience = Audience::Origin(origin.command);
        conn.dialect().variant(self.envelope, audience) == Variant::Reply
            && self.queue(conn, audience, dirty)
    }

    fn queue(&mut self, conn: &Arc<Conn>, audience: Audience, dirty: &mut Vec<Arc<Conn>>) -> bool {
        let mark = self.envelope.conversation.zip(self.envelope.seq);
        let durability = self.envelope.event.durability();
        let dialect = conn.dialect();
        let variant = dialect.variant(self.envelope, audience);
        if variant == Variant::Reply {
            if let Audience::Origin(command) = audience {
                conn.note_answer(command);
            }
            let frames = conn.addressed(self.write(dialect, audience));
            return put(conn, &frames, durability, mark, dirty);
        }
        let name = dialect.name();
        let index = self.made(name, variant, None).unwrap_or_else(|| {
            let frames = self.write(dialect, audience);
            self.keep(Made { dialect: name, variant, channel: None, frames })
        });
        let Some(channel) = &conn.channel else {
            return self
                .made
                .get(index)
                .is_some_and(|made| put(conn, &made.frames, durability, mark, dirty));
        };
        // The channel of a conversation has many listeners, that of a user few.
        let shared = conn.scope.is_some().then_some(channel);
        if let Some(index) = shared.and_then(|channel| self.made(name, variant, Some(channel))) {
            return self
                .made
                .get(index)
                .is_some_and(|made| put(conn, &made.frames, durability, mark, dirty));
        }
        let frames = self.made.get(index).map(|made| made.frames.clone()).unwrap_or_default();
        let frames = conn.addressed(frames);
        let queued = put(conn, &frames, durability, mark, dirty);
        if let Some(channel) = shared {
            let channel = Some(channel.clone());
            self.keep(Made { dialect: name, variant, channel, frames });
        }
        queued
    }

    fn write(&self, dialect: &dyn Dialect, audience: Audience) -> Vec<Frame> {
        Frames::of(|out| dialect.encode(self.envelope, audience, &self.scene, out))
    }

    fn made(&self, name: &str, variant: Variant, channel: Option<&Arc<str>>) -> Option<usize> {
        self.made.iter().position(|made| {
            made.variant == variant && made.dialect == name && made.channel.as_ref() == channel
        })
    }

    fn keep(&mut self, made: Made) -> usize {
        self.made.push(made);
        self.made.len() - 1
    }
}

/// Queues the notice that a Change went by; whether there were any frames and they were taken.
pub(super) fn skip(
    conn: &Arc<Conn>,
    at: ConversationId,
    seq: Seq,
    dirty: &mut Vec<Arc<Conn>>,
) -> bool {
    let frames = Frames::of(|out| conn.dialect().skipped(at, seq, out));
    put(conn, &frames, Durability::Durable, Some((at, seq)), dirty)
}

/// Queues frames and notes that the connection has something to write; whether there were any and they were taken.
fn put(
    conn: &Arc<Conn>,
    frames: &[Frame],
    durability: Durability,
    mark: Option<(ConversationId, Seq)>,
    dirty: &mut Vec<Arc<Conn>>,
) -> bool {
    let mut queued = false;
    for frame in frames {
        // Only Changes are kept for the return of a client that keeps no position.
        let track = mark.and(conn.track.clone());
        queued |= conn.push(Item { frame: frame.clone(), durability, mark, track });
    }
    if queued && conn.link.mark_dirty() {
        dirty.push(conn.clone());
    }
    queued
}

/// Sends one event about people to connections that were chosen by the caller.
pub(super) fn to_connections<'a>(
    envelope: &Envelope,
    conns: impl Iterator<Item = &'a Arc<Conn>>,
    settings: &Settings,
    dirty: &mut Vec<Arc<Conn>>,
) -> u64 {
    let mut encoder = Encoder::new(envelope, Scene { place: None, read: &[], settings });
    conns.map(|conn| u64::from(encoder.send(conn, dirty))).sum()
}

#[cfg(test)]
#[path = "deliver_tests.rs"]
mod tests;
