//! What a client may ask in a conversation, whatever its dialect, and what each command answers.

use std::sync::Arc;

use crate::{
    event::PresenceStatus,
    ids::{ClientId, ConversationId, MessageId, Position, Seq, UserId},
    model::{
        ConversationKind, ConversationState, MessageKind, Millis, Participant, Role, SessionId,
        User, Watermark,
    },
    port::store::{Appended, CreatedConversation},
};

/// On whose behalf something is asked. It comes from the sign-in alone, never from a frame.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Actor {
    /// The user.
    pub user: UserId,
    /// With what right.
    pub authority: Authority,
}

impl Actor {
    /// A user who acts for himself.
    #[must_use]
    pub const fn user(user: UserId) -> Self {
        Self { user, authority: Authority::User }
    }

    /// The host application's server, acting for a user.
    #[must_use]
    pub const fn server(user: UserId) -> Self {
        Self { user, authority: Authority::Server }
    }
}

/// With what right somebody acts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Authority {
    /// A user's own sign-in.
    User,
    /// An API key of the host application.
    Server,
}

/// What a signed-in connection asks. Each is answered exactly once (guarantee G14).
#[derive(Clone, PartialEq, Debug)]
pub enum Command {
    /// Say something.
    SendMessage(SendMessage),
    /// Say something to a user: in the direct conversation of the two without a subject, made where there is none.
    SendTo {
        /// To whom.
        user: UserId,
        /// The name of this send; with it a repetition gives the first message back.
        client_id: Option<ClientId>,
        /// What is said.
        text: Arc<str>,
    },
    /// Change what one's message says.
    EditMessage {
        /// Which.
        message: MessageId,
        /// The new text.
        text: Arc<str>,
    },
    /// Take a message back: its content goes everywhere.
    DeleteMessage {
        /// Which.
        message: MessageId,
    },
    /// "I have read (or received) everything up to here".
    Mark {
        /// Where.
        conversation: ConversationId,
        /// How far.
        up_to: MarkTarget,
        /// Read, or only received.
        read: bool,
    },
    /// "I have read up to each of these". Those that are unknown, one's own, or read already change nothing.
    MarkMessages {
        /// Only those of this conversation count, where one is named.
        conversation: Option<ConversationId>,
        /// Which.
        messages: Vec<MessageId>,
    },
    /// "I am writing" or "I stopped".
    Typing {
        /// Where.
        conversation: ConversationId,
        /// Whether he writes.
        active: bool,
    },
    /// The same to a user, in the direct conversation of the two without a subject; nothing where there is none.
    TypeTo {
        /// To whom.
        user: UserId,
        /// Whether he writes.
        active: bool,
    },
    /// "I look at this conversation" or "no longer": its participants are told that he is there.
    Focus {
        /// Which.
        conversation: ConversationId,
        /// Whether he looks at it.
        focused: bool,
    },
    /// Whether the person at this connection is at the keyboard.
    SetAway {
        /// `true`: the screen is hidden or nobody is there.
        away: bool,
    },
    /// Make a conversation, or find the one that stands.
    CreateConversation(NewConversation),
    /// Add somebody.
    AddParticipant {
        /// Where.
        conversation: ConversationId,
        /// Whom.
        user: UserId,
    },
    /// Remove somebody, or leave.
    RemoveParticipant {
        /// Where.
        conversation: ConversationId,
        /// Whom.
        user: UserId,
    },
    /// Receive what was missed, and from then on everything new.
    Resume(Vec<ResumeFrom>),
    /// Sign in, or renew the sign-in of the same user.
    Authenticate {
        /// A JWT.
        token: Arc<str>,
    },
    /// Is the other side there?
    Ping,
}

/// How far a mark goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MarkTarget {
    /// Up to a seq.
    Seq(Seq),
    /// Up to the creation of a message.
    Message(MessageId),
}

/// Where a client stands in one conversation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ResumeFrom {
    /// Where.
    pub conversation: ConversationId,
    /// The last Change it has applied.
    pub position: Position,
    /// The version of the watermarks it has.
    pub receipts: u64,
}

