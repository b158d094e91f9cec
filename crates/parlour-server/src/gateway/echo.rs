//! `/echo`, which says what it hears: the accept loop, the reader and the codec under a conformance suite. Only in builds
//! with the feature `conformance`; no product has it.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use axum::{
    extract::{Request, State},
    response::{IntoResponse as _, Response},
};
use parlour_core::{Code, Error};
use parlour_websocket::Frame;

use super::{
    Gateway,
    close::Codes,
    connection,
    connection::{Open, Reader, Speaker},
    link::Link,
    upgrade::{self, Upgraded},
};
use crate::http::error::Problem;

/// Opens a socket that echoes.
pub(super) async fn open(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    enter(&gateway, request).unwrap_or_else(Problem::into_response)
}

fn enter(gateway: &Arc<Gateway>, request: Request) -> Result<Response, Problem> {
    let (mut parts, _) = request.into_parts();
    let accept = upgrade::check(&parts)?;
    let compression = upgrade::compression(gateway, &parts.headers);
    let upgrade = parts.extensions.remove::<hyper::upgrade::OnUpgrade>();
    let upgrade = upgrade
        .ok_or_else(|| Error::new(Code::InvalidFrame, "this connection cannot be upgraded"))?;
    let shared = gateway.clone();
    gateway.tasks.spawn_connection(async move {
        if let Some(upgraded) = upgrade::take_over(upgrade, compression).await {
            serve(shared, upgraded).await;
        }
    });
    Ok(upgrade::switching(&accept, None, compression))
}

async fn serve(gateway: Arc<Gateway>, upgraded: Upgraded) {
    let link = Link::new(Some(Codes::Parlour), gateway.limits.clone(), gateway.metrics.clone());
    let decoder = connection::decoder(&gateway, upgraded.compression);
    let early = link.attach(upgraded);
    link.timing.heard.store(gateway.seconds(), Relaxed);
    let echo = Echo(link.clone());
    Reader::new(gateway, link, decoder, echo).serve(early).await;
}

/// Answers every message with itself.
struct Echo(Arc<Link>);

impl Speaker for Echo {
    type Asked = Frame;
    type Answer = ();

    fn read(&self, text: &str) -> Frame {
        Frame::text(text)
    }

    fn read_binary(&self, bytes: &[u8]) -> Option<Frame> {
        Some(Frame::binary(bytes))
    }

    fn handle(&mut self, asked: Frame, _: &mut Open<()>) {
        self.0.send(asked);
    }

    fn answer(&mut self, (): ()) {}

    fn is_ready(&self, _: usize) -> bool {
        true
    }
}
