//! Which users listen to which conversations, kept exact while the store is being read.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use foldhash::HashMap;
use parlour_core::{
    ConversationId, Seq, UserId,
    event::{Event, PresenceStatus},
    model::{Conversation, ConversationKind, ConversationState, Membership, Participant, Role},
};

use super::{Hub, Slot, State, Subscriber, Topic, flush};
use crate::gateway::conn::Conn;

impl Hub {
    /// A connection is about to read its user's conversations. Whether they are subscribed already.
    pub(crate) fn begin_loading(&self, conn: &Conn) -> bool {
        let mut state = self.state.lock();
        let Some(slot) = state.slot_of_mut(&conn.user) else { return false };
        slot.loading += 1;
        slot.loaded
    }

    /// Subscribes a user to what the store said of him. Who left since the reading stays out.
    pub(crate) fn subscribe(&self, user: &UserId, memberships: &[Membership], hidden: Vec<UserId>) {
        let mut state = self.state.lock();
        let Some(id) = state.users.get(user).copied() else { return };
        let Some(slot) = state.slots.get_mut(id) else { return };
        slot.hidden = hidden;
        slot.loaded = true;
        let left = std::mem::take(&mut slot.left_while_loading);
        for membership in memberships {
            let gone = |(conversation, seq): &(ConversationId, Seq)| {
                *conversation == membership.conversation && *seq > membership.last_seq
            };
            if !left.iter().any(gone) {
                let place = Place::from(membership);
                state.subscribe(id, &place);
            }
        }
    }

    /// The reading is over: the connection has been sent everything up to `heads`, and live events follow. Gives
    /// who is there of the people he shares a conversation with.
    pub(crate) fn begin_streaming(
        &self,
        conn: &Arc<Conn>,
        heads: &HashMap<ConversationId, Seq>,
        now: u32,
    ) {
        let mut state = self.state.lock();
        let Some(id) = state.users.get(&conn.user).copied() else { return };
        let lagging = |(conversation, head): (&ConversationId, &Seq)| {
            let passed = state.topics.get(conversation).and_then(|topic| topic.last_seq);
            (passed < Some(*head)).then_some((*conversation, *head))
        };
        let floors = heads.iter().filter_map(lagging).collect();
        conn.release(floors, |conversation, seq| {
            heads.get(&conversation).is_some_and(|head| seq <= *head)
        });
        conn.timing.resumed.store(now.max(1), Relaxed);
        conn.streaming.store(!conn.is_closing(), Relaxed);
        let mut dirty = vec![conn.clone()];
        if let Some(slot) = state.slots.get_mut(id)
            && let Some(status) = slot.presence.connected()
        {
            state.announce(id, status, &mut dirty, &self.metrics);
        }
        drop(state);
        flush(&mut dirty);
    }

    /// The reading is over, one way or the other.
    pub(crate) fn end_loading(&self, conn: &Conn) {
        let mut state = self.state.lock();
        let Some(id) = state.users.get(&conn.user).copied() else { return };
        if let Some(slot) = state.slots.get_mut(id) {
            slot.loading = slot.loading.saturating_sub(1);
            if slot.loading == 0 {
                slot.left_while_loading = Vec::new();
            }
        }
        state.forget_if_gone(id);
    }

    /// Who of the people that a user shares a conversation with is there.
    pub(crate) fn contacts(&self, user: &UserId) -> Vec<(UserId, PresenceStatus)> {
        let mut state = self.state.lock();
        let Some(id) = state.users.get(user).copied() else { return Vec::new() };
        let mut there = Vec::new();
        state.each_contact(id, |contact| {
            let status = contact.presence.status();
            if status != PresenceStatus::Offline {
                there.push((contact.user.clone(), status));
            }
        });
        there
    }
}

/// What a subscription needs to know.
pub(super) struct Place {
    conversation: ConversationId,
    joined: Seq,
    past: Arc<[(Seq, Seq)]>,
    role: Role,
    direct: bool,
    state: ConversationState,
}

impl From<&Membership> for Place {
    fn from(membership: &Membership) -> Self {
        Self {
            conversation: membership.conversation,
            joined: membership.joined_seq,
            past: membership.past.clone(),
            role: membership.role,
            direct: membership.kind == ConversationKind::Direct,
            state: membership.state,
        }
    }
}