/// Say something in a conversation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SendMessage {
    /// Where.
    pub conversation: ConversationId,
    /// The name of this send; with it a repetition gives the first message back.
    pub client_id: Option<ClientId>,
    /// What is said.
    pub text: Arc<str>,
    /// Opaque JSON, at most 4 KiB.
    pub metadata: Option<Arc<str>>,
    /// The message that it answers.
    pub reply_to: Option<MessageId>,
    /// Said by a user, or (with a server's authority only) by the system.
    pub kind: MessageKind,
    /// Whom the client believes to write to: must be a participant besides the sender, else
    /// [`crate::Code::NotFound`]. No part of what is said.
    pub recipient: Option<UserId>,
    /// Becomes the conversation's subject where it has none. No part of what is said.
    pub subject: Option<Arc<str>>,
}

/// Make a conversation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewConversation {
    /// Direct or group.
    pub kind: ConversationKind,
    /// Who is in it; the actor always is.
    pub participants: Vec<UserId>,
    /// A name to show, for groups.
    pub title: Option<Arc<str>>,
    /// The object of the host application that it is about.
    pub subject: Option<Arc<str>>,
    /// The host application's own id for it.
    pub external_id: Option<Arc<str>>,
    /// Opaque JSON, at most 4 KiB.
    pub metadata: Option<Arc<str>>,
}

/// What may be changed about a conversation. `None` leaves a field as it is.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ConversationPatch {
    /// The new title; an empty one removes it.
    pub title: Option<Arc<str>>,
    /// The new state.
    pub state: Option<ConversationState>,
    /// The new metadata; an empty text removes it.
    pub metadata: Option<Arc<str>>,
}

/// A change of what a participant may do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RoleChange {
    /// Where.
    pub conversation: ConversationId,
    /// Whose.
    pub user: UserId,
    /// The new role. Naming an owner hands the ownership over.
    pub role: Role,
}

/// What carrying out a command gave, for the dialects to put into words.
#[derive(Clone, PartialEq, Debug)]
pub enum Reply {
    /// A message was sent, edited or deleted, or stood so already.
    Message(Appended),
    /// A watermark, where it stands now.
    Marked(Watermark),
    /// A conversation was made or found.
    Conversation(Box<CreatedConversation>),
    /// Somebody was added; `false` when he was there.
    Added(bool),
    /// The sign-in is good.
    Authenticated {
        /// Whose.
        user: Box<User>,
        /// Until when.
        expires_at: Option<Millis>,
    },
    /// What was missed has been sent; from here on everything new follows.
    Resumed(Box<Resumed>),
    /// A conversation is looked at, or no longer.
    Focused(Box<Focused>),
    /// It is done, and there is nothing to say about it.
    Done,
    /// The other side is there; its wall clock.
    Pong(Millis),
}

/// What somebody who looks at a conversation is told of it.
#[derive(Clone, PartialEq, Debug)]
pub struct Focused {
    /// Which.
    pub conversation: ConversationId,
    /// Who is in it, and whether they are there; `None`: he no longer looks at it.
    pub people: Option<Vec<(Participant, PresenceStatus)>>,
}

/// Where a connection stands after a resume.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Resumed {
    /// Every conversation of the user, with where the connection stands in it.
    pub conversations: Vec<ResumeFrom>,
    /// Conversations that could not be replayed.
    pub resync: Vec<(ConversationId, ResyncReason)>,
    /// Conversations that the user is not in.
    pub gone: Vec<ConversationId>,
    /// Who is there of those with whom a conversation is shared.
    pub presence: Vec<(UserId, PresenceStatus)>,
}

/// Why a conversation must be loaded anew.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ResyncReason {
    /// More has changed than is replayed.
    TooLong,
    /// The log was restored or imported over.
    Epoch,
    /// The client is ahead of the log.
    Future,
    /// Events may have been lost on the way.
    Lost,
}

impl ResyncReason {
    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TooLong => "too_long",
            Self::Epoch => "epoch",
            Self::Future => "future",
            Self::Lost => "lost",
        }
    }
}

/// Who a connection belongs to, and until when.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identity {
    /// Who acts.
    pub actor: Actor,
    /// The sign-in that this rests on, where it is one of ours.
    pub session: Option<SessionId>,
    /// When it ends (Unix milliseconds); `None` for an API key.
    pub expires_at: Option<i64>,
    /// When its token was issued (Unix milliseconds).
    pub issued_at: i64,
}
