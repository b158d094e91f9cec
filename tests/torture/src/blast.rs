//! What a fault may not leave behind: memory, descriptors, connections (CK14), refusals without a cause.

use std::{collections::BTreeMap, fs, time::Duration};

use anyhow::{Context, Result};
use parlour_harness::{
    checker::Violation,
    history::{Answer, Entry, What},
};
use tokio::time::{Instant, sleep};

use crate::cluster::{Cluster, Node};

/// What a process holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Holds {
    /// Resident memory, KiB.
    pub memory: u64,
    /// Open descriptors.
    pub descriptors: u64,
    /// Threads.
    pub threads: u64,
    /// Connections that it knows of.
    pub connections: u64,
}

/// More memory than a process may hold beyond that of its beginning, KiB: the caches that a run fills, and what the
/// allocator does not give back.
const MEMORY: u64 = 256 * 1024;

/// More descriptors than at the beginning: connections to the database, which come and go.
const DESCRIPTORS: u64 = 24;

/// More threads than at the beginning: those of blocking work end by themselves after a while.
const THREADS: u64 = 16;

/// How long dead connections may be held (G20: 35 s), and a little.
const PATIENCE: Duration = Duration::from_secs(45);

/// What each process holds now.
///
/// # Errors
/// When one does not tell.
pub async fn measure(cluster: &Cluster) -> Result<Vec<Holds>> {
    let mut all = Vec::new();
    for node in &cluster.nodes {
        all.push(holds(node).await?);
    }
    Ok(all)
}

async fn holds(node: &Node) -> Result<Holds> {
    let pid = node.server.pid();
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let threads = status.lines().find_map(|line| line.strip_prefix("Threads:"));
    let metrics = node.server.rest("harness")?.text("/metrics").await?;
    let connections = metrics.lines().filter(|line| line.starts_with("parlour_connections{"));
    let numbers = connections.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
    Ok(Holds {
        memory: node.server.resident_kib()?,
        descriptors: fs::read_dir(format!("/proc/{pid}/fd"))?.count() as u64,
        threads: threads.and_then(|text| text.trim().parse().ok()).context("no threads")?,
        connections: numbers.sum(),
    })
}

/// Waits until each process holds no more than at its beginning, nobody being there; what it holds too long is CK14.
///
/// # Errors
/// When a process does not tell.
pub async fn back_to_base(cluster: &Cluster, base: &[Holds]) -> Result<Vec<Violation>> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let now = measure(cluster).await?;
        let found: Vec<Violation> = now
            .iter()
            .zip(base)
            .enumerate()
            .filter(|(_, (now, base))| {
                now.connections > 0
                    || now.descriptors > base.descriptors + DESCRIPTORS
                    || now.threads > base.threads + THREADS
                    || now.memory > base.memory + MEMORY
            })
            .map(|(number, (now, base))| Violation {
                check: "CK14 blast radius",
                detail: format!(
                    "process {number} holds {now:?} with nobody there, at first {base:?}"
                ),
            })
            .collect();
        if found.is_empty() || Instant::now() > deadline {
            return Ok(found);
        }
        sleep(Duration::from_millis(250)).await;
    }
}

/// How long after a fault something may still be refused because of it, in microseconds (G16).
const AFTERMATH: u64 = 10_000_000;

/// Refusals for now, or for an unknown reason, need a cause: a fault other than of the bus (G8) that is on, or was a
/// moment ago.
#[must_use]
pub fn refusals(history: &[Entry], of_the_bus: impl Fn(&str) -> bool) -> Vec<Violation> {
    let mut on: BTreeMap<&str, usize> = BTreeMap::new();
    let mut last: Option<u64> = None;
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    for entry in history {
        match &entry.what {
            What::Fault { name, .. } if of_the_bus(name) => {}
            What::Fault { name, on: true } => *on.entry(name).or_default() += 1,
            What::Fault { name, on: false } => {
                on.remove(name.as_str());
                last = Some(entry.at);
            }
            What::Reply { answer: Answer::Refused { code, class }, .. } if class != "rejected" => {
                let recent = last.is_some_and(|at| entry.at < at + AFTERMATH);
                if on.is_empty() && !recent {
                    *found.entry(format!("{code} ({class})")).or_default() += 1;
                }
            }
            _ => {}
        }
    }
    let violation = |(code, count)| Violation {
        check: "G8 G16 refusals",
        detail: format!(
            "{count} commands were refused with {code} while nothing but the bus was broken"
        ),
    };
    found.into_iter().map(violation).collect()
}
