//! Where sockets stand whose clients cannot say it themselves.

use super::support::{Bench, code, join_all, words};
use crate::{
    Code, ConversationId, Position, Seq, UserId,
    command::Actor,
    ids::Epoch,
    port::store::{
        CLOSED_SOCKET_WAITS, CUT_SOCKET_WAITS, ClaimedSocket, Context, MOST_SWEPT_SOCKETS,
        MOST_WAITING_SOCKETS, Siblings, SocketId, SocketKey,
    },
    testing::{alice, bob, mallory},
};

type Positions = Vec<(ConversationId, Position)>;

fn key(user: UserId) -> SocketKey {
    SocketKey { user, dialect: "inbox", scope: None, device: None, agent: None }
}

/// Bob's socket, claimed where the logs end.
async fn claim(bench: &Bench, in_flight: Positions) -> ClaimedSocket {
    claim_as(bench, key(bob().user), in_flight).await
}

async fn claim_as(bench: &Bench, key: SocketKey, in_flight: Positions) -> ClaimedSocket {
    claim_beside(bench, key, Siblings { in_flight, beginning: false }).await
}

async fn claim_beside(bench: &Bench, key: SocketKey, siblings: Siblings) -> ClaimedSocket {
    let heads = bench.store.memberships(key.user.clone()).await.unwrap();
    let heads = heads
        .iter()
        .map(|at| (at.conversation, Position { epoch: at.epoch, seq: at.last_seq }))
        .collect();
    bench.store.claim_socket(key, heads, siblings, bench.now()).await.unwrap()
}

async fn release(bench: &Bench, id: SocketId, clean: bool) {
    bench.store.release_socket(id, clean, bench.now()).await.unwrap();
}

async fn acknowledge(bench: &Bench, actor: &Actor, id: SocketId, up_to: &[(ConversationId, u64)]) {
    let up_to = up_to.iter().map(|(id, seq)| (*id, Seq(*seq))).collect();
    bench.store.acknowledge_socket(bench.context(actor), id, up_to).await.unwrap();
}

/// The seqs that a socket begins after.
fn seqs(claimed: &ClaimedSocket) -> Option<Vec<(ConversationId, u64)>> {
    let positions = claimed.positions.as_ref()?;
    Some(positions.iter().map(|(id, position)| (*id, position.seq.0)).collect())
}

/// What was proved to have arrived, and not what was only sent.
pub async fn g5_a_socket_goes_on_where_the_last_one_was_proved_to_be(bench: &Bench) {
    let (one, other) = (bench.direct().await, bench.group(&alice(), &["2"]).await);
    bench.send(&alice(), one, "before").await;
    let first = claim(bench, Vec::new()).await;
    assert_eq!(first.positions, None, "a first socket gets nothing old");
    for n in 0..3 {
        bench.send(&alice(), one, &n.to_string()).await;
    }
    acknowledge(bench, &bob(), first.id, &[(one, 3)]).await;
    acknowledge(bench, &bob(), first.id, &[(one, 2)]).await;
    release(bench, first.id, false).await;
    let young = bench.direct_of(&bob(), &mallory()).await;
    bench.send(&alice(), other, "x").await;
    let second = claim(bench, Vec::new()).await;
    assert_eq!(second.id, first.id);
    let expected = vec![(one, 3), (other, 0)];
    assert_eq!(seqs(&second), Some(expected), "a conversation that it did not know is not named");
    let epoch = bench.store.heads(vec![one]).await.unwrap()[0].epoch;
    assert_eq!(second.positions.unwrap()[0].1, Position { epoch, seq: Seq(3) });

    // Until they are acknowledged the positions stay, also through a second cut.
    release(bench, second.id, false).await;
    let third = claim(bench, Vec::new()).await;
    bench.send(&mallory(), young, "y").await;
    acknowledge(bench, &bob(), third.id, &[(one, 4), (young, 99), (ConversationId(99), 1)]).await;
    release(bench, third.id, false).await;
    let fourth = claim(bench, Vec::new()).await;
    let expected = vec![(one, 4), (other, 0), (young, 1)];
    assert_eq!(seqs(&fourth), Some(expected), "it knows it now, and no place past the end");
}

