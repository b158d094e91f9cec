//! Who has which channel, and the way of events to them.
//!
//! Every application has one table under one lock. Under it frames are only put into the queues of sockets; sockets
//! are written after it is released. What happens to one channel happens in one order for everybody.

mod kept;
mod pending;
mod presence;
mod socket;
mod subscribe;
mod table;
mod users;

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use parking_lot::{Mutex, MutexGuard};
use parlour_core::{
    command::Identity,
    port::clock::{Clock, Random},
};
use parlour_wire::pusher::{
    ChannelName, CloseCode, SocketId,
    channel::Access,
    encode,
    http::{ChannelInfo, Info, Trigger},
    webhook::WebhookEvent,
};

use self::{
    socket::Entry,
    table::{Dirty, Table},
};
pub(crate) use self::{
    socket::{Device, Socket},
    subscribe::{Joining, Owned},
};
use super::{
    apps::{App, Apps},
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
    tables: Vec<Mutex<Table>>,
    room: Room,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    metrics: Arc<Metrics>,
    hooks: Hooks,
}

/// How many bits of chance each half of a socket's id has: together nobody guesses them, and each is a number that
/// every client can hold.
const ID_BITS: u32 = 48;

impl Channels {
    pub(crate) fn new(
        apps: &Apps,
        room: Room,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        metrics: Arc<Metrics>,
        hooks: Hooks,
    ) -> Self {
        let table = |app: &Arc<App>| Mutex::new(Table::new(app.clone(), room.kept_bytes));
        let tables = apps.all().iter().map(table).collect();
        Self { tables, room, clock, random, metrics, hooks }
    }

    /// The table of an application. There is one for each, so `None` does not happen.
    fn table(&self, app: &App) -> Option<MutexGuard<'_, Table>> {
        self.tables.get(app.index).map(Mutex::lock)
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
            let id = SocketId::new(self.number(), self.number());
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
        table.sign_out(&entry, &mut dirty);
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
            let keep = app.history_of(channel.as_str()).max(channel.is_cache().into());
            if keep > 0 {
                let (name, data) = (event.name.clone(), event.data.clone());
                table.kept.put(channel, name, data, keep, self.clock.monotonic());
            }
        }
        self.metrics.deliveries.inc_by(told);
        dirty.flush();
    }

    /// The channels that somebody has and whose names begin with `prefix`, with what is asked about each.
    pub(crate) fn occupied(
        &self,
        app: &Arc<App>,
        prefix: &str,
        wanted: Info,
    ) -> BTreeMap<String, ChannelInfo> {
        let Some(table) = self.table(app) else { return BTreeMap::new() };
        let names = table.channels.keys().filter(|name| name.as_str().starts_with(prefix));
        let told = |name: &ChannelName| {
            let info = table.info(name, wanted, app, self.clock.monotonic());
            (name.as_str().to_owned(), ChannelInfo { occupied: None, ..info })
        };
        names.map(told).collect()
    }

    /// What is asked about a channel. Attributes that its kind has not are left out; `occupied` is always there.
    pub(crate) fn info(&self, app: &Arc<App>, channel: &ChannelName, wanted: Info) -> ChannelInfo {
        let now = self.clock.monotonic();
        self.table(app).map(|table| table.info(channel, wanted, app, now)).unwrap_or_default()
    }

    /// Who is on a presence channel, each once.
    pub(crate) fn users(&self, app: &Arc<App>, channel: &ChannelName) -> Vec<Arc<str>> {
        let Some(table) = self.table(app) else { return Vec::new() };
        let found = table.channels.get(channel);
        found.map(|found| found.roster.ids().collect()).unwrap_or_default()
    }

    /// Closes every connection that is signed in as a user; how many there were.
    pub(crate) fn terminate(&self, app: &Arc<App>, user: &str) -> usize {
        let links: Vec<_> = self.table(app).map(|table| table.links_of(user)).unwrap_or_default();
        for link in &links {
            end(link, CloseCode::UNAUTHORIZED);
        }
        links.len()
    }

    /// Remembers for whom a connection was allowed a channel, so that it acts as that user there; whether the
    /// connection is here.
    pub(crate) fn grant(
        &self,
        app: &Arc<App>,
        socket: SocketId,
        channel: &ChannelName,
        identity: &Identity,
    ) -> bool {
        let Some(mut table) = self.table(app) else { return false };
        let Some(entry) = table.sockets.get_mut(&socket) else { return false };
        entry.grant(channel, identity, self.room.channels_per_connection);
        true
    }

    /// Every socket, for the sweep and for the end of the server.
    pub(crate) fn links(&self) -> Vec<Arc<Link>> {
        let mut links = Vec::new();
        for table in &self.tables {
            links.extend(table.lock().sockets.values().map(|entry| entry.socket.link.clone()));
        }
        links
    }

    /// How many sockets there are.
    pub(crate) fn socket_count(&self) -> usize {
        self.tables.iter().map(|table| table.lock().sockets.len()).sum()
    }

    /// What time alone brings about: webhooks that were held back, counts that were, and the end of connections that
    /// have authorised nothing. Called every second.
    pub(crate) fn sweep(&self) {
        for table in &self.tables {
            let mut dirty = Dirty::default();
            let mut table = table.lock();
            let (now, at) = (self.clock.monotonic(), self.clock.now());
            let app = table.app.clone();
            for event in table.pending.due(now) {
                self.hooks.put(&app, at, || event);
            }
            table.tell_counts(self.now(), &mut dirty, &self.hooks);
            table.kept.forget_old(now, app.limits.cache_ttl);
            let strangers = app.authorize_within.map(|within| table.strangers(now, within));
            drop(table);
            dirty.flush();
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
        let (now, before) = (table.channels.len(), table.counted.load(Relaxed));
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
