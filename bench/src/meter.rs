//! What a target and this generator used while something was measured.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use crate::{
    figures::Figures,
    target::{Running, tree::Used},
};

/// Share of its core above which the generator may be what is measured.
const BUSY: f64 = 0.85;

/// A measurement that has begun.
#[derive(Debug)]
pub struct Meter {
    begun: Instant,
    target: Used,
    own: Duration,
}

/// What was seen.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// Processor time of the target.
    pub cpu_seconds: f64,
    /// How much of a core the target used.
    pub share: f64,
    /// How much of its core the generator used.
    pub own_share: f64,
}

impl Meter {
    /// Begins.
    #[must_use]
    pub fn start(running: &Running) -> Self {
        Self { target: running.used(), own: own(), begun: Instant::now() }
    }

    /// Ends.
    #[must_use]
    pub fn stop(self, running: &Running) -> Seen {
        let elapsed = self.begun.elapsed().as_secs_f64();
        let own_share = own().saturating_sub(self.own).as_secs_f64() / elapsed;
        let cpu_seconds = running.used().since(&self.target);
        Seen { cpu_seconds, share: cpu_seconds / elapsed, own_share }
    }
}

impl Seen {
    /// Says where the generator had too much to do.
    pub fn remark(&self, figures: &mut Figures) {
        if self.own_share > BUSY {
            figures
                .note(&format!("the generator used {:.0} % of its core", self.own_share * 100.0));
        }
    }
}

/// Processor time of this process so far.
fn own() -> Duration {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    let (seconds, nanos) = (u64::try_from(now.tv_sec), u32::try_from(now.tv_nsec));
    Duration::new(seconds.unwrap_or(0), nanos.unwrap_or(0))
}
