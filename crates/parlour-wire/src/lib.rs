//! The wire dialects: pure translations, frame to [`Command`] and [`Envelope`] to frame.
//!
//! A dialect knows no socket, no store and no clock, and no dialect's type is a domain type. Adding one is a
//! module here and a row in [`DIALECTS`]; `docs/recipes/add-a-dialect.md` lists the steps.

pub mod json;
pub mod native;

use parlour_core::{
    ConversationId, Error, Seq,
    command::{Command, Reply},
    event::Envelope,
    limits::Limits,
};

/// One wire protocol.
pub trait Dialect: Send + Sync + 'static {
    /// Its name, as `?dialect=`, metrics and the configuration have it.
    fn name(&self) -> &'static str;

    /// The WebSocket subprotocol that names it, if there is one.
    fn subprotocol(&self) -> Option<&'static str>;

    /// Reads one text frame into requests, in their order; a frame that holds none gives one refusal.
    fn decode(&self, frame: &str, limits: &Limits, out: &mut Vec<Request>);

    /// Writes the frame by which `audience` learns of an event; `false` when this dialect has none for it.
    ///
    /// Frames for the same [`Dialect::variant`] are the same bytes, so that they are made once and shared.
    fn encode(&self, envelope: &Envelope, audience: Audience, out: &mut Vec<u8>) -> bool;

    /// Which audiences share a frame.
    fn variant(&self, envelope: &Envelope, audience: Audience) -> Variant;

    /// Writes the frame by which somebody learns that a Change went by that he may not see (an edit of what was
    /// said before he came); `false` when this dialect counts no seqs and has none.
    fn skipped(&self, conversation: ConversationId, seq: Seq, out: &mut Vec<u8>) -> bool;

    /// Writes the answer to a command that no event answers.
    fn reply(&self, id: Option<u64>, outcome: &Result<Reply, Error>, out: &mut Vec<u8>);
}

/// Every dialect of this build.
pub const DIALECTS: &[&'static dyn Dialect] = &[&native::Native];

/// One thing that a client asks in a frame.
#[derive(Debug)]
pub struct Request {
    /// The number that the client gave it.
    pub id: Option<u64>,
    /// What it asks, or why it cannot be understood.
    pub command: Result<Command, Error>,
}

/// To whom an event goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Audience {
    /// The connection whose command caused it; the command's number (zero: it had none).
    Origin(u64),
    /// Another connection of the user who caused it.
    Sender,
    /// Everybody else.
    Others,
}

/// Which shared frame an audience gets.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Variant {
    /// The one with this number; audiences with the same number get the same bytes.
    Shared(u8),
    /// The answer to the command, for its connection alone.
    Reply,
}
