//! From a request to a socket: sign-in, limits, subprotocol, and the 101.

use std::{io, net::IpAddr, sync::Arc, time::Duration};

use axum::{
    Extension, Router,
    extract::{Path, Request, State, rejection::PathRejection},
    response::{IntoResponse, Response},
    routing::get,
};
use http::{
    HeaderMap, HeaderValue, StatusCode, Version,
    header::{self, HeaderName},
    request::Parts,
};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use parlour_core::{Code, Error, command::Identity, limits::rate_limited};
use parlour_websocket::handshake::{self, UpgradeRequest};
use parlour_wire::Dialect;
use sha2::Digest as _;
use tokio::io::AsyncWriteExt as _;

use super::{
    Gateway,
    admission::Place,
    close::Close,
    compression::Agreed,
    connection,
    doors::{Door, close_code, parameter},
    entry::{self, Entered, Running, Wish},
    http_stream::HttpStream,
    listener::ClientAddress,
    preauth::{self, SignedIn},
    session,
    socket::Socket,
    stream,
};
use crate::{auth::Surface, http::error::Problem, metrics::CloseReason, pusher::door};

/// The subprotocol that carries a bearer token in a browser.
const BEARER: &str = "bearer";

/// The routes of sockets and streams.
pub(crate) fn routes(gateway: Arc<Gateway>) -> Router {
    let routes = Router::new();
    #[cfg(feature = "conformance")]
    let routes = routes.route("/echo", get(super::echo::open));
    routes
        .route("/api/v1/ws", get(native))
        .route("/ws/chat", get(user_socket))
        .route("/ws/chat/", get(user_socket))
        .route("/ws/chat/{conversation_id}", get(conversation_socket))
        .route("/ws/chat/{conversation_id}/", get(conversation_socket))
        .route("/app/{key}", get(door::open))
        .route("/api/v1/events", get(stream::events))
        .route("/api/v1/events/poll", get(stream::poll))
        .with_state(gateway)
}

/// A socket that has been taken over from HTTP.
pub(crate) struct Upgraded {
    pub(crate) stream: Socket,
    /// The answer to the upgrade, which has not been written yet.
    pub(crate) answer: Vec<u8>,
    /// What the client had sent right behind its request.
    pub(crate) early: Vec<u8>,
    /// What was agreed about the size of frames.
    pub(crate) compression: Option<Agreed>,
}

impl Upgraded {
    /// Writes the answer, where nothing goes out with it.
    pub(super) async fn answer(&mut self) -> io::Result<()> {
        self.stream.write_all(&std::mem::take(&mut self.answer)).await
    }
}

type Address = Extension<ClientAddress>;

async fn native(
    State(gateway): State<Arc<Gateway>>,
    address: Address,
    request: Request,
) -> Response {
    enter(&gateway, address, request, Ok(Door::native())).await
}

/// `/ws/chat/`: one socket a user.
async fn user_socket(
    State(gateway): State<Arc<Gateway>>,
    address: Address,
    request: Request,
) -> Response {
    let query = request.uri().query().unwrap_or_default();
    let door = Door::user(&gateway.dialects, query);
    enter(&gateway, address, request, door).await
}

/// `/ws/chat/{conversation_id}/`: one socket a conversation.
async fn conversation_socket(
    State(gateway): State<Arc<Gateway>>,
    address: Address,
    id: Result<Path<String>, PathRejection>,
    request: Request,
) -> Response {
    // What is no text is no number either.
    let id = id.map_or_else(|_| String::new(), |Path(id)| id);
    let query = request.uri().query().unwrap_or_default();
    let door = Door::conversation(&gateway.dialects, query, &id);
    enter(&gateway, address, request, door).await
}

async fn enter(
    gateway: &Arc<Gateway>,
    Extension(ClientAddress(client)): Address,
    request: Request,
    door: Result<Door, Problem>,
) -> Response {
    let (mut parts, _) = request.into_parts();
    let opened = match door {
        Ok(door) => open(gateway, client, &mut parts, door).await,
        Err(refusal) => Err(refusal),
    };
    opened.unwrap_or_else(IntoResponse::into_response)
}

