//! What a disk holds after a power cut: everything that was flushed, and of the rest whatever it happened to write.

use std::collections::BTreeMap;

use super::trace::{Call, Deed};
use crate::random::Random;

/// A disk writes so many bytes as one, or not at all.
const SECTOR: usize = 512;

/// The files of a folder.
pub type Files = BTreeMap<String, Vec<u8>>;

/// A change to a file that may not have reached the disk.
enum Change<'a> {
    Bytes(u64, &'a [u8]),
    Length(u64),
}

/// What the folder may hold if the power goes when line `cut` of the trace has just happened.
///
/// A flush counts from its end, for what had ended before it began. Of what was not flushed each write is there, is
/// not, or only some of its sectors are; a file whose making was not flushed may be gone, one whose removal was not
/// may be back with what it held.
#[must_use]
pub fn after_cut(calls: &[Call], cut: usize, random: &mut Random) -> Files {
    let happened: Vec<&Call> = calls.iter().filter(|call| call.begun <= cut).collect();
    let mut files = Files::new();
    for name in names(&happened) {
        if let Some(content) = file_after_cut(&happened, cut, &name, random) {
            files.insert(name, content);
        }
    }
    files
}

fn names(calls: &[&Call]) -> Vec<String> {
    let mut names: Vec<String> = calls
        .iter()
        .filter_map(|call| match &call.deed {
            Deed::Made(name) => Some(name.clone()),
            _ => None,
        })
        .collect();
    names.sort();
    names.dedup();
    names
}

/// The lives of a file: each from its making to its removal. The newest that the disk knows of is there.
fn file_after_cut(calls: &[&Call], cut: usize, name: &str, random: &mut Random) -> Option<Vec<u8>> {
    let mut shown = None;
    let mut present = false;
    let mut content: Vec<&Call> = Vec::new();
    for call in calls {
        match &call.deed {
            // Opening a file that is there makes none.
            Deed::Made(made) if made == name && !present => {
                present = true;
                content.clear();
                if is_folder_flushed(calls, cut, call.ended) || random.chance(50) {
                    shown = Some(call.begun);
                }
            }
            Deed::Removed(removed) if removed == name && present => {
                present = false;
                if is_folder_flushed(calls, cut, call.ended) || random.chance(50) {
                    shown = None;
                } else {
                    // It is back: as it was, which the disk may have of it.
                    break;
                }
            }
            _ => {}
        }
        let concerns = match &call.deed {
            Deed::Wrote(file, ..) | Deed::Cut(file, _) | Deed::Flushed(file) => file == name,
            _ => false,
        };
        if concerns && present {
            content.push(call);
        }
    }
    shown.map(|_| written(&content, cut, random))
}

fn is_folder_flushed(calls: &[&Call], cut: usize, after: usize) -> bool {
    calls
        .iter()
        .any(|call| call.deed == Deed::FlushedFolder && call.begun > after && call.ended <= cut)
}

fn written(calls: &[&Call], cut: usize, random: &mut Random) -> Vec<u8> {
    let flushes: Vec<&&Call> = calls
        .iter()
        .filter(|call| matches!(call.deed, Deed::Flushed(_)) && call.ended <= cut)
        .collect();
    let mut bytes = Vec::new();
    for call in calls {
        let change = match &call.deed {
            Deed::Wrote(_, offset, data) => Change::Bytes(*offset, data),
            Deed::Cut(_, length) => Change::Length(*length),
            _ => continue,
        };
        let is_durable = flushes.iter().any(|flush| flush.begun > call.ended);
        apply(&mut bytes, &change, is_durable, random);
    }
    bytes
}

fn apply(bytes: &mut Vec<u8>, change: &Change<'_>, whole: bool, random: &mut Random) {
    match change {
        Change::Length(length) if whole || random.chance(50) => {
            bytes.resize(usize::try_from(*length).unwrap_or(usize::MAX), 0);
        }
        Change::Length(_) => {}
        Change::Bytes(offset, data) => {
            let offset = usize::try_from(*offset).unwrap_or(usize::MAX);
            // One in three is there, one is not, one is torn.
            let fate = if whole { 0 } else { random.between(0, 3) };
            if fate == 1 {
                return;
            }
            if bytes.len() < offset + data.len() {
                bytes.resize(offset + data.len(), 0);
            }
            let (mut at, mut rest) = (offset, *data);
            while !rest.is_empty() {
                let (sector, others) = rest.split_at((SECTOR - at % SECTOR).min(rest.len()));
                if (fate == 0 || random.chance(50))
                    && let Some(place) = bytes.get_mut(at..at + sector.len())
                {
                    place.copy_from_slice(sector);
                }
                at += sector.len();
                rest = others;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(line: usize, deed: Deed) -> Call {
        Call { begun: line, ended: line, deed }
    }

    fn script() -> Vec<Call> {
        let name = || "parlour.db".to_owned();
        vec![
            call(0, Deed::Made(name())),
            call(1, Deed::FlushedFolder),
            call(2, Deed::Wrote(name(), 0, vec![1; 4096])),
            call(3, Deed::Flushed(name())),
            call(4, Deed::Wrote(name(), 0, vec![2; 4096])),
            call(5, Deed::Flushed(name())),
        ]
    }

    #[test]
    fn what_was_flushed_is_there_whatever_happens() {
        for seed in 0..200 {
            let files = after_cut(&script(), 3, &mut Random::new(seed));
            assert_eq!(files["parlour.db"], vec![1; 4096], "{seed}");
            let files = after_cut(&script(), 5, &mut Random::new(seed));
            assert_eq!(files["parlour.db"], vec![2; 4096], "{seed}");
        }
    }

    #[test]
    fn what_was_not_flushed_is_there_is_not_or_is_torn() {
        let seen: Vec<Vec<u8>> = (0..200)
            .map(|seed| after_cut(&script(), 4, &mut Random::new(seed))["parlour.db"].clone())
            .collect();
        assert!(seen.contains(&vec![1; 4096]), "never lost");
        assert!(seen.contains(&vec![2; 4096]), "never there");
        let torn = |bytes: &&Vec<u8>| bytes.contains(&1) && bytes.contains(&2);
        assert!(seen.iter().any(|bytes| torn(&bytes)), "never torn");
    }

    #[test]
    fn a_file_whose_making_was_not_flushed_may_be_gone() {
        let count = |seed| after_cut(&script(), 0, &mut Random::new(seed)).len();
        let seen: Vec<usize> = (0..100).map(count).collect();
        assert!(seen.contains(&0) && seen.contains(&1), "{seen:?}");
    }
}
