//! What an application's table makes of what other processes tell of their channels and users.

use std::sync::Arc;

use parlour_core::{NodeId, event::Durability, port::bus::Topic};
use parlour_wire::pusher::{ChannelName, Member, encode, webhook::WebhookEvent};

use super::{
    Now,
    key::Key,
    peers::{Heard, Listening, Moved, Peers, Step, Whole},
    pending::Gone,
    shared::until,
    table::{Channel, Dirty, Table, User},
};
use crate::{
    gateway::frames::frame,
    pusher::{
        cluster::message::{Change, Mate, Question, State, Still, Want},
        hooks::Hooks,
    },
};

fn member(mate: &Mate) -> Member {
    Member { user_id: (*mate.id).into(), user_info: mate.info.get().into() }
}

/// How a channel stood before something that another process has said.
#[derive(Clone, Copy)]
struct Before {
    occupied: bool,
    count: usize,
}

impl Before {
    fn of(channel: &Channel) -> Self {
        Self { occupied: channel.is_occupied(), count: channel.count() }
    }
}

/// With what a table does what it hears.
pub(super) struct Hand<'a> {
    pub(super) now: Now,
    pub(super) dirty: &'a mut Dirty,
    pub(super) hooks: &'a Hooks,
}

impl Table {
    /// Another process says what it has.
    pub(super) fn hear_state(&mut self, from: NodeId, state: &State, hand: &mut Hand<'_>) {
        let Some(key) = Key::read(&state.of, &self.app) else { return };
        let until = until(state.life, hand.now.monotonic);
        let whole = Whole {
            version: state.version,
            count: usize::try_from(state.count).unwrap_or(usize::MAX >> 16),
            members: state.members.iter().map(member).collect(),
            part: state.part,
            more: state.more,
        };
        let is_something = state.count > 0;
        self.hear(from, &key, is_something, hand, |peers, is_here| {
            peers.whole(from, whole, until, is_here)
        });
    }

    /// Another process says what has changed.
    pub(super) fn hear_change(&mut self, from: NodeId, change: &Change, hand: &mut Hand<'_>) {
        let Some(key) = Key::read(&change.of, &self.app) else { return };
        let until = until(change.life, hand.now.monotonic);
        let step = Step {
            version: change.version,
            count: usize::try_from(change.count).unwrap_or(usize::MAX >> 16),
            fresh: change.fresh,
            came: change.came.as_ref().map(member),
            went: change.went.as_deref().map(Into::into),
        };
        self.hear(from, &key, true, hand, |peers, is_here| peers.step(from, step, until, is_here));
    }

    /// Another process says that something is as it was.
    pub(super) fn hear_still(&mut self, from: NodeId, still: &Still, hand: &mut Hand<'_>) {
        let now = hand.now.monotonic;
        let until = until(still.life, now);
        let mut missed = Vec::new();
        for (key, version) in &still.of {
            let Some(key) = Key::read(key, &self.app) else { continue };
            let everywhere = self.sharing.everywhere && matches!(key, Key::Channel(_));
            let is_missed = match self.concerned(&key, false) {
                Some(peers) => !peers.still(from, *version, until) && peers.may_ask(now),
                None => everywhere,
            };
            if is_missed {
                missed.push(Want { of: key.write(), state: true, kept: 0 });
            }
        }
        self.wonder(from, missed);
    }

    fn wonder(&self, whom: NodeId, wants: Vec<Want>) {
        if !wants.is_empty() {
            let ask = Question::About { app: (*self.app.id).into(), wants };
            self.sharing.cluster.wonder(Topic::Node(whom), ask);
        }
    }

    /// What is known of others about something of concern here.
    fn concerned(&mut self, key: &Key, make: bool) -> Option<&mut Peers> {
        let everywhere = self.sharing.everywhere;
        match key {
            Key::Channel(name) if everywhere && make => {
                Some(&mut self.channels.entry(name.clone()).or_default().peers)
            }
            Key::Channel(name) if self.tells(name) => {
                let peers = &mut self.channels.get_mut(name)?.peers;
                (everywhere || peers.listening != Listening::No).then_some(peers)
            }
            Key::Channel(_) => None,
            Key::User(id) => {
                let peers = &mut self.users.get_mut(id)?.peers;
                (peers.listening != Listening::No).then_some(peers)
            }
        }
    }

