//! Did each device get each Change once, in order, and does it hold what the server holds (CK7, CK8)?

use std::collections::{HashMap, HashSet};

use super::{Violation, facts::Facts};
use crate::history::{Answer, Change, FinalRead, Kind, Message, What};

/// Where each device stands in each conversation.
type Places<'a> = HashMap<(&'a str, u64), u64>;

/// CK7: after each Change comes the next one; a replay begins where the device stands.
pub(super) fn ck7_delivery(facts: &Facts<'_>) -> Vec<Violation> {
    walk(facts).1
}

/// CK7: in the end each device stands where the log ends.
pub(super) fn ck7_complete(facts: &Facts<'_>) -> Vec<Violation> {
    let (places, _) = walk(facts);
    let ends = facts.finals.iter().rev().filter(|read| read.complete);
    let mut last: HashMap<u64, u64> = HashMap::new();
    for read in ends {
        last.entry(read.conversation).or_insert_with(|| read.last_seq.unwrap_or(0));
    }
    let devices: HashSet<(&str, u64)> = facts
        .users
        .iter()
        .flat_map(|(device, user)| {
            last.keys().map(move |conversation| (*device, *user, *conversation))
        })
        .filter(|(_, user, conversation)| facts.sees_after(user, *conversation).is_some())
        .map(|(device, _, conversation)| (device, conversation))
        .collect();
    let mut found: Vec<Violation> = devices
        .into_iter()
        .filter(|key| places.get(key) != last.get(&key.1))
        .map(|(device, conversation)| {
            let (place, end) = (places.get(&(device, conversation)), last.get(&conversation));
            failed(format!(
                "{device} ends at {place:?} of conversation {conversation}, not at {end:?}"
            ))
        })
        .collect();
    found.sort_by(|a, b| a.detail.cmp(&b.detail));
    found
}

fn walk<'a>(facts: &Facts<'a>) -> (Places<'a>, Vec<Violation>) {
    let mut places = Places::new();
    let mut found = Vec::new();
    for entry in facts.entries {
        match &entry.what {
            What::Base { device, conversation, seq } => {
                places.insert((device, *conversation), *seq);
            }
            What::Gone { device, conversation } => {
                places.remove(&(device.as_str(), *conversation));
            }
            What::Change { device, conversation, change, .. } => {
                found.extend(live(&mut places, facts, device, *conversation, change));
            }
            What::Reply {
                device,
                op,
                answer: Answer::Stored { message, duplicate: false },
                ..
            } => {
                let Some(operation) = facts.operations.get(op) else { continue };
                let key = (device.as_str(), operation.action.conversation());
                found.extend(own(&mut places, key, message));
            }
            What::Replay { device, conversation, after, up_to, changes, .. } => {
                let key = (device.as_str(), *conversation);
                found.extend(replay(&mut places, facts, key, (*after, *up_to), changes));
            }
            _ => {}
        }
    }
    (places, found)
}

fn live<'a>(
    places: &mut Places<'a>,
    facts: &Facts<'a>,
    device: &'a str,
    conversation: u64,
    change: &Change,
) -> Option<Violation> {
    let key = (device, conversation);
    let of_himself = change.user.as_deref() == facts.users.get(device).copied();
    let place = match (places.get_mut(&key), change.kind) {
        // His own joining starts a conversation; the entry of the base follows it.
        (_, Kind::Joined) if of_himself => {
            places.insert(key, change.seq);
            return None;
        }
        (Some(place), _) => place,
        (None, _) => {
            return Some(failed(format!(
                "{device} got seq {} of conversation {conversation}, which it does not know",
                change.seq
            )));
        }
    };
    let expected = *place + 1;
    *place = change.seq.max(*place);
    if change.kind == Kind::Left && of_himself {
        places.remove(&key);
    }
    (change.seq != expected).then(|| {
        let seq = change.seq;
        failed(format!(
            "{device} got seq {seq} of conversation {conversation} in place of {expected}"
        ))
    })
}

/// The answer to one's own command stands in the place of its event. A repeated one tells nothing new.
fn own<'a>(places: &mut Places<'a>, key: (&'a str, u64), message: &Message) -> Option<Violation> {
    let place = places.get_mut(&key)?;
    let expected = *place + 1;
    *place = message.change_seq.max(*place);
    (message.change_seq > expected).then(|| {
        let (device, conversation) = key;
        let seq = message.change_seq;
        failed(format!(
            "{device} was answered seq {seq} of conversation {conversation} before {expected}"
        ))
    })
}

fn replay<'a>(
    places: &mut Places<'a>,
    facts: &Facts<'a>,
    key: (&'a str, u64),
    (after, up_to): (u64, u64),
    changes: &[Change],
) -> Vec<Violation> {
    let (device, conversation) = key;
    let mut found = Vec::new();
    let mut wrong = |detail: String| {
        found.push(failed(format!("{device}, replay of conversation {conversation}: {detail}")));
    };
    match places.get(&key) {
        Some(place) if *place != after => {
            wrong(format!("begins after {after} and not after {place}"));
        }
        None => wrong("the device does not know it".into()),
        Some(_) => {}
    }
    let mut last = after;
    for change in changes {
        if change.seq <= last || change.seq > up_to {
            wrong(format!("seq {} after {last}, up to {up_to}", change.seq));
        }
        last = change.seq;
    }
    let user = facts.users.get(device).copied();
    let mut own = changes.iter().filter(|change| change.user.as_deref() == user && user.is_some());
    match own.next_back().map(|change| change.kind) {
        Some(Kind::Left) => places.remove(&key),
        _ => places.insert(key, up_to),
    };
    found
}

fn failed(detail: String) -> Violation {
    Violation { check: "CK7 delivery", detail }
}

/// CK8: in the end each device holds the messages as the database does.
pub(super) fn ck8_state(facts: &Facts<'_>) -> Vec<Violation> {
    let mut truth: HashMap<u64, &FinalRead> = HashMap::new();
    for read in facts.finals.iter().filter(|read| read.complete) {
        truth.insert(read.conversation, read);
    }
    let mut found = Vec::new();
    for read in &facts.finals {
        let Some(device) = read.source.strip_prefix("device:") else { continue };
        let user = facts.users.get(device).copied().unwrap_or(device);
        let Some(joined) = facts.sees_after(user, read.conversation) else { continue };
        let Some(truth) = truth.get(&read.conversation) else { continue };
        let held: HashMap<u64, &Message> = read.messages.iter().map(|m| (m.id, m)).collect();
        let due = truth.messages.iter().filter(|m| m.seq > joined && m.change_seq > read.from);
        for message in due {
            if held.get(&message.id) != Some(&message) {
                let held = held.get(&message.id);
                let detail = format!("{device} holds {held:?}, the server {message:?}");
                found.push(Violation { check: "CK8 state", detail });
            }
        }
    }
    found
}
