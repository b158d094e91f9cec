//! Telling people who share a conversation who comes and goes.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use parlour_core::{ConversationId, UserId, event::PresenceStatus};

use super::{Hub, Slot, State, encoder::to_connections, far::presence_of, flush};
use crate::{gateway::conn::Conn, hash::HashSet, metrics::Metrics};

impl Hub {
    /// The person at a connection left the screen, or is back.
    pub(crate) fn set_away(&self, conn: &Conn, away: bool) {
        if conn.away.swap(away, Relaxed) == away || !conn.has_begun() {
            return;
        }
        let mut dirty = Vec::new();
        let mut state = self.state.lock();
        let Some(id) = state.users.get(&conn.user).copied() else { return };
        let changed = state.slots.get_mut(id).and_then(|slot| slot.presence.set_away(away));
        if let Some(status) = changed {
            state.announce(id, status, &mut dirty, &self.metrics);
        }
        drop(state);
        flush(&mut dirty);
    }

    /// Tells the others in a conversation that somebody looks at it.
    pub(crate) fn show_presence_in(&self, conversation: ConversationId, user: &UserId) {
        let mut dirty = Vec::new();
        let state = self.state.lock();
        let Some(slot) = state.slot_of(user) else { return };
        let Some(topic) = state.shown(conversation) else { return };
        let envelope = presence_of(&slot.profile, state.status_of(user), slot.last_seen);
        let others = topic.subscribers.iter().filter_map(|s| state.slots.get(s.slot));
        let listeners: Vec<_> = others
            .filter(|other| other.user != *user && !slot.hidden.contains(&other.user))
            .flat_map(|other| &other.conns)
            .filter(|conn| conn.streaming.load(Relaxed) && conn.covers(conversation))
            .collect();
        let told = to_connections(&envelope, listeners.into_iter(), &self.settings, &mut dirty);
        drop(state);
        self.metrics.deliveries.inc_by(told);
        flush(&mut dirty);
    }

    /// Tells a connection who is there of those in the conversation that it is about.
    pub(crate) fn tell_who_is_here(&self, conn: &Arc<Conn>) {
        let Some(scope) = conn.scope else { return };
        let mut dirty = Vec::new();
        let state = self.state.lock();
        let Some(topic) = state.shown(scope) else { return };
        let hidden = state.slot_of(&conn.user).map(|slot| slot.hidden.clone()).unwrap_or_default();
        for subscriber in &topic.subscribers {
            let Some(other) = state.slots.get(subscriber.slot) else { continue };
            let status = state.status_of(&other.user);
            if status != PresenceStatus::Offline
                && other.user != conn.user
                && !hidden.contains(&other.user)
            {
                let envelope = presence_of(&other.profile, status, other.last_seen);
                to_connections(&envelope, std::iter::once(conn), &self.settings, &mut dirty);
            }
        }
        for (profile, status) in state.far_in(scope) {
            if status != PresenceStatus::Offline && !hidden.contains(&profile.id) {
                let envelope = presence_of(profile, status, 0);
                to_connections(&envelope, std::iter::once(conn), &self.settings, &mut dirty);
            }
        }
        drop(state);
        flush(&mut dirty);
    }

    /// Who of the people that a user shares a conversation with is there.
    pub(crate) fn contacts(&self, user: &UserId) -> Vec<(UserId, PresenceStatus)> {
        let mut state = self.state.lock();
        let Some(id) = state.users.get(user).copied() else { return Vec::new() };
        let mut there = Vec::new();
        state.each_contact(id, |contact| {
            there.push((contact.user.clone(), contact.presence.status()));
        });
        if !state.far.is_empty() {
            state.add_far(id, &mut there);
        }
        there.retain(|(_, status)| *status != PresenceStatus::Offline);
        there
    }

