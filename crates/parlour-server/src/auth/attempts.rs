//! How often somebody may try to sign in: by account and by address.

use std::{collections::HashMap, hash::Hash, net::IpAddr, sync::Arc, time::Duration};

use parking_lot::Mutex;
use parlour_core::{
    Error,
    limits::{Bucket, Rate, rate_limited},
};

/// Counts attempts to sign in.
pub(super) struct Attempts {
    enforced: bool,
    accounts: PerMinute<Arc<str>>,
    addresses: PerMinute<IpAddr>,
}

impl Attempts {
    pub(super) fn new(enforced: bool, account: Rate, address: Rate) -> Self {
        Self { enforced, accounts: PerMinute::new(account), addresses: PerMinute::new(address) }
    }

    /// Counts an attempt before it is made, so that a thousand at once are counted too.
    pub(super) fn begin(&self, account: &str, address: IpAddr, now: Duration) -> Result<(), Error> {
        if !self.enforced {
            return Ok(());
        }
        self.addresses.take("logins_per_address", network(address), now)?;
        self.accounts.take("logins", account.to_lowercase().into(), now)
    }

    /// A good sign-in clears the account.
    pub(super) fn succeeded(&self, account: &str) {
        self.accounts.buckets.lock().remove(account.to_lowercase().as_str());
    }

    pub(super) fn sweep(&self, now: Duration) {
        self.accounts.sweep(now);
        self.addresses.sweep(now);
    }
}

/// An IPv6 /64 is one address: its holder has all of it.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & !u128::from(u64::MAX)).into()),
        v4 => v4,
    }
}

/// Buckets whose rate counts by the minute.
struct PerMinute<K> {
    rate: Rate,
    buckets: Mutex<HashMap<K, Bucket>>,
}

impl<K: Hash + Eq> PerMinute<K> {
    /// A bucket counts in seconds: with a clock that runs 60 times slower it counts in minutes.
    const SLOWER: u32 = 60;

    fn new(rate: Rate) -> Self {
        Self { rate, buckets: Mutex::default() }
    }

    fn take(&self, limit: &'static str, key: K, now: Duration) -> Result<(), Error> {
        let mut buckets = self.buckets.lock();
        let taken = buckets.entry(key).or_default().take(self.rate, now / Self::SLOWER);
        taken.map_err(|wait| rate_limited(limit, wait * Self::SLOWER))
    }

    fn sweep(&self, now: Duration) {
        let mut buckets = self.buckets.lock();
        buckets.retain(|_, bucket| !bucket.is_full(self.rate, now / Self::SLOWER));
        if buckets.capacity() > 1024 && buckets.len() < buckets.capacity() / 4 {
            buckets.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guessing_is_slowed_down_and_a_good_sign_in_clears() {
        let attempts = Attempts::new(true, Rate::new(10, 3), Rate::new(60, 100));
        let from = "10.0.0.1".parse().unwrap();
        let at = Duration::from_secs(1_000);
        for _ in 0..3 {
            attempts.begin("Alice", from, at).unwrap();
        }
        let refused = attempts.begin("alice", from, at).unwrap_err();
        assert_eq!(refused.retry_after, Some(Duration::from_secs(6)));
        attempts.begin("bob", from, at).unwrap();
        attempts.begin("alice", from, at + Duration::from_secs(7)).unwrap();
        attempts.succeeded("ALICE");
        for _ in 0..3 {
            attempts.begin("alice", from, at).unwrap();
        }
    }

    #[test]
    fn a_64_is_one_address() {
        let net = |ip: &str| network(ip.parse().unwrap());
        assert_eq!(net("2001:db8:1:2::1"), net("2001:db8:1:2:ffff::9"));
        assert_ne!(net("2001:db8:1:2::1"), net("2001:db8:1:3::1"));
        assert_eq!(net("::ffff:10.0.0.1"), net("10.0.0.1"));
    }
}
