//! WebSocket frames of a client, by hand: into one buffer that all share, and out of what was read.

use anyhow::{Result, bail};

/// The key of every frame. A constant one is as good as any other where nobody listens in between.
const MASK: [u8; 4] = [0x5a, 0xc3, 0x17, 0x9e];

/// What a frame of the server is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A text.
    Text,
    /// To be answered by a pong.
    Ping,
    /// The answer to a ping of ours.
    Pong,
    /// The server ends the connection.
    Close,
}

/// The opcode byte of a text.
pub const TEXT: u8 = 0x81;
/// That of a ping.
pub const PING: u8 = 0x89;
/// That of a pong.
pub const PONG: u8 = 0x8a;

/// Appends a masked frame.
pub fn write(opcode: u8, payload: &[u8], out: &mut Vec<u8>) {
    out.push(opcode);
    match u16::try_from(payload.len()) {
        Ok(length @ 0..126) => out.push(0x80 | length.to_be_bytes()[1]),
        Ok(length) => {
            out.push(0xfe);
            out.extend_from_slice(&length.to_be_bytes());
        }
        Err(_) => {
            out.push(0xff);
            out.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&MASK);
    let begun = out.len();
    out.extend_from_slice(payload);
    for part in out[begun..].chunks_mut(4) {
        for (byte, mask) in part.iter_mut().zip(MASK) {
            *byte ^= mask;
        }
    }
}

/// The first frame of what was read: its kind, where its payload begins, and where it ends. `None` while it is not whole.
///
/// # Errors
/// For a frame that these servers do not send.
pub fn first(read: &[u8]) -> Result<Option<(Kind, usize, usize)>> {
    let [opcode, short, rest @ ..] = read else { return Ok(None) };
    let (begin, length) = match (*short, rest) {
        (0..126, _) => (2, usize::from(*short)),
        (126, [a, b, ..]) => (4, usize::from(u16::from_be_bytes([*a, *b]))),
        (127, [a, b, c, d, e, f, g, h, ..]) => {
            (10, usize::try_from(u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]))?)
        }
        (126 | 127, _) => return Ok(None),
        _ => bail!("the server masked a frame"),
    };
    let kind = match opcode {
        0x81 => Kind::Text,
        0x88 => Kind::Close,
        0x89 => Kind::Ping,
        0x8a => Kind::Pong,
        other => bail!("an unexpected frame: {other:#x}"),
    };
    let end = begin + length;
    Ok((read.len() >= end).then_some((kind, begin, end)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_have_the_length_that_they_say() {
        for length in [0_usize, 1, 125, 126, 65_535, 65_536] {
            let payload = vec![b'a'; length];
            let mut out = Vec::new();
            write(TEXT, &payload, &mut out);
            let header = out.len() - length;
            assert_eq!(
                header,
                [6, 8, 14][usize::from(length > 125) + usize::from(length > 65_535)]
            );
            // The same without the mask is what a server would send.
            let mut back = out[..header - 4].to_vec();
            back[1] &= 0x7f;
            back.extend_from_slice(&payload);
            let (begin, end) = (header - 4, header - 4 + length);
            assert_eq!(first(&back).unwrap(), Some((Kind::Text, begin, end)));
            assert_eq!(first(&back[..back.len() - 1]).unwrap(), None, "{length}");
        }
        assert!(first(&[0x82, 0]).is_err());
    }
}
