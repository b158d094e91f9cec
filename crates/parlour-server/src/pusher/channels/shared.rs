//! What an application's table tells other processes of its channels and users, and for how long it listens to them.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use parlour_core::port::bus::Topic;
use parlour_wire::pusher::{ChannelName, Member, channel::Access};

use super::{
    hearing::Hand,
    is_counted,
    key::Key,
    peers::{Listening, Peers},
    table::{FEW, Table},
};
use crate::{
    hash::HashSet,
    pusher::cluster::{
        Cluster,
        message::{self, Change, FULL, Mate, Message, State, Still, raw},
    },
};

/// How often each process repeats what it has, at least; with very many channels it takes longer.
const ROUND: Duration = Duration::from_secs(10);
/// Repetitions in a second, at most.
const PACE: usize = 1_000;
/// Repetitions in one message, where they go to everybody.
const TOGETHER: usize = 200;
/// How often it is looked for what was not repeated.
const LOOK: Duration = Duration::from_secs(5);
/// How long a channel that nobody has any more is still listened to: most who leave a page open another one.
const LINGER: Duration = Duration::from_secs(5);

/// How a table is shared.
pub(super) struct Sharing {
    pub(super) cluster: Arc<Cluster>,
    /// Every process knows of every channel: each may have to tell the webhooks of all.
    pub(super) everywhere: bool,
    /// Numbers of subscribers that change too often to be told at once.
    unsaid: HashSet<ChannelName>,
    /// What nobody has any more here, since when.
    idle: VecDeque<(Duration, Key)>,
    /// What is still to be repeated in this round,
    still: VecDeque<Key>,
    /// so many each second.
    still_each: usize,
    next_round: Duration,
    /// How long what is said holds.
    life: Duration,
    next_look: Duration,
}

impl Sharing {
    pub(super) fn new(cluster: Arc<Cluster>, everywhere: bool) -> Self {
        Self {
            cluster,
            everywhere,
            unsaid: HashSet::default(),
            idle: VecDeque::new(),
            still: VecDeque::new(),
            still_each: 0,
            next_round: Duration::ZERO,
            life: life(ROUND),
            next_look: Duration::ZERO,
        }
    }

    pub(super) fn idle_channel(&mut self, name: &ChannelName, now: Duration) {
        self.idle.push_back((now, Key::Channel(name.clone())));
    }

    pub(super) fn idle_user(&mut self, id: &Arc<str>, now: Duration) {
        self.idle.push_back((now, Key::User(id.clone())));
    }

    fn seconds(&self) -> u32 {
        u32::try_from(self.life.as_secs()).unwrap_or(u32::MAX)
    }
}

/// Longer than three rounds: two repetitions may be lost.
fn life(round: Duration) -> Duration {
    round * 3 + Duration::from_secs(5)
}

/// Until when what somebody says holds.
pub(super) fn until(seconds: u32, now: Duration) -> Duration {
    now + Duration::from_secs(seconds.into()).clamp(life(ROUND), life(ROUND * 100))
}

/// The version of having nothing, where nothing is known of an earlier one: above all that was before, and below all
/// that will be.
fn nothing(now: Duration) -> u64 {
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX >> 16) << 16
}

impl Peers {
    /// The next version of what this process has. One that begins anew is above all that it had before.
    fn next_version(&mut self, now: Duration) -> u64 {
        self.version = if self.version == 0 { nothing(now) + 1 } else { self.version + 1 };
        self.version
    }

    /// The version of having nothing.
    fn empty_version(&self, now: Duration) -> u64 {
        if self.version == 0 { nothing(now) } else { self.version }
    }
}

fn mate(member: &Member) -> Mate {
    Mate { id: (*member.user_id).into(), info: raw(&member.user_info) }
}

impl Table {
    /// Whether other processes are told who has a channel. Of most it is enough to ask when it is wanted.
    pub(super) fn tells(&self, name: &ChannelName) -> bool {
        let sharing = &self.sharing;
        sharing.cluster.is_shared()
            && (name.access() == Access::Presence
                || sharing.everywhere
                || is_counted(&self.app, name))
    }

    fn state_topic(&self, key: &Key) -> Topic {
        match key {
            Key::Channel(_) if self.sharing.everywhere => Topic::Everyone,
            key => key.topic(&self.app),
        }
    }

