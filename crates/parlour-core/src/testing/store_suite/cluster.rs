//! What processes on one database look at: versions of users, several logs at once, leases and duties.

use std::time::Duration;

use super::support::Bench;
use crate::{
    ConversationId, NodeId, Seq, UserId,
    command::{Actor, RoleChange},
    model::{Role, Session, SessionId, TokenHash, UserState},
    port::store::{Node, Replay},
    testing::{alice, bob, mallory, user},
};

/// Whose versions a step has raised. A step begins when it is called, not when it is awaited.
async fn raised<T>(bench: &Bench, step: impl AsyncFnOnce() -> T) -> (Vec<UserId>, T) {
    let all = || bench.store.user_versions(["1", "2", "3", "4"].map(user).to_vec());
    let before = all().await.unwrap();
    let done = step().await;
    let after = all().await.unwrap();
    let mut raised = Vec::new();
    for (user, version) in after {
        let old = before.iter().find(|(known, _)| *known == user).map(|(_, version)| *version);
        assert!(old.is_none_or(|old| old <= version), "the version of {user} went back");
        if old != Some(version) {
            raised.push(user);
        }
    }
    (raised, done)
}

fn session(id: &str, token: u8) -> Session {
    Session {
        id: SessionId(id.into()),
        user: alice().user,
        refresh: Some(TokenHash([token; 32])),
        cookie: None,
        created_at: 10,
        expires_at: 1_000,
    }
}

/// Known users in the given order.
pub async fn versions_come_in_the_given_order(bench: &Bench) {
    bench.direct().await;
    let versions = bench.store.user_versions(["2", "99", "1"].map(user).to_vec()).await.unwrap();
    assert_eq!(versions.iter().map(|(user, _)| user.as_str()).collect::<Vec<_>>(), ["2", "1"]);
    assert_eq!(bench.store.user_versions(vec![]).await.unwrap(), []);
}

/// Who gets into a conversation or out of one must be looked at by the processes that he is connected to.
pub async fn g8_versions_tell_of_coming_and_going(bench: &Bench) {
    let store = &bench.store;
    let context = |actor: &Actor| bench.context(actor);
    let (who, direct) = raised(bench, || bench.direct()).await;
    assert_eq!(who, [user("1"), user("2")]);
    let (who, _) = raised(bench, || bench.direct()).await;
    assert_eq!(who, [], "it stood already");
    let (who, group) = raised(bench, async || bench.group(&bob(), &["1", "3"]).await).await;
    assert_eq!(who, [user("1"), user("2"), user("3")]);
    let adding = || store.add_participant(context(&bob()), group, user("4"), 9);
    assert_eq!(raised(bench, adding).await.0, [user("4")]);
    let again = || store.add_participant(context(&bob()), group, user("4"), 9);
    assert_eq!(raised(bench, again).await.0, []);
    let removing = || store.remove_participant(context(&bob()), group, user("3"));
    assert_eq!(raised(bench, removing).await.0, [user("3")]);
    let leaving = || store.remove_participant(context(&alice()), group, user("1"));
    assert_eq!(raised(bench, leaving).await.0, [user("1")]);
    let ordinary = async || {
        bench.send(&alice(), direct, "hello").await;
        bench.read(&bob(), direct, 1).await;
        bench.name(&bob().user, "Bob").await;
        store.set_last_seen(vec![(bob().user, 5)]).await.unwrap();
        let change = RoleChange { conversation: group, user: user("4"), role: Role::Admin };
        store.set_role(context(&bob()), change).await.unwrap();
    };
    assert_eq!(raised(bench, ordinary).await.0, [], "nobody came or went");
}

/// A process that holds connections of somebody who is not let in any more must close them.
pub async fn g10_versions_tell_of_what_is_taken_away(bench: &Bench) {
    bench.direct_of(&alice(), &mallory()).await;
    bench.direct().await;
    let store = &bench.store;
    for state in [UserState::Banned, UserState::Active] {
        let step = || store.set_user_state(bob().user, state);
        assert_eq!(raised(bench, step).await.0, [user("2")], "{state:?}");
    }
    let revoking = || store.revoke_user(mallory().user, 5);
    assert_eq!(raised(bench, revoking).await.0, [user("3")]);
    for (block, by) in [(true, alice()), (false, alice())] {
        let step = || store.set_block(bench.context(&by), bob().user, block);
        assert_eq!(raised(bench, step).await.0, [user("1"), user("2")], "{block}");
        let again = || store.set_block(bench.context(&by), bob().user, block);
        assert_eq!(raised(bench, again).await.0, [], "repeated");
    }
    for (id, token) in [("a", 1), ("b", 2)] {
        store.create_session(session(id, token)).await.unwrap();
    }
    let rotating = || store.rotate_refresh(TokenHash([2; 32]), TokenHash([3; 32]), 20);
    assert_eq!(raised(bench, rotating).await.0, []);
    let reusing = || store.rotate_refresh(TokenHash([2; 32]), TokenHash([4; 32]), 20);
    assert_eq!(raised(bench, reusing).await.0, [user("1")], "its session is gone");
    let ending = || store.end_session(SessionId("a".into()));
    assert_eq!(raised(bench, ending).await.0, [user("1")]);
    let again = || store.end_session(SessionId("a".into()));
    let (who, ended) = raised(bench, again).await;
    assert_eq!((who, ended.unwrap()), (vec![], false));
}

