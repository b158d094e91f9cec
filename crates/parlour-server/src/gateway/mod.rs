//! Sockets: from the accepted connection to the hub that fans events out.
//!
//! - [`listener`] accepts and serves HTTP with deadlines; [`upgrade`] turns a request into a socket, [`doors`] knows which path speaks what, [`entry`] lets a connection in and out of the hub.
//! - [`connection`] reads one socket, [`heard`] says what the bytes meant, [`farewell`] ends it well. [`link`] is what the rest of the process sees of a
//!   socket: its bounded queue and its deadlines; [`socket`] is the byte stream under it, [`compression`] makes large frames smaller.
//! - [`client`] is who speaks a dialect over a socket, [`conn`] what the hub sees of him; [`session`] carries out what he asks, [`focus`] a part of it.
//! - [`resume`] gives what was missed to those who ask for it, [`implicit`] to those who cannot, of which [`missed`] tells what that is; [`ledger`] knows what has proof of arrival.
//! - [`dispatcher`] takes what the store has committed, in order, to the [`hub`], which knows who listens.
//! - [`cluster`] is this process among others: what they write is read and delivered, what happens here they are told.
//! - [`stream`] serves the same events as server-sent events and by polling.
//! - [`sweep`] is the one timer for all connections.

pub(crate) mod admission;
pub(crate) mod client;
pub(crate) mod close;
pub(crate) mod cluster;
mod compression;
pub(crate) mod conn;
pub(crate) mod connection;
mod cursor;
pub(crate) mod dispatcher;
mod doors;
#[cfg(feature = "conformance")]
mod echo;
mod entry;
pub(crate) mod farewell;
mod focus;
pub(crate) mod frames;
mod heard;
mod http_stream;
pub(crate) mod hub;
pub(crate) mod implicit;
mod ledger;
pub(crate) mod link;
pub(crate) mod listener;
mod missed;
mod preauth;
mod resume;
pub(crate) mod send_queue;
pub(crate) mod session;
pub(crate) mod socket;
mod stream;
mod sweep;
pub(crate) mod upgrade;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use parlour_core::{limits::Limits, port::clock::Clock, service::Chat};

pub(crate) use self::{
    admission::Admission,
    cluster::Cluster,
    compression::Compression,
    dispatcher::{Dispatcher, Inbox},
    hub::Hub,
    upgrade::routes,
};
use crate::{auth::Auth, config::DialectsSection, metrics::Metrics, pusher::Pusher, tasks::Tasks};

/// How often the end of a shutdown's wait is looked for.
const POLL: Duration = Duration::from_millis(20);

/// Everything that a connection needs of the process. Shared by all.
pub(crate) struct Gateway {
    pub(crate) hub: Arc<Hub>,
    pub(crate) chat: Arc<Chat>,
    pub(crate) auth: Arc<Auth>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) tasks: Tasks,
    pub(crate) admission: Arc<Admission>,
    /// What the store hands on comes by here.
    pub(crate) inbox: Arc<Inbox>,
    /// This process among others.
    pub(crate) cluster: Arc<Cluster>,
    /// Applications of the Pusher protocol, with their sockets and channels.
    pub(crate) pusher: Arc<Pusher>,
    /// For clients that ask for message compression; `None`: nobody gets it.
    pub(crate) compression: Option<Compression>,
    /// What sockets of the old dialects speak when they do not say.
    pub(crate) dialects: DialectsSection,
    /// Over which reconnects are spread when the server goes away.
    pub(crate) drain_spread: Duration,
    /// How many connections there have been.
    pub(crate) connections: AtomicU64,
}

/// At the end connections are sent away in so many portions, at most,
const PORTIONS: usize = 50;
/// of so many, at least.
const PORTION: usize = 100;

impl Gateway {
    /// A number for a connection, which no other one of this process has or had.
    pub(crate) fn new_key(&self) -> u64 {
        self.connections.fetch_add(1, Relaxed) + 1
    }

    /// Starts the shared timer.
    pub(crate) fn start(self: &Arc<Self>) {
        let gateway = Arc::clone(self);
        self.tasks.spawn("sweep", sweep::run(gateway));
    }

    /// Tells every client to come back later and waits until their connections have ended (guarantee G18).
    /// No new command is accepted from now on; what was accepted is answered first.
    pub(crate) async fn drain(&self, within: Duration) {
        self.hub.begin_drain();
        let answered = async {
            while self.hub.open_commands.load(Relaxed) > 0 {
                tokio::time::sleep(POLL).await;
            }
            self.inbox.settled().await;
        };
        if tokio::time::timeout(within / 2, answered).await.is_err() {
            tracing::warn!("not every command was answered in time");
        }
        let left = || self.hub.connection_count() + self.pusher.channels.socket_count();
        let gone = async {
            tokio::join!(self.send_away(), self.pusher.send_away(self.drain_spread));
            while left() > 0 {
                tokio::time::sleep(POLL).await;
            }
        };
        if tokio::time::timeout(within / 2, gone).await.is_err() {
            tracing::warn!(left = left(), "not every connection ended in time");
            self.hub.abort_all();
            self.pusher.abort_all();
        }
    }

    /// Says goodbye to everybody, in portions over a while, so that other processes are not stormed by all at once.
    async fn send_away(&self) {
        // Sockets of the Pusher protocol are sent away by it.
        let mut conns = self.hub.connections();
        conns.retain(|conn| conn.channel.is_none());
        let pause = self.drain_spread / u32::try_from(PORTIONS).unwrap_or(u32::MAX);
        let portion = conns.len().div_ceil(PORTIONS).max(PORTION);
        for (number, portion) in conns.chunks(portion).enumerate() {
            if number > 0 {
                tokio::time::sleep(pause).await;
            }
            Hub::send_away(portion, self.drain_spread);
        }
    }
}
