//! What a device holds of the conversations it is in: where it stands, and the messages as it knows them.

use std::collections::{BTreeMap, HashMap};

use crate::history::{Change, FinalRead, Message};

/// Where a device stands in a conversation.
#[derive(Clone, Copy, Debug, Default)]
pub struct Position {
    /// The life of the log; zero as long as nobody has told.
    pub epoch: u64,
    /// The last Change that was applied.
    pub seq: u64,
    /// The version of the receipts.
    pub receipts: u64,
}

/// What a device holds.
#[derive(Debug, Default)]
pub struct Held {
    positions: HashMap<u64, Position>,
    bases: HashMap<u64, u64>,
    messages: HashMap<u64, BTreeMap<u64, Message>>,
}

impl Held {
    /// The conversations that it knows.
    #[must_use]
    pub fn conversations(&self) -> Vec<u64> {
        let mut ids: Vec<u64> = self.positions.keys().copied().collect();
        ids.sort_unstable();
        ids
    }

    /// How far it has got in a conversation.
    #[must_use]
    pub fn seq(&self, conversation: u64) -> u64 {
        self.positions.get(&conversation).map_or(0, |position| position.seq)
    }

    /// What a user has said himself and not taken back, newest first.
    #[must_use]
    pub fn messages_of(&self, user: &str, conversation: u64, most: usize) -> Vec<&Message> {
        let all = self.messages.get(&conversation).into_iter().flat_map(BTreeMap::values);
        all.rev().filter(|m| m.sender == user && m.content.is_some()).take(most).collect()
    }

    /// Everything, as final reads.
    pub fn final_reads(&self, device: &str, as_of: usize) -> impl Iterator<Item = FinalRead> {
        self.positions.iter().map(move |(conversation, position)| {
            let messages = self.messages.get(conversation);
            FinalRead {
                source: format!("device:{device}"),
                as_of,
                conversation: *conversation,
                from: self.bases.get(conversation).copied().unwrap_or(0),
                last_seq: Some(position.seq),
                messages: messages.into_iter().flat_map(BTreeMap::values).cloned().collect(),
                others: Vec::new(),
                complete: false,
            }
        })
    }

    pub(crate) fn positions(&self) -> impl Iterator<Item = (&u64, &Position)> {
        self.positions.iter()
    }

    pub(crate) fn of_unknown_epoch(&mut self) -> impl Iterator<Item = (&u64, &mut Position)> {
        self.positions.iter_mut().filter(|(_, position)| position.epoch == 0)
    }

    pub(crate) fn position(&mut self, conversation: u64) -> Option<&mut Position> {
        self.positions.get_mut(&conversation)
    }

    /// Begins to know a conversation, at a position and without what came before.
    pub(crate) fn start(&mut self, conversation: u64, position: Position) {
        self.positions.insert(conversation, position);
        self.bases.insert(conversation, position.seq);
        self.messages.remove(&conversation);
    }

    pub(crate) fn forget(&mut self, conversation: u64) {
        self.positions.remove(&conversation);
        self.bases.remove(&conversation);
        self.messages.remove(&conversation);
    }

    /// Takes a Change over; an older state of a message never replaces a newer one.
    pub(crate) fn apply(&mut self, conversation: u64, change: &Change) {
        if let Some(message) = &change.message {
            let known = self.messages.entry(conversation).or_default();
            let slot = known.entry(message.id).or_insert_with(|| message.clone());
            if slot.change_seq < message.change_seq {
                *slot = message.clone();
            }
        }
        if let Some(position) = self.positions.get_mut(&conversation) {
            position.seq = position.seq.max(change.seq);
        }
    }
}

/// How far everybody has received and read, as a device knows it.
#[derive(Debug, Default)]
pub struct Marks(HashMap<u64, BTreeMap<String, (u64, u64)>>);

impl Marks {
    /// By user: received up to, read up to.
    #[must_use]
    pub fn of(&self, conversation: u64) -> BTreeMap<String, (u64, u64)> {
        self.0.get(&conversation).cloned().unwrap_or_default()
    }

    /// Takes a user's marks over; they never go back.
    pub(crate) fn take(&mut self, conversation: u64, user: &str, (delivered, read): (u64, u64)) {
        let known = self.0.entry(conversation).or_default().entry(user.into()).or_default();
        *known = (known.0.max(delivered), known.1.max(read));
    }

    pub(crate) fn forget(&mut self, conversation: u64) {
        self.0.remove(&conversation);
    }

    pub(crate) fn forget_user(&mut self, conversation: u64, user: &str) {
        if let Some(known) = self.0.get_mut(&conversation) {
            known.remove(user);
        }
    }
}
