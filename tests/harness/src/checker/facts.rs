//! A history sorted by what the checks ask of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::history::{Action, Answer, Change, Entry, FinalRead, Kind, Message, What};

/// One operation with all its attempts.
#[derive(Debug)]
pub struct Operation<'a> {
    /// Who asked.
    pub user: &'a str,
    /// What.
    pub action: &'a Action,
    /// When and where, and with what result.
    pub attempts: Vec<Attempt<'a>>,
}

/// One time that a command was sent.
#[derive(Debug)]
pub struct Attempt<'a> {
    /// On which connection.
    pub conn: u64,
    /// The entry of its invocation.
    pub invoked: usize,
    /// The entry of its answer, and the answer.
    pub answered: Option<(usize, &'a Answer)>,
}

/// An acknowledgement that something is stored.
#[derive(Clone, Copy, Debug)]
pub struct Ack<'a> {
    /// The entry of the answer.
    pub at: usize,
    /// The message as the answer gives it.
    pub message: &'a Message,
    /// Whether the client id was known already.
    pub duplicate: bool,
}

impl<'a> Operation<'a> {
    /// Every acknowledgement, in the order in which they came.
    pub fn acks(&self) -> impl Iterator<Item = Ack<'a>> {
        self.attempts.iter().filter_map(|attempt| match attempt.answered {
            Some((at, Answer::Stored { message, duplicate })) => {
                Some(Ack { at, message, duplicate: *duplicate })
            }
            _ => None,
        })
    }

    /// The entry of its first invocation.
    pub fn begun(&self) -> usize {
        self.attempts.first().map_or(usize::MAX, |attempt| attempt.invoked)
    }

    /// Whether every attempt was answered with a refusal that says "not stored".
    pub fn is_refused(&self) -> bool {
        self.attempts.iter().all(|attempt| {
            matches!(attempt.answered, Some((_, Answer::Refused { class, .. })) if class != "unknown")
        })
    }
}

/// A stay of a user in a conversation: he sees what came after `joined`, up to and with `left`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stay {
    /// The seq of his joining.
    pub joined: u64,
    /// The seq of his leaving; the largest number while he is in it.
    pub left: u64,
}

/// A history, sorted.
#[derive(Debug, Default)]
pub struct Facts<'a> {
    /// The entries themselves.
    pub entries: &'a [Entry],
    /// The operations by number.
    pub operations: BTreeMap<u64, Operation<'a>>,
    /// Operations by what they send: (user, conversation, client id).
    pub sends: HashMap<(&'a str, u64, &'a str), Vec<u64>>,
    /// Operations that change a message.
    pub changes_of: HashMap<u64, Vec<u64>>,
    /// The final reads.
    pub finals: Vec<&'a FinalRead>,
    /// The user of each device.
    pub users: HashMap<&'a str, &'a str>,
    /// Who was in which conversation, and when.
    pub stays: HashMap<(u64, &'a str), Vec<Stay>>,
    /// Conversations by their secret words.
    pub markers: HashMap<&'a str, u64>,
    /// Answers that answer nothing, or something twice.
    pub odd_answers: Vec<usize>,
}

impl<'a> Facts<'a> {
    /// Sorts a history.
    #[must_use]
    pub fn collect(entries: &'a [Entry]) -> Self {
        let mut facts = Self { entries, ..Self::default() };
        let mut moves: BTreeSet<(u64, u64, bool, &'a str)> = BTreeSet::new();
        for (index, entry) in entries.iter().enumerate() {
            match &entry.what {
                What::Conversation { conversation, marker, members } => {
                    facts.markers.insert(marker, *conversation);
                    for user in members {
                        let stay = Stay { joined: 0, left: u64::MAX };
                        facts.stays.entry((*conversation, user)).or_default().push(stay);
                    }
                }
                What::Connected { device, user, .. } => {
                    facts.users.insert(device, user);
                }
                What::Invoke { user, conn, op, action, .. } => {
                    facts.invoked(index, user, *conn, *op, action);
                }
                What::Reply { conn, op, answer, .. } => facts.replied(index, *conn, *op, answer),
                What::Change { conversation, change, .. } => {
                    moves.extend(movement(*conversation, change));
                }
                What::Replay { conversation, changes, .. } => {
                    moves.extend(changes.iter().filter_map(|c| movement(*conversation, c)));
                }
                What::Final(read) => facts.finals.push(read),
                _ => {}
            }
        }
        for (conversation, seq, joined, user) in moves {
            let stays = facts.stays.entry((conversation, user)).or_default();
            match stays.last_mut() {
                Some(stay) if !joined && stay.left == u64::MAX => stay.left = seq,
                Some(stay) if joined && stay.left == u64::MAX => {}
                _ if joined => stays.push(Stay { joined: seq, left: u64::MAX }),
                _ => {}
            }
        }
        facts
    }

    /// Whether a user was in a conversation as of a seq.
    #[must_use]
    pub fn was_in(&self, user: &str, conversation: u64, seq: u64) -> bool {
        let stays = self.stays.get(&(conversation, user));
        stays.into_iter().flatten().any(|stay| stay.joined <= seq && seq <= stay.left)
    }

    /// The seq after which a user who is in a conversation now sees it.
    #[must_use]
    pub fn sees_after(&self, user: &str, conversation: u64) -> Option<u64> {
        let stay = self.stays.get(&(conversation, user))?.last()?;
        (stay.left == u64::MAX).then_some(stay.joined)
    }

    /// Whether the run itself knows a conversation.
    #[must_use]
    pub fn knows(&self, conversation: u64) -> bool {
        self.markers.values().any(|known| *known == conversation)
    }

    fn invoked(&mut self, at: usize, user: &'a str, conn: u64, op: u64, action: &'a Action) {
        let attempt = Attempt { conn, invoked: at, answered: None };
        if let Some(operation) = self.operations.get_mut(&op) {
            operation.attempts.push(attempt);
            return;
        }
        match action {
            Action::Send { conversation, client_id, .. } => {
                self.sends.entry((user, *conversation, client_id)).or_default().push(op);
            }
            Action::Edit { message, .. } | Action::Delete { message, .. } => {
                self.changes_of.entry(*message).or_default().push(op);
            }
            _ => {}
        }
        self.operations.insert(op, Operation { user, action, attempts: vec![attempt] });
    }

    fn replied(&mut self, at: usize, conn: u64, op: u64, answer: &'a Answer) {
        let attempts = self.operations.get_mut(&op).map(|operation| &mut operation.attempts);
        let open = attempts
            .into_iter()
            .flatten()
            .find(|attempt| attempt.conn == conn && attempt.answered.is_none());
        match open {
            Some(attempt) => attempt.answered = Some((at, answer)),
            None => self.odd_answers.push(at),
        }
    }
}

fn movement(conversation: u64, change: &Change) -> Option<(u64, u64, bool, &str)> {
    let user = change.user.as_deref()?;
    match change.kind {
        Kind::Joined => Some((conversation, change.seq, true, user)),
        Kind::Left => Some((conversation, change.seq, false, user)),
        _ => None,
    }
}
