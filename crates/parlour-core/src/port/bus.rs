//! How processes wake each other.
//!
//! A bus carries hints and Signals only. Losing any of its messages costs latency, never data: whoever is
//! woken reads the Changes from the store, and a poll finds what no hint announced (guarantee G8).

use std::sync::Arc;

use super::BoxFuture;
use crate::{
    error::Result,
    ids::{ConversationId, Seq},
};

/// What crosses the bus.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BusMessage {
    /// The conversation's log has grown up to this seq.
    Head {
        /// Which.
        conversation: ConversationId,
        /// Up to where.
        seq: Seq,
    },
    /// A Signal or watermark, in the bytes of the sender's encoder. It may be lost.
    Signal(Arc<[u8]>),
}

/// Takes what comes over the bus. Called in the order of arrival; it must not block.
pub trait BusListener: Send + Sync + 'static {
    /// A message came.
    fn received(&self, message: BusMessage);

    /// Messages may have been lost (a reconnect, an overrun): every head must be read again.
    fn lagged(&self);
}

/// Wakes other processes.
pub trait Bus: Send + Sync + 'static {
    /// Tells the other processes. Never called with what the sender itself must still deliver: a process
    /// does not hear itself.
    ///
    /// # Errors
    /// [`crate::Code::Unavailable`]. The caller logs and counts it; nobody is refused because of it.
    fn publish(&self, messages: Vec<BusMessage>) -> BoxFuture<'_, Result<()>>;

    /// Whether other processes can be reached, for health.
    fn is_healthy(&self) -> bool;
}
