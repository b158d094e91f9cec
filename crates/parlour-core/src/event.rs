//! What can happen, and the envelope in which it travels to everybody concerned.

use std::sync::Arc;

use crate::{
    ids::{ConversationId, Epoch, MessageId, Seq, UserId},
    model::{
        Conversation, ConversationState, Message, Millis, Participant, Profile, Role, Watermark,
    },
};

/// A happening on its way out.
#[derive(Clone, PartialEq, Debug)]
pub struct Envelope {
    /// Where it happened; `None` for what concerns people and not a conversation.
    pub conversation: Option<ConversationId>,
    /// The life of the conversation's log.
    pub epoch: Epoch,
    /// Its number, for Changes; `None` for Signals and watermarks.
    pub seq: Option<Seq>,
    /// When it happened.
    pub at: Millis,
    /// The command that caused it, if it came over a connection of this process.
    pub origin: Option<Origin>,
    /// What happened.
    pub event: Event,
}

/// The command that caused an event. Its own connection gets the reply in the event's place.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Origin {
    /// The connection, as the hub numbers them.
    pub connection: u64,
    /// The command's id on that connection; zero when it had none.
    pub command: u64,
}

/// What happened. A dialect decides on each of these; there is no wildcard arm.
#[derive(Clone, PartialEq, Debug)]
pub enum Event {
    /// A conversation was made. It has no seq: the conversation itself is its record.
    ConversationCreated {
        /// The conversation.
        conversation: Arc<Conversation>,
        /// Its first participants.
        participants: Arc<[Participant]>,
    },
    /// Something was said (a Change).
    MessageCreated(Arc<Message>),
    /// A message says something else now (a Change).
    MessageEdited(Arc<Message>),
    /// A message was taken back; only its tombstone is here (a Change).
    MessageDeleted(Arc<Message>),
    /// Somebody was added (a Change).
    ParticipantJoined {
        /// Who.
        participant: Arc<Participant>,
        /// What he sees of before, because he was in it then: after the first seq, up to and with the second.
        past: Arc<[(Seq, Seq)]>,
        /// By whom.
        by: UserId,
    },
    /// Somebody left or was removed (a Change). He himself sees this and nothing after it.
    ParticipantLeft {
        /// Who.
        user: Arc<Profile>,
        /// By whom; himself when he left.
        by: UserId,
    },
    /// Somebody may do other things now (a Change).
    RoleChanged {
        /// Who.
        user: UserId,
        /// What he is now.
        role: Role,
        /// By whom.
        by: UserId,
    },
    /// Title, state or metadata changed (a Change). Fields that stayed are `None`.
    ConversationChanged {
        /// The new title; empty when it was removed.
        title: Option<Arc<str>>,
        /// The new state.
        state: Option<ConversationState>,
        /// The new metadata; empty when it was removed.
        metadata: Option<Arc<str>>,
        /// By whom.
        by: UserId,
    },
    /// A watermark moved: state with a version, the last writer wins.
    Receipt {
        /// Whose.
        user: UserId,
        /// Where it stood before.
        from: Watermark,
        /// Where it stands now.
        to: Watermark,
        /// The version of the conversation's watermarks after the move.
        version: u64,
        /// The messages of others, still standing, that the read mark has newly covered, in the order of their
        /// seqs; the newest [`Covered::MOST`] of them. Empty where only `delivered` moved, and where the receipt
        /// was read from the store afterwards.
        covered: Arc<[Covered]>,
    },
    /// Somebody writes or stopped (a Signal).
    Typing {
        /// Who.
        user: Arc<Profile>,
        /// Whether he writes.
        active: bool,
    },
    /// Somebody came or went (a Signal).
    Presence {
        /// Who.
        user: Arc<Profile>,
        /// What he is now.
        status: PresenceStatus,
        /// When his last connection went; zero when never.
        last_seen: Millis,
    },
}

/// A message that somebody has just read, and who said it: for dialects whose receipts are lists of ids.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Covered {
    /// Which.
    pub message: MessageId,
    /// Who said it.
    pub sender: UserId,
}

impl Covered {
    /// A receipt names so many at most.
    pub const MOST: usize = 1_000;
}

/// Whether somebody is there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum PresenceStatus {
    /// No connection.
    Offline,
    /// Connected, but on no connection at the keyboard.
    Away,
    /// At the keyboard of one connection at least.
    Online,
}

impl PresenceStatus {
    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Offline => "offline",
            Self::Away => "away",
            Self::Online => "online",
        }
    }
}

/// What a full queue may do with an event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Durability {
    /// Never dropped: the connection is closed instead, and resumes.
    Durable,
    /// Dropped first.
    Ephemeral,
}

impl Event {
    /// The message that was sent, edited or deleted.
    #[must_use]
    pub const fn message(&self) -> Option<&Arc<Message>> {
        match self {
            Self::MessageCreated(message)
            | Self::MessageEdited(message)
            | Self::MessageDeleted(message) => Some(message),
            Self::ConversationCreated { .. }
            | Self::ParticipantJoined { .. }
            | Self::ParticipantLeft { .. }
            | Self::RoleChanged { .. }
            | Self::ConversationChanged { .. }
            | Self::Receipt { .. }
            | Self::Typing { .. }
            | Self::Presence { .. } => None,
        }
    }

    /// Whether a full queue may drop it.
    #[must_use]
    pub const fn durability(&self) -> Durability {
        match self {
            Self::Typing { .. } | Self::Presence { .. } => Durability::Ephemeral,
            Self::ConversationCreated { .. }
            | Self::MessageCreated(_)
            | Self::MessageEdited(_)
            | Self::MessageDeleted(_)
            | Self::ParticipantJoined { .. }
            | Self::ParticipantLeft { .. }
            | Self::RoleChanged { .. }
            | Self::ConversationChanged { .. }
            | Self::Receipt { .. } => Durability::Durable,
        }
    }
}
