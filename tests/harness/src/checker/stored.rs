//! Is what was acknowledged there, and nothing else, and once (CK1 to CK3)?

use std::collections::HashMap;

use super::{
    Violation,
    facts::{Ack, Facts, Operation},
};
use crate::history::{Action, Answer, FinalRead, Message, What};

/// CK1: every acknowledged send is in every final read that came after, as acknowledged.
pub(super) fn ck1_lost(facts: &Facts<'_>) -> Vec<Violation> {
    let mut found = Vec::new();
    let sends: Vec<(&Operation<'_>, Ack<'_>)> = facts
        .operations
        .values()
        .filter(|operation| matches!(operation.action, Action::Send { .. }))
        .filter_map(|operation| Some((operation, operation.acks().next()?)))
        .collect();
    for (operation, ack) in &sends {
        let Action::Send { content, .. } = operation.action else { continue };
        if !ack.duplicate && ack.message.content.as_ref() != Some(content) {
            let told = &ack.message.content;
            found.push(lost(format!("{content:?} was acknowledged as {told:?}")));
        }
    }
    for read in &facts.finals {
        let there: HashMap<u64, &Message> =
            read.messages.iter().map(|message| (message.id, message)).collect();
        let expected = sends.iter().filter(|(operation, ack)| {
            operation.action.conversation() == read.conversation
                && ack.at < read.as_of
                && is_in_reach(facts, read, ack.message)
        });
        for (operation, ack) in expected {
            match there.get(&ack.message.id) {
                None => found.push(lost(format!(
                    "message {} (seq {}) of conversation {} was acknowledged and is not in {}",
                    ack.message.id, ack.message.seq, read.conversation, read.source
                ))),
                Some(message) => {
                    found.extend(as_acknowledged(facts, read, operation, ack.message, message));
                }
            }
        }
    }
    found
}

/// A device that came later, or left, need not have it.
fn is_in_reach(facts: &Facts<'_>, read: &FinalRead, message: &Message) -> bool {
    let mut parts = read.source.split(':');
    // A third part says where it was read.
    let reader = parts.next().zip(parts.next()).map(|(kind, name)| match kind {
        "device" => facts.users.get(name).copied().unwrap_or(name),
        _ => name,
    });
    let sees_after = match reader {
        Some(user) => facts.sees_after(user, read.conversation),
        None => Some(0),
    };
    sees_after.is_some_and(|after| message.seq > after.max(read.from))
}

fn as_acknowledged(
    facts: &Facts<'_>,
    read: &FinalRead,
    operation: &Operation<'_>,
    told: &Message,
    message: &Message,
) -> Option<Violation> {
    let id = message.id;
    let same_place = (message.seq, &message.sender, &message.client_id)
        == (told.seq, &told.sender, &told.client_id);
    if !same_place {
        return Some(lost(format!(
            "{} has {message:?} where {told:?} was acknowledged",
            read.source
        )));
    }
    if read.source.starts_with("device:") {
        // Whether a device has the latest state is for CK8.
        return None;
    }
    let Action::Send { content, .. } = operation.action else { return None };
    let mut allowed: Vec<Option<&str>> = Vec::new();
    let mut latest: (u64, Option<&str>) = (told.seq, Some(content));
    for op in facts.changes_of.get(&id).into_iter().flatten() {
        let Some(change) = facts.operations.get(op) else { continue };
        let becomes = match change.action {
            Action::Edit { content, .. } => Some(content.as_str()),
            _ => None,
        };
        match change.acks().next() {
            Some(ack) if ack.at < read.as_of => {
                if ack.message.change_seq >= latest.0 {
                    latest = (ack.message.change_seq, becomes);
                }
            }
            _ if change.is_refused() => {}
            _ => allowed.push(becomes),
        }
    }
    allowed.push(latest.1);
    let has = message.content.as_deref();
    let is = allowed.contains(&has);
    (!is).then(|| {
        lost(format!("message {id} is {has:?} in {}, not one of {allowed:?}", read.source))
    })
}

fn lost(detail: String) -> Violation {
    Violation { check: "CK1 lost", detail }
}

/// CK2: whatever is in a final read was sent, and not refused.
pub(super) fn ck2_ghost(facts: &Facts<'_>) -> Vec<Violation> {
    let mut found = Vec::new();
    for read in facts.finals.iter().filter(|read| facts.knows(read.conversation)) {
        for message in &read.messages {
            let key = (&*message.sender, read.conversation, message.client_id.as_deref());
            let ops = key.2.and_then(|client| facts.sends.get(&(key.0, key.1, client)));
            let source = &read.source;
            let Some(ops) = ops else {
                let detail = format!("{source} has {message:?}, which nobody sent");
                found.push(Violation { check: "CK2 ghost", detail });
                continue;
            };
            if ops.iter().filter_map(|op| facts.operations.get(op)).all(Operation::is_refused) {
                let detail = format!("{source} has {message:?}, which was refused");
                found.push(Violation { check: "CK2 ghost", detail });
            }
        }
    }
    found
}

/// CK3: a user's client id stands for one message in a conversation, whoever tells of it.
pub(super) fn ck3_double(facts: &Facts<'_>) -> Vec<Violation> {
    let mut names: HashMap<(&str, u64, &str), (u64, u64)> = HashMap::new();
    let mut found = Vec::new();
    for (conversation, message) in told(facts) {
        let Some(client) = message.client_id.as_deref() else { continue };
        let key = (message.sender.as_str(), conversation, client);
        let this = (message.id, message.seq);
        let first = *names.entry(key).or_insert(this);
        if first != this {
            let detail =
                format!("client id {client} of {} is (id, seq) {first:?} and {this:?}", key.0);
            found.push(Violation { check: "CK3 double", detail });
        }
    }
    found
}

/// Every message object that anybody was given, with its conversation.
pub(super) fn told<'a>(facts: &Facts<'a>) -> impl Iterator<Item = (u64, &'a Message)> {
    let conversations: HashMap<u64, u64> = facts
        .operations
        .iter()
        .map(|(op, operation)| (*op, operation.action.conversation()))
        .collect();
    facts.entries.iter().flat_map(move |entry| -> Vec<(u64, &'a Message)> {
        match &entry.what {
            What::Reply { op, answer: Answer::Stored { message, .. }, .. } => conversations
                .get(op)
                .map(|conversation| (*conversation, message))
                .into_iter()
                .collect(),
            What::Change { conversation, change, .. } => {
                change.message.iter().map(|message| (*conversation, message)).collect()
            }
            What::Replay { conversation, changes, .. } => {
                let messages = changes.iter().filter_map(|change| change.message.as_ref());
                messages.map(|message| (*conversation, message)).collect()
            }
            What::Final(read) => {
                read.messages.iter().map(|message| (read.conversation, message)).collect()
            }
            _ => Vec::new(),
        }
    })
}
