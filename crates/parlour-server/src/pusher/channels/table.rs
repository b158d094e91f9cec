//! The channels and sockets of one application: the state under its lock.

use std::{
    sync::{Arc, atomic::AtomicUsize},
    time::Duration,
};

use parlour_core::event::Durability;
use parlour_websocket::Frame;
use parlour_wire::pusher::{
    ChannelName, SocketId,
    channel::Access,
    encode,
    http::{Cached, ChannelInfo, Info},
    webhook::WebhookEvent,
};

use super::{
    Now, is_counted,
    kept::Kept,
    pending::{Gone, Pending},
    presence::Roster,
    socket::{Entry, Socket},
};
use crate::{
    gateway::{conn::Conn, frames::frame, link::Link, send_queue::Item},
    hash::{HashMap, HashSet},
    pusher::{apps::App, hooks::Hooks},
};

/// Up to so many subscribers every change of their number is told at once.
const FEW: usize = 100;

/// With more, it is told so often.
const COUNT_SPACING: Duration = Duration::from_secs(5);

/// Sockets that have something to write.
#[derive(Default)]
pub(super) struct Dirty(Vec<Arc<Link>>);

impl Dirty {
    /// Queues a frame; whether it was taken.
    pub(super) fn put(&mut self, link: &Arc<Link>, frame: &Frame, durability: Durability) -> bool {
        let item = Item { frame: frame.clone(), durability, mark: None, track: None };
        let queued = link.push(item);
        if queued && link.mark_dirty() {
            self.0.push(link.clone());
        }
        queued
    }

    /// Writes what was queued. Not under a lock.
    pub(super) fn flush(self) {
        for link in self.0 {
            link.flush();
        }
    }
}

/// Everything of one application.
pub(super) struct Table {
    pub(super) app: Arc<App>,
    pub(super) sockets: HashMap<SocketId, Entry>,
    pub(super) channels: HashMap<ChannelName, Channel>,
    /// The sockets of each user who is signed in.
    pub(super) users: HashMap<Arc<str>, HashSet<SocketId>>,
    /// Who is told when a user comes and goes.
    pub(super) watchers: HashMap<Arc<str>, HashSet<SocketId>>,
    pub(super) kept: Kept,
    pub(super) pending: Pending,
    /// Channels whose number of subscribers has changed and was not told.
    counts: HashSet<ChannelName>,
    /// How many channels the figures know of.
    pub(super) counted: AtomicUsize,
}

/// A channel that somebody has.
#[derive(Default)]
pub(super) struct Channel {
    pub(super) subscribers: HashMap<SocketId, Subscriber>,
    pub(super) roster: Roster,
    /// When its subscribers were last told how many they are.
    count_told: Duration,
}

/// A socket on a channel.
pub(super) struct Subscriber {
    pub(super) socket: Arc<Socket>,
    /// As whom it is on a presence channel.
    pub(super) user: Option<Arc<str>>,
    /// Its connection to the chat, where the channel carries it.
    pub(super) conn: Option<Arc<Conn>>,
}

impl Subscriber {
    /// Whether it still gets events: a connection to the chat may have been ended before its socket knows.
    fn listens(&self) -> bool {
        self.conn.as_ref().is_none_or(|conn| !conn.is_closing())
    }
}

impl Channel {
    /// Queues a frame for everybody but `except`; how many took it.
    pub(super) fn tell(
        &self,
        frame: &Frame,
        durability: Durability,
        except: Option<SocketId>,
        dirty: &mut Dirty,
    ) -> u64 {
        let mut told = 0;
        for (id, subscriber) in &self.subscribers {
            if Some(*id) != except && subscriber.listens() {
                told += u64::from(dirty.put(&subscriber.socket.link, frame, durability));
            }
        }
        told
    }
}

impl Table {
    pub(super) fn new(app: Arc<App>, kept_bytes: usize) -> Self {
        Self {
            app,
            sockets: HashMap::default(),
            channels: HashMap::default(),
            users: HashMap::default(),
            watchers: HashMap::default(),
            kept: Kept::new(kept_bytes),
            pending: Pending::default(),
            counts: HashSet::default(),
            counted: AtomicUsize::new(0),
        }
    }

    /// Queues a frame for everybody on a channel but `except`. What is for a signed-in user goes to all of his
    /// connections, whether they have subscribed the channel or not.
    pub(super) fn fan_out(
        &self,
        channel: &ChannelName,
        frame: &Frame,
        except: Option<SocketId>,
        dirty: &mut Dirty,
    ) -> u64 {
        if let Some(user) = channel.signed_in_user() {
            let ids = self.users.get(user).into_iter().flatten();
            let others = ids.filter(|id| Some(**id) != except);
            let entries = others.filter_map(|id| self.sockets.get(id));
            return entries
                .map(|e| u64::from(dirty.put(&e.socket.link, frame, Durability::Durable)))
                .sum();
        }
        let found = self.channels.get(channel);
        found.map_or(0, |found| found.tell(frame, Durability::Durable, except, dirty))
    }

