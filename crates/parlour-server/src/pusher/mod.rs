//! Pusher Channels: applications, their sockets and channels, their HTTP API and webhooks.
//!
//! - [`apps`] are the applications of the configuration. Nothing of one is visible to another.
//! - [`door`] lets clients in, [`socket`] is what one of them may ask, [`chat`] makes a channel one of the chat's.
//! - [`channels`] knows who has which channel, and carries events to them; [`hooks`] takes what applications are told.
//! - [`cluster`] is this process among the others.
//! - [`api`] is the signed HTTP API of their servers, [`auth`] signs for the chat's channels, [`webhooks`] tells those
//!   servers.

pub(crate) mod api;
pub(crate) mod apps;
mod auth;
pub(crate) mod channels;
mod chat;
pub(crate) mod cluster;
pub(crate) mod door;
pub(crate) mod hooks;
mod socket;
pub(crate) mod webhooks;

use std::{sync::Arc, time::Duration};

use parlour_core::{
    NodeId,
    port::{
        bus::{Bus, Topic},
        clock::{Clock, Random},
    },
};
use parlour_wire::pusher::CloseCode;
use tokio::sync::mpsc::Receiver;

use self::{
    apps::Apps,
    channels::{Channels, Room},
    cluster::Cluster,
    hooks::{Hook, Hooks},
};
use crate::{gateway::link::Link, metrics::Metrics, tasks::Tasks};

/// At the end of the server clients are sent away in so many portions, at most,
const PORTIONS: usize = 100;
/// of so many clients, at least.
const PORTION: usize = 50;

/// Everything of the Pusher protocol that a process has.
pub(crate) struct Pusher {
    /// The applications.
    pub(crate) apps: Apps,
    /// Their channels.
    pub(crate) channels: Arc<Channels>,
    /// This process among the others.
    cluster: Arc<Cluster>,
}

/// What it is made of.
pub(crate) struct Parts {
    pub(crate) apps: Apps,
    pub(crate) room: Room,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) metrics: Arc<Metrics>,
}

impl Pusher {
    /// With nobody connected, and where webhooks' events come out.
    pub(crate) fn new(parts: Parts) -> (Arc<Self>, Receiver<Hook>) {
        let Parts { apps, room, clock, random, metrics } = parts;
        let (hooks, waiting) = Hooks::new(metrics.clone());
        let cluster = Cluster::new(clock.clone(), &*random, metrics.clone(), hooks.clone());
        let channels = Channels::new(&apps, room, clock, random, metrics, hooks, cluster.clone());
        (Arc::new(Self { apps, channels, cluster }), waiting)
    }

    /// Begins to work together with other processes. Called once, before anybody is served; without it this process
    /// is the only one.
    pub(crate) fn join(self: &Arc<Self>, bus: Arc<dyn Bus>, tasks: &Tasks) {
        if self.cluster.join(bus, tasks) {
            self.channels.wonder_again(&Topic::Everyone);
        }
    }

    /// Another process says something: the bytes of a `Hint::Channel`. It may come twice, late, or be no message.
    pub(crate) fn heard(&self, from: NodeId, bytes: &[u8]) {
        if !self.cluster.is_shared() {
            return;
        }
        if let Some(message) = self.cluster.read(bytes) {
            self.channels.heard(from, message);
        }
    }

    /// Something may have been missed on the bus.
    pub(crate) fn lagged(&self) {
        self.cluster.spare();
        self.channels.wonder_again(&Topic::Everyone);
    }

    /// Another process has said that it ends, or was not heard for so long that it counts as dead.
    pub(crate) fn node_gone(&self, node: NodeId) {
        if self.cluster.judges() {
            self.channels.forget_node(node);
        }
    }

    /// Every socket, for the sweep.
    pub(crate) fn links(&self) -> Vec<Arc<Link>> {
        self.channels.links()
    }

    /// Sends every client away, to come back at once. They know no later time, so a crowd is sent in portions over
    /// `spread`.
    pub(crate) async fn send_away(&self, spread: Duration) {
        let links = self.links();
        let pause = spread / u32::try_from(PORTIONS).unwrap_or(u32::MAX);
        let portion = links.len().div_ceil(PORTIONS).max(PORTION);
        for (number, portion) in links.chunks(portion).enumerate() {
            if number > 0 {
                tokio::time::sleep(pause).await;
            }
            for link in portion {
                channels::end(link, CloseCode::RECONNECT);
            }
        }
    }

    /// Gives every socket up.
    pub(crate) fn abort_all(&self) {
        for link in self.links() {
            link.abort();
        }
    }
}