/// As a mark by the client itself: once, forward only, for a participant only.
pub async fn g12_what_a_socket_has_received_is_delivered(bench: &Bench) {
    let (one, other) = (bench.direct().await, bench.group(&alice(), &["2"]).await);
    let foreign = bench.direct_of(&alice(), &mallory()).await;
    let socket = claim(bench, Vec::new()).await;
    for id in [one, other, foreign] {
        bench.send(&alice(), id, "a").await;
        bench.send(&alice(), id, "b").await;
    }
    let published = bench.sink.len();
    acknowledge(bench, &bob(), socket.id, &[(one, 2), (other, 1), (foreign, 2)]).await;
    let receipts = bench.sink.since(published);
    assert_eq!(words(&receipts), ["receipt 2 2/0", "receipt 2 1/0"]);
    assert!(receipts.iter().all(|receipt| receipt.origin.is_none()));
    let sibling = claim(bench, Vec::new()).await;
    bench.read(&bob(), other, 2).await;
    let published = bench.sink.len();
    acknowledge(bench, &bob(), sibling.id, &[(one, 2), (other, 2)]).await;
    acknowledge(bench, &bob(), socket.id, &[(one, 1), (other, 2), (foreign, 9)]).await;
    assert_eq!(words(&bench.sink.since(published)), [""; 0], "all of it was known");
    assert_eq!(bench.summary(&alice(), foreign).await.participants[1].watermark.delivered, Seq(0));

    let foreign_socket = |actor: &Actor, id| {
        let context = Context { actor: actor.clone(), ..bench.context(&bob()) };
        bench.store.acknowledge_socket(context, id, vec![(one, Seq(2))])
    };
    assert_eq!(code(foreign_socket(&alice(), socket.id).await), Some(Code::NotFound));
    for id in [0, 1 << 50, u64::MAX] {
        assert_eq!(code(foreign_socket(&bob(), SocketId(id)).await), Some(Code::NotFound));
    }
}

/// Each of several takes another, the one that waits longest first; a live one is nobody else's.
pub async fn g5_sockets_are_taken_in_the_order_of_their_waiting(bench: &Bench) {
    let id = bench.direct().await;
    let both = [claim(bench, Vec::new()).await.id, claim(bench, Vec::new()).await.id];
    assert_ne!(both[0], both[1]);
    bench.send(&alice(), id, "x").await;
    release(bench, both[1], false).await;
    bench.clock.jump(10);
    release(bench, both[0], false).await;
    bench.clock.jump(10);
    release(bench, both[1], false).await;
    let claim = || {
        let (heads, siblings) = (Vec::new(), Siblings::default());
        bench.store.claim_socket(key(bob().user), heads, siblings, bench.now())
    };
    let claims = [claim(), claim(), claim()];
    let mut taken = Vec::new();
    for claimed in join_all(claims).await {
        let claimed = claimed.unwrap();
        taken.push((claimed.id, claimed.positions.is_some()));
    }
    assert_eq!(taken[..2], [(both[1], true), (both[0], true)], "releasing again changed nothing");
    assert!(!taken[2].1 && !both.contains(&taken[2].0), "a third one is a first socket");
}

/// A phone that comes back does not take the place of a laptop that sleeps.
pub async fn g5_each_kind_of_client_finds_its_own_place(bench: &Bench) {
    let id = bench.direct().await;
    let claim = |agent| {
        let key = SocketKey { agent, ..key(bob().user) };
        bench.store.claim_socket(key, Vec::new(), Siblings::default(), bench.now())
    };
    let (laptop, phone) = (claim(Some(1)).await.unwrap().id, claim(Some(2)).await.unwrap().id);
    for text in ["1", "2", "3"] {
        bench.send(&alice(), id, text).await;
    }
    acknowledge(bench, &bob(), laptop, &[(id, 1)]).await;
    acknowledge(bench, &bob(), phone, &[(id, 2)]).await;
    for socket in [laptop, phone] {
        release(bench, socket, false).await;
        bench.clock.jump(10);
    }
    let back = claim(Some(2)).await.unwrap();
    assert_eq!((back.id, seqs(&back)), (phone, Some(vec![(id, 2)])));
    assert_eq!(claim(Some(3)).await.unwrap().positions, None, "a third kind has no place");
    let back = claim(None).await.unwrap();
    assert_eq!(back.id, laptop, "one that says nothing of itself may be anybody");
    release(bench, laptop, false).await;
    let back = claim(Some(1)).await.unwrap();
    assert_eq!((back.id, seqs(&back)), (laptop, Some(vec![(id, 1)])));
}