    /// Takes a socket from a channel, and tells who must know.
    pub(super) fn leave(
        &mut self,
        name: &ChannelName,
        socket: SocketId,
        now: Now,
        dirty: &mut Dirty,
        hooks: &Hooks,
    ) -> Option<Subscriber> {
        let channel = self.channels.get_mut(name)?;
        let subscriber = channel.subscribers.remove(&socket)?;
        let held_back = !self.app.webhooks.is_empty();
        if let Some(user) = &subscriber.user
            && channel.roster.remove(user)
        {
            let gone = frame(|out| encode::member_removed(name, user, out));
            channel.tell(&gone, Durability::Durable, None, dirty);
            if held_back {
                let gone = Gone { channel: name.clone(), user: Some(user.clone()) };
                self.pending.add(gone, now.monotonic);
            }
        }
        let empty = channel.subscribers.is_empty();
        self.count_changed(name, now, dirty, hooks);
        if empty {
            self.channels.remove(name);
            self.counts.remove(name);
            if held_back {
                self.pending.add(Gone { channel: name.clone(), user: None }, now.monotonic);
            }
        }
        Some(subscriber)
    }

    /// The number of a channel's subscribers has changed: tells it, or notes that it is to be told.
    pub(super) fn count_changed(
        &mut self,
        name: &ChannelName,
        now: Now,
        dirty: &mut Dirty,
        hooks: &Hooks,
    ) {
        if !is_counted(&self.app, name) {
            return;
        }
        let Some(channel) = self.channels.get_mut(name) else { return };
        let many = channel.subscribers.len() > FEW;
        if many && now.monotonic.saturating_sub(channel.count_told) < COUNT_SPACING {
            self.counts.insert(name.clone());
        } else {
            channel.tell_count(name, &self.app, now, dirty, hooks);
        }
    }

    /// Tells the numbers that have waited long enough.
    pub(super) fn tell_counts(&mut self, now: Now, dirty: &mut Dirty, hooks: &Hooks) {
        let Self { counts, channels, app, .. } = self;
        counts.retain(|name| {
            let Some(channel) = channels.get_mut(name) else { return false };
            let waits = now.monotonic.saturating_sub(channel.count_told) < COUNT_SPACING;
            if !waits {
                channel.tell_count(name, app, now, dirty, hooks);
            }
            waits
        });
    }

    /// What is asked about a channel.
    pub(super) fn info(
        &self,
        name: &ChannelName,
        wanted: Info,
        app: &App,
        now: Duration,
    ) -> ChannelInfo {
        let channel = self.channels.get(name);
        let presence = name.access() == Access::Presence;
        let members = || channel.map_or(0, |channel| channel.roster.len());
        let subscribers = || channel.map_or(0, |channel| channel.subscribers.len());
        let ttl = app.limits.cache_ttl;
        let cached = || {
            self.kept.last(name, ttl, now).map(|event| Cached {
                data: event.data.to_text().into(),
                ttl: ttl.saturating_sub(now.saturating_sub(event.at)).as_secs(),
            })
        };
        ChannelInfo {
            occupied: Some(channel.is_some()),
            user_count: (wanted.user_count && presence).then(members),
            subscription_count: wanted.subscription_count.then(subscribers),
            cache: (wanted.cache && name.is_cache()).then(cached),
        }
    }

    /// Sockets that have had their time to authorise themselves and have not.
    pub(super) fn strangers(&self, now: Duration, within: Duration) -> Vec<Arc<Link>> {
        let sockets = self.sockets.values().map(|entry| &entry.socket);
        let late = |socket: &&Arc<Socket>| {
            !socket.is_authorized() && now.saturating_sub(socket.opened) >= within
        };
        sockets.filter(late).map(|socket| socket.link.clone()).collect()
    }
}

impl Channel {
    fn tell_count(
        &mut self,
        name: &ChannelName,
        app: &Arc<App>,
        now: Now,
        dirty: &mut Dirty,
        hooks: &Hooks,
    ) {
        self.count_told = now.monotonic;
        let count = self.subscribers.len();
        let told = frame(|out| encode::subscription_count(name, count, out));
        self.tell(&told, Durability::Ephemeral, None, dirty);
        hooks.put(app, now.wall, || WebhookEvent::SubscriptionCount {
            channel: name.as_str().into(),
            subscription_count: count,
        });
    }
}
