//! Time and randomness, as the domain sees them.

use std::time::Duration;

use crate::model::Millis;

/// Time. The wall clock is only for what people see and for tokens; everything that waits uses the other.
pub trait Clock: Send + Sync + 'static {
    /// Unix time in milliseconds. It may jump either way.
    fn now(&self) -> Millis;

    /// Time since some fixed moment of this process. It never goes back.
    fn monotonic(&self) -> Duration;
}

/// Randomness that an attacker cannot guess.
pub trait Random: Send + Sync + 'static {
    /// Fills the buffer.
    fn fill(&self, bytes: &mut [u8]);
}
