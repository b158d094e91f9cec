//! Whether what a client was told is what happened: everything, once, in order, to the letter.

use std::collections::HashMap;

use anyhow::{Context, Result};

use super::{
    Kind,
    log::{Heard, Said},
};

/// Faults of which so many are named.
const NAMED: usize = 5;

/// Compares the messages that a client was told with the history, and gives what is wrong.
#[must_use]
pub fn messages(kind: Kind, heard: &[Heard], history: &[Said]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut times: HashMap<u64, usize> = HashMap::new();
    let mut told = Vec::new();
    for heard in heard {
        match heard {
            Heard::Said(said) => {
                *times.entry(said.id).or_default() += 1;
                told.push(said);
            }
            Heard::Resync => faults.push("told to load anew".into()),
            Heard::Refused(text) => faults.push(format!("refused: {text}")),
            Heard::Ended(_) | Heard::Edited { .. } | Heard::Deleted { .. } => {}
        }
    }
    for said in history {
        match times.remove(&said.id) {
            Some(1) => {}
            Some(count) => faults.push(format!("{} came {count} times", said.text)),
            None => faults.push(format!("{} is missing", said.text)),
        }
    }
    faults.extend(times.keys().map(|id| format!("{id} is in no history")));
    if faults.is_empty() {
        // After the first difference everything differs.
        faults
            .extend(told.iter().zip(history).find_map(|(told, said)| difference(kind, told, said)));
    }
    faults.truncate(NAMED);
    faults
}

/// Whether the times of a history never go back.
#[must_use]
pub fn times(history: &[Said]) -> Vec<String> {
    let steps = history.windows(2);
    let back = steps.filter_map(|step| match step {
        // All are written alike, so that they compare as texts.
        [a, b] if a.created_at > b.created_at => Some(format!("{} is before {}", b.text, a.text)),
        _ => None,
    });
    back.take(NAMED).collect()
}

fn difference(kind: Kind, told: &Said, said: &Said) -> Option<String> {
    let expected = match written(kind, &said.created_at) {
        Ok(created_at) => Said { created_at, ..said.clone() },
        Err(error) => return Some(format!("{error:#}")),
    };
    (*told != expected).then(|| format!("{told:?} in the place of {expected:?}"))
}

/// A time of the history as a dialect writes it.
fn written(kind: Kind, created_at: &str) -> Result<String> {
    if kind == Kind::Plain { django(created_at) } else { Ok(created_at.into()) }
}

/// Django's `N d, Y, h:i A`.
fn django(time: &str) -> Result<String> {
    const MONTHS: [&str; 12] = [
        "Jan.", "Feb.", "March", "April", "May", "June", "July", "Aug.", "Sept.", "Oct.", "Nov.",
        "Dec.",
    ];
    let part = |from: usize, to: usize| {
        time.get(from..to).with_context(|| format!("{time} is no time in RFC 3339"))
    };
    let month: usize = part(5, 7)?.parse()?;
    let month = MONTHS.get(month.wrapping_sub(1)).with_context(|| format!("no month in {time}"))?;
    let hour: u32 = part(11, 13)?.parse()?;
    let half = if hour < 12 { "AM" } else { "PM" };
    let hour = match hour % 12 {
        0 => 12,
        hour => hour,
    };
    Ok(format!("{month} {}, {}, {hour:02}:{} {half}", part(8, 10)?, part(0, 4)?, part(14, 16)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(id: u64, text: &str) -> Said {
        Said {
            id,
            sender: "1".into(),
            text: text.into(),
            created_at: format!("2026-01-01T00:00:00.{id:03}Z"),
        }
    }

    fn told(all: &[(u64, &str)]) -> Vec<Heard> {
        all.iter().map(|(id, text)| Heard::Said(said(*id, text))).collect()
    }

    #[test]
    fn what_is_missing_doubled_swapped_changed_or_foreign_is_found() {
        let history = [said(1, "one"), said(2, "two"), said(3, "three")];
        let check = |heard: &[Heard], expected: &str| {
            let faults = messages(Kind::Room, heard, &history).join("; ");
            assert!(
                faults.contains(expected) && faults.is_empty() == expected.is_empty(),
                "{faults}"
            );
        };
        check(&told(&[(1, "one"), (2, "two"), (3, "three")]), "");
        check(&told(&[(1, "one"), (3, "three")]), "two is missing");
        check(&told(&[(1, "one"), (2, "two"), (2, "two"), (3, "three")]), "two came 2 times");
        check(&told(&[(2, "two"), (1, "one"), (3, "three")]), "in the place of");
        check(&told(&[(1, "one"), (2, "too"), (3, "three")]), "in the place of");
        check(&told(&[(1, "one"), (2, "two"), (3, "three"), (4, "four")]), "4 is in no history");
        check(
            &[told(&[(1, "one"), (2, "two"), (3, "three")]), vec![Heard::Resync]].concat(),
            "anew",
        );
    }

    #[test]
    fn times_that_go_back_are_found() {
        assert_eq!(times(&[said(1, "one"), said(2, "two")]), Vec::<String>::new());
        assert_eq!(times(&[said(2, "two"), said(1, "one")]), ["one is before two"]);
    }

    #[test]
    fn a_time_is_written_as_django_does() {
        assert_eq!(django("2025-01-15T15:45:10.123Z").unwrap(), "Jan. 15, 2025, 03:45 PM");
        assert_eq!(django("2025-09-01T00:05:10.123Z").unwrap(), "Sept. 01, 2025, 12:05 AM");
        assert!(django("yesterday").is_err());
    }
}
