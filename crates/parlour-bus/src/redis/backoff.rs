//! How long to wait before trying again: up to twice as long each time, anything between nothing and that.

use std::time::Duration;

const LEAST: Duration = Duration::from_millis(50);
const MOST: Duration = Duration::from_secs(2);

/// Waits with full jitter, so that processes that lost the same server do not come back together.
#[derive(Debug)]
pub(super) struct Backoff {
    ceiling: Duration,
    state: u64,
}

impl Backoff {
    /// `seed` should differ between processes; it is what makes their waits differ.
    pub(super) const fn new(seed: u64) -> Self {
        Self { ceiling: LEAST, state: seed }
    }

    pub(super) const fn reset(&mut self) {
        self.ceiling = LEAST;
    }

    pub(super) fn next(&mut self) -> Duration {
        // SplitMix64.
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        let ceiling = u64::try_from(self.ceiling.as_millis()).unwrap_or(u64::MAX);
        self.ceiling = (self.ceiling * 2).min(MOST);
        Duration::from_millis(1 + mixed % ceiling)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_their_end_and_differ() {
        let waits = |seed| {
            let mut backoff = Backoff::new(seed);
            (0..200).map(move |_| backoff.next()).collect::<Vec<_>>()
        };
        let (a, b) = (waits(1), waits(2));
        assert_ne!(a, b);
        assert!(a[0] <= LEAST && a[1] <= LEAST * 2);
        assert!(a.iter().all(|wait| !wait.is_zero() && *wait <= MOST));
        assert!(a.iter().any(|wait| *wait > MOST / 2));
    }
}
