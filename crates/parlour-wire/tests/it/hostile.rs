//! The decoder under a storm of broken frames: it always answers, never panics, and never makes a command of nonsense.

use parlour_core::{limits::Limits, testing::user};
use parlour_wire::{Caller, DIALECTS, Dialect, Request, Scene, Settings};

use crate::dialects::heard;

/// Frames of native clients; those of the other dialects are in their transcripts.
const NATIVE: &[&str] = &[
    r#"{"type":"message.send","id":7,"conversation_id":1,"client_id":"c","content":"a\nb","reply_to":3,"metadata":{"x":[1]}}"#,
    r#"[{"type":"ping","id":1},{"type":"read","id":2,"conversation_id":1,"seq":9}]"#,
    r#"{"type":"resume","id":1,"positions":[{"conversation_id":1,"epoch":1,"seq":41,"receipts":7}]}"#,
    r#"{"type":"conversation.create","id":1,"kind":"group","participants":["2",3],"title":"T"}"#,
    r#"{"type":"auth","token":"a.b.c"}"#,
    "\"\\ud83d\\ude00\"",
];

/// xorshift64*: the same storm each time.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33).unwrap() % bound
    }
}

pub(crate) fn mutate(seed: &str, random: &mut Random) -> String {
    let mut bytes = seed.as_bytes().to_vec();
    for _ in 0..=random.below(6) {
        let at = random.below(bytes.len().max(1)).min(bytes.len());
        match random.below(5) {
            0 if at < bytes.len() => bytes[at] = u8::try_from(random.below(256)).unwrap(),
            1 if at < bytes.len() => drop(bytes.remove(at)),
            2 => bytes.insert(at, b"{}[]\",:\\0-9eE.u"[random.below(15)]),
            3 => bytes.truncate(at),
            _ => {
                let piece = bytes[at..].to_vec();
                bytes.extend_from_slice(&piece);
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn check(dialect: &dyn Dialect, frame: &str) {
    let (limits, mut requests) = (Limits::default(), Vec::new());
    let me = user("1");
    let caller = Caller { user: &me, scope: None, limits: &limits };
    dialect.decode(frame, &caller, &mut requests);
    assert!(!requests.is_empty(), "no answer to {frame}");
    assert!(requests.len() <= limits.batch_commands, "too many from {frame}");
    let settings = Settings::default();
    let scene = Scene { place: None, read: &[], settings: &settings };
    for Request { tag, command } in requests {
        if let Err(error) = command {
            let mut out: Vec<Vec<u8>> = Vec::new();
            dialect.reply(&tag, &Err(error), &scene, &mut out);
            let good = |text: &Vec<u8>| serde_json::from_slice::<serde_json::Value>(text).is_ok();
            assert!(out.len() == 1 && out.iter().all(good), "a broken refusal of {frame}");
        }
    }
}

#[test]
fn d_a_storm_of_broken_frames() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for dialect in DIALECTS {
        let mut frames = heard(*dialect);
        if dialect.keeps_position() {
            frames.extend(NATIVE.iter().map(|frame| (*frame).to_owned()));
        }
        for round in 0..30_000 {
            check(*dialect, &mutate(&frames[round % frames.len()], &mut random));
        }
    }
}
