//! Whether the server lives, whether it can serve, and its figures.

use axum::{
    Extension, Json as Answer, Router,
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};
use http::{HeaderMap, HeaderName, StatusCode, header};
use serde::Serialize;

use super::Api;
use crate::gateway::listener::ClientAddress;

pub(super) fn routes(metrics_here: bool) -> Router<Api> {
    let routes = Router::new()
        .route("/healthz", get(alive))
        .route("/health", get(alive))
        .route("/up", get(alive))
        .route("/readyz", get(ready));
    if metrics_here { routes.route("/metrics", get(metrics)) } else { routes }
}

/// The figures alone, for a listener of their own.
pub(crate) fn metrics_router(api: Api) -> Router {
    Router::new().route("/metrics", get(metrics)).with_state(api)
}

/// What health says.
#[derive(Serialize)]
struct Health {
    status: &'static str,
    version: &'static str,
    durability: &'static str,
    /// Only said when it is so: this is no server to rely on.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    demo: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    weak_secret: bool,
}

impl Health {
    fn new(api: &Api, status: &'static str) -> Answer<Self> {
        Answer(Self {
            status,
            version: env!("CARGO_PKG_VERSION"),
            durability: "full",
            demo: api.settings.demo,
            weak_secret: api.settings.weak_secret,
        })
    }
}

async fn alive(
    State(api): State<Api>,
    Extension(client): Extension<ClientAddress>,
    headers: HeaderMap,
) -> impl IntoResponse {
    ([(SEEN, seen(client, &headers))], Health::new(&api, "ok"))
}

/// Under this name the server tells a caller what his request looks like to it, for `parlour doctor`: his address,
/// whether a proxy's word for it was believed, and the host that he asked for.
pub(crate) const SEEN: &str = "x-parlour-seen";

fn seen(ClientAddress(client): ClientAddress, headers: &HeaderMap) -> String {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let forwarded = text(HeaderName::from_static("x-forwarded-for"));
    let address = client.to_string();
    let forwarded = match forwarded {
        None => "none",
        Some(list) if list.split(',').any(|entry| entry.trim() == address) => "believed",
        Some(_) => "ignored",
    };
    // Only what a host can be made of, and no more than a name's length.
    let host = text(header::HOST).unwrap_or_default();
    let host = host.chars().filter(|c| c.is_ascii_alphanumeric() || ".-:[]".contains(*c));
    let host: String = host.take(255).collect();
    format!("client={address}; forwarded={forwarded}; host={host}")
}

async fn ready(State(api): State<Api>) -> Response {
    if !api.is_ready() {
        return (StatusCode::SERVICE_UNAVAILABLE, Health::new(&api, "draining")).into_response();
    }
    match api.chat.store().check().await {
        // It serves, though other processes hear of it later than they should.
        Ok(()) if api.live.is_degraded() => Health::new(&api, "degraded").into_response(),
        Ok(()) => Health::new(&api, "ok").into_response(),
        Err(error) => {
            tracing::warn!(?error, "the store is not ready");
            (StatusCode::SERVICE_UNAVAILABLE, Health::new(&api, "store unavailable"))
                .into_response()
        }
    }
}

async fn metrics(State(api): State<Api>) -> impl IntoResponse {
    api.metrics.set_store(api.chat.store().stats());
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], api.metrics.encode())
}
