//! Who has which channel, and the way of events to them.
//!
//! Every application has one table under one lock. Under it frames are only put into the queues of sockets; sockets
//! are written after it is released. What happens to one channel on one process happens in one order for everybody.
//!
//! - [`table`] is that state, [`subscribe`] and [`users`] are what clients do with it.
//! - [`shared`] is what is told to other processes about it, [`hearing`] what they tell, with [`peers`] as the memory of it;
//!   [`warm`] begins to listen, [`remote`] reads and answers, [`survey`] asks all of them.

mod hearing;
mod kept;
mod key;
mod peers;
mod pending;
mod presence;
mod remote;
mod shared;
mod socket;
mod subscribe;
mod survey;
mod table;
mod users;
mod warm;

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use parking_lot::{Mutex, MutexGuard};
use parlour_core::port::clock::{Clock, Random};
use parlour_wire::pusher::{
    ChannelName, CloseCode, SocketId, channel::Access, encode, http::Trigger, webhook::WebhookEvent,
};
use tokio::sync::Notify;

use self::{hearing::Hand, kept::Event, remote::Tables, socket::Entry, table::Table};
pub(crate) use self::{
    key::Key,
    socket::{Device, Socket},
    subscribe::{Joining, Owned},
    table::Dirty,
    warm::Warmth,
};
use super::{
    apps::{App, Apps},
    cluster::Cluster,
    hooks::Hooks,
};
use crate::{
    gateway::{close::Close, frames::frame, link::Link},
    metrics::{Metrics, Transport},
};

/// How much channels may hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    /// Channels of one connection.
    pub(crate) channels_per_connection: usize,
    /// Bytes of what cache channels and histories of one application keep.
    pub(crate) kept_bytes: usize,
}

/// The channels of every application.
pub(crate) struct Channels {
    /// In the order of the applications.
    tables: Tables,
    room: Room,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    metrics: Arc<Metrics>,
    hooks: Hooks,
    cluster: Arc<Cluster>,
    /// Something has come to be listened to.
    warmed: Notify,
}

/// How many bits of chance the second half of a socket's id has: nobody guesses them, and every client can hold the
/// number. The first half is the process's own.
const ID_BITS: u32 = 53;

impl Channels {
    pub(crate) fn new(
        apps: &Apps,
        room: Room,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        metrics: Arc<Metrics>,
        hooks: Hooks,
        cluster: Arc<Cluster>,
    ) -> Arc<Self> {
        let table = |app: &Arc<App>| {
            let table = Table::new(app.clone(), room.kept_bytes, cluster.clone());
            (app.id.clone(), Mutex::new(table))
        };
        let tables = apps.all().iter().map(table).collect();
        let warmed = Notify::new();
        Arc::new(Self { tables, room, clock, random, metrics, hooks, cluster, warmed })
    }

