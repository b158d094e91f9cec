//! Tickets: the one-use way for browsers to open a socket without a token in its address.

use std::sync::Arc;

use parlour_core::{
    Error, UserId,
    command::{Actor, Identity},
    model::SessionId,
};
use serde::{Deserialize, Serialize};

/// How long a ticket waits, in milliseconds.
pub(crate) const LIFE: i64 = 30_000;

/// What the store keeps for a ticket: the identity of who asked for it, and the page that asked.
#[derive(Serialize, Deserialize)]
pub(super) struct Ticket {
    user: String,
    session: Option<String>,
    expires_at: Option<i64>,
    issued_at: i64,
    pub(super) origin: Option<String>,
}

impl Ticket {
    /// A ticket carries a user's own right only, also when the host application's server asked for it.
    pub(super) fn new(identity: &Identity, origin: Option<&str>) -> Self {
        Self {
            user: identity.actor.user.as_str().to_owned(),
            session: identity.session.as_ref().map(|id| id.0.to_string()),
            expires_at: identity.expires_at,
            issued_at: identity.issued_at,
            origin: origin.map(str::to_owned),
        }
    }

    pub(super) fn encode(&self) -> Result<Arc<str>, Error> {
        serde_json::to_string(self).map(Into::into).map_err(Error::internal)
    }

    pub(super) fn decode(text: &str) -> Result<Self, Error> {
        serde_json::from_str(text).map_err(Error::internal)
    }

    pub(super) fn identity(&self) -> Result<Identity, Error> {
        Ok(Identity {
            actor: Actor::user(UserId::new(&self.user)?),
            session: self.session.as_deref().map(|id| SessionId(id.into())),
            expires_at: self.expires_at,
            issued_at: self.issued_at,
        })
    }
}
