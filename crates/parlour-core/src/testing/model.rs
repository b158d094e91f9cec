//! What a store should do, in its simplest form: plain lists, walked through for every answer.

use std::collections::BTreeMap;

use crate::{
    Code, Seq, UserId,
    command::{Actor, Authority},
    model::{ConversationKind, ConversationState, Role, Watermark},
    policy::{self, Action, Facts},
};

/// A group with everything that ever happened in it.
pub(crate) struct Model {
    pub(crate) last_seq: u64,
    pub(crate) receipts: u64,
    pub(crate) messages: Vec<Said>,
    /// The messages that the receipt of the last step covers.
    pub(crate) covered: Vec<usize>,
    state: ConversationState,
    members: BTreeMap<UserId, Member>,
    /// Times of people who left: after the first, up to the second.
    past: Vec<(UserId, u64, u64)>,
    /// Changes that are no messages, in the words of the suite.
    others: Vec<(u64, String)>,
}

/// A message.
pub(crate) struct Said {
    pub(crate) seq: u64,
    pub(crate) change_seq: u64,
    pub(crate) sender: UserId,
    pub(crate) text: Option<String>,
    client_id: Option<String>,
    original: String,
}

#[derive(Clone, Copy)]
struct Member {
    role: Role,
    joined: u64,
    entered: u64,
    watermark: Watermark,
    version: u64,
}

/// What somebody does.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Send { text: String, client_id: Option<String> },
    Edit { message: usize, text: String },
    Delete { message: usize },
    MarkSeq { seq: u64, read: bool },
    MarkMessage { message: usize, read: bool },
    MarkMessages { messages: Vec<usize> },
    Add { user: UserId },
    Remove { user: UserId },
    State { state: ConversationState },
}

/// What it gave: the seq of the Change and whether it was there before, or where the watermark stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    Changed { seq: u64, again: bool },
    Marked(Watermark),
    Done,
    Refused(Code),
}

type Result<T> = std::result::Result<T, Code>;

impl Model {
    /// A group of these people; the first has made it.
    pub(crate) fn group(users: &[UserId]) -> Self {
        let member = |role| Member {
            role,
            joined: 0,
            entered: 0,
            watermark: Watermark::default(),
            version: 0,
        };
        let mut members = BTreeMap::new();
        for (n, user) in users.iter().enumerate() {
            let role = if n == 0 { Role::Owner } else { Role::Member };
            members.insert(user.clone(), member(role));
        }
        Self {
            last_seq: 0,
            receipts: 0,
            messages: Vec::new(),
            covered: Vec::new(),
            state: ConversationState::Open,
            members,
            past: Vec::new(),
            others: Vec::new(),
        }
    }

    /// Does it, if it may be done.
    pub(crate) fn apply(&mut self, who: &UserId, step: &Step) -> Outcome {
        self.covered.clear();
        self.try_apply(who, step).unwrap_or_else(Outcome::Refused)
    }

    fn try_apply(&mut self, who: &UserId, step: &Step) -> Result<Outcome> {
        match step {
            Step::Send { text, client_id } => self.send(who, text, client_id.as_deref()),
            Step::Edit { message, text } => self.edit(who, *message, text),
            Step::Delete { message } => self.delete(who, *message),
            Step::MarkSeq { seq, read } => self.mark(who, (*seq).min(self.last_seq), *read),
            Step::MarkMessage { message, read } => {
                let said = self.visible(who, *message)?;
                let seq = if said.sender == *who { 0 } else { said.seq };
                self.mark(who, seq, *read)
            }
            Step::MarkMessages { messages } => {
                let others = messages.iter().filter_map(|message| self.visible(who, *message).ok());
                let furthest = others.filter(|said| said.sender != *who).map(|said| said.seq).max();
                if let Some(seq) = furthest.filter(|seq| self.is_unread(who, *seq)) {
                    self.mark(who, seq, true)?;
                }
                Ok(Outcome::Done)
            }
            Step::Add { user } => self.add(who, user),
            Step::Remove { user } => self.remove(who, user),
            Step::State { state } => {
                self.allow(who, Action::ChangeState)?;
                if self.state != *state {
                    self.state = *state;
                    let seq = self.next();
                    self.others.push((seq, format!("{seq} changed None {:?} None", Some(state))));
                }
                Ok(Outcome::Done)
            }
        }
    }

