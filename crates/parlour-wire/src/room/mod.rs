//! The dialect `room`: one socket a conversation, for clients whose URL says which. What they may rely on is written
//! in `docs/dialects/room.md`.

mod decode;
mod encode;
mod object;

pub use object::ChatMessage;

use parlour_core::{
    Error,
    command::Reply,
    event::{Envelope, Event},
};

use crate::{
    Audience, Caller, Dialect, Hello, Notice, Request, Scene, Sink, Tag, Variant,
    seed::{error, kind, notice},
};

/// The dialect.
pub struct Room;

/// What most audiences share.
const ALL: Variant = Variant::Shared(0);
/// Those for whom there is no frame: nobody sees himself type, come or go.
const NOBODY: Variant = Variant::Shared(1);

impl Dialect for Room {
    fn name(&self) -> &'static str {
        "room"
    }

    /// Its frames have a type; those of `plain`, on the same path, have none.
    fn claims(&self, frame: &str) -> bool {
        kind(frame).is_some()
    }

    fn decode(&self, frame: &str, caller: &Caller<'_>, out: &mut Vec<Request>) {
        out.push(decode::frame(frame, caller));
    }

    /// Its clients expect no greeting; who is there follows as `user_status`.
    fn hello(&self, _hello: &Hello<'_>, _out: &mut dyn Sink) {}

    fn encode(
        &self,
        envelope: &Envelope,
        audience: Audience,
        scene: &Scene<'_>,
        out: &mut dyn Sink,
    ) {
        if self.variant(envelope, audience) == ALL {
            encode::event(envelope, scene, out);
        }
    }

    fn variant(&self, envelope: &Envelope, audience: Audience) -> Variant {
        let by_oneself = matches!(audience, Audience::Origin(_) | Audience::Sender);
        match &envelope.event {
            Event::Typing { .. } | Event::Presence { .. } if by_oneself => NOBODY,
            Event::Typing { .. }
            | Event::Presence { .. }
            | Event::MessageCreated(_)
            | Event::MessageEdited(_)
            | Event::MessageDeleted(_)
            | Event::Receipt { .. }
            | Event::ConversationCreated { .. }
            | Event::ParticipantJoined { .. }
            | Event::ParticipantLeft { .. }
            | Event::RoleChanged { .. }
            | Event::ConversationChanged { .. } => ALL,
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
            Err(refusal) => error(tag, refusal, out),
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

    fn notice(&self, what: Notice, out: &mut dyn Sink) {
        notice(what, out);
    }
}
