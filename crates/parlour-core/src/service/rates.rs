//! Token buckets by user, shared by all of a user's connections and REST calls.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crate::{
    error::Result,
    ids::UserId,
    limits::{Bucket, Rate, rate_limited},
};

/// Buckets of one kind. Full ones are forgotten by [`Rates::sweep`], so that it stays as small as the
/// number of users who were active just now.
pub struct Rates {
    limit: &'static str,
    rate: Rate,
    buckets: Mutex<HashMap<UserId, Bucket>>,
}

impl Rates {
    /// No user has used anything yet. `limit` is the name that refusals give.
    #[must_use]
    pub fn new(limit: &'static str, rate: Rate) -> Self {
        Self { limit, rate, buckets: Mutex::default() }
    }

    /// Takes one token of the user.
    ///
    /// # Errors
    /// [`crate::Code::RateLimited`] with the time to wait.
    pub fn take(&self, user: &UserId, now: Duration) -> Result<()> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = match buckets.get_mut(user) {
            Some(bucket) => bucket.take(self.rate, now),
            None => {
                let mut bucket = Bucket::default();
                let taken = bucket.take(self.rate, now);
                buckets.insert(user.clone(), bucket);
                taken
            }
        };
        taken.map_err(|wait| rate_limited(self.limit, wait))
    }

    /// Forgets the buckets that are full again.
    pub fn sweep(&self, now: Duration) {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        buckets.retain(|_, bucket| !bucket.is_full(self.rate, now));
        if buckets.capacity() > 1024 && buckets.len() < buckets.capacity() / 4 {
            buckets.shrink_to_fit();
        }
    }
}
