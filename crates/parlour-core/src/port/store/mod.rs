//! The durable truth, as a few small traits. Every method is one atomic business step.
//!
//! # Contract for every implementation
//! - A method that writes answers only after its transaction is flushed to disk (guarantee G1). Concurrent
//!   writes may share a transaction, in the order in which they were called by one task.
//! - A Change takes the conversation's next seq inside the transaction that stores it (G4).
//! - The facts of a decision are read in the same transaction, and [`crate::policy::decide`] is asked there;
//!   when it refuses, nothing is stored.
//! - After a commit and before its callers are answered, the [`CommitSink`] gets the envelopes of the
//!   transaction, those of one conversation in the order of their seqs. Of a step's envelopes exactly one carries
//!   the command's origin: the one that the reply stands for (but all Receipts of one mark of several messages do).
//! - Stored times are `max(now, the conversation's latest)`, so that they never go back in a conversation (G17).
//! - A read sees every write that was answered before it began, and never waits for a writer.
//! - Errors: a refusal carries its own code; [`crate::Code::Unavailable`] means that nothing was stored,
//!   [`crate::Code::Unknown`] that it cannot be told (a connection lost in COMMIT).
//! - A user sees a Change when he is a participant now, and was one as of the message's creation (its own
//!   seq for other Changes). His own leaving is the last that he sees.

mod accounts;
mod cluster;
mod conversations;
mod log;
mod messages;
mod sessions;
mod sockets;
pub mod transfer;
mod users;

pub use self::{
    accounts::AccountStore,
    cluster::{ClusterStore, LEASE, Node, RENEWAL},
    conversations::{ConversationStore, CreatedConversation, ListCursor},
    log::{Head, LogStore, Replay, Standing},
    messages::{Appended, HistoryFrom, HistoryPage, MessagePage, MessageStore, Page, UnreadPage},
    sessions::{Rotation, SessionStore},
    sockets::{
        CLOSED_SOCKET_WAITS, CUT_SOCKET_WAITS, ClaimedSocket, MOST_SWEPT_SOCKETS,
        MOST_WAITING_SOCKETS, Siblings, SocketId, SocketKey, SocketStore,
    },
    users::{ProfileUpdate, UserStore},
};
use crate::{
    command::Actor,
    error::Result,
    event::{Envelope, Origin},
    model::Millis,
    port::BoxFuture,
};

/// Everything that is kept.
pub trait Store:
    UserStore
    + ConversationStore
    + MessageStore
    + LogStore
    + AccountStore
    + SessionStore
    + SocketStore
    + ClusterStore
    + transfer::TransferStore
{
    /// Whether the store answers and can write.
    ///
    /// # Errors
    /// What is wrong.
    fn check(&self) -> BoxFuture<'_, Result<()>>;

    /// Commits what is queued, checkpoints and ends. Later calls answer [`crate::Code::Unavailable`].
    fn close(&self) -> BoxFuture<'_, ()>;

    /// Figures for the metrics page.
    fn stats(&self) -> StoreStats;
}

/// What a store tells of itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct StoreStats {
    /// Transactions committed since the start.
    pub commits: u64,
    /// Writing steps in them.
    pub writes: u64,
    /// Writing steps that wait at this moment.
    pub queued: u64,
    /// Sends whose client id was already known.
    pub duplicates: u64,
}

/// Gets what was committed. Called on the store's writer: it must only hand on.
pub trait CommitSink: Send + Sync + 'static {
    /// These envelopes are durable now.
    fn committed(&self, envelopes: Vec<Envelope>);
}

/// Who asks, when, and over which connection: what every writing step needs to know.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Context {
    /// On whose behalf.
    pub actor: Actor,
    /// The wall clock.
    pub now: Millis,
    /// The command that asks, if it came over a connection.
    pub origin: Option<Origin>,
    /// Whether users unknown so far are made as bare ones (`auth.trust_host_users`).
    pub create_users: bool,
}
