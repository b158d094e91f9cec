//! One event is written once, however many listen.

use std::sync::atomic::AtomicUsize;

use parlour_core::{
    Epoch, Error,
    command::{Actor, Identity, Reply},
    limits::Limits,
    testing,
};
use parlour_wire::{Caller, Hello, Request, Sink, Tag};

use super::*;
use crate::gateway::{conn::NewConn, link::Link};

/// Counts how often it is asked to write.
struct Counting;

static WRITTEN: AtomicUsize = AtomicUsize::new(0);

impl Dialect for Counting {
    fn name(&self) -> &'static str {
        "counting"
    }

    fn decode(&self, _: &str, _: &Caller<'_>, _: &mut Vec<Request>) {}

    fn hello(&self, _: &Hello<'_>, _: &mut dyn Sink) {}

    fn encode(&self, _: &Envelope, _: Audience, _: &Scene<'_>, out: &mut dyn Sink) {
        WRITTEN.fetch_add(1, Relaxed);
        out.frame().extend_from_slice(b"{}");
    }

    fn variant(&self, _: &Envelope, audience: Audience) -> Variant {
        Variant::Shared(u8::from(audience == Audience::Sender))
    }

    fn reply(&self, _: &Tag, _: &Result<Reply, Error>, _: &Scene<'_>, _: &mut dyn Sink) {}
}

fn conn(user: &str, channel: Option<&str>) -> Arc<Conn> {
    let identity = Identity {
        actor: Actor::user(testing::user(user)),
        session: None,
        expires_at: None,
        issued_at: 0,
    };
    Conn::new(NewConn {
        key: 1,
        identity,
        device: None,
        agent: None,
        dialect: &Counting,
        scope: channel.map(|_| ConversationId(1)),
        channel: channel.map(Into::into),
        transport: "test",
        link: Link::new(None, Arc::new(Limits::default()), Arc::new(Metrics::new())),
    })
}

#[test]
fn an_event_is_written_once_for_each_dialect_and_variant_however_many_listen() {
    let profile = Arc::new(parlour_core::model::Profile::bare(testing::user("1")));
    let envelope = Envelope {
        conversation: Some(ConversationId(1)),
        epoch: Epoch(1),
        seq: None,
        at: 0,
        origin: None,
        event: Event::Typing { user: profile, active: true },
    };
    let settings = Settings::default();
    let scene = Scene { place: None, read: &[], settings: &settings };
    let mut encoder = Encoder::new(&envelope, scene);
    let mut dirty = Vec::new();
    let mut listeners: Vec<_> = (1..=50).map(|n| conn(&(n % 5).to_string(), None)).collect();
    listeners.extend((0..50).map(|_| conn("7", Some("private-conversation.1"))));
    for listener in &listeners {
        assert!(encoder.send(listener, &mut dirty));
    }
    assert_eq!(WRITTEN.load(Relaxed), 2, "one for the typist's own, one for all others");
    assert_eq!(dirty.len(), 100);
    assert_eq!(encoder.made.len(), 3, "and one with the name of the channel that 50 share");
    let last = listeners[99].link.pop().map(|item| item.frame.payload().to_vec());
    assert_eq!(last.unwrap(), br#"{,"channel":"private-conversation.1"}"#);
}
