//! The dialects of existing clients, frame by frame: what each is told of everything that happens, and what each frame
//! of its clients means. Kept in `contract/transcripts`; `UPDATE_GOLDEN=1` rewrites what is told and what frames mean,
//! the frames themselves are written by hand.

use std::{collections::HashMap, sync::Arc, time::Duration};

use parlour_core::{
    Code, ConversationId, Epoch, Error, Seq,
    command::{Focused, Reply, ResyncReason},
    event::{Envelope, PresenceStatus},
    limits::Limits,
    model::{Message, Role, Watermark},
    port::store::Appended,
    testing::user,
};
use parlour_wire::{
    Audience, Caller, DIALECTS, Dialect, Notice, Request, Scene, Settings, Tag, Variant,
    pusher::Chat,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::fixtures::{
    AT, alice, contract, events, golden, hello, message, participant, place, written,
};

/// Those whose clients keep no position: written for other servers.
fn dialects() -> impl Iterator<Item = &'static dyn Dialect> {
    let chat: &'static dyn Dialect = &Chat;
    DIALECTS.iter().copied().filter(|dialect| !dialect.keeps_position()).chain([chat])
}

const AUDIENCES: [(&str, Audience); 4] = [
    ("origin", Audience::Origin(0)),
    ("sender", Audience::Sender),
    ("author", Audience::Author),
    ("others", Audience::Others),
];

