//! What the domain keeps: plain data with public fields.

mod account;
mod conversation;
mod message;
mod user;

pub use account::{ApiKey, Credential, Session, SessionId, TokenHash};
pub use conversation::{
    Conversation, ConversationKind, ConversationState, ConversationSummary, Membership,
    Participant, Peer, Role, Watermark,
};
pub use message::{Content, Message, MessageKind, Revision};
pub use user::{Profile, User, UserState};

/// Milliseconds since the Unix epoch, UTC.
pub type Millis = i64;
