//! Tables whose order nobody can guess, and a simulation can repeat: the seed of a hash is randomness, too.
//!
//! Each process has its own seed, so that nobody makes up keys that fall together. Where something goes through such a
//! table and sends frames, their order depends on it: a simulation therefore gives each of its threads a seed.

use std::{cell::Cell, hash::BuildHasher};

use foldhash::{
    SharedSeed,
    fast::{FoldHasher, SeedableRandomState},
};

thread_local! {
    static SEED: Cell<Option<u64>> = const { Cell::new(None) };
}

/// A table of values.
pub(crate) type HashMap<K, V> = std::collections::HashMap<K, V, Seeded>;

/// A set.
pub(crate) type HashSet<K> = std::collections::HashSet<K, Seeded>;

/// How a table is made that is not a default one.
pub(crate) trait HashMapExt {
    /// One with room for so many.
    fn with_capacity(capacity: usize) -> Self;
}

impl<K, V> HashMapExt for HashMap<K, V> {
    fn with_capacity(capacity: usize) -> Self {
        Self::with_capacity_and_hasher(capacity, Seeded::default())
    }
}

/// From now on tables that this thread makes have this seed: for simulations.
pub fn repeat(seed: u64) {
    SEED.set(Some(seed));
}

/// How keys are hashed.
#[derive(Clone, Debug)]
pub struct Seeded(SeedableRandomState);

impl Default for Seeded {
    fn default() -> Self {
        Self(SEED.get().map_or_else(SeedableRandomState::random, |seed| {
            SeedableRandomState::with_seed(seed, SharedSeed::global_fixed())
        }))
    }
}

impl BuildHasher for Seeded {
    type Hasher = FoldHasher<'static>;

    fn build_hasher(&self) -> FoldHasher<'static> {
        self.0.build_hasher()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order() -> Vec<u64> {
        let table: HashMap<u64, ()> = (0..100).map(|key| (key, ())).collect();
        table.into_keys().collect()
    }

    #[test]
    fn tables_are_in_another_order_each_time_unless_that_is_to_be_repeated() {
        assert_ne!(order(), order());
        repeat(7);
        let once = order();
        assert_eq!(once, order());
        repeat(8);
        assert_ne!(once, order());
    }
}
