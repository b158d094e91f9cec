//! The `inbox` dialect: one socket a user, on which every conversation of the user arrives. For clients of a Django
//! Channels consumer with conversations. What they may rely on is written in `docs/dialects/inbox.md`.

mod decode;
mod encode;

pub use encode::NewMessage;

use parlour_core::{
    Error,
    command::Reply,
    event::{Envelope, Event},
};

use crate::{Audience, Caller, Dialect, Hello, Notice, Request, Scene, Sink, Tag, Variant, seed};

/// The `inbox` dialect.
pub struct Inbox;

/// What everybody gets who gets something.
const TOLD: Variant = Variant::Shared(0);
/// What those get who are told nothing.
const SILENCE: Variant = Variant::Shared(1);

impl Dialect for Inbox {
    fn name(&self) -> &'static str {
        "inbox"
    }

    fn claims(&self, frame: &str) -> bool {
        seed::kind(frame).is_some_and(|kind| decode::TYPES.contains(&&*kind))
    }

    fn decode(&self, frame: &str, caller: &Caller<'_>, out: &mut Vec<Request>) {
        out.push(decode::frame(frame, caller.limits));
    }

    fn hello(&self, hello: &Hello<'_>, out: &mut dyn Sink) {
        encode::hello(hello, out);
    }

    fn encode(
        &self,
        envelope: &Envelope,
        audience: Audience,
        _scene: &Scene<'_>,
        out: &mut dyn Sink,
    ) {
        match (self.variant(envelope, audience), envelope.event.message()) {
            (Variant::Reply, Some(message)) => encode::sent(message, out),
            (TOLD, _) => encode::event(envelope, out),
            _ => {}
        }
    }

    /// The sending socket is told that its message is stored, in the message's place; what it edits or deletes it is
    /// told as everybody is.
    fn variant(&self, envelope: &Envelope, audience: Audience) -> Variant {
        match (&envelope.event, audience) {
            (Event::MessageCreated(_), Audience::Origin(_)) => Variant::Reply,
            (Event::Receipt { .. }, Audience::Author | Audience::Sender)
            | (
                Event::Typing { .. } | Event::Presence { .. },
                Audience::Author | Audience::Others,
            ) => TOLD,
            (Event::Receipt { .. } | Event::Typing { .. } | Event::Presence { .. }, _) => SILENCE,
            (
                Event::MessageCreated(_)
                | Event::MessageEdited(_)
                | Event::MessageDeleted(_)
                | Event::ConversationCreated { .. }
                | Event::ParticipantJoined { .. }
                | Event::ParticipantLeft { .. }
                | Event::RoleChanged { .. }
                | Event::ConversationChanged { .. },
                _,
            ) => TOLD,
        }
    }

    fn reply(
        &self,
        tag: &Tag,
        outcome: &Result<Reply, Error>,
        _scene: &Scene<'_>,
        out: &mut dyn Sink,
    ) {
        match outcome {
            Err(refusal) => seed::error(tag, refusal, out),
            Ok(Reply::Message(appended)) => encode::answer(tag, appended, out),
            Ok(Reply::Focused(focused)) => encode::focused(focused, out),
            Ok(
                Reply::Marked(_)
                | Reply::Conversation(_)
                | Reply::Added(_)
                | Reply::Authenticated { .. }
                | Reply::Resumed(_)
                | Reply::Done
                | Reply::Pong(_),
            ) => {}
        }
    }

    fn notice(&self, notice: Notice, out: &mut dyn Sink) {
        seed::notice(notice, out);
    }
}
