//! The `direct` dialect: one socket a user, messages addressed to a user. For clients of a Django Channels consumer
//! that has a group for each user. What they may rely on is written in `docs/dialects/direct.md`.

mod decode;
mod encode;

use parlour_core::{
    Error,
    command::Reply,
    event::{Envelope, Event},
    model::ConversationKind,
};

use crate::{Audience, Caller, Dialect, Hello, Notice, Request, Scene, Sink, Tag, Variant, seed};

/// The `direct` dialect.
pub struct Direct;

/// What everybody gets who gets something.
const TOLD: Variant = Variant::Shared(0);
/// What those get who are told nothing.
const SILENCE: Variant = Variant::Shared(1);

impl Dialect for Direct {
    fn name(&self) -> &'static str {
        "direct"
    }

    fn shows(&self, kind: ConversationKind) -> bool {
        kind == ConversationKind::Direct
    }

    fn claims(&self, frame: &str) -> bool {
        let types = ["message", "typing", "read", "edit", "delete"];
        seed::kind(frame).is_some_and(|kind| types.contains(&&*kind))
    }

    fn decode(&self, frame: &str, caller: &Caller<'_>, out: &mut Vec<Request>) {
        out.push(decode::frame(frame, caller.limits));
    }

    /// Its clients expect no greeting.
    fn hello(&self, _hello: &Hello<'_>, _out: &mut dyn Sink) {}

    fn encode(
        &self,
        envelope: &Envelope,
        audience: Audience,
        scene: &Scene<'_>,
        out: &mut dyn Sink,
    ) {
        if self.variant(envelope, audience) == TOLD {
            encode::event(envelope, scene, out);
        }
    }

    /// The sending socket gets the message itself: its client draws what arrives, and nothing else.
    fn variant(&self, envelope: &Envelope, audience: Audience) -> Variant {
        match (&envelope.event, audience) {
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
        scene: &Scene<'_>,
        out: &mut dyn Sink,
    ) {
        match outcome {
            Err(refusal) => seed::error(tag, refusal, out),
            Ok(Reply::Message(appended)) => encode::answer(tag, appended, scene, out),
            Ok(
                Reply::Marked(_)
                | Reply::Conversation(_)
                | Reply::Added(_)
                | Reply::Authenticated { .. }
                | Reply::Resumed(_)
                | Reply::Focused(_)
                | Reply::Done
                | Reply::Pong(_),
            ) => {}
        }
    }

    fn notice(&self, notice: Notice, out: &mut dyn Sink) {
        seed::notice(notice, out);
    }
}
