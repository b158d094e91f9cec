//! What everybody in a crowd asks for is read of many at once, and nobody notices.

use std::{collections::VecDeque, sync::Arc};

use parlour_core::{
    Code, ConversationId,
    command::NewConversation,
    model::ConversationKind,
    port::store::{ProfileUpdate, Store},
    testing::{alice, bob, user},
};
use parlour_engines::Postgres;
use parlour_store::OpenOptions;
use tokio::task::{JoinHandle, JoinSet};

use crate::{
    locked::Locked,
    postgres::{open_with, process},
    support::{context, database, direct, spawn},
};

/// How many come at once: more than can be read together, and than can have a connection.
const CROWD: usize = 300;

async fn open(url: &str, connections: usize) -> Arc<dyn Store> {
    open_with(url, OpenOptions { pool: connections, ..process(1) }).await
}

/// In how many conversations somebody is who is in much.
const IN_MUCH: usize = 200;

/// Kinds of what is asked for.
const KINDS: usize = 9;
/// That of [`ask`] which reads memberships of somebody who has some.
const MEMBERSHIPS: usize = 2;

/// What somebody asks for, and what he should be told. Alice and bob have blocked each other.
async fn ask(store: &Arc<dyn Store>, talk: ConversationId, n: usize) {
    let stranger = user(&format!("stranger-{n}"));
    match n % KINDS {
        0 => {
            let found = store.user(bob().user).await.unwrap().map(|user| user.profile.id.clone());
            assert_eq!(found, Some(bob().user));
        }
        1 => assert_eq!(store.user(stranger).await.unwrap(), None),
        2 => {
            let mine = store.memberships(alice().user).await.unwrap();
            let places: Vec<_> = mine.iter().map(|at| (at.conversation, &at.user)).collect();
            assert_eq!(places, [(talk, &alice().user)]);
        }
        3 => assert_eq!(store.memberships(stranger).await.unwrap(), []),
        4 => {
            let his = store.membership(bob().user, talk).await.unwrap();
            assert_eq!(his.map(|at| (at.conversation, at.user)), Some((talk, bob().user)));
        }
        5 => assert_eq!(store.membership(stranger, talk).await.unwrap(), None),
        6 => assert_eq!(store.hidden_from(alice().user).await.unwrap(), [bob().user]),
        7 => assert_eq!(store.hidden_from(stranger).await.unwrap(), []),
        _ => {
            let known = store.user_versions(vec![bob().user]).await.unwrap();
            assert_eq!(known.into_iter().map(|(user, _)| user).collect::<Vec<_>>(), [bob().user]);
            assert_eq!(store.user_versions(vec![stranger]).await.unwrap(), []);
        }
    }
}

#[tokio::test]
async fn a_crowd_that_comes_at_once_is_read_by_few_statements_and_each_is_told_his_own() {
    let Some(server) = Postgres::start(&["log_statement = 'all'"]).unwrap() else {
        return parlour_engines::skip("PostgreSQL is not installed");
    };
    let store = open(&server.url("postgres"), 4).await;
    let talk = direct(&store).await;
    store.set_block(context(&alice()), bob().user, true).await.unwrap();
    store.set_block(context(&bob()), alice().user, true).await.unwrap();
    let mut tasks = JoinSet::new();
    for n in 0..CROWD {
        let store = store.clone();
        tasks.spawn(async move { ask(&store, talk, n).await });
    }
    tasks.join_all().await;
    let log = std::fs::read_to_string(server.folder().join("server.log")).unwrap();
    let readings = log.matches("WITH ORDINALITY t (id,").count();
    assert!((3..CROWD / 4).contains(&readings), "{readings} statements");
}

#[tokio::test]
async fn those_who_are_in_much_are_read_with_few_others() {
    let Some(server) = Postgres::start(&["log_statement = 'all'"]).unwrap() else {
        return parlour_engines::skip("PostgreSQL is not installed");
    };
    let store = open(&server.url("postgres"), 4).await;
    direct(&store).await;
    for n in 1..IN_MUCH {
        let new = NewConversation {
            kind: ConversationKind::Group,
            participants: vec![],
            title: Some(format!("{n}").into()),
            subject: None,
            external_id: None,
            metadata: None,
        };
        store.create_conversation(context(&alice()), new).await.unwrap();
    }
    let mut tasks = JoinSet::new();
    for _ in 0..CROWD {
        let store = store.clone();
        tasks.spawn(async move { store.memberships(alice().user).await.unwrap().len() });
    }
    assert!(tasks.join_all().await.into_iter().all(|count| count == IN_MUCH));
    let log = std::fs::read_to_string(server.folder().join("server.log")).unwrap();
    let lists =
        log.lines().filter_map(|line| line.split_once("parameters: $1 = '{")?.1.split_once('}'));
    let most = lists.map(|(list, _)| list.split(',').count()).max().unwrap();
    // Two thousand rows or so at a time.
    assert!((2..=2_000 / IN_MUCH).contains(&most), "{most} together");
}

// One thread, so that they come one after the other.
#[tokio::test]
async fn who_goes_while_he_is_read_with_others_takes_nobody_along() {
    let Some(database) = database().map(Arc::new) else { return };
    let store = open(&database.url(), 8).await;
    let talk = direct(&store).await;
    let mut locked = Locked::new(&database);
    locked.lock();
    locked.is_locked().await;
    let mut asking: VecDeque<JoinHandle<()>> = (0..CROWD)
        .map(|n| {
            let store = store.clone();
            spawn(async move { ask(&store, talk, n * KINDS + MEMBERSHIPS).await })
        })
        .collect();
    locked.keeps_waiting(4).await;
    locked.lock();
    locked.is_to_be_locked().await;
    locked.unlock().await;
    // The first four, who are read alone, go on. Those after them take others along, and meet the second lock.
    for _ in 0..4 {
        asking.pop_front().unwrap().await.unwrap();
    }
    locked.is_locked().await;
    locked.keeps_waiting(4).await;
    asking.drain(..4).for_each(|gone| gone.abort());
    locked.unlock().await;
    for told in asking {
        told.await.unwrap();
    }
}

#[tokio::test]
async fn who_cannot_be_read_does_not_spoil_it_for_those_who_are_read_with_him() {
    let Some(database) = database() else { return };
    let store = open(&database.url(), 4).await;
    let talk = direct(&store).await;
    let (username, name, email, avatar) = (None, None, None, None);
    let broken = ProfileUpdate { id: user("broken"), username, name, email, avatar };
    store.save_user(broken, 1).await.unwrap();
    database
        .run(&format!(
            "INSERT INTO participants (conversation, user_id, role, joined_seq, entered_seq, delivered_seq, read_seq, \
               joined_at) VALUES ({}, 'broken', 0, -1, 0, 0, 0, 0)",
            talk.0
        ))
        .unwrap();
    let mut tasks = JoinSet::new();
    for n in 0..CROWD {
        let store = store.clone();
        tasks.spawn(async move {
            let who = if n % 10 == 0 { user("broken") } else { bob().user };
            let found = store.memberships(who).await.map(|all| all.len());
            let expected = if n % 10 == 0 { Err(Code::Internal) } else { Ok(1) };
            assert_eq!(found.map_err(|error| error.code), expected, "{n}");
        });
    }
    tasks.join_all().await;
}
