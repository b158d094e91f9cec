//! What native clients are told, frame by frame, as a file that the tests of the TypeScript client read too.
//!
//! `UPDATE_GOLDEN=1` rewrites it.

use std::{collections::BTreeSet, path::PathBuf, sync::Arc, time::Duration};

use parlour_core::{
    ClientId, Code, ConversationId, Epoch, Error, MessageId, Seq,
    command::{Reply, ResumeFrom, Resumed, ResyncReason},
    event::{Envelope, Event, Origin, PresenceStatus},
    ids::Position,
    limits::Limits,
    model::{
        Content, Conversation, ConversationKind, ConversationState, Message, MessageKind,
        Participant, Profile, Role, User, UserState, Watermark,
    },
    port::store::Appended,
    testing::user,
};
use parlour_wire::{
    Audience, Dialect as _,
    native::{self, Native},
};

pub(crate) fn contract(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../contract").join(path)
}

const AT: i64 = 1_767_225_600_123;

fn profile(id: &str, name: &str) -> Arc<Profile> {
    let username = name.to_lowercase().as_str().into();
    Arc::new(Profile { id: user(id), username, name: name.into(), avatar: None })
}

fn message(change: u64, text: Option<&str>) -> Arc<Message> {
    let metadata = text.map(|_| r#"{"mood":"good"}"#.into());
    Arc::new(Message {
        id: MessageId(10),
        conversation: ConversationId(1),
        seq: Seq(1),
        change_seq: Seq(change),
        sender: profile("1", "Alice"),
        client_id: Some(ClientId::new("c0ffee").unwrap()),
        kind: MessageKind::Text,
        content: text.map(|text| Content { text: text.into(), metadata }),
        reply_to: None,
        created_at: AT,
        edited_at: (change > 1).then_some(AT + 1_000),
        deleted_at: text.is_none().then_some(AT + 2_000),
    })
}

fn participant(id: &str, name: &str, role: Role) -> Participant {
    Participant {
        profile: profile(id, name),
        role,
        joined_seq: Seq(0),
        watermark: Watermark { delivered: Seq(3), read: Seq(2) },
        last_seen: AT,
    }
}

fn conversation() -> Conversation {
    Conversation {
        id: ConversationId(1),
        kind: ConversationKind::Group,
        state: ConversationState::Open,
        title: Some("Trip \"north\"".into()),
        subject: Some("booking/42".into()),
        external_id: None,
        metadata: None,
        epoch: Epoch(7),
        last_seq: Seq(0),
        receipts: 0,
        created_at: AT,
        active_at: AT,
    }
}

fn envelope(seq: Option<u64>, event: Event) -> Envelope {
    let conversation = match event {
        Event::Presence { .. } => None,
        _ => Some(ConversationId(1)),
    };
    Envelope { conversation, epoch: Epoch(7), seq: seq.map(Seq), at: AT, origin: None, event }
}

fn events() -> Vec<Envelope> {
    let people: Vec<_> =
        vec![participant("1", "Alice", Role::Owner), participant("2", "Bob", Role::Member)];
    let conversation = Arc::new(conversation());
    let mark = |seq| Watermark { delivered: Seq(seq), read: Seq(seq) };
    vec![
        envelope(None, Event::ConversationCreated { conversation, participants: people.into() }),
        envelope(Some(1), Event::MessageCreated(message(1, Some("Hello, \u{1f600}\n<b>")))),
        envelope(Some(2), Event::MessageEdited(message(2, Some("Hello")))),
        envelope(Some(3), Event::MessageDeleted(message(3, None))),
        envelope(
            Some(4),
            Event::ParticipantJoined {
                participant: Arc::new(participant("3", "Carol", Role::Member)),
                past: Arc::default(),
                by: user("1"),
            },
        ),
        envelope(Some(5), Event::RoleChanged { user: user("3"), role: Role::Admin, by: user("1") }),
        envelope(
            Some(6),
            Event::ConversationChanged {
                title: Some("".into()),
                state: Some(ConversationState::ReadOnly),
                metadata: Some(r#"{"a":1}"#.into()),
                by: user("1"),
            },
        ),
        envelope(Some(7), Event::ParticipantLeft { user: profile("3", "Carol"), by: user("3") }),
        envelope(None, Event::Receipt { user: user("2"), from: mark(1), to: mark(3), version: 4, covered: Arc::default() }),
        envelope(None, Event::Typing { user: profile("2", "Bob"), active: true }),
        envelope(
            None,
            Event::Presence {
                user: profile("2", "Bob"),
                status: PresenceStatus::Away,
                last_seen: AT,
            },
        ),
    ]
}

fn line(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    String::from_utf8(out).unwrap()
}

/// Every frame that there is, in an order of no meaning.
fn frames() -> Vec<String> {
    let alice = User {
        profile: profile("1", "Alice"),
        email: Some("alice@example.org".into()),
        state: UserState::Active,
        revoked_before: 0,
        last_seen: 0,
        created_at: AT,
    };
    let limits = Limits::default();
    let hello = native::Hello {
        session: "c1",
        user: &alice,
        now: AT,
        expires_at: Some(AT + 60_000),
        limits: &limits,
        version: "0.1.0",
        durability: "full",
    };
    let place = ResumeFrom {
        conversation: ConversationId(1),
        position: Position { epoch: Epoch(7), seq: Seq(7) },
        receipts: 4,
    };
    let resumed = Resumed {
        conversations: vec![place],
        resync: vec![(ConversationId(2), ResyncReason::TooLong)],
        gone: vec![ConversationId(3)],
        presence: vec![(user("2"), PresenceStatus::Online)],
    };
    let refusal = Error::new(Code::RateLimited, "too many at once; slow down")
        .with_limit("sends")
        .with_retry_after(Duration::from_millis(200));
    let sent = Reply::Message(Appended {
        message: message(1, Some("Hello")),
        epoch: Epoch(7),
        duplicate: true,
    });
    let origin = |envelope: Envelope| Envelope {
        origin: Some(Origin { connection: 1, command: 7 }),
        ..envelope
    };
    let own = origin(envelope(Some(1), Event::MessageCreated(message(1, Some("Hello")))));
    let reply = |id, outcome| line(|out| Native.reply(Some(id), &outcome, out));
    let mut frames = vec![line(|out| native::hello(&hello, out))];
    frames.extend(events().iter().map(|event| line(|out| native::event_frame(event, out))));
    frames
        .push(line(|out| native::replay(ConversationId(1), Seq(0), Seq(7), &events()[2..4], out)));
    frames.push(line(|out| assert!(Native.encode(&own, Audience::Origin(7), out))));
    frames.push(reply(8, Ok(sent)));
    frames.push(reply(9, Ok(Reply::Resumed(Box::new(resumed.clone())))));
    frames.push(reply(10, Ok(Reply::Marked(Watermark { delivered: Seq(3), read: Seq(2) }))));
    frames.push(reply(11, Ok(Reply::Done)));
    frames.push(reply(12, Ok(Reply::Pong(AT))));
    frames.push(reply(13, Err(refusal)));
    frames.push(line(|out| native::ready(&resumed, out)));
    frames.push(line(|out| assert!(Native.skipped(ConversationId(1), Seq(8), out))));
    frames.push(line(|out| native::resync_required(ConversationId(1), ResyncReason::Lost, out)));
    frames.push(line(|out| native::expiring(AT, out)));
    frames.push(line(|out| native::restarting(Duration::from_millis(1_500), out)));
    frames
}

/// The types of frames that a socket is told.
pub(crate) fn told() -> BTreeSet<String> {
    let kind = |frame: String| {
        let value: serde_json::Value = serde_json::from_str(&frame).unwrap();
        value["type"].as_str().unwrap().to_owned()
    };
    frames().into_iter().map(kind).filter(|kind| kind != "ready").collect()
}

#[test]
fn the_transcript_is_what_is_told() {
    let path = contract("transcripts/native/told.jsonl");
    let now = frames().join("\n") + "\n";
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &now).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap();
    assert!(
        kept == now,
        "the frames have changed: if that is meant, run with UPDATE_GOLDEN=1 and read the difference"
    );
}

#[test]
fn everybody_but_the_origin_shares_a_frame() {
    for event in events() {
        let shared = Native.variant(&event, Audience::Others);
        assert_eq!(Native.variant(&event, Audience::Sender), shared);
        let origin = Native.variant(&event, Audience::Origin(1));
        let answers = matches!(
            event.event,
            Event::MessageCreated(_) | Event::MessageEdited(_) | Event::MessageDeleted(_)
        );
        assert_eq!(origin != shared, answers, "{event:?}");
    }
}
