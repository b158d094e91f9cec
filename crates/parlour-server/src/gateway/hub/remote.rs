//! What the hub has, compared with what the store has or other processes say.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use parlour_core::{
    ConversationId, Seq, UserId,
    event::Envelope,
    model::{Millis, SessionId, UserState},
    port::store::{Head, Replay},
};

use super::Hub;
use crate::{
    gateway::close::Close,
    hash::{HashMap, HashSet},
};

/// How somebody's sign-ins stand, as the store says.
pub(crate) struct Standing {
    /// Whether he may come in; `None` for somebody who is gone.
    pub(crate) user: Option<(UserState, Millis)>,
    /// His sessions that have ended.
    pub(crate) ended: HashSet<SessionId>,
}

/// That somebody waits for the store: what it commits for him comes from here, and not from another process.
pub(crate) struct Asking(Option<(Arc<Hub>, UserId)>);

impl Drop for Asking {
    fn drop(&mut self) {
        let Some((hub, user)) = self.0.take() else { return };
        let mut asking = hub.asking.lock();
        if let Some(count) = asking.get_mut(&user) {
            *count -= 1;
            if *count == 0 {
                asking.remove(&user);
            }
        }
    }
}

impl Hub {
    /// Notes that a command of a user goes to the store, until what this gives is dropped.
    pub(crate) fn asks(self: &Arc<Self>, user: &UserId) -> Asking {
        if !self.shared.load(Relaxed) {
            return Asking(None);
        }
        *self.asking.lock().entry(user.clone()).or_default() += 1;
        Asking(Some((self.clone(), user.clone())))
    }

    /// Cuts a replay off before what a user has written who still waits for the store: his connection is answered in its
    /// place, which only this process's own commit can do. Whether something was cut off.
    pub(crate) fn leave_to_commit(&self, replay: &mut Replay) -> bool {
        let asking = self.asking.lock();
        if asking.is_empty() {
            return false;
        }
        let is_own = |envelope: &Envelope| {
            envelope.event.message().is_some_and(|message| asking.contains_key(&message.sender.id))
        };
        let Some(first) = replay.envelopes.iter().position(is_own) else { return false };
        let seq = replay.envelopes.get(first).and_then(|envelope| envelope.seq);
        replay.covered = Seq(seq.unwrap_or_default().0.saturating_sub(1));
        replay.envelopes.truncate(first);
        true
    }

    /// Of conversations whose logs are said to have grown up to a seq, those that somebody here listens to and that have
    /// not come so far, with where they stand.
    pub(crate) fn behind(
        &self,
        heads: &HashMap<ConversationId, Seq>,
    ) -> Vec<(ConversationId, Seq)> {
        let state = self.state.lock();
        let behind = |(id, head): (&ConversationId, &Seq)| {
            let last = state.topics.get(id)?.last_seq?;
            (last < *head).then_some((*id, last))
        };
        heads.iter().filter_map(behind).collect()
    }

    /// The same for receipts.
    pub(crate) fn receipts_behind(
        &self,
        versions: &HashMap<ConversationId, u64>,
    ) -> Vec<(ConversationId, u64)> {
        let state = self.state.lock();
        let behind = |(id, version): (&ConversationId, &u64)| {
            let last = state.topics.get(id)?.receipts?;
            (last < *version).then_some((*id, last))
        };
        versions.iter().filter_map(behind).collect()
    }

    /// Whether somebody here listens to a conversation whose receipts must name what they cover, and from where on that
    /// is for this reader, where it is known.
    pub(crate) fn names_covered(
        &self,
        conversation: ConversationId,
        reader: &UserId,
    ) -> Option<Option<Seq>> {
        let state = self.state.lock();
        let topic = state.topics.get(&conversation)?;
        let slots = topic.subscribers.iter().filter_map(|s| state.slots.get(s.slot));
        let mut conns = slots.flat_map(|slot| &slot.conns);
        // In a crowd it is told to those who said what was read.
        let named = topic.is_crowd(state.signal_participants)
            || conns.any(|conn| conn.track.is_some() && conn.listening.load(Relaxed));
        named.then(|| topic.marks.get(reader).copied())
    }

