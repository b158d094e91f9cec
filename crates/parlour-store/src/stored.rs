//! What every store writes in the same way: the meaning of stored numbers, folded text, the hash of a content.

use std::sync::Arc;

use parlour_core::{
    MessageId, Seq, UserId,
    model::{ConversationKind, ConversationState, MessageKind, Role, UserState},
};
use sha2::{Digest, Sha256};

macro_rules! stored_as_number {
    ($name:ident, $read:ident, $type:ty, $($variant:path => $number:literal),+) => {
        /// As it is stored.
        pub(crate) const fn $name(value: $type) -> i64 {
            match value {
                $($variant => $number),+
            }
        }

        /// From what is stored; `None` for a number without a meaning.
        pub(crate) const fn $read(number: i64) -> Option<$type> {
            match number {
                $($number => Some($variant),)+
                _ => None,
            }
        }
    };
}

stored_as_number!(user_state, user_state_of, UserState,
    UserState::Active => 0, UserState::Banned => 1);
stored_as_number!(conversation_kind, conversation_kind_of, ConversationKind,
    ConversationKind::Direct => 0, ConversationKind::Group => 1);
stored_as_number!(conversation_state, conversation_state_of, ConversationState,
    ConversationState::Open => 0, ConversationState::ReadOnly => 1, ConversationState::Closed => 2);
stored_as_number!(role, role_of, Role,
    Role::Member => 0, Role::Admin => 1, Role::Owner => 2);
stored_as_number!(message_kind, message_kind_of, MessageKind,
    MessageKind::Text => 0, MessageKind::System => 1);

/// The Changes that have a row of their own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ChangeKind {
    Joined,
    Left,
    Role,
    Settings,
}

stored_as_number!(change_kind, change_kind_of, ChangeKind,
    ChangeKind::Joined => 0, ChangeKind::Left => 1, ChangeKind::Role => 2, ChangeKind::Settings => 3);

/// A number of the domain as databases hold it. Larger ones than they can hold name nothing.
pub(crate) fn int(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// A count as LIMIT takes it.
pub(crate) fn limit(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// For comparison without regard to case.
pub(crate) fn fold(text: &str) -> String {
    text.to_lowercase()
}

/// What a patch really changes: the new text, empty when it removes one.
pub(crate) fn difference(new: Option<&Arc<str>>, old: Option<&Arc<str>>) -> Option<Arc<str>> {
    new.filter(|new| old.map_or("", |old| old) != &***new).cloned()
}

/// Names the two of a direct conversation and its subject so that no other two and subject have the same name.
pub(crate) fn direct_key(one: &UserId, other: &UserId, subject: Option<&str>) -> String {
    let (first, second) = if one <= other { (one, other) } else { (other, one) };
    let subject = subject.map_or_else(String::new, |subject| format!("/{subject}"));
    format!("{}:{first}{}:{second}{subject}", first.as_str().len(), second.as_str().len())
}

/// What must be the same for a repetition to be one. Every part is led by its length, so none runs into the next.
pub(crate) fn hash_of(
    text: &str,
    metadata: Option<&str>,
    kind: MessageKind,
    reply_to: Option<MessageId>,
) -> [u8; 32] {
    let mut hash = Sha256::new();
    let mut part = |bytes: Option<&[u8]>| {
        hash.update([u8::from(bytes.is_some())]);
        let bytes = bytes.unwrap_or_default();
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    };
    part(Some(text.as_bytes()));
    part(metadata.map(str::as_bytes));
    part(Some(&message_kind(kind).to_be_bytes()));
    part(reply_to.map(|id| id.0.to_be_bytes()).as_ref().map(<[u8; 8]>::as_slice));
    hash.finalize().into()
}

/// The parts of a log that somebody may see: Changes after the first number of a pair, up to the second.
/// In ascending order, not overlapping.
#[derive(Clone, Debug)]
pub(crate) struct Sight {
    ranges: Vec<(Seq, Seq)>,
}

impl Sight {
    pub(crate) fn of_everything() -> Self {
        Self { ranges: vec![(Seq::ZERO, Seq(u64::MAX))] }
    }

    /// What a participant sees who joined after `joined`, and was there before from one seq up to another.
    pub(crate) fn of(mut past: Vec<(Seq, Seq)>, joined: Seq) -> Self {
        past.push((joined, Seq(u64::MAX)));
        Self { ranges: past }
    }

    /// Whether nothing is hidden.
    pub(crate) fn is_everything(&self) -> bool {
        self.ranges == [(Seq::ZERO, Seq(u64::MAX))]
    }

    /// Whether it holds this seq.
    pub(crate) fn sees(&self, seq: Seq) -> bool {
        self.ranges.iter().any(|(after, up_to)| *after < seq && seq <= *up_to)
    }

    /// Nothing up to here is in sight.
    pub(crate) fn begin(&self) -> Seq {
        self.ranges.first().map_or(Seq::ZERO, |range| range.0)
    }

    /// The parts, oldest first.
    pub(crate) fn ranges(&self) -> &[(Seq, Seq)] {
        &self.ranges
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_contents_share_a_hash_by_their_encoding() {
        let hash = |text: &str, metadata: Option<&str>, reply_to: Option<u64>| {
            hash_of(text, metadata, MessageKind::Text, reply_to.map(MessageId))
        };
        let hashes = [
            hash("ab", None, None),
            hash("a", Some("b"), None),
            hash("", Some("ab"), None),
            hash("ab", Some(""), None),
            hash("ab", None, Some(0)),
        ];
        for (place, one) in hashes.iter().enumerate() {
            assert!(hashes.iter().skip(place + 1).all(|other| one != other), "{place}");
        }
    }

    #[test]
    fn direct_keys_do_not_collide() {
        let user = |id| UserId::new(id).unwrap();
        let key = |one, other, subject| direct_key(&user(one), &user(other), subject);
        assert_eq!(key("1", "2", None), key("2", "1", None));
        let keys = [
            key("1", "2", None),
            key("1", "2", Some("")),
            key("1", "2", Some("a")),
            key("1", "2/a", None),
            key("11", "2", None),
            key("1", "12", None),
            key("1:2", "3", None),
            key("1", "22:31:4", None),
        ];
        for (place, one) in keys.iter().enumerate() {
            assert!(keys.iter().skip(place + 1).all(|other| one != other), "{one}");
        }
    }
}
