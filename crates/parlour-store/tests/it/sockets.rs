//! What sockets were proved to have received, across the end of the process and the coming of the table.

use std::sync::Arc;

use parlour_core::{
    ConversationId, Position, Seq,
    port::store::{
        CUT_SOCKET_WAITS, ClaimedSocket, MOST_WAITING_SOCKETS, SocketId, SocketKey, Store,
    },
    testing::{alice, bob},
};
use parlour_store::pending_migrations;
use sha2::{Digest, Sha256};

use crate::support::{self, Folder, context, direct, say, seqs};

fn key() -> SocketKey {
    SocketKey { user: bob().user, dialect: "room", scope: None, device: None, agent: None }
}

async fn claim(store: &Arc<dyn Store>, now: i64) -> ClaimedSocket {
    support::claim(store, key(), now).await
}

/// Says something `count` times, and lets bob's socket prove the first of it.
async fn talk(store: &Arc<dyn Store>, id: ConversationId, count: usize, socket: SocketId) {
    for n in 0..count {
        let sent = store.append_message(context(&alice()), say(id, &n.to_string())).await.unwrap();
        if n == 0 {
            let received = vec![(id, sent.message.seq)];
            store.acknowledge_socket(context(&bob()), socket, received).await.unwrap();
        }
    }
}

#[tokio::test]
async fn g5_a_live_socket_waits_after_the_process_has_ended() {
    let folder = Folder::new();
    let store = folder.open().await;
    let id = direct(&store).await;
    let [live, waiting] = [claim(&store, 1).await.id, claim(&store, 1).await.id];
    store.release_socket(waiting, false, 2).await.unwrap();
    talk(&store, id, 3, live).await;
    drop(store);

    let store = folder.open().await;
    let now = 10 * CUT_SOCKET_WAITS;
    assert_eq!(store.sweep_sockets(now).await.unwrap(), 1, "the one that waited has expired");
    let back = claim(&store, now).await;
    assert_eq!((back.id, seqs(&back)), (live, Some(vec![(id, 1)])));
    let head = store.heads(vec![id]).await.unwrap()[0];
    assert_eq!(back.positions.unwrap()[0].1, Position { epoch: head.epoch, seq: Seq(1) });
    drop(store);

    // A second end before anything was proved; its wait begins when it is first swept.
    let store = folder.open().await;
    assert_eq!(store.sweep_sockets(now).await.unwrap(), 0);
    assert_eq!(store.sweep_sockets(now + CUT_SOCKET_WAITS - 1).await.unwrap(), 0);
    assert_eq!(seqs(&claim(&store, now + 1).await), Some(vec![(id, 1)]));
    drop(store);
    let store = folder.open().await;
    assert_eq!(store.sweep_sockets(now).await.unwrap(), 0);
    assert_eq!(store.sweep_sockets(now + CUT_SOCKET_WAITS).await.unwrap(), 1);
    assert_eq!(claim(&store, now).await.positions, None);
}

#[tokio::test]
async fn what_a_crash_leaves_is_bounded_too() {
    let folder = Folder::new();
    let store = folder.open().await;
    direct(&store).await;
    let mut live = Vec::new();
    for _ in 0..MOST_WAITING_SOCKETS + 5 {
        live.push(claim(&store, 1).await.id);
    }
    drop(store);
    let store = folder.open().await;
    let mut back = Vec::new();
    loop {
        let claimed = claim(&store, 2).await;
        if claimed.positions.is_none() {
            break;
        }
        back.push(claimed.id);
    }
    assert_eq!(back, live[5..]);
}

#[tokio::test]
async fn a_database_of_the_first_version_gets_the_table() {
    let folder = Folder::new();
    let initial = include_str!("../../migrations/sqlite/0001_initial.sql").replace("\r\n", "\n");
    let checksum: String =
        Sha256::digest(initial.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    let old = folder.connect();
    old.execute_batch(&format!(
        "CREATE TABLE migrations (\
           version INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL, sha256 TEXT NOT NULL) STRICT; \
         {initial} \
         INSERT INTO migrations VALUES (1, '0001_initial', '{checksum}'); \
         INSERT INTO users (id, created_at, id_fold, username_fold, name_fold) VALUES ('2', 1, '2', '2', '2'); \
         PRAGMA application_id = 1348563564; PRAGMA user_version = 1;"
    ))
    .unwrap();
    drop(old);
    assert_eq!(pending_migrations(&folder.url()).await.unwrap()[0], "0002_sockets");
    let store = folder.open().await;
    assert_eq!(pending_migrations(&folder.url()).await.unwrap(), [""; 0]);
    assert!(store.user(bob().user).await.unwrap().is_some(), "what was there is there");
    let id = direct(&store).await;
    let socket = claim(&store, 1).await.id;
    talk(&store, id, 2, socket).await;
    store.release_socket(socket, false, 2).await.unwrap();
    assert_eq!(seqs(&claim(&store, 3).await), Some(vec![(id, 1)]));
}
