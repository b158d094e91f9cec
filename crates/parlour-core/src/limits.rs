//! Sizes and rates: every bound in one table, and a token bucket. Pure; time is passed in.

use std::time::Duration;

use crate::error::{Code, Error, Result};

/// Every bound of the domain and the gateway. The defaults are the documented ones; each is told to native
/// clients in the hello frame under the field's name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Largest incoming WebSocket message, in bytes.
    pub frame_bytes: usize,
    /// Most fragments of one message.
    pub fragments: u32,
    /// Longest text of a message, in bytes of UTF-8.
    pub content_bytes: usize,
    /// Longest metadata, in bytes.
    pub metadata_bytes: usize,
    /// Deepest nesting of incoming JSON.
    pub json_depth: usize,
    /// Most commands in one frame.
    pub batch_commands: usize,
    /// Most commands of a connection that may be open at once.
    pub open_commands: usize,
    /// Longest user or display name, in characters.
    pub name_chars: usize,
    /// Longest title, in characters.
    pub title_chars: usize,
    /// Most participants of a group.
    pub group_participants: usize,
    /// Largest group in which people are told who comes, goes and writes, and who of the others has read.
    pub signal_participants: usize,
    /// Most live sockets of one user.
    pub connections_per_user: usize,
    /// Most live sockets of one address (an IPv6 /64 counts as one).
    pub connections_per_address: usize,
    /// Most sockets that have not signed in yet.
    pub connections_before_auth: usize,
    /// Most conversations that a connection listens to.
    pub conversations_per_connection: usize,
    /// Outbound queue of a connection, in bytes.
    pub queue_bytes: usize,
    /// Outbound queue of a connection, in frames.
    pub queue_frames: usize,
    /// Most Changes replayed for one conversation; past it the client must reload.
    pub resume_per_conversation: usize,
    /// Most Changes replayed in one resume.
    pub resume_total: usize,
    /// Changes in one replay frame.
    pub resume_page: usize,
    /// Default page of a list.
    pub page: usize,
    /// Largest page of a list; more is clamped.
    pub page_max: usize,
    /// Sends of a user.
    pub sends: Rate,
    /// Edits and deletions of a user.
    pub edits: Rate,
    /// Commands of a connection.
    pub commands: Rate,
    /// Refused commands in a row after which a connection is closed.
    pub refused_before_close: u32,
    /// New connections of an address.
    pub connects: Rate,
    /// Whether rates are enforced at all (load tests switch them off).
    pub rates_enforced: bool,
    /// Quiet time after which the server pings.
    pub ping_interval: Duration,
    /// How long a pong may take.
    pub pong_timeout: Duration,
    /// How long a native socket may stay without signing in.
    pub auth_timeout: Duration,
    /// How long a blocked write may take before the connection is given up.
    pub write_timeout: Duration,
    /// How long before the end of a sign-in the client is warned.
    pub expiry_warning: Duration,
    /// How long typing is shown without a repetition.
    pub typing_ttl: Duration,
    /// How long after the last socket somebody is still shown as there.
    pub presence_grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            frame_bytes: 64 * 1024,
            fragments: 256,
            content_bytes: 16 * 1024,
            metadata_bytes: 4 * 1024,
            json_depth: 32,
            batch_commands: 50,
            open_commands: 64,
            name_chars: 64,
            title_chars: 128,
            group_participants: 1_000,
            signal_participants: 1_000,
            connections_per_user: 20,
            connections_per_address: 100,
            connections_before_auth: 2_000,
            conversations_per_connection: 1_000,
            queue_bytes: 1024 * 1024,
            queue_frames: 1_000,
            resume_per_conversation: 1_000,
            resume_total: 5_000,
            resume_page: 200,
            page: 50,
            page_max: 100,
            sends: Rate::new(5, 50),
            edits: Rate::new(2, 20),
            commands: Rate::new(20, 60),
            refused_before_close: 100,
            connects: Rate::new(10, 100),
            rates_enforced: true,
            ping_interval: Duration::from_secs(25),
            pong_timeout: Duration::from_secs(10),
            auth_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(10),
            expiry_warning: Duration::from_secs(60),
            typing_ttl: Duration::from_secs(6),
            presence_grace: Duration::from_secs(10),
        }
    }
}

impl Limits {
    /// Checks the text of a message.
    ///
    /// # Errors
    /// [`Code::TooLong`] past the limit, [`Code::Empty`] when nothing in it can be seen,
    /// [`Code::InvalidFrame`] when it holds NUL.
    pub fn check_text(&self, text: &str) -> Result<()> {
        if text.len() > self.content_bytes {
            return Err(Error::new(
                Code::TooLong,
                format!("a message has at most {} bytes", self.content_bytes),
            )
            .with_limit("content_bytes"));
        }
        if text.contains('\0') {
            return Err(Error::new(Code::InvalidFrame, "a text must not contain NUL"));
        }
        if text.chars().all(is_invisible) {
            return Err(Error::new(Code::Empty, "the message is empty"));
        }
        Ok(())
    }

    /// Checks opaque metadata (its form as JSON is the wire's business).
    ///
    /// # Errors
    /// [`Code::TooLong`] past the limit, [`Code::InvalidFrame`] when it holds NUL.
    pub fn check_metadata(&self, metadata: Option<&str>) -> Result<()> {
        let Some(metadata) = metadata else { return Ok(()) };
        if metadata.len() > self.metadata_bytes {
            return Err(Error::new(
                Code::TooLong,
                format!("metadata has at most {} bytes", self.metadata_bytes),
            )
            .with_limit("metadata_bytes"));
        }
        if metadata.contains('\0') {
            return Err(Error::new(Code::InvalidFrame, "metadata must not contain NUL"));
        }
        Ok(())
    }

