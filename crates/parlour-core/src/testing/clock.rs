//! A clock that stands still until it is told to move.

use std::{
    sync::atomic::{AtomicI64, AtomicU64, Ordering},
    time::Duration,
};

use crate::{model::Millis, port::clock::Clock};

/// Starts at 2026-01-01T00:00:00Z.
pub struct FakeClock {
    wall: AtomicI64,
    monotonic: AtomicU64,
}

impl Default for FakeClock {
    fn default() -> Self {
        Self { wall: AtomicI64::new(1_767_225_600_000), monotonic: AtomicU64::new(1_000_000) }
    }
}

impl FakeClock {
    /// Lets time pass.
    pub fn advance(&self, by: Duration) {
        let millis = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        self.monotonic.fetch_add(millis, Ordering::Relaxed);
        self.wall.fetch_add(i64::try_from(millis).unwrap_or(i64::MAX), Ordering::Relaxed);
    }

    /// Sets the wall clock off by so many milliseconds, either way.
    pub fn jump(&self, by: Millis) {
        self.wall.fetch_add(by, Ordering::Relaxed);
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Millis {
        self.wall.load(Ordering::Relaxed)
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.monotonic.load(Ordering::Relaxed))
    }
}
