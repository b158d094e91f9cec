//! The writer: many steps in one commit, bounded, and never in the readers' way.

use std::{
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use parlour_core::{
    Code, MessageId, Seq,
    command::{Actor, MarkTarget},
    model::Watermark,
    port::store::Page,
    testing::{self, alice, bob, store_suite::join_all},
};
use parlour_store::OpenOptions;

use crate::support::{Folder, Gate, context, direct, hold_up, say};

#[tokio::test]
async fn what_gathers_during_a_commit_shares_the_next() {
    let folder = Folder::new();
    let gate = Arc::new(Gate::default());
    let store =
        parlour_store::open(&folder.url(), OpenOptions::default(), gate.clone()).await.unwrap();
    let id = direct(&store).await;
    let before = store.stats();
    let first = hold_up(&store, &gate, say(id, "first")).await;
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
async fn g4_what_one_commit_moves_several_times_is_right_for_whoever_looks_between_and_afterwards()
{
    let folder = Folder::new();
    let gate = Arc::new(Gate::default());
    let store =
        parlour_store::open(&folder.url(), OpenOptions::default(), gate.clone()).await.unwrap();
    let id = direct(&store).await;
    let before = store.stats();
    let first = hold_up(&store, &gate, say(id, "1")).await;
    let says = |who: &Actor, text: &str| store.append_message(context(who), say(id, text));
    let (two, three, four) = (says(&alice(), "2"), says(&bob(), "3"), says(&alice(), "4"));
    let edited = store.edit_message(context(&alice()), MessageId(1), "edited".into());
    let marked = store.mark(context(&bob()), id, MarkTarget::Seq(Seq(4)), true);
    let refused = says(&Actor::user(testing::user("nobody")), "?");
    let (six, seven) = (says(&alice(), "6"), says(&bob(), "7"));
    gate.set(false);
    let (first, refused) = (first.await.unwrap(), refused.await.unwrap_err());
    assert_eq!((first.message.id, refused.code), (MessageId(1), Code::NotFound));
    for (seq, said) in (2..).zip(join_all([two, three, four]).await) {
        assert_eq!(said.unwrap().message.seq, Seq(seq));
    }
    assert_eq!(edited.await.unwrap().message.change_seq, Seq(5));
    let marked = marked.await.unwrap();
    assert_eq!(marked, Watermark { delivered: Seq(4), read: Seq(4) });
    for (seq, said) in (6..).zip(join_all([six, seven]).await) {
        assert_eq!(said.unwrap().message.seq, Seq(seq));
    }
    assert_eq!(store.stats().commits - before.commits, 2, "what came behind the first is one");
    store.close().await;
    drop(store);
    let store = folder.open().await;
    for (who, read) in [(alice(), Seq(6)), (bob(), Seq(7))] {
        let membership = store.membership(who.user, id).await.unwrap().unwrap();
        assert_eq!(membership.last_seq, Seq(7));
        assert_eq!(membership.watermark, Watermark { delivered: read, read });
    }
}

#[tokio::test]
async fn g4_a_log_that_somebody_else_moved_is_noticed_at_the_end_of_the_transaction() {
    let folder = Folder::new();
    let store = folder.open().await;
    let id = direct(&store).await;
    store.append_message(context(&alice()), say(id, "1")).await.unwrap();
    folder.connect().execute("UPDATE conversations SET last_seq = 9", []).unwrap();
    let refused = store.append_message(context(&alice()), say(id, "2")).await.unwrap_err();
    assert_eq!(refused.code, Code::Internal);
    let said = store.append_message(context(&alice()), say(id, "10")).await.unwrap();
    assert_eq!(said.message.seq, Seq(10), "what it believed is read anew");
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
    let first = hold_up(&store, &gate, say(id, "first")).await;
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
