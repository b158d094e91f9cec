//! What a host application's history consists of, and what can be wrong with it.

use std::{fmt, sync::Arc};

use crate::{
    ids::{ClientId, UserId},
    model::{ConversationKind, ConversationState, MessageKind, Millis, Role},
    port::store::ProfileUpdate,
};

/// One record of a host application's history. Ids are the host's, as texts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum History {
    /// A user.
    User(HostUser),
    /// A conversation with its participants.
    Conversation(HostConversation),
    /// A message.
    Message(HostMessage),
    /// How far somebody has read.
    Read(HostRead),
}

/// A user of the host application.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HostUser {
    /// The id, and what is known of him.
    pub profile: ProfileUpdate,
    /// Since when the host knows him.
    pub created_at: Option<Millis>,
}

/// A conversation of the host application.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HostConversation {
    /// The host's id; it becomes the external id.
    pub host_id: Arc<str>,
    /// Direct or group.
    pub kind: ConversationKind,
    /// What may still be done in it.
    pub state: ConversationState,
    /// The object that it is about.
    pub subject: Option<Arc<str>>,
    /// A name to show, for groups.
    pub title: Option<Arc<str>>,
    /// Opaque JSON.
    pub metadata: Option<Arc<str>>,
    /// When it was made; without it, when its first message was.
    pub created_at: Option<Millis>,
    /// Who is in it. All of them see everything. A group without an owner is owned by the first.
    pub participants: Vec<(UserId, Role)>,
}

/// Where a message was said.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Place {
    /// In the conversation with this host's id, which is also the external id.
    Conversation(Arc<str>),
    /// Between these two, about this subject: their direct conversation, which is made if there is none.
    Direct(UserId, UserId, Option<Arc<str>>),
}

/// A message of the host application.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HostMessage {
    /// The host's id.
    pub host_id: Arc<str>,
    /// Where it was said.
    pub place: Place,
    /// Who said it.
    pub sender: UserId,
    /// Said by the sender, or by the system.
    pub kind: MessageKind,
    /// What it says; `None` when it is deleted.
    pub text: Option<Arc<str>>,
    /// Opaque JSON.
    pub metadata: Option<Arc<str>>,
    /// The name that the sender's client gave the send.
    pub client_id: Option<ClientId>,
    /// The host's id of the message that it answers, in the same conversation.
    pub reply_to: Option<Arc<str>>,
    /// When it was said, in microseconds since the Unix epoch: the order is finer than what is kept.
    pub created_micros: i64,
    /// When it was last edited.
    pub edited_at: Option<Millis>,
    /// When it was deleted; the time of writing where the host does not know.
    pub deleted_at: Option<Millis>,
    /// Who has read it.
    pub read_by: ReadBy,
}

impl HostMessage {
    /// When it was said.
    #[must_use]
    pub const fn created_at(&self) -> Millis {
        self.created_micros.div_euclid(1_000)
    }
}

/// Who has read a message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ReadBy {
    /// Everybody in the conversation. History without a word about reading counts as read.
    Everybody,
    /// These, beside its sender.
    Only(Vec<UserId>),
}

/// How far a user has read a conversation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HostRead {
    /// Where.
    pub place: Place,
    /// Who.
    pub user: UserId,
    /// How far.
    pub up_to: ReadUpTo,
}

/// The end of what was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ReadUpTo {
    /// The message with this host's id, and all before it.
    Message(Arc<str>),
    /// Everything said up to this moment.
    Time(Millis),
}

/// A record that cannot be taken in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// Which record of the batch, from zero.
    pub index: usize,
    /// What is wrong.
    pub fault: Fault,
}

/// Why a record cannot be taken in. The texts are for the operator: what is wrong, and what to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fault {
    /// No conversation has this id.
    NoConversation(Arc<str>),
    /// No message has this id.
    NoMessage(Arc<str>),
    /// A direct conversation is between exactly two different users.
    NotTwo,
    /// The sender of a message in a direct conversation, or somebody who is said to have read, is not in it.
    NotIn(UserId),
    /// It is older than what its conversation has already.
    Older,
    /// It was said later than now.
    InFuture,
    /// The external id belongs to a conversation of another kind or of others.
    OtherConversation(Arc<str>),
    /// The sender has another message with this client id in this conversation.
    ClientId,
    /// What is here under this id is something else: a dump goes into an empty store, or into one that holds the same.
    Taken(Arc<str>),
    /// It names something that is not here.
    Dangling(Arc<str>),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoConversation(id) => write!(
                f,
                "there is no conversation `{id}`: put its line before those that name it"
            ),
            Self::NoMessage(id) => {
                write!(f, "there is no message `{id}`: put its line before those that name it")
            }
            Self::NotTwo => f.write_str(
                "a direct conversation is between two different users: make it a group",
            ),
            Self::NotIn(user) => write!(f, "user {user} is not in this conversation"),
            Self::Older => f.write_str(
                "it is older than what its conversation has already: sort the messages by time and id, \
                 or use --merge to put them into their places",
            ),
            Self::InFuture => f.write_str(
                "it was said later than now: look at the time zone of the export and at the clock",
            ),
            Self::OtherConversation(id) => write!(
                f,
                "the external id `{id}` belongs to a conversation of another kind or of other people"
            ),
            Self::ClientId => {
                f.write_str("its sender has another message with this client_id in this conversation")
            }
            Self::Taken(what) => write!(
                f,
                "{what} is here already and is something else: an export goes into an empty database"
            ),
            Self::Dangling(what) => write!(f, "it names {what}, which is not here: the file is incomplete"),
        }
    }
}
