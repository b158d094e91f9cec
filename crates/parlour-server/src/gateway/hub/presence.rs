//! Telling people who share a conversation who comes and goes.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use parlour_core::{
    Epoch,
    event::{Envelope, Event, PresenceStatus},
};

use super::{Hub, State, deliver::to_connections, flush};
use crate::{gateway::conn::Conn, metrics::Metrics};

impl Hub {
    /// The person at a connection left the screen, or is back.
    pub(crate) fn set_away(&self, conn: &Conn, away: bool) {
        if conn.away.swap(away, Relaxed) == away || conn.timing.resumed.load(Relaxed) == 0 {
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
    /// Tells everybody who may know.
    pub(super) fn announce(
        &mut self,
        id: usize,
        status: PresenceStatus,
        dirty: &mut Vec<Arc<Conn>>,
        metrics: &Metrics,
    ) {
        let Some(slot) = self.slots.get(id) else { return };
        let envelope = Envelope {
            conversation: None,
            epoch: Epoch::default(),
            seq: None,
            at: slot.last_seen,
            origin: None,
            event: Event::Presence {
                user: slot.profile.clone(),
                status,
                last_seen: if status == PresenceStatus::Online { 0 } else { slot.last_seen },
            },
        };
        let mut listeners = Vec::new();
        self.each_contact(id, |contact| {
            let listening = contact.conns.iter().filter(|c| c.streaming.load(Relaxed));
            listeners.extend(listening.cloned());
        });
        metrics.deliveries.inc_by(to_connections(&envelope, listeners.iter(), dirty));
    }
}
