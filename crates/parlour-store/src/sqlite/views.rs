//! What the writer remembers of conversations and of places in them, so that steps which follow each other need not read
//! them again.
//!
//! It is exact: whatever moves a log or a watermark says so here in the same step, every other writing step makes all of it
//! forgotten, and so does a rollback. Should it err all the same, an append notices: it moves the head of the log only from
//! where it believes it to be.

use std::collections::HashMap;

use parlour_core::{ConversationId, UserId, command::Actor};

use super::facts::{Head, Place, View};

/// Places remembered at most; past it all are read anew.
const MOST_PLACES: usize = 20_000;

/// See the module.
#[derive(Default)]
pub(super) struct Views {
    conversations: HashMap<ConversationId, Known>,
    places: usize,
}

struct Known {
    head: Head,
    places: HashMap<UserId, Place>,
}

impl Views {
    /// An actor's view, where it is known.
    pub(super) fn get(&self, conversation: ConversationId, actor: &Actor) -> Option<View> {
        let known = self.conversations.get(&conversation)?;
        let place = known.places.get(&actor.user)?;
        Some(View::new(conversation, actor, known.head, *place))
    }

    /// Remembers a view as it is now.
    pub(super) fn keep(&mut self, view: &View) {
        if self.places >= MOST_PLACES {
            self.forget();
        }
        let known = self
            .conversations
            .entry(view.conversation)
            .or_insert_with(|| Known { head: view.head, places: HashMap::new() });
        known.head = view.head;
        if let Some(before) = known.places.get_mut(&view.user) {
            *before = view.place;
        } else {
            known.places.insert(view.user.clone(), view.place);
            self.places += 1;
        }
    }

    /// Forgets everything.
    pub(super) fn forget(&mut self) {
        self.conversations.clear();
        self.places = 0;
    }
}
