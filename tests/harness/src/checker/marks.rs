//! Receipts and unread counts: never back, the same for everybody in the end, and what a recount gives (CK8, G12).

use std::collections::{BTreeMap, HashMap};

use super::{Violation, facts::Facts};
use crate::history::{Change, FinalRead, Kind, What};

/// Where an unread count stops.
const MOST_UNREAD: usize = 1_000;

/// CK8: what a device is told of somebody's marks never goes back while he stays.
pub(super) fn ck8_marks_grow(facts: &Facts<'_>) -> Vec<Violation> {
    let mut known: HashMap<(&str, u64, &str), (u64, u64)> = HashMap::new();
    let mut found = Vec::new();
    for entry in facts.entries {
        match &entry.what {
            What::Receipt { device, conversation, user, delivered, read } => {
                let last = known.entry((device, *conversation, user)).or_default();
                if *delivered < last.0 || *read < last.1 {
                    found.push(state(format!(
                        "{device}: the marks of {user} in conversation {conversation} went from {last:?} to \
                         ({delivered}, {read})"
                    )));
                }
                *last = (*delivered, *read);
            }
            What::Change { device, conversation, change, .. } => {
                forget(&mut known, device, *conversation, change);
            }
            What::Replay { device, conversation, changes, .. } => {
                changes.iter().for_each(|change| forget(&mut known, device, *conversation, change));
            }
            _ => {}
        }
    }
    found
}

/// Who comes back begins anew.
fn forget<'a>(
    known: &mut HashMap<(&'a str, u64, &'a str), (u64, u64)>,
    device: &'a str,
    conversation: u64,
    change: &'a Change,
) {
    if let (Kind::Joined | Kind::Left, Some(user)) = (change.kind, &change.user) {
        known.remove(&(device, conversation, user.as_str()));
    }
}

/// CK8: in the end each device has everybody's marks as the server has them.
pub(super) fn ck8_marks(facts: &Facts<'_>) -> Vec<Violation> {
    let mut truth: HashMap<u64, &BTreeMap<String, (u64, u64)>> = HashMap::new();
    for (source, conversation, marks, _) in marks(facts) {
        if source.starts_with("rest:") {
            truth.insert(conversation, marks);
        }
    }
    let mut found = Vec::new();
    for (source, conversation, held, _) in marks(facts) {
        let Some(truth) = truth.get(&conversation) else { continue };
        for (user, marks) in *truth {
            let has = held.get(user);
            if has != Some(marks) {
                found.push(state(format!(
                    "{source} has {has:?} as the marks of {user} in conversation {conversation}, the server {marks:?}"
                )));
            }
        }
    }
    found
}

/// CK8: an unread count is the number of others' messages above one's own mark.
pub(super) fn ck8_unread(facts: &Facts<'_>) -> Vec<Violation> {
    let mut truth: HashMap<u64, &FinalRead> = HashMap::new();
    for read in facts.finals.iter().filter(|read| read.complete) {
        truth.insert(read.conversation, read);
    }
    let mut found = Vec::new();
    for (source, conversation, marks, unread) in marks(facts) {
        let Some(user) = source.split(':').nth(1) else { continue };
        let (Some(told), Some(truth)) = (unread, truth.get(&conversation)) else { continue };
        let (Some((_, read)), Some(joined)) =
            (marks.get(user), facts.sees_after(user, conversation))
        else {
            continue;
        };
        let is_unread = |seq: u64| seq > *read && seq > joined;
        let messages = truth.messages.iter().filter(|message| {
            message.content.is_some() && message.sender != user && is_unread(message.seq)
        });
        let count = messages.take(MOST_UNREAD).count() as u64;
        if told != count {
            found.push(state(format!(
                "{source} is told {told} unread messages in conversation {conversation}, there are {count}"
            )));
        }
    }
    found
}

type Held<'a> = (&'a str, u64, &'a BTreeMap<String, (u64, u64)>, Option<u64>);

fn marks<'a>(facts: &Facts<'a>) -> impl Iterator<Item = Held<'a>> {
    facts.entries.iter().filter_map(|entry| match &entry.what {
        What::Marks { source, conversation, marks, unread } => {
            Some((source.as_str(), *conversation, marks, *unread))
        }
        _ => None,
    })
}

fn state(detail: String) -> Violation {
    Violation { check: "CK8 state", detail }
}
