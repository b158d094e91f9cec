//! The native protocol `parlour.v1`. What clients may rely on is written in `docs/protocol/native.md`.

mod decode;
mod encode;
pub mod object;

pub use encode::{
    Hello, Ready, event_frame, expiring, hello, ready, replay, restarting, resync_required,
};

use parlour_core::{ConversationId, Error, Seq, command::Reply, event::Envelope, limits::Limits};

use crate::{Audience, Dialect, Request, Variant};

/// The native dialect.
pub struct Native;

impl Dialect for Native {
    fn name(&self) -> &'static str {
        "native"
    }

    fn subprotocol(&self) -> Option<&'static str> {
        Some("parlour.v1")
    }

    fn decode(&self, frame: &str, limits: &Limits, out: &mut Vec<Request>) {
        decode::frame(frame, limits, out);
    }

    fn encode(&self, envelope: &Envelope, audience: Audience, out: &mut Vec<u8>) -> bool {
        match (self.variant(envelope, audience), audience) {
            (Variant::Reply, Audience::Origin(command)) => encode::own(envelope, command, out),
            _ => event_frame(envelope, out),
        }
        true
    }

    /// The connection that sent, edited or deleted gets its answer in the event's place; all others share a frame.
    fn variant(&self, envelope: &Envelope, audience: Audience) -> Variant {
        let answers = envelope.event.message().is_some();
        match audience {
            Audience::Origin(_) if answers => Variant::Reply,
            Audience::Origin(_) | Audience::Sender | Audience::Others => Variant::Shared(0),
        }
    }

    fn skipped(&self, conversation: ConversationId, seq: Seq, out: &mut Vec<u8>) -> bool {
        encode::skipped(conversation, seq, out);
        true
    }

    fn reply(&self, id: Option<u64>, outcome: &Result<Reply, Error>, out: &mut Vec<u8>) {
        encode::reply(id, outcome, out);
    }
}