/// Calls `with` with the scene of the transcripts: a conversation of two, in which bob has read everything.
fn in_scene<T>(with: impl FnOnce(&Scene<'_>) -> T) -> T {
    let (place, settings) = (place(), Settings::default());
    let read = [(user("1"), Seq(1)), (user("2"), Seq(3))];
    with(&Scene { place: Some(&place), read: &read, settings: &settings })
}

fn name_of(envelope: &Envelope) -> String {
    let text = format!("{:?}", envelope.event);
    text.split(|c: char| !c.is_alphabetic()).next().unwrap_or_default().to_owned()
}

fn answer(message: Arc<Message>, duplicate: bool) -> Reply {
    Reply::Message(Appended { message, epoch: Epoch(7), duplicate })
}

/// Every answer that may differ between dialects, with what it answers.
fn answers() -> Vec<(&'static str, Tag, Result<Reply, Error>)> {
    let named = || Tag { id: None, client_id: Some("c0ffee".into()) };
    let people = vec![
        (participant("1", "Alice", Role::Member), PresenceStatus::Online),
        (participant("2", "Bob", Role::Member), PresenceStatus::Offline),
    ];
    let focus =
        |people| Reply::Focused(Box::new(Focused { conversation: ConversationId(1), people }));
    let refusal = Error::new(Code::RateLimited, "too many at once; slow down")
        .with_limit("sends")
        .with_retry_after(Duration::from_millis(200));
    vec![
        ("a send again", named(), Ok(answer(message(1, Some("Hello")), true))),
        ("a send again, edited since", named(), Ok(answer(message(2, Some("Hello")), true))),
        ("a send again, deleted since", named(), Ok(answer(message(3, None), true))),
        ("an edit to the same", Tag::default(), Ok(answer(message(2, Some("Hello")), true))),
        ("a deletion again", Tag::default(), Ok(answer(message(3, None), true))),
        ("a receipt", Tag::default(), Ok(Reply::Marked(Watermark::default()))),
        ("typing", Tag::default(), Ok(Reply::Done)),
        ("a ping", Tag::default(), Ok(Reply::Pong(AT))),
        ("a conversation is opened", Tag::default(), Ok(focus(Some(people)))),
        ("a conversation is closed", Tag::default(), Ok(focus(None))),
        ("a refused send", named(), Err(refusal)),
        ("a refused frame", Tag::default(), Err(Error::not_found())),
    ]
}

/// One line of `told.jsonl`.
fn line(when: &str, to: &str, frames: &[String]) -> String {
    for frame in frames {
        assert!(serde_json::from_str::<&RawValue>(frame).is_ok(), "{frame}");
    }
    format!(r#"{{"when":"{when}","to":"{to}","told":[{}]}}"#, frames.join(","))
}

fn transcript(dialect: &dyn Dialect) -> Vec<String> {
    let (user, limits) = (alice(), Limits::default());
    let first = written(|out| dialect.hello(&hello(&user, &limits), out));
    let mut lines = vec![line("connected", "origin", &first)];
    for event in events() {
        for (to, audience) in AUDIENCES {
            let frames =
                in_scene(|scene| written(|out| dialect.encode(&event, audience, scene, out)));
            lines.push(line(&name_of(&event), to, &frames));
        }
    }
    for (when, tag, outcome) in answers() {
        let frames = in_scene(|scene| written(|out| dialect.reply(&tag, &outcome, scene, out)));
        lines.push(line(when, "origin", &frames));
    }
    let resync = Notice::Resync(ConversationId(1), ResyncReason::TooLong);
    let notices = [
        ("a conversation must be loaded anew", resync),
        ("the sign-in ends soon", Notice::Expiring(AT)),
        ("the server goes away", Notice::Restarting(Duration::from_secs(1))),
        ("one is removed", Notice::Removed),
    ];
    for (when, notice) in notices {
        lines.push(line(when, "origin", &written(|out| dialect.notice(notice, out))));
    }
    lines
}

#[test]
fn m7_the_transcripts_are_what_is_told() {
    for dialect in dialects() {
        golden(&format!("transcripts/{}/told.jsonl", dialect.name()), &transcript(dialect));
    }
}

/// One line of `heard.jsonl`.
#[derive(Serialize, Deserialize)]
struct Heard<'a> {
    #[serde(borrow)]
    frame: &'a RawValue,
    means: String,
}

/// The frames of a transcript, as clients send them.
pub(crate) fn heard(dialect: &dyn Dialect) -> Vec<String> {
    let path = contract(&format!("transcripts/{}/heard.jsonl", dialect.name()));
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    let frame = |line| serde_json::from_str::<Heard<'_>>(line).unwrap().frame.get().to_owned();
    text.lines().map(frame).collect()
}

fn meaning(dialect: &dyn Dialect, frame: &str) -> String {
    let (limits, me, mut requests) = (Limits::default(), user("1"), Vec::new());
    let caller = Caller { user: &me, scope: Some(ConversationId(1)), limits: &limits };
    dialect.decode(frame, &caller, &mut requests);
    assert_eq!(requests.len(), 1, "{frame}");
    let Request { command, .. } = requests.remove(0);
    command.map_or_else(|error| error.code.as_str().to_owned(), |command| format!("{command:?}"))
}

#[test]
fn m7_the_transcripts_are_what_is_understood() {
    for dialect in dialects() {
        let lines: Vec<_> = heard(dialect)
            .into_iter()
            .map(|frame| {
                let means = meaning(dialect, &frame);
                let frame = serde_json::from_str(&frame).unwrap();
                serde_json::to_string(&Heard { frame, means }).unwrap()
            })
            .collect();
        assert!(lines.len() >= 5, "{} has no transcript of frames", dialect.name());
        golden(&format!("transcripts/{}/heard.jsonl", dialect.name()), &lines);
    }
}

#[test]
fn audiences_of_one_variant_get_the_same_bytes() {
    for dialect in dialects() {
        for event in events() {
            let mut shared: HashMap<Variant, Vec<String>> = HashMap::new();
            for (to, audience) in AUDIENCES {
                let variant = dialect.variant(&event, audience);
                let frames =
                    in_scene(|scene| written(|out| dialect.encode(&event, audience, scene, out)));
                let first = shared.entry(variant).or_insert_with(|| frames.clone());
                assert_eq!(*first, frames, "{}: {to} of {event:?}", dialect.name());
            }
        }
    }
}

#[test]
fn g21_a_deletion_tells_nothing_of_what_was_said() {
    for dialect in dialects() {
        for line in transcript(dialect).iter().filter(|line| {
            line.contains(r#""when":"MessageDeleted""#) || line.contains("deleted since")
        }) {
            assert!(!line.contains("Hello") && !line.contains("mood"), "{line}");
        }
    }
}

/// Where two dialects share a path, the first frame tells them apart.
#[test]
fn a_frame_is_claimed_by_the_dialect_whose_clients_send_it() {
    let pairs = [("direct", "inbox"), ("room", "plain")];
    for (one, other) in pairs {
        let named = |name| dialects().find(|dialect| dialect.name() == name);
        let (Some(one), Some(other)) = (named(one), named(other)) else { continue };
        for (own, foreign) in [(one, other), (other, one)] {
            let mut claimed = 0;
            for frame in heard(own) {
                assert!(!foreign.claims(&frame), "{} claims {frame}", foreign.name());
                claimed += usize::from(own.claims(&frame));
            }
            assert!(claimed > 0, "{} claims nothing", own.name());
        }
        for frame in ["", "{}", "[]", "null", r#"{"type":null}"#, r#"["message"]"#, "{"] {
            assert!(!one.claims(frame) && !other.claims(frame), "{frame}");
        }
    }
}
