//! Why the server closes a connection: the codes of `contract/close_codes.toml`.

use std::{borrow::Cow, time::Duration};

use parlour_websocket::Frame;

/// Whose close codes a socket uses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Codes {
    /// Those of `contract/close_codes.toml`.
    Parlour,
    /// Those of the Pusher protocol, by which its clients decide whether to come back.
    Pusher,
}

/// A close code with its reason for the client's log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Close {
    pub(crate) code: u16,
    pub(crate) reason: Cow<'static, str>,
}

impl Close {
    pub(crate) const PROTOCOL_BROKEN: Self = Self::fixed(4400, "protocol_broken");
    pub(crate) const NOT_AUTHENTICATED: Self = Self::fixed(4401, "not_authenticated");
    pub(crate) const EXPIRED: Self = Self::fixed(4401, "expired");
    pub(crate) const REVOKED: Self = Self::fixed(4401, "revoked");
    pub(crate) const AUTH_TIMEOUT: Self = Self::fixed(4408, "auth_timeout");
    pub(crate) const PING_TIMEOUT: Self = Self::fixed(4408, "ping_timeout");
    pub(crate) const REPLACED: Self = Self::fixed(4409, "replaced");
    pub(crate) const SLOW_CONSUMER: Self = Self::fixed(4508, "slow_consumer");
    pub(crate) const TRY_AGAIN: Self = Self::fixed(1011, "internal");
    pub(crate) const REMOVED: Self = Self::fixed(4403, "removed");
    pub(crate) const FORBIDDEN: Self = Self::fixed(4403, "forbidden");
    pub(crate) const BINARY: Self = Self::fixed(1003, "text frames only");
    pub(crate) const MESSAGE_TIMEOUT: Self = Self::fixed(1008, "message not finished in time");

    const fn fixed(code: u16, reason: &'static str) -> Self {
        Self { code, reason: Cow::Borrowed(reason) }
    }

    /// The frame that says so to a client that knows these codes.
    pub(crate) fn frame(&self, codes: Codes) -> Frame {
        let code = match codes {
            Codes::Parlour => self.code,
            Codes::Pusher => self.for_pusher(),
        };
        Frame::close(code, &self.reason)
    }

    /// The code by which a Pusher client knows whether and when to come back: never after 4000 to 4099, after a
    /// second from 4100 on, at once from 4200 on.
    fn for_pusher(&self) -> u16 {
        match self.code {
            // It gets a new socket, for which its application signs with what it has now.
            4401 if *self == Self::EXPIRED => 4200,
            4401 | 4403 | 4409 => 4009,
            4400 => 4005,
            4408 => 4201,
            4429 | 4508 => 4100,
            1001 | 1012 => 4200,
            other => other,
        }
    }

    /// The server restarts; when to come back.
    pub(crate) fn restarting(retry_after: Duration) -> Self {
        Self { code: 1012, reason: retry(retry_after) }
    }

    /// Too many frames or connections; when to come back.
    pub(crate) fn too_many(retry_after: Duration) -> Self {
        Self { code: 4429, reason: retry(retry_after) }
    }
}

fn retry(after: Duration) -> Cow<'static, str> {
    format!("retry_after_ms={}", after.as_millis()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_in_the_contract() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../contract/close_codes.toml");
        let contract: toml::Table = std::fs::read_to_string(path).unwrap().parse().unwrap();
        let wait = Duration::from_secs(1);
        for close in [
            Close::PROTOCOL_BROKEN,
            Close::NOT_AUTHENTICATED,
            Close::EXPIRED,
            Close::REVOKED,
            Close::AUTH_TIMEOUT,
            Close::PING_TIMEOUT,
            Close::REPLACED,
            Close::REMOVED,
            Close::FORBIDDEN,
            Close::SLOW_CONSUMER,
            Close::BINARY,
            Close::MESSAGE_TIMEOUT,
            Close::restarting(wait),
            Close::too_many(wait),
        ] {
            assert!(
                contract.contains_key(&close.code.to_string()),
                "{} is not in the contract",
                close.code
            );
            assert!(close.reason.len() <= 123, "{} has too long a reason", close.code);
        }
    }
}
