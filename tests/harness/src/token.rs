//! Tokens as a host application would mint them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use jsonwebtoken::{EncodingKey, Header};
use serde_json::json;

/// The secret that the harness gives to every server that it starts.
pub const SECRET: &str = "a-secret-of-the-test-harness-that-is-long-enough";

/// How long ago a token was issued, in seconds: a server whose clock is put back still knows it.
const AGE: u64 = 2 * 3600;

/// An HS256 token for a user, good for `life`.
///
/// # Errors
/// When signing fails.
pub fn mint(user: &str, life: Duration) -> Result<String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let claims = json!({
        "sub": user, "username": user, "name": user, "iat": now - AGE, "exp": now + life.as_secs(),
    });
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    Ok(jsonwebtoken::encode(&Header::default(), &claims, &key)?)
}

/// A token for a user that outlives every test.
///
/// # Errors
/// When signing fails.
pub fn for_user(user: &str) -> Result<String> {
    mint(user, Duration::from_secs(6 * 3600))
}
