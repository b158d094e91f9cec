//! How soon after the healing everything is where it belongs (CK11).

use std::collections::{BTreeMap, HashMap};

use super::{Violation, facts::Facts};
use crate::history::{Answer, What};

/// What was stored while something was broken may take so long after the healing, in microseconds (G19).
const STORM: u64 = 30_000_000;

/// What was stored later may take so long (G8).
const QUIET: u64 = 5_000_000;

/// CK11: after the healing each device gets what it lacks, in time.
pub(super) fn ck11_time(facts: &Facts<'_>) -> Vec<Violation> {
    let healed = facts.entries.iter().rfind(|entry| entry.what == What::Healed);
    let Some(healed) = healed.map(|entry| entry.at) else { return Vec::new() };
    let mut known: HashMap<u64, BTreeMap<u64, u64>> = HashMap::new();
    let mut reached: HashMap<(&str, u64), Vec<(u64, u64)>> = HashMap::new();
    for entry in facts.entries {
        let (device, conversation, seq) = match &entry.what {
            What::Change { device, conversation, change, .. } => {
                (device, *conversation, change.seq)
            }
            What::Replay { device, conversation, up_to, .. } => (device, *conversation, *up_to),
            What::Base { device, conversation, seq } => (device, *conversation, *seq),
            What::Reply { device, op, answer: Answer::Stored { message, .. }, .. } => {
                let Some(operation) = facts.operations.get(op) else { continue };
                (device, operation.action.conversation(), message.change_seq)
            }
            _ => continue,
        };
        let first = known.entry(conversation).or_default().entry(seq).or_insert(entry.at);
        *first = entry.at.min(*first);
        let steps = reached.entry((device, conversation)).or_default();
        if steps.last().is_none_or(|(_, last)| seq > *last) {
            steps.push((entry.at, seq));
        }
    }
    let mut found = Vec::new();
    for ((device, conversation), steps) in &reached {
        let Some(user) = facts.users.get(device) else { continue };
        let Some(moments) = known.get(conversation) else { continue };
        if facts.sees_after(user, *conversation).is_none() {
            continue;
        }
        let late = moments.iter().find_map(|(seq, at)| {
            let due = (at + QUIET).max(if *at < healed { healed + STORM } else { 0 });
            let index = steps.partition_point(|(_, reached)| reached < seq);
            // What never came is for CK7.
            let came = steps.get(index)?.0;
            (came > due && came > healed)
                .then_some((seq, came.saturating_sub((*at).max(healed)) / 1_000))
        });
        if let Some((seq, late)) = late {
            let detail =
                format!("{device} got seq {seq} of conversation {conversation} after {late} ms");
            found.push(Violation { check: "CK11 time", detail });
        }
    }
    found
}
