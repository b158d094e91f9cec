//! Connections that are lost, servers that are killed, and poolers: nothing that was answered is lost, nothing that was
//! refused is stored.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use parlour_core::{
    ClientId, Code, ConversationId, Seq,
    command::SendMessage,
    port::store::{Page, ProfileUpdate, Siblings, SocketKey, Store},
    testing::{alice, bob, store_suite::Recorder},
};
use parlour_engines::{Database, Pgbouncer, Postgres};
use parlour_store::OpenOptions;

use crate::{
    locked::Locked,
    postgres::open_with,
    proxy::{Cut, Proxy},
    support::{claim, context, database, direct, say, seqs, spawn},
};

fn named(id: ConversationId, name: &str) -> SendMessage {
    SendMessage { client_id: Some(ClientId::new(name).unwrap()), ..say(id, name) }
}

/// All texts of a conversation.
async fn texts(store: &Arc<dyn Store>, id: ConversationId) -> Vec<String> {
    let (mut texts, mut after) = (Vec::new(), Seq::ZERO);
    loop {
        let page = store.messages(bob(), id, Page::After(after), 500).await.unwrap();
        for message in &page.messages {
            texts.push(message.content.as_ref().unwrap().text.to_string());
            after = message.seq;
        }
        if !page.has_after {
            return texts;
        }
    }
}

/// The answer to COMMIT is lost: it is found out what became of it, and answered, and published.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g2_a_lost_answer_to_commit_is_settled() {
    let Some(database) = database() else { return };
    let (proxy, store, heard) = behind_a_proxy(&database).await;
    let id = direct(&store).await;
    let before = heard.len();
    let mut stored = Vec::new();
    for (n, cut) in CUTS.into_iter().enumerate() {
        proxy.cut(cut);
        let name = format!("m{n}");
        let answer = store.append_message(context(&alice()), named(id, &name)).await;
        assert!(proxy.has_cut(), "the test cuts");
        assert!(!answer.unwrap().duplicate, "{cut:?}");
        stored.push(name);
        assert_eq!(texts(&store, id).await, stored, "{cut:?}");
    }
    assert_eq!(heard.len() - before, stored.len(), "each is published once");
}

/// A place that is taken without anybody knowing would be nobody's until the end of the process, and its client would begin
/// at the end of the log.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g5_a_claim_whose_commit_is_not_answered_is_settled() {
    let Some(database) = database() else { return };
    let (proxy, store, _heard) = behind_a_proxy(&database).await;
    let id = direct(&store).await;
    let place = claim(&store, key(), 1).await.id;
    for (n, cut) in CUTS.into_iter().enumerate() {
        store.append_message(context(&alice()), say(id, "missed")).await.unwrap();
        store.release_socket(place, false, 1).await.unwrap();
        proxy.cut(cut);
        let claimed = store.claim_socket(key(), vec![], Siblings::default(), 2).await.unwrap();
        assert!(proxy.has_cut(), "the test cuts");
        let seen = n as u64;
        assert_eq!((claimed.id, seqs(&claimed)), (place, Some(vec![(id, seen)])), "{cut:?}");
        store.acknowledge_socket(context(&bob()), place, vec![(id, Seq(seen + 1))]).await.unwrap();
    }
}

/// Connections can be dead without anybody knowing: what is asked goes over new ones, and soon.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g16_connections_that_fall_silent_are_given_up_and_nobody_is_refused() {
    let Some(database) = database() else { return };
    let (proxy, store, _heard) = behind_a_proxy(&database).await;
    let id = direct(&store).await;
    let everything = async |n: u64| {
        let update = ProfileUpdate {
            id: bob().user,
            username: None,
            name: Some(format!("Bob {n}").into()),
            email: None,
            avatar: None,
        };
        let (said, claimed, saved, read) = tokio::join!(
            store.append_message(context(&alice()), say(id, "x")),
            claim(&store, key(), 1),
            store.save_user(update, 1),
            store.heads(vec![id]),
        );
        let claims_nothing_old = claimed.positions.is_none();
        assert!(claims_nothing_old && saved.is_ok(), "{saved:?}");
        assert_eq!(said.unwrap().message.seq, Seq(n));
        assert!(read.unwrap()[0].last_seq <= Seq(n));
    };
    everything(1).await;
    proxy.silence(true);
    everything(2).await;
    // What the server has begun holds what those wait for that are begun in its place.
    proxy.silence(false);
    everything(3).await;
    assert_eq!(texts(&store, id).await.len(), 3);
}