async fn open(
    gateway: &Arc<Gateway>,
    client: IpAddr,
    parts: &mut Parts,
    door: Door,
) -> Result<Response, Problem> {
    let accept = check(parts)?;
    let protocol = subprotocol(&parts.headers, door.dialect)?;
    let compression = compression(gateway, &parts.headers);
    let device = device(parts)?;
    let admitted = admit(gateway, client, parts, &door, device).await;
    let upgrade = parts.extensions.remove::<OnUpgrade>();
    let upgrade = upgrade
        .ok_or_else(|| Error::new(Code::InvalidFrame, "this connection cannot be upgraded"))?;
    let shared = gateway.clone();
    match admitted {
        Ok(admitted) => {
            // Boxed, so that a connection that goes on has no room kept for its beginning.
            let socket = take_over(upgrade, compression);
            let beginning = Box::pin(async move { admitted.begin(shared, socket.await?).await });
            gateway.tasks.spawn_connection(async move {
                if let Some((mut running, _place)) = beginning.await {
                    running.serve().await;
                }
            });
        }
        Err(refusal) => {
            let code = close_code(refusal.error()).filter(|_| door.refuses_inside());
            let Some(close) = code else { return Err(refusal) };
            gateway.metrics.closes.get_or_create(&CloseReason { code: close.code }).inc();
            gateway.tasks.spawn_connection(async move {
                if let Some(socket) = take_over(upgrade, compression).await {
                    preauth::turn_away(&shared, socket, &close).await;
                }
            });
        }
    }
    Ok(switching(&accept, protocol, compression))
}

/// Somebody who may come in, with the place that he takes.
struct Admitted {
    guest: Guest,
    place: Place,
}

enum Guest {
    /// He is in: whatever is said from now on will reach him.
    Known(Box<Entered>),
    /// He will say who he is with his first frame.
    Unknown { device: Option<Arc<str>>, waiting: Place },
}

impl Admitted {
    /// Begins to serve the socket. `None`: there is nobody to serve any more.
    async fn begin(self, gateway: Arc<Gateway>, socket: Upgraded) -> Option<(Running, Place)> {
        let running = match self.guest {
            Guest::Known(entered) => {
                let decoder = connection::decoder(&gateway, socket.compression);
                entered.begin(socket, decoder)
            }
            Guest::Unknown { device, waiting } => {
                introduce(&gateway, socket, device, waiting).await?
            }
        };
        Some((running, self.place))
    }
}

/// Waits until a native client has said who it is, and lets it in. `None`: it is gone, or has been turned away.
async fn introduce(
    gateway: &Arc<Gateway>,
    socket: Upgraded,
    device: Option<Arc<str>>,
    waiting: Place,
) -> Option<Running> {
    let signed_in = preauth::wait(gateway, socket).await;
    drop(waiting);
    let SignedIn { identity, socket, decoder } = signed_in?;
    let now = gateway.clock.monotonic();
    match entry::enter(gateway, identity, now, Wish::new(&Door::native(), device, None)).await {
        Ok(entered) => Some(entered.begin(socket, decoder)),
        Err(error) => {
            session::log_failure(&error);
            let close = close_code(&error).unwrap_or(Close::TRY_AGAIN);
            preauth::turn_away(gateway, socket, &close).await;
            None
        }
    }
}

