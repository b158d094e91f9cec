//! People who are connected to other processes, as those have last said. What is not repeated is forgotten.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use parlour_core::{
    ConversationId, Epoch, NodeId, UserId,
    event::{Envelope, Event, PresenceStatus},
    model::{Millis, Profile},
    port::bus::Seen,
};

use super::{Hub, State, encoder::to_connections, flush};
use crate::{gateway::conn::Conn, hash::HashSet, metrics::Metrics};

/// How long what a process said of somebody holds.
const LEASE: Duration = Duration::from_secs(35);

/// More people than this are not known of other processes.
const MOST_FAR: usize = 200_000;

/// Somebody who is connected elsewhere, perhaps here too.
pub(super) struct Far {
    profile: Arc<Profile>,
    places: Vec<Place>,
    /// In which conversations people here may see him.
    conversations: HashSet<ConversationId>,
    /// What people here were last told.
    shown: PresenceStatus,
    last_seen: Millis,
}

/// What one process said.
struct Place {
    node: NodeId,
    status: PresenceStatus,
    until: Duration,
}

impl Far {
    fn status(&self) -> PresenceStatus {
        self.places.iter().map(|place| place.status).max().unwrap_or(PresenceStatus::Offline)
    }

    /// Takes over what a process says.
    fn put(&mut self, node: NodeId, seen: &Seen, until: Duration) {
        self.places.retain(|place| place.node != node);
        if seen.status == PresenceStatus::Offline {
            self.last_seen = self.last_seen.max(seen.last_seen);
        } else {
            self.places.push(Place { node, status: seen.status, until });
        }
    }
}

impl Hub {
    /// The profile of somebody, if it is known here.
    pub(crate) fn known_profile(&self, seen: &Seen) -> Option<Arc<Profile>> {
        let state = self.state.lock();
        if let Some(slot) = state.slot_of(&seen.user) {
            return Some(slot.profile.clone());
        }
        if let Some(far) = state.far.get(&seen.user) {
            return Some(far.profile.clone());
        }
        let topics = seen.conversations.iter().filter_map(|id| state.topics.get(id));
        let mut peers = topics.filter_map(|topic| topic.place.peers.as_ref()).flatten();
        peers.find(|peer| peer.id == seen.user).cloned()
    }

    /// Whether what is said of somebody concerns anybody here.
    pub(crate) fn concerns(&self, seen: &Seen) -> bool {
        let state = self.state.lock();
        state.far.contains_key(&seen.user)
            || (seen.status != PresenceStatus::Offline
                && seen.conversations.iter().any(|id| state.shown(*id).is_some()))
    }

    /// A process says who is there with it.
    pub(crate) fn seen_far(&self, node: NodeId, people: &[(Seen, Arc<Profile>)]) {
        let now = self.clock.monotonic();
        let mut dirty = Vec::new();
        let mut state = self.state.lock();
        for (seen, profile) in people {
            state.seen_far(node, seen, profile, now, &mut dirty, &self.metrics);
        }
        drop(state);
        flush(&mut dirty);
    }

    /// A process has ended, or counts as dead: nobody is there with it after `grace`.
    pub(crate) fn node_gone(&self, node: NodeId, grace: Duration) {
        let end = self.clock.monotonic() + grace;
        let mut state = self.state.lock();
        let places = state.far.values_mut().flat_map(|far| &mut far.places);
        for place in places.filter(|place| place.node == node) {
            place.until = place.until.min(end);
        }
    }

    /// Forgets what was not repeated.
    pub(crate) fn sweep_far(&self) {
        let now = self.clock.monotonic();
        let mut dirty = Vec::new();
        let mut state = self.state.lock();
        let over = |far: &Far| far.places.iter().any(|place| place.until <= now);
        let ended: Vec<_> =
            state.far.iter().filter(|(_, far)| over(far)).map(|(user, _)| user.clone()).collect();
        for user in ended {
            if let Some(far) = state.far.get_mut(&user) {
                far.places.retain(|place| now < place.until);
            }
            state.reconcile(&user, &mut dirty, &self.metrics);
        }
        self.metrics.bus_far.set(i64::try_from(state.far.len()).unwrap_or(i64::MAX));
        drop(state);
        flush(&mut dirty);
    }
}

impl State {
    /// What somebody is, over all processes.
    pub(super) fn status_of(&self, user: &UserId) -> PresenceStatus {
        let here = self.slot_of(user).map_or(PresenceStatus::Offline, |s| s.presence.status());
        self.far.get(user).map_or(here, |far| far.status().max(here))
    }

    /// Who is there elsewhere of a conversation that is no crowd, with what he is over all processes.
    pub(super) fn far_in(
        &self,
        conversation: ConversationId,
    ) -> impl Iterator<Item = (&Arc<Profile>, PresenceStatus)> {
        let users = self.shown(conversation).map(|topic| &topic.far);
        let far = users.into_iter().flatten().filter_map(|user| self.far.get(user));
        // Who is here as well is found among those who are here.
        let elsewhere = far.filter(|far| !self.users.contains_key(&far.profile.id));
        elsewhere.map(|far| (&far.profile, far.shown))
    }