fn key() -> SocketKey {
    SocketKey { user: bob().user, dialect: "room", scope: None, device: None, agent: None }
}

/// Every way in which a COMMIT can be lost.
const CUTS: [Cut; 5] = [
    Cut::BeforeCommit,
    Cut::AfterItsAnswer,
    Cut::AfterCommit,
    Cut::BeforeCommitSilently,
    Cut::AfterItsAnswerSilently,
];

/// A store that reaches its database through a proxy, all but for its lease.
async fn behind_a_proxy(database: &Database) -> (Proxy, Arc<dyn Store>, Arc<Recorder>) {
    let proxy = Proxy::start(database.port()).await;
    let options = OpenOptions { session_url: Some(database.url()), ..OpenOptions::default() };
    let heard = Arc::new(Recorder::default());
    let url = proxy.url(database.name());
    let store = parlour_store::open(&url, options, heard.clone()).await.unwrap();
    (proxy, store, heard)
}

/// Backends that are ended from outside, at any moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g1_ended_connections_lose_nothing() {
    let Some(database) = database() else { return };
    let store = open_with(&database.url(), OpenOptions::default()).await;
    let id = direct(&store).await;
    let end = Instant::now() + Duration::from_secs(4);
    let sending = send_until(&store, id, end, 16);
    let ending = tokio::task::spawn_blocking(move || {
        let mut ended = 0;
        while Instant::now() < end {
            // Those that write or have written; not the one that keeps the lease, and not this one.
            let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                 WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE '%COMMIT%'";
            ended += database.run(sql).unwrap().parse::<u32>().unwrap();
        }
        (database, ended)
    });
    let outcomes = sending.await;
    let (_database, ended) = ending.await.unwrap();
    assert!(ended > 10, "{ended} were ended");
    check_outcomes(&store, id, &outcomes).await;
}

/// What was answered to each name.
type Outcomes = Vec<(String, Result<Seq, Code>)>;

/// Sends from so many tasks until a moment, each waiting for its answer, as clients do.
async fn send_until(
    store: &Arc<dyn Store>,
    id: ConversationId,
    end: Instant,
    tasks: usize,
) -> Outcomes {
    static NAMES: AtomicU64 = AtomicU64::new(0);
    let tasks = (0..tasks).map(|_| {
        let store = store.clone();
        spawn(async move {
            let mut outcomes = Vec::new();
            while Instant::now() < end {
                let name = NAMES.fetch_add(1, Ordering::Relaxed).to_string();
                let answer = store.append_message(context(&alice()), named(id, &name)).await;
                let answer =
                    answer.map(|appended| appended.message.seq).map_err(|error| error.code);
                if answer.is_err() {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                outcomes.push((name, answer));
            }
            outcomes
        })
    });
    let mut outcomes = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        outcomes.extend(task.await.unwrap());
    }
    outcomes
}

/// Everything answered is there under its seq, nothing refused is, and asking again settles the rest.
async fn check_outcomes(store: &Arc<dyn Store>, id: ConversationId, outcomes: &Outcomes) {
    let head = store.heads(vec![id]).await.unwrap()[0].last_seq;
    let all = texts(store, id).await;
    assert_eq!(all.len() as u64, head.0, "without holes");
    let count = |found: &str| all.iter().filter(|text| *text == found).count();
    let (mut stored, mut unknown) = (0, 0);
    for (name, answer) in outcomes {
        match answer {
            Ok(seq) => {
                let at = usize::try_from(seq.0).unwrap() - 1;
                assert_eq!(all.get(at), Some(name), "{name} was answered");
                assert_eq!(count(name), 1);
                stored += 1;
            }
            Err(Code::Unavailable) => assert_eq!(count(name), 0, "{name} was refused"),
            Err(Code::Unknown) => {
                unknown += 1;
                let was_there = count(name) == 1;
                let again = store.append_message(context(&alice()), named(id, name)).await.unwrap();
                assert_eq!(again.duplicate, was_there, "{name}");
            }
            Err(code) => panic!("{name}: {code:?}"),
        }
    }
    assert!(stored > 20, "{stored} stored, {unknown} unknown of {}", outcomes.len());
}

