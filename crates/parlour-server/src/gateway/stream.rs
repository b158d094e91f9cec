//! The same events where WebSockets fail: as server-sent events, and by polling.

use std::{convert::Infallible, net::IpAddr, sync::Arc, time::Duration};

use axum::{
    Extension,
    body::{Body, Bytes},
    extract::{Query, Request, State},
    response::{IntoResponse, Response},
};
use futures_util::stream;
use http::{HeaderValue, header, request::Parts};
use parking_lot::Mutex;
use parlour_core::{Code, Error, Result, limits::rate_limited, model::User};
use parlour_wire::native::{self, Native};
use serde::Deserialize;
use tokio::time::timeout;

use super::{
    Gateway,
    admission::Place,
    conn::{Conn, NewConn},
    cursor::Cursor,
    frames::frame,
    link::Link,
    listener::ClientAddress,
    resume,
    send_queue::Item,
    session, upgrade,
};
use crate::{auth::Surface, http::error::Problem};

/// A comment is sent after so much silence, so that proxies keep the stream open.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// A cursor up to this size goes with every event, a larger one with every [`CURSOR_EVERY`]th.
const SMALL_CURSOR: usize = 512;
const CURSOR_EVERY: u32 = 32;

/// Longest wait of a poll.
const LONGEST_POLL: u64 = 25;

#[derive(Deserialize)]
pub(super) struct Wish {
    cursor: Option<String>,
    wait: Option<u64>,
}

/// A stream's connection, which ends with it.
struct Open {
    gateway: Arc<Gateway>,
    conn: Arc<Conn>,
    _place: Place,
    user: User,
    /// `None` until everything missed has been sent.
    cursor: Arc<Mutex<Option<Cursor>>>,
    from: Option<Cursor>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.conn.link.abort();
        self.gateway.hub.unregister(&self.conn);
    }
}