    /// What a viewer missed after a seq, in the words of the suite.
    pub(crate) fn missed(&self, viewer: &UserId, after: u64) -> Vec<String> {
        if !self.members.contains_key(viewer) {
            return Vec::new();
        }
        let mut all: Vec<(u64, String)> = self
            .others
            .iter()
            .filter(|(seq, _)| *seq > after && self.sees(viewer, *seq))
            .cloned()
            .collect();
        for said in &self.messages {
            let seq = said.change_seq;
            if seq > after && self.sees(viewer, said.seq) {
                all.push((
                    seq,
                    match &said.text {
                        None => format!("{seq} deleted -"),
                        Some(text) if said.seq > after => format!("{seq} created {text}"),
                        Some(text) => format!("{seq} edited {text}"),
                    },
                ));
            }
        }
        all.sort();
        all.into_iter().map(|(_, words)| words).collect()
    }

    /// Messages of others after the read mark that still stand; `None` for somebody who is not in it.
    pub(crate) fn unread(&self, viewer: &UserId) -> Option<usize> {
        Some(self.unread_up_to(viewer, self.members.get(viewer)?.watermark, u64::MAX).len())
    }

    /// The same, from a watermark up to a seq.
    fn unread_up_to(&self, viewer: &UserId, from: Watermark, up_to: u64) -> Vec<usize> {
        let counts = |said: &Said| {
            said.seq > from.read.0
                && said.seq <= up_to
                && said.sender != *viewer
                && said.text.is_some()
                && self.sees(viewer, said.seq)
        };
        (0..self.messages.len()).filter(|n| self.messages.get(*n).is_some_and(counts)).collect()
    }

    fn is_unread(&self, who: &UserId, seq: u64) -> bool {
        self.members.get(who).is_some_and(|member| seq > member.watermark.read.0)
    }

    /// Who is in it, after what they joined, and how far they are.
    pub(crate) fn standings(&self) -> Vec<(UserId, u64, Watermark)> {
        let stands =
            |(user, member): (&UserId, &Member)| (user.clone(), member.joined, member.watermark);
        self.members.iter().map(stands).collect()
    }

    /// The seqs of the messages that a viewer sees.
    pub(crate) fn page(&self, viewer: &UserId) -> Vec<u64> {
        self.messages.iter().map(|said| said.seq).filter(|seq| self.sees(viewer, *seq)).collect()
    }

    /// Who moved after a version, to where, oldest first.
    pub(crate) fn receipts_since(&self, since: u64) -> Vec<(u64, UserId, Watermark)> {
        let mut moved: Vec<_> = self
            .members
            .iter()
            .filter(|(_, member)| member.version > since)
            .map(|(user, member)| (member.version, user.clone(), member.watermark))
            .collect();
        moved.sort_by_key(|(version, ..)| *version);
        moved
    }

    fn sees(&self, viewer: &UserId, seq: u64) -> bool {
        let now = self.members.get(viewer).is_some_and(|member| seq > member.joined);
        now || self.past.iter().any(|(user, from, to)| user == viewer && *from < seq && seq <= *to)
    }

    fn allow(&self, who: &UserId, action: Action) -> Result<()> {
        let facts = Facts {
            authority: Actor::user(who.clone()).authority,
            role: self.members.get(who).map(|member| member.role),
            kind: ConversationKind::Group,
            state: self.state,
            blocked: false,
        };
        debug_assert_eq!(facts.authority, Authority::User);
        policy::decide(action, &facts).map_err(|error| error.code)
    }

    fn visible(&self, who: &UserId, message: usize) -> Result<&Said> {
        self.allow(who, Action::Read)?;
        let said = self.messages.get(message).ok_or(Code::NotFound)?;
        if self.sees(who, said.seq) { Ok(said) } else { Err(Code::NotFound) }
    }

    fn next(&mut self) -> u64 {
        self.last_seq += 1;
        self.last_seq
    }

