//! Did anybody get what he was not to see (CK9, CK10)?

use super::{Violation, facts::Facts};
use crate::history::{Change, What};

/// CK9: who gets a Change is in the conversation as of that moment, and was when the message was said.
pub(super) fn ck9_entitlement(facts: &Facts<'_>) -> Vec<Violation> {
    let mut found = Vec::new();
    for entry in facts.entries {
        let (device, conversation, changes, moment) = match &entry.what {
            What::Change { device, conversation, change, .. } => {
                (device, *conversation, std::slice::from_ref(change), change.seq)
            }
            What::Replay { device, conversation, changes, up_to, .. } => {
                (device, *conversation, changes.as_slice(), *up_to)
            }
            _ => continue,
        };
        let Some(user) = facts.users.get(device.as_str()) else { continue };
        let may_see = |change: &&Change| {
            let said = change.message.as_ref().map_or(change.seq, |message| message.seq);
            facts.was_in(user, conversation, moment) && facts.was_in(user, conversation, said)
        };
        for change in changes.iter().filter(|change| !may_see(change)) {
            let detail =
                format!("{device} of {user} got {change:?} of conversation {conversation}");
            found.push(Violation { check: "CK9 entitlement", detail });
        }
    }
    found
}

/// CK10: nobody ever gets a byte of a conversation that he never was in.
pub(super) fn ck10_leak(facts: &Facts<'_>) -> Vec<Violation> {
    let mut found = Vec::new();
    for entry in facts.entries {
        let What::Marker { device, marker } = &entry.what else { continue };
        let known = facts.markers.get(marker.as_str());
        let (Some(conversation), Some(user)) = (known, facts.users.get(device.as_str())) else {
            continue;
        };
        if !facts.stays.contains_key(&(*conversation, user)) {
            let detail = format!("{device} of {user} got bytes of conversation {conversation}");
            found.push(Violation { check: "CK10 leak", detail });
        }
    }
    found
}
