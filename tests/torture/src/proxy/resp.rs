//! What a Redis server sends, message by message: single messages of the bus can be lost, doubled or moved.

use std::time::Duration;

use parlour_harness::random::Random;
use tokio::time::Instant;

/// What is done to messages of the bus. Answers to commands always pass.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Prank {
    /// So many of a hundred are lost.
    Drop(u64),
    /// So many of a hundred come twice.
    Double(u64),
    /// So many of a hundred come after the one that follows them.
    Reorder(u64),
    /// Whichever turns out to be the last one, because none follows for so long, is lost.
    DropLast(Duration),
}

/// How long a message that waits for the next one may wait.
const LONELY: Duration = Duration::from_millis(200);

/// Deepest nesting that is followed.
const DEPTH: usize = 16;

/// Splits the bytes from a Redis server into values, and plays pranks on those that are messages of the bus.
pub(super) struct Pushes {
    random: Random,
    buffer: Vec<u8>,
    /// A message that is held back, until when, and whether it is lost then.
    held: Option<(Vec<u8>, Instant, bool)>,
    /// The stream could not be followed: it passes as it is.
    blind: bool,
}

impl Pushes {
    pub(super) const fn new(random: Random) -> Self {
        Self { random, buffer: Vec::new(), held: None, blind: false }
    }

    /// When something has to be done with what is held.
    pub(super) fn due(&self) -> Option<Instant> {
        self.held.as_ref().filter(|(_, _, lost)| *lost).map(|(_, until, _)| *until)
    }

    /// Loses what is held; how many that were.
    pub(super) fn forget_held(&mut self) -> u64 {
        u64::from(self.held.take().is_some())
    }

    /// Takes bytes and gives those that go on, and how many messages a prank was played on.
    pub(super) fn pass(&mut self, bytes: &[u8], prank: Option<Prank>) -> (Vec<u8>, u64) {
        if self.blind {
            return (bytes.to_vec(), 0);
        }
        self.buffer.extend_from_slice(bytes);
        let (mut out, mut played, mut at) = (Vec::new(), 0, 0);
        loop {
            let rest = self.buffer.get(at..).unwrap_or_default();
            match value_end(rest, 0) {
                Ok(Some(end)) => {
                    let value = rest.get(..end).unwrap_or_default().to_vec();
                    at += end;
                    played += self.one(value, prank, &mut out);
                }
                Ok(None) => break,
                Err(Odd) => {
                    self.blind = true;
                    out.extend_from_slice(rest);
                    at = self.buffer.len();
                    break;
                }
            }
        }
        self.buffer.drain(..at);
        if prank.is_none()
            && let Some((held, ..)) = self.held.take()
        {
            out.extend(held);
        }
        (out, played)
    }

    fn one(&mut self, value: Vec<u8>, prank: Option<Prank>, out: &mut Vec<u8>) -> u64 {
        let Some(prank) = prank.filter(|_| is_message(&value)) else {
            out.extend(value);
            return 0;
        };
        let before = self.held.take();
        let mut played = 0;
        match prank {
            Prank::Drop(percent) if self.random.chance(percent) => played = 1,
            Prank::Double(percent) if self.random.chance(percent) => {
                out.extend_from_slice(&value);
                out.extend(value);
                played = 1;
            }
            Prank::Reorder(percent) if before.is_none() && self.random.chance(percent) => {
                self.held = Some((value, Instant::now() + LONELY, false));
                return 1;
            }
            Prank::DropLast(after) => {
                out.extend(before.map(|(held, ..)| held).unwrap_or_default());
                self.held = Some((value, Instant::now() + after, true));
                return 0;
            }
            _ => out.extend(value),
        }
        out.extend(before.map(|(held, ..)| held).unwrap_or_default());
        played
    }
}

/// Whether a value is a message of pub/sub.
fn is_message(value: &[u8]) -> bool {
    let Some(first) = value.first() else { return false };
    if !matches!(first, b'*' | b'>') {
        return false;
    }
    let head = value.get(..value.len().min(40)).unwrap_or_default();
    [b"$7\r\nmessage\r\n".as_slice(), b"$8\r\nsmessage\r\n", b"$8\r\npmessage\r\n"]
        .iter()
        .any(|name| head.windows(name.len()).any(|part| part == *name))
}

