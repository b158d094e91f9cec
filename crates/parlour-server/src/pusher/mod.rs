//! Pusher Channels: applications, their sockets and channels, their HTTP API and webhooks.
//!
//! - [`apps`] are the applications of the configuration. Nothing of one is visible to another.
//! - [`channels`] knows who has which channel, and carries events to them; [`hooks`] takes what applications are told.
//! - [`api`] is the signed HTTP API of their servers, [`auth`] signs for the chat's channels, [`webhooks`] tells their servers.

pub(crate) mod api;
pub(crate) mod apps;
mod auth;
pub(crate) mod channels;
pub(crate) mod hooks;
pub(crate) mod webhooks;

use std::sync::Arc;

use parlour_core::port::clock::{Clock, Random};
use tokio::sync::mpsc::Receiver;

use self::{
    apps::Apps,
    channels::{Channels, Room},
    hooks::{Hook, Hooks},
};
use crate::{gateway::link::Link, metrics::Metrics};

/// Everything of the Pusher protocol that a process has.
pub(crate) struct Pusher {
    /// The applications.
    pub(crate) apps: Apps,
    /// Their channels.
    pub(crate) channels: Channels,
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
        let channels = Channels::new(&apps, room, clock, random, metrics, hooks);
        (Arc::new(Self { apps, channels }), waiting)
    }

    /// Every socket, for the sweep.
    pub(crate) fn links(&self) -> Vec<Arc<Link>> {
        self.channels.links()
    }
}
