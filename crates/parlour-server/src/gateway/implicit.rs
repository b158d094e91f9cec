//! What clients get on return that cannot ask for it: the server keeps their place (`docs/protocol/resume.md`).

use std::{sync::Arc, time::Duration};

use parlour_core::{
    Code, ConversationId, Epoch, Error, Position, Result, Seq,
    model::Membership,
    port::store::{ClaimedSocket, Siblings, SocketId, SocketKey},
};
use tokio::{
    sync::oneshot,
    time::{Instant, sleep},
};

use super::{Gateway, conn::Conn, hub::Loading, ledger::Track, missed, resume};
use crate::hash::{HashMap, HashMapExt as _};

/// How long a new socket waits for an old one of the same client that is just being closed.
const SETTLING: Duration = Duration::from_millis(30);

/// How long at most for one that has ended and whose place is being stored.
const ENDING: Duration = Duration::from_secs(2);

/// How often it looks.
const LOOK: Duration = Duration::from_millis(5);

/// After so long it is tried again to let a place wait that could not be, then after twice as long, and so on.
const RELEASE_AGAIN: Duration = Duration::from_millis(100);

/// Its longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// A place that has been claimed: what is stored from its claim on will arrive.
pub(crate) struct Claimed {
    memberships: Vec<Membership>,
    /// Where the client stands; conversations that are not named are new to it.
    from: HashMap<ConversationId, Position>,
    _loading: Loading,
}

/// Claims a connection's place and holds its live events back until [`follow`].
pub(crate) async fn prepare(gateway: &Gateway, conn: &Arc<Conn>) -> Result<Claimed> {
    conn.hold();
    settle(gateway, conn).await?;
    let loading = gateway.hub.begin_loading(&conn.user);
    let mut memberships = resume::subscribe(gateway, conn, loading.subscribed).await?;
    memberships.retain(|membership| conn.covers(membership.conversation));
    let mut from = heads(&memberships);
    if let Some(track) = &conn.track {
        let siblings = siblings(gateway, conn, &memberships).await;
        let heads = from.iter().map(|(at, place)| (*at, *place)).collect();
        let claimed = claim(gateway, conn, track, heads, siblings).await?;
        if let Some(positions) = claimed.positions {
            from = positions.into_iter().collect();
        }
    }
    Ok(Claimed { memberships, from, _loading: loading })
}

/// Sends what its client missed, and lets live events follow.
pub(crate) async fn follow(gateway: &Gateway, conn: &Arc<Conn>, claimed: Claimed) -> Result<()> {
    let Claimed { memberships, from, _loading } = claimed;
    let mut covered = HashMap::with_capacity(memberships.len());
    for own in &memberships {
        let place = from.get(&own.conversation).copied();
        let up_to = match place {
            Some(place) if place.epoch == own.epoch && place.seq >= own.last_seq => own.last_seq,
            _ if !conn.dialect().shows(own.kind) => own.last_seq,
            place => missed::send(gateway, conn, own, place).await?,
        };
        covered.insert(own.conversation, up_to);
    }
    gateway.hub.begin_streaming(conn, &covered, gateway.seconds());
    gateway.hub.tell_who_is_here(conn);
    gateway.metrics.resumes.inc();
    Ok(())
}

/// Both. `begin` is called between them, when nothing has been sent yet: whatever is stored from now on will arrive.
/// Where it says no, nothing follows.
pub(crate) async fn resume_with(
    gateway: &Gateway,
    conn: &Arc<Conn>,
    begin: impl FnOnce() -> bool + Send,
) -> Result<()> {
    let claimed = prepare(gateway, conn).await?;
    if begin() { follow(gateway, conn, claimed).await } else { Ok(()) }
}

fn heads(memberships: &[Membership]) -> HashMap<ConversationId, Position> {
    let place = |own: &Membership| Position { epoch: own.epoch, seq: own.last_seq };
    memberships.iter().map(|own| (own.conversation, place(own))).collect()
}

