//! The envelope: samples that are read for ever, programs of other versions, and hostile bytes.

use std::{fs, path::PathBuf, time::Duration};

use parlour_bus::codec::{self, LONGEST_HINT, MOST_HINTS, Skipped, TooLarge, Writer};
use parlour_core::{
    ConversationId, NodeId, Seq,
    port::bus::Hint,
    testing::{bus_suite::every_hint, user},
};
use proptest::prelude::*;
use serde_json::{Value, json};

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../contract/bus").join(name)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

/// A hint in words, which do not depend on how the program prints it.
fn describe(hint: &Hint) -> Value {
    let ids = |ids: &[ConversationId]| ids.iter().map(|id| id.0).collect::<Vec<_>>();
    match hint {
        Hint::Head { conversation, seq } => json!({"head": [conversation.0, seq.0]}),
        Hint::Receipts { conversation, version } => json!({"receipts": [conversation.0, version]}),
        Hint::User(user) => json!({"user": user.as_str()}),
        Hint::Typing { conversation, user, active, life } => {
            json!({"typing": [conversation.0, user.as_str(), active, life.as_millis() as u64]})
        }
        Hint::Presence(seen) => {
            let seen = seen.iter().map(|one| {
                json!([
                    one.user.as_str(),
                    one.status.as_str(),
                    one.last_seen,
                    ids(&one.conversations)
                ])
            });
            json!({"presence": seen.collect::<Vec<_>>()})
        }
        Hint::WhoIsThere(asked) => json!({"who_is_there": ids(asked)}),
        Hint::Alive => json!("alive"),
        Hint::Leaving => json!("leaving"),
        Hint::Channel(bytes) => json!({"channel": hex(bytes)}),
    }
}

fn describe_frame(frame: &[u8]) -> Value {
    let skipped = |skipped| match skipped {
        Skipped::Version => json!("skipped: version"),
        Skipped::Unknown => json!("skipped: unknown"),
        Skipped::Broken => json!("skipped: broken"),
    };
    match codec::decode(frame) {
        Ok(read) => {
            let from = read.from().0.to_string();
            let hints = read.map(|hint| hint.map_or_else(skipped, |hint| describe(&hint)));
            json!({"from": from, "hints": hints.collect::<Vec<_>>()})
        }
        Err(error) => skipped(error),
    }
}

/// Lines of `{"name", "frame", "says"}`: what was once written means the same for ever. Lines are only ever added.
fn check(name: &str) -> usize {
    let text = fs::read_to_string(file(name)).unwrap();
    for line in text.lines() {
        let sample: Value = serde_json::from_str(line).unwrap();
        let says = describe_frame(&unhex(sample["frame"].as_str().unwrap()));
        assert_eq!(says, sample["says"], "{}", sample["name"]);
    }
    text.lines().count()
}

#[test]
fn what_was_once_written_is_read_for_ever() {
    assert!(check("v1.jsonl") >= 12);
}

/// A newer minor version has more fields and kinds, a newer major version is another language.
#[test]
fn what_newer_programs_write_is_passed_over() {
    assert!(check("newer.jsonl") >= 6);
}

/// What is written today is among the samples, so that the format cannot change unnoticed.
#[test]
fn what_is_written_today_is_in_the_samples() {
    let text = fs::read_to_string(file("v1.jsonl")).unwrap();
    for hint in every_hint() {
        let [frame] = codec::encode(NodeId(0x0123_4567_89ab_cdef), std::slice::from_ref(&hint))
            .unwrap()
            .try_into()
            .unwrap();
        let sample = json!({"frame": hex(&frame), "says": describe_frame(&frame)});
        let has = |line: &str| {
            let line: Value = serde_json::from_str(line).unwrap();
            line["frame"] == sample["frame"] && line["says"] == sample["says"]
        };
        assert!(text.lines().any(has), "add to v1.jsonl: {sample}");
    }
}

fn read(frames: &[Vec<u8>]) -> Vec<Hint> {
    frames.iter().flat_map(|frame| codec::decode(frame).unwrap().map(Result::unwrap)).collect()
}

#[test]
fn what_is_too_large_is_refused_or_cut() {
    let channel = |length: usize| Hint::Channel(vec![9; length].into());
    let frames = codec::encode(NodeId(1), &[channel(LONGEST_HINT)]).unwrap();
    assert_eq!(read(&frames), [channel(LONGEST_HINT)]);
    assert_eq!(codec::encode(NodeId(1), &[channel(LONGEST_HINT + 1)]), Err(TooLarge));
    let mut longer = frames[0].clone();
    longer.resize(codec::LONGEST_FRAME + 1, 0);
    assert!(matches!(codec::decode(&longer), Err(Skipped::Broken)));
    let life = Duration::from_secs(1_000_000);
    let typing = |life| Hint::Typing {
        conversation: ConversationId(1),
        user: user("1"),
        active: true,
        life,
    };
    let frames = codec::encode(NodeId(1), &[typing(life)]).unwrap();
    assert_eq!(read(&frames), [typing(Duration::from_secs(60))]);
}

#[test]
fn frames_are_bounded() {
    let alive: Vec<_> = (0..3 * MOST_HINTS).map(|_| Hint::Alive).collect();
    let frames = codec::encode(NodeId(1), &alive).unwrap();
    assert_eq!((frames.len(), read(&frames).len()), (3, alive.len()));
    let heads =
        (0..20_000).map(|seq| Hint::Head { conversation: ConversationId(seq), seq: Seq(seq) });
    let heads: Vec<_> = heads.collect();
    let frames = codec::encode(NodeId(1), &heads).unwrap();
    assert!(frames.iter().all(|frame| frame.len() <= codec::FULL_FRAME));
    assert_eq!(read(&frames), heads);
    let mut hostile = Writer::new(NodeId(1)).into_bytes();
    hostile.extend([7, 0].repeat(500_000));
    let hints: Vec<_> = codec::decode(&hostile).unwrap().collect();
    assert_eq!((hints.len(), hints.last()), (MOST_HINTS + 1, Some(&Err(Skipped::Broken))));
}

proptest! {
    #[test]
    fn hostile_bytes_are_read_or_passed_over(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        well_begun in any::<bool>(),
    ) {
        let mut frame = if well_begun { Writer::new(NodeId(1)).into_bytes() } else { vec![] };
        frame.extend(bytes);
        let _ = describe_frame(&frame);
    }

    /// A frame with a byte changed, or cut off, gives hints that can be written again and read the same.
    #[test]
    fn damaged_frames_do_no_harm(at in 10..200_usize, byte in any::<u8>(), cut in any::<bool>()) {
        let frames = codec::encode(NodeId(1), &every_hint()).unwrap();
        let mut frame = frames[0].clone();
        let at = at.min(frame.len() - 1);
        if cut {
            frame.truncate(at);
        } else {
            frame[at] = byte;
        }
        for hint in codec::decode(&frame).unwrap().flatten() {
            let [frame] = codec::encode(NodeId(1), std::slice::from_ref(&hint)).unwrap().try_into().unwrap();
            let again: Vec<_> = codec::decode(&frame).unwrap().map(Result::unwrap).collect();
            // Nobody there, or nothing asked, is not worth a hint.
            prop_assert!(again.is_empty() || again == [hint]);
        }
    }
}
