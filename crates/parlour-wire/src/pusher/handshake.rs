//! What a client says in the URL that it connects to, and the number that its connection gets.

use std::{fmt, str::FromStr};

use super::error::CloseCode;

/// Versions of the protocol that are spoken: current clients say 7, some older ones 5 or 6.
const PROTOCOLS: std::ops::RangeInclusive<u32> = 5..=7;

/// Checks the query of a connection's URL. Parameters other than `protocol` are ignored, as is their order.
///
/// # Errors
/// The code to close with: [`CloseCode::NO_PROTOCOL`], [`CloseCode::BAD_VERSION`] or
/// [`CloseCode::UNSUPPORTED_PROTOCOL`].
pub fn protocol(query: &str) -> Result<u32, CloseCode> {
    let named = query.split('&').find_map(|pair| pair.strip_prefix("protocol="));
    let text = named.filter(|text| !text.is_empty()).ok_or(CloseCode::NO_PROTOCOL)?;
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(CloseCode::BAD_VERSION);
    }
    let version = text.parse().map_err(|_| CloseCode::UNSUPPORTED_PROTOCOL)?;
    if PROTOCOLS.contains(&version) { Ok(version) } else { Err(CloseCode::UNSUPPORTED_PROTOCOL) }
}

/// The id of a connection: two numbers with a dot. The server libraries sign for no other form.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SocketId(u64, u64);

impl SocketId {
    /// Of two numbers, which together must be unique, and should not be guessed.
    #[must_use]
    pub const fn new(high: u64, low: u64) -> Self {
        Self(high, low)
    }

    /// The first of its numbers.
    #[must_use]
    pub const fn high(self) -> u64 {
        self.0
    }
}

impl fmt::Display for SocketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

/// A text that is no socket id.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoSocketId;

impl fmt::Display for NoSocketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Invalid socket id: it is two numbers with a dot between them")
    }
}

impl std::error::Error for NoSocketId {}

impl FromStr for SocketId {
    type Err = NoSocketId;

    /// Reads an id in the only spelling that one has. Who signs for a client must read the id with this first: an
    /// id such as `1.1:private-x` would make the signature one for something else.
    fn from_str(text: &str) -> Result<Self, NoSocketId> {
        let (high, low) = text.split_once('.').ok_or(NoSocketId)?;
        Ok(Self(number(high)?, number(low)?))
    }
}

fn number(text: &str) -> Result<u64, NoSocketId> {
    let canonical = text.bytes().all(|byte| byte.is_ascii_digit())
        && (text.len() == 1 || !text.starts_with('0'));
    canonical.then(|| text.parse().ok()).flatten().ok_or(NoSocketId)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_the_protocol() {
        assert_eq!(protocol("protocol=7&client=js&version=8.6.0&flash=false"), Ok(7));
        assert_eq!(protocol("client=Pysher&version=1.0&protocol=6"), Ok(6));
        assert_eq!(protocol("protocol=5"), Ok(5));
        for (query, code) in [
            ("", CloseCode::NO_PROTOCOL),
            ("client=js", CloseCode::NO_PROTOCOL),
            ("protocol=", CloseCode::NO_PROTOCOL),
            ("xprotocol=7", CloseCode::NO_PROTOCOL),
            ("protocol=seven", CloseCode::BAD_VERSION),
            ("protocol=7.0", CloseCode::BAD_VERSION),
            ("protocol=-7", CloseCode::BAD_VERSION),
            ("protocol=4", CloseCode::UNSUPPORTED_PROTOCOL),
            ("protocol=8", CloseCode::UNSUPPORTED_PROTOCOL),
            ("protocol=99999999999999999999", CloseCode::UNSUPPORTED_PROTOCOL),
        ] {
            assert_eq!(protocol(query), Err(code), "{query}");
        }
    }

    #[test]
    fn socket_ids_have_one_spelling() {
        for good in ["0.0", "123.456", "18446744073709551615.1"] {
            assert_eq!(good.parse::<SocketId>().unwrap().to_string(), good);
        }
        for bad in [
            "",
            ".",
            "1",
            "1.",
            ".1",
            "1.2.3",
            "01.2",
            "1.-2",
            "+1.2",
            "1.2 ",
            "1.2\n",
            "a.b",
            "1.1:private-x",
            "18446744073709551616.1",
            "١.٢",
        ] {
            assert_eq!(bad.parse::<SocketId>(), Err(NoSocketId), "{bad:?}");
        }
    }
}
