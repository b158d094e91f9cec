//! One order without holes, the same for everybody, and none against real time (CK4 to CK6).

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{
    Violation,
    facts::{Facts, Operation},
    stored::told,
};
use crate::history::{Action, Answer, FinalRead, What};

/// CK4: the seqs of a conversation are 1 to n, each for one thing.
pub(super) fn ck4_holes(facts: &Facts<'_>) -> Vec<Violation> {
    let mut found = Vec::new();
    let seen = seqs_of_messages(facts);
    for read in &facts.finals {
        let mut last = 0;
        for message in &read.messages {
            if message.seq <= last {
                found.push(holes(read, &format!("message seq {} after {last}", message.seq)));
            }
            last = message.seq;
        }
        if read.complete {
            found.extend(complete(facts, read, &seen));
        }
    }
    found
}

/// Which seqs the history knows to have belonged to a message.
fn seqs_of_messages(facts: &Facts<'_>) -> HashMap<(u64, u64), u64> {
    told(facts)
        .map(|(conversation, message)| ((conversation, message.change_seq), message.id))
        .collect()
}

fn complete(
    facts: &Facts<'_>,
    read: &FinalRead,
    seen: &HashMap<(u64, u64), u64>,
) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut used: HashSet<u64> = HashSet::new();
    let places = read.messages.iter().map(|message| message.seq);
    let changes = read.messages.iter().filter(|m| m.change_seq != m.seq).map(|m| m.change_seq);
    for seq in places.chain(changes).chain(read.others.iter().copied()) {
        if !used.insert(seq) {
            found.push(holes(read, &format!("seq {seq} stands for two things")));
        }
    }
    let last = read.last_seq.unwrap_or(0);
    let end = used.iter().max().copied().unwrap_or(0);
    if end != last {
        found.push(holes(read, &format!("the log ends at {end}, the conversation says {last}")));
    }
    // Of a deleted message only the first and the last Change are left in the store; those between must be
    // known from answers or events, or be of an edit whose fate nobody was told.
    let deleted: HashSet<u64> =
        read.messages.iter().filter(|m| m.content.is_none()).map(|m| m.id).collect();
    let missing: Vec<u64> = (1..=last)
        .filter(|seq| !used.contains(seq))
        .filter(|seq| {
            !seen.get(&(read.conversation, *seq)).is_some_and(|message| deleted.contains(message))
        })
        .collect();
    // An edit that was asked for again, because its answer was lost, may have taken several.
    let untold = facts
        .operations
        .values()
        .filter(|operation| {
            matches!(operation.action, Action::Edit { message, .. } if deleted.contains(message))
        })
        .flat_map(|operation| &operation.attempts)
        .filter(|attempt| match attempt.answered {
            None => true,
            Some((_, answer)) => {
                matches!(answer, Answer::Refused { class, .. } if class == "unknown")
            }
        })
        .count();
    if missing.len() > untold {
        found.push(holes(read, &format!("seqs {missing:?} are missing")));
    }
    found
}

fn holes(read: &FinalRead, detail: &str) -> Violation {
    let detail = format!("{detail} (conversation {}, {})", read.conversation, read.source);
    Violation { check: "CK4 holes", detail }
}

/// CK5: a seq is the same thing for everybody.
pub(super) fn ck5_disagreement(facts: &Facts<'_>) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut differ = |detail: String| found.push(Violation { check: "CK5 disagreement", detail });
    let mut places: HashMap<(u64, u64), u64> = HashMap::new();
    let mut states: HashMap<(u64, u64), (u64, &Option<String>)> = HashMap::new();
    for (conversation, message) in told(facts) {
        let place = *places.entry((conversation, message.seq)).or_insert(message.id);
        if place != message.id {
            let (id, seq) = (message.id, message.seq);
            differ(format!("seq {seq} of conversation {conversation} is message {place} and {id}"));
        }
        let this = (message.id, &message.content);
        let state = *states.entry((conversation, message.change_seq)).or_insert(this);
        if state != this {
            let seq = message.change_seq;
            differ(format!(
                "change {seq} of conversation {conversation} is {state:?} and {this:?}"
            ));
        }
    }
    for entry in facts.entries {
        let changes = match &entry.what {
            What::Change { change, .. } => std::slice::from_ref(change),
            What::Replay { changes, .. } => changes,
            _ => continue,
        };
        for change in changes {
            if change.message.as_ref().is_some_and(|message| message.change_seq != change.seq) {
                differ(format!("an event has another seq than its message: {change:?}"));
            }
        }
    }
    found
}

/// CK6: acknowledged before sent means smaller seq; and one connection's sends keep their order.
pub(super) fn ck6_real_time(facts: &Facts<'_>) -> Vec<Violation> {
    let mut moments: BTreeMap<usize, Moment> = BTreeMap::new();
    let mut sends: BTreeMap<(u64, u64, usize), u64> = BTreeMap::new();
    for (op, operation) in &facts.operations {
        let conversation = operation.action.conversation();
        for ack in operation.acks() {
            moments.insert(ack.at, Moment::Ack(conversation, ack.message.change_seq));
        }
        let Some(ack) = operation.acks().next() else { continue };
        if is_first(facts, *op, operation) {
            let seq = match operation.action {
                Action::Send { .. } => ack.message.seq,
                _ => ack.message.change_seq,
            };
            moments.insert(operation.begun(), Moment::Begin(conversation, seq));
        }
        if let (Action::Send { .. }, [attempt], false) =
            (operation.action, operation.attempts.as_slice(), ack.duplicate)
        {
            sends.insert((conversation, attempt.conn, attempt.invoked), ack.message.seq);
        }
    }
    let mut found = Vec::new();
    let mut against = |detail: String| found.push(Violation { check: "CK6 real time", detail });
    let mut highest: HashMap<u64, u64> = HashMap::new();
    for moment in moments.into_values() {
        match moment {
            Moment::Ack(conversation, seq) => {
                let known = highest.entry(conversation).or_default();
                *known = seq.max(*known);
            }
            Moment::Begin(conversation, seq) => {
                let before = highest.get(&conversation).copied().unwrap_or(0);
                if seq <= before {
                    against(format!(
                        "conversation {conversation}: seq {seq} began after {before} was acknowledged"
                    ));
                }
            }
        }
    }
    let mut previous: Option<(u64, u64, u64)> = None;
    for ((conversation, conn, _), seq) in sends {
        if previous.is_some_and(|(c, k, before)| (c, k) == (conversation, conn) && seq <= before) {
            against(format!(
                "conversation {conversation}: connection {conn} got seq {seq} for a later send"
            ));
        }
        previous = Some((conversation, conn, seq));
    }
    found
}

/// Whether an operation asks for something that no other has asked for: a late repetition of a send, or the
/// second deletion of a message, is answered with the first one's result.
fn is_first(facts: &Facts<'_>, op: u64, operation: &Operation<'_>) -> bool {
    match operation.action {
        Action::Send { conversation, client_id, .. } => {
            let ops = facts.sends.get(&(operation.user, *conversation, client_id));
            ops.and_then(|ops| ops.first()) == Some(&op)
        }
        Action::Delete { message, .. } => {
            let ops = facts.changes_of.get(message).into_iter().flatten();
            let deletes = ops.filter_map(|op| facts.operations.get(op));
            deletes.filter(|other| matches!(other.action, Action::Delete { .. })).count() == 1
        }
        _ => true,
    }
}

enum Moment {
    Ack(u64, u64),
    Begin(u64, u64),
}
