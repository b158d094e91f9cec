//! What other processes must be told, and which topics of theirs concern this one: noted under the hub's lock,
//! taken by the tasks of `gateway/cluster`.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use parlour_core::{
    ConversationId, UserId,
    event::PresenceStatus,
    port::bus::{BusMessage, Hint, Seen, Topic},
};
use tokio::sync::Notify;

use super::{Hub, Slot, State};
use crate::hash::{HashMap, HashSet};

/// More messages than this are not kept until they are taken; what they say is found, or repeated.
const MOST_SAID: usize = 10_000;

/// So many people are told of at once.
const PEOPLE_AT_ONCE: usize = 500;

/// So many conversations of people are named in one message.
const PLACES_IN_MESSAGE: usize = 2_000;

/// What is to be told. In a single process nothing is noted.
#[derive(Default)]
pub(super) struct Voice {
    shared: bool,
    said: Vec<BusMessage>,
    dropped: u64,
    /// People whose presence others must hear of: as they stand when this is taken, or as they stood when they went.
    people: HashMap<UserId, Option<Seen>>,
    /// Topics that may have to be listened to, or no longer; true where what happened lately must be looked for.
    topics: HashMap<Topic, bool>,
    /// How often a topic was put there.
    version: u64,
    /// Users of whom the store must be asked again.
    changed: HashSet<UserId>,
    wake: Arc<Wake>,
}

/// Wakes those who take.
#[derive(Default)]
pub(crate) struct Wake {
    /// Something is to be said.
    pub(crate) said: Notify,
    /// Topics have come or gone.
    pub(crate) topics: Notify,
    /// Users have changed.
    pub(crate) users: Notify,
}

/// What is to be said.
pub(crate) struct Said {
    pub(crate) messages: Vec<BusMessage>,
    /// So many messages were given up, because nobody took them.
    pub(crate) dropped: u64,
    /// Nothing is left.
    pub(crate) is_all: bool,
}

/// What has changed about the topics that concern this process.
#[derive(Default)]
pub(crate) struct TopicChanges {
    /// Those that concern it now.
    pub(crate) wanted: Vec<Topic>,
    /// Those that do not any more.
    pub(crate) unwanted: Vec<Topic>,
    /// Conversations among the wanted ones that must be looked at once they are listened to.
    pub(crate) fresh: Vec<ConversationId>,
    /// Which state of the topics this is, for who waits for it.
    pub(crate) version: u64,
}

impl Voice {
    /// From now on there are other processes.
    fn share(&mut self) {
        self.shared = true;
    }

    pub(super) const fn is_shared(&self) -> bool {
        self.shared
    }

    pub(super) fn say(&mut self, topic: Topic, hint: Hint) {
        if !self.shared {
            return;
        }
        if self.said.len() < MOST_SAID {
            self.said.push(BusMessage { topic, hint });
        } else {
            self.dropped += 1;
        }
        self.wake.said.notify_one();
    }

    /// Somebody's presence here has changed, or where it may be seen.
    pub(super) fn tell_of(&mut self, user: &UserId) {
        if self.shared {
            self.people.insert(user.clone(), None);
            self.wake.said.notify_one();
        }
    }

    /// Nobody is here of somebody any more.
    pub(super) fn tell_departed(&mut self, seen: Seen) {
        if self.shared {
            self.people.insert(seen.user.clone(), Some(seen));
            self.wake.said.notify_one();
        }
    }

    /// A topic concerns this process, or may not do so any more.
    pub(super) fn topic(&mut self, topic: Topic, fresh: bool) {
        if self.shared {
            *self.topics.entry(topic).or_default() |= fresh;
            self.version += 1;
            self.wake.topics.notify_one();
        }
    }

    /// The store must be asked again what it keeps of a user.
    pub(super) fn look_again_at(&mut self, user: &UserId) {
        if self.shared && self.changed.insert(user.clone()) {
            self.wake.users.notify_one();
        }
    }
}

impl Hub {
    /// Begins to note what other processes must be told.
    pub(crate) fn share(&self) {
        self.shared.store(true, Relaxed);
        self.state.lock().voice.share();
    }

    /// Wakes those who take what is noted.
    pub(crate) fn wake(&self) -> Arc<Wake> {
        self.state.lock().voice.wake.clone()
    }

    /// A user has changed in a way that other processes must look at.
    pub(super) fn announce_changed(&self, user: &UserId) {
        let topic = Topic::User(user.clone());
        self.state.lock().voice.say(topic, Hint::User(user.clone()));
    }

    /// Tells other processes once more of everybody who is here.
    pub(crate) fn tell_of_everybody(&self) {
        self.tell_of_some(1, 0);
    }

    /// Tells other processes once more of one part of the people who are here.
    pub(crate) fn tell_of_some(&self, parts: usize, part: usize) {
        let mut state = self.state.lock();
        let state = &mut *state;
        for (id, slot) in &state.slots {
            if id % parts == part && slot.presence.status() != PresenceStatus::Offline {
                state.voice.tell_of(&slot.user);
            }
        }
    }

