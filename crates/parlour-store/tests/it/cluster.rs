//! Several processes on one PostgreSQL database: who may use it, whose sockets are whose, and what a death leaves.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use parlour_core::{
    ConversationId, NodeId, Seq,
    command::{Actor, SendMessage},
    port::store::{ClaimedSocket, Node, Siblings, SocketId, SocketKey, Store},
    testing::{alice, bob},
};
use parlour_engines::{Database, Pgbouncer};
use parlour_store::{OpenError, OpenOptions};
use tokio::{task::JoinSet, time::sleep};

use crate::support::{self, Nobody, context, database, direct, say};

/// A process, as the database sees it: its store on threads of its own, which end with it at once.
struct Process {
    store: Arc<dyn Store>,
    node: NodeId,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Process {
    async fn start(database: &Database) -> Self {
        Self::try_start(database.url(), true).await.unwrap()
    }

    async fn try_start(url: String, shared: bool) -> Result<Self, OpenError> {
        static NEXT: AtomicU64 = AtomicU64::new(11);
        let node = NodeId(NEXT.fetch_add(1, Ordering::Relaxed));
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(1).enable_all().build().unwrap();
        let options = OpenOptions { node, shared, ..OpenOptions::default() };
        let opening = runtime
            .spawn(async move { parlour_store::open(&url, options, Arc::new(Nobody)).await });
        let opened = opening.await.unwrap();
        match opened {
            Ok(store) => Ok(Self { store, node, runtime: Some(runtime) }),
            Err(error) => {
                runtime.shutdown_background();
                Err(error)
            }
        }
    }

    /// Ends it without a word: nothing is released, its connections are cut.
    fn kill(&mut self) {
        self.runtime.take().unwrap().shutdown_background();
    }

    async fn renew(&self) -> Vec<NodeId> {
        let own = Node {
            id: self.node,
            version: "1".into(),
            address: "here".into(),
            bus: "redis".into(),
            started_at: 0,
        };
        let nodes = self.store.renew_lease(own).await.unwrap();
        nodes.into_iter().map(|node| node.id).collect()
    }

    async fn claim(&self) -> ClaimedSocket {
        support::claim(&self.store, key(), 1_000).await
    }

    async fn acknowledge(&self, id: SocketId, conversation: ConversationId, seq: u64) {
        let received = vec![(conversation, Seq(seq))];
        self.store.acknowledge_socket(context(&bob()), id, received).await.unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn key() -> SocketKey {
    SocketKey { user: bob().user, dialect: "room", scope: None, device: None, agent: None }
}

fn seqs(claimed: &ClaimedSocket) -> Option<Vec<u64>> {
    Some(claimed.positions.as_ref()?.iter().map(|(_, position)| position.seq.0).collect())
}

async fn talk(store: &Arc<dyn Store>, actor: &Actor, id: ConversationId, count: usize) {
    for n in 0..count {
        let message = SendMessage { ..say(id, &n.to_string()) };
        store.append_message(context(actor), message).await.unwrap();
    }
}

/// Waits for what becomes true, and fails when it does not.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    for _ in 0..1_500 {
        if is_so().await {
            return;
        }
        sleep(Duration::from_millis(10)).await;
    }
    panic!("{what}");
}

#[tokio::test]
async fn processes_with_a_bus_share_a_database_and_one_without_has_it_alone() {
    let Some(database) = database() else { return };
    let first = Process::start(&database).await;
    let second = Process::start(&database).await;
    let alone = Process::try_start(database.url(), false).await;
    let error = alone.err().unwrap();
    assert!(matches!(error, OpenError::Shared { .. }), "{error}");
    assert!(error.to_string().contains("bus.redis_url"), "{error}");
    first.store.close().await;
    second.store.close().await;
    let alone = Process::try_start(database.url(), false).await.unwrap();
    let error = Process::try_start(database.url(), true).await.err().unwrap();
    assert!(matches!(error, OpenError::Alone { .. }), "{error}");
    let error = Process::try_start(database.url(), false).await.err().unwrap();
    assert!(matches!(error, OpenError::Shared { .. }), "{error}");
    drop(alone);
    // What was killed makes room at once.
    Process::try_start(database.url(), false).await.unwrap();
}

#[tokio::test]
async fn g5_a_socket_of_a_killed_process_goes_on_in_another() {
    let Some(database) = database() else { return };
    let (mut dying, living) = (Process::start(&database).await, Process::start(&database).await);
    let id = direct(&living.store).await;
    talk(&living.store, &alice(), id, 1).await;
    let socket = dying.claim().await.id;
    talk(&living.store, &alice(), id, 3).await;
    dying.acknowledge(socket, id, 2).await;
    dying.kill();
    until("its place is taken over", async || {
        let claimed = living.claim().await;
        if claimed.id == socket {
            assert_eq!(seqs(&claimed), Some(vec![2]));
            return true;
        }
        // It was not dead yet: a new row begins no later than the old one is proved to be.
        assert_eq!(seqs(&claimed), Some(vec![2]));
        living.store.release_socket(claimed.id, true, 0).await.unwrap();
        living.store.sweep_sockets(1_000_000).await.unwrap();
        false
    })
    .await;
}

#[tokio::test]
async fn g5_a_new_socket_begins_no_later_than_a_live_sibling_elsewhere_has_proof_of() {
    let Some(database) = database() else { return };
    let (one, other) = (Process::start(&database).await, Process::start(&database).await);
    let id = direct(&one.store).await;
    let socket = one.claim().await.id;
    talk(&one.store, &alice(), id, 3).await;
    one.acknowledge(socket, id, 1).await;
    let sibling = other.claim().await;
    assert_ne!(sibling.id, socket, "it is live");
    assert_eq!(seqs(&sibling), Some(vec![1]));
    one.acknowledge(socket, id, 3).await;
    other.acknowledge(sibling.id, id, 3).await;
    assert_eq!(other.claim().await.positions, None, "nothing is in flight");
}

#[tokio::test]
async fn what_another_process_has_taken_is_left_alone() {
    let Some(database) = database() else { return };
    let (one, other) = (Process::start(&database).await, Process::start(&database).await);
    let id = direct(&one.store).await;
    let socket = one.claim().await.id;
    talk(&one.store, &alice(), id, 3).await;
    one.acknowledge(socket, id, 1).await;
    database
        .run(&format!("UPDATE sockets SET node = {} WHERE id = {}", other.node, socket.0))
        .unwrap();
    one.acknowledge(socket, id, 3).await;
    one.store.release_socket(socket, false, 5).await.unwrap();
    let row = "SELECT p.seq, s.node, s.waiting_since IS NULL FROM sockets s \
               JOIN socket_positions p ON p.socket = s.id";
    assert_eq!(database.run(row).unwrap(), format!("1|{}|t", other.node));
    let marks = "SELECT delivered_seq FROM participants WHERE user_id = '2'";
    assert_eq!(database.run(marks).unwrap(), "1");
    other.store.release_socket(socket, false, 5).await.unwrap();
    assert_eq!(seqs(&one.claim().await), Some(vec![1]));
}

#[tokio::test]
async fn g5_parallel_claims_of_two_processes_take_different_places() {
    let Some(database) = database() else { return };
    let processes = [Process::start(&database).await, Process::start(&database).await];
    direct(&processes[0].store).await;
    let mut waiting = Vec::new();
    for _ in 0..8 {
        waiting.push(processes[0].claim().await.id);
    }
    for id in &waiting {
        processes[0].store.release_socket(*id, false, 1).await.unwrap();
    }
    let mut claims = JoinSet::new();
    for n in 0..8 {
        let store = processes[n % 2].store.clone();
        claims.spawn(async move {
            store.claim_socket(key(), vec![], Siblings::default(), 2).await.unwrap().id
        });
    }
    let mut taken = claims.join_all().await;
    taken.sort_unstable();
    assert_eq!(taken, waiting);
}

#[tokio::test]
async fn leases_tell_who_lives_and_the_sockets_of_the_dead_wait() {
    let Some(database) = database() else { return };
    let (mut dying, living) = (Process::start(&database).await, Process::start(&database).await);
    direct(&living.store).await;
    assert_eq!(dying.renew().await, [dying.node]);
    assert_eq!(living.renew().await, [dying.node, living.node]);
    for _ in 0..3 {
        dying.claim().await;
    }
    living.claim().await;
    let waiting = "SELECT count(*) FROM sockets WHERE expires_at = 0";
    living.renew().await;
    assert_eq!(database.run(waiting).unwrap(), "0");
    dying.kill();
    until("they wait", async || {
        living.renew().await;
        database.run(waiting).unwrap() == "3"
    })
    .await;
    // Its lease ends a little later, and is forgotten after a while.
    database.run(&format!("UPDATE nodes SET lease_until = 1 WHERE id = {}", dying.node)).unwrap();
    assert_eq!(living.renew().await, [living.node]);
    assert_eq!(database.run("SELECT count(*) FROM nodes").unwrap(), "1");
    assert_eq!(living.store.sweep_sockets(10).await.unwrap(), 0);
    assert_eq!(database.run(waiting).unwrap(), "0", "their time begins");
}

#[tokio::test]
async fn a_lease_that_has_ended_counts_also_where_the_lock_is_held() {
    let Some(database) = database() else { return };
    let (stuck, living) = (Process::start(&database).await, Process::start(&database).await);
    let id = direct(&living.store).await;
    stuck.renew().await;
    let socket = stuck.claim().await.id;
    talk(&living.store, &alice(), id, 2).await;
    stuck.acknowledge(socket, id, 1).await;
    database.run(&format!("UPDATE nodes SET lease_until = 1 WHERE id = {}", stuck.node)).unwrap();
    living.renew().await;
    // It goes on before anybody has taken its place.
    stuck.acknowledge(socket, id, 2).await;
    let live = "SELECT waiting_since IS NULL FROM sockets";
    assert_eq!(database.run(live).unwrap(), "t", "it was not dead");
    assert_ne!(living.claim().await.id, socket);
    stuck.renew().await;
    database.run(&format!("UPDATE nodes SET lease_until = 1 WHERE id = {}", stuck.node)).unwrap();
    let claimed = living.claim().await;
    assert_eq!((claimed.id, seqs(&claimed)), (socket, Some(vec![2])), "now it is");
}

#[tokio::test]
async fn a_duty_is_one_process_s_until_its_time_is_over() {
    let Some(database) = database() else { return };
    let (one, other) = (Process::start(&database).await, Process::start(&database).await);
    let minute = Duration::from_secs(60);
    assert!(one.store.take_duty("sweep", minute).await.unwrap());
    assert!(!other.store.take_duty("sweep", minute).await.unwrap());
    assert!(other.store.take_duty("another", minute).await.unwrap());
    assert!(one.store.take_duty("sweep", minute).await.unwrap());
    database.run("UPDATE duties SET until = until - 60000").unwrap();
    let (first, second) =
        tokio::join!(one.store.take_duty("sweep", minute), other.store.take_duty("sweep", minute));
    assert!(first.unwrap() != second.unwrap(), "exactly one");
}

#[tokio::test]
async fn a_lost_lease_connection_comes_back() {
    let Some(database) = database() else { return };
    let process = Process::start(&database).await;
    let holder = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND mode = 'ExclusiveLock' \
                  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    let first = database.run(holder).unwrap();
    assert!(!first.is_empty());
    database.run(&format!("SELECT pg_terminate_backend({first})")).unwrap();
    until("the lock is taken again", async || {
        let now = database.run(holder).unwrap();
        !now.is_empty() && now != first
    })
    .await;
    let error = Process::try_start(database.url(), false).await.err().unwrap();
    assert!(matches!(error, OpenError::Shared { .. }), "{error}");
    drop(process);
}

#[tokio::test]
async fn a_pooler_in_the_way_of_the_lease_is_named_at_the_start() {
    let Some(database) = database() else { return };
    let Some(pooler) = Pgbouncer::start(database.port(), 3).unwrap() else {
        return parlour_engines::skip("PgBouncer is not installed");
    };
    for shared in [true, false] {
        let error = Process::try_start(pooler.url(database.name()), shared).await.err().unwrap();
        assert!(matches!(error, OpenError::Pooler { .. }), "{error}");
        assert!(error.to_string().contains("database.session_url"), "{error}");
    }
    let locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' \
                 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    assert_eq!(database.run(locks).unwrap(), "0", "no lock is left on the pooler's connections");
}
