//! What a message says: run, sender, number and time, so that whoever gets it knows which one it is.

use std::io::Write as _;

/// Length of an ordinary message, in bytes.
pub const LENGTH: usize = 80;

/// One message. Written as `m <run> <sender> <number> <micros> <padding>`, which needs no escape in any of the dialects.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Text {
    /// Which run.
    pub run: u64,
    /// The number of the user who says it.
    pub sender: u32,
    /// The how-manieth of the sender in this run, from 0.
    pub number: u64,
    /// When it was sent, in microseconds of the run's clock.
    pub micros: u64,
}

impl Text {
    /// Appends it, filled up to a length.
    pub fn write(&self, length: usize, out: &mut Vec<u8>) {
        let begun = out.len();
        let Self { run, sender, number, micros } = self;
        // Writing into a vector cannot fail.
        let _ = write!(out, "m {run} {sender} {number} {micros} ");
        out.resize(out.len().max(begun + length.saturating_sub(1)), b'x');
        out.push(b'.');
    }

    /// The message in a frame of any dialect, if there is one and it is whole.
    #[must_use]
    pub fn find(frame: &[u8]) -> Option<Self> {
        let begin = match frame.starts_with(b"m ") {
            true => 0,
            false => memchr::memmem::find(frame, b"\"m ")? + 1,
        };
        let mut rest = frame.get(begin + 2..)?;
        let run = word(&mut rest)?;
        let sender = u32::try_from(word(&mut rest)?).ok()?;
        let (number, micros) = (word(&mut rest)?, word(&mut rest)?);
        let padding = rest.iter().position(|byte| *byte != b'x')?;
        let is_whole = rest.get(padding) == Some(&b'.');
        is_whole.then_some(Self { run, sender, number, micros })
    }
}

/// Takes the next number and the blank behind it.
fn word(rest: &mut &[u8]) -> Option<u64> {
    let end = rest.iter().position(|byte| !byte.is_ascii_digit())?;
    let (digits, after) = rest.split_at_checked(end)?;
    *rest = after.strip_prefix(b" ")?;
    (!digits.is_empty()).then(|| {
        digits
            .iter()
            .fold(0_u64, |n, digit| n.wrapping_mul(10).wrapping_add(u64::from(digit - b'0')))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_found_in_every_kind_of_frame() {
        let text = Text { run: 7, sender: 41, number: 1_234, micros: 987_654_321 };
        let mut written = Vec::new();
        text.write(LENGTH, &mut written);
        assert_eq!(written.len(), LENGTH);
        let written = String::from_utf8(written).unwrap();
        for frame in [
            written.clone(),
            format!(r#"{{"from":41,"text":"{written}"}}"#),
            format!(r#"{{"type": "message", "message": {{"content": "{written}", "id": 3}}}}"#),
            format!(r#"{{"event":"client-message","data":"{{\"text\":\"{written}\"}}"}}"#),
        ] {
            assert_eq!(Text::find(frame.as_bytes()), Some(text), "{frame}");
        }
        for other in [r#"{"ok":3}"#, r#"{"text":"m 1 2"}"#, r#"{"text":"m 1 2 3 4 xxx"}"#, ""] {
            assert_eq!(Text::find(other.as_bytes()), None, "{other}");
        }
    }
}
