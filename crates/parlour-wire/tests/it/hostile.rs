//! The decoder under a storm of broken frames: it always answers, never panics, and never makes a command of nonsense.

use parlour_core::limits::Limits;
use parlour_wire::{DIALECTS, Dialect, Request};

const SEEDS: &[&str] = &[
    r#"{"type":"message.send","id":7,"conversation_id":1,"client_id":"c","content":"a\nb","reply_to":3,"metadata":{"x":[1]}}"#,
    r#"[{"type":"ping","id":1},{"type":"read","id":2,"conversation_id":1,"seq":9}]"#,
    r#"{"type":"resume","id":1,"positions":[{"conversation_id":1,"epoch":1,"seq":41,"receipts":7}]}"#,
    r#"{"type":"conversation.create","id":1,"kind":"group","participants":["2",3],"title":"T"}"#,
    r#"{"type":"auth","token":"a.b.c"}"#,
    "\"\\ud83d\\ude00\"",
];

/// xorshift64*: the same storm each time.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33).unwrap() % bound
    }
}

fn mutate(seed: &str, random: &mut Random) -> String {
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
    dialect.decode(frame, &limits, &mut requests);
    assert!(!requests.is_empty(), "no answer to {frame}");
    assert!(requests.len() <= limits.batch_commands, "too many from {frame}");
    for Request { id, command } in requests {
        let mut out = Vec::new();
        if let Err(error) = command {
            dialect.reply(id, &Err(error), &mut out);
            assert!(
                serde_json::from_slice::<serde_json::Value>(&out).is_ok(),
                "a broken refusal of {frame}"
            );
        }
    }
}

#[test]
fn d_a_storm_of_broken_frames() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for dialect in DIALECTS {
        for round in 0..30_000 {
            check(*dialect, &mutate(SEEDS[round % SEEDS.len()], &mut random));
        }
    }
}