    fn send(&mut self, who: &UserId, text: &str, client_id: Option<&str>) -> Result<Outcome> {
        let known = client_id.and_then(|id| {
            let same = |said: &&Said| said.sender == *who && said.client_id.as_deref() == Some(id);
            self.messages.iter().find(same)
        });
        if let Some(known) = known {
            return if known.original == text {
                Ok(Outcome::Changed { seq: known.change_seq, again: true })
            } else {
                Err(Code::Conflict)
            };
        }
        self.allow(who, Action::Send)?;
        if let Some(member) = self.members.get(who) {
            self.covered = self.unread_up_to(who, member.watermark, u64::MAX);
        }
        let had_unread = !self.covered.is_empty();
        let seq = self.next();
        self.messages.push(Said {
            seq,
            change_seq: seq,
            sender: who.clone(),
            text: Some(text.to_owned()),
            client_id: client_id.map(str::to_owned),
            original: text.to_owned(),
        });
        let version = if had_unread { self.receipts + 1 } else { self.receipts };
        if let Some(member) = self.members.get_mut(who) {
            member.watermark = Watermark { delivered: Seq(seq), read: Seq(seq) };
            if had_unread {
                member.version = version;
            }
        }
        self.receipts = version;
        Ok(Outcome::Changed { seq, again: false })
    }

    fn edit(&mut self, who: &UserId, message: usize, text: &str) -> Result<Outcome> {
        let said = self.visible(who, message)?;
        let old = said.text.clone().ok_or(Code::NotFound)?;
        let change_seq = said.change_seq;
        self.allow(who, Action::Edit { own: said.sender == *who })?;
        if old == text {
            return Ok(Outcome::Changed { seq: change_seq, again: true });
        }
        let seq = self.next();
        let said = self.messages.get_mut(message).ok_or(Code::NotFound)?;
        said.text = Some(text.to_owned());
        said.change_seq = seq;
        Ok(Outcome::Changed { seq, again: false })
    }

    fn delete(&mut self, who: &UserId, message: usize) -> Result<Outcome> {
        let said = self.visible(who, message)?;
        let (gone, change_seq) = (said.text.is_none(), said.change_seq);
        self.allow(who, Action::Delete { own: said.sender == *who })?;
        if gone {
            return Ok(Outcome::Changed { seq: change_seq, again: true });
        }
        let seq = self.next();
        let said = self.messages.get_mut(message).ok_or(Code::NotFound)?;
        said.text = None;
        said.change_seq = seq;
        Ok(Outcome::Changed { seq, again: false })
    }

    fn mark(&mut self, who: &UserId, seq: u64, read: bool) -> Result<Outcome> {
        self.allow(who, Action::Read)?;
        let version = self.receipts + 1;
        let member = self.members.get_mut(who).ok_or(Code::NotFound)?;
        let before = member.watermark;
        member.watermark.delivered = before.delivered.max(Seq(seq));
        if read {
            member.watermark.read = before.read.max(Seq(seq));
        }
        let after = member.watermark;
        if before != after {
            member.version = version;
            self.receipts = version;
            self.covered = self.unread_up_to(who, before, after.read.0);
        }
        Ok(Outcome::Marked(after))
    }

    fn add(&mut self, who: &UserId, user: &UserId) -> Result<Outcome> {
        self.allow(who, Action::Add)?;
        if !self.members.contains_key(user) {
            let joined = self.last_seq;
            let seq = self.next();
            let watermark = Watermark { delivered: Seq(joined), read: Seq(joined) };
            let member = Member { role: Role::Member, joined, entered: seq, watermark, version: 0 };
            self.members.insert(user.clone(), member);
            self.others.push((seq, format!("{seq} joined {user} by {who}")));
        }
        Ok(Outcome::Done)
    }

    fn remove(&mut self, who: &UserId, user: &UserId) -> Result<Outcome> {
        self.allow(who, Action::Read)?;
        let Member { role, joined, .. } = *self.members.get(user).ok_or(Code::NotFound)?;
        self.allow(who, if who == user { Action::Leave } else { Action::Remove(role) })?;
        self.members.remove(user);
        if role == Role::Owner {
            // The highest role first, in it the longest there, in that the first id.
            let heir = self
                .members
                .iter_mut()
                .min_by_key(|(_, member)| (std::cmp::Reverse(member.role), member.entered));
            if let Some((heir, member)) = heir {
                member.role = Role::Owner;
                let heir = heir.clone();
                let seq = self.next();
                self.others.push((seq, format!("{seq} role {heir} Owner")));
            }
        }
        let seq = self.next();
        self.past.push((user.clone(), joined, seq));
        self.others.push((seq, format!("{seq} left {user} by {who}")));
        Ok(Outcome::Done)
    }
}
