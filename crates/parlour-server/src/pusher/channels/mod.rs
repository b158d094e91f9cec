//! Who has which channel, and the way of events to them.

use std::{collections::BTreeMap, sync::Arc};

use parlour_core::{
    command::Identity,
    port::clock::{Clock, Random},
};
use parlour_wire::pusher::{
    ChannelName, SocketId,
    http::{ChannelInfo, Info, Trigger},
};

use super::{
    apps::{App, Apps},
    hooks::Hooks,
};
use crate::{gateway::link::Link, metrics::Metrics};

/// How much channels may hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    /// Channels of one connection.
    pub(crate) channels_per_connection: usize,
    /// Bytes of what cache channels and histories of one application keep.
    pub(crate) kept_bytes: usize,
}

/// The channels of every application.
pub(crate) struct Channels {}

impl Channels {
    pub(crate) fn new(
        _apps: &Apps,
        _room: Room,
        _clock: Arc<dyn Clock>,
        _random: Arc<dyn Random>,
        _metrics: Arc<Metrics>,
        _hooks: Hooks,
    ) -> Self {
        Self {}
    }

    /// Sends an event of the application's server to everybody on its channels.
    pub(crate) fn publish(&self, _app: &Arc<App>, _event: &Trigger) {}

    /// The channels that somebody has and whose names begin with `prefix`, with what is asked about each.
    pub(crate) fn occupied(
        &self,
        _app: &Arc<App>,
        _prefix: &str,
        _wanted: Info,
    ) -> BTreeMap<String, ChannelInfo> {
        BTreeMap::new()
    }

    /// What is asked about a channel. Attributes that its kind has not are left out; `occupied` is always there.
    pub(crate) fn info(&self, _app: &Arc<App>, _channel: &ChannelName, _wanted: Info) -> ChannelInfo {
        ChannelInfo::default()
    }

    /// Who is on a presence channel, each once.
    pub(crate) fn users(&self, _app: &Arc<App>, _channel: &ChannelName) -> Vec<Arc<str>> {
        Vec::new()
    }

    /// Closes every connection that is signed in as a user; how many there were.
    pub(crate) fn terminate(&self, _app: &Arc<App>, _user: &str) -> usize {
        0
    }

    /// Remembers for whom a connection was allowed a channel, so that it acts as that user there; whether the
    /// connection is here.
    pub(crate) fn grant(
        &self,
        _app: &Arc<App>,
        _socket: SocketId,
        _channel: &ChannelName,
        _identity: &Identity,
    ) -> bool {
        false
    }

    pub(crate) fn links(&self) -> Vec<Arc<Link>> {
        Vec::new()
    }
}