async fn admit(
    gateway: &Arc<Gateway>,
    client: IpAddr,
    parts: &Parts,
    door: &Door,
    device: Option<Arc<str>>,
) -> Result<Admitted, Problem> {
    let now = gateway.clock.monotonic();
    let place = gateway
        .admission
        .enter(client, now)
        .map_err(|wait| Problem::from(rate_limited("connections_per_address", wait)))?;
    let guest = match gateway.auth.identify(parts, door.surface).await? {
        Some(identity) => {
            room(gateway, &identity, device.as_deref())?;
            may_enter(gateway, &identity, door).await?;
            let wish = Wish::new(door, device, agent(parts));
            Guest::Known(Box::new(entry::enter(gateway, identity, now, wish).await?))
        }
        // Only native clients can say who they are later.
        None if door.surface != Surface::NativeSocket => {
            return Err(Error::new(Code::NotAuthenticated, "sign in to open this socket").into());
        }
        None => {
            let waiting = gateway.admission.enter_unauthenticated().ok_or_else(|| {
                Problem::from(rate_limited("connections_before_auth", Duration::from_secs(5)))
            })?;
            Guest::Unknown { device, waiting }
        }
    };
    Ok(Admitted { guest, place })
}

/// Whether the user is in the conversation that the socket is about. Unknown and foreign ones look the same.
async fn may_enter(gateway: &Gateway, identity: &Identity, door: &Door) -> Result<(), Problem> {
    let Some(scope) = door.scope else { return Ok(()) };
    let user = identity.actor.user.clone();
    let membership = match scope {
        Some(conversation) => gateway.chat.store().membership(user, conversation).await?,
        None => None,
    };
    match membership {
        Some(_) => Ok(()),
        None => Err(Problem::from(Error::not_found()).with_status(StatusCode::FORBIDDEN)),
    }
}

/// Whether the user has room for one more connection.
pub(super) fn room(
    gateway: &Gateway,
    identity: &Identity,
    device: Option<&str>,
) -> Result<(), Problem> {
    gateway
        .hub
        .has_room(&identity.actor.user, device)
        .map_err(|refused| Error::from(refused).into())
}

/// Whether a request asks for a socket, and what to accept it with.
pub(crate) fn check(parts: &Parts) -> Result<String, Problem> {
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

/// What is agreed with a client about message compression, which it may have asked for.
pub(crate) fn compression(gateway: &Gateway, headers: &HeaderMap) -> Option<Agreed> {
    gateway.compression?.agree(&joined(headers, &header::SEC_WEBSOCKET_EXTENSIONS))
}

/// The client's name for its device, from `?device=`.
pub(crate) fn device(parts: &Parts) -> Result<Option<Arc<str>>, Problem> {
    let query = parts.uri.query().unwrap_or_default();
    let device = parameter(query, "device");
    match device {
        None | Some("") => Ok(None),
        Some(name) if name.len() <= 64 => Ok(Some(name.into())),
        Some(_) => Err(Error::new(Code::TooLong, "a device name has at most 64 bytes").into()),
    }
}

/// A mark of the kind of client, from what it says of itself. Durable, so it must not change from one version to the
/// next.
pub(crate) fn agent(parts: &Parts) -> Option<u32> {
    let told = parts.headers.get(header::USER_AGENT)?;
    let hash = sha2::Sha256::digest(told.as_bytes());
    hash.first_chunk().map(|first| u32::from_be_bytes(*first))
}

/// The answer after which the connection is a socket.
pub(crate) fn switching(
    accept: &str,
    protocol: Option<&'static str>,
    compression: Option<Agreed>,
) -> Response {
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
    let agreed = compression.map(|agreed| HeaderValue::from_str(&agreed.to_string()));
    if let Some(Ok(agreed)) = agreed {
        headers.insert(header::SEC_WEBSOCKET_EXTENSIONS, agreed);
    }
    response
}

/// Gets the bare socket back from hyper, with the answer that it believes to have written.
pub(crate) async fn take_over(upgrade: OnUpgrade, compression: Option<Agreed>) -> Option<Upgraded> {
    let upgraded = upgrade.await.ok()?;
    let parts = upgraded.downcast::<TokioIo<HttpStream>>().ok()?;
    let early = parts.read_buf.to_vec();
    let (stream, answer) = parts.io.into_inner().into_parts();
    Some(Upgraded { stream, answer, early, compression })
}
