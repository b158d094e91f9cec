//! One socket, as the channels know it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use parlour_core::command::Identity;
use parlour_wire::pusher::{ChannelName, SignedInUser, SocketId};
use tokio::sync::Semaphore;

use super::super::apps::App;
use crate::gateway::link::Link;
use crate::hash::{HashMap, HashSet};

/// So many channels of the chat are opened at the same time; further ones wait their turn.
const OPENING: usize = 4;

/// The client's own name for its device.
#[derive(Clone, Default)]
pub(crate) struct Device {
    /// As the client names it.
    pub(crate) name: Option<Arc<str>>,
    /// A mark of its kind.
    pub(crate) agent: Option<u32>,
}

/// A socket of an application's client.
pub(crate) struct Socket {
    pub(crate) id: SocketId,
    pub(crate) app: Arc<App>,
    pub(crate) link: Arc<Link>,
    pub(crate) device: Device,
    /// Channels of the chat that it opens at the same time.
    pub(crate) opening: Semaphore,
    /// When it was opened, in process time.
    pub(super) opened: Duration,
    /// It has signed in, or has had a channel that takes a signature.
    authorized: AtomicBool,
}

impl Socket {
    pub(super) fn new(
        id: SocketId,
        app: Arc<App>,
        link: Arc<Link>,
        device: Device,
        opened: Duration,
    ) -> Arc<Self> {
        let opening = Semaphore::new(OPENING);
        let authorized = AtomicBool::new(false);
        Arc::new(Self { id, app, link, device, opening, opened, authorized })
    }

    pub(super) fn is_authorized(&self) -> bool {
        self.authorized.load(Relaxed)
    }

    pub(super) fn authorize(&self) {
        self.authorized.store(true, Relaxed);
    }
}

/// What the table of its application knows of a socket.
pub(super) struct Entry {
    pub(super) socket: Arc<Socket>,
    pub(super) channels: HashSet<ChannelName>,
    /// As whom it is signed in.
    pub(super) user: Option<SignedInUser>,
    /// For whom it was allowed a channel by this server itself.
    grants: HashMap<ChannelName, Identity>,
}

impl Entry {
    pub(super) fn new(socket: Arc<Socket>) -> Self {
        Self { socket, channels: HashSet::default(), user: None, grants: HashMap::default() }
    }

    /// Remembers a grant, of `most` at most; the last word on a channel counts.
    pub(super) fn grant(&mut self, channel: &ChannelName, identity: &Identity, most: usize) {
        if self.grants.len() < most || self.grants.contains_key(channel) {
            self.grants.insert(channel.clone(), identity.clone());
        }
    }

    pub(super) fn granted(&self, channel: &ChannelName) -> Option<&Identity> {
        self.grants.get(channel)
    }
}
