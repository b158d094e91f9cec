//! The channels and sockets of one application: the state under its lock.

use std::{
    mem,
    sync::{Arc, atomic::AtomicUsize},
    time::Duration,
};

use parlour_core::event::Durability;
use parlour_websocket::Frame;
use parlour_wire::pusher::{
    ChannelName, Member, SocketId,
    channel::Access,
    encode,
    http::{Cached, ChannelInfo, Info},
    webhook::WebhookEvent,
};

use super::{
    Now, is_counted,
    kept::Kept,
    peers::{Listening, Peers},
    pending::{Gone, Pending},
    presence::Roster,
    shared::Sharing,
    socket::{Entry, Socket},
};
use crate::{
    gateway::{conn::Conn, frames::frame, link::Link, send_queue::Item},
    hash::{HashMap, HashSet},
    pusher::{apps::App, cluster::Cluster, hooks::Hooks},
};

/// Up to so many subscribers every change of their number is told at once.
pub(super) const FEW: usize = 100;

/// With more, it is told so often.
const COUNT_SPACING: Duration = Duration::from_secs(5);

/// Sockets that have something to write. Who marks a socket must write to it, because nobody else does until then: what
/// is still here at the end is written then.
#[derive(Default)]
pub(crate) struct Dirty(Vec<Arc<Link>>);

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

    /// How many they are.
    pub(crate) const fn len(&self) -> usize {
        self.0.len()
    }

    /// Writes what was queued. Not under a lock.
    pub(crate) fn flush(&mut self) {
        for link in mem::take(&mut self.0) {
            link.flush();
        }
    }
}

impl Drop for Dirty {
    fn drop(&mut self) {
        self.flush();
    }
}

/// Everything of one application.
pub(super) struct Table {
    pub(super) app: Arc<App>,
    pub(super) sockets: HashMap<SocketId, Entry>,
    pub(super) channels: HashMap<ChannelName, Channel>,
    /// Users who are signed in, and those for whom somebody watches.
    pub(super) users: HashMap<Arc<str>, User>,
    pub(super) kept: Kept,
    pub(super) pending: Pending,
    /// Channels whose number of subscribers has changed and was not told.
    counts: HashSet<ChannelName>,
    /// Channels that somebody has here.
    pub(super) here: usize,
    /// How many of them the figures know of.
    pub(super) counted: AtomicUsize,
    /// How it is shared with other processes.
    pub(super) sharing: Sharing,
}

/// A user.
#[derive(Default)]
pub(super) struct User {
    /// His connections here.
    pub(super) sockets: HashSet<SocketId>,
    /// Who is told when he comes and goes.
    pub(super) watchers: HashSet<SocketId>,
    /// What other processes have of him.
    pub(super) peers: Peers,
}

impl User {
    /// Whether he is signed in anywhere.
    pub(super) fn is_online(&self) -> bool {
        !self.sockets.is_empty() || self.peers.count() > 0
    }

    /// Whether he is of no concern here.
    pub(super) fn is_idle(&self) -> bool {
        self.sockets.is_empty() && self.watchers.is_empty()
    }
}

/// A channel that somebody has, here or elsewhere.
#[derive(Default)]
pub(super) struct Channel {
    pub(super) subscribers: HashMap<SocketId, Subscriber>,
    /// The members of this process.
    pub(super) roster: Roster,
    /// What other processes have of it.
    pub(super) peers: Peers,
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
    /// Whether anybody has it.
    pub(super) fn is_occupied(&self) -> bool {
        !self.subscribers.is_empty() || self.peers.count() > 0
    }

    /// How many have it.
    pub(super) fn count(&self) -> usize {
        self.subscribers.len() + self.peers.count()
    }

    /// Whether a user is a member.
    pub(super) fn has_member(&self, user: &str) -> bool {
        self.roster.has(user) || self.peers.has(user)
    }

    /// All members, each once.
    pub(super) fn members(&self) -> Vec<&Member> {
        let mut known: HashSet<&str> = HashSet::default();
        let all = self.roster.members().chain(self.peers.members());
        all.filter(|member| known.insert(&member.user_id)).collect()
    }

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
    pub(super) fn new(app: Arc<App>, kept_bytes: usize, cluster: Arc<Cluster>) -> Self {
        let sharing = Sharing::new(cluster, !app.webhooks.is_empty());
        Self {
            app,
            sockets: HashMap::default(),
            channels: HashMap::default(),
            users: HashMap::default(),
            kept: Kept::new(kept_bytes),
            pending: Pending::default(),
            counts: HashSet::default(),
            here: 0,
            counted: AtomicUsize::new(0),
            sharing,
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
            let ids = self.users.get(user).into_iter().flat_map(|user| &user.sockets);
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
        let before = channel.subscribers.len();
        let subscriber = channel.subscribers.remove(&socket)?;
        let mut went = None;
        if let Some(user) = &subscriber.user
            && channel.roster.remove(user)
        {
            went = Some(user.clone());
            if !channel.peers.has(user) {
                self.member_gone(name, user, now, dirty);
            }
        }
        self.here -= usize::from(before == 1);
        self.announce(name, before, None, went.as_ref(), now.monotonic);
        self.count_changed(name, now, dirty, hooks);
        self.vacated(name, true, now);
        self.release(name, now.monotonic);
        Some(subscriber)
    }

    /// A member is nowhere any more.
    pub(super) fn member_gone(
        &mut self,
        name: &ChannelName,
        user: &Arc<str>,
        now: Now,
        dirty: &mut Dirty,
    ) {
        let Some(channel) = self.channels.get(name) else { return };
        let gone = frame(|out| encode::member_removed(name, user, out));
        channel.tell(&gone, Durability::Durable, None, dirty);
        if !self.app.webhooks.is_empty() {
            let gone = Gone { channel: name.clone(), user: Some(user.clone()) };
            self.pending.add(gone, now.monotonic);
        }
    }

    /// Perhaps nobody has a channel any more.
    pub(super) fn vacated(&mut self, name: &ChannelName, was_occupied: bool, now: Now) {
        let empty = self.channels.get(name).is_none_or(|channel| !channel.is_occupied());
        if was_occupied && empty {
            self.counts.remove(name);
            if !self.app.webhooks.is_empty() {
                self.pending.add(Gone { channel: name.clone(), user: None }, now.monotonic);
            }
        }
    }

    /// Forgets a channel that nobody has here, at once or after a while.
    fn release(&mut self, name: &ChannelName, now: Duration) {
        let Some(channel) = self.channels.get(name) else { return };
        if !channel.subscribers.is_empty() {
            return;
        }
        if channel.peers.listening == Listening::No && channel.peers.is_empty() {
            self.channels.remove(name);
        } else {
            self.sharing.idle_channel(name, now);
        }
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
        let many = channel.count() > FEW;
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
        let members = || channel.map_or(0, |channel| channel.members().len());
        let subscribers = || channel.map_or(0, Channel::count);
        let ttl = app.limits.cache_ttl;
        let cached = || {
            self.kept.last(name, ttl, now).map(|event| Cached {
                data: event.data.to_text().into(),
                ttl: ttl.saturating_sub(now.saturating_sub(event.at)).as_secs(),
            })
        };
        ChannelInfo {
            occupied: Some(channel.is_some_and(Channel::is_occupied)),
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
        let count = self.count();
        let told = frame(|out| encode::subscription_count(name, count, out));
        self.tell(&told, Durability::Ephemeral, None, dirty);
        hooks.put_shared(app, now.wall, || WebhookEvent::SubscriptionCount {
            channel: name.as_str().into(),
            subscription_count: count,
        });
    }
}
