//! The chat on Pusher channels: its events for subscribers of chat channels, and what their client events ask.
//! What clients may rely on is written in `docs/dialects/pusher.md`.

mod decode;
mod encode;

pub use decode::{Asked, asked};
pub use encode::Message;

use parlour_core::{
    Error,
    command::Reply,
    event::{Envelope, Event},
};

use super::{ClientFrame, PusherLimits, decode as frames};
use crate::{Audience, Caller, Dialect, Hello, Notice, Request, Scene, Sink, Tag, Variant, seed};

/// The chat of Pusher clients. One connection is one chat channel: its frames name no channel, which the server
/// adds, so that the frame of an event is the same for every channel.
pub struct Chat;

/// What everybody gets who gets something.
const TOLD: Variant = Variant::Shared(0);
/// What those get who are told nothing.
const SILENCE: Variant = Variant::Shared(1);

impl Dialect for Chat {
    fn name(&self) -> &'static str {
        "pusher"
    }

    /// Reads a client event of a chat channel; every other frame is the server's own business.
    fn decode(&self, frame: &str, caller: &Caller<'_>, out: &mut Vec<Request>) {
        let unknown =
            || Error::new(parlour_core::Code::UnknownType, "this is no event of the chat");
        let limits = PusherLimits { json_depth: caller.limits.json_depth, ..Default::default() };
        let request = match frames::frame(frame, &limits) {
            Ok(ClientFrame::ClientEvent { event, data, .. }) => {
                match asked(&event, &data, caller) {
                    Asked::Chat(request) => request,
                    Asked::Nothing => return,
                    Asked::Other => Request { tag: Tag::default(), command: Err(unknown()) },
                }
            }
            Ok(_) => Request { tag: Tag::default(), command: Err(unknown()) },
            Err(refused) => {
                let code = match refused.refusal {
                    super::Refusal::InvalidJson => parlour_core::Code::InvalidJson,
                    super::Refusal::UnsupportedEvent => parlour_core::Code::UnknownType,
                    _ => parlour_core::Code::InvalidFrame,
                };
                let error = Error::new(code, refused.refusal.to_string());
                Request { tag: Tag::default(), command: Err(error) }
            }
        };
        out.push(request);
    }

    /// That the channel is subscribed is told by the channel.
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

    /// Everybody gets the same, the sender too: his client knows its own by their `tempId`. Only of himself nobody is
    /// told that he writes or is there.
    fn variant(&self, envelope: &Envelope, audience: Audience) -> Variant {
        let by_oneself = matches!(audience, Audience::Origin(_) | Audience::Sender);
        match &envelope.event {
            Event::Typing { .. } | Event::Presence { .. } if by_oneself => SILENCE,
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
            | Event::ConversationChanged { .. } => TOLD,
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
            Err(refusal) => encode::error(tag, refusal, out),
            Ok(Reply::Message(appended)) => {
                if seed::answers_send(tag, appended) {
                    encode::sent(&appended.message, scene, out);
                }
            }
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
        encode::notice(notice, out);
    }
}
