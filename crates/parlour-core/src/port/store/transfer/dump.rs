//! Everything that a store keeps of conversations, as it is kept: what an export holds.

use std::sync::Arc;

use crate::{
    ids::{ClientId, ConversationId, MessageId, Seq, UserId},
    model::{ConversationKind, ConversationState, MessageKind, Millis, Role},
};

/// One stored thing, with every id, seq and time as it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Dump {
    /// A user.
    User(DumpedUser),
    /// That somebody has blocked somebody.
    Block(DumpedBlock),
    /// A conversation.
    Conversation(DumpedConversation),
    /// Somebody in a conversation.
    Participant(DumpedParticipant),
    /// A part of a log that somebody saw before he left.
    Membership(DumpedMembership),
    /// A message.
    Message(DumpedMessage),
    /// What a message said before.
    Revision(DumpedRevision),
    /// A Change that is no message.
    Change(DumpedChange),
    /// Under which id of a host application something was imported.
    Key(DumpedKey),
}

/// Where a dump goes on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DumpCursor {
    /// Which kind of thing.
    pub kind: DumpedKind,
    /// The key of the last one: up to three parts, as the store orders them.
    pub after: Arc<[Arc<str>]>,
}

/// The kinds in the order of a dump.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum DumpedKind {
    /// Users.
    Users,
    /// Blocks.
    Blocks,
    /// Conversations.
    Conversations,
    /// Participants.
    Participants,
    /// Memberships that have ended.
    Memberships,
    /// Messages, along the logs.
    Messages,
    /// Revisions.
    Revisions,
    /// Other Changes.
    Changes,
    /// Import keys.
    Keys,
}

/// A user. Names that are `None` are at their defaults.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DumpedUser {
    /// The host application's id.
    pub id: UserId,
    /// A short name.
    pub username: Option<Arc<str>>,
    /// The name to show.
    pub name: Option<Arc<str>>,
    /// The address for mail.
    pub email: Option<Arc<str>>,
    /// Address of a picture.
    pub avatar: Option<Arc<str>>,
    /// Whether he is refused everywhere.
    pub banned: bool,
    /// Tokens issued before this moment are refused; zero: none are.
    pub revoked_before: Millis,
    /// When his last socket went away; zero when none ever did.
    pub last_seen: Millis,
    /// When he became known.
    pub created_at: Millis,
}

/// That somebody has blocked somebody.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DumpedBlock {
    /// Who has.
    pub blocker: UserId,
    /// Whom.
    pub blocked: UserId,
    /// Since when.
    pub at: Millis,
}

/// A conversation without its participants.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DumpedConversation {
    /// Its id.
    pub id: ConversationId,
    /// Direct or group.
    pub kind: ConversationKind,
    /// What may still be done in it.
    pub state: ConversationState,
    /// A name to show.
    pub title: Option<Arc<str>>,
    /// What it is about.
    pub subject: Option<Arc<str>>,
    /// The host application's id.
    pub external_id: Option<Arc<str>>,
    /// What makes a direct conversation unique: the two and the subject, in the store's form.
    pub direct_key: Option<Arc<str>>,
    /// Opaque JSON.
    pub metadata: Option<Arc<str>>,
    /// The seq of its last Change.
    pub last_seq: Seq,
    /// The version of its watermarks.
    pub receipts: u64,
    /// When it was made.
    pub created_at: Millis,
    /// When something was last said in it.
    pub active_at: Millis,
    /// The latest time in its log.
    pub latest_at: Millis,
}

/// Somebody in a conversation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DumpedParticipant {
    /// Where.
    pub conversation: ConversationId,
    /// Who.
    pub user: UserId,
    /// What he may do.
    pub role: Role,
    /// He sees Changes after this one.
    pub joined_seq: Seq,
    /// The Change that brought him in; zero for those who were there from the first.
    pub entered_seq: Seq,
    /// Every Change up to here has reached him.
    pub delivered_seq: Seq,
    /// He has read everything up to here.
    pub read_seq: Seq,
    /// The version of his watermark.
    pub receipt_version: u64,
    /// When it moved.
    pub receipt_at: Millis,
    /// When he came.
    pub joined_at: Millis,
}

/// A part of a log that somebody saw before he left.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DumpedMembership {
    /// Where.
    pub conversation: ConversationId,
    /// Who.
    pub user: UserId,
    /// He saw what came after this.
    pub from_seq: Seq,
    /// His leaving.
    pub to_seq: Seq,
}

/// A message in its present state.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DumpedMessage {
    /// Its id.
    pub id: MessageId,
    /// Where it was said.
    pub conversation: ConversationId,
    /// The seq of its creation.
    pub seq: Seq,
    /// The seq of its last change.
    pub change_seq: Seq,
    /// Who said it.
    pub sender: UserId,
    /// The name that the sender's client gave the send.
    pub client_id: Option<ClientId>,
    /// The hash of what was sent first, by which a repetition is told from a conflict.
    pub content_hash: [u8; 32],
    /// Said by the sender, or by the system.
    pub kind: MessageKind,
    /// What it says; `None` when it is deleted.
    pub text: Option<Arc<str>>,
    /// Opaque JSON.
    pub metadata: Option<Arc<str>>,
    /// The message that it answers.
    pub reply_to: Option<MessageId>,
    /// When it was stored.
    pub created_at: Millis,
    /// When it was last edited.
    pub edited_at: Option<Millis>,
    /// When it was deleted.
    pub deleted_at: Option<Millis>,
}

/// What a message said before.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DumpedRevision {
    /// Which message.
    pub message: MessageId,
    /// The Change that made this text the message's.
    pub seq: Seq,
    /// The text.
    pub text: Arc<str>,
    /// From when it stood.
    pub at: Millis,
}

/// What a Change that is no message is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DumpedChangeKind {
    /// Somebody joined.
    Joined,
    /// Somebody left or was removed.
    Left,
    /// Somebody got another role.
    Role,
    /// Title, state or metadata changed.
    Settings,
}

/// A Change that is no message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DumpedChange {
    /// Where.
    pub conversation: ConversationId,
    /// Its place in the log.
    pub seq: Seq,
    /// What changed.
    pub kind: DumpedChangeKind,
    /// Who did it.
    pub actor: UserId,
    /// To whom.
    pub user: Option<UserId>,
    /// The role that he has since.
    pub role: Option<Role>,
    /// The new title; empty when it was removed.
    pub title: Option<Arc<str>>,
    /// The new state.
    pub state: Option<ConversationState>,
    /// The new metadata; empty when it was removed.
    pub metadata: Option<Arc<str>>,
    /// When.
    pub at: Millis,
}

/// What an import key names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum KeyKind {
    /// A user; there is no number behind it.
    User,
    /// A conversation.
    Conversation,
    /// A message.
    Message,
}

/// Under which id of a host application something was imported.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DumpedKey {
    /// The name of the host application.
    pub source: Arc<str>,
    /// What it names.
    pub kind: KeyKind,
    /// The host's id.
    pub host_id: Arc<str>,
    /// The conversation's or message's id here; zero for a user.
    pub target: u64,
    /// The hash of what its last import brought.
    pub state: [u8; 16],
}
