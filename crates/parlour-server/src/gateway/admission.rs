//! Who may open one more connection: limits by address, and of those who have not signed in.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use foldhash::HashMap;
use parking_lot::Mutex;
use parlour_core::limits::{Bucket, Limits};

use crate::auth::attempts::network;

/// Counts connections by address.
pub(crate) struct Admission {
    limits: Arc<Limits>,
    addresses: Mutex<HashMap<IpAddr, Address>>,
    unauthenticated: AtomicUsize,
}

#[derive(Default)]
struct Address {
    live: usize,
    bucket: Bucket,
}

/// A place that is given back when it is dropped.
pub(crate) struct Place {
    admission: Arc<Admission>,
    address: Option<IpAddr>,
}

impl Drop for Place {
    fn drop(&mut self) {
        match self.address {
            Some(address) => {
                if let Some(entry) = self.admission.addresses.lock().get_mut(&address) {
                    entry.live = entry.live.saturating_sub(1);
                }
            }
            None => {
                self.admission.unauthenticated.fetch_sub(1, Relaxed);
            }
        }
    }
}

impl Admission {
    pub(crate) fn new(limits: Arc<Limits>) -> Arc<Self> {
        Arc::new(Self { limits, addresses: Mutex::default(), unauthenticated: AtomicUsize::new(0) })
    }

    /// A place for one more socket of the address, or how long to wait.
    pub(crate) fn enter(self: &Arc<Self>, peer: IpAddr, now: Duration) -> Result<Place, Duration> {
        let address = network(peer);
        let mut addresses = self.addresses.lock();
        let entry = addresses.entry(address).or_default();
        if entry.live >= self.limits.connections_per_address {
            return Err(Duration::from_secs(30));
        }
        if self.limits.rates_enforced {
            entry.bucket.take(self.limits.connects, now)?;
        }
        entry.live += 1;
        Ok(Place { admission: self.clone(), address: Some(address) })
    }

    /// A place among those who have not signed in, if there is one.
    pub(crate) fn enter_unauthenticated(self: &Arc<Self>) -> Option<Place> {
        let most = self.limits.connections_before_auth;
        let taken =
            self.unauthenticated.fetch_update(Relaxed, Relaxed, |n| (n < most).then_some(n + 1));
        taken.ok().map(|_| Place { admission: self.clone(), address: None })
    }

    /// Forgets addresses that have nothing open and a full bucket.
    pub(crate) fn sweep(&self, now: Duration) {
        let connects = self.limits.connects;
        self.addresses.lock().retain(|_, a| a.live > 0 || !a.bucket.is_full(connects, now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(live: usize) -> Arc<Admission> {
        let limits = Limits {
            connections_per_address: live,
            connections_before_auth: 1,
            ..Limits::default()
        };
        Admission::new(Arc::new(limits))
    }

    #[test]
    fn i6_an_address_has_so_many_places_and_gets_them_back() {
        let admission = admission(2);
        let peer = |text: &str| text.parse::<IpAddr>().unwrap();
        let first = admission.enter(peer("2001:db8::1"), Duration::ZERO).unwrap();
        let _second = admission.enter(peer("2001:db8::ffff"), Duration::ZERO).unwrap();
        assert!(admission.enter(peer("2001:db8::2"), Duration::ZERO).is_err());
        assert!(admission.enter(peer("2001:db8:0:1::2"), Duration::ZERO).is_ok());
        drop(first);
        assert!(admission.enter(peer("2001:db8::2"), Duration::ZERO).is_ok());
    }

    #[test]
    fn i7_those_who_have_not_signed_in_are_few() {
        let admission = admission(2);
        let place = admission.enter_unauthenticated().unwrap();
        assert!(admission.enter_unauthenticated().is_none());
        drop(place);
        assert!(admission.enter_unauthenticated().is_some());
    }
}
