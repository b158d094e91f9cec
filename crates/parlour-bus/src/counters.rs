//! What a bus counts, for the server's metrics.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// What a bus has done since its start. Every number only grows.
        #[derive(Default, Debug)]
        pub struct Counters {
            $($(#[$doc])* pub(crate) $name: AtomicU64,)*
        }

        /// [`Counters`] at a moment.
        #[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
        pub struct Counts {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl Counters {
            /// The numbers of now.
            #[must_use]
            pub fn read(&self) -> Counts {
                Counts { $($name: self.$name.load(Ordering::Relaxed),)* }
            }
        }
    };
}

counters! {
    /// Hints that were queued.
    published,
    /// Frames that Redis has taken.
    frames,
    /// Hints that were not told: too many waited, or they waited too long, or they were too large.
    dropped,
    /// Hints of other processes that reached the listener.
    received,
    /// Frames and hints that mean nothing: somebody else writes there.
    unreadable,
    /// Frames and hints of newer versions, which were passed over.
    unknown,
    /// Connections that were lost, or could not be made.
    reconnects,
    /// How often the listener was told that something may have been lost.
    lagged,
}

pub(crate) fn add(counter: &AtomicU64, number: usize) {
    counter.fetch_add(number as u64, Ordering::Relaxed);
}
