//! Tells whether a history keeps the guarantees. Every check is one function, and linear in the history.
//!
//! | check | fails when |
//! | --- | --- |
//! | CK1 lost | what was acknowledged is not in a final read, or not as acknowledged (G1) |
//! | CK2 ghost | something is there that nobody sent, or that was refused (G2) |
//! | CK3 double | one client id stands for two messages (G3) |
//! | CK4 holes | the seqs of a conversation are not exactly 1 to n (G4) |
//! | CK5 disagreement | two readers have different things under one seq (G4) |
//! | CK6 real time | what was acknowledged before another was sent has the later seq (G4) |
//! | CK7 delivery | a device did not get each Change once, in the order of seqs (G5) |
//! | CK8 state | what a device holds in the end is not what the server holds: messages, receipts, counts (G6, G12) |
//! | CK9 entitlement | somebody got what was said while he was not in the conversation (G10) |
//! | CK10 leak | a conversation's secret word reached somebody who was never in it (G11) |
//! | CK11 time | after everything is whole again, something comes late (G8, G19) |
//! | CK12 silence | a command was not answered though its connection lived on, or was answered twice (G14) |
//! | CK13 gone | deleted content came up again (G21) |
//! | CK15 close reason | a connection ended with another code than its cause has |

mod answers;
mod delivery;
mod entitlement;
mod facts;
mod marks;
mod order;
mod stored;
#[cfg(test)]
mod tests;
mod time;

use std::fmt;

pub use facts::Facts;

use crate::history::Entry;

/// Something that must not be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    /// Which check found it.
    pub check: &'static str,
    /// What it is.
    pub detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.check, self.detail)
    }
}

/// Whether the run is over, so that everything must have arrived.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// In the middle of a run.
    Midway,
    /// Everything is answered, delivered and read.
    Settled,
}

type Check = fn(&Facts<'_>) -> Vec<Violation>;

/// The checks that hold at any moment.
const ALWAYS: [Check; 11] = [
    stored::ck1_lost,
    stored::ck2_ghost,
    stored::ck3_double,
    order::ck4_holes,
    order::ck5_disagreement,
    order::ck6_real_time,
    delivery::ck7_delivery,
    entitlement::ck9_entitlement,
    entitlement::ck10_leak,
    answers::ck13_gone,
    marks::ck8_marks_grow,
];

/// The checks that hold once a run is over.
const SETTLED: [Check; 7] = [
    delivery::ck7_complete,
    delivery::ck8_state,
    marks::ck8_marks,
    marks::ck8_unread,
    time::ck11_time,
    answers::ck12_silence,
    answers::ck15_close_reason,
];

/// Every violation that a history holds.
#[must_use]
pub fn check(history: &[Entry], stage: Stage) -> Vec<Violation> {
    let facts = Facts::collect(history);
    let late: &[Check] = if stage == Stage::Settled { &SETTLED } else { &[] };
    ALWAYS.iter().chain(late).flat_map(|check| check(&facts)).collect()
}

/// A text of the first violations, for a person.
#[must_use]
pub fn report(violations: &[Violation]) -> String {
    let mut lines: Vec<String> = violations.iter().take(20).map(ToString::to_string).collect();
    if violations.len() > lines.len() {
        lines.push(format!("… and {} more", violations.len() - lines.len()));
    }
    lines.join("\n")
}
