//! Sign-in state that must survive a restart: built-in accounts, sessions, tickets and API keys.

use std::{fmt, sync::Arc};

use super::Millis;
use crate::ids::UserId;

/// SHA-256 of a random secret. Secrets themselves are never stored.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash(pub [u8; 32]);

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(..)")
    }
}

/// Identifies a session: what one sign-in gave, and what one logout or revocation ends.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct SessionId(pub Arc<str>);

/// The password of a built-in account.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// Whose.
    pub user: UserId,
    /// The name to sign in with, compared without regard to case.
    pub username: Arc<str>,
    /// Argon2id in PHC string form.
    pub password: Arc<str>,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential").field("user", &self.user).finish_non_exhaustive()
    }
}

/// What one sign-in gave.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Session {
    /// Its id; also the claim `sid` of the access tokens that it issued.
    pub id: SessionId,
    /// Whose.
    pub user: UserId,
    /// The current refresh token, for sessions that have one.
    pub refresh: Option<TokenHash>,
    /// The session cookie's token.
    pub cookie: Option<TokenHash>,
    /// When it began.
    pub created_at: Millis,
    /// When it ends by itself.
    pub expires_at: Millis,
}

/// A server of the host application that may act for any user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ApiKey {
    /// Its public name, which logs show.
    pub name: Arc<str>,
    /// Hash of the secret.
    pub secret: TokenHash,
    /// When it was made.
    pub created_at: Millis,
}
