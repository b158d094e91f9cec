//! What compression is worth: size and processor time of typical frames, plain and at each level. Run it optimised:
//! `cargo run --release -p parlour-websocket --example compression`.

use std::fmt::Write as _;
use std::hint::black_box;
use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use parlour_websocket::{Decoder, Deflater, Frame, Limits};

/// English sentences of people, to make messages of.
const PROSE: &str = concat!(
    include_str!("../../../docs/operations.md"),
    include_str!("../../../docs/protocol/native.md"),
    include_str!("../../../docs/migrate/from-pusher.md"),
    include_str!("../../../docs/migrate/from-django-channels.md"),
    include_str!("../../../ARCHITECTURE.md"),
);
const LEVELS: [u32; 5] = [1, 2, 3, 6, 9];
const WINDOW_BITS: u8 = 15;
/// The fastest of so many rounds is taken, of so long each: others may use the machine too.
const ROUNDS: u32 = 20;
const ROUND: Duration = Duration::from_millis(10);

fn main() -> io::Result<()> {
    let mut out = io::stdout();
    writeln!(out, "| frame | bytes | level | compressed | less by | deflate, us | inflate, us |")?;
    writeln!(out, "| --- | --- | --- | --- | --- | --- | --- |")?;
    let kinds = [
        ("typing", typing()),
        ("message of 30 characters", created(1, 30)),
        ("message of 120 characters", created(1, 120)),
        ("message of 700 characters", created(1, 700)),
        ("message of 4,000 characters", created(1, 4_000)),
        ("page of 20 short messages", page(20, 60)),
        ("page of 100 short messages", page(100, 60)),
        ("page of 100 longer messages", page(100, 300)),
    ];
    for (name, text) in kinds {
        for level in LEVELS {
            row(&mut out, name, &text, level)?;
        }
    }
    Ok(())
}

fn row(out: &mut impl io::Write, name: &str, text: &str, level: u32) -> io::Result<()> {
    let frame = Frame::text(text);
    let mut deflater = Deflater::new(level, WINDOW_BITS);
    let Some(compressed) = deflater.frame(&frame) else {
        return writeln!(out, "| {name} | {} | {level} | not smaller | | | |", frame.len());
    };
    let deflate = micros(|| drop(black_box(deflater.frame(black_box(&frame)))));
    let mut decoder = Decoder::client(Limits { max_message_bytes: 1 << 20, max_fragments: 1 });
    decoder = decoder.with_deflate();
    let inflate = micros(|| {
        let mut bytes = compressed.as_bytes().to_vec();
        let mut input = &mut bytes[..];
        while let Ok(Some(message)) = decoder.next(&mut input) {
            black_box(message);
        }
    });
    let saved = 100 - 100 * compressed.len() / frame.len();
    let (plain, small) = (frame.len(), compressed.len());
    writeln!(
        out,
        "| {name} | {plain} | {level} | {small} | {saved} % | {deflate:.1} | {inflate:.1} |"
    )
}

/// How long something takes, when it is done again and again.
fn micros(mut work: impl FnMut()) -> f64 {
    let round = |_| {
        let began = Instant::now();
        let mut times = 0_u32;
        while began.elapsed() < ROUND {
            work();
            times += 1;
        }
        began.elapsed().as_secs_f64() * 1e6 / f64::from(times)
    };
    (0..ROUNDS).map(round).fold(f64::INFINITY, f64::min)
}

/// What somebody wrote: a piece of the prose.
fn said(number: usize, characters: usize) -> String {
    let words = PROSE.split_whitespace().filter(|word| word.chars().all(char::is_alphanumeric));
    let mut text = String::new();
    for word in words.cycle().skip(number * 61) {
        if text.len() + word.len() > characters {
            break;
        }
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(word);
    }
    text
}

fn typing() -> String {
    let user = r#"{"id":"1042","username":"alice","name":"Alice Liddell","avatar":null}"#;
    format!(
        r#"{{"type":"typing","conversation_id":311,"user_id":"1042","user":{user},"active":true,"ttl_ms":6000}}"#
    )
}

/// A Change of the native protocol that brings a message.
fn created(number: usize, characters: usize) -> String {
    let (id, seq) = (90_210 + 3 * number, 44 + number);
    let (user, name) = if number.is_multiple_of(2) { (1042, "alice") } else { (7, "bob") };
    // Every message has a name of its client's choice that nobody can guess.
    let client_id = number.wrapping_add(7).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let said = said(number, characters);
    let (minute, second) = (number / 60, number % 60);
    let mut text = String::new();
    let _into_a_string = write!(
        text,
        r#"{{"type":"message.created","conversation_id":311,"seq":{seq},"message":{{"id":{id},"conversation_id":311,"seq":{seq},"change_seq":{seq},"sender_id":"{user}","sender":{{"id":"{user}","username":"{name}","name":"{name} of the house","avatar":null}},"client_id":"{client_id:032x}","type":"text","content":"{said}","metadata":null,"attachments":[],"reply_to":null,"created_at":"2026-11-21T10:{minute:02}:{second:02}.{:03}Z","edited_at":null,"deleted_at":null}}}}"#,
        number * 37 % 1_000,
    );
    text
}

/// What comes to who has missed so many.
fn page(messages: usize, characters: usize) -> String {
    let events: Vec<_> = (0..messages).map(|number| created(number, characters)).collect();
    let up_to = 44 + messages;
    format!(
        r#"{{"type":"replay","conversation_id":311,"after":44,"up_to":{up_to},"events":[{}]}}"#,
        events.join(",")
    )
}
