//! What was just read, kept for a few seconds: so that a request costs no read of the store, and a
//! revocation of this process still works at once.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use parking_lot::Mutex;

/// A small cache whose entries die by themselves, and which forgets at once what is told to be stale.
pub(super) struct Recent<K, V> {
    life: Duration,
    entries: Mutex<HashMap<K, (V, Duration)>>,
    /// Grows with each removal. Who began to read before it may not put what he read.
    generation: AtomicU64,
}

/// When a read began.
#[derive(Clone, Copy)]
pub(super) struct Began(u64);

impl<K: Hash + Eq, V: Clone> Recent<K, V> {
    /// More entries than this are never kept.
    const MOST: usize = 100_000;

    pub(super) fn new(life: Duration) -> Self {
        Self { life, entries: Mutex::default(), generation: AtomicU64::new(0) }
    }

    pub(super) fn get(&self, key: &K, now: Duration) -> Option<V> {
        let entries = self.entries.lock();
        let (value, until) = entries.get(key)?;
        (now < *until).then(|| value.clone())
    }

    /// Call before reading what [`Recent::put`] will get.
    pub(super) fn begin(&self) -> Began {
        Began(self.generation.load(Ordering::Acquire))
    }

    pub(super) fn put(&self, began: Began, key: K, value: V, now: Duration) {
        let mut entries = self.entries.lock();
        if self.generation.load(Ordering::Acquire) != began.0 {
            return;
        }
        if entries.len() >= Self::MOST {
            entries.clear();
        }
        entries.insert(key, (value, now + self.life));
    }

    /// Forgets the entries for which `stale` is true, and whatever is being read at this moment.
    pub(super) fn forget(&self, stale: impl Fn(&K, &V) -> bool) {
        let mut entries = self.entries.lock();
        self.generation.fetch_add(1, Ordering::AcqRel);
        entries.retain(|key, (value, _)| !stale(key, value));
    }

    /// Forgets what has died.
    pub(super) fn sweep(&self, now: Duration) {
        let mut entries = self.entries.lock();
        entries.retain(|_, (_, until)| now < *until);
        if entries.capacity() > 1024 && entries.len() < entries.capacity() / 4 {
            entries.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn what_was_read_before_a_removal_is_not_kept() {
        let recent = Recent::new(S * 5);
        let began = recent.begin();
        recent.forget(|key, _| *key == 1);
        recent.put(began, 1, "old", S);
        assert_eq!(recent.get(&1, S), None);
        recent.put(recent.begin(), 1, "new", S);
        assert_eq!(recent.get(&1, S * 5), Some("new"));
        assert_eq!(recent.get(&1, S * 6), None);
    }
}
