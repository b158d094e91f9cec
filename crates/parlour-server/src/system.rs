//! The real clock and the real randomness: the only place that asks the operating system for them.

use std::time::{Duration, Instant};

use parlour_core::{
    model::Millis,
    port::clock::{Clock, Random},
};

/// The machine's clocks.
pub struct SystemClock {
    started: Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self { started: Instant::now() }
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    fn now(&self) -> Millis {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.map_or(0, |time| i64::try_from(time.as_millis()).unwrap_or(i64::MAX))
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }
}

/// The operating system's random numbers.
pub struct SystemRandom;

impl Random for SystemRandom {
    /// Ends the process when the system has none to give: nothing would be secret any more.
    fn fill(&self, bytes: &mut [u8]) {
        if let Err(error) = getrandom::fill(bytes) {
            tracing::error!(%error, "the operating system gives no random numbers");
            std::process::abort();
        }
    }
}

/// Installs the one TLS and token-signing provider of the program. Repeating it does nothing.
pub fn install_crypto() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let _ = jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
}
