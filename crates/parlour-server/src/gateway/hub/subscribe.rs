//! Which users listen to which conversations, kept exact while the store is being read.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use parlour_core::{
    ConversationId, Seq, UserId,
    event::{Event, PresenceStatus},
    model::{
        Conversation, ConversationKind, ConversationState, Membership, Participant, Profile, Role,
    },
};
use parlour_wire::Place;

use super::{Hub, Slot, State, Subscriber, Topic, flush};
use crate::gateway::{close::Close, conn::Conn};
use crate::hash::HashMap;

impl Hub {
    /// A connection is about to read its user's conversations, until what this gives is dropped.
    pub(crate) fn begin_loading(self: &Arc<Self>, conn: &Arc<Conn>) -> Loading {
        let mut state = self.state.lock();
        let subscribed = state.slot_of_mut(&conn.user).is_some_and(|slot| {
            slot.loading += 1;
            slot.loaded
        });
        drop(state);
        Loading { hub: self.clone(), conn: conn.clone(), subscribed }
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
                let seat = Seat::of(membership, state.slots.get(id).map(|slot| &slot.profile));
                state.subscribe(id, &seat);
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
        conn.resumed.store(now.max(1), Relaxed);
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
    fn end_loading(&self, conn: &Conn) {
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

/// That a connection reads its user's conversations: while somebody does, it is noted who leaves them.
pub(crate) struct Loading {
    hub: Arc<Hub>,
    conn: Arc<Conn>,
    /// They are subscribed already.
    pub(crate) subscribed: bool,
}

impl Drop for Loading {
    fn drop(&mut self) {
        self.hub.end_loading(&self.conn);
    }
}

/// What a subscription needs to know.
struct Seat {
    place: Arc<Place>,
    read: Vec<(UserId, Seq)>,
    joined: Seq,
    past: Arc<[(Seq, Seq)]>,
    role: Role,
    state: ConversationState,
}

impl Seat {
    fn of(membership: &Membership, own: Option<&Arc<Profile>>) -> Self {
        let both = membership.peer.as_ref().zip(own);
        let read = both.map(|(peer, own)| {
            vec![(own.id.clone(), membership.watermark.read), (peer.profile.id.clone(), peer.read)]
        });
        Self {
            place: Arc::new(Place {
                id: membership.conversation,
                kind: membership.kind,
                subject: membership.subject.clone(),
                peers: both.map(|(peer, own)| [own.clone(), peer.profile.clone()]),
            }),
            read: read.unwrap_or_default(),
            joined: membership.joined_seq,
            past: membership.past.clone(),
            role: membership.role,
            state: membership.state,
        }
    }
}

/// The place of a conversation that was just made, and how far its two have read.
fn place_of(made: &Conversation, people: &[Participant]) -> (Arc<Place>, Vec<(UserId, Seq)>) {
    let peers = match people {
        [one, other] if made.kind == ConversationKind::Direct => {
            Some([one.profile.clone(), other.profile.clone()])
        }
        _ => None,
    };
    let read = peers.iter().flatten().map(|peer| (peer.id.clone(), Seq::ZERO)).collect();
    let place = Place { id: made.id, kind: made.kind, subject: made.subject.clone(), peers };
    (Arc::new(place), read)
}

impl State {
    pub(super) fn slot_of_mut(&mut self, user: &UserId) -> Option<&mut Slot> {
        let id = *self.users.get(user)?;
        self.slots.get_mut(id)
    }

    fn subscribe(&mut self, id: usize, seat: &Seat) {
        let conversation = seat.place.id;
        let topic = self.topics.entry(conversation).or_insert_with(|| Topic {
            last_seq: None,
            place: seat.place.clone(),
            read: seat.read.clone(),
            state: seat.state,
            subscribers: Vec::new(),
        });
        let past = seat.past.clone();
        let subscriber = Subscriber { slot: id, joined: seat.joined, past, role: seat.role };
        match topic.subscribers.iter_mut().find(|s| s.slot == id) {
            Some(known) => *known = subscriber,
            None => {
                topic.subscribers.push(subscriber);
                if let Some(slot) = self.slots.get_mut(id) {
                    slot.conversations.push(conversation);
                }
            }
        }
    }

    /// Lets those who are here listen to a conversation that was just made.
    pub(super) fn conversation_created(&mut self, made: &Conversation, people: &[Participant]) {
        let (place, read) = place_of(made, people);
        for person in people {
            if let Some(id) = self.users.get(&person.profile.id).copied() {
                let seat = Seat {
                    place: place.clone(),
                    read: read.clone(),
                    joined: Seq::ZERO,
                    past: Arc::default(),
                    role: person.role,
                    state: made.state,
                };
                self.subscribe(id, &seat);
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
        let Some(id) = self.users.get(&who.profile.id).copied() else { return };
        let topic = self.topics.get(&at);
        let state = topic.map_or(ConversationState::Open, |topic| topic.state);
        let place = topic.map(|topic| topic.place.clone()).unwrap_or_else(|| {
            // Nobody here has listened so far, so its subject is not known; only direct conversations show theirs.
            Arc::new(Place { id: at, kind: ConversationKind::Group, subject: None, peers: None })
        });
        let seat = Seat {
            place,
            read: Vec::new(),
            joined: Seq(seq.0.saturating_sub(1)),
            past: past.clone(),
            role: who.role,
            state,
        };
        self.subscribe(id, &seat);
    }

    /// After this, somebody no longer listens.
    pub(super) fn participant_left(&mut self, at: ConversationId, seq: Seq, who: &UserId) {
        let Some(id) = self.users.get(who).copied() else { return };
        if let Some(slot) = self.slots.get_mut(id) {
            slot.conversations.retain(|conversation| *conversation != at);
            if slot.loading > 0 {
                slot.left_while_loading.push((at, seq));
            }
            // Connections that are about this conversation alone have nothing left to say.
            for conn in slot.conns.iter().filter(|conn| conn.scope == Some(at)) {
                conn.close(&Close::REMOVED);
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
            Event::Receipt { user, to, .. } => {
                if let Some((_, read)) = topic.read.iter_mut().find(|(reader, _)| reader == user) {
                    *read = to.read.max(*read);
                }
            }
            Event::ConversationChanged { state: None, .. }
            | Event::ConversationCreated { .. }
            | Event::MessageCreated(_)
            | Event::MessageEdited(_)
            | Event::MessageDeleted(_)
            | Event::ParticipantJoined { .. }
            | Event::ParticipantLeft { .. }
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
