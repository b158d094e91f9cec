//! Which users listen to which conversations, kept exact while the store is being read.

use std::sync::{
    Arc,
    atomic::Ordering::{Relaxed, Release},
};

use parlour_core::{
    ConversationId, Seq, UserId,
    event::{Event, PresenceStatus},
    model::{
        Conversation, ConversationKind, ConversationState, Membership, Participant, Profile, Role,
    },
    port::bus,
};
use parlour_wire::Place;

use super::{Hub, Slot, State, Subscriber, Topic, flush};
use crate::{
    gateway::{close::Close, conn::Conn},
    hash::{HashMap, HashSet},
};

impl Hub {
    /// A connection is about to read its user's conversations, until what this gives is dropped.
    pub(crate) fn begin_loading(self: &Arc<Self>, user: &UserId) -> Loading {
        let mut state = self.state.lock();
        let subscribed = state.slot_of_mut(user).is_some_and(|slot| {
            slot.loading += 1;
            slot.loaded
        });
        drop(state);
        Loading { hub: self.clone(), user: user.clone(), subscribed }
    }

    /// Subscribes a user to what the store said of him, as of a version of him where processes share it. Who left since
    /// the reading stays out.
    pub(crate) fn subscribe(
        &self,
        user: &UserId,
        version: Option<u64>,
        memberships: &[Membership],
        hidden: Vec<UserId>,
    ) {
        let mut state = self.state.lock();
        let Some(id) = state.users.get(user).copied() else { return };
        let Some(slot) = state.slots.get_mut(id) else { return };
        slot.hidden = hidden;
        slot.loaded = true;
        slot.version = version;
        // Whether his sign-ins stand is looked at once more, as of a later version.
        slot.stood = None;
        let left = slot.left_while_loading.clone();
        for membership in memberships {
            if !left.iter().any(|gone| is_later(gone, membership)) {
                let seat = state.seat_of(membership, id);
                state.subscribe(id, &seat);
            }
        }
        state.voice.look_again_at(user);
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
        let Some(slot) = state.slots.get(id) else { return };
        let subscribed: HashSet<_> = slot.conversations.iter().copied().collect();
        let lagging = |(conversation, head): (&ConversationId, &Seq)| {
            let passed = state.topics.get(conversation).and_then(|topic| topic.last_seq);
            // What he is about to be let into is told from its beginning.
            let is_behind = passed < Some(*head) || !subscribed.contains(conversation);
            is_behind.then_some((*conversation, *head))
        };
        let floors = heads.iter().filter_map(lagging).collect();
        if heads.keys().any(|conversation| !subscribed.contains(conversation)) {
            state.voice.look_again_at(&conn.user);
        }
        conn.release(floors, |conversation, seq| {
            heads.get(&conversation).is_some_and(|head| seq <= *head)
        });
        conn.resumed.store(now.max(1), Release);
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
    fn end_loading(&self, user: &UserId) {
        let mut state = self.state.lock();
        let Some(id) = state.users.get(user).copied() else { return };
        if let Some(slot) = state.slots.get_mut(id) {
            slot.loading = slot.loading.saturating_sub(1);
            if slot.loading == 0 {
                slot.left_while_loading = Vec::new();
            }
        }
        state.forget_if_gone(id);
    }
}

/// That a connection reads its user's conversations: while somebody does, it is noted who leaves them.
pub(crate) struct Loading {
    hub: Arc<Hub>,
    user: UserId,
    /// They are subscribed already.
    pub(crate) subscribed: bool,
}

impl Drop for Loading {
    fn drop(&mut self) {
        self.hub.end_loading(&self.user);
    }
}

/// Whether somebody left after his membership was read.
pub(super) fn is_later(left: &(ConversationId, Seq), membership: &Membership) -> bool {
    left.0 == membership.conversation && left.1 > membership.last_seq
}

/// What a subscription needs to know.
pub(super) struct Seat {
    pub(super) place: Arc<Place>,
    pub(super) read: Vec<(UserId, Seq)>,
    /// The ends of the log and of the receipts, from which a topic begins, where other processes write them too.
    pub(super) ends: Option<(Seq, u64)>,
    pub(super) joined: Seq,
    /// He has been told everything up to here.
    pub(super) since: Seq,
    pub(super) past: Arc<[(Seq, Seq)]>,
    pub(super) role: Role,
    pub(super) state: ConversationState,
}

impl Seat {
    fn of(membership: &Membership, own: Option<&Arc<Profile>>, shared: bool) -> Self {
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
            ends: shared.then_some((membership.last_seq, membership.receipts)),
            joined: membership.joined_seq,
            since: Seq::ZERO,
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

    pub(super) fn seat_of(&self, membership: &Membership, id: usize) -> Seat {
        let own = self.slots.get(id).map(|slot| &slot.profile);
        Seat::of(membership, own, self.voice.is_shared())
    }

    pub(super) fn subscribe(&mut self, id: usize, seat: &Seat) {
        let conversation = seat.place.id;
        let topic = self.topics.entry(conversation).or_insert_with(|| {
            self.voice.topic(bus::Topic::Conversation(conversation), seat.ends.is_none());
            Topic::new(seat)
        });
        topic.receipts = topic.receipts.or(seat.ends.map(|(_, receipts)| receipts));
        let past = seat.past.clone();
        let (joined, since, role) = (seat.joined, seat.since, seat.role);
        let subscriber = Subscriber { slot: id, joined, since, past, role };
        match topic.subscribers.iter_mut().find(|s| s.slot == id) {
            Some(known) => *known = subscriber,
            None => {
                topic.subscribers.push(subscriber);
                if let Some(slot) = self.slots.get_mut(id) {
                    slot.conversations.push(conversation);
                    if slot.presence.status() != PresenceStatus::Offline {
                        let user = slot.user.clone();
                        self.voice.tell_of(&user);
                    }
                }
            }
        }
    }

    /// Somebody does not listen to a conversation any more.
    pub(super) fn unsubscribe(&mut self, at: ConversationId, id: usize) {
        let Some(topic) = self.topics.get_mut(&at) else { return };
        topic.subscribers.retain(|subscriber| subscriber.slot != id);
        if topic.subscribers.is_empty()
            && let Some(topic) = self.topics.remove(&at)
        {
            self.voice.topic(bus::Topic::Conversation(at), false);
            self.far_ends(at, topic.far);
        }
    }

    /// Whether somebody listens to a conversation.
    pub(super) fn is_subscribed(&self, at: ConversationId, id: usize) -> bool {
        self.topics.get(&at).is_some_and(|topic| topic.subscribers.iter().any(|s| s.slot == id))
    }

    /// Lets those who are here listen to a conversation that was just made.
    pub(super) fn conversation_created(&mut self, made: &Conversation, people: &[Participant]) {
        let (place, read) = place_of(made, people);
        // Where somebody was subscribed to what the store said already, the others are told what came since.
        let is_behind = self.topics.get(&made.id).is_some_and(|t| t.last_seq > Some(Seq::ZERO));
        for person in people {
            if let Some(id) = self.users.get(&person.profile.id).copied() {
                self.voice.look_again_at(&person.profile.id);
                if is_behind && self.voice.is_shared() && !self.is_subscribed(made.id, id) {
                    continue;
                }
                let seat = Seat {
                    place: place.clone(),
                    read: read.clone(),
                    ends: None,
                    joined: Seq::ZERO,
                    since: Seq::ZERO,
                    past: Arc::default(),
                    role: person.role,
                    state: made.state,
                };
                self.subscribe(id, &seat);
            }
        }
        if let Some(topic) = self.topics.get_mut(&made.id) {
            topic.last_seq.get_or_insert(Seq::ZERO);
            topic.participants.get_or_insert(people.len());
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
        self.voice.look_again_at(&who.profile.id);
        let topic = self.topics.get(&at);
        let state = topic.map_or(ConversationState::Open, |topic| topic.state);
        let place = topic.map(|topic| topic.place.clone()).unwrap_or_else(|| {
            // Nobody here has listened so far, so its subject is not known; only direct conversations show theirs.
            Arc::new(Place { id: at, kind: ConversationKind::Group, subject: None, peers: None })
        });
        let seat = Seat {
            place,
            read: Vec::new(),
            ends: None,
            joined: Seq(seq.0.saturating_sub(1)),
            since: Seq::ZERO,
            past: past.clone(),
            role: who.role,
            state,
        };
        self.subscribe(id, &seat);
    }

    /// After this, somebody no longer listens.
    pub(super) fn participant_left(&mut self, at: ConversationId, seq: Seq, who: &UserId) {
        self.far_left(at, who);
        self.typing.remove(&(at, who.clone()));
        let Some(id) = self.users.get(who).copied() else { return };
        self.voice.look_again_at(who);
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
        self.unsubscribe(at, id);
    }

    /// What an event changes about a conversation that is listened to.
    pub(super) fn note(&mut self, at: ConversationId, event: &Event) {
        let Some(topic) = self.topics.get_mut(&at) else { return };
        topic.count(event);
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
                topic.note_mark(user, to.read);
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
}
