//! Crowds on PostgreSQL: steps of many share transactions, and none spoils it for the others.

use std::sync::Arc;

use parlour_core::{
    Code, Seq, UserId,
    port::store::{ClaimedSocket, MOST_WAITING_SOCKETS, ProfileUpdate, SocketId, SocketKey, Store},
    testing::{alice, bob},
};
use parlour_store::OpenOptions;
use tokio::task::JoinSet;

use crate::{
    postgres::{open_with, process},
    support::{self, context, database, direct, say, seqs},
};

/// How many come at once: more than can have a connection.
const CROWD: usize = 300;

/// As few connections as work, so that most must share.
async fn open(url: &str) -> Arc<dyn Store> {
    open_with(url, OpenOptions { pool: 4, ..process(1) }).await
}

fn key(user: &UserId, n: usize) -> SocketKey {
    let device = Some(format!("{n}").into());
    SocketKey { user: user.clone(), dialect: "room", scope: None, device, agent: None }
}

/// Does something for each of a crowd, each in a task of its own.
async fn crowd<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    act: impl Fn(usize) -> F,
) -> Vec<T> {
    let mut tasks = JoinSet::new();
    for n in 0..CROWD {
        let act = act(n);
        tasks.spawn(async move { (n, act.await) });
    }
    let mut done = tasks.join_all().await;
    done.sort_unstable_by_key(|(n, _)| *n);
    done.into_iter().map(|(_, done)| done).collect()
}

async fn claim(store: Arc<dyn Store>, user: UserId, n: usize) -> ClaimedSocket {
    support::claim(&store, key(&user, n), 1_000).await
}

async fn claims(store: &Arc<dyn Store>) -> Vec<ClaimedSocket> {
    crowd(|n| claim(store.clone(), bob().user, n)).await
}

#[tokio::test]
async fn g5_sockets_that_come_and_go_at_once_share_transactions_and_keep_their_places() {
    let Some(database) = database() else { return };
    let store = open(&database.url()).await;
    let talk = direct(&store).await;
    let before = store.stats();
    let first = claims(&store).await;
    assert!(first.iter().all(|claimed| claimed.positions.is_none()));
    let said = store.append_message(context(&alice()), say(talk, "1")).await.unwrap();
    // Every third has proof of it.
    crowd(|n| {
        let (store, id, seq) = (store.clone(), first[n].id, said.message.seq);
        async move {
            if n % 3 == 0 {
                let seen = store.acknowledge_socket(context(&bob()), id, vec![(talk, seq)]);
                seen.await.unwrap();
            }
        }
    })
    .await;
    crowd(|n| {
        let (store, id) = (store.clone(), first[n].id);
        async move { store.release_socket(id, false, 2_000).await.unwrap() }
    })
    .await;
    let again = claims(&store).await;
    for (n, (one, other)) in first.iter().zip(&again).enumerate() {
        let seen = u64::from(n % 3 == 0);
        assert_eq!((one.id, Some(vec![(talk, seen)])), (other.id, seqs(other)), "{n}");
    }
    let after = store.stats();
    let steps = CROWD as u64 * 3 + CROWD as u64 / 3 + 1;
    assert_eq!(after.writes - before.writes, steps);
    // The acknowledgements are of one conversation, so each goes alone; of the others many go together.
    let alone = CROWD as u64 / 3 + 1;
    let shared = after.commits - before.commits - alone;
    assert!(shared < CROWD as u64, "{shared} transactions for {} steps", CROWD * 3);
}

#[tokio::test]
async fn g5_claims_of_one_client_at_once_take_different_places() {
    let Some(database) = database() else { return };
    let store = open(&database.url()).await;
    direct(&store).await;
    let same = async || {
        let claimed = crowd(|_| claim(store.clone(), bob().user, 0)).await;
        let mut places: Vec<SocketId> = claimed.into_iter().map(|claimed| claimed.id).collect();
        places.sort_unstable();
        places
    };
    let first = same().await;
    for id in &first[..MOST_WAITING_SOCKETS] {
        store.release_socket(*id, false, 2_000).await.unwrap();
    }
    let mut again = same().await;
    again.retain(|id| first.contains(id));
    assert_eq!(again, first[..MOST_WAITING_SOCKETS], "each is taken once");
}

#[tokio::test]
async fn g5_a_socket_that_is_refused_does_not_spoil_it_for_the_others() {
    let Some(database) = database() else { return };
    let store = open(&database.url()).await;
    let mut talks = Vec::new();
    for n in 0..3 {
        let id = direct(&store).await;
        talks.push(id);
        store.append_message(context(&alice()), say(id, &n.to_string())).await.unwrap();
    }
    let own = claim(store.clone(), bob().user, 0).await.id;
    let outcomes = crowd(|n| {
        let (store, talk) = (store.clone(), talks[n % talks.len()]);
        // Nobody has this one.
        let id = if n % 10 == 0 { SocketId(1 << 40) } else { own };
        async move {
            let outcome = store.acknowledge_socket(context(&bob()), id, vec![(talk, Seq(1))]).await;
            outcome.map_err(|error| error.code)
        }
    })
    .await;
    for (n, outcome) in outcomes.into_iter().enumerate() {
        assert_eq!(outcome, if n % 10 == 0 { Err(Code::NotFound) } else { Ok(()) }, "{n}");
    }
    store.release_socket(own, false, 2_000).await.unwrap();
    assert_eq!(claim(store, bob().user, 0).await.id, own);
}

#[tokio::test]
async fn who_shares_a_snapshot_reads_what_was_written_before_he_asked() {
    let Some(database) = database() else { return };
    let store = open(&database.url()).await;
    let found = crowd(|n| {
        let store = store.clone();
        async move {
            let id = UserId::new(&format!("user{n}")).unwrap();
            let (username, name) = (None, Some(format!("Number {n}").into()));
            let update =
                ProfileUpdate { id: id.clone(), username, name, email: None, avatar: None };
            store.save_user(update, 1).await.unwrap();
            store.user(id).await.unwrap().map(|user| user.profile.name.to_string())
        }
    })
    .await;
    for (n, found) in found.into_iter().enumerate() {
        assert_eq!(found, Some(format!("Number {n}")));
    }
}

#[tokio::test]
async fn a_look_that_fails_does_not_spoil_it_for_those_who_share_its_snapshot() {
    let Some(database) = database() else { return };
    let store = open(&database.url()).await;
    direct(&store).await;
    database.run("ALTER TABLE blocks RENAME TO lost").unwrap();
    let found = crowd(|n| {
        let store = store.clone();
        async move {
            match n % 10 {
                0 => store.hidden_from(bob().user).await.map(|_| false).map_err(|error| error.code),
                _ => store
                    .user(bob().user)
                    .await
                    .map(|user| user.is_some())
                    .map_err(|error| error.code),
            }
        }
    })
    .await;
    for (n, found) in found.into_iter().enumerate() {
        assert_eq!(found, if n % 10 == 0 { Err(Code::Internal) } else { Ok(true) }, "{n}");
    }
    database.run("ALTER TABLE lost RENAME TO blocks").unwrap();
    assert!(store.hidden_from(bob().user).await.unwrap().is_empty());
}
