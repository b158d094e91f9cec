//! The native protocol `parlour.v1`. What clients may rely on is written in `docs/protocol/native.md`.

mod decode;
mod encode;
mod hello;
pub mod object;

pub use decode::frame as read;
pub use encode::{Ready, event_frame, ready, replay, reply as answer};

use parlour_core::{ConversationId, Error, Seq, command::Reply, event::Envelope};

use crate::{Audience, Caller, Dialect, Hello, Notice, Request, Scene, Sink, Tag, Variant};

/// The native dialect.
pub struct Native;

impl Dialect for Native {
    fn name(&self) -> &'static str {
        "native"
    }

    fn subprotocol(&self) -> Option<&'static str> {
        Some("parlour.v1")
    }

    fn keeps_position(&self) -> bool {
        true
    }

    fn decode(&self, frame: &str, caller: &Caller<'_>, out: &mut Vec<Request>) {
        decode::frame(frame, caller.limits, out);
    }

    fn hello(&self, hello: &Hello<'_>, out: &mut dyn Sink) {
        hello::frame(hello, out.frame());
    }

    fn encode(
        &self,
        envelope: &Envelope,
        audience: Audience,
        _scene: &Scene<'_>,
        out: &mut dyn Sink,
    ) {
        match (self.variant(envelope, audience), audience) {
            (Variant::Reply, Audience::Origin(command)) => {
                encode::own(envelope, command, out.frame());
            }
            _ => event_frame(envelope, out.frame()),
        }
    }

    /// The connection that sent, edited or deleted gets its answer in the event's place; all others share a frame.
    fn variant(&self, envelope: &Envelope, audience: Audience) -> Variant {
        let answers = envelope.event.message().is_some();
        match audience {
            Audience::Origin(_) if answers => Variant::Reply,
            Audience::Origin(_) | Audience::Sender | Audience::Author | Audience::Others => {
                Variant::Shared(0)
            }
        }
    }

    fn skipped(&self, conversation: ConversationId, seq: Seq, out: &mut dyn Sink) {
        encode::skipped(conversation, seq, out.frame());
    }

    fn reply(
        &self,
        tag: &Tag,
        outcome: &Result<Reply, Error>,
        _scene: &Scene<'_>,
        out: &mut dyn Sink,
    ) {
        encode::reply(tag.id, outcome, out.frame());
    }

    fn notice(&self, notice: Notice, out: &mut dyn Sink) {
        encode::notice(notice, out);
    }
}