    /// Tells other processes what has changed on a channel here, which had `before` subscribers.
    pub(super) fn announce(
        &mut self,
        name: &ChannelName,
        before: usize,
        came: Option<&Member>,
        went: Option<&Arc<str>>,
        now: Duration,
    ) {
        if !self.tells(name) {
            return;
        }
        let Some(channel) = self.channels.get_mut(name) else { return };
        let count = channel.subscribers.len();
        if came.is_none() && went.is_none() && before > 0 && count > FEW {
            self.sharing.unsaid.insert(name.clone());
            return;
        }
        let change = Change {
            app: (*self.app.id).into(),
            of: message::Key::Channel(name.as_str().into()),
            version: channel.peers.next_version(now),
            count: count as u64,
            fresh: before == 0,
            came: came.map(mate),
            went: went.map(|user| (**user).into()),
            life: self.sharing.seconds(),
        };
        let topic = self.state_topic(&Key::Channel(name.clone()));
        self.sharing.cluster.say(topic, &Message::Change(change));
    }

    /// Tells other processes that a user has come with his first connection here, or gone with his last.
    pub(super) fn announce_user(&mut self, id: &Arc<str>, now: Duration) {
        if !self.sharing.cluster.is_shared() {
            return;
        }
        let Some(user) = self.users.get_mut(id) else { return };
        let online = !user.sockets.is_empty();
        let change = Change {
            app: (*self.app.id).into(),
            of: message::Key::User((**id).into()),
            version: user.peers.next_version(now),
            count: online.into(),
            fresh: online,
            came: None,
            went: None,
            life: self.sharing.seconds(),
        };
        let topic = self.state_topic(&Key::User(id.clone()));
        self.sharing.cluster.say(topic, &Message::Change(change));
    }

    /// What this process has of something, in parts where it is much. An empty one where it has nothing.
    pub(super) fn states(&mut self, key: &Key, now: Duration) -> Vec<State> {
        let (count, members, version) = match key {
            Key::Channel(name) => match self.channels.get_mut(name) {
                Some(channel) if !channel.subscribers.is_empty() => {
                    if channel.peers.version == 0 {
                        channel.peers.next_version(now);
                    }
                    let members = channel.roster.members().map(mate).collect();
                    (channel.subscribers.len(), members, channel.peers.version)
                }
                Some(channel) => (0, Vec::new(), channel.peers.empty_version(now)),
                None => (0, Vec::new(), nothing(now)),
            },
            Key::User(id) => match self.users.get(id) {
                Some(user) => {
                    let online = !user.sockets.is_empty();
                    (online.into(), Vec::new(), user.peers.empty_version(now))
                }
                None => (0, Vec::new(), nothing(now)),
            },
        };
        let state = State {
            app: (*self.app.id).into(),
            of: key.write(),
            version,
            count: count as u64,
            members: Vec::new(),
            part: 0,
            more: false,
            life: self.sharing.seconds(),
        };
        in_parts(&state, members)
    }

    /// Once a second: repeats, forgets, and gives topics back that nobody needs any more.
    pub(super) fn share(&mut self, judging: bool, hand: &mut Hand<'_>) -> Vec<Topic> {
        let now = hand.now.monotonic;
        self.say_counts(now);
        self.repeat(now);
        if judging && now >= self.sharing.next_look {
            self.sharing.next_look = now + LOOK;
            let channels = self.channels.iter().flat_map(|(name, channel)| {
                channel.peers.overdue(now).map(|node| (node, Key::Channel(name.clone())))
            });
            let users = self.users.iter().flat_map(|(id, user)| {
                user.peers.overdue(now).map(|node| (node, Key::User(id.clone())))
            });
            let overdue: Vec<_> = channels.chain(users).collect();
            for (node, key) in overdue {
                self.forget_peer(node, &key, hand);
            }
        }
        self.give_back(now)
    }

    fn say_counts(&mut self, now: Duration) {
        for name in std::mem::take(&mut self.sharing.unsaid) {
            let Some(channel) = self.channels.get_mut(&name) else { continue };
            if channel.subscribers.is_empty() {
                continue;
            }
            let change = Change {
                app: (*self.app.id).into(),
                of: message::Key::Channel(name.as_str().into()),
                version: channel.peers.next_version(now),
                count: channel.subscribers.len() as u64,
                fresh: false,
                came: None,
                went: None,
                life: self.sharing.seconds(),
            };
            let topic = self.state_topic(&Key::Channel(name));
            self.sharing.cluster.say(topic, &Message::Change(change));
        }
    }

