//! Which publishes were carried out lately, so that a signed call that somebody has caught cannot be made again.
//!
//! A library signs with a time in seconds: an application that publishes the same twice within a second makes two
//! calls that are equal to the last bit, and both are meant. So a call may be repeated for a short while after its
//! first time, and not later.

use std::{mem, time::Duration};

use parking_lot::Mutex;

use crate::hash::HashMap;

/// Signatures that are remembered in each of two generations. Past it the older generation is forgotten early: then a
/// replay within the clock's tolerance may pass, but memory stays bounded (some 16 MiB).
const GENERATION: usize = 256 * 1024;

/// What a signature is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// Not seen before.
    First,
    /// First seen a moment ago.
    Fresh,
    /// Seen before that.
    Replayed,
}

/// The signatures of late.
pub(crate) struct Seen {
    /// How long a repetition passes after the first time.
    repeats: Duration,
    /// After which time no signature can be good any more.
    life: Duration,
    generations: Mutex<Generations>,
}

#[derive(Default)]
struct Generations {
    /// When each was first seen, by its first 8 bytes. Nobody can choose those without the secret.
    new: HashMap<u64, Duration>,
    old: HashMap<u64, Duration>,
    /// When `new` began.
    since: Duration,
}

impl Seen {
    pub(super) fn new(repeats: Duration, life: Duration) -> Self {
        Self { repeats, life, generations: Mutex::default() }
    }

    /// Remembers a signature that was verified at `now` (of the monotonic clock), and judges it.
    pub(super) fn look(&self, signature: &[u8; 32], now: Duration) -> Verdict {
        let name = name(signature);
        let mut generations = self.generations.lock();
        if let Some(first) = generations.first(name) {
            let passes = !self.repeats.is_zero() && now.saturating_sub(first) <= self.repeats;
            return if passes { Verdict::Fresh } else { Verdict::Replayed };
        }
        self.remember(&mut generations, name, now);
        Verdict::First
    }

    /// Remembers what other processes have carried out: each is a signature's name.
    pub(crate) fn learn(&self, names: &[u64], now: Duration) {
        let mut generations = self.generations.lock();
        for name in names {
            if generations.first(*name).is_none() {
                self.remember(&mut generations, *name, now);
            }
        }
    }

    fn remember(&self, generations: &mut Generations, name: u64, now: Duration) {
        let full = generations.new.len() >= GENERATION;
        if full || now.saturating_sub(generations.since) > self.life {
            generations.old = mem::take(&mut generations.new);
            generations.since = now;
        }
        generations.new.insert(name, now);
    }
}

/// A signature's name: its first 8 bytes.
pub(super) fn name(signature: &[u8; 32]) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *signature;
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

impl Generations {
    /// When a signature was first seen.
    fn first(&self, name: u64) -> Option<Duration> {
        self.new.get(&name).or_else(|| self.old.get(&name)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFE: Duration = Duration::from_secs(1_200);

    fn signature(number: u64) -> [u8; 32] {
        let mut bytes = [7; 32];
        bytes[..8].copy_from_slice(&number.to_le_bytes());
        bytes
    }

    #[test]
    fn m10_a_call_may_be_repeated_at_once_and_not_later() {
        let seen = Seen::new(Duration::from_secs(2), LIFE);
        let at = |seconds| seen.look(&signature(1), Duration::from_secs(seconds));
        assert_eq!([at(10), at(11), at(12)], [Verdict::First, Verdict::Fresh, Verdict::Fresh]);
        assert_eq!([at(13), at(600), at(1_210)], [Verdict::Replayed; 3]);
        assert_eq!(seen.look(&signature(2), Duration::from_secs(13)), Verdict::First);
        let elsewhere = signature(3);
        seen.learn(&[name(&elsewhere)], Duration::from_secs(13));
        let at = |seconds| seen.look(&elsewhere, Duration::from_secs(seconds));
        assert_eq!([at(14), at(16)], [Verdict::Fresh, Verdict::Replayed]);

        let strict = Seen::new(Duration::ZERO, LIFE);
        assert_eq!(strict.look(&signature(1), Duration::ZERO), Verdict::First);
        assert_eq!(strict.look(&signature(1), Duration::ZERO), Verdict::Replayed);
    }

    #[test]
    fn m10_what_is_remembered_is_bounded() {
        let seen = Seen::new(Duration::ZERO, LIFE);
        let count = 3 * GENERATION as u64 + 5;
        for number in 0..count {
            seen.look(&signature(number), Duration::from_secs(1));
        }
        let generations = seen.generations.lock();
        assert!(generations.new.len() + generations.old.len() <= 2 * GENERATION);
        drop(generations);
        assert_eq!(seen.look(&signature(count - 1), Duration::from_secs(2)), Verdict::Replayed);
        // A new generation once the older one can hold nothing good.
        seen.look(&signature(count), 3 * LIFE);
        assert_eq!(seen.generations.lock().new.len(), 1);
    }
}
