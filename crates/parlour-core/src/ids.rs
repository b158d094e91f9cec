//! Identifiers and places in a log, each a type of its own so that they cannot be mixed up.

use std::{fmt, sync::Arc};

use crate::error::{Code, Error};

/// Largest integer that every client can hold exactly (2^53 - 1, RFC 8259 section 6).
pub const MAX_INTEGER: u64 = (1 << 53) - 1;

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number_id!(
    /// A conversation. Given by the store, never reused, below 2^53.
    ConversationId
);
number_id!(
    /// A message. Given by the store, never reused, below 2^53, the same in every dialect.
    MessageId
);
number_id!(
    /// The gap-free counter of a conversation's Changes. The first Change is 1; 0 is "before everything".
    Seq
);
number_id!(
    /// Which life of a log a seq belongs to. It changes only when a log is restored or imported over.
    Epoch
);

number_id!(
    /// A process: random, another one at each start. It names who spoke on the bus and whose lease something is.
    NodeId
);

impl Seq {
    /// Before the first Change.
    pub const ZERO: Self = Self(0);

    /// The seq that follows.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// A place in a conversation's log.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Position {
    /// The life of the log that `seq` counts in.
    pub epoch: Epoch,
    /// The last Change that has been seen.
    pub seq: Seq,
}

/// A user, under the identifier that the host application gives.
///
/// One to 128 bytes, without control characters and without characters that change the direction of text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(Arc<str>);

impl UserId {
    /// Longest identifier, in bytes.
    pub const MAX_BYTES: usize = 128;

    /// Checks and wraps an identifier.
    ///
    /// # Errors
    /// [`Code::InvalidFrame`] when it is empty, too long, or holds a character that must not be in it.
    pub fn new(id: &str) -> Result<Self, Error> {
        if id.is_empty() || id.len() > Self::MAX_BYTES || id.chars().any(is_forbidden_in_names) {
            return Err(Error::new(Code::InvalidFrame, "this is no valid user id"));
        }
        Ok(Self(id.into()))
    }

    /// The identifier as the host application gave it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same, shared.
    #[must_use]
    pub fn to_shared(&self) -> Arc<str> {
        self.0.clone()
    }

    /// The number behind a canonical decimal identifier (no sign, no leading zero, at most 2^53 - 1).
    ///
    /// The five dialects write such an identifier as a JSON number.
    #[must_use]
    pub fn as_number(&self) -> Option<u64> {
        let digits = self.0.as_bytes();
        let canonical = digits.len() <= 16
            && digits.iter().all(u8::is_ascii_digit)
            && (digits.len() == 1 || digits.first() != Some(&b'0'));
        canonical.then(|| self.0.parse().ok()).flatten().filter(|n| *n <= MAX_INTEGER)
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UserId({})", &self.0)
    }
}

/// Whether a character may not stand in an identifier or a name: control characters, and those that
/// reorder or hide their neighbours (bidirectional controls, zero-width marks, the byte order mark).
#[must_use]
pub fn is_forbidden_in_names(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// The name that a client gives its own send, which makes the send idempotent for ever.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ClientId(Arc<str>);

impl ClientId {
    /// Longest client id, in characters.
    pub const MAX_CHARS: usize = 64;

    /// Checks and wraps a client id.
    ///
    /// # Errors
    /// [`Code::InvalidFrame`] when it is empty or holds control characters, [`Code::TooLong`] past 64 characters.
    pub fn new(id: &str) -> Result<Self, Error> {
        if id.is_empty() || id.chars().any(char::is_control) {
            return Err(Error::new(Code::InvalidFrame, "this is no valid client_id"));
        }
        if id.chars().count() > Self::MAX_CHARS {
            return Err(Error::new(Code::TooLong, "a client_id has at most 64 characters")
                .with_limit("client_id"));
        }
        Ok(Self(id.into()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same, shared.
    #[must_use]
    pub fn to_shared(&self) -> Arc<str> {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_canonical_decimals_are_numbers() {
        let number = |id: &str| UserId::new(id).unwrap().as_number();
        assert_eq!(number("0"), Some(0));
        assert_eq!(number("42"), Some(42));
        assert_eq!(number("9007199254740991"), Some(MAX_INTEGER));
        assert_eq!(number("9007199254740992"), None);
        for text in ["007", "-1", "+1", "1.0", "1e3", "alice", "99999999999999999999"] {
            assert_eq!(number(text), None, "{text}");
        }
    }

    #[test]
    fn hostile_identifiers_are_refused() {
        for id in ["", "a\0b", "a\nb", "\u{202e}evil", &"x".repeat(129)] {
            assert_eq!(UserId::new(id).unwrap_err().code, Code::InvalidFrame, "{id:?}");
        }
        assert!(UserId::new(&"x".repeat(128)).is_ok());
        assert_eq!(ClientId::new(&"é".repeat(64)).unwrap().as_str().len(), 128);
        assert_eq!(ClientId::new(&"x".repeat(65)).unwrap_err().code, Code::TooLong);
    }
}
