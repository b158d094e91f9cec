//! The HTTP API under `/apps/{id}`, with which an application's servers publish and ask; calls are signed.
//!
//! It has the shape that the server libraries of the protocol know: JSON for success, plain text for a refusal. It is
//! no part of the OpenAPI document.

mod channels;
mod events;
mod seen;
mod signed;

use std::{ops::Deref, sync::Arc, time::Duration};

use axum::{
    Router,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use http::{HeaderValue, StatusCode, header};
use parlour_wire::pusher::{ApiError, PusherLimits};
use serde::Serialize;

pub(super) use self::seen::Seen;
use super::{Pusher, auth};
use crate::http::Api;

/// What the handlers of the HTTP API and of the auth endpoints work with. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Door(Arc<Inner>);

/// What [`Door`] shares.
pub(crate) struct Inner {
    pub(super) api: Api,
    pub(super) pusher: Arc<Pusher>,
    /// The limits that hold for every application.
    pub(super) limits: PusherLimits,
    seen: Arc<Seen>,
}

impl Deref for Door {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Door {
    /// For these applications. `repeat_window` is how long a publish may come again with the same signature.
    pub(crate) fn new(
        api: Api,
        pusher: Arc<Pusher>,
        limits: PusherLimits,
        repeat_window: Duration,
    ) -> Self {
        let seen = Arc::new(Seen::new(repeat_window, limits.clock_skew * 2));
        pusher.cluster.remember_calls_in(seen.clone());
        Self(Arc::new(Inner { api, pusher, limits, seen }))
    }
}

/// Every route: the HTTP API, and the auth endpoints of the chat's channels.
pub(crate) fn routes(door: Door) -> Router {
    Router::new()
        .route("/apps/{app_id}/events", post(events::publish))
        .route("/apps/{app_id}/batch_events", post(events::publish_batch))
        .route("/apps/{app_id}/channels", get(channels::list))
        .route("/apps/{app_id}/channels/{channel}", get(channels::one))
        .route("/apps/{app_id}/channels/{channel}/users", get(channels::users))
        .route("/apps/{app_id}/users/{user_id}/terminate_connections", post(channels::terminate))
        .merge(auth::routes())
        .with_state(door)
}

/// Why a call was not carried out: a status, and a text for the developer who made it.
#[derive(Debug)]
struct Failure {
    status: StatusCode,
    text: String,
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        let status =
            StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { status, text: error.to_string() }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = (self.status, self.text).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Pusher-Signature");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}

/// The answer of a success.
fn json(answer: &impl Serialize) -> Response {
    match serde_json::to_vec(answer) {
        Ok(body) => {
            let kind = HeaderValue::from_static("application/json");
            ([(header::CONTENT_TYPE, kind)], body).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "an answer could not be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