    fn seen_far(
        &mut self,
        node: NodeId,
        seen: &Seen,
        profile: &Arc<Profile>,
        now: Duration,
        dirty: &mut Vec<Arc<Conn>>,
        metrics: &Metrics,
    ) {
        let user = &seen.user;
        let here: Vec<_> =
            seen.conversations.iter().filter(|id| self.shown(**id).is_some()).copied().collect();
        if !self.far.contains_key(user) {
            if here.is_empty()
                || seen.status == PresenceStatus::Offline
                || self.far.len() >= MOST_FAR
            {
                return;
            }
            let shown = self.status_of(user);
            let far = Far {
                profile: profile.clone(),
                places: Vec::new(),
                conversations: HashSet::default(),
                shown,
                last_seen: 0,
            };
            self.far.insert(user.clone(), far);
        }
        let Some(far) = self.far.get_mut(user) else { return };
        far.put(node, seen, now + LEASE);
        let known: Vec<_> = far.conversations.iter().copied().collect();
        let new: Vec<_> = here.into_iter().filter(|id| far.conversations.insert(*id)).collect();
        let shown = far.shown;
        for id in &new {
            if let Some(topic) = self.topics.get_mut(id) {
                topic.far.insert(user.clone());
            }
        }
        if !self.reconcile(user, dirty, metrics)
            && !new.is_empty()
            && shown != PresenceStatus::Offline
            && !self.users.contains_key(user)
        {
            // Those who share an earlier conversation with him know it.
            self.tell_far(user, (&known, &new), dirty, metrics);
        }
    }

    /// Tells people here of what somebody is now over all processes, if they were told otherwise; whether they were
    /// told. Forgets him when he is nowhere else.
    pub(super) fn reconcile(
        &mut self,
        user: &UserId,
        dirty: &mut Vec<Arc<Conn>>,
        metrics: &Metrics,
    ) -> bool {
        let status = self.status_of(user);
        let Some(far) = self.far.get_mut(user) else { return false };
        let changed = far.shown != status;
        far.shown = status;
        if changed {
            match self.users.get(user).copied() {
                Some(id) => self.tell_of_slot(id, status, dirty, metrics),
                None => {
                    let places: Vec<_> = far.conversations.iter().copied().collect();
                    self.tell_far(user, (&[], &places), dirty, metrics);
                }
            }
        }
        if self.far.get(user).is_some_and(|far| far.places.is_empty()) {
            self.forget_far(user);
        }
        changed
    }

    /// Somebody who is not here left a conversation.
    pub(super) fn far_left(&mut self, at: ConversationId, user: &UserId) {
        if let Some(topic) = self.topics.get_mut(&at) {
            topic.far.remove(user);
        }
        let Some(far) = self.far.get_mut(user) else { return };
        far.conversations.remove(&at);
        if far.conversations.is_empty() {
            self.far.remove(user);
        }
    }

    /// Nobody here listens to a conversation any more: who is elsewhere of it concerns nobody.
    pub(super) fn far_ends(&mut self, at: ConversationId, people: HashSet<UserId>) {
        for user in people {
            let Some(far) = self.far.get_mut(&user) else { continue };
            far.conversations.remove(&at);
            if far.conversations.is_empty() {
                self.far.remove(&user);
            }
        }
    }

    fn forget_far(&mut self, user: &UserId) {
        let Some(far) = self.far.remove(user) else { return };
        for id in &far.conversations {
            if let Some(topic) = self.topics.get_mut(id) {
                topic.far.remove(user);
            }
        }
    }

    /// Tells the listeners of conversations of somebody who is elsewhere, but for those of others.
    fn tell_far(
        &mut self,
        user: &UserId,
        (but, places): (&[ConversationId], &[ConversationId]),
        dirty: &mut Vec<Arc<Conn>>,
        metrics: &Metrics,
    ) {
        let Some(far) = self.far.get(user) else { return };
        let envelope = presence_of(&far.profile, far.shown, far.last_seen);
        self.round += 1;
        let (round, most) = (self.round, self.signal_participants);
        let mut listeners = Vec::new();
        let skipped = but.iter().map(|id| (id, false));
        for (id, told) in skipped.chain(places.iter().map(|id| (id, true))) {
            let topic = self.topics.get(id);
            let Some(topic) = topic.filter(|topic| !topic.is_crowd(most)) else { continue };
            for subscriber in &topic.subscribers {
                let Some(slot) = self.slots.get_mut(subscriber.slot) else { continue };
                if slot.round == round {
                    continue;
                }
                slot.round = round;
                if told && slot.user != *user && !slot.hidden.contains(user) {
                    // Who is just coming back may have been told already who is there, so he is told this after that.
                    let concerned = |conn: &&Arc<Conn>| {
                        conn.listening.load(Relaxed)
                            && conn.scope.is_none_or(|scope| places.contains(&scope))
                    };
                    listeners.extend(slot.conns.iter().filter(concerned).cloned());
                }
            }
        }
        let told = to_connections(&envelope, listeners.iter(), &self.settings, dirty);
        metrics.deliveries.inc_by(told);
    }
}

/// The event that tells what somebody is.
pub(super) fn presence_of(
    profile: &Arc<Profile>,
    status: PresenceStatus,
    last_seen: Millis,
) -> Envelope {
    Envelope {
        conversation: None,
        epoch: Epoch::default(),
        seq: None,
        at: last_seen,
        origin: None,
        event: Event::Presence {
            user: profile.clone(),
            status,
            last_seen: if status == PresenceStatus::Online { 0 } else { last_seen },
        },
    }
}
