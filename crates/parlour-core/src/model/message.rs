//! Messages: what somebody said, in its present state.

use std::sync::Arc;

use super::{Millis, Profile};
use crate::ids::{ClientId, ConversationId, MessageId, Seq};

/// A message in its present state.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// Its id, the same everywhere.
    pub id: MessageId,
    /// Where it was said.
    pub conversation: ConversationId,
    /// The seq of its creation, which is its place in the conversation.
    pub seq: Seq,
    /// The seq of its last change: the creation, an edit or the deletion.
    pub change_seq: Seq,
    /// Who said it.
    pub sender: Arc<Profile>,
    /// The name that the sender's client gave the send.
    pub client_id: Option<ClientId>,
    /// Said by a user, or by the system.
    pub kind: MessageKind,
    /// What it says; `None` once deleted.
    pub content: Option<Content>,
    /// The message that it answers, in the same conversation.
    pub reply_to: Option<MessageId>,
    /// When it was stored; never before its predecessor in the conversation.
    pub created_at: Millis,
    /// When it was last edited.
    pub edited_at: Option<Millis>,
    /// When it was deleted.
    pub deleted_at: Option<Millis>,
}

/// What a message says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Content {
    /// Plain text as it was sent.
    pub text: Arc<str>,
    /// Opaque JSON of the sending application, at most 4 KiB.
    pub metadata: Option<Arc<str>>,
}

/// Who speaks in a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MessageKind {
    /// A user.
    Text,
    /// The host application, on a user's behalf (`booking confirmed`).
    System,
}

/// What an edited message said before.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Revision {
    /// The seq of the Change that made this text the message's.
    pub seq: Seq,
    /// The text.
    pub text: Arc<str>,
    /// From when it stood.
    pub at: Millis,
}