    /// Does what another process's word brings about.
    fn hear(
        &mut self,
        from: NodeId,
        key: &Key,
        make: bool,
        hand: &mut Hand<'_>,
        take: impl FnOnce(&mut Peers, &dyn Fn(&str) -> bool) -> Heard,
    ) {
        let now = hand.now.monotonic;
        if self.concerned(key, make).is_none() {
            return;
        }
        let heard = match key {
            Key::Channel(name) => {
                let Some(channel) = self.channels.get_mut(name) else { return };
                let before = Before::of(channel);
                let Channel { roster, peers, .. } = channel;
                let heard = take(peers, &|user| roster.has(user));
                if let Heard::Changed(moved) = &heard {
                    self.channel_moved(name, before, moved, hand);
                }
                heard
            }
            Key::User(id) => {
                let Some(user) = self.users.get_mut(id) else { return };
                let before = user.is_online();
                let heard = take(&mut user.peers, &|_| false);
                self.user_moved(id, before, hand.dirty);
                heard
            }
        };
        if matches!(heard, Heard::Missed)
            && self.concerned(key, false).is_some_and(|peers| peers.may_ask(now))
        {
            self.wonder(from, vec![Want { of: key.write(), state: true, kept: 0 }]);
        }
        if let Key::Channel(name) = key {
            self.drop_channel(name);
        }
    }

    /// Tells subscribers here, and webhooks, what another process has changed.
    fn channel_moved(
        &mut self,
        name: &ChannelName,
        before: Before,
        moved: &Moved,
        hand: &mut Hand<'_>,
    ) {
        let Some(channel) = self.channels.get(name) else { return };
        let (occupied, count) = (channel.is_occupied(), channel.count());
        for member in &moved.came {
            let added = frame(|out| encode::member_added(name, member, out));
            channel.tell(&added, Durability::Durable, None, hand.dirty);
        }
        if occupied && !before.occupied {
            self.occupied(name, hand.now, hand.hooks);
        }
        for member in &moved.came {
            self.member_here(name, &member.user_id, hand.now, hand.hooks);
        }
        for user in &moved.went {
            self.member_gone(name, user, hand.now, hand.dirty);
        }
        if count != before.count {
            self.count_changed(name, hand.now, hand.dirty, hand.hooks);
        }
        self.vacated(name, before.occupied, hand.now);
    }

    /// A channel has got its first subscriber anywhere.
    pub(super) fn occupied(&mut self, name: &ChannelName, now: Now, hooks: &Hooks) {
        if !self.pending.take_back(&Gone { channel: name.clone(), user: None }) {
            let channel = name.as_str().into();
            hooks.put_shared(&self.app, now.wall, || WebhookEvent::ChannelOccupied { channel });
        }
    }

    /// A member has come with his first connection anywhere.
    pub(super) fn member_here(
        &mut self,
        name: &ChannelName,
        user: &Arc<str>,
        now: Now,
        hooks: &Hooks,
    ) {
        let gone = Gone { channel: name.clone(), user: Some(user.clone()) };
        if !self.pending.take_back(&gone) {
            let (channel, user_id) = (name.as_str().into(), user.clone());
            hooks
                .put_shared(&self.app, now.wall, || WebhookEvent::MemberAdded { channel, user_id });
        }
    }

    fn user_moved(&mut self, id: &Arc<str>, before: bool, dirty: &mut Dirty) {
        let now = self.users.get(id).is_some_and(User::is_online);
        if now != before {
            self.tell_watchers(id, now, None, dirty);
        }
    }

    /// A process has gone, or its word about some things has not been repeated.
    pub(super) fn forget_peer(&mut self, node: NodeId, key: &Key, hand: &mut Hand<'_>) {
        match key {
            Key::Channel(name) => {
                let Some(channel) = self.channels.get_mut(name) else { return };
                let before = Before::of(channel);
                let Channel { roster, peers, .. } = channel;
                let moved = peers.forget(node, |user| roster.has(user));
                if let Some(moved) = moved {
                    self.channel_moved(name, before, &moved, hand);
                }
                self.drop_channel(name);
            }
            Key::User(id) => {
                let Some(user) = self.users.get_mut(id) else { return };
                let before = user.is_online();
                user.peers.forget(node, |_| false);
                self.user_moved(id, before, hand.dirty);
            }
        }
    }

    /// Forgets a channel that is nowhere and that nobody listens for.
    pub(super) fn drop_channel(&mut self, name: &ChannelName) {
        let is_nothing = |channel: &Channel| {
            channel.subscribers.is_empty()
                && channel.peers.is_empty()
                && channel.peers.listening == Listening::No
        };
        if self.channels.get(name).is_some_and(is_nothing) {
            self.channels.remove(name);
        }
    }

    /// A process has gone, and with it everything that it had.
    pub(super) fn forget_node(&mut self, node: NodeId, hand: &mut Hand<'_>) {
        let channels = self.channels.iter().filter(|(_, channel)| channel.peers.knows(node));
        let channels = channels.map(|(name, _)| Key::Channel(name.clone()));
        let users = self.users.iter().filter(|(_, user)| user.peers.knows(node));
        let keys: Vec<_> = channels.chain(users.map(|(id, _)| Key::User(id.clone()))).collect();
        for key in keys {
            self.forget_peer(node, &key, hand);
        }
    }
}