    /// Ends the graces of those who did not come back, and forgets them.
    pub(crate) fn sweep_presence(&self) {
        let now = self.clock.monotonic();
        let mut dirty = Vec::new();
        let mut state = self.state.lock();
        let waiting = state.slots.iter().filter(|(_, slot)| slot.conns.is_empty());
        let waiting: Vec<usize> = waiting.map(|(id, _)| id).collect();
        for id in waiting {
            let Some(slot) = state.slots.get_mut(id) else { continue };
            if let Some(status) = slot.presence.sweep(now, self.limits.presence_grace) {
                let (user, seen) = (slot.user.clone(), slot.last_seen);
                state.announce(id, status, &mut dirty, &self.metrics);
                state.last_seen.insert(user, seen);
            }
            state.forget_if_gone(id);
        }
        drop(state);
        flush(&mut dirty);
    }
}

impl State {
    /// Somebody's presence here has changed: tells everybody who may know, unless he is as much there elsewhere.
    pub(super) fn announce(
        &mut self,
        id: usize,
        status: PresenceStatus,
        dirty: &mut Vec<Arc<Conn>>,
        metrics: &Metrics,
    ) {
        let Some(slot) = self.slots.get(id) else { return };
        let user = slot.user.clone();
        if status == PresenceStatus::Offline {
            let seen = self.seen(slot);
            self.voice.tell_departed(seen);
        } else {
            self.voice.tell_of(&user);
        }
        if self.far.contains_key(&user) {
            self.reconcile(&user, dirty, metrics);
        } else {
            self.tell_of_slot(id, status, dirty, metrics);
        }
    }

    /// Tells everybody here who may know what somebody who is here is now.
    pub(super) fn tell_of_slot(
        &mut self,
        id: usize,
        status: PresenceStatus,
        dirty: &mut Vec<Arc<Conn>>,
        metrics: &Metrics,
    ) {
        let Some(slot) = self.slots.get(id) else { return };
        let envelope = presence_of(&slot.profile, status, slot.last_seen);
        let conversations = self.shown_of(slot);
        let mut listeners = Vec::new();
        self.each_contact(id, |contact| {
            let concerned = |conn: &&Arc<Conn>| {
                conn.streaming.load(Relaxed)
                    && conn.scope.is_none_or(|scope| conversations.contains(&scope))
            };
            listeners.extend(contact.conns.iter().filter(concerned).cloned());
        });
        let told = to_connections(&envelope, listeners.iter(), &self.settings, dirty);
        metrics.deliveries.inc_by(told);
    }

    /// Adds what other processes say of those with whom a user shares a conversation.
    fn add_far(&mut self, id: usize, there: &mut Vec<(UserId, PresenceStatus)>) {
        for (user, status) in &mut *there {
            *status = self.status_of(user);
        }
        let Some(own) = self.slots.get(id) else { return };
        let mut seen = HashSet::default();
        for conversation in &own.conversations {
            for (profile, status) in self.far_in(*conversation) {
                if profile.id != own.user
                    && !own.hidden.contains(&profile.id)
                    && seen.insert(profile.id.clone())
                {
                    there.push((profile.id.clone(), status));
                }
            }
        }
    }

    /// Everybody here who shares a conversation with a user that is no crowd, once, but for those he does not exchange
    /// presence with.
    pub(super) fn each_contact(&mut self, id: usize, mut with: impl FnMut(&Slot)) {
        self.round += 1;
        let (round, most) = (self.round, self.signal_participants);
        let Some(own) = self.slots.get_mut(id) else { return };
        own.round = round;
        let conversations = std::mem::take(&mut own.conversations);
        let hidden = std::mem::take(&mut own.hidden);
        for conversation in &conversations {
            let topic = self.topics.get(conversation);
            let Some(topic) = topic.filter(|topic| !topic.is_crowd(most)) else { continue };
            for subscriber in &topic.subscribers {
                let Some(contact) = self.slots.get_mut(subscriber.slot) else { continue };
                if contact.round != round {
                    contact.round = round;
                    if !hidden.contains(&contact.user) {
                        with(contact);
                    }
                }
            }
        }
        if let Some(own) = self.slots.get_mut(id) {
            own.conversations = conversations;
            own.hidden = hidden;
        }
    }
}
