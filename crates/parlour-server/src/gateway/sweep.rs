//! The one timer for all connections: pings, deadlines, expiries, typing and presence.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use parlour_websocket::Frame;
use parlour_wire::{Notice, pusher::encode};

use super::{
    Gateway,
    close::{Close, Codes},
    conn::Conn,
    frames::frame,
    implicit,
    link::Link,
    send_queue::Item,
};

/// How often typing is looked at.
const TICK: Duration = Duration::from_millis(250);

/// Every so many ticks connections are looked at.
const TICKS_A_SECOND: u32 = 4;

/// How long a client may take to answer a close frame, in seconds.
const CLOSE_WAIT: u32 = 5;

/// How long one message may take to arrive, in seconds.
const MESSAGE_WAIT: u32 = 30;

/// After a resume the floors of a connection are kept for so many seconds.
const FLOORS_KEPT: u32 = 60;

/// All queues together may hold so many bytes; past it the largest is closed.
const OUTBOUND_BYTES: usize = 256 * 1024 * 1024;

/// Runs until the shutdown begins. Connections that are being drained are still looked after.
pub(super) async fn run(gateway: Arc<Gateway>) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut count = 0u32;
    loop {
        tokio::select! {
            biased;
            () = gateway.tasks.stopping() => return,
            _ = ticks.tick() => {}
        }
        count = count.wrapping_add(1);
        gateway.hub.sweep_typing();
        gateway.hub.sweep_receipts();
        gateway.hub.sweep_owed();
        if count.is_multiple_of(TICKS_A_SECOND) {
            connections(&gateway);
            gateway.hub.sweep_presence();
            gateway.admission.sweep(gateway.clock.monotonic());
            gateway.metrics.set_store(gateway.chat.store().stats());
        }
    }
}

fn connections(gateway: &Arc<Gateway>) {
    let now = gateway.seconds();
    let wall = gateway.clock.now();
    let mut queued = 0;
    let mut largest: Option<(usize, Arc<Link>)> = None;
    for conn in gateway.hub.connections() {
        if conn.channel.is_none() {
            look_after(&conn.link, now, gateway, &mut queued, &mut largest);
        }
        if conn.is_closing() {
            continue;
        }
        expiry(&conn, wall, gateway);
        let resumed = conn.resumed.load(Relaxed);
        if resumed != 0 && now.saturating_sub(resumed) == FLOORS_KEPT {
            conn.drop_floors();
        }
        implicit::store_proved(gateway, &conn);
    }
    for link in gateway.pusher.links() {
        look_after(&link, now, gateway, &mut queued, &mut largest);
    }
    gateway.pusher.channels.sweep();
    gateway.metrics.queued_bytes.set(i64::try_from(queued).unwrap_or(i64::MAX));
    if queued > OUTBOUND_BYTES
        && let Some((_, link)) = largest
    {
        link.close(&Close::SLOW_CONSUMER);
    }
}

/// Holds a socket to its deadlines, and counts what waits in it.
fn look_after(
    link: &Arc<Link>,
    now: u32,
    gateway: &Gateway,
    queued: &mut usize,
    largest: &mut Option<(usize, Arc<Link>)>,
) {
    if !patience(link, now, gateway) {
        link.abort();
        return;
    }
    if link.is_closing() {
        return;
    }
    heartbeat(link, now, gateway);
    let bytes = link.queued_bytes();
    *queued += bytes;
    if bytes > largest.as_ref().map_or(0, |(most, _)| *most) {
        *largest = Some((bytes, link.clone()));
    }
}

/// Whether a connection that waits for its client may go on waiting.
fn patience(link: &Link, now: u32, gateway: &Gateway) -> bool {
    let waited = |since: u32| if since == 0 { 0 } else { now.saturating_sub(since) };
    if link.is_closing() {
        let since = &link.timing.closing_since;
        let began = since.load(Relaxed);
        if began == 0 {
            since.store(now, Relaxed);
        }
        return waited(began) < CLOSE_WAIT;
    }
    let blocked = &link.timing.blocked_since;
    if !link.wants_write() {
        blocked.store(0, Relaxed);
    } else if blocked.load(Relaxed) == 0 {
        blocked.store(now, Relaxed);
    } else if waited(blocked.load(Relaxed)) >= seconds(gateway.limits.write_timeout) {
        link.close(&Close::SLOW_CONSUMER);
    }
    if waited(link.timing.message_since.load(Relaxed)) >= MESSAGE_WAIT {
        link.close(&Close::MESSAGE_TIMEOUT);
    }
    true
}

fn heartbeat(link: &Link, now: u32, gateway: &Gateway) {
    if link.socket().is_none() {
        return;
    }
    // What was written is to be proved to have arrived; a ping that is not answered counts from now on.
    if link.prove() {
        let _counts_already = link.timing.pinged.compare_exchange(0, now, Relaxed, Relaxed);
    }
    let pinged = link.timing.pinged.load(Relaxed);
    if pinged != 0 {
        if now.saturating_sub(pinged) >= seconds(gateway.limits.pong_timeout) {
            link.close(&Close::PING_TIMEOUT);
            link.abort();
        }
        return;
    }
    let silent = now.saturating_sub(link.timing.heard.load(Relaxed));
    if silent >= seconds(gateway.limits.ping_interval) {
        link.timing.pinged.store(now, Relaxed);
        link.send_ahead([Item::control(Frame::ping(&[]))]);
        if link.codes() == Some(Codes::Pusher) {
            // Some of its clients answer only their own protocol's.
            link.send_ahead([Item::control(frame(encode::ping))]);
        }
    }
}

/// Warns before a sign-in ends, and ends the connection with it (guarantee G23).
fn expiry(conn: &Conn, wall: i64, gateway: &Gateway) {
    let expires_at = conn.sign_in.expires_at.load(Relaxed);
    if expires_at == 0 {
        return;
    }
    if wall >= expires_at {
        conn.close(&Close::EXPIRED);
        return;
    }
    let warning = i64::try_from(gateway.limits.expiry_warning.as_millis()).unwrap_or(i64::MAX);
    if expires_at - wall <= warning && !conn.sign_in.warned.swap(true, Relaxed) {
        conn.notify(Notice::Expiring(expires_at));
    }
}

fn seconds(time: Duration) -> u32 {
    u32::try_from(time.as_secs()).unwrap_or(u32::MAX)
}