/// An answer is lost with its connection, without anybody knowing, when the transaction had begun long before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g16_what_is_not_seen_for_long_is_looked_at_over_another_connection() {
    let Some(database) = database().map(Arc::new) else { return };
    let (proxy, store, _heard) = behind_a_proxy(&database).await;
    let id = direct(&store).await;
    let mut locked = Locked::new(&database);
    locked.lock();
    locked.is_locked().await;
    let reader = store.clone();
    let seen = spawn(async move { reader.members(id).await });
    locked.keeps_waiting(1).await;
    proxy.silence(false);
    locked.unlock().await;
    assert_eq!(seen.await.unwrap().unwrap().len(), 2);
}

/// The server is killed under load and comes back, again and again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g1_g16_a_killed_server_loses_nothing_and_is_used_again() {
    let Some(mut server) = Postgres::start(&[]).unwrap() else {
        return parlour_engines::skip("PostgreSQL is not installed");
    };
    let store = open_with(&server.url("postgres"), OpenOptions::default()).await;
    let id = direct(&store).await;
    let mut outcomes = Vec::new();
    for round in 0..3_u64 {
        let end = Instant::now() + Duration::from_secs(3);
        let sending = send_until(&store, id, end, 16);
        let killing = tokio::task::spawn_blocking(move || {
            std::thread::sleep(Duration::from_millis(700 + round * 130));
            server.kill().unwrap();
            server.restart().unwrap();
            server
        });
        outcomes.extend(sending.await);
        server = killing.await.unwrap();
        let up = Instant::now();
        while let Err(error) = store.check().await {
            assert!(up.elapsed() < Duration::from_secs(10), "{error:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    check_outcomes(&store, id, &outcomes).await;
}

/// While the server is away, steps are refused soon; when it is back, they are done within ten seconds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g16_a_server_that_is_away_refuses_soon() {
    let Some(mut server) = Postgres::start(&[]).unwrap() else {
        return parlour_engines::skip("PostgreSQL is not installed");
    };
    let store = open_with(&server.url("postgres"), OpenOptions::default()).await;
    let id = direct(&store).await;
    server.kill().unwrap();
    // What served the connections may live for a moment longer than what was killed.
    while store.check().await.is_ok() {}
    for _ in 0..5 {
        let asked = Instant::now();
        let refused = store.append_message(context(&alice()), say(id, "x")).await.unwrap_err();
        assert_eq!(refused.code, Code::Unavailable);
        let read = store.heads(vec![id]).await.unwrap_err();
        assert_eq!(read.code, Code::Unavailable);
        assert!(asked.elapsed() < Duration::from_secs(4), "{:?}", asked.elapsed());
    }
    server.restart().unwrap();
    let up = Instant::now();
    loop {
        match store.append_message(context(&alice()), say(id, "back")).await {
            Ok(appended) => break assert_eq!(appended.message.seq, Seq(1)),
            Err(error) => assert_eq!(error.code, Code::Unavailable),
        }
        assert!(up.elapsed() < Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Behind a pooler that hands connections round after each transaction.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_works_through_a_pooler_in_transaction_mode() {
    let Some(database) = database() else { return };
    let Some(pooler) = Pgbouncer::start(database.port(), 3).unwrap() else {
        return parlour_engines::skip("PgBouncer is not installed");
    };
    let options =
        OpenOptions { session_url: Some(database.url()), prepare: false, ..OpenOptions::default() };
    let store = open_with(&pooler.url(database.name()), options).await;
    let id = direct(&store).await;
    let outcomes = send_until(&store, id, Instant::now() + Duration::from_secs(2), 12).await;
    assert!(outcomes.iter().all(|(_, answer)| answer.is_ok()), "{}", pooler.log());
    check_outcomes(&store, id, &outcomes).await;
    store.close().await;
    drop(pooler);
}