/// Waits a moment for an old socket of the same client whose goodbye is on the way: some clients open the next one
/// in the same instant, and it is to continue where the old one stood. One that is only waiting for its client's
/// answer to a close waits no longer: its client is here.
///
/// Where the store could not be told that the old one has ended, its place cannot be taken, and a new one would begin at the
/// end of the log: the client comes again.
async fn settle(gateway: &Gateway, conn: &Conn) -> Result<()> {
    let begun = Instant::now();
    loop {
        let siblings = gateway.hub.siblings(conn);
        let mut ending = false;
        for other in siblings.iter().filter(|other| other.is_closing()) {
            if other.channel.is_none() {
                other.link.abort();
            }
            ending |= other.channel.is_none() || other.has_parted();
        }
        let is_unreleased =
            |other: &Arc<Conn>| other.track.as_ref().is_some_and(|track| track.is_unreleased());
        let unreleased = siblings.iter().any(is_unreleased);
        let patience = if ending || unreleased { ENDING } else { SETTLING };
        if siblings.is_empty() || begun.elapsed() >= patience {
            let message = "where this client stands could not be stored yet; try again";
            return match unreleased {
                true => Err(Error::new(Code::Unavailable, message)),
                false => Ok(()),
            };
        }
        sleep(LOOK).await;
    }
}

/// Claims a place in the store. The claim is finished by a task of its own: were it given up half way because the
/// socket has gone, the place would be taken by nobody. Then it is for [`leave`] to let it wait.
async fn claim(
    gateway: &Gateway,
    conn: &Conn,
    track: &Arc<Track>,
    heads: Vec<(ConversationId, Position)>,
    siblings: Siblings,
) -> Result<ClaimedSocket> {
    let (give, given) = oneshot::channel();
    let (chat, clock, key) = (gateway.chat.clone(), gateway.clock.clone(), key(conn));
    let claiming = track.begin_claim();
    gateway.tasks.spawn("claim of a place", async move {
        let claimed = chat.store().claim_socket(key, heads, siblings, clock.now()).await;
        if let Ok(claimed) = &claimed {
            claiming.keep_in(claimed.id);
        }
        drop(claiming);
        // Who asked may have gone.
        let _unheard = give.send(claimed);
    });
    given.await.unwrap_or_else(|_| Err(Error::new(Code::Unavailable, "the server restarts")))
}

fn key(conn: &Conn) -> SocketKey {
    SocketKey {
        user: conn.user.clone(),
        dialect: conn.kept_as(),
        scope: conn.scope,
        device: conn.device.clone(),
        agent: conn.agent,
    }
}

/// How far live sockets of the same client have proof of. One of them may be dead without anybody knowing, and this
/// connection its return.
async fn siblings(gateway: &Gateway, conn: &Conn, memberships: &[Membership]) -> Siblings {
    if gateway.hub.siblings(conn).is_empty() {
        return Siblings::default();
    }
    // What this process has heard of is in their queues by then, or has been.
    gateway.inbox.settled().await;
    let epochs: HashMap<ConversationId, Epoch> =
        memberships.iter().map(|own| (own.conversation, own.epoch)).collect();
    let siblings = gateway.hub.siblings(conn);
    // Looked at first: with one that begins to stream after this, all that it missed is in flight.
    let beginning = siblings.iter().any(|other| !other.has_begun());
    let unproved =
        siblings.iter().filter_map(|other| Some(other.link.unproved(other.track.as_ref()?)));
    let proved = unproved.flatten().map(|(id, first)| (id, Seq(first.0.saturating_sub(1))));
    // What it has not heard of yet, because another process has written it, they do not have either.
    let ends = memberships.iter().map(|own| (own.conversation, own.last_seq)).collect();
    let heard = gateway.hub.behind(&ends);
    let place = |(conversation, seq)| {
        Some((conversation, Position { epoch: *epochs.get(&conversation)?, seq }))
    };
    Siblings { in_flight: proved.chain(heard).filter_map(place).collect(), beginning }
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
    track.end_of_claim().await;
    let Some(row) = track.row() else { return };
    let proved = track.take();
    if !proved.is_empty()
        && let Err(error) = gateway.chat.acknowledge_socket(conn.actor(), row, proved).await
    {
        super::session::log_failure(&error);
    }
    release(gateway, track, row, conn.has_parted()).await;
}

/// Lets a place wait for its client's next socket, as soon as the store takes it: what stays live is taken by nobody. At the end
/// of the process it is given up, because the next start lets all wait that are live.
async fn release(gateway: &Gateway, track: &Track, row: SocketId, clean: bool) {
    let Gateway { chat, clock, tasks, .. } = gateway;
    let mut pause = RELEASE_AGAIN;
    while let Err(error) = chat.store().release_socket(row, clean, clock.now()).await {
        super::session::log_failure(&error);
        track.set_unreleased(true);
        tokio::select! {
            biased;
            () = tasks.stopping() => return,
            () = sleep(pause) => {}
        }
        pause = (2 * pause).min(LONGEST_PAUSE);
    }
    track.set_unreleased(false);
}
