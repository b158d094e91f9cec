//! The one error type of the domain: a stable code, a text for the outside, and a source for the log.

use std::{borrow::Cow, fmt, time::Duration};

/// Shorthand for results of the domain.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a command was not carried out, as clients of every dialect and of REST see it.
///
/// The same table, with texts and HTTP statuses, is `contract/errors.toml`; a test compares the two.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Code {
    /// The frame or body is not JSON.
    InvalidJson,
    /// It is JSON, but not of the form that is asked for.
    InvalidFrame,
    /// There is no command of that type.
    UnknownType,
    /// There is no valid sign-in, or it has ended.
    NotAuthenticated,
    /// The caller may see the thing, but not do this to it.
    Forbidden,
    /// There is no such thing, or the caller may not know of it: never told apart.
    NotFound,
    /// A text is longer than its limit.
    TooLong,
    /// A text that must say something says nothing.
    Empty,
    /// More than the allowed rate; come back after `retry_after`.
    RateLimited,
    /// One of the two has blocked the other.
    Blocked,
    /// It contradicts what stands: the same client id with other content, a taken name.
    Conflict,
    /// A count (participants, sockets, open commands) is at its limit.
    Limit,
    /// Not stored; the same may work soon.
    Unavailable,
    /// It may or may not have been stored: ask again with the same client id.
    Unknown,
    /// The server failed; the log knows more.
    Internal,
}

impl Code {
    /// Every code, in the order of the contract.
    pub const ALL: [Self; 15] = [
        Self::InvalidJson,
        Self::InvalidFrame,
        Self::UnknownType,
        Self::NotAuthenticated,
        Self::Forbidden,
        Self::NotFound,
        Self::TooLong,
        Self::Empty,
        Self::RateLimited,
        Self::Blocked,
        Self::Conflict,
        Self::Limit,
        Self::Unavailable,
        Self::Unknown,
        Self::Internal,
    ];

    /// The code on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidJson => "invalid_json",
            Self::InvalidFrame => "invalid_frame",
            Self::UnknownType => "unknown_type",
            Self::NotAuthenticated => "not_authenticated",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::TooLong => "too_long",
            Self::Empty => "empty",
            Self::RateLimited => "rate_limited",
            Self::Blocked => "blocked",
            Self::Conflict => "conflict",
            Self::Limit => "limit",
            Self::Unavailable => "unavailable",
            Self::Unknown => "unknown",
            Self::Internal => "internal",
        }
    }

    /// What a client may conclude.
    #[must_use]
    pub const fn class(self) -> Class {
        match self {
            Self::RateLimited | Self::Unavailable => Class::Retry,
            Self::Unknown | Self::Internal => Class::Unknown,
            _ => Class::Rejected,
        }
    }
}

/// What a refusal means for the command (guarantee G2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Class {
    /// Final: it is not stored and never will be.
    Rejected,
    /// Not stored; the same command may be sent again.
    Retry,
    /// It may or may not be stored; the same client id settles it.
    Unknown,
}

/// A refusal or failure.
///
/// `Display` is the text for the outside and never shows the source; log the chain at the boundary.
pub struct Error {
    /// What kind of refusal this is.
    pub code: Code,
    /// The text for a person outside. It tells nothing about things that the caller may not see.
    pub message: Cow<'static, str>,
    /// When the same may be tried again.
    pub retry_after: Option<Duration>,
    /// The name of the limit that was met, as in the hello frame's `limits`.
    pub limit: Option<&'static str>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// A refusal with its public text.
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into(), retry_after: None, limit: None, source: None }
    }

    /// "No such thing", the same for unknown and forbidden.
    #[must_use]
    pub fn not_found() -> Self {
        Self::new(Code::NotFound, "there is no such thing, or it is not yours")
    }

    /// A failure of the server, whose cause is for the log only.
    pub fn internal(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::new(Code::Internal, "the server failed; try again").with_source(source)
    }

    /// Nothing was stored, and the same may work soon.
    pub fn unavailable(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::new(Code::Unavailable, "the server cannot do this at the moment; try again")
            .with_source(source)
    }

    /// The command may or may not have been stored.
    pub fn unknown(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::new(
            Code::Unknown,
            "the outcome is not known; ask again with the same client_id to settle it",
        )
        .with_source(source)
    }

    /// Adds what the log should know.
    #[must_use]
    pub fn with_source(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Adds when to come back.
    #[must_use]
    pub const fn with_retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// Names the limit that was met.
    #[must_use]
    pub const fn with_limit(mut self, limit: &'static str) -> Self {
        self.limit = Some(limit);
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("code", &self.code)
            .field("message", &self.message)
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| &**source as _)
    }
}

impl Class {
    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::Retry => "retry",
            Self::Unknown => "unknown",
        }
    }
}
