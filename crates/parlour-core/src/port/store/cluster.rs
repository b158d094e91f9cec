//! What processes on one database must agree on. With one process most of it is trivial.

use std::{sync::Arc, time::Duration};

use crate::{
    error::Result,
    ids::{NodeId, UserId},
    model::Millis,
    port::BoxFuture,
};

/// How long a lease holds that is not renewed: 10 s. Then the process counts as dead.
pub const LEASE: Duration = Duration::from_secs(10);

/// How often a process renews its lease: each second.
pub const RENEWAL: Duration = Duration::from_secs(1);

/// A process with a lease, as it describes itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Node {
    /// Which.
    pub id: NodeId,
    /// The program's version.
    pub version: Arc<str>,
    /// Where it can be found, for the operator.
    pub address: Arc<str>,
    /// Which bus it is on: processes must be on the same one to hear each other. Empty: on none.
    pub bus: Arc<str>,
    /// When it started, by the database's clock.
    pub started_at: Millis,
}

/// What processes on one database must agree on.
pub trait ClusterStore: Send + Sync + 'static {
    /// Takes or renews this process's lease; gives all whose lease holds, itself included, in the order of ids.
    /// `started_at` is set by the store.
    ///
    /// Sockets ([`super::SocketStore`]) that were live in a process whose lease has ended wait from then on.
    fn renew_lease(&self, own: Node) -> BoxFuture<'_, Result<Vec<Node>>>;

    /// Takes a duty of which one process at a time does its share, for so long: whether this process has it now. Who
    /// has it keeps it by asking again in time.
    fn take_duty(&self, duty: &'static str, period: Duration) -> BoxFuture<'_, Result<bool>>;

    /// The versions of what is kept of users, in the given order, those that are unknown left out. A version grows
    /// whenever the user gets into a conversation or out of one, is banned, readmitted or revoked, loses a
    /// session, blocks or is blocked; so who has seen a version knows whether he must look again.
    fn user_versions(&self, users: Vec<UserId>) -> BoxFuture<'_, Result<Vec<(UserId, u64)>>>;

    /// The database's clock.
    fn database_time(&self) -> BoxFuture<'_, Result<Millis>>;
}
