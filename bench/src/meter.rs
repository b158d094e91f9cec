//! What a target and this generator used while something was measured.

use std::time::Instant;

use crate::{
    figures::Figures,
    targets::{Running, tree::Used},
};

/// Share of its core above which the generator may be what is measured.
const BUSY: f64 = 0.85;

/// Share of the time above which others have held the generator up.
const HELD_UP: f64 = 0.1;

/// A measurement that has begun.
#[derive(Debug)]
pub struct Meter {
    begun: Instant,
    target: Used,
    own: (f64, f64),
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
    /// For how much of the time it was ready to run, and something else ran on its core.
    pub waited: f64,
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
        let (used, waited) = own();
        let (own_share, waited) = ((used - self.own.0) / elapsed, (waited - self.own.1) / elapsed);
        let cpu_seconds = running.used().since(&self.target);
        Seen { cpu_seconds, share: cpu_seconds / elapsed, own_share, waited }
    }
}

impl Seen {
    /// Says where the generator had too much to do.
    pub fn remark(&self, figures: &mut Figures) {
        if self.own_share > BUSY {
            figures
                .note(&format!("the generator used {:.0} % of its core", self.own_share * 100.0));
        }
        if self.waited > HELD_UP {
            let share = self.waited * 100.0;
            figures.note(&format!(
                "other programs had the generator's core for {share:.0} % of the time"
            ));
        }
    }
}

/// How long this thread, which is all that the generator has, has run and has waited for its core, in seconds.
fn own() -> (f64, f64) {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let mut nanos = text.split_whitespace().map(|nanos| nanos.parse::<f64>().unwrap_or(0.0));
    (nanos.next().unwrap_or(0.0) / 1e9, nanos.next().unwrap_or(0.0) / 1e9)
}
