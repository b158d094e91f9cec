//! Negotiation of permessage-deflate (RFC 7692 section 7.1) from the `Sec-WebSocket-Extensions`
//! header.

use std::fmt;

use crate::handshake::is_token;

/// Smallest window the compressor can keep to, as a base-2 logarithm. RFC 7692 knows 8 too; an
/// offer that demands it is declined.
pub(crate) const MIN_WINDOW_BITS: u8 = 9;
pub(crate) const MAX_WINDOW_BITS: u8 = 15;

/// An accepted permessage-deflate offer; [`fmt::Display`] gives the value of the response header.
///
/// Both ends always start each message with an empty window (`server_no_context_takeover`,
/// `client_no_context_takeover`; a server may impose both, sections 7.1.1.1 and 7.1.1.2), so that
/// a compressed message can be shared and a connection holds no window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deflate {
    server_window_bits: Option<u8>,
}

impl Deflate {
    /// Accepts the first offer that can be met, or none. `offers` is the request header; if it came
    /// in several lines, they are joined by commas. Offers with unknown, repeated or malformed
    /// parameters are declined, as section 7.1 asks.
    #[must_use]
    pub fn negotiate(offers: &str) -> Option<Self> {
        split_outside_quotes(offers, ',').find_map(Self::accept)
    }

    /// The window this server must keep to when it compresses for this client, as the base-2
    /// logarithm of its bytes: 9 to 15.
    #[must_use]
    pub fn server_window_bits(self) -> u8 {
        self.server_window_bits.unwrap_or(MAX_WINDOW_BITS)
    }

    /// Whether the client can inflate a message of `plain_bytes` compressed with a window of
    /// `window_bits`: it can if its own window is as large, or the whole message fits into it.
    #[must_use]
    pub fn can_read(self, window_bits: u8, plain_bytes: usize) -> bool {
        let own = self.server_window_bits();
        window_bits <= own || plain_bytes <= 1 << own
    }

    fn accept(offer: &str) -> Option<Self> {
        let mut parts = split_outside_quotes(offer, ';').map(str::trim);
        if !parts.next()?.eq_ignore_ascii_case("permessage-deflate") {
            return None;
        }
        let mut server_window_bits = None;
        let mut seen: Vec<&str> = Vec::new();
        for part in parts {
            let (name, value) = match part.split_once('=') {
                Some((name, value)) => (name.trim_end(), Some(unquote(value.trim_start())?)),
                None => (part, None),
            };
            if seen.contains(&name) {
                return None;
            }
            seen.push(name);
            match (name, value) {
                ("server_no_context_takeover" | "client_no_context_takeover", None)
                | ("client_max_window_bits", None) => {}
                // Any window of the client can be read, so its hint needs no answer.
                ("client_max_window_bits", Some(value)) => {
                    window_bits(value)?;
                }
                ("server_max_window_bits", Some(value)) => {
                    server_window_bits = Some(window_bits(value)?);
                }
                _ => return None,
            }
        }
        if server_window_bits.is_some_and(|bits| bits < MIN_WINDOW_BITS) {
            return None;
        }
        Some(Self { server_window_bits })
    }
}

impl fmt::Display for Deflate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("permessage-deflate; server_no_context_takeover; client_no_context_takeover")?;
        match self.server_window_bits {
            Some(bits) => write!(f, "; server_max_window_bits={bits}"),
            None => Ok(()),
        }
    }
}

/// A decimal number from 8 to 15 without leading zeros (sections 7.1.2.1 and 7.1.2.2).
fn window_bits(value: &str) -> Option<u8> {
    let bits = value.parse().ok().filter(|bits| (8..=MAX_WINDOW_BITS).contains(bits))?;
    let plain = !value.starts_with(['0', '+']);
    plain.then_some(bits)
}

/// A token, or a quoted string that holds a token (RFC 6455 section 9.1).
fn unquote(value: &str) -> Option<&str> {
    let inner = match value.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"')?,
        None => value,
    };
    is_token(inner).then_some(inner)
}

fn split_outside_quotes(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    text.split(move |c| {
        quoted ^= c == '"';
        c == separator && !quoted
    })
}
