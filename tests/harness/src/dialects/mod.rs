//! The same chat through every dialect, REST among them: does each client get everything, once and in order?
//!
//! A [`Client`] speaks one dialect to the real server, and keeps a [`log`] of what it was told, in the words of
//! no dialect. [`judge`] compares a log with the history that REST gives. [`matrix`] lets every kind of client talk
//! with every other; [`drop`] takes clients away while things happen, and brings them back.

mod client;
pub mod drop;
pub mod judge;
pub mod log;
pub mod matrix;
mod poller;
mod pusher;
mod seeds;
mod speech;
mod stage;

pub use self::{
    client::Client,
    speech::Place,
    stage::{APP_KEY, APP_SECRET, open_server},
};

/// What a client speaks.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    /// The native protocol: resumes by position.
    Native,
    /// One socket a user, messages to people.
    Direct,
    /// One socket a user, messages to conversations.
    Inbox,
    /// One socket a conversation.
    Room,
    /// One socket a conversation, frames without a type.
    Plain,
    /// The user's own channel of the Pusher protocol.
    Pusher,
    /// No socket: `POST` and polling.
    Rest,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Native,
        Self::Direct,
        Self::Inbox,
        Self::Room,
        Self::Plain,
        Self::Pusher,
        Self::Rest,
    ];

    /// Those that have a socket to lose.
    pub const SOCKETS: [Self; 6] =
        [Self::Native, Self::Direct, Self::Inbox, Self::Room, Self::Plain, Self::Pusher];

    /// Its name, as the dialect's.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Direct => "direct",
            Self::Inbox => "inbox",
            Self::Room => "room",
            Self::Plain => "plain",
            Self::Pusher => "pusher",
            Self::Rest => "rest",
        }
    }

    /// Whether it has words for edits and deletions.
    #[must_use]
    pub const fn tells_of_changes(self) -> bool {
        !matches!(self, Self::Plain | Self::Rest)
    }

    /// Whether it has a way to talk in a group.
    #[must_use]
    pub const fn knows_groups(self) -> bool {
        !matches!(self, Self::Direct)
    }

    /// Whether its client says itself where it stands when it comes back.
    #[must_use]
    pub const fn keeps_position(self) -> bool {
        matches!(self, Self::Native | Self::Rest)
    }
}
