//! What clients get on return that cannot ask for it: the server keeps their place (`docs/protocol/resume.md`).

use std::{sync::Arc, time::Duration};

use foldhash::HashMap;
use parlour_core::{
    Code, ConversationId, Epoch, Error, Position, Result, Seq,
    command::ResyncReason,
    event::{Durability, Event},
    model::Membership,
    port::store::{ClaimedSocket, SocketKey},
};
use parlour_wire::{Audience, Notice};
use tokio::{
    sync::oneshot,
    time::{Instant, sleep},
};

use super::{Gateway, conn::Conn, frames::Frames, ledger::Track, resume, send_queue::Item};

/// Most Changes of one conversation that are sent on return; of more, the newest.
const MOST_CHANGES: u64 = 200;

/// How long a new socket waits for an old one of the same client that is just being closed.
const SETTLING: Duration = Duration::from_millis(30);

/// How long at most for one that has ended and whose place is being stored.
const ENDING: Duration = Duration::from_secs(2);

/// How often it looks.
const LOOK: Duration = Duration::from_millis(5);

/// Gives a connection its place, sends what its client missed, and lets live events follow.
pub(super) async fn resume(gateway: &Gateway, conn: &Arc<Conn>) -> Result<()> {
    resume_with(gateway, conn, || true).await
}

/// The same; `begin` is called when the place is known and nothing has been sent yet: whatever is stored from now on
/// will arrive. Where it says no, nothing follows.
pub(crate) async fn resume_with(
    gateway: &Gateway,
    conn: &Arc<Conn>,
    begin: impl FnOnce() -> bool + Send,
) -> Result<()> {
    conn.hold();
    settle(gateway, conn).await;
    let loading = gateway.hub.begin_loading(conn);
    let caught_up = catch_up(gateway, conn, loading.subscribed, begin).await;
    if let Ok(Some(heads)) = &caught_up {
        gateway.hub.begin_streaming(conn, heads, gateway.seconds());
        gateway.hub.tell_who_is_here(conn);
    }
    gateway.metrics.resumes.inc();
    caught_up.map(drop)
}

/// Waits a moment for an old socket of the same client whose goodbye is on the way: some clients open the next one
/// in the same instant, and it is to continue where the old one stood. One that is only waiting for its client's
/// answer to a close waits no longer: its client is here.
async fn settle(gateway: &Gateway, conn: &Conn) {
    let begun = Instant::now();
    loop {
        let siblings = gateway.hub.siblings(conn);
        let mut ending = false;
        for other in siblings.iter().filter(|other| other.channel.is_none() && other.is_closing()) {
            other.link.abort();
            ending = true;
        }
        let patience = if ending { ENDING } else { SETTLING };
        if siblings.is_empty() || begun.elapsed() >= patience {
            return;
        }
        sleep(LOOK).await;
    }
}

/// Claims a place in the store. The claim is finished by a task of its own: were it given up half way because the
/// socket has gone, the place would be taken by nobody.
async fn claim(
    gateway: &Gateway,
    conn: &Conn,
    track: &Arc<Track>,
    heads: Vec<(ConversationId, Position)>,
    in_flight: Vec<(ConversationId, Position)>,
) -> Result<ClaimedSocket> {
    let (give, given) = oneshot::channel();
    let (chat, clock, key) = (gateway.chat.clone(), gateway.clock.clone(), key(conn));
    let track = track.clone();
    gateway.tasks.spawn("claim of a place", async move {
        let claimed = chat.store().claim_socket(key, heads, in_flight, clock.now()).await;
        if let Ok(claimed) = &claimed {
            track.keep_in(claimed.id);
        }
        if let Err(Ok(unwanted)) = give.send(claimed)
            && let Err(error) = chat.store().release_socket(unwanted.id, false, clock.now()).await
        {
            super::session::log_failure(&error);
        }
    });
    given.await.unwrap_or_else(|_| Err(Error::new(Code::Unavailable, "the server restarts")))
}

async fn catch_up(
    gateway: &Gateway,
    conn: &Arc<Conn>,
    subscribed: bool,
    begin: impl FnOnce() -> bool + Send,
) -> Result<Option<HashMap<ConversationId, Seq>>> {
    let mut memberships = resume::subscribe(gateway, conn, subscribed).await?;
    memberships.retain(|membership| conn.covers(membership.conversation));
    let heads: HashMap<_, _> =
        memberships.iter().map(|own| (own.conversation, own.last_seq)).collect();
    let Some(track) = &conn.track else { return Ok(begin().then_some(heads)) };
    let place = |own: &Membership| Position { epoch: own.epoch, seq: own.last_seq };
    let heads_now = memberships.iter().map(|own| (own.conversation, place(own))).collect();
    let in_flight = in_flight(gateway, conn, &memberships);
    let claimed = claim(gateway, conn, track, heads_now, in_flight).await?;
    if !begin() {
        return Ok(None);
    }
    if let Some(positions) = claimed.positions {
        let positions: HashMap<_, _> = positions.into_iter().collect();
        for own in memberships.iter().filter(|own| conn.dialect().shows(own.kind)) {
            let from = positions.get(&own.conversation).copied();
            missed(gateway, conn, own, from).await?;
        }
    }
    Ok(Some(heads))
}

