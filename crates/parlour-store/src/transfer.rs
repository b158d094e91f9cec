//! What every store does in the same way with a host application's history and with dumps, without a database.

use std::{collections::HashMap, sync::Arc};

use parlour_core::{
    Seq, UserId,
    model::{MessageKind, Millis},
    port::store::transfer::{
        DumpedChangeKind, HostConversation, HostMessage, ImportOptions, KeyKind, LARGEST_KEPT_ID,
        ReadBy,
    },
};
use sha2::{Digest as _, Sha256};

use crate::stored::{self, ChangeKind, int};

/// How far ahead of this clock the host's may be.
pub(crate) const SKEW: Millis = 5 * 60_000;

/// Above every seq: while rows move, moved ones are up here, so that none meets one that has not moved yet.
pub(crate) const ASIDE: i64 = 1 << 52;

/// A hash of what an import brought.
pub(crate) type State = [u8; 16];

/// Hashes parts so that none runs into the next.
pub(crate) fn state(parts: &[Option<&str>]) -> State {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update([u8::from(part.is_some())]);
        let part = part.unwrap_or_default();
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let mut state = State::default();
    for (to, from) in state.iter_mut().zip(hash.finalize()) {
        *to = from;
    }
    state
}

/// The state of a message as far as a host can change it.
pub(crate) fn message_state(message: &HostMessage) -> State {
    state(&[message.text.as_deref(), message.metadata.as_deref()])
}

/// The state of a conversation.
pub(crate) fn conversation_state(host: &HostConversation) -> State {
    let kind = stored::conversation_kind(host.kind).to_string();
    let openness = stored::conversation_state(host.state).to_string();
    let mut people: Vec<String> = host
        .participants
        .iter()
        .map(|(user, role)| format!("{} {user}", stored::role(*role)))
        .collect();
    people.sort();
    let mut parts = vec![
        Some(&*kind),
        Some(&*openness),
        host.subject.as_deref(),
        host.title.as_deref(),
        host.metadata.as_deref(),
    ];
    parts.extend(people.iter().map(|text| Some(&**text)));
    state(&parts)
}

/// What an import key names, as it is stored.
pub(crate) const fn key_kind(kind: KeyKind) -> i64 {
    match kind {
        KeyKind::User => 0,
        KeyKind::Conversation => 1,
        KeyKind::Message => 2,
    }
}

/// From what is stored.
pub(crate) const fn key_kind_of(number: i64) -> Option<KeyKind> {
    match number {
        0 => Some(KeyKind::User),
        1 => Some(KeyKind::Conversation),
        2 => Some(KeyKind::Message),
        _ => None,
    }
}

/// A Change of a dump, as it is stored.
pub(crate) const fn change_kind(kind: DumpedChangeKind) -> i64 {
    stored::change_kind(match kind {
        DumpedChangeKind::Joined => ChangeKind::Joined,
        DumpedChangeKind::Left => ChangeKind::Left,
        DumpedChangeKind::Role => ChangeKind::Role,
        DumpedChangeKind::Settings => ChangeKind::Settings,
    })
}

/// A Change for a dump.
pub(crate) const fn dumped_change_kind(kind: ChangeKind) -> DumpedChangeKind {
    match kind {
        ChangeKind::Joined => DumpedChangeKind::Joined,
        ChangeKind::Left => DumpedChangeKind::Left,
        ChangeKind::Role => DumpedChangeKind::Role,
        ChangeKind::Settings => DumpedChangeKind::Settings,
    }
}

/// The host's number, where it may become an id here.
pub(crate) fn kept_number(options: &ImportOptions, host_id: &Arc<str>) -> Option<u64> {
    let number: u64 = host_id.parse().ok().filter(|_| options.keep_ids)?;
    let canonical = (1..=LARGEST_KEPT_ID).contains(&number) && number.to_string() == **host_id;
    canonical.then_some(number)
}

/// By time, then by the host's ids: numbers as numbers.
pub(crate) fn sort(fresh: &mut [(usize, &HostMessage)]) {
    fresh.sort_by_cached_key(|(_, message)| {
        let number = message.host_id.parse::<u64>().unwrap_or(u64::MAX);
        (message.created_micros, number, message.host_id.clone())
    });
}

/// Whom a message counts as read by, beside what is said: its sender, if it is his own word.
pub(crate) fn author(message: &HostMessage) -> Option<&UserId> {
    (message.kind == MessageKind::Text).then_some(&message.sender)
}

