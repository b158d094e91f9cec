//! What was missed, then everything new: the merge of the log and the live stream (guarantees G5 to G7).
//!
//! Live events are held back first. Then the user is subscribed, and only after that it is read how far each log has
//! grown: what is in the logs up to there is replayed, what came live and is older is dropped, and the rest follows.

use std::sync::Arc;

use parlour_core::{
    ConversationId, Result, Seq,
    command::{Reply, ResumeFrom, Resumed, ResyncReason},
    event::Envelope,
    ids::Position,
    model::Membership,
};
use parlour_websocket::Frame;
use parlour_wire::{Tag, native};

use super::{
    Gateway,
    conn::Conn,
    frames::{Frames, frame},
};
use crate::hash::{HashMap, HashMapExt as _};

/// Resumes a connection that asked for it; the answer is the connection's own last word before live events.
pub(super) async fn native(
    gateway: &Gateway,
    conn: &Arc<Conn>,
    id: Option<u64>,
    positions: Vec<ResumeFrom>,
) -> Result<()> {
    run(gateway, conn, Some(positions), |resumed| {
        let outcome = Ok(Reply::Resumed(Box::new(resumed)));
        let tag = Tag::numbered(id);
        gateway.hub.with_scene(None, |scene| {
            Frames::of(|out| conn.dialect().reply(&tag, &outcome, scene, out))
        })
    })
    .await
    .map(drop)
}

/// Resumes a connection from `positions` (`None`: from now on), and lets live events follow what `last` makes of the
/// result. Gives where the connection stands.
pub(super) async fn run(
    gateway: &Gateway,
    conn: &Arc<Conn>,
    positions: Option<Vec<ResumeFrom>>,
    last: impl FnOnce(Resumed) -> Vec<Frame>,
) -> Result<Vec<ResumeFrom>> {
    conn.hold();
    let loading = gateway.hub.begin_loading(&conn.user);
    let resumed = replay(gateway, conn, loading.subscribed, positions).await;
    let outcome = resumed.map(|(resumed, heads)| {
        let places = resumed.conversations.clone();
        conn.send_ahead(last(resumed));
        gateway.hub.begin_streaming(conn, &heads, gateway.seconds());
        places
    });
    gateway.metrics.resumes.inc();
    outcome
}

/// The conversations of a connection's user, read after he has been subscribed to them: what is committed later is
/// delivered live.
pub(super) async fn subscribe(
    gateway: &Gateway,
    conn: &Conn,
    subscribed: bool,
) -> Result<Vec<Membership>> {
    let store = gateway.chat.store();
    if !subscribed {
        // First it is heard what changes about the user, then what there is is read.
        gateway.cluster.listens().await;
        let version = gateway.cluster.version_of(&conn.user).await?;
        let hidden = store.hidden_from(conn.user.clone()).await?;
        let memberships = store.memberships(conn.user.clone()).await?;
        gateway.hub.subscribe(&conn.user, version, &memberships, hidden);
        let uncounted = gateway.hub.uncounted(&conn.user);
        if !uncounted.is_empty() {
            gateway.hub.counted(&store.participant_counts(uncounted).await?);
        }
    }
    gateway.cluster.listens().await;
    store.memberships(conn.user.clone()).await
}

async fn replay(
    gateway: &Gateway,
    conn: &Arc<Conn>,
    subscribed: bool,
    positions: Option<Vec<ResumeFrom>>,
) -> Result<(Resumed, HashMap<ConversationId, Seq>)> {
    let memberships = subscribe(gateway, conn, subscribed).await?;
    let mut heads = HashMap::with_capacity(memberships.len());
    let mut resumed = Resumed::default();
    let wanted: HashMap<_, _> =
        positions.iter().flatten().map(|position| (position.conversation, *position)).collect();
    let mut budget = gateway.limits.resume_total;
    for membership in &memberships {
        heads.insert(membership.conversation, membership.last_seq);
        if let Some(from) = wanted.get(&membership.conversation) {
            let reason = missed(gateway, conn, membership, from, &mut budget).await?;
            resumed.resync.extend(reason.map(|reason| (membership.conversation, reason)));
        }
        resumed.conversations.push(ResumeFrom {
            conversation: membership.conversation,
            position: Position { epoch: membership.epoch, seq: membership.last_seq },
            receipts: membership.receipts,
        });
    }
    gateway.metrics.resyncs.inc_by(resumed.resync.len() as u64);
    resumed.gone = wanted.keys().filter(|id| !heads.contains_key(id)).copied().collect();
    resumed.gone.sort_unstable();
    resumed.presence = gateway.hub.contacts(&conn.user);
    Ok((resumed, heads))
}

/// Sends what one conversation has that the client lacks, or tells why it must be loaded anew.
async fn missed(
    gateway: &Gateway,
    conn: &Arc<Conn>,
    membership: &Membership,
    from: &ResumeFrom,
    budget: &mut usize,
) -> Result<Option<ResyncReason>> {
    let (conversation, end) = (membership.conversation, membership.last_seq);
    if from.position.epoch != membership.epoch {
        return Ok(Some(ResyncReason::Epoch));
    }
    if from.position.seq > end || from.receipts > membership.receipts {
        return Ok(Some(ResyncReason::Future));
    }
    let lacking = usize::try_from(end.0 - from.position.seq.0).unwrap_or(usize::MAX);
    if lacking > gateway.limits.resume_per_conversation || lacking > *budget {
        return Ok(Some(ResyncReason::TooLong));
    }
    *budget -= lacking;
    let have_moved = membership.receipts > from.receipts;
    // In a crowd it is not told who has read: there are as many receipts as people.
    let mut receipts = if have_moved && !gateway.hub.is_crowd(conversation) {
        gateway.chat.store().receipts(conversation, from.receipts).await?
    } else {
        Vec::new()
    };
    let start = from.position.seq;
    let mut after = start;
    while after < end || !receipts.is_empty() {
        let (events, covered) = page(gateway, conn, conversation, (start, after, end)).await?;
        let mut events = events;
        if covered >= end {
            events.append(&mut receipts);
        }
        conn.send_ahead(vec![frame(|out| {
            native::replay(conversation, after, covered, &events, out);
        })]);
        conn.link.writable().await;
        after = covered;
    }
    Ok(None)
}

async fn page(
    gateway: &Gateway,
    conn: &Conn,
    conversation: ConversationId,
    (start, after, end): (Seq, Seq, Seq),
) -> Result<(Vec<Envelope>, Seq)> {
    if after >= end {
        return Ok((Vec::new(), end));
    }
    let limit = gateway.limits.resume_page;
    let viewer = Some(conn.user.clone());
    let replay = gateway.chat.store().replay(viewer, conversation, after, end, limit).await?;
    // A page always covers something; one that did not would be asked for for ever.
    let replay = replay.seen_from(start);
    Ok((replay.envelopes, replay.covered.max(after.next())))
}
