//! Taking connections in and forgetting them: who is here, with how many sockets.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use parlour_core::{UserId, model::Profile, port::bus::Topic, presence::Presence};
use smallvec::SmallVec;

use super::{Hub, Refused, Slot, State, flush};
use crate::gateway::{close::Close, conn::Conn, link::Link};

impl Hub {
    /// Whether one more connection of the user would be taken in.
    pub(crate) fn has_room(&self, user: &UserId, device: Option<&str>) -> Result<(), Refused> {
        self.room_beside(None, user, device)
    }

    /// The same for a connection over a socket that may be one of those already.
    fn room_beside(
        &self,
        own: Option<&Arc<Link>>,
        user: &UserId,
        device: Option<&str>,
    ) -> Result<(), Refused> {
        if self.is_draining() {
            return Err(Refused::Draining);
        }
        let state = self.state.lock();
        let Some(slot) = state.slot_of(user) else { return Ok(()) };
        let now = self.seconds();
        let live = slot.conns.iter().filter(|conn| !conn.is_closing());
        let replaces = |conn: &&Arc<Conn>| device.is_some() && conn.device.as_deref() == device;
        let staying = live.filter(|conn| !is_unresponsive(conn, now) && !replaces(conn));
        // The channels of one Pusher socket count as one.
        let others = staying.filter(|conn| own.is_none_or(|own| !Arc::ptr_eq(own, &conn.link)));
        let mut links: Vec<_> = others.map(|conn| Arc::as_ptr(&conn.link)).collect();
        links.sort_unstable();
        links.dedup();
        if links.len() < self.limits.connections_per_user { Ok(()) } else { Err(Refused::TooMany) }
    }

    /// Takes a connection in. It gets no events yet. Connections that it replaces are closed: the same device in
    /// the same dialect, and past the limit those that have not answered their ping.
    pub(crate) fn register(&self, conn: &Arc<Conn>, profile: &Arc<Profile>) -> Result<(), Refused> {
        self.room_beside(Some(&conn.link), &conn.user, conn.device.as_deref())?;
        let now = self.seconds();
        let mut state = self.state.lock();
        let id = state.slot_or_insert(profile);
        let mut ended = Vec::new();
        if let Some(slot) = state.slots.get_mut(id) {
            let same_device = |other: &Arc<Conn>| {
                conn.device.is_some()
                    && other.device == conn.device
                    && other.kept_as() == conn.kept_as()
                    && other.scope == conn.scope
                    && !Arc::ptr_eq(&other.link, &conn.link)
            };
            ended.extend(
                slot.conns.iter().filter(|c| same_device(c)).map(|c| (c.clone(), Close::REPLACED)),
            );
            if slot.conns.len() >= self.limits.connections_per_user {
                let silent = slot.conns.iter().filter(|conn| is_unresponsive(conn, now));
                ended.extend(silent.map(|c| (c.clone(), Close::PING_TIMEOUT)));
            }
            slot.conns.push(conn.clone());
            slot.profile = profile.clone();
            // What is believed of a sign-in may be some seconds old.
            slot.stood = None;
        }
        state.voice.look_again_at(&conn.user);
        state.conns.insert(conn.key, conn.clone());
        drop(state);
        self.metrics.connects.inc();
        self.gauge(conn).inc();
        for (other, close) in ended {
            other.close(&close);
        }
        Ok(())
    }

    /// Forgets a connection that has ended.
    pub(crate) fn unregister(&self, conn: &Arc<Conn>) {
        let now = self.clock.monotonic();
        let mut state = self.state.lock();
        if state.conns.remove(&conn.key).is_none() {
            return;
        }
        self.gauge(conn).dec();
        let Some(id) = state.users.get(&conn.user).copied() else { return };
        let Some(slot) = state.slots.get_mut(id) else { return };
        slot.conns.retain(|other| other.key != conn.key);
        let was_listening = conn.has_begun();
        let mut dirty = Vec::new();
        if was_listening {
            slot.last_seen = self.clock.now();
            let changed = slot.presence.disconnected(conn.away.load(Relaxed), now);
            state.stop_typing_unattended(id);
            if let Some(status) = changed {
                state.announce(id, status, &mut dirty, &self.metrics);
            }
        }
        state.forget_if_gone(id);
        drop(state);
        flush(&mut dirty);
    }

    /// Other connections of the same user that are the same to their client: same dialect, conversation and device. Of those on
    /// its own socket only what has ended: two channels of one socket are no two devices.
    pub(crate) fn siblings(&self, conn: &Conn) -> Vec<Arc<Conn>> {
        let state = self.state.lock();
        let Some(slot) = state.slot_of(&conn.user) else { return Vec::new() };
        let same = |other: &&Arc<Conn>| {
            !std::ptr::eq(Arc::as_ptr(other), conn)
                && (!Arc::ptr_eq(&other.link, &conn.link) || other.is_closing())
                && other.kept_as() == conn.kept_as()
                && other.scope == conn.scope
                && other.device == conn.device
                && (other.agent == conn.agent || other.agent.is_none() || conn.agent.is_none())
        };
        slot.conns.iter().filter(same).cloned().collect()
    }
}

impl State {
    fn slot_or_insert(&mut self, profile: &Arc<Profile>) -> usize {
        if let Some(id) = self.users.get(&profile.id) {
            return *id;
        }
        let id = self.slots.insert(Slot {
            user: profile.id.clone(),
            profile: profile.clone(),
            conns: SmallVec::new(),
            conversations: Vec::new(),
            hidden: Vec::new(),
            presence: Presence::default(),
            last_seen: 0,
            loading: 0,
            left_while_loading: Vec::new(),
            loaded: false,
            version: None,
            stood: None,
            revoked_before: None,
            round: 0,
        });
        self.users.insert(profile.id.clone(), id);
        self.voice.topic(Topic::User(profile.id.clone()), false);
        id
    }

    /// Forgets a user of whom nothing is left to wait for.
    pub(super) fn forget_if_gone(&mut self, id: usize) {
        let gone = self.slots.get(id).is_some_and(|slot| {
            slot.conns.is_empty() && slot.loading == 0 && slot.presence.is_gone()
        });
        if !gone {
            return;
        }
        let slot = self.slots.remove(id);
        self.users.remove(&slot.user);
        self.voice.topic(Topic::User(slot.user.clone()), false);
        for conversation in slot.conversations {
            self.typing.remove(&(conversation, slot.user.clone()));
            self.unsubscribe(conversation, id);
        }
    }
}

/// Whether a connection has let a ping wait for longer than any network makes it.
fn is_unresponsive(conn: &Conn, now: u32) -> bool {
    let pinged = conn.link.timing.pinged.load(Relaxed);
    pinged != 0 && now.saturating_sub(pinged) >= 2
}
