//! Who is calling: tokens, sessions, tickets and API keys, and what ends them.
//!
//! [`Auth::identify`] is the one place that looks at credentials; REST and the gateway both call it.

mod accounts;
pub(crate) mod attempts;
mod claims;
mod identify;
mod jwks;
mod keys;
mod opaque;
mod origin;
pub(crate) mod password;
mod people;
mod recent;
pub mod secret;
mod sessions;
mod standing;
mod tickets;
mod tokens;

use std::sync::Arc;

use parlour_core::{
    Code, Error, UserId,
    limits::Rate,
    model::{Millis, SessionId},
    port::{
        clock::{Clock, Random},
        store::Store,
    },
};

pub(crate) use self::{
    accounts::{Registration, SignedIn},
    identify::{Surface, names_somebody},
    origin::{COOKIE, Origins},
    tickets::LIFE as TICKET_LIFE,
    tokens::mint,
};
use self::{
    attempts::Attempts, claims::Refusal, password::Passwords, people::People, sessions::Sessions,
    tokens::Tokens,
};
use crate::config::Config;

/// What ends live sockets when a sign-in ends, here and in other processes. The gateway's hub is one.
pub(crate) trait Revocations: Send + Sync + 'static {
    /// Closes every socket of a user.
    fn close_user(&self, user: &UserId);

    /// Closes every socket of the user that rests on a session.
    fn close_session(&self, user: &UserId, session: &SessionId);
}

/// What `Auth` works with.
pub(crate) struct Parts {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) revocations: Arc<dyn Revocations>,
}

/// The sign-in service. Shared by REST and the gateway.
pub(crate) struct Auth {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    revocations: Arc<dyn Revocations>,
    tokens: Tokens,
    people: People,
    sessions: Sessions,
    passwords: Passwords,
    attempts: Attempts,
    origins: Origins,
    settings: Settings,
}

/// What the configuration says about sign-in.
struct Settings {
    registration: bool,
    secure_cookie: bool,
    access_ttl: Millis,
    refresh_ttl: Millis,
    max_token_life: Millis,
    name_chars: usize,
}

impl Auth {
    /// The service for a configuration and a secret.
    ///
    /// # Errors
    /// When a key file cannot be used.
    pub(crate) fn new(config: &Config, secret: &[u8], parts: Parts) -> anyhow::Result<Self> {
        let Parts { store, clock, random, revocations } = parts;
        let limits = &config.limits;
        let public_url = config.server.public_url.as_deref();
        Ok(Self {
            tokens: Tokens::new(config, secret, clock.clone())?,
            people: People::new(store.clone(), clock.clone(), config.auth.trust_host_users),
            sessions: Sessions::new(store.clone(), clock.clone(), random.clone()),
            passwords: Passwords::default(),
            attempts: Attempts::new(
                limits.rate_limits,
                Rate::new(limits.logins_per_minute, limits.logins_burst),
                Rate::new(
                    limits.address_logins_per_minute,
                    limits.address_logins_per_minute.saturating_mul(2),
                ),
            ),
            origins: Origins::new(&config.server.allowed_origins, public_url),
            settings: Settings {
                registration: config.auth.registration,
                secure_cookie: public_url.is_some_and(|url| url.starts_with("https://")),
                access_ttl: config.auth.access_ttl.millis(),
                refresh_ttl: config.auth.refresh_ttl.millis(),
                max_token_life: config.auth.max_token_life.millis(),
                name_chars: config.limits.name_chars,
            },
            store,
            clock,
            random,
            revocations,
        })
    }

    /// Forgets caches and buckets that are of no use any more. Called by the housekeeping job.
    pub(crate) fn sweep(&self) {
        self.people.sweep();
        self.sessions.sweep();
        self.attempts.sweep(self.clock.monotonic());
    }

    /// Whether the request comes from a page whose origin may use the cookie. `false` without an `Origin`.
    pub(crate) fn origin_allowed(&self, headers: &http::HeaderMap) -> bool {
        matches!(Origins::of(headers), Ok(Some(origin)) if self.origins.allows(origin, headers))
    }

    /// Whether people may make accounts of their own.
    pub(crate) fn registration(&self) -> bool {
        self.settings.registration
    }
}

/// The refusal of a credential: the same code for all, the reason for the log.
fn refused(reason: Refusal) -> Error {
    let message = match reason {
        Refusal::Expired => "the sign-in has expired",
        _ => "the sign-in is not valid",
    };
    Error::new(Code::NotAuthenticated, message).with_source(reason)
}

/// A new API key for the host application's server, and what the store keeps of it.
pub(crate) fn new_api_key(random: &dyn Random) -> (String, parlour_core::model::TokenHash) {
    opaque::make(random, "pk_")
}
