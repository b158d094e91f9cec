//! The frames of one event: made once for each kind of listener, and put into the queues of all.

use std::{slice, sync::Arc};

use parlour_core::{
    ConversationId, Seq, UserId,
    event::{Durability, Envelope, Event},
};
use parlour_websocket::Frame;
use parlour_wire::{Audience, Dialect, Scene, Settings, Variant};
use smallvec::SmallVec;

use crate::gateway::{conn::Conn, frames::Frames, send_queue::Item};

/// The frames of one event, each made when the first connection needs it.
pub(super) struct Encoder<'a> {
    envelope: &'a Envelope,
    scene: Scene<'a>,
    actor: Option<&'a UserId>,
    /// Whose messages a receipt covers, in order.
    authors: Vec<&'a UserId>,
    made: SmallVec<[Made; 2]>,
}

/// What one dialect writes for one variant; on one channel, where many share it.
struct Made {
    dialect: &'static str,
    variant: Variant,
    channel: Option<Arc<str>>,
    frames: Vec<Frame>,
    /// Where there are several: all of them in one piece.
    row: Option<Frame>,
}

impl Made {
    fn new(
        dialect: &'static str,
        variant: Variant,
        channel: Option<Arc<str>>,
        frames: Vec<Frame>,
    ) -> Self {
        let row = (frames.len() > 1).then(|| Frame::row(&frames));
        Self { dialect, variant, channel, frames, row }
    }

    /// What a connection's queue gets: one piece, unless each frame is to be compressed or taken by itself.
    fn pieces_for(&self, conn: &Conn) -> &[Frame] {
        let takes_rows = conn.link.socket().is_some() && conn.link.compression().is_none();
        match &self.row {
            Some(row) if takes_rows => slice::from_ref(row),
            _ => &self.frames,
        }
    }
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
        Self { envelope, scene, actor, authors, made: SmallVec::new() }
    }

    /// Typing is not shown to the typist, nor between two of whom one has blocked the other.
    pub(super) fn is_hidden_from(&self, user: &UserId, hidden: &[UserId]) -> bool {
        let Event::Typing { user: typist, .. } = &self.envelope.event else { return false };
        typist.id == *user || hidden.contains(&typist.id)
    }

    /// Whether it is a receipt that concerns a user neither as its reader nor because he said what was read.
    pub(super) fn is_receipt_of_others(&self, user: &UserId) -> bool {
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
    pub(super) fn said(&self) -> Option<Seq> {
        self.envelope.event.message().map(|message| message.seq)
    }

    /// Queues the notice that a Change went by which this connection may not see.
    pub(super) fn skip(&self, conn: &Arc<Conn>, dirty: &mut Vec<Arc<Conn>>) -> bool {
        let place = self.envelope.conversation.zip(self.envelope.seq);
        place.is_some_and(|(at, seq)| skip(conn, at, seq, dirty))
    }

    /// Queues the answer for the connection that asked, if the event answers.
    pub(super) fn answer(&mut self, conn: &Arc<Conn>, dirty: &mut Vec<Arc<Conn>>) -> bool {
        let Some(origin) = self.envelope.origin else { return false };
        let audience = Audience::Origin(origin.command);
        conn.dialect().variant(self.envelope, audience) == Variant::Reply
            && self.queue(conn, audience, dirty)
    }

    fn queue(&mut self, conn: &Arc<Conn>, audience: Audience, dirty: &mut Vec<Arc<Conn>>) -> bool {
        let dialect = conn.dialect();
        let variant = dialect.variant(self.envelope, audience);
        if variant == Variant::Reply {
            if let Audience::Origin(command) = audience {
                conn.note_answer(command);
            }
            let frames = conn.addressed(self.write(dialect, audience));
            return self.put(conn, &frames, dirty);
        }
        let name = dialect.name();
        let index = self.made(name, variant, None).unwrap_or_else(|| {
            let frames = self.write(dialect, audience);
            self.keep(Made::new(name, variant, None, frames))
        });
        let Some(channel) = &conn.channel else { return self.put_made(conn, index, dirty) };
        // The channel of a conversation has many listeners, that of a user few.
        let shared = conn.scope.is_some().then_some(channel);
        if let Some(index) = shared.and_then(|channel| self.made(name, variant, Some(channel))) {
            return self.put_made(conn, index, dirty);
        }
        let frames = self.made.get(index).map(|made| made.frames.clone()).unwrap_or_default();
        let frames = conn.addressed(frames);
        let queued = self.put(conn, &frames, dirty);
        if let Some(channel) = shared {
            self.keep(Made::new(name, variant, Some(channel.clone()), frames));
        }
        queued
    }

    fn put_made(&self, conn: &Arc<Conn>, index: usize, dirty: &mut Vec<Arc<Conn>>) -> bool {
        self.made.get(index).is_some_and(|made| self.put(conn, made.pieces_for(conn), dirty))
    }

    fn put(&self, conn: &Arc<Conn>, frames: &[Frame], dirty: &mut Vec<Arc<Conn>>) -> bool {
        let mark = self.envelope.conversation.zip(self.envelope.seq);
        put(conn, frames, self.envelope.event.durability(), mark, dirty)
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
#[path = "encoder_tests.rs"]
mod tests;
