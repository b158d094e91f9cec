//! The writer: many steps in one commit, bounded, and never in the readers' way.

use std::{
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use parlour_core::{
    Code, Seq,
    port::store::Page,
    testing::{alice, bob, store_suite::join_all},
};
use parlour_store::OpenOptions;

use crate::support::{Folder, Gate, context, direct, say};

#[tokio::test]
async fn what_gathers_during_a_commit_shares_the_next() {
    let folder = Folder::new();
    let gate = Arc::new(Gate::default());
    let store =
        parlour_store::open(&folder.url(), OpenOptions::default(), gate.clone()).await.unwrap();
    let id = direct(&store).await;
    let before = store.stats();
    gate.set(true);
    let first = store.append_message(context(&alice()), say(id, "first"));
    while store.stats().commits == before.commits {
        tokio::task::yield_now().await;
    }
    let sends: Vec<_> = (0..500)
        .map(|n| store.append_message(context(&alice()), say(id, &n.to_string())))
        .collect();
    assert_eq!(store.stats().queued, 500);
    gate.set(false);
    first.await.unwrap();
    for (n, sent) in join_all(sends).await.into_iter().enumerate() {
        assert_eq!(sent.unwrap().message.seq, Seq(n as u64 + 2));
    }
    let after = store.stats();
    assert_eq!(after.writes - before.writes, 501);
    assert_eq!(after.commits - before.commits, 3, "1, then 256, then 244");
}

#[tokio::test]
async fn a_batch_of_one_commits_each() {
    let folder = Folder::new();
    let options = OpenOptions { max_batch: 1, ..OpenOptions::default() };
    let store = parlour_store::open(&folder.url(), options, Arc::new(crate::support::Nobody))
        .await
        .unwrap();
    let id = direct(&store).await;
    let sends = (0..20).map(|n| store.append_message(context(&alice()), say(id, &n.to_string())));
    let sends: Vec<_> = sends.collect();
    assert!(join_all(sends).await.into_iter().all(|sent| sent.is_ok()));
    let stats = store.stats();
    assert_eq!(stats.commits, stats.writes);
}

#[tokio::test]
async fn g15_a_full_queue_refuses_what_it_cannot_hold() {
    let folder = Folder::new();
    let gate = Arc::new(Gate::default());
    let options = OpenOptions { max_queued: 10, ..OpenOptions::default() };
    let store = parlour_store::open(&folder.url(), options, gate.clone()).await.unwrap();
    let id = direct(&store).await;
    let commits = store.stats().commits;
    gate.set(true);
    let first = store.append_message(context(&alice()), say(id, "first"));
    while store.stats().commits == commits {
        tokio::task::yield_now().await;
    }
    let sends: Vec<_> =
        (0..25).map(|n| store.append_message(context(&alice()), say(id, &n.to_string()))).collect();
    let read = store.messages(bob(), id, Page::Newest, 10).await.unwrap();
    assert_eq!(read.messages.len(), 1, "reading goes on");
    gate.set(false);
    first.await.unwrap();
    let answers = join_all(sends).await;
    let refused = answers.iter().filter_map(|answer| answer.as_ref().err());
    let refused: Vec<_> = refused.map(|error| error.code).collect();
    assert_eq!(refused, [Code::Unavailable; 15]);
    let stored = store.heads(vec![id]).await.unwrap()[0].last_seq;
    assert_eq!(stored, Seq(11), "what was refused is not stored");
}

#[tokio::test]
async fn a_step_runs_though_its_caller_has_gone() {
    let folder = Folder::new();
    let store = folder.open().await;
    let id = direct(&store).await;
    drop(store.append_message(context(&alice()), say(id, "nobody waits")));
    store.check().await.unwrap();
    assert_eq!(store.heads(vec![id]).await.unwrap()[0].last_seq, Seq(1));
}

#[tokio::test]
async fn readers_are_not_held_up_by_a_long_write_transaction() {
    let folder = Folder::new();
    let store = folder.open().await;
    let id = direct(&store).await;
    store.append_message(context(&alice()), say(id, "one")).await.unwrap();
    // Another program holds the write lock for a while.
    let (held, release) = (mpsc::channel(), mpsc::channel::<()>());
    let connection = folder.connect();
    let holder = std::thread::spawn(move || {
        connection.execute_batch("BEGIN IMMEDIATE").unwrap();
        held.0.send(()).unwrap();
        let _ = release.1.recv_timeout(Duration::from_secs(20));
        connection.execute_batch("ROLLBACK").unwrap();
    });
    held.1.recv().unwrap();
    let started = Instant::now();
    let writing = store.append_message(context(&alice()), say(id, "two"));
    for _ in 0..100 {
        let read = store.messages(bob(), id, Page::Newest, 10).await.unwrap();
        assert_eq!(read.messages.len(), 1);
    }
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    release.0.send(()).unwrap();
    holder.join().unwrap();
    writing.await.unwrap();
}

#[tokio::test]
async fn a_panicking_sink_stops_nothing() {
    struct Panics;
    impl parlour_core::port::store::CommitSink for Panics {
        fn committed(&self, _: Vec<parlour_core::event::Envelope>) {
            panic!("on purpose");
        }
    }
    let folder = Folder::new();
    let store =
        parlour_store::open(&folder.url(), OpenOptions::default(), Arc::new(Panics)).await.unwrap();
    let id = direct(&store).await;
    for n in 1..4 {
        let sent = store.append_message(context(&alice()), say(id, "x")).await.unwrap();
        assert_eq!(sent.message.seq, Seq(n));
    }
}
