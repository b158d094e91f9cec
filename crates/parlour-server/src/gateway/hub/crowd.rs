//! Large groups, in which people are not told of each other: that would grow with the square of their number.
//!
//! In a crowd nobody hears who comes, goes and writes, and of what was read only the reader himself and those who said it.
//! Who asks is still told: this is about what is sent unasked.

use parlour_core::{ConversationId, UserId, event::Event};

use super::{Hub, Slot, State, Topic};

impl Hub {
    /// The groups of a user of which it is not known how many are in them.
    pub(crate) fn uncounted(&self, user: &UserId) -> Vec<ConversationId> {
        let state = self.state.lock();
        let Some(slot) = state.slot_of(user) else { return Vec::new() };
        let is_uncounted = |id: &&ConversationId| {
            let topic = state.topics.get(*id);
            topic.is_some_and(|topic| topic.participants.is_none() && !topic.is_direct())
        };
        slot.conversations.iter().filter(is_uncounted).copied().collect()
    }

    /// So many were in conversations a moment ago.
    pub(crate) fn counted(&self, counts: &[(ConversationId, usize)]) {
        let mut state = self.state.lock();
        for (id, count) in counts {
            if let Some(topic) = state.topics.get_mut(id) {
                topic.participants.get_or_insert(*count);
            }
        }
    }

    /// Whether a conversation is a crowd, as far as is known.
    pub(crate) fn is_crowd(&self, conversation: ConversationId) -> bool {
        self.state.lock().is_crowd(conversation)
    }
}

impl Topic {
    /// Whether it has more people than are told of each other. Few, as long as it is not known.
    pub(super) fn is_crowd(&self, most: usize) -> bool {
        self.participants.is_some_and(|count| count > most) && !self.is_direct()
    }

    /// Counts who comes and goes.
    pub(super) fn count(&mut self, event: &Event) {
        let Some(count) = &mut self.participants else { return };
        match event {
            Event::ParticipantJoined { .. } => *count += 1,
            Event::ParticipantLeft { .. } => *count = count.saturating_sub(1),
            _ => {}
        }
    }
}

impl State {
    pub(super) fn is_crowd(&self, at: ConversationId) -> bool {
        self.topics.get(&at).is_some_and(|topic| topic.is_crowd(self.signal_participants))
    }

    /// A conversation whose people here are told who else is there.
    pub(super) fn shown(&self, at: ConversationId) -> Option<&Topic> {
        self.topics.get(&at).filter(|topic| !topic.is_crowd(self.signal_participants))
    }

    /// Those of somebody's conversations whose people are told of him.
    pub(super) fn shown_of(&self, slot: &Slot) -> Vec<ConversationId> {
        slot.conversations.iter().filter(|id| self.shown(**id).is_some()).copied().collect()
    }
}
