//! The dialect `plain`: one socket a conversation, frames without a type. What its clients may rely on is written in
//! `docs/dialects/plain.md`.

mod date;
mod decode;
mod encode;

use parlour_core::{Error, command::Reply, event::Envelope};

use crate::{
    Audience, Caller, Dialect, Hello, Request, Scene, Sink, Tag, Variant,
    seed::{answers_send, error},
};

/// The dialect.
pub struct Plain;

impl Dialect for Plain {
    fn name(&self) -> &'static str {
        "plain"
    }

    /// Its frames have a message and no type; those of `room`, on the same path, have a type.
    fn claims(&self, frame: &str) -> bool {
        decode::is_plain(frame)
    }

    fn decode(&self, frame: &str, caller: &Caller<'_>, out: &mut Vec<Request>) {
        out.push(decode::frame(frame, caller));
    }

    /// Its clients show every frame as a message, so nothing else may be said.
    fn hello(&self, _hello: &Hello<'_>, _out: &mut dyn Sink) {}

    fn encode(
        &self,
        envelope: &Envelope,
        _audience: Audience,
        scene: &Scene<'_>,
        out: &mut dyn Sink,
    ) {
        encode::event(envelope, scene, out);
    }

    /// Everybody sees the same.
    fn variant(&self, _envelope: &Envelope, _audience: Audience) -> Variant {
        Variant::Shared(0)
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
            Ok(Reply::Message(appended)) => {
                if answers_send(tag, appended) {
                    encode::message(&appended.message, scene, out);
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
}
