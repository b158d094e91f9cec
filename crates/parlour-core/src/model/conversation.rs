//! Conversations and who is in them.

use std::sync::Arc;

use super::{Message, Millis, Profile};
use crate::ids::{ConversationId, Epoch, Seq, UserId};

/// What a conversation is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ConversationKind {
    /// Between two users; there is one for each pair and subject.
    Direct,
    /// Between any number of users, with roles.
    Group,
}

/// What may still be done in a conversation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ConversationState {
    /// Everybody writes.
    Open,
    /// Owners and admins write, others read.
    ReadOnly,
    /// Nobody writes; what was said is kept.
    Closed,
}

/// What a participant may do. Ordered: a later role may do what an earlier one may.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Role {
    /// Reads and writes.
    Member,
    /// Also manages participants, settings and other people's messages.
    Admin,
    /// Also names admins. A group always has one; who owns it cannot be removed.
    Owner,
}

/// A conversation, without a viewer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Conversation {
    /// Its id.
    pub id: ConversationId,
    /// Direct or group.
    pub kind: ConversationKind,
    /// What may still be done in it.
    pub state: ConversationState,
    /// A name to show; direct conversations have none.
    pub title: Option<Arc<str>>,
    /// The object of the host application that it is about (`booking/42`).
    pub subject: Option<Arc<str>>,
    /// The host application's own id for it, unique.
    pub external_id: Option<Arc<str>>,
    /// Opaque JSON of the host application, at most 4 KiB.
    pub metadata: Option<Arc<str>>,
    /// The life of its log.
    pub epoch: Epoch,
    /// The seq of its last Change.
    pub last_seq: Seq,
    /// The version of its watermarks: grows whenever one moves.
    pub receipts: u64,
    /// When it was made.
    pub created_at: Millis,
    /// When something was last said in it, else when it was made.
    pub active_at: Millis,
}

/// A user in a conversation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Participant {
    /// Who.
    pub profile: Arc<Profile>,
    /// What he may do.
    pub role: Role,
    /// He sees Changes after this one (zero: from the beginning).
    pub joined_seq: Seq,
    /// How far he has received and read.
    pub watermark: Watermark,
    /// When his last socket went away; zero when never.
    pub last_seen: Millis,
}

/// How far a participant has received and read. Neither ever goes back.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Watermark {
    /// Every Change up to here has reached one of his devices.
    pub delivered: Seq,
    /// He has read everything up to here. Never above `delivered`.
    pub read: Seq,
}

/// A conversation as one participant's list shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConversationSummary {
    /// The conversation.
    pub conversation: Conversation,
    /// Its participants; of a large group the first [`Self::SHOWN_PARTICIPANTS`].
    pub participants: Vec<Participant>,
    /// How many participants there are.
    pub participant_count: usize,
    /// The newest message that the viewer may see and that still stands.
    pub last_message: Option<Message>,
    /// Messages of others after the viewer's read mark that still stand; counted up to
    /// [`Self::UNREAD_CAP`].
    pub unread: u32,
    /// The viewer's own watermark.
    pub watermark: Watermark,
    /// The viewer sees Changes after this one.
    pub joined_seq: Seq,
}

impl ConversationSummary {
    /// The unread count stops here.
    pub const UNREAD_CAP: u32 = 1_000;
    /// How many participants a summary names at most.
    pub const SHOWN_PARTICIPANTS: usize = 50;
}

/// That a user is in a conversation, with what resuming needs to know of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Membership {
    /// Where.
    pub conversation: ConversationId,
    /// Whose.
    pub user: UserId,
    /// He sees Changes after this one.
    pub joined_seq: Seq,
    /// What he sees of before, because he was in it then: after the first seq, up to and with the second.
    pub past: Arc<[(Seq, Seq)]>,
    /// What he may do.
    pub role: Role,
    /// Direct or group.
    pub kind: ConversationKind,
    /// What may still be done in it.
    pub state: ConversationState,
    /// The life of the log.
    pub epoch: Epoch,
    /// The seq of its last Change at the time of reading.
    pub last_seq: Seq,
    /// The version of its watermarks at the time of reading.
    pub receipts: u64,
    /// The object of the host application that the conversation is about.
    pub subject: Option<Arc<str>>,
    /// How far he has received and read.
    pub watermark: Watermark,
    /// The other one of a direct conversation; nobody leaves those. `None` in groups.
    pub peer: Option<Peer>,
}

/// The other one of a direct conversation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Peer {
    /// Who.
    pub profile: Arc<Profile>,
    /// How far he has read.
    pub read: Seq,
}
