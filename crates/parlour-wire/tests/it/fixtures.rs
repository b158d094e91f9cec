//! What the transcripts of all dialects are about: two people, one conversation, and everything that can happen in it.

use std::{path::PathBuf, sync::Arc};

use parlour_core::{
    ClientId, ConversationId, Epoch, MessageId, Seq,
    event::{Covered, Envelope, Event, PresenceStatus},
    limits::Limits,
    model::{
        Content, Conversation, ConversationKind, ConversationState, Message, MessageKind,
        Participant, Profile, Role, User, UserState, Watermark,
    },
    testing::user,
};
use parlour_wire::{Hello, Place, Sink};

pub(crate) fn contract(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../contract").join(path)
}

pub(crate) const AT: i64 = 1_767_225_600_123;

pub(crate) fn profile(id: &str, name: &str) -> Arc<Profile> {
    let username = name.to_lowercase().as_str().into();
    Arc::new(Profile { id: user(id), username, name: name.into(), avatar: None })
}

pub(crate) fn message(change: u64, text: Option<&str>) -> Arc<Message> {
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

pub(crate) fn participant(id: &str, name: &str, role: Role) -> Participant {
    Participant {
        profile: profile(id, name),
        role,
        joined_seq: Seq(0),
        watermark: Watermark { delivered: Seq(3), read: Seq(2) },
        last_seen: AT,
    }
}

pub(crate) fn conversation() -> Conversation {
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

pub(crate) fn envelope(seq: Option<u64>, event: Event) -> Envelope {
    let conversation = match event {
        Event::Presence { .. } => None,
        _ => Some(ConversationId(1)),
    };
    Envelope { conversation, epoch: Epoch(7), seq: seq.map(Seq), at: AT, origin: None, event }
}

pub(crate) fn events() -> Vec<Envelope> {
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
        envelope(
            None,
            Event::Receipt {
                user: user("2"),
                from: mark(1),
                to: mark(3),
                version: 4,
                covered: covered(),
            },
        ),
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

/// What bob's receipt covers: two messages of alice's.
fn covered() -> Arc<[Covered]> {
    [8, 10].map(|id| Covered { message: MessageId(id), sender: user("1") }).into()
}

/// Who is connected.
pub(crate) fn alice() -> User {
    User {
        profile: profile("1", "Alice"),
        email: Some("alice@example.org".into()),
        state: UserState::Active,
        revoked_before: 0,
        last_seen: 0,
        created_at: AT,
    }
}

/// What a connection may be told first.
pub(crate) fn hello<'a>(user: &'a User, limits: &'a Limits) -> Hello<'a> {
    Hello {
        session: "c1",
        user,
        now: AT,
        expires_at: Some(AT + 60_000),
        limits,
        version: "0.1.0",
        durability: "full",
    }
}

/// Where it happens, as the dialects that need to know are told.
pub(crate) fn place() -> Place {
    Place {
        id: ConversationId(1),
        kind: ConversationKind::Direct,
        subject: Some("booking/42".into()),
        peers: Some([profile("1", "Alice"), profile("2", "Bob")]),
    }
}

/// Every frame that is written.
pub(crate) fn written(write: impl FnOnce(&mut dyn Sink)) -> Vec<String> {
    let mut frames: Vec<Vec<u8>> = Vec::new();
    write(&mut frames);
    frames.into_iter().map(|frame| String::from_utf8(frame).unwrap()).collect()
}

/// The one frame that is written.
pub(crate) fn told_by(write: impl FnOnce(&mut dyn Sink)) -> String {
    let mut frames = written(write);
    assert_eq!(frames.len(), 1);
    frames.remove(0)
}

/// Compares lines with the file of the contract that keeps them; `UPDATE_GOLDEN=1` rewrites it.
pub(crate) fn golden(path: &str, lines: &[String]) {
    let (path, now) = (contract(path), lines.join("\n") + "\n");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &now).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == now,
        "{} has changed: if that is meant, run with UPDATE_GOLDEN=1 and read the difference",
        path.display()
    );
}