fn key(conn: &Conn) -> SocketKey {
    SocketKey {
        user: conn.user.clone(),
        dialect: conn.kept_as(),
        scope: conn.scope,
        device: conn.device.clone(),
    }
}

/// How far live sockets of the same client have proof of. One of them may be dead without anybody knowing, and this
/// connection its return.
fn in_flight(
    gateway: &Gateway,
    conn: &Conn,
    memberships: &[Membership],
) -> Vec<(ConversationId, Position)> {
    let epochs: HashMap<ConversationId, Epoch> =
        memberships.iter().map(|own| (own.conversation, own.epoch)).collect();
    let siblings = gateway.hub.siblings(conn);
    let unproved =
        siblings.iter().filter_map(|other| Some(other.link.unproved(other.track.as_ref()?)));
    let before = |(conversation, first): (ConversationId, Seq)| {
        let epoch = *epochs.get(&conversation)?;
        Some((conversation, Position { epoch, seq: Seq(first.0.saturating_sub(1)) }))
    };
    unproved.flatten().filter_map(before).collect()
}

/// Sends what one conversation has that the client lacks; `from` is `None` for one that is new to it.
async fn missed(
    gateway: &Gateway,
    conn: &Arc<Conn>,
    own: &Membership,
    from: Option<Position>,
) -> Result<()> {
    let (conversation, end) = (own.conversation, own.last_seq);
    let (start, reason) = match from {
        Some(position) if position.epoch != own.epoch => (None, ResyncReason::Epoch),
        Some(position) => (Some(position.seq), ResyncReason::TooLong),
        None => (Some(own.joined_seq), ResyncReason::TooLong),
    };
    let newest = Seq(end.0.saturating_sub(MOST_CHANGES));
    let start = match start {
        Some(start) if start >= newest => start,
        _ => {
            gateway.metrics.resyncs.inc();
            conn.notify_ahead(Notice::Resync(conversation, reason));
            newest
        }
    };
    let mut after = start;
    while after < end {
        let limit = gateway.limits.resume_page;
        let viewer = Some(conn.user.clone());
        let replay = gateway.chat.store().replay(viewer, conversation, after, end, limit).await?;
        let replay = replay.seen_from(start);
        let items = gateway.hub.with_scene(Some(conversation), |scene| {
            let mut items = Vec::new();
            for envelope in &replay.envelopes {
                let Some((mark, audience)) = concern(conn, start, envelope) else { continue };
                let dialect = conn.dialect();
                let frames = Frames::of(|out| dialect.encode(envelope, audience, scene, out));
                items.extend(conn.addressed(frames).into_iter().map(|frame| Item {
                    frame,
                    durability: Durability::Durable,
                    mark: Some(mark),
                    track: conn.track.clone(),
                }));
            }
            items
        });
        conn.send_items(items);
        conn.link.writable().await;
        // A page always covers something; one that did not would be asked for for ever.
        after = replay.covered.max(after.next());
    }
    Ok(())
}

/// The Change's place, and as what its reader gets it; `None` for what he need not be told on return. What was both
/// said and taken back meanwhile never was there for him.
fn concern(
    conn: &Conn,
    start: Seq,
    envelope: &parlour_core::event::Envelope,
) -> Option<((ConversationId, Seq), Audience)> {
    let mark = envelope.conversation.zip(envelope.seq)?;
    let message = envelope.event.message()?;
    if matches!(envelope.event, Event::MessageDeleted(_)) && message.seq > start {
        return None;
    }
    let own = message.sender.id == conn.user;
    Some((mark, if own { Audience::Sender } else { Audience::Others }))
}

/// Stores how far a client has proof of, and shows its user's friends that it was delivered. Called every second.
pub(super) fn store_proved(gateway: &Arc<Gateway>, conn: &Arc<Conn>) {
    let Some(track) = &conn.track else { return };
    let Some(row) = track.row() else { return };
    let proved = track.take();
    if proved.is_empty() {
        return;
    }
    let (shared, actor, track) = (gateway.clone(), conn.actor(), track.clone());
    gateway.tasks.spawn("proof of delivery", async move {
        let stored = shared.chat.acknowledge_socket(actor, row, proved.clone()).await;
        if let Err(error) = stored {
            super::session::log_failure(&error);
            track.put_back(&proved);
        }
    });
}

/// Stores the last proof of a connection that has ended; from now on its place waits for the next one.
pub(crate) async fn leave(gateway: &Gateway, conn: &Conn) {
    let Some(track) = &conn.track else { return };
    let Some(row) = track.row() else { return };
    let proved = track.take();
    if !proved.is_empty()
        && let Err(error) = gateway.chat.acknowledge_socket(conn.actor(), row, proved).await
    {
        super::session::log_failure(&error);
    }
    let clean = conn.has_parted();
    let released = gateway.chat.store().release_socket(row, clean, gateway.clock.now()).await;
    if let Err(error) = released {
        super::session::log_failure(&error);
    }
}
