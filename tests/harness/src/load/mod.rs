//! Load: pairs at a pace, frames by hand. The torture's figures and the benchmark are made of it.
//!
//! The generator frames by hand and runs on one core of its own, so that it is not what is measured.

pub mod pairs;
pub mod report;
pub mod tongue;
pub mod wire;

use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, sched_setaffinity};

/// Cores of the server and of the generator.
pub const SERVER_CORE: usize = 0;
/// See [`SERVER_CORE`].
pub const GENERATOR_CORE: usize = 1;

/// Keeps this process on its own core, if there is more than one. Whether it did.
#[must_use]
pub fn pin_generator() -> bool {
    if std::thread::available_parallelism().map_or(1, std::num::NonZero::get) < 2 {
        return false;
    }
    let mut set = CpuSet::new();
    set.set(GENERATOR_CORE);
    sched_setaffinity(None, &set).is_ok()
}

/// Latencies in microseconds.
#[derive(Clone, Debug, Default)]
pub struct Latencies(Vec<u32>);

impl Latencies {
    /// Adds the time since `begun`, both in microseconds of the run.
    pub fn add(&mut self, begun: u64, now: u64) {
        self.0.push(u32::try_from(now.saturating_sub(begun)).unwrap_or(u32::MAX));
    }

    /// Adds those of another.
    pub fn merge(&mut self, other: &Self) {
        self.0.extend_from_slice(&other.0);
    }

    /// How many there are.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.0.len()
    }

    /// Those below which so many of a thousand lie, in milliseconds.
    #[must_use]
    pub fn per_mille(&mut self, shares: &[usize]) -> Vec<f64> {
        self.0.sort_unstable();
        let at = |share: &usize| {
            let index = (self.0.len() * share / 1_000).min(self.0.len().saturating_sub(1));
            self.0.get(index).map_or(0.0, |micros| f64::from(*micros) / 1_000.0)
        };
        shares.iter().map(at).collect()
    }
}

/// The clock of a run.
#[derive(Clone, Copy, Debug)]
pub struct Watch(Instant);

impl Watch {
    /// Starts it.
    #[must_use]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Microseconds since the start.
    #[must_use]
    pub fn micros(self) -> u64 {
        u64::try_from(self.0.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Time since the start.
    #[must_use]
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_sorted_values() {
        let mut latencies = Latencies::default();
        for millis in (1..=1_000).rev() {
            latencies.add(0, millis * 1_000);
        }
        assert_eq!(latencies.per_mille(&[500, 990, 1_000]), [501.0, 991.0, 1_000.0]);
        assert_eq!(Latencies::default().per_mille(&[500]), [0.0]);
    }
}
