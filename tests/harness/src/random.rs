//! Seeded randomness: the same seed gives the same plan.

/// The splitmix64 generator: small, fast, and good enough to choose what to do next.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// A generator with its seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Another generator that goes its own way, for a worker with a number.
    #[must_use]
    pub fn fork(&self, worker: u64) -> Self {
        let mut fork = Self(self.0 ^ worker.wrapping_mul(0xa076_1d64_78bd_642f));
        fork.number();
        fork
    }

    /// The next 64 bits.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from `low` to `high - 1`.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.number() % (high - low).max(1)
    }

    /// True in `percent` of a hundred cases.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.number() % 100 < percent
    }

    /// One of several; `None` of nothing.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        let index = usize::try_from(self.number() % from.len().max(1) as u64).ok()?;
        from.get(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_numbers() {
        let (mut a, mut b) = (Random::new(7), Random::new(7));
        assert_eq!((a.number(), a.number()), (b.number(), b.number()));
        assert_ne!(Random::new(7).fork(1).number(), Random::new(7).fork(2).number());
        assert!((0..1_000).all(|_| (3..9).contains(&a.between(3, 9))));
        assert_eq!(a.pick::<u8>(&[]), None);
    }
}