    /// Checks a title, subject, external id or name; `what` is named in the refusal.
    ///
    /// # Errors
    /// [`Code::TooLong`] past `max_chars`, [`Code::InvalidFrame`] for control and direction characters.
    pub fn check_name(what: &'static str, text: &str, max_chars: usize) -> Result<()> {
        if text.chars().count() > max_chars {
            return Err(Error::new(
                Code::TooLong,
                format!("a {what} has at most {max_chars} characters"),
            ));
        }
        if text.chars().any(crate::ids::is_forbidden_in_names) {
            return Err(Error::new(
                Code::InvalidFrame,
                format!("a {what} must not contain control characters"),
            ));
        }
        Ok(())
    }

    /// The page size for a wish: the default without one, clamped to the largest.
    #[must_use]
    pub fn page_size(&self, wish: Option<usize>) -> usize {
        wish.unwrap_or(self.page).clamp(1, self.page_max)
    }
}

/// Characters that leave nothing to see when a text has no others.
fn is_invisible(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{00ad}' | '\u{034f}')
}

/// How often something may happen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rate {
    /// Steady rate per second.
    pub per_second: u32,
    /// How many may come at once.
    pub burst: u32,
}

impl Rate {
    /// So many a second, so many at once.
    #[must_use]
    pub const fn new(per_second: u32, burst: u32) -> Self {
        Self { per_second, burst }
    }
}

/// A token bucket of 12 bytes: never gives more than `rate x time + burst`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bucket {
    /// Thousandths of a token that are missing from a full bucket.
    missing: u32,
    /// Monotonic milliseconds of the last look.
    seen: u64,
}

impl Bucket {
    /// Takes one token at the monotonic time `now`.
    ///
    /// # Errors
    /// How long to wait until one is there.
    pub fn take(&mut self, rate: Rate, now: Duration) -> Result<(), Duration> {
        let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        let refill = now.saturating_sub(self.seen).saturating_mul(u64::from(rate.per_second));
        self.seen = self.seen.max(now);
        self.missing = self.missing.saturating_sub(u32::try_from(refill).unwrap_or(u32::MAX));
        let full = rate.burst.saturating_mul(1_000);
        if self.missing + 1_000 <= full {
            self.missing += 1_000;
            return Ok(());
        }
        let lacking = u64::from(self.missing + 1_000 - full);
        Err(Duration::from_millis(lacking.div_ceil(u64::from(rate.per_second.max(1)))))
    }

    /// Whether the bucket is full again at `now`, so that it need not be kept.
    #[must_use]
    pub fn is_full(&self, rate: Rate, now: Duration) -> bool {
        let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        let refill = now.saturating_sub(self.seen).saturating_mul(u64::from(rate.per_second));
        refill >= u64::from(self.missing)
    }
}

/// The refusal that a spent bucket gives.
#[must_use]
pub fn rate_limited(limit: &'static str, wait: Duration) -> Error {
    Error::new(Code::RateLimited, "too many at once; slow down")
        .with_limit(limit)
        .with_retry_after(wait)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts_at_the_border() {
        let limits = Limits::default();
        assert!(limits.check_text(&"x".repeat(16 * 1024)).is_ok());
        assert_eq!(limits.check_text(&"x".repeat(16 * 1024 + 1)).unwrap_err().code, Code::TooLong);
        for empty in ["", " \n\t", "\u{200b}\u{feff}", "\u{3164}"] {
            assert_eq!(limits.check_text(empty).unwrap_err().code, Code::Empty, "{empty:?}");
        }
        assert_eq!(limits.check_text("a\0b").unwrap_err().code, Code::InvalidFrame);
        assert!(limits.check_text("👩‍👩‍👧 ok").is_ok());
    }

    #[test]
    fn a_page_wish_is_clamped() {
        let limits = Limits::default();
        assert_eq!(limits.page_size(None), 50);
        assert_eq!(limits.page_size(Some(0)), 1);
        assert_eq!(limits.page_size(Some(1_000_000_000)), 100);
    }

    #[test]
    fn a_refused_taker_is_told_when() {
        let rate = Rate::new(5, 2);
        let mut bucket = Bucket::default();
        let at = Duration::from_secs(100);
        assert!(bucket.take(rate, at).is_ok());
        assert!(bucket.take(rate, at).is_ok());
        assert_eq!(bucket.take(rate, at), Err(Duration::from_millis(200)));
        assert!(bucket.take(rate, at + Duration::from_millis(200)).is_ok());
    }

    proptest! {
        /// PR7: a bucket never gives more than rate x time + burst.
        #[test]
        fn a_bucket_never_gives_too_much(
            per_second in 1u32..50, burst in 1u32..100, steps in prop::collection::vec(0u64..400, 1..300),
        ) {
            let rate = Rate::new(per_second, burst);
            let mut bucket = Bucket::default();
            let (mut now, mut given) = (0u64, 0u64);
            for step in steps {
                now += step;
                if bucket.take(rate, Duration::from_millis(now)).is_ok() {
                    given += 1;
                }
                prop_assert!(given * 1_000 <= u64::from(per_second) * now + u64::from(burst) * 1_000);
            }
        }
    }
}
