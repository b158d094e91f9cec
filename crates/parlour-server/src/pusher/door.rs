//! `GET /app/{key}`: clients of the Pusher protocol come in here.
//!
//! Who may not come in is let in and told so by a close code: a refused upgrade its clients would repeat for ever.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension,
    extract::{Path, Request, State},
    response::{IntoResponse as _, Response},
};
use http::request::Parts;
use parlour_core::{Code, Error};
use parlour_wire::pusher::{CloseCode, handshake};

use super::{
    apps::{App, Known},
    channels::{self, Device},
    socket,
};
use crate::{
    gateway::{
        Gateway,
        admission::Place,
        close::Codes,
        connection, farewell,
        link::Link,
        listener::ClientAddress,
        upgrade::{self, Upgraded},
    },
    http::error::Problem,
    metrics::CloseReason,
};

/// How long the goodbye to somebody who may not come in may take.
const GOODBYE: Duration = Duration::from_secs(2);

/// Opens a socket of the application that has the key.
pub(crate) async fn open(
    State(gateway): State<Arc<Gateway>>,
    Extension(ClientAddress(client)): Extension<ClientAddress>,
    Path(key): Path<String>,
    request: Request,
) -> Response {
    let (mut parts, _) = request.into_parts();
    let opened = enter(&gateway, client, &key, &mut parts);
    opened.unwrap_or_else(Problem::into_response)
}

fn enter(
    gateway: &Arc<Gateway>,
    client: std::net::IpAddr,
    key: &str,
    parts: &mut Parts,
) -> Result<Response, Problem> {
    let accept = upgrade::check(parts)?;
    let compression = upgrade::compression(gateway, &parts.headers);
    // A name that is too long is none: such a client gets everything but has no place of its own.
    let device =
        Device { name: upgrade::device(parts).ok().flatten(), agent: upgrade::agent(parts) };
    let admitted = admit(gateway, client, key, parts.uri.query().unwrap_or_default());
    let upgrade = parts.extensions.remove::<hyper::upgrade::OnUpgrade>();
    let upgrade = upgrade
        .ok_or_else(|| Error::new(Code::InvalidFrame, "this connection cannot be upgraded"))?;
    let shared = gateway.clone();
    gateway.tasks.spawn_connection(async move {
        let Some(upgraded) = upgrade::take_over(upgrade, compression).await else { return };
        match admitted {
            Ok((app, _place)) => socket::run(shared, app, upgraded, device).await,
            Err(code) => turn_away(&shared, upgraded, code).await,
        }
    });
    Ok(upgrade::switching(&accept, None, compression))
}

/// Whose client it is, with his place among those of his address.
fn admit(
    gateway: &Gateway,
    client: std::net::IpAddr,
    key: &str,
    query: &str,
) -> Result<(Arc<App>, Place), CloseCode> {
    handshake::protocol(query)?;
    let app = match gateway.pusher.apps.by_key(key) {
        Known::Enabled(app) => app.clone(),
        Known::Disabled => return Err(CloseCode::APP_DISABLED),
        Known::Unknown => return Err(CloseCode::NO_APP),
    };
    if gateway.hub.is_draining() {
        return Err(CloseCode::RECONNECT);
    }
    let place = gateway.admission.enter(client, gateway.clock.monotonic());
    Ok((app, place.map_err(|_| CloseCode::OVER_CAPACITY)?))
}

async fn turn_away(gateway: &Gateway, upgraded: Upgraded, code: CloseCode) {
    let link = link(gateway);
    goodbye(gateway, &link, upgraded, code).await;
}

/// Tells a client why it cannot stay, and waits for its answer, so that the code arrives before the end does.
pub(super) async fn goodbye(gateway: &Gateway, link: &Link, upgraded: Upgraded, code: CloseCode) {
    gateway.metrics.closes.get_or_create(&CloseReason { code: code.code }).inc();
    channels::end(link, code);
    // What it says now does not matter any more.
    let _early = link.attach(upgraded);
    let mut decoder = connection::decoder(gateway, link.compression());
    // Whether the goodbye arrives is the client's business.
    let _unheard = tokio::time::timeout(GOODBYE, farewell::finish(link, &mut decoder)).await;
}

/// A socket as the rest of the process sees it, before it is open.
pub(super) fn link(gateway: &Gateway) -> Arc<Link> {
    Link::new(Some(Codes::Pusher), gateway.limits.clone(), gateway.metrics.clone())
}
