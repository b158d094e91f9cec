//! What a dialect costs: reading the frame of a send, and writing the frames that tell of it.

use std::{hint::black_box, sync::Arc};

use criterion::{Criterion, criterion_group, criterion_main};
use parlour_core::{
    ClientId, ConversationId, Epoch, MessageId, Seq,
    event::{Envelope, Event},
    limits::Limits,
    model::{Content, ConversationKind, Message, MessageKind, Profile},
    testing::user,
};
use parlour_wire::{
    Audience, Caller, Dialect, Place, Scene, Settings, Sink, direct::Direct, native::Native,
    room::Room,
};

const TEXT: &str = "Shall we meet at the station at half past seven, or is that too early?";

/// A sink with one buffer, as the server has for each thread.
struct Buffer(Vec<u8>);

impl Sink for Buffer {
    fn frame(&mut self) -> &mut Vec<u8> {
        self.0.clear();
        &mut self.0
    }
}

fn profile(id: &str, name: &str) -> Arc<Profile> {
    let username = name.to_lowercase().as_str().into();
    Arc::new(Profile { id: user(id), username, name: name.into(), avatar: None })
}

/// Alice has said something.
fn said() -> Envelope {
    let message = Message {
        id: MessageId(123_456),
        conversation: ConversationId(1_234),
        seq: Seq(42),
        change_seq: Seq(42),
        sender: profile("1", "Alice"),
        client_id: ClientId::new("6f1c1b0e-8c55-4c26-9d8d-0d9f5d7d2f11").ok(),
        kind: MessageKind::Text,
        content: Some(Content { text: TEXT.into(), metadata: None }),
        reply_to: None,
        created_at: 1_767_225_600_123,
        edited_at: None,
        deleted_at: None,
    };
    Envelope {
        conversation: Some(message.conversation),
        epoch: Epoch(1),
        seq: Some(message.seq),
        at: message.created_at,
        origin: None,
        event: Event::MessageCreated(Arc::new(message)),
    }
}

fn read(criterion: &mut Criterion) {
    let (alice, limits) = (user("1"), Limits::default());
    let cases: [(&str, &dyn Dialect, String); 4] = [
        ("native send", &Native, native_send()),
        (
            "native typing",
            &Native,
            r#"{"type":"typing","id":7,"conversation_id":1234,"active":true}"#.to_owned(),
        ),
        (
            "direct send",
            &Direct,
            format!(r#"{{"type":"message","receiver":2,"content":"{TEXT}"}}"#),
        ),
        ("room send", &Room, format!(r#"{{"type":"chat_message","content":"{TEXT}"}}"#)),
    ];
    let mut group = criterion.benchmark_group("read");
    for (name, dialect, frame) in cases {
        let caller = Caller { user: &alice, scope: Some(ConversationId(1_234)), limits: &limits };
        let mut requests = Vec::with_capacity(1);
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                dialect.decode(black_box(&frame), &caller, &mut requests);
                let understood = requests.pop().is_some_and(|request| request.command.is_ok());
                assert!(understood, "{frame}");
            });
        });
    }
    group.finish();
}

fn native_send() -> String {
    format!(
        r#"{{"type":"message.send","id":7,"conversation_id":1234,"client_id":"6f1c1b0e-8c55-4c26-9d8d-0d9f5d7d2f11","content":"{TEXT}"}}"#
    )
}

fn write(criterion: &mut Criterion) {
    let (envelope, settings) = (said(), Settings::default());
    let place = Place {
        id: ConversationId(1_234),
        kind: ConversationKind::Direct,
        subject: None,
        peers: Some([profile("1", "Alice"), profile("2", "Bob")]),
    };
    let scene = Scene { place: Some(&place), read: &[], settings: &settings };
    let cases: [(&str, &dyn Dialect, Audience); 4] = [
        ("native event", &Native, Audience::Others),
        ("native reply", &Native, Audience::Origin(7)),
        ("direct event", &Direct, Audience::Others),
        ("room event", &Room, Audience::Others),
    ];
    let mut group = criterion.benchmark_group("write");
    for (name, dialect, audience) in cases {
        let mut out = Buffer(Vec::with_capacity(1_024));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                dialect.encode(black_box(&envelope), audience, &scene, &mut out);
                assert!(!out.0.is_empty(), "{name}");
            });
        });
    }
    group.finish();
}

criterion_group!(dialects, read, write);
criterion_main!(dialects);