/// User, dialect, conversation and device must all be the same.
pub async fn sockets_of_another_key_are_not_taken(bench: &Bench) {
    let id = bench.direct().await;
    let keys = [
        key(bob().user),
        key(alice().user),
        SocketKey { dialect: "direct", ..key(bob().user) },
        SocketKey { scope: Some(id), ..key(bob().user) },
        SocketKey { scope: Some(ConversationId(id.0 + 1)), ..key(bob().user) },
        SocketKey { device: Some("phone".into()), ..key(bob().user) },
        SocketKey { device: Some("".into()), ..key(bob().user) },
        SocketKey { scope: Some(id), device: Some("phone".into()), ..key(bob().user) },
    ];
    let mut ids = Vec::new();
    for key in keys.clone() {
        let claimed = claim_as(bench, key, Vec::new()).await;
        assert_eq!(claimed.positions, None);
        ids.push(claimed.id);
        release(bench, claimed.id, false).await;
    }
    for (key, id) in keys.into_iter().zip(ids) {
        assert_eq!(claim_as(bench, key, Vec::new()).await.id, id);
    }
    let unknown = SocketKey { user: crate::testing::user("new"), ..key(bob().user) };
    assert_eq!(claim_as(bench, unknown, Vec::new()).await.positions, None);
}

/// A cut waits for a week, a clean end for a minute; at the end of it nobody gets it.
pub async fn sockets_wait_for_their_time(bench: &Bench) {
    bench.direct().await;
    for (clean, wait) in [(true, CLOSED_SOCKET_WAITS), (false, CUT_SOCKET_WAITS)] {
        let socket = claim(bench, Vec::new()).await;
        release(bench, socket.id, clean).await;
        bench.clock.jump(wait - 1);
        assert_eq!(bench.store.sweep_sockets(bench.now()).await.unwrap(), 0);
        let again = claim(bench, Vec::new()).await;
        assert_eq!(again.id, socket.id, "clean: {clean}");
        release(bench, again.id, clean).await;
        bench.clock.jump(wait);
        let late = claim(bench, Vec::new()).await;
        assert!(late.positions.is_none() && late.id > socket.id, "clean: {clean}");
        assert_eq!(bench.store.sweep_sockets(bench.now()).await.unwrap(), 1);
        assert_eq!(bench.store.sweep_sockets(bench.now() + 10 * wait).await.unwrap(), 0);
        release(bench, socket.id, clean).await;
        assert_eq!(code(forgotten(bench, socket.id).await), Some(Code::NotFound));
    }
}

async fn forgotten(bench: &Bench, id: SocketId) -> crate::Result<()> {
    bench.store.acknowledge_socket(bench.context(&bob()), id, Vec::new()).await
}

/// Nobody can pile them up, and clearing away is done in parts.
pub async fn waiting_sockets_are_bounded(bench: &Bench) {
    let id = bench.direct().await;
    let mut sockets = Vec::new();
    for _ in 0..MOST_WAITING_SOCKETS + 3 {
        sockets.push(claim(bench, Vec::new()).await.id);
    }
    // One that has expired makes room before one that still waits.
    for socket in &sockets[..5] {
        bench.clock.jump(1);
        release(bench, *socket, false).await;
    }
    release(bench, sockets[5], true).await;
    bench.clock.jump(CLOSED_SOCKET_WAITS);
    for socket in &sockets[6..] {
        bench.clock.jump(1);
        release(bench, *socket, false).await;
    }
    let gone = [sockets[0], sockets[1], sockets[5]];
    for socket in &sockets {
        let forgotten = code(forgotten(bench, *socket).await) == Some(Code::NotFound);
        assert_eq!(forgotten, gone.contains(socket), "{socket:?} of {sockets:?}");
    }
    assert_eq!(claim(bench, Vec::new()).await.id, sockets[2]);

    let scoped = |n: usize| SocketKey { device: Some(n.to_string().into()), ..key(alice().user) };
    let many = MOST_SWEPT_SOCKETS + 7;
    let claims = (0..many).map(|n| claim_as(bench, scoped(n), Vec::new())).collect::<Vec<_>>();
    let ends = join_all(claims).await.into_iter().map(|claimed| release(bench, claimed.id, true));
    join_all(ends.collect::<Vec<_>>()).await;
    let later = bench.now() + CLOSED_SOCKET_WAITS;
    let mut swept = Vec::new();
    for _ in 0..3 {
        swept.push(bench.store.sweep_sockets(later).await.unwrap());
    }
    assert_eq!(swept, [MOST_SWEPT_SOCKETS as u64, 7, 0]);
    bench.send(&alice(), id, "all is well").await;
}