    /// The table of an application. There is one for each, so `None` does not happen.
    fn table(&self, app: &App) -> Option<MutexGuard<'_, Table>> {
        self.tables.get(app.index).map(|(_, table)| table.lock())
    }

    /// Takes a socket in.
    ///
    /// # Errors
    /// [`CloseCode::OVER_QUOTA`] when the application has as many as it may have.
    pub(crate) fn open(
        &self,
        app: &Arc<App>,
        link: &Arc<Link>,
        device: Device,
    ) -> Result<Arc<Socket>, CloseCode> {
        let mut table = self.table(app).ok_or(CloseCode::NO_APP)?;
        if app.max_connections.is_some_and(|most| table.sockets.len() >= most) {
            return Err(CloseCode::OVER_QUOTA);
        }
        let id = loop {
            let id = SocketId::new(self.cluster.prefix(), self.number());
            if !table.sockets.contains_key(&id) {
                break id;
            }
        };
        let socket = Socket::new(id, app.clone(), link.clone(), device, self.clock.monotonic());
        table.sockets.insert(id, Entry::new(socket.clone()));
        drop(table);
        self.metrics.connections.get_or_create_owned(&TRANSPORT).inc();
        Ok(socket)
    }

    fn number(&self) -> u64 {
        let mut bytes = [0; 8];
        self.random.fill(&mut bytes);
        u64::from_le_bytes(bytes) >> (u64::BITS - ID_BITS)
    }

    /// Forgets a socket that has ended: it leaves all of its channels.
    pub(crate) fn close(&self, socket: &Socket) {
        let mut dirty = Dirty::default();
        let Some(mut table) = self.table(&socket.app) else { return };
        let Some(entry) = table.sockets.remove(&socket.id) else { return };
        table.sign_out(&entry, self.clock.monotonic(), &mut dirty);
        for channel in &entry.channels {
            table.leave(channel, socket.id, self.now(), &mut dirty, &self.hooks);
        }
        self.count(&table);
        drop(table);
        self.metrics.connections.get_or_create_owned(&TRANSPORT).dec();
        dirty.flush();
    }

    /// Sends an event of the application's server to everybody on its channels, in the order of the calls.
    pub(crate) fn publish(&self, app: &Arc<App>, event: &Trigger) {
        self.metrics.pusher_events.inc();
        let mut dirty = Dirty::default();
        let mut told = 0;
        for channel in &event.channels {
            let made = frame(|out| encode::event(channel, &event.name, &event.data, out));
            let Some(mut table) = self.table(app) else { return };
            told += table.fan_out(channel, &made, event.except, &mut dirty);
            let (name, data) = (event.name.clone(), event.data.clone());
            let (id, at) = (self.cluster.next_id(), self.clock.monotonic());
            let published = Event { name, data, id, at };
            self.pass_on_event(app, channel, &published, event.except);
            let keep = table.keeps(channel);
            if keep > 0 {
                table.kept.put(channel, published, keep);
            }
        }
        self.metrics.deliveries.inc_by(told);
        dirty.flush();
    }

    /// Every socket, for the sweep and for the end of the server.
    pub(crate) fn links(&self) -> Vec<Arc<Link>> {
        let mut links = Vec::new();
        for (_, table) in &self.tables {
            links.extend(table.lock().sockets.values().map(|entry| entry.socket.link.clone()));
        }
        links
    }

    /// How many sockets there are.
    pub(crate) fn socket_count(&self) -> usize {
        self.tables.iter().map(|(_, table)| table.lock().sockets.len()).sum()
    }

    /// What time alone brings about: webhooks that were held back, counts that were, and the end of connections that
    /// have authorised nothing. Called every second.
    pub(crate) fn sweep(&self) {
        for gone in self.cluster.sweep() {
            tracing::warn!(node = %gone.0, "a process is not heard any more: its subscribers have gone");
            self.forget_node(gone);
        }
        let judging = self.cluster.judges();
        for (_, table) in &self.tables {
            let mut dirty = Dirty::default();
            let mut table = table.lock();
            let (now, at) = (self.clock.monotonic(), self.clock.now());
            let app = table.app.clone();
            for event in table.pending.due(now) {
                self.hooks.put_shared(&app, at, || event);
            }
            table.tell_counts(self.now(), &mut dirty, &self.hooks);
            table.kept.forget_old(now, app.limits.cache_ttl);
            let mut hand = Hand { now: self.now(), dirty: &mut dirty, hooks: &self.hooks };
            let unneeded = table.share(judging, &mut hand);
            let strangers = app.authorize_within.map(|within| table.strangers(now, within));
            drop(table);
            dirty.flush();
            if let Some(bus) = self.cluster.bus().filter(|_| !unneeded.is_empty()) {
                bus.ignore(&unneeded);
            }
            for link in strangers.into_iter().flatten() {
                end(&link, CloseCode::UNAUTHORIZED);
            }
        }
    }

    fn now(&self) -> Now {
        Now { monotonic: self.clock.monotonic(), wall: self.clock.now() }
    }

    /// Keeps the figure of channels: each table tells by how many it has changed.
    fn count(&self, table: &Table) {
        let (now, before) = (table.here, table.counted.load(Relaxed));
        table.counted.store(now, Relaxed);
        let change = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.metrics.pusher_channels.inc_by(change(now) - change(before));
    }

    /// A client has sent an event to the others on a channel.
    fn hook(&self, app: &Arc<App>, event: impl FnOnce() -> WebhookEvent) {
        self.hooks.put(app, self.clock.now(), event);
    }
}

/// The sockets in the figures.
const TRANSPORT: Transport = Transport { transport: "pusher" };

/// Both clocks at one moment.
#[derive(Clone, Copy)]
struct Now {
    monotonic: Duration,
    wall: i64,
}

/// Ends a socket with a code, told before as an error too: some clients look at that only.
pub(crate) fn end(link: &Link, code: CloseCode) {
    link.send(frame(|out| encode::closing(code, out)));
    link.finish_with(&Close { code: code.code, reason: code.text.into() });
}

/// Whether a channel's subscribers are told how many they are.
fn is_counted(app: &App, channel: &ChannelName) -> bool {
    app.subscription_count && !matches!(channel.access(), Access::Presence | Access::ServerToUser)
}