    /// The conversations that somebody here listens to.
    pub(crate) fn conversations(&self) -> Vec<ConversationId> {
        self.state.lock().topics.keys().copied().collect()
    }

    /// The users who are here.
    pub(crate) fn users(&self) -> Vec<UserId> {
        self.state.lock().users.keys().cloned().collect()
    }

    /// Of ends of logs, those that have not come here yet: Changes, and receipts.
    pub(crate) fn not_come(&self, heads: &[Head]) -> Vec<Head> {
        let state = self.state.lock();
        let is_ahead = |head: &&Head| {
            state.topics.get(&head.conversation).is_some_and(|topic| {
                topic.last_seq.is_some_and(|last| last < head.last_seq)
                    || topic.receipts.is_some_and(|last| last < head.receipts)
            })
        };
        heads.iter().filter(is_ahead).copied().collect()
    }

    /// Asks the store again about those whose version has grown past what is known here; how many there are.
    pub(crate) fn compare_versions(&self, versions: &[(UserId, u64)]) -> usize {
        let mut state = self.state.lock();
        let mut grown = Vec::new();
        for (user, version) in versions {
            let Some(slot) = state.slot_of(user) else { continue };
            let known = if slot.loaded { slot.version.min(slot.stood) } else { slot.stood };
            if known < Some(*version) {
                grown.push(user.clone());
            }
        }
        for user in &grown {
            state.voice.look_again_at(user);
        }
        grown.len()
    }

    /// The sessions on which a user's connections rest; `None` when he is not here, or nothing has to be looked at as
    /// of this version.
    pub(crate) fn sessions_of(&self, user: &UserId, version: u64) -> Option<Vec<SessionId>> {
        let state = self.state.lock();
        let slot = state.slot_of(user)?;
        if slot.stood >= Some(version) || slot.conns.is_empty() {
            return None;
        }
        let mut sessions: Vec<_> = Vec::new();
        for session in slot.conns.iter().filter_map(|conn| conn.session.as_ref()) {
            if !sessions.contains(session) {
                sessions.push(session.clone());
            }
        }
        Some(sessions)
    }

    /// Ends the connections of a user that do not stand any more (guarantee G10).
    pub(crate) fn hold_to(
        &self,
        user: &UserId,
        version: u64,
        sessions: &[SessionId],
        standing: &Standing,
    ) {
        let mut state = self.state.lock();
        let Some(slot) = state.slot_of_mut(user) else { return };
        let (banned, before) = match standing.user {
            Some((state, before)) => (state == UserState::Banned, before),
            None => (true, 0),
        };
        // Those for whom the host application vouched have no time of their own: only a revocation that came since
        // ends them.
        let revoked_since = slot.revoked_before.is_some_and(|known| known < before);
        slot.revoked_before = Some(before);
        let (over, stay): (Vec<_>, Vec<_>) = slot.conns.iter().cloned().partition(|conn| {
            let issued = conn.sign_in.issued_at.load(Relaxed);
            banned
                || conn.session.as_ref().is_some_and(|session| standing.ended.contains(session))
                || if issued == 0 { revoked_since } else { issued < before }
        });
        // A connection that came meanwhile rests on a session that was not looked at.
        let all_looked_at =
            stay.iter().all(|conn| conn.session.as_ref().is_none_or(|s| sessions.contains(s)));
        if all_looked_at {
            slot.stood = slot.stood.max(Some(version));
        }
        drop(state);
        for conn in over.iter().filter(|conn| !conn.is_closing()) {
            conn.close(&Close::REVOKED);
        }
        if !all_looked_at {
            self.look_again_at(user);
        }
    }
}