/// Each log from its own place, as one replay of everything after it.
pub async fn g8_several_logs_are_read_at_once(bench: &Bench) {
    let (one, other) = (bench.direct().await, bench.group(&bob(), &["1", "3"]).await);
    let quiet = bench.direct_of(&alice(), &mallory()).await;
    let mut sent = Vec::new();
    for n in 0..6 {
        sent.push(bench.send(&alice(), one, &format!("one {n}")).await);
        bench.send(&bob(), other, &format!("other {n}")).await;
    }
    bench.edit(&alice(), sent[4].id, "edited").await.unwrap();
    bench.delete(&alice(), sent[0].id).await.unwrap();
    bench.store.remove_participant(bench.context(&bob()), other, user("3")).await.unwrap();
    bench.store.add_participant(bench.context(&bob()), other, user("3"), 9).await.unwrap();
    let nowhere = ConversationId(9_999);
    for limit in [0, 1, 2, 5, 99] {
        let places = [
            (other, Seq(2)),
            (nowhere, Seq(0)),
            (one, Seq(3)),
            (quiet, Seq(0)),
            (one, Seq(8)),
            (one, Seq(u64::MAX)),
            (other, Seq(0)),
        ];
        let found = bench.store.catch_up(places.to_vec(), limit).await.unwrap();
        assert_eq!(found.len(), places.len());
        for ((id, after), (found_id, replay)) in places.into_iter().zip(found) {
            assert_eq!(id, found_id, "in the given order");
            let alone = bench.store.replay(None, id, after, Seq(u64::MAX), limit).await.unwrap();
            assert_eq!(replay, alone, "{id} after {after}, {limit} at most");
            if id == nowhere {
                assert_eq!(replay, Replay::default());
            }
        }
    }
    assert_eq!(bench.store.catch_up(vec![], 9).await.unwrap(), []);
}

/// Page by page to the end, in as many looks as the longest log needs.
pub async fn g8_logs_are_caught_up_in_pages(bench: &Bench) {
    let (one, other) = (bench.direct().await, bench.group(&bob(), &["1"]).await);
    for n in 0..7 {
        bench.send(&alice(), one, &n.to_string()).await;
    }
    bench.send(&bob(), other, "only").await;
    let mut places = vec![(one, Seq::ZERO), (other, Seq::ZERO)];
    let mut seqs = [Vec::new(), Vec::new()];
    for _ in 0..4 {
        let found = bench.store.catch_up(places.clone(), 2).await.unwrap();
        for (index, (id, replay)) in found.into_iter().enumerate() {
            assert!(replay.envelopes.len() <= 2);
            assert!(replay.envelopes.iter().all(|envelope| envelope.conversation == Some(id)));
            seqs[index].extend(replay.envelopes.iter().filter_map(|envelope| envelope.seq));
            places[index].1 = replay.covered;
        }
    }
    assert_eq!(seqs[0], (1..=7).map(Seq).collect::<Vec<_>>());
    assert_eq!(seqs[1], [Seq(1)]);
    assert_eq!(places, [(one, Seq(7)), (other, Seq(1))]);
}

/// Who takes a lease is among those who hold one, since the same moment for as long as it renews it.
pub async fn a_lease_is_taken_and_renewed(bench: &Bench) {
    let own = Node {
        id: NodeId(1),
        version: "1.2.3".into(),
        address: "127.0.0.1:8000".into(),
        bus: "".into(),
        started_at: 0,
    };
    let begin = bench.store.database_time().await.unwrap();
    let mut started = None;
    for _ in 0..3 {
        let nodes = bench.store.renew_lease(own.clone()).await.unwrap();
        let [node] = nodes.as_slice() else { panic!("{nodes:?}") };
        assert_eq!(*node, Node { started_at: node.started_at, ..own.clone() });
        assert_eq!(*started.get_or_insert(node.started_at), node.started_at);
    }
    let end = bench.store.database_time().await.unwrap();
    assert!(begin <= end, "the clock went back");
    let started = started.unwrap_or_default();
    assert!((end - 60_000..=end).contains(&started), "{started} is not near {end}");
}

/// Who asks in time keeps it, and one duty says nothing of another.
pub async fn a_duty_is_kept_by_asking_again(bench: &Bench) {
    for _ in 0..3 {
        for duty in ["sweep", "report"] {
            assert!(bench.store.take_duty(duty, Duration::from_secs(30)).await.unwrap(), "{duty}");
        }
    }
}
