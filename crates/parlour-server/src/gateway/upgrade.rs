//! From a request to a socket: sign-in, limits, subprotocol, and the 101.

use std::{net::IpAddr, sync::Arc};

use axum::{
    Extension, Router,
    extract::{Request, State},
    response::{IntoResponse, Response},
    routing::get,
};
use http::{
    HeaderMap, HeaderValue, StatusCode, Version,
    header::{self, HeaderName},
    request::Parts,
};
use hyper_util::rt::TokioIo;
use parlour_core::{Code, Error, command::Identity, limits::rate_limited};
use parlour_websocket::handshake::{self, UpgradeRequest};
use parlour_wire::{Dialect, native::Native};
use tokio::net::TcpStream;

use super::{Gateway, connection, hub::Refused, listener::ClientAddress, preauth, stream};
use crate::{auth::Surface, http::error::Problem};

/// The subprotocol that carries a bearer token in a browser.
const BEARER: &str = "bearer";

/// The routes of sockets and streams.
pub(crate) fn routes(gateway: Arc<Gateway>) -> Router {
    Router::new()
        .route("/api/v1/ws", get(native))
        .route("/api/v1/events", get(stream::events))
        .route("/api/v1/events/poll", get(stream::poll))
        .with_state(gateway)
}

/// A socket that has been taken over from HTTP.
pub(super) struct Upgraded {
    pub(super) stream: TcpStream,
    /// What the client had sent right behind its request.
    pub(super) early: Vec<u8>,
}

async fn native(
    State(gateway): State<Arc<Gateway>>,
    Extension(ClientAddress(client)): Extension<ClientAddress>,
    request: Request,
) -> Response {
    let (mut parts, _) = request.into_parts();
    match open(&gateway, client, &mut parts).await {
        Ok(response) => response,
        Err(refusal) => refusal.into_response(),
    }
}

async fn open(
    gateway: &Arc<Gateway>,
    client: IpAddr,
    parts: &mut Parts,
) -> Result<Response, Problem> {
    let accept = check(parts)?;
    let dialect: &'static dyn Dialect = &Native;
    let protocol = subprotocol(&parts.headers, dialect)?;
    let place = gateway
        .admission
        .enter(client, gateway.clock.monotonic())
        .map_err(|wait| Problem::from(rate_limited("connections_per_address", wait)))?;
    let device = device(parts)?;
    let identity = gateway.auth.identify(parts, Surface::NativeSocket).await?;
    if let Some(identity) = &identity {
        room(gateway, identity, device.as_deref())?;
    }
    let waiting = match identity {
        Some(_) => None,
        None => Some(gateway.admission.enter_unauthenticated().ok_or_else(|| {
            Problem::from(rate_limited(
                "connections_before_auth",
                std::time::Duration::from_secs(5),
            ))
        })?),
    };
    let Some(upgrade) = parts.extensions.remove::<hyper::upgrade::OnUpgrade>() else {
        return Err(Error::new(Code::InvalidFrame, "this connection cannot be upgraded").into());
    };
    let shared = gateway.clone();
    gateway.tasks.spawn_connection(async move {
        let _place = place;
        let Some(socket) = take_over(upgrade).await else { return };
        let signed_in = match identity {
            Some(identity) => {
                Some(preauth::SignedIn { identity, socket, decoder: connection::decoder(&shared) })
            }
            None => preauth::wait(&shared, socket).await,
        };
        drop(waiting);
        if let Some(signed_in) = signed_in {
            connection::run(shared, signed_in, device, dialect).await;
        }
    });
    Ok(switching(&accept, protocol))
}

/// Whether the user has room for one more connection.
pub(super) fn room(
    gateway: &Gateway,
    identity: &Identity,
    device: Option<&str>,
) -> Result<(), Problem> {
    match gateway.hub.has_room(&identity.actor.user, device) {
        Ok(()) => Ok(()),
        Err(Refused::TooMany) => {
            Err(rate_limited("connections_per_user", std::time::Duration::from_secs(30)).into())
        }
        Err(Refused::Draining) => {
            Err(Error::new(Code::Unavailable, "the server restarts; try again").into())
        }
    }
}

fn check(parts: &Parts) -> Result<String, Problem> {
    let joined = |name: HeaderName| joined(&parts.headers, &name);
    let request = UpgradeRequest {
        method: parts.method.as_str(),
        is_http_1_1: parts.version == Version::HTTP_11,
        upgrade: &joined(header::UPGRADE),
        connection: &joined(header::CONNECTION),
        version: &joined(header::SEC_WEBSOCKET_VERSION),
        key: &joined(header::SEC_WEBSOCKET_KEY),
    };
    handshake::accept(&request).map_err(|error| {
        let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_REQUEST);
        Problem::from(Error::new(Code::InvalidFrame, error.to_string())).with_status(status)
    })
}

/// A header that came in several lines is one value joined by commas (RFC 9110 section 5.3).
fn joined(headers: &HeaderMap, name: &HeaderName) -> String {
    let values = headers.get_all(name).iter().map(|value| value.to_str().unwrap_or("\u{fffd}"));
    values.collect::<Vec<_>>().join(", ")
}

/// Chooses the subprotocol to answer with: the dialect's own, else `bearer`, which only carries the token.
fn subprotocol(
    headers: &HeaderMap,
    dialect: &dyn Dialect,
) -> Result<Option<&'static str>, Problem> {
    let offered = joined(headers, &header::SEC_WEBSOCKET_PROTOCOL);
    if offered.is_empty() {
        return Ok(None);
    }
    let offers = |wanted: &str| offered.split(',').any(|offer| offer.trim() == wanted);
    match dialect.subprotocol() {
        Some(own) if offers(own) => Ok(Some(own)),
        _ if offers(BEARER) => Ok(Some(BEARER)),
        _ => Err(Error::new(Code::InvalidFrame, "none of the subprotocols is spoken here").into()),
    }
}

/// The client's name for its device, from `?device=`.
fn device(parts: &Parts) -> Result<Option<Arc<str>>, Problem> {
    let query = parts.uri.query().unwrap_or_default();
    let device = query.split('&').find_map(|pair| pair.strip_prefix("device="));
    match device {
        None | Some("") => Ok(None),
        Some(name) if name.len() <= 64 => Ok(Some(name.into())),
        Some(_) => Err(Error::new(Code::TooLong, "a device name has at most 64 bytes").into()),
    }
}

fn switching(accept: &str, protocol: Option<&'static str>) -> Response {
    let mut response = Response::new(axum::body::Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    if let Ok(accept) = HeaderValue::from_str(accept) {
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    }
    if let Some(protocol) = protocol {
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(protocol));
    }
    response
}

/// Gets the bare socket back from hyper.
async fn take_over(upgrade: hyper::upgrade::OnUpgrade) -> Option<Upgraded> {
    let upgraded = upgrade.await.ok()?;
    let parts = upgraded.downcast::<TokioIo<TcpStream>>().ok()?;
    Some(Upgraded { stream: parts.io.into_inner(), early: parts.read_buf.to_vec() })
}
