//! REST under `/api/v1` and in the shapes of the dialects, its document, the pages, health and figures: one file per
//! resource.

mod auth;
mod conversations;
mod cors;
mod cursor;
mod docs;
pub(crate) mod error;
pub(crate) mod extract;
pub(crate) mod health;
mod inbox;
mod me;
mod messages;
mod openapi;
mod participants;
mod receipts;
mod seed;
mod shell;
mod users;
mod wire;

use std::{
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{Router, middleware};
use parlour_core::{
    Code, ConversationId, Error, UserId,
    command::Actor,
    event::PresenceStatus,
    limits::Rate,
    port::clock::{Clock, Random},
    service::{Chat, Rates},
};
use tower_http::catch_panic::CatchPanicLayer;

use self::error::Problem;
pub(crate) use self::{health::metrics_router, inbox::is_built, openapi::document};
use crate::{auth::Auth, metrics::Metrics};

/// What REST needs of those who are connected at this moment. The gateway's hub is one.
pub(crate) trait Live: Send + Sync + 'static {
    /// Whether somebody is there.
    fn presence(&self, user: &UserId) -> PresenceStatus;

    /// Somebody writes, or stopped. The caller has checked that he may.
    fn typing(
        &self,
        actor: &Actor,
        conversation: ConversationId,
        active: bool,
    ) -> Result<(), Error>;

    /// Two do not see each other's presence from now on, or see it again.
    fn set_hidden(&self, one: &UserId, other: &UserId, hidden: bool);

    /// Whether other processes cannot be reached as they should.
    fn is_degraded(&self) -> bool;

    /// Whether no commands are taken any more, because the server goes away.
    fn is_ending(&self) -> bool;
}

/// What handlers work with. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Api(Arc<Inner>);

/// What [`Api`] shares.
pub(crate) struct Inner {
    pub(crate) chat: Arc<Chat>,
    pub(crate) auth: Arc<Auth>,
    pub(crate) live: Arc<dyn Live>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) metrics: Arc<Metrics>,
    /// Turned off when the shutdown begins.
    pub(crate) ready: Arc<AtomicBool>,
    pub(crate) settings: Settings,
    /// Searches of users.
    pub(crate) searches: Rates,
}

/// What the configuration says to REST.
pub(crate) struct Settings {
    pub(crate) body_bytes: usize,
    pub(crate) body_timeout: Duration,
    pub(crate) json_depth: usize,
    /// `/metrics` is here, and not on a listener of its own.
    pub(crate) metrics: bool,
    /// The address under which browsers reach the server (`server.public_url`).
    pub(crate) public_url: Option<String>,
    /// People whom the login page offers to try.
    pub(crate) demo: bool,
    /// The secret is weak; a demonstration alone runs with such a one.
    pub(crate) weak_secret: bool,
}

impl Deref for Api {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Api {
    pub(crate) fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    /// Whether new work is welcome.
    pub(crate) fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    /// The rate of searches.
    pub(crate) const SEARCHES: Rate = Rate::new(5, 20);
}

/// The routes of REST, without the document that is made with them.
pub(crate) fn rest() -> Router<Api> {
    openapi::routes().split_for_parts().0
}

/// Every route: those of [`rest`], of sockets, and of pages.
pub(crate) fn router(api: Api, rest: Router<Api>, sockets: Router) -> Router {
    let pages = docs::routes().merge(health::routes(api.settings.metrics));
    Router::new()
        .merge(rest)
        .merge(pages)
        .with_state(api.clone())
        .merge(sockets)
        .merge(inbox::routes())
        .fallback(inbox::fallback)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(CatchPanicLayer::custom(shell::panicked))
        .layer(middleware::from_fn_with_state(api, shell::shell))
}

async fn method_not_allowed() -> Problem {
    Problem::from(Error::new(Code::UnknownType, "this path has no such method"))
        .with_status(http::StatusCode::METHOD_NOT_ALLOWED)
}