impl State {
    pub(super) fn slot_of_mut(&mut self, user: &UserId) -> Option<&mut Slot> {
        let id = *self.users.get(user)?;
        self.slots.get_mut(id)
    }

    fn subscribe(&mut self, id: usize, place: &Place) {
        let topic = self.topics.entry(place.conversation).or_insert_with(|| Topic {
            last_seq: None,
            direct: place.direct,
            state: place.state,
            subscribers: Vec::new(),
        });
        let past = place.past.clone();
        let subscriber = Subscriber { slot: id, joined: place.joined, past, role: place.role };
        match topic.subscribers.iter_mut().find(|s| s.slot == id) {
            Some(known) => *known = subscriber,
            None => {
                topic.subscribers.push(subscriber);
                if let Some(slot) = self.slots.get_mut(id) {
                    slot.conversations.push(place.conversation);
                }
            }
        }
    }

    /// Lets those who are here listen to a conversation that was just made.
    pub(super) fn conversation_created(&mut self, made: &Conversation, people: &[Participant]) {
        for person in people {
            if let Some(id) = self.users.get(&person.profile.id).copied() {
                let place = Place {
                    conversation: made.id,
                    joined: Seq::ZERO,
                    past: Arc::default(),
                    role: person.role,
                    direct: made.kind == ConversationKind::Direct,
                    state: made.state,
                };
                self.subscribe(id, &place);
            }
        }
        if let Some(topic) = self.topics.get_mut(&made.id) {
            topic.last_seq.get_or_insert(Seq::ZERO);
        }
    }

    /// Lets somebody who was just added listen. Only groups take people in.
    pub(super) fn participant_joined(
        &mut self,
        at: ConversationId,
        seq: Seq,
        who: &Participant,
        past: &Arc<[(Seq, Seq)]>,
    ) {
        if let Some(id) = self.users.get(&who.profile.id).copied() {
            let state = self.topics.get(&at).map_or(ConversationState::Open, |topic| topic.state);
            let role = who.role;
            let joined = Seq(seq.0.saturating_sub(1));
            let past = past.clone();
            let place = Place { conversation: at, joined, past, role, direct: false, state };
            self.subscribe(id, &place);
        }
    }

    /// After this, somebody no longer listens.
    pub(super) fn participant_left(&mut self, at: ConversationId, seq: Seq, who: &UserId) {
        let Some(id) = self.users.get(who).copied() else { return };
        if let Some(slot) = self.slots.get_mut(id) {
            slot.conversations.retain(|conversation| *conversation != at);
            if slot.loading > 0 {
                slot.left_while_loading.push((at, seq));
            }
        }
        self.typing.remove(&(at, id));
        if let Some(topic) = self.topics.get_mut(&at) {
            topic.subscribers.retain(|subscriber| subscriber.slot != id);
            if topic.subscribers.is_empty() {
                self.topics.remove(&at);
            }
        }
    }

    /// What an event changes about a conversation that is listened to.
    pub(super) fn note(&mut self, at: ConversationId, event: &Event) {
        let Some(topic) = self.topics.get_mut(&at) else { return };
        match event {
            Event::ConversationChanged { state: Some(state), .. } => topic.state = *state,
            Event::RoleChanged { user, role, .. } => {
                if let Some(id) = self.users.get(user)
                    && let Some(known) = topic.subscribers.iter_mut().find(|s| s.slot == *id)
                {
                    known.role = *role;
                }
            }
            Event::ConversationChanged { state: None, .. }
            | Event::ConversationCreated { .. }
            | Event::MessageCreated(_)
            | Event::MessageEdited(_)
            | Event::MessageDeleted(_)
            | Event::ParticipantJoined { .. }
            | Event::ParticipantLeft { .. }
            | Event::Receipt { .. }
            | Event::Typing { .. }
            | Event::Presence { .. } => {}
        }
    }

    /// Everybody here who shares a conversation with a user, once, but for those he does not exchange presence with.
    pub(super) fn each_contact(&mut self, id: usize, mut with: impl FnMut(&Slot)) {
        self.round += 1;
        let round = self.round;
        let Some(own) = self.slots.get_mut(id) else { return };
        own.round = round;
        let conversations = std::mem::take(&mut own.conversations);
        let hidden = std::mem::take(&mut own.hidden);
        for conversation in &conversations {
            let Some(topic) = self.topics.get(conversation) else { continue };
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
