//! Sockets: from the accepted connection to the hub that fans events out.
//!
//! - [`listener`] accepts and serves HTTP with deadlines; [`upgrade`] turns a request into a socket, [`doors`] knows which path speaks what, [`entry`] lets a connection in and out of the hub.
//! - [`connection`] reads one socket, [`heard`] says what the bytes meant, [`farewell`] ends it well. [`link`] is what the rest of the process sees of a
//!   socket: its bounded queue and its deadlines; [`socket`] is the byte stream under it.
//! - [`client`] is who speaks a dialect over a socket, [`conn`] what the hub sees of him; [`session`] carries out what he asks, [`focus`] a part of it.
//! - [`resume`] gives what was missed to those who ask for it, [`implicit`] to those who cannot, of which [`missed`] tells what that is; [`ledger`] knows what has proof of arrival.
//! - [`dispatcher`] takes what the store has committed, in order, to the [`hub`], which knows who listens.
//! - [`stream`] serves the same events as server-sent events and by polling.
//! - [`sweep`] is the one timer for all connections.

pub(crate) mod admission;
pub(crate) mod client;
pub(crate) mod close;
pub(crate) mod conn;
pub(crate) mod connection;
mod cursor;
pub(crate) mod dispatcher;
mod doors;
mod entry;
pub(crate) mod farewell;
mod focus;
pub(crate) mod frames;
mod heard;
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
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use parlour_core::{limits::Limits, port::clock::Clock, service::Chat};

pub(crate) use self::{
    admission::Admission,
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
    /// Applications of the Pusher protocol, with their sockets and channels.
    pub(crate) pusher: Arc<Pusher>,
    /// What sockets of the old dialects speak when they do not say.
    pub(crate) dialects: DialectsSection,
    /// Over which reconnects are spread when the server goes away.
    pub(crate) drain_spread: Duration,
}

impl Gateway {
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
        self.hub.send_away(self.drain_spread);
        let left = || self.hub.connection_count() + self.pusher.channels.socket_count();
        let gone = async {
            self.pusher.send_away(self.drain_spread).await;
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
}
