//! Opaque tokens: 256 random bits for the holder, their SHA-256 for the store.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use parlour_core::{model::TokenHash, port::clock::Random};
use sha2::{Digest as _, Sha256};

/// A new token and what the store keeps of it.
pub(crate) fn make(random: &dyn Random, prefix: &str) -> (String, TokenHash) {
    let mut bytes = [0; 32];
    random.fill(&mut bytes);
    let token = format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes));
    let hash = hash(&token);
    (token, hash)
}

/// What the store keeps of a token.
pub(crate) fn hash(token: &str) -> TokenHash {
    TokenHash(Sha256::digest(token.as_bytes()).into())
}