/// The return of a socket whose end nobody has noticed: it gets again what was not proved to have arrived.
pub async fn g5_what_is_in_flight_to_a_sibling_is_sent_again(bench: &Bench) {
    let (one, other) = (bench.direct().await, bench.group(&alice(), &["2"]).await);
    let unknown = bench.direct_of(&alice(), &mallory()).await;
    let sibling = claim(bench, Vec::new()).await;
    for id in [one, one, one, other] {
        bench.send(&alice(), id, "x").await;
    }
    let epoch = bench.store.heads(vec![one]).await.unwrap()[0].epoch;
    let at = |id, seq| (id, Position { epoch, seq: Seq(seq) });
    let in_flight = vec![at(one, 1), at(other, 7), at(unknown, 0)];
    let new = claim(bench, in_flight.clone()).await;
    assert_ne!(new.id, sibling.id);
    assert_eq!(seqs(&new), Some(vec![(one, 1), (other, 1)]), "lowered, and never raised");
    let first = claim(bench, vec![at(one, 3), at(other, 1)]).await;
    assert_eq!(first.positions, None, "nothing is in flight");
    acknowledge(bench, &bob(), new.id, &[(one, 3)]).await;
    release(bench, new.id, false).await;
    let back = claim(bench, vec![at(one, 2)]).await;
    assert_eq!((back.id, seqs(&back)), (new.id, Some(vec![(one, 2), (other, 1)])));
    let old = (one, Position { epoch: Epoch(epoch.0 + 1), seq: Seq(0) });
    assert_eq!(claim(bench, vec![old]).await.positions, None, "a place in another life is none");
    release(bench, sibling.id, false).await;
    assert_eq!(seqs(&claim(bench, Vec::new()).await), Some(vec![(one, 0), (other, 0)]));
}

/// One that has just begun, and is dead perhaps: nothing is in flight to it yet of what it missed.
pub async fn g5_who_comes_while_a_sibling_begins_misses_nothing_that_it_missed(bench: &Bench) {
    let (one, other) = (bench.direct().await, bench.group(&alice(), &["2"]).await);
    let agent = Some(1);
    let key = || SocketKey { agent, ..key(bob().user) };
    let away = claim_as(bench, key(), Vec::new()).await;
    bench.send(&alice(), one, "proved").await;
    acknowledge(bench, &bob(), away.id, &[(one, 1)]).await;
    release(bench, away.id, false).await;
    for id in [one, other] {
        bench.send(&alice(), id, "missed").await;
    }
    let begins = claim_as(bench, key(), Vec::new()).await;
    assert_eq!(begins.id, away.id);
    let missed = Some(vec![(one, 1), (other, 0)]);
    let beside = |key| {
        let siblings = Siblings { in_flight: Vec::new(), beginning: true };
        claim_beside(bench, key, siblings)
    };
    let returns = beside(key()).await;
    assert_eq!(seqs(&returns), missed);
    assert_ne!(returns.id, begins.id, "each has a place of its own");
    let of_another_kind = SocketKey { agent: Some(2), ..key() };
    assert_eq!(beside(of_another_kind).await.positions, None);
    let of_another_device = SocketKey { device: Some("phone".into()), ..key() };
    assert_eq!(beside(of_another_device).await.positions, None);
    assert_eq!(claim_as(bench, key(), Vec::new()).await.positions, None, "nobody begins");
    // One that waits is bounded in the same way.
    acknowledge(bench, &bob(), returns.id, &[(one, 2), (other, 1)]).await;
    release(bench, returns.id, false).await;
    let taken = beside(key()).await;
    assert_eq!((taken.id, seqs(&taken)), (returns.id, missed));
}