/// Where seqs move: `(after, by)`, ascending; what lies after the first moves by at least the second.
pub(crate) struct Shift {
    steps: Vec<(Seq, u64)>,
}

impl Shift {
    /// How a log moves so that messages of these times (ascending) fit in, and the seqs that they get. A new message
    /// comes after everything that is as old as itself. `entries` is the log: seqs with their times, both ascending.
    pub(crate) fn plan(
        entries: &[(Seq, Millis)],
        times: impl Iterator<Item = Millis>,
    ) -> (Self, Vec<Seq>) {
        let mut steps: Vec<(Seq, u64)> = Vec::new();
        let mut places = Vec::new();
        for (count, time) in (1_u64..).zip(times) {
            let before = entries.partition_point(|(_, at)| *at <= time);
            let after = before
                .checked_sub(1)
                .and_then(|last| entries.get(last))
                .map_or(Seq::ZERO, |entry| entry.0);
            places.push(Seq(after.0 + count));
            match steps.last_mut() {
                Some(step) if step.0 == after => step.1 = count,
                _ => steps.push((after, count)),
            }
        }
        (Self { steps }, places)
    }

    /// Where a seq is afterwards.
    pub(crate) fn of(&self, old: Seq) -> Seq {
        let passed = self.steps.partition_point(|(after, _)| *after < old);
        let by =
            passed.checked_sub(1).and_then(|last| self.steps.get(last)).map_or(0, |step| step.1);
        Seq(old.0 + by)
    }

    /// The ranges that move: after, up to and with, by how much; the last first.
    pub(crate) fn ranges(&self) -> impl Iterator<Item = (i64, i64, i64)> {
        let ends = self.steps.iter().skip(1).map(|(after, _)| int(after.0));
        let ends = ends.chain(std::iter::once(ASIDE - 1)).collect::<Vec<_>>();
        self.steps.iter().zip(ends).rev().map(|((after, by), end)| (int(after.0), end, int(*by)))
    }
}

/// Makes times of a log ascend: a deletion's time covers the edits before it, which are gone.
pub(crate) fn ascending(entries: &mut [(Seq, Millis)]) {
    let mut latest = Millis::MIN;
    for entry in entries {
        latest = latest.max(entry.1);
        entry.1 = latest;
    }
}

/// How far everybody has read.
#[derive(Default)]
pub(crate) struct Marks<'a> {
    /// Everybody, at least.
    everybody: Seq,
    users: HashMap<&'a UserId, Seq>,
}

impl<'a> Marks<'a> {
    /// Somebody has read up to here.
    pub(crate) fn raise(&mut self, user: &'a UserId, to: Seq) {
        let mark = self.users.entry(user).or_default();
        *mark = (*mark).max(to);
    }

    /// What a message at this place tells of reading.
    pub(crate) fn message(&mut self, seq: Seq, message: &'a HostMessage) {
        if let Some(author) = author(message) {
            // Who answers has read what was said before.
            self.raise(author, seq);
        }
        match &message.read_by {
            ReadBy::Everybody => self.everybody = self.everybody.max(seq),
            ReadBy::Only(users) => {
                for user in users {
                    self.raise(user, seq);
                }
            }
        }
    }

    /// How far somebody has read.
    pub(crate) fn of(&self, user: &UserId) -> Seq {
        self.users.get(user).copied().unwrap_or_default().max(self.everybody)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_after_a_place_moves_by_what_was_put_before_it() {
        // Two new ones after 0, one after 3.
        let shift = Shift { steps: vec![(Seq(0), 2), (Seq(3), 3)] };
        let moved: Vec<u64> = (0..6).map(|seq| shift.of(Seq(seq)).0).collect();
        assert_eq!(moved, [0, 3, 4, 5, 7, 8]);
        let ranges: Vec<_> = shift.ranges().collect();
        assert_eq!(ranges, [(3, ASIDE - 1, 3), (0, 3, 2)]);
        assert_eq!(Shift { steps: vec![(Seq(9), 1)] }.of(Seq(9)), Seq(9));
    }

    #[test]
    fn new_messages_get_the_places_of_their_times() {
        let entries = [(Seq(1), 10), (Seq(2), 20), (Seq(3), 20)];
        let (shift, places) = Shift::plan(&entries, [5, 5, 20, 30].into_iter());
        assert_eq!(places, [Seq(1), Seq(2), Seq(6), Seq(7)]);
        assert_eq!([1, 2, 3].map(|seq| shift.of(Seq(seq)).0), [3, 4, 5]);
    }
}
