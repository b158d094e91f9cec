//! The wire dialects: pure translations, frame to [`Command`] and [`Envelope`] to frames.
//!
//! A dialect knows no socket, no store and no clock, and no dialect's type is a domain type. Adding one is a
//! module here and a row in [`DIALECTS`]; `docs/recipes/add-a-dialect.md` lists the steps.

pub mod direct;
pub mod inbox;
pub mod json;
pub mod native;
pub mod plain;
pub mod pusher;
pub mod room;
mod scene;
pub mod seed;

use std::{sync::Arc, time::Duration};

use parlour_core::{
    ConversationId, Error, Seq,
    command::{Command, Reply, ResyncReason},
    event::Envelope,
    model::{ConversationKind, Millis},
};

pub use self::scene::{Caller, EventNames, Hello, Place, Scene, Settings};

/// One wire protocol.
pub trait Dialect: Send + Sync + 'static {
    /// Its name, as `?dialect=`, metrics and the configuration have it.
    fn name(&self) -> &'static str;

    /// The WebSocket subprotocol that names it, if there is one.
    fn subprotocol(&self) -> Option<&'static str> {
        None
    }

    /// Whether its clients keep their own place in each conversation and ask for what they missed. For the others
    /// the server keeps it (implicit resume).
    fn keeps_position(&self) -> bool {
        false
    }

    /// Whether its clients see conversations of a kind at all.
    fn shows(&self, _kind: ConversationKind) -> bool {
        true
    }

    /// Whether a frame has a shape that only this dialect's clients send: where the configuration lets the first
    /// frame decide between two dialects.
    fn claims(&self, _frame: &str) -> bool {
        false
    }

    /// Reads one text frame into requests, in their order; a frame that holds none gives one refusal.
    fn decode(&self, frame: &str, caller: &Caller<'_>, out: &mut Vec<Request>);

    /// Writes what a connection is told first.
    fn hello(&self, hello: &Hello<'_>, out: &mut dyn Sink);

    /// Writes the frames by which `audience` learns of an event; none when this dialect has none for it.
    ///
    /// Frames for the same [`Dialect::variant`] are the same bytes, so that they are made once and shared.
    fn encode(
        &self,
        envelope: &Envelope,
        audience: Audience,
        scene: &Scene<'_>,
        out: &mut dyn Sink,
    );

    /// Which audiences share frames.
    fn variant(&self, envelope: &Envelope, audience: Audience) -> Variant;

    /// Writes the frame by which somebody learns that a Change went by that he may not see (an edit of what was
    /// said before he came); none when this dialect counts no seqs.
    fn skipped(&self, _conversation: ConversationId, _seq: Seq, _out: &mut dyn Sink) {}

    /// Writes the answer to a command that no event answers; none where the dialect's clients expect none.
    fn reply(
        &self,
        tag: &Tag,
        outcome: &Result<Reply, Error>,
        scene: &Scene<'_>,
        out: &mut dyn Sink,
    );

    /// Writes what the server has to say of the connection itself; none where the dialect has no word for it.
    fn notice(&self, _notice: Notice, _out: &mut dyn Sink) {}
}

/// Every dialect of this build, but for Pusher, whose channels are chosen frame by frame.
pub const DIALECTS: &[&'static dyn Dialect] =
    &[&native::Native, &direct::Direct, &inbox::Inbox, &room::Room, &plain::Plain];

/// Takes the text frames that a dialect writes.
pub trait Sink {
    /// Begins a frame, and gives the buffer to which its text is appended. What stands in the buffer already
    /// belongs to the sink.
    fn frame(&mut self) -> &mut Vec<u8>;
}

/// The frames as texts, for tests.
impl Sink for Vec<Vec<u8>> {
    fn frame(&mut self) -> &mut Vec<u8> {
        self.push(Vec::new());
        let last = self.len() - 1;
        &mut self[last]
    }
}

/// One thing that a client asks in a frame.
#[derive(Debug)]
pub struct Request {
    /// How its answer will name it.
    pub tag: Tag,
    /// What it asks, or why it cannot be understood.
    pub command: Result<Command, Error>,
}

/// How the answer to a request names it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Tag {
    /// The number that the client gave it.
    pub id: Option<u64>,
    /// The `client_id` of a send, as it was given (at most 64 characters; a longer one is left out).
    pub client_id: Option<Arc<str>>,
}

impl Tag {
    /// A request that the client has numbered.
    #[must_use]
    pub const fn numbered(id: Option<u64>) -> Self {
        Self { id, client_id: None }
    }
}

/// To whom an event goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Audience {
    /// The connection whose command caused it; the command's number (zero: it had none).
    Origin(u64),
    /// Another connection of the user who caused it.
    Sender,
    /// Somebody whose messages a receipt covers.
    Author,
    /// Everybody else.
    Others,
}

/// Which shared frames an audience gets.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Variant {
    /// Those with this number; audiences with the same number get the same bytes.
    Shared(u8),
    /// The answer to the command, for its connection alone.
    Reply,
}

/// What the server has to say of the connection itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Notice {
    /// The sign-in ends soon: when.
    Expiring(Millis),
    /// The server goes away: when to come back.
    Restarting(Duration),
    /// A conversation must be loaded anew.
    Resync(ConversationId, ResyncReason),
    /// One is no longer in the conversation that the connection is about, which ends.
    Removed,
}