/// A stream that is no RESP.
#[derive(Debug, PartialEq, Eq)]
struct Odd;

/// Where the first value of some bytes ends; `None` when more is needed.
fn value_end(bytes: &[u8], depth: usize) -> Result<Option<usize>, Odd> {
    if depth > DEPTH {
        return Err(Odd);
    }
    let Some(kind) = bytes.first() else { return Ok(None) };
    let Some(line) = bytes.windows(2).position(|pair| pair == b"\r\n") else {
        return if bytes.len() > 64 * 1024 { Err(Odd) } else { Ok(None) };
    };
    let number = || -> Result<i64, Odd> {
        let digits = std::str::from_utf8(bytes.get(1..line).unwrap_or_default());
        digits.ok().and_then(|digits| digits.parse().ok()).ok_or(Odd)
    };
    let start = line + 2;
    match kind {
        b'+' | b'-' | b':' | b'_' | b'#' | b',' | b'(' => Ok(Some(start)),
        b'$' | b'=' | b'!' => {
            let Ok(length) = usize::try_from(number()?) else { return Ok(Some(start)) };
            let end = start + length + 2;
            Ok((bytes.len() >= end).then_some(end))
        }
        b'*' | b'>' | b'~' | b'%' | b'|' => {
            let mut count = number()?.max(0);
            if matches!(kind, b'%' | b'|') {
                count *= 2;
            }
            // Attributes stand before the value that they are about.
            count += i64::from(*kind == b'|');
            let mut at = start;
            for _ in 0..count {
                match value_end(bytes.get(at..).unwrap_or_default(), depth + 1)? {
                    Some(end) => at += end,
                    None => return Ok(None),
                }
            }
            Ok(Some(at))
        }
        _ => Err(Odd),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> Vec<u8> {
        format!("*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n${}\r\n{text}\r\n", text.len()).into_bytes()
    }

    fn pushes() -> Pushes {
        Pushes::new(Random::new(1))
    }

    #[test]
    fn values_end_where_they_end() {
        for value in [
            "+OK\r\n",
            ":1\r\n",
            "$-1\r\n",
            "$2\r\nab\r\n",
            "*0\r\n",
            "%1\r\n+a\r\n:1\r\n",
            "*2\r\n*1\r\n:1\r\n$1\r\nx\r\n",
        ] {
            let bytes = format!("{value}+next\r\n").into_bytes();
            assert_eq!(value_end(&bytes, 0), Ok(Some(value.len())), "{value:?}");
            for cut in 0..value.len() {
                assert_eq!(value_end(&bytes[..cut], 0), Ok(None), "{value:?} cut at {cut}");
            }
        }
        assert_eq!(value_end(b"hello\r\n", 0), Err(Odd));
    }

    #[test]
    fn bytes_pass_whatever_their_cuts() {
        let bytes = [message("a"), b"+OK\r\n".to_vec(), message("b")].concat();
        for cut in 0..bytes.len() {
            let mut pushes = pushes();
            let mut out = pushes.pass(&bytes[..cut], None).0;
            out.extend(pushes.pass(&bytes[cut..], None).0);
            assert_eq!(out, bytes);
        }
    }

    #[test]
    fn messages_are_lost_doubled_and_moved_and_nothing_else_is() {
        let (a, b, ok) = (message("a"), message("b"), b"+OK\r\n".to_vec());
        let bytes = [a.clone(), ok.clone(), b.clone()].concat();
        assert_eq!(pushes().pass(&bytes, Some(Prank::Drop(100))), (ok.clone(), 2));
        let twice = [a.clone(), a.clone(), ok.clone(), b.clone(), b.clone()].concat();
        assert_eq!(pushes().pass(&bytes, Some(Prank::Double(100))), (twice, 2));
        let moved = [ok.clone(), b, a.clone()].concat();
        assert_eq!(pushes().pass(&bytes, Some(Prank::Reorder(100))), (moved, 1));
        let mut last = pushes();
        let but_last = [ok, a].concat();
        assert_eq!(last.pass(&bytes, Some(Prank::DropLast(LONELY))), (but_last, 0));
        assert_eq!((last.forget_held(), last.due()), (1, None));
    }
}
