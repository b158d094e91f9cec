//! Where sockets stand whose clients cannot say it themselves, kept from one socket to the next.
//!
//! A row is live while its socket is, then it waits for the next socket of the same key, then it expires. Rows that
//! were live in a process that has ended wait as if they had been cut when that was noticed: when the store opened,
//! or, where several processes share it, when the lease of the dead one ended ([`super::ClusterStore`]).

use std::sync::Arc;

use super::Context;
use crate::{
    error::Result,
    ids::{ConversationId, Position, Seq, UserId},
    model::Millis,
    port::BoxFuture,
};

/// How long a socket that was cut waits for its successor: 7 days, in milliseconds.
pub const CUT_SOCKET_WAITS: Millis = 7 * 24 * 3_600_000;

/// How long a socket waits that its client has closed itself: a minute, in milliseconds.
pub const CLOSED_SOCKET_WAITS: Millis = 60_000;

/// So many sockets of one key wait at most; past it the oldest is forgotten.
pub const MOST_WAITING_SOCKETS: usize = 20;

/// One call of [`SocketStore::sweep_sockets`] forgets so many at most.
pub const MOST_SWEPT_SOCKETS: usize = 500;

/// Which sockets continue each other.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct SocketKey {
    /// Whose.
    pub user: UserId,
    /// The name of the dialect that it speaks.
    pub dialect: &'static str,
    /// The only conversation that it carries; `None`: all of the user's.
    pub scope: Option<ConversationId>,
    /// The device that the client names, if it names one. The caller has bounded its length.
    pub device: Option<Arc<str>>,
    /// A mark by which kinds of clients are told apart (what their browser or program says of itself), where they
    /// name no device: a phone that comes back does not take the place of a laptop that sleeps.
    pub agent: Option<u32>,
}

/// A socket in the store. Given by the store, never reused, below 2^53.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SocketId(pub u64);

/// Where a new socket begins.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClaimedSocket {
    /// The name of its row.
    pub id: SocketId,
    /// `None`: a first socket, which gets nothing old. Else it gets what came after each of these places, and of a
    /// conversation that is not named here everything that its user sees: it is new to this socket. In the order of
    /// conversations.
    pub positions: Option<Vec<(ConversationId, Position)>>,
}

/// What a process knows of its live sockets of a key while another one of the same key begins. One of them may be dead
/// without anybody knowing, and the new one its client's return, which is to miss nothing.
#[derive(Clone, Default, Debug)]
pub struct Siblings {
    /// Up to where they have certainly received, in any order; a conversation may come several times.
    pub in_flight: Vec<(ConversationId, Position)>,
    /// Whether one of them has just begun: its claim may be under way, or not everything has been sent that it missed. What
    /// is in flight does not say where it stands then, but its row does.
    pub beginning: bool,
}

/// Where sockets stand.
pub trait SocketStore: Send + Sync + 'static {
    /// Gives a socket that begins its row: of those of its key that wait at `now`, the one that has waited longest,
    /// which becomes live with its positions as they are; else a new one that stands at `heads`.
    ///
    /// A row that waits for another kind of client ([`SocketKey::agent`], where both are known) is left to that one.
    ///
    /// It may be the return of one of its live `siblings` whose end nobody has noticed yet, so it begins no later than
    /// they have certainly received: positions (of either kind of row) are lowered to that. Conversations that the row does
    /// not name are not added. Where one of them is [`Siblings::beginning`], the positions of live rows of the same key bound
    /// it too.
    ///
    /// Where several processes share the store, live rows of the same key that other processes hold are siblings always:
    /// the new socket begins no later than where they are proved to be. One whose process is certainly dead is taken.
    fn claim_socket(
        &self,
        key: SocketKey,
        heads: Vec<(ConversationId, Position)>,
        siblings: Siblings,
        now: Millis,
    ) -> BoxFuture<'_, Result<ClaimedSocket>>;

    /// The actor's socket has received everything up to these places: moves its positions forward, never back or
    /// past the end of a log, and the actor's own delivered marks with them, publishing a Receipt for each that
    /// moved. Conversations that do not exist are left out; where he is no participant, only the position moves.
    ///
    /// # Errors
    /// [`crate::Code::NotFound`] when he has no such socket.
    fn acknowledge_socket(
        &self,
        context: Context,
        id: SocketId,
        received: Vec<(ConversationId, Seq)>,
    ) -> BoxFuture<'_, Result<()>>;

    /// A socket has ended. Its row waits for [`CUT_SOCKET_WAITS`], or, when its client has closed it (`clean`), for
    /// [`CLOSED_SOCKET_WAITS`]. Changes nothing when it waits already or is not there.
    fn release_socket(&self, id: SocketId, clean: bool, now: Millis) -> BoxFuture<'_, Result<()>>;

    /// Forgets sockets that have waited to their end at `now`, at most [`MOST_SWEPT_SOCKETS`]; how many it were.
    /// The wait of those that a crash has left begins with the first call after it.
    fn sweep_sockets(&self, now: Millis) -> BoxFuture<'_, Result<u64>>;
}
