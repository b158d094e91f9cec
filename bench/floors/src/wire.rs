//! The frames of the floors: read and written without a tree, texts copied as they came.

/// Whom a text is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// A user.
    User(u32),
    /// All members of a room but the sender.
    Room(u32),
}

/// What a client says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said<'a> {
    /// A text, escaped as it came.
    Text(To, &'a [u8]),
    /// The sender is typing to a user.
    Typing(u32),
}

impl<'a> Said<'a> {
    /// Reads a frame. The form is fixed: fields in the order of the documentation, no blanks.
    #[must_use]
    pub fn read(frame: &'a str) -> Option<Self> {
        let frame = frame.as_bytes().strip_prefix(b"{\"")?;
        let (to, rest): (fn(u32) -> To, _) = match frame {
            [b't', b'o', rest @ ..] => (To::User, rest),
            [b'r', b'o', b'o', b'm', rest @ ..] => (To::Room, rest),
            _ => {
                let (number, rest) = number(frame.strip_prefix(b"typing\":")?)?;
                return (rest == b"}").then_some(Self::Typing(number));
            }
        };
        let (number, rest) = number(rest.strip_prefix(b"\":")?)?;
        let text = rest.strip_prefix(b",\"text\":\"")?.strip_suffix(b"\"}")?;
        Some(Self::Text(to(number), text))
    }
}

/// The number at the beginning, and what follows.
fn number(text: &[u8]) -> Option<(u32, &[u8])> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at(digits);
    Some((str::from_utf8(digits).ok()?.parse().ok()?, rest))
}

/// Appends the frame that a receiver gets.
pub fn text_into(out: &mut Vec<u8>, from: u32, text: &[u8]) {
    let mut digits = [0; 10];
    frame_into(out, &[b"{\"from\":", decimal(&mut digits, from), b",\"text\":\"", text, b"\"}"]);
}

/// Appends the frame that says who is typing.
pub fn typing_into(out: &mut Vec<u8>, from: u32) {
    let mut digits = [0; 10];
    frame_into(out, &[b"{\"typing\":", decimal(&mut digits, from), b"}"]);
}

/// Appends the frame that the sender gets.
pub fn ok_into(out: &mut Vec<u8>, count: u32) {
    let mut digits = [0; 10];
    frame_into(out, &[b"{\"ok\":", decimal(&mut digits, count), b"}"]);
}

/// A text frame of parts (RFC 6455 section 5.2).
fn frame_into(out: &mut Vec<u8>, parts: &[&[u8]]) {
    const TEXT: u8 = 0x81;
    let length: usize = parts.iter().map(|part| part.len()).sum();
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short @ 0..=125), _) => out.extend_from_slice(&[TEXT, short]),
        (_, Ok(medium)) => {
            out.extend_from_slice(&[TEXT, 126]);
            out.extend_from_slice(&medium.to_be_bytes());
        }
        _ => {
            out.extend_from_slice(&[TEXT, 127]);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    for part in parts {
        out.extend_from_slice(part);
    }
}

/// The number in decimal digits, at the end of the space.
fn decimal(space: &mut [u8; 10], mut number: u32) -> &[u8] {
    let mut start = space.len();
    for slot in space.iter_mut().rev() {
        let [digit, ..] = (number % 10).to_le_bytes();
        *slot = b'0' + digit;
        start -= 1;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    space.get(start..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_clients_are_understood() {
        let check = |frame, expected| assert_eq!(Said::read(frame), expected, "{frame}");
        check(r#"{"to":12,"text":"hi"}"#, Some(Said::Text(To::User(12), b"hi")));
        check(r#"{"room":3,"text":"a \"b\""}"#, Some(Said::Text(To::Room(3), br#"a \"b\""#)));
        check(r#"{"typing":7}"#, Some(Said::Typing(7)));
        for wrong in ["", "{", "{}", r#"{"to":,"text":"x"}"#, r#"{"to":1,"text":"x}"#] {
            check(wrong, None);
        }
        for wrong in [r#"{"to":99999999999,"text":"x"}"#, r#"{"typing":1,"x":2}"#, "[1]"] {
            check(wrong, None);
        }
    }

    #[test]
    fn frames_for_clients_have_the_right_length() {
        let mut out = Vec::new();
        text_into(&mut out, 7, b"hi");
        typing_into(&mut out, 120);
        ok_into(&mut out, 0);
        assert_eq!(
            out,
            b"\x81\x16{\"from\":7,\"text\":\"hi\"}\x81\x0e{\"typing\":120}\x81\x08{\"ok\":0}"
        );
        for (text, header) in [(126 - 20, 4), (65_535 - 20, 4), (65_536 - 20, 10)] {
            let mut out = Vec::new();
            text_into(&mut out, 7, &vec![b'x'; text]);
            assert_eq!(out.len(), header + 20 + text, "{text}");
        }
    }
}
