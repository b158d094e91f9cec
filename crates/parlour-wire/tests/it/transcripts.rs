//! What native clients are told, frame by frame, as a file that the tests of the TypeScript client read too.
//!
//! `UPDATE_GOLDEN=1` rewrites it.

use std::{collections::BTreeSet, time::Duration};

use parlour_core::{
    Code, ConversationId, Epoch, Error, Seq,
    command::{Reply, ResumeFrom, Resumed, ResyncReason},
    event::{Envelope, Event, Origin, PresenceStatus},
    ids::Position,
    limits::Limits,
    model::Watermark,
    port::store::Appended,
    testing::user,
};
use parlour_wire::{
    Audience, Dialect as _, Notice, Scene, Settings, Tag,
    native::{self, Native},
};

use crate::fixtures::{AT, alice, envelope, events, golden, hello, message, told_by};

fn line(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    String::from_utf8(out).unwrap()
}

/// Every frame that there is, in an order of no meaning.
fn frames() -> Vec<String> {
    let (alice, limits) = (alice(), Limits::default());
    let hello = hello(&alice, &limits);
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
    let settings = Settings::default();
    let scene = Scene { place: None, read: &[], settings: &settings };
    let reply =
        |id, outcome| told_by(|out| Native.reply(&Tag::numbered(Some(id)), &outcome, &scene, out));
    let notice = |notice| told_by(|out| Native.notice(notice, out));
    let mut frames = vec![told_by(|out| Native.hello(&hello, out))];
    frames.extend(events().iter().map(|event| line(|out| native::event_frame(event, out))));
    frames
        .push(line(|out| native::replay(ConversationId(1), Seq(0), Seq(7), &events()[2..4], out)));
    frames.push(told_by(|out| Native.encode(&own, Audience::Origin(7), &scene, out)));
    frames.push(reply(8, Ok(sent)));
    frames.push(reply(9, Ok(Reply::Resumed(Box::new(resumed.clone())))));
    frames.push(reply(10, Ok(Reply::Marked(Watermark { delivered: Seq(3), read: Seq(2) }))));
    frames.push(reply(11, Ok(Reply::Done)));
    frames.push(reply(12, Ok(Reply::Pong(AT))));
    frames.push(reply(13, Err(refusal)));
    frames.push(line(|out| native::ready(&resumed, out)));
    frames.push(told_by(|out| Native.skipped(ConversationId(1), Seq(8), out)));
    frames.push(notice(Notice::Resync(ConversationId(1), ResyncReason::Lost)));
    frames.push(notice(Notice::Expiring(AT)));
    frames.push(notice(Notice::Restarting(Duration::from_millis(1_500))));
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
    golden("transcripts/native/told.jsonl", &frames());
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
