//! How processes wake each other.
//!
//! A bus carries hints and Signals only. Losing any of its messages costs latency, never data: whoever is
//! woken reads the Changes from the store, and a poll finds what no hint announced (guarantee G8). Whoever can
//! write to the bus can at most wake somebody in vain, or show somebody typing: nothing durable is believed from it.

use std::{sync::Arc, time::Duration};

use super::BoxFuture;
use crate::{
    error::Result,
    event::PresenceStatus,
    ids::{ConversationId, NodeId, Seq, UserId},
    model::Millis,
};

/// Whom a message concerns. Processes listen to the topics of which they have somebody.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Topic {
    /// Every process. Always listened to.
    Everyone,
    /// One process. Each listens to its own always.
    Node(NodeId),
    /// Those with a participant of the conversation.
    Conversation(ConversationId),
    /// Those with a connection of the user.
    User(UserId),
    /// Those with a subscriber of a channel of the Pusher protocol.
    Channel {
        /// The application's id.
        app: Arc<str>,
        /// The channel's name.
        channel: Arc<str>,
    },
}

/// What crosses the bus.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BusMessage {
    /// Whom it concerns.
    pub topic: Topic,
    /// What it says.
    pub hint: Hint,
}

/// What one process tells another.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Hint {
    /// The conversation's log has grown up to this seq.
    Head {
        /// Which.
        conversation: ConversationId,
        /// Up to where.
        seq: Seq,
    },
    /// The watermarks of the conversation have moved up to this version.
    Receipts {
        /// Which.
        conversation: ConversationId,
        /// Up to where.
        version: u64,
    },
    /// What the store keeps of a user has changed: conversations, blocks, sessions, whether he may come in.
    User(UserId),
    /// Somebody writes in a conversation, or stopped.
    Typing {
        /// Where.
        conversation: ConversationId,
        /// Who.
        user: UserId,
        /// Whether he writes.
        active: bool,
        /// After this it is over if nothing more is said.
        life: Duration,
    },
    /// Who is there, as the speaker knows it of its own connections. It holds for a while and is repeated
    /// before its time is over (a lease), so that a lost one, or a dead process, is not believed for long.
    Presence(Vec<Seen>),
    /// Asks those who have people of these conversations to tell the speaker of them, with [`Self::Presence`].
    WhoIsThere(Vec<ConversationId>),
    /// The speaker lives. Repeated by each process; who is not heard for a while is dead, and nobody is there with it.
    Alive,
    /// The speaker ends, and nobody is there with it any more.
    Leaving,
    /// What the Pusher protocol's applications tell each other, in their own encoding.
    Channel(Arc<[u8]>),
}

/// A person at a process.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seen {
    /// Who.
    pub user: UserId,
    /// What he is there.
    pub status: PresenceStatus,
    /// When his last connection there went; zero when one is there, or none ever was.
    pub last_seen: Millis,
    /// In which conversations those may know it who hear this message.
    pub conversations: Vec<ConversationId>,
}

/// Takes what comes over the bus. Called in the order of arrival; it must not block.
pub trait BusListener: Send + Sync + 'static {
    /// A message came. It may concern topics that nobody listens to any more, come twice, late or never.
    fn received(&self, from: NodeId, hint: Hint);

    /// Messages may have been lost (a reconnect, an overrun): everything must be looked at again.
    fn lagged(&self);
}

/// Wakes other processes.
pub trait Bus: Send + Sync + 'static {
    /// Tells the other processes. Never called with what the sender itself must still deliver: a process
    /// does not hear itself. Returns once the messages are on their way; it does not wait for their arrival, and
    /// when too much waits already it gives them up.
    ///
    /// # Errors
    /// [`crate::Code::Unavailable`]. The caller counts it; nobody is refused because of it.
    fn publish(&self, messages: Vec<BusMessage>) -> Result<()>;

    /// Listens to topics from when the future ends: then what is published reaches the listener (as far as a bus
    /// promises that). It ends after a second at the latest, also when the bus cannot be reached. Each topic is
    /// counted: it must be ignored as often as it was listened to.
    fn listen(&self, topics: Vec<Topic>) -> BoxFuture<'_, ()>;

    /// Listens to topics no longer.
    fn ignore(&self, topics: &[Topic]);

    /// What is said on topics with the same number reaches the same processes, so that it can be said in one message.
    /// `None`: only what is said on the topic itself.
    fn share(&self, topic: &Topic) -> Option<u32> {
        let _ = topic;
        None
    }

    /// Whether other processes can be reached, for health.
    fn is_healthy(&self) -> bool;

    /// Whether there may be other processes at all. Where not, nothing needs to be polled for them.
    fn is_shared(&self) -> bool;
}