    /// Takes what is to be said: a bounded part. `share` tells which conversations are heard by the same processes.
    pub(crate) fn take_said(&self, share: impl Fn(ConversationId) -> Option<u32>) -> Said {
        let mut state = self.state.lock();
        let dropped = std::mem::take(&mut state.voice.dropped);
        let mut messages = std::mem::take(&mut state.voice.said);
        let people = state.take_people();
        let is_all = state.voice.people.is_empty();
        drop(state);
        messages.extend(presence_messages(people, share));
        Said { messages, dropped, is_all }
    }

    /// Takes what has changed about the topics.
    pub(crate) fn take_topics(&self) -> TopicChanges {
        let mut state = self.state.lock();
        let topics = std::mem::take(&mut state.voice.topics);
        let mut changes = TopicChanges { version: state.voice.version, ..TopicChanges::default() };
        for (topic, fresh) in topics {
            let wanted = match &topic {
                Topic::Conversation(id) => state.topics.contains_key(id),
                Topic::User(user) => state.users.contains_key(user),
                Topic::Everyone | Topic::Node(_) | Topic::Channel { .. } => false,
            };
            if let (true, true, Topic::Conversation(id)) = (wanted, fresh, &topic) {
                changes.fresh.push(*id);
            }
            let of = if wanted { &mut changes.wanted } else { &mut changes.unwanted };
            of.push(topic);
        }
        changes
    }

    /// Which state of the topics there is.
    pub(crate) fn topics_version(&self) -> u64 {
        self.state.lock().voice.version
    }

    /// Takes the users of whom the store must be asked again.
    pub(crate) fn take_changed(&self) -> Vec<UserId> {
        self.state.lock().voice.changed.drain().collect()
    }

    /// Asks the store again about a user, later.
    pub(crate) fn look_again_at(&self, user: &UserId) {
        self.state.lock().voice.look_again_at(user);
    }

    /// Who is here of some conversations, for a process that asks.
    pub(crate) fn who_is_here(&self, conversations: &[ConversationId]) -> Vec<Seen> {
        let state = self.state.lock();
        let mut people: HashMap<usize, Seen> = HashMap::default();
        for id in conversations {
            let Some(topic) = state.shown(*id) else { continue };
            for subscriber in &topic.subscribers {
                let Some(slot) = state.slots.get(subscriber.slot) else { continue };
                let status = slot.presence.status();
                if status == PresenceStatus::Offline {
                    continue;
                }
                let seen = people.entry(subscriber.slot).or_insert_with(|| Seen {
                    user: slot.user.clone(),
                    status,
                    last_seen: 0,
                    conversations: Vec::new(),
                });
                seen.conversations.push(*id);
            }
        }
        people.into_values().collect()
    }
}

impl State {
    fn take_people(&mut self) -> Vec<Seen> {
        let users: Vec<_> = self.voice.people.keys().take(PEOPLE_AT_ONCE).cloned().collect();
        let mut people = Vec::with_capacity(users.len());
        for user in users {
            match self.voice.people.remove(&user).flatten() {
                Some(departed) => people.push(departed),
                None => people.extend(self.slot_of(&user).map(|slot| self.seen(slot))),
            }
        }
        people
    }

    /// What other processes hear of somebody who is here.
    pub(super) fn seen(&self, slot: &Slot) -> Seen {
        let status = slot.presence.status();
        Seen {
            user: slot.user.clone(),
            status,
            last_seen: if status == PresenceStatus::Offline { slot.last_seen } else { 0 },
            conversations: self.shown_of(slot),
        }
    }
}

/// The messages that tell of people: to each share of the conversations what concerns it.
fn presence_messages(
    people: Vec<Seen>,
    share: impl Fn(ConversationId) -> Option<u32>,
) -> Vec<BusMessage> {
    let mut shares: HashMap<(u64, bool), (ConversationId, Vec<Seen>)> = HashMap::default();
    for seen in people {
        let mut parts: HashMap<(u64, bool), Vec<ConversationId>> = HashMap::default();
        for id in &seen.conversations {
            let key = share(*id).map_or((id.0, true), |share| (u64::from(share), false));
            parts.entry(key).or_default().push(*id);
        }
        for (key, conversations) in parts {
            let Some(first) = conversations.first().copied() else { continue };
            let told = &mut shares.entry(key).or_insert_with(|| (first, Vec::new())).1;
            told.push(Seen { conversations, ..seen.clone() });
        }
    }
    let mut messages = Vec::new();
    for (first, people) in shares.into_values() {
        for part in in_parts(people) {
            messages
                .push(BusMessage { topic: Topic::Conversation(first), hint: Hint::Presence(part) });
        }
    }
    messages
}

/// People in portions that each name a bounded number of conversations.
pub(crate) fn in_parts(people: Vec<Seen>) -> Vec<Vec<Seen>> {
    let mut parts: Vec<Vec<Seen>> = Vec::new();
    let mut places = 0;
    for seen in people {
        places += seen.conversations.len() + 1;
        match parts.last_mut() {
            Some(part) if places <= PLACES_IN_MESSAGE => part.push(seen),
            _ => {
                places = seen.conversations.len() + 1;
                parts.push(vec![seen]);
            }
        }
    }
    parts
}
