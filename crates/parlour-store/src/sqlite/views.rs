//! What the writer remembers of conversations and of places in them, so that steps which follow each other need not read
//! them again.
//!
//! It is exact: whatever moves a log or a watermark says so here in the same step, every other writing step makes all of it
//! forgotten, and so does a rollback. Should it err all the same, an append notices: it moves the head of the log only from
//! where it believes it to be.

use std::collections::HashMap;

use parlour_core::{
    ConversationId, Epoch, Seq, UserId,
    command::Actor,
    model::{ConversationKind, ConversationState, Millis},
};

use super::facts::{Mine, View};

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

/// What a view has of the conversation itself.
#[derive(Clone, Copy)]
pub(super) struct Head {
    pub(super) kind: ConversationKind,
    pub(super) state: ConversationState,
    pub(super) epoch: Epoch,
    pub(super) last_seq: Seq,
    pub(super) receipts: u64,
    pub(super) latest_at: Millis,
}

/// What it has of one user.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) mine: Option<Mine>,
    pub(super) blocked: bool,
}

impl Views {
    /// An actor's view, where it is known.
    pub(super) fn get(&self, conversation: ConversationId, actor: &Actor) -> Option<View> {
        let known = self.conversations.get(&conversation)?;
        let place = known.places.get(&actor.user)?;
        Some(View::of(conversation, actor, known.head, *place))
    }

    /// Remembers a view as it is now.
    pub(super) fn keep(&mut self, view: &View) {
        if self.places >= MOST_PLACES {
            self.forget();
        }
        let (head, place) = view.parts();
        let known = self
            .conversations
            .entry(view.conversation)
            .or_insert_with(|| Known { head, places: HashMap::new() });
        known.head = head;
        if let Some(before) = known.places.get_mut(view.user()) {
            *before = place;
        } else {
            known.places.insert(view.user().clone(), place);
            self.places += 1;
        }
    }

    /// Forgets everything.
    pub(super) fn forget(&mut self) {
        self.conversations.clear();
        self.places = 0;
    }
}
