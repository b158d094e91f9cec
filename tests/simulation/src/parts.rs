//! Time and randomness of a simulated process.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use parking_lot::Mutex;
use parlour_core::{
    model::Millis,
    port::clock::{Clock, Random as RandomPort},
};
use parlour_harness::random::Random;

use crate::trace::now;

/// When every run begins: 1 January 2026, in milliseconds of Unix time.
pub const BEGINNING: Millis = 1_767_225_600_000;

/// The clocks of a process. Its wall clock may be wrong.
#[derive(Debug)]
pub struct SimulatedClock {
    skew: Millis,
    started: Duration,
    last: AtomicU64,
}

impl SimulatedClock {
    /// Clocks of a process that starts now, whose wall clock is wrong by `skew`.
    #[must_use]
    pub fn new(skew: Millis) -> Self {
        Self { skew, started: now(), last: AtomicU64::new(0) }
    }
}

impl Clock for SimulatedClock {
    fn now(&self) -> Millis {
        BEGINNING + self.skew + Millis::try_from(now().as_millis()).unwrap_or_default()
    }

    fn monotonic(&self) -> Duration {
        // Hosts of a simulation are a tick apart; who is woken by another one must not see its time go back.
        let since = now().saturating_sub(self.started);
        let nanos = u64::try_from(since.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(nanos.max(self.last.fetch_max(nanos, Relaxed)))
    }
}

/// Randomness that a seed repeats.
#[derive(Debug)]
pub struct SeededRandom(Mutex<Random>);

impl SeededRandom {
    /// With a seed.
    #[must_use]
    pub const fn new(random: Random) -> Self {
        Self(Mutex::new(random))
    }
}

impl RandomPort for SeededRandom {
    fn fill(&self, bytes: &mut [u8]) {
        let mut random = self.0.lock();
        for chunk in bytes.chunks_mut(8) {
            let number = random.number().to_le_bytes();
            for (byte, random) in chunk.iter_mut().zip(number) {
                *byte = random;
            }
        }
    }
}
