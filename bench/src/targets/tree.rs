//! What a program and all that it has started use: processor time and memory, as Linux tells them.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
};

use anyhow::{Context, Result};

/// Ticks of the kernel in a second, for the times of a process.
const TICKS: f64 = 100.0;

/// Processor time used so far.
#[derive(Clone, Default, Debug)]
pub struct Used {
    /// Of each thread, in nanoseconds.
    threads: BTreeMap<(i32, i32), u64>,
    /// Of all, those that have ended too, in ticks: coarse.
    ticks: u64,
}

impl Used {
    /// Seconds that were used between an earlier look and this one.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> f64 {
        let all_are_there = earlier.threads.keys().all(|thread| self.threads.contains_key(thread));
        if all_are_there && !self.threads.is_empty() {
            let before = |thread| earlier.threads.get(thread).copied().unwrap_or(0);
            let nanos: u64 =
                self.threads.iter().map(|(thread, now)| now.saturating_sub(before(thread))).sum();
            return nanos as f64 / 1e9;
        }
        self.ticks.saturating_sub(earlier.ticks) as f64 / TICKS
    }
}

/// The fields of a process status behind its name.
fn stat(pid: i32) -> Option<Vec<String>> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(") ")?;
    Some(fields.split_whitespace().map(str::to_owned).collect())
}

fn numbers_in(folder: &str) -> Vec<i32> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// A process and all that descend from it.
#[must_use]
pub fn all(root: i32) -> Vec<i32> {
    let mut children: HashMap<i32, Vec<i32>> = HashMap::new();
    for pid in numbers_in("/proc") {
        let parent = stat(pid).and_then(|fields| fields.get(1)?.parse().ok());
        if let Some(parent) = parent {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut found = vec![root];
    let mut at = 0;
    while let Some(pid) = found.get(at) {
        found.extend(children.remove(pid).unwrap_or_default());
        at += 1;
    }
    found
}

/// The threads of a process.
#[must_use]
pub fn threads(pid: i32) -> Vec<i32> {
    numbers_in(&format!("/proc/{pid}/task"))
}

/// Processor time that they have used.
#[must_use]
pub fn used(pids: &[i32]) -> Used {
    let mut used = Used::default();
    for pid in pids {
        for thread in threads(*pid) {
            let text = fs::read_to_string(format!("/proc/{pid}/task/{thread}/schedstat"));
            let nanos = text.ok().and_then(|text| text.split(' ').next()?.parse().ok());
            used.threads.extend(nanos.map(|nanos| ((*pid, thread), nanos)));
        }
        // Its own, and that of children which have ended.
        let fields = stat(*pid).unwrap_or_default();
        let times = fields.iter().skip(11).take(4);
        used.ticks += times.filter_map(|time| time.parse::<u64>().ok()).sum::<u64>();
    }
    used
}

/// Resident memory in KiB: of one process as it is, of several without counting twice what they share.
///
/// # Errors
/// When the kernel does not tell.
pub fn resident_kib(pids: &[i32]) -> Result<u64> {
    let field = if pids.len() == 1 { "Rss:" } else { "Pss:" };
    let mut sum = 0;
    for pid in pids {
        // One that has just ended holds nothing.
        let Ok(text) = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")) else { continue };
        let line = text.lines().find_map(|line| line.strip_prefix(field));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        sum += kib.context("no memory in the process status")?;
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_and_what_it_starts_are_found() {
        let mut child =
            std::process::Command::new("sh").args(["-c", "sleep 60 & wait"]).spawn().unwrap();
        let root = i32::try_from(child.id()).unwrap();
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        let mut found = all(root);
        while found.len() < 2 && std::time::Instant::now() < deadline {
            std::thread::yield_now();
            found = all(root);
        }
        assert_eq!(found.len(), 2);
        assert!(resident_kib(&found).unwrap() > 0);
        assert!(used(&found).since(&Used::default()) > 0.0);
        for pid in found.into_iter().rev() {
            let pid = rustix::process::Pid::from_raw(pid).unwrap();
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
        child.wait().unwrap();
    }
}
