//! What a dialect may need to know besides the frame or the event.

use std::sync::Arc;

use jiff::tz::TimeZone;
use parlour_core::{
    ConversationId, Seq, UserId,
    limits::Limits,
    model::{ConversationKind, Millis, Profile, User},
};

/// Whose frame is read.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    /// The user who is signed in.
    pub user: &'a UserId,
    /// The conversation that the connection is about, where it is about one.
    pub scope: Option<ConversationId>,
    /// The limits in force.
    pub limits: &'a Limits,
}

/// Where an event happened, and how it is shown.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// The conversation; `None` for what concerns people only.
    pub place: Option<&'a Place>,
    /// Who has read how far. Complete for direct conversations and where a page is shown; else perhaps empty.
    pub read: &'a [(UserId, Seq)],
    /// What the operator has chosen.
    pub settings: &'a Settings,
}

/// What does not change about a conversation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// Which.
    pub id: ConversationId,
    /// Direct or group.
    pub kind: ConversationKind,
    /// The object of the host application that it is about.
    pub subject: Option<Arc<str>>,
    /// The two of a direct conversation.
    pub peers: Option<[Arc<Profile>; 2]>,
}

impl Place {
    /// The other one of a direct conversation.
    #[must_use]
    pub fn other(&self, than: &UserId) -> Option<&Arc<Profile>> {
        self.peers.as_ref()?.iter().find(|peer| peer.id != *than)
    }
}

/// What the operator has chosen about how things are shown.
#[derive(Clone, Debug)]
pub struct Settings {
    /// In which the `plain` dialect writes its times.
    pub time_zone: TimeZone,
    /// The names of chat events on Pusher channels.
    pub events: EventNames,
}

impl Default for Settings {
    fn default() -> Self {
        Self { time_zone: TimeZone::UTC, events: EventNames::default() }
    }
}

/// The names of chat events on Pusher channels: a Laravel application has its own (`App\Events\MessageSent`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EventNames {
    /// Something was said.
    pub message_sent: Arc<str>,
    /// A message says something else now.
    pub message_edited: Arc<str>,
    /// A message was taken back.
    pub message_deleted: Arc<str>,
    /// Messages were read.
    pub messages_read: Arc<str>,
    /// Somebody writes.
    pub user_typing: Arc<str>,
    /// Somebody stopped writing.
    pub user_stopped_typing: Arc<str>,
    /// Somebody came or went.
    pub user_status: Arc<str>,
}

impl Default for EventNames {
    fn default() -> Self {
        Self {
            message_sent: "MessageSentEvent".into(),
            message_edited: "MessageEditedEvent".into(),
            message_deleted: "MessageDeletedEvent".into(),
            messages_read: "MessagesReadEvent".into(),
            user_typing: "UserIsTypingEvent".into(),
            user_stopped_typing: "UserStoppedTypingEvent".into(),
            user_status: "UserStatusEvent".into(),
        }
    }
}

/// What a connection may be told first.
#[derive(Clone, Copy, Debug)]
pub struct Hello<'a> {
    /// The connection's name, for the logs of both sides.
    pub session: &'a str,
    /// Who signed in.
    pub user: &'a User,
    /// The server's wall clock.
    pub now: Millis,
    /// When the sign-in ends.
    pub expires_at: Option<Millis>,
    /// The limits in force.
    pub limits: &'a Limits,
    /// The server's version.
    pub version: &'a str,
    /// `full`, or what the operator has chosen instead.
    pub durability: &'a str,
}
