//! Is each command answered once, is deleted content gone, and does each end have its reason (CK12, CK13, CK15)?

use std::collections::HashMap;

use super::{Violation, facts::Facts};
use crate::history::{Action, Cause, Message, What};

/// How long an answer may take on a connection that lives on, in microseconds.
const PATIENCE: u64 = 15_000_000;

/// CK12: each command has one answer, or its connection has ended.
pub(super) fn ck12_silence(facts: &Facts<'_>) -> Vec<Violation> {
    let mut last_life: HashMap<u64, u64> = HashMap::new();
    let mut closed: HashMap<u64, u64> = HashMap::new();
    for entry in facts.entries {
        match &entry.what {
            What::Reply { conn, .. } | What::Change { conn, .. } | What::Replay { conn, .. } => {
                last_life.insert(*conn, entry.at);
            }
            What::Closed { conn, .. } => {
                closed.insert(*conn, entry.at);
            }
            _ => {}
        }
    }
    let mut found: Vec<Violation> = facts
        .odd_answers
        .iter()
        .filter_map(|index| facts.entries.get(*index))
        .map(|entry| silence(format!("an answer that answers nothing: {:?}", entry.what)))
        .collect();
    for (op, operation) in &facts.operations {
        for attempt in operation.attempts.iter().filter(|attempt| attempt.answered.is_none()) {
            let conn = attempt.conn;
            let asked = facts.entries.get(attempt.invoked).map_or(0, |entry| entry.at);
            let lived_on = last_life.get(&conn).is_some_and(|at| *at > asked + PATIENCE);
            if lived_on || !closed.contains_key(&conn) {
                found.push(silence(format!("operation {op} on connection {conn} has no answer")));
            }
        }
    }
    found
}

fn silence(detail: String) -> Violation {
    Violation { check: "CK12 silence", detail }
}

/// CK13: what was deleted before a resume or a final read began is not in it.
pub(super) fn ck13_gone(facts: &Facts<'_>) -> Vec<Violation> {
    let mut deleted: HashMap<u64, usize> = HashMap::new();
    for operation in facts.operations.values() {
        if let (Action::Delete { message, .. }, Some(ack)) =
            (operation.action, operation.acks().next())
        {
            let at = deleted.entry(*message).or_insert(ack.at);
            *at = ack.at.min(*at);
        }
    }
    let mut found = Vec::new();
    let mut look = |message: &Message, asked: usize, by: &str| {
        let gone = deleted.get(&message.id).is_some_and(|at| *at < asked);
        if gone && message.content.is_some() {
            let detail = format!("{by} got the deleted message {}", message.id);
            found.push(Violation { check: "CK13 gone", detail });
        }
    };
    let mut resumes: HashMap<u64, usize> = HashMap::new();
    for (index, entry) in facts.entries.iter().enumerate() {
        match &entry.what {
            What::Resume { conn, .. } => {
                resumes.insert(*conn, index);
            }
            What::Replay { device, conn, changes, .. } => {
                let asked = resumes.get(conn).copied().unwrap_or(0);
                for message in changes.iter().filter_map(|change| change.message.as_ref()) {
                    look(message, asked, device);
                }
            }
            What::Final(read) => {
                for message in &read.messages {
                    look(message, read.as_of, &read.source);
                }
            }
            _ => {}
        }
    }
    found
}

/// CK15: a connection ends for a cause, with the code of that cause.
pub(super) fn ck15_close_reason(facts: &Facts<'_>) -> Vec<Violation> {
    let mut opened: HashMap<u64, u64> = HashMap::new();
    let mut faults = Faults::default();
    let mut found = Vec::new();
    for entry in facts.entries {
        match &entry.what {
            What::Connected { conn, .. } => {
                opened.insert(*conn, entry.at);
            }
            What::Fault { on, name } => faults.take(entry.at, name, *on),
            What::Closed { device, conn, code, cause } => {
                let since = opened.get(conn).copied().unwrap_or(0);
                let right = match cause {
                    Some(Cause::Client) => true,
                    Some(Cause::Killed) => code.is_none(),
                    Some(Cause::Shutdown) => matches!(code, Some(1001 | 1012)),
                    Some(Cause::Expired) => *code == Some(4401),
                    Some(Cause::Slow) => matches!(code, Some(4508) | None),
                    None => faults.since(since).any(|name| explains(name, *code)),
                };
                if !right {
                    let names: Vec<&str> = faults.since(since).collect();
                    let detail = format!(
                        "{device}: closed with {code:?}, the cause being {cause:?}, after {names:?}"
                    );
                    found.push(Violation { check: "CK15 close reason", detail });
                }
            }
            _ => {}
        }
    }
    found
}

/// So long after its end a fault may still be why a connection ended that is known as one opened since, in microseconds:
/// what clients have lived through is written down a moment later.
const AFTERMATH: u64 = 1_000_000;

/// Faults with their ends.
#[derive(Default)]
struct Faults<'a>(Vec<(Option<u64>, &'a str)>);

impl<'a> Faults<'a> {
    fn take(&mut self, at: u64, name: &'a str, on: bool) {
        if on {
            self.0.push((None, name));
        } else if let Some((end, _)) =
            self.0.iter_mut().rfind(|(end, known)| end.is_none() && *known == name)
        {
            *end = Some(at);
        }
    }

    /// Those that were on at some time from a time on, or a moment before.
    fn since(&self, opened: u64) -> impl Iterator<Item = &'a str> {
        let during = move |fault: &&(Option<u64>, &str)| {
            fault.0.is_none_or(|end| end.saturating_add(AFTERMATH) >= opened)
        };
        self.0.iter().filter(during).map(|(_, name)| *name)
    }
}

/// Whether a fault, by its name in a history, can end a connection with a code.
fn explains(fault: &str, code: Option<u16>) -> bool {
    let (part, rest) = fault.split_once('-').unwrap_or((fault, ""));
    match part {
        "kill" => code.is_none(),
        "shutdown" => matches!(code, Some(1001 | 1012)),
        // Whoever is frozen, or behind a bad link, answers no ping and reads too slowly.
        "freeze" | "stutter" => matches!(code, None | Some(4408 | 4508)),
        "client" if rest == "storm" => code.is_none(),
        "client" => matches!(code, None | Some(4408 | 4508)),
        // A server without descriptors, or with a clock of its own.
        "files" => code.is_none(),
        "clock" => matches!(code, None | Some(4401)),
        _ => false,
    }
}