/// `GET /api/v1/events`.
pub(super) async fn events(
    State(gateway): State<Arc<Gateway>>,
    Extension(ClientAddress(client)): Extension<ClientAddress>,
    Query(wish): Query<Wish>,
    request: Request,
) -> Response {
    let (parts, _) = request.into_parts();
    let open = match open(&gateway, client, &parts, &wish, "sse").await {
        Ok(open) => open,
        Err(refusal) => return refusal.into_response(),
    };
    open.conn.send(session::hello(&gateway, &open.conn, &open.user));
    catch_up(&open);
    let body = Body::from_stream(stream::unfold((open, 0), |(open, sent)| async move {
        let bytes = next_event(&open, sent).await?;
        Some((Ok::<_, Infallible>(bytes), (open, sent.wrapping_add(1))))
    }));
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// `GET /api/v1/events/poll`.
pub(super) async fn poll(
    State(gateway): State<Arc<Gateway>>,
    Extension(ClientAddress(client)): Extension<ClientAddress>,
    Query(wish): Query<Wish>,
    request: Request,
) -> Response {
    let (parts, _) = request.into_parts();
    let answer = async {
        let open = open(&gateway, client, &parts, &wish, "poll").await?;
        let wait = Duration::from_secs(wish.wait.unwrap_or(LONGEST_POLL).min(LONGEST_POLL));
        Ok::<_, Problem>(gather(&open, wait).await?)
    };
    match answer.await {
        Ok(body) => {
            let json = HeaderValue::from_static("application/json");
            let none = HeaderValue::from_static("no-store");
            ([(header::CONTENT_TYPE, json), (header::CACHE_CONTROL, none)], body).into_response()
        }
        Err(refusal) => refusal.into_response(),
    }
}

async fn open(
    gateway: &Arc<Gateway>,
    client: IpAddr,
    parts: &Parts,
    wish: &Wish,
    transport: &'static str,
) -> Result<Open, Problem> {
    let place = gateway
        .admission
        .enter(client, gateway.clock.monotonic())
        .map_err(|wait| Problem::from(rate_limited("connections_per_address", wait)))?;
    let identity = gateway.auth.identify(parts, Surface::Stream).await?;
    let identity =
        identity.ok_or_else(|| Error::new(Code::NotAuthenticated, "sign in to receive events"))?;
    upgrade::room(gateway, &identity, None)?;
    let most = gateway.limits.conversations_per_connection;
    let last = parts.headers.get("last-event-id").and_then(|value| value.to_str().ok());
    let named = last.filter(|id| !id.is_empty()).or(wish.cursor.as_deref());
    let from = named.map(|text| Cursor::decode(text, most)).transpose()?;
    let user = gateway.chat.store().user(identity.actor.user.clone()).await?;
    let user = user.ok_or_else(Error::not_found)?;
    let link = Link::new(None, gateway.limits.clone(), gateway.metrics.clone());
    let conn = Conn::new(NewConn {
        key: gateway.new_key(),
        identity,
        device: None,
        agent: None,
        dialect: &Native,
        scope: None,
        channel: None,
        transport,
        link,
    });
    if gateway.hub.register(&conn, &user.profile).is_err() {
        return Err(Error::new(Code::Unavailable, "the server restarts; try again").into());
    }
    let cursor = Arc::default();
    Ok(Open { gateway: gateway.clone(), conn, _place: place, user, cursor, from })
}

/// Sends what was missed from a task of its own, because it waits for the reader.
fn catch_up(open: &Open) {
    let (gateway, conn, cursor) = (open.gateway.clone(), open.conn.clone(), open.cursor.clone());
    let from = open.from.as_ref().map(Cursor::places);
    open.gateway.tasks.spawn("stream resume", async move {
        let outcome = resume::run(&gateway, &conn, from, |resumed| {
            *cursor.lock() = Some(Cursor::new(resumed.conversations.iter().copied()));
            vec![frame(|out| native::ready(&resumed, out))]
        });
        if let Err(error) = outcome.await {
            session::log_failure(&error);
            conn.link.abort();
        }
    });
}

async fn next_event(open: &Open, sent: u32) -> Option<Bytes> {
    loop {
        if let Some(item) = open.conn.link.pop() {
            return Some(event(open, &item, sent));
        }
        if open.conn.is_closing() {
            return None;
        }
        if timeout(KEEP_ALIVE, open.conn.link.woken()).await.is_err() {
            return Some(Bytes::from_static(b":\n\n"));
        }
    }
}

/// One event in the form of the HTML standard, section 9.2.
fn event(open: &Open, item: &Item, sent: u32) -> Bytes {
    let mut out = Vec::with_capacity(item.frame.len() + 64);
    if let Some(cursor) = &mut *open.cursor.lock() {
        if let Some((conversation, seq)) = item.mark {
            cursor.advance(conversation, seq);
        }
        let text = cursor.encode();
        if text.len() <= SMALL_CURSOR || sent.is_multiple_of(CURSOR_EVERY) {
            out.extend_from_slice(format!("id: {text}\n").as_bytes());
        }
    }
    out.extend_from_slice(b"data: ");
    out.extend_from_slice(item.frame.payload());
    out.extend_from_slice(b"\n\n");
    out.into()
}

/// Waits until there is something, or `wait` is over, and answers with all of it.
async fn gather(open: &Open, wait: Duration) -> Result<Vec<u8>> {
    let mut frames = Vec::new();
    if open.from.is_none() {
        let hello = session::hello(&open.gateway, &open.conn, &open.user);
        frames.extend(hello.into_iter().map(Item::control));
    }
    let ready = Mutex::new(None);
    let places = open.from.as_ref().map(Cursor::places);
    let resumed = resume::run(&open.gateway, &open.conn, places, |resumed| {
        *open.cursor.lock() = Some(Cursor::new(resumed.conversations.iter().copied()));
        let frame = frame(|out| native::ready(&resumed, out));
        let told = !resumed.resync.is_empty() || !resumed.gone.is_empty();
        *ready.lock() = Some((frame.clone(), told));
        vec![frame]
    });
    tokio::pin!(resumed);
    loop {
        tokio::select! {
            biased;
            outcome = &mut resumed => {
                outcome?;
                break;
            }
            () = open.conn.link.woken() => frames.extend(std::iter::from_fn(|| open.conn.link.pop())),
        }
    }
    drain(open, &mut frames);
    // With a cursor, a `ready` that tells nothing new is no reason to answer.
    if let Some((frame, false)) = &*ready.lock()
        && open.from.is_some()
        && frames.len() == 1
    {
        frames.retain(|item| item.frame != *frame);
    }
    if frames.is_empty() {
        let _nothing_came = timeout(wait, async {
            while frames.is_empty() && !open.conn.is_closing() {
                open.conn.link.woken().await;
                drain(open, &mut frames);
            }
        })
        .await;
    }
    Ok(answer(open, &frames))
}

fn drain(open: &Open, frames: &mut Vec<Item>) {
    frames.extend(std::iter::from_fn(|| open.conn.link.pop()));
}

fn answer(open: &Open, frames: &[Item]) -> Vec<u8> {
    let mut cursor = open.cursor.lock().clone().unwrap_or_default();
    for (conversation, seq) in frames.iter().filter_map(|item| item.mark) {
        cursor.advance(conversation, seq);
    }
    let mut out = br#"{"events":["#.to_vec();
    for (index, item) in frames.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(item.frame.payload());
    }
    out.extend_from_slice(format!(r#"],"cursor":"{}"}}"#, cursor.encode()).as_bytes());
    out
}
