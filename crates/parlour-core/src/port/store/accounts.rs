//! Built-in accounts and API keys.

use std::sync::Arc;

use crate::{
    error::Result,
    model::{ApiKey, Credential, Millis, TokenHash},
    port::BoxFuture,
};

/// Built-in accounts and API keys.
pub trait AccountStore: Send + Sync + 'static {
    /// Makes the password of a user, or replaces it. The user exists.
    ///
    /// # Errors
    /// [`crate::Code::Conflict`] when another user signs in with that name.
    fn set_credential(&self, credential: Credential, now: Millis) -> BoxFuture<'_, Result<()>>;

    /// The credential of a sign-in name, compared without regard to case.
    fn credential(&self, username: Arc<str>) -> BoxFuture<'_, Result<Option<Credential>>>;

    /// Adds an API key.
    ///
    /// # Errors
    /// [`crate::Code::Conflict`] when the name is taken.
    fn add_api_key(&self, key: ApiKey) -> BoxFuture<'_, Result<()>>;

    /// Removes an API key; whether there was one.
    fn remove_api_key(&self, name: Arc<str>) -> BoxFuture<'_, Result<bool>>;

    /// The API key of a secret.
    fn api_key(&self, secret: TokenHash) -> BoxFuture<'_, Result<Option<ApiKey>>>;

    /// All API keys, in the order of names.
    fn api_keys(&self) -> BoxFuture<'_, Result<Vec<ApiKey>>>;
}