    /// Says again what this process has, a part of it each second.
    fn repeat(&mut self, now: Duration) {
        if self.sharing.still.is_empty() && now >= self.sharing.next_round {
            let has = self
                .channels
                .iter()
                .filter(|(name, channel)| !channel.subscribers.is_empty() && self.tells(name));
            let channels = has.map(|(name, _)| Key::Channel(name.clone()));
            let users = self.users.iter().filter(|(_, user)| !user.sockets.is_empty());
            let keys: VecDeque<_> =
                channels.chain(users.map(|(id, _)| Key::User(id.clone()))).collect();
            let seconds = (keys.len() / PACE).max(usize::try_from(ROUND.as_secs()).unwrap_or(1));
            let round = Duration::from_secs(seconds as u64);
            let sharing = &mut self.sharing;
            sharing.still_each = keys.len().div_ceil(seconds);
            (sharing.still, sharing.next_round, sharing.life) = (keys, now + round, life(round));
        }
        let count = self.sharing.still_each.min(self.sharing.still.len());
        let keys: Vec<_> = self.sharing.still.drain(..count).collect();
        let mut together = Vec::new();
        for key in keys {
            let version = match &key {
                Key::Channel(name) => self.channels.get(name).map(|c| c.peers.version),
                Key::User(id) => self.users.get(id).map(|user| user.peers.version),
            };
            let Some(version) = version.filter(|version| *version > 0) else { continue };
            match self.state_topic(&key) {
                Topic::Everyone => together.push((key.write(), version)),
                topic => self.say_still(topic, vec![(key.write(), version)]),
            }
        }
        for some in together.chunks(TOGETHER) {
            self.say_still(Topic::Everyone, some.to_vec());
        }
    }

    fn say_still(&self, topic: Topic, of: Vec<(message::Key, u64)>) {
        let still = Still { app: (*self.app.id).into(), of, life: self.sharing.seconds() };
        self.sharing.cluster.say(topic, &Message::Still(still));
    }

    /// Stops listening for what nobody has had for a while.
    fn give_back(&mut self, now: Duration) -> Vec<Topic> {
        let mut topics = Vec::new();
        while let Some((since, _)) = self.sharing.idle.front()
            && now.saturating_sub(*since) >= LINGER
            && let Some((_, key)) = self.sharing.idle.pop_front()
        {
            let everywhere = self.sharing.everywhere;
            let peers = match &key {
                Key::Channel(name) => {
                    let found = self.channels.get_mut(name);
                    found.filter(|c| c.subscribers.is_empty()).map(|c| &mut c.peers)
                }
                Key::User(id) => {
                    let found = self.users.get_mut(id);
                    found.filter(|user| user.is_idle()).map(|user| &mut user.peers)
                }
            };
            let Some(peers) = peers.filter(|peers| peers.holders == 0) else { continue };
            if peers.listening == Listening::Beginning {
                self.sharing.idle.push_back((now, key));
                continue;
            }
            if peers.listening == Listening::Yes {
                peers.listening = Listening::No;
                topics.push(key.topic(&self.app));
            }
            match &key {
                Key::Channel(name) => {
                    if !everywhere {
                        peers.clear();
                    }
                    self.drop_channel(name);
                }
                Key::User(id) => {
                    self.users.remove(id);
                }
            }
        }
        topics
    }
}

/// A state whose members come in as many parts as they need.
fn in_parts(state: &State, members: Vec<Mate>) -> Vec<State> {
    let mut parts = vec![state.clone()];
    let mut bytes = 0;
    for mate in members {
        let size = mate.id.len() + mate.info.get().len() + 32;
        let number = parts.len();
        if let Some(last) = parts.last_mut() {
            if bytes + size <= FULL || last.members.is_empty() {
                last.members.push(mate);
                bytes += size;
                continue;
            }
            last.more = true;
        }
        bytes = size;
        let part = u32::try_from(number).unwrap_or(u32::MAX);
        parts.push(State { part, members: vec![mate], ..state.clone() });
    }
    parts
}
