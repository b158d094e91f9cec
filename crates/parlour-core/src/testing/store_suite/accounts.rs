//! Signing in: credentials, API keys, sessions and tickets; and the end of the store.

use super::support::{Bench, code, join_all, say};
use crate::{
    Code, Seq,
    model::{ApiKey, Credential, Session, SessionId, TokenHash},
    port::store::{Page, Rotation},
    testing::{alice, bob, user},
};

fn session(id: &str, token: u8) -> Session {
    Session {
        id: SessionId(id.into()),
        user: alice().user,
        refresh: Some(TokenHash([token; 32])),
        cookie: Some(TokenHash([token + 100; 32])),
        created_at: 10,
        expires_at: 1_000,
    }
}

/// One name, one user; a new password replaces the old one.
pub async fn credentials_are_found_without_regard_to_case(bench: &Bench) {
    let store = &bench.store;
    bench.name(&alice().user, "Alice").await;
    bench.name(&bob().user, "Bob").await;
    let credential = |id: &str, name: &str, password: &str| Credential {
        user: user(id),
        username: name.into(),
        password: password.into(),
    };
    store.set_credential(credential("1", "Alice", "one"), 1).await.unwrap();
    let found = store.credential("aLICE".into()).await.unwrap();
    assert_eq!(found.as_ref().map(|found| &*found.password), Some("one"));
    assert_eq!(found.map(|found| found.user), Some(user("1")));
    let taken = store.set_credential(credential("2", "ALICE", "two"), 2).await;
    assert_eq!(code(taken), Some(Code::Conflict));
    store.set_credential(credential("1", "al", "three"), 3).await.unwrap();
    assert!(store.credential("alice".into()).await.unwrap().is_none());
    assert_eq!(&*store.credential("AL".into()).await.unwrap().unwrap().password, "three");
    let unknown = store.set_credential(credential("77", "x", "x"), 4).await;
    assert_eq!(code(unknown), Some(Code::NotFound));
}

/// Unique names, looked up by the hash of the secret.
pub async fn api_keys_are_found_by_secret(bench: &Bench) {
    let store = &bench.store;
    let key = |name: &str, secret: u8| ApiKey {
        name: name.into(),
        secret: TokenHash([secret; 32]),
        created_at: 5,
    };
    store.add_api_key(key("web", 1)).await.unwrap();
    store.add_api_key(key("app", 2)).await.unwrap();
    assert_eq!(code(store.add_api_key(key("web", 3)).await), Some(Code::Conflict));
    assert_eq!(store.api_key(TokenHash([1; 32])).await.unwrap(), Some(key("web", 1)));
    assert_eq!(store.api_key(TokenHash([3; 32])).await.unwrap(), None);
    assert_eq!(store.api_keys().await.unwrap(), [key("app", 2), key("web", 1)]);
    assert!(store.remove_api_key("web".into()).await.unwrap());
    assert!(!store.remove_api_key("web".into()).await.unwrap());
    assert_eq!(store.api_key(TokenHash([1; 32])).await.unwrap(), None);
}

/// By id and by cookie, until their end or until they are ended.
pub async fn sessions_stand_until_they_end(bench: &Bench) {
    let store = &bench.store;
    assert_eq!(code(store.create_session(session("s", 1)).await), Some(Code::NotFound));
    bench.name(&alice().user, "Alice").await;
    let made = session("s", 1);
    store.create_session(made.clone()).await.unwrap();
    assert_eq!(store.session(made.id.clone(), 999).await.unwrap(), Some(made.clone()));
    assert_eq!(store.session(made.id.clone(), 1_000).await.unwrap(), None);
    let cookie = made.cookie.unwrap();
    assert_eq!(store.session_by_cookie(cookie, 999).await.unwrap(), Some(made.clone()));
    assert_eq!(store.session_by_cookie(cookie, 1_000).await.unwrap(), None);
    assert_eq!(store.session_by_cookie(TokenHash([9; 32]), 1).await.unwrap(), None);
    assert!(store.end_session(made.id.clone()).await.unwrap());
    assert!(!store.end_session(made.id.clone()).await.unwrap());
    assert_eq!(store.session_by_cookie(cookie, 1).await.unwrap(), None);
}

/// Whoever presents an old token may be a thief: nobody gets on with that session.
pub async fn j5_a_refresh_token_used_twice_ends_the_session(bench: &Bench) {
    let store = &bench.store;
    bench.name(&alice().user, "Alice").await;
    store.create_session(session("s", 1)).await.unwrap();
    store.create_session(session("other", 50)).await.unwrap();
    let token = |n: u8| TokenHash([n; 32]);
    for (used, successor) in [(1, 2), (2, 3)] {
        let rotated = store.rotate_refresh(token(used), token(successor), 20).await.unwrap();
        let expected = Session { refresh: Some(token(successor)), ..session("s", 1) };
        assert_eq!(rotated, Rotation::Rotated(expected));
    }
    let unknown = store.rotate_refresh(token(77), token(78), 20).await.unwrap();
    assert_eq!(unknown, Rotation::Unknown);
    let reused = store.rotate_refresh(token(1), token(9), 20).await.unwrap();
    assert!(matches!(reused, Rotation::Reused(ended) if ended.id == session("s", 1).id));
    assert_eq!(store.session(session("s", 1).id, 20).await.unwrap(), None);
    for dead in [1, 2, 3, 9] {
        let answer = store.rotate_refresh(token(dead), token(99), 20).await.unwrap();
        assert_eq!(answer, Rotation::Unknown, "token {dead}");
    }
    let late = store.rotate_refresh(token(50), token(51), 1_000).await.unwrap();
    assert_eq!(late, Rotation::Unknown, "its session has ended");
}

/// Of several at once one wins; the next one looks like a theft.
pub async fn j5_parallel_refreshes_rotate_once(bench: &Bench) {
    bench.name(&alice().user, "Alice").await;
    bench.store.create_session(session("s", 1)).await.unwrap();
    let rotations =
        (2..10_u8).map(|n| bench.store.rotate_refresh(TokenHash([1; 32]), TokenHash([n; 32]), 20));
    let answers: Vec<_> = join_all(rotations).await.into_iter().map(Result::unwrap).collect();
    let count = |want: fn(&Rotation) -> bool| answers.iter().filter(|a| want(a)).count();
    assert_eq!(count(|answer| matches!(answer, Rotation::Rotated(_))), 1);
    assert_eq!(count(|answer| matches!(answer, Rotation::Reused(_))), 1);
}

/// In parallel exactly one taker gets it; an expired one nobody.
pub async fn a7_a_ticket_is_taken_once(bench: &Bench) {
    let store = &bench.store;
    let ticket = TokenHash([7; 32]);
    store.create_ticket(ticket, "who".into(), 1_000).await.unwrap();
    let takers = (0..20).map(|_| store.take_ticket(ticket, 999));
    let taken: Vec<_> = join_all(takers).await.into_iter().filter_map(Result::unwrap).collect();
    assert_eq!(taken, ["who".into()]);
    store.create_ticket(ticket, "late".into(), 1_000).await.unwrap();
    assert_eq!(store.take_ticket(ticket, 1_000).await.unwrap(), None);
    assert_eq!(store.take_ticket(TokenHash([8; 32]), 1).await.unwrap(), None);
}

/// Only what has ended goes.
pub async fn ended_sessions_and_tickets_are_swept(bench: &Bench) {
    let store = &bench.store;
    bench.name(&alice().user, "Alice").await;
    store.create_session(session("short", 1)).await.unwrap();
    let long = Session { expires_at: 9_000, ..session("long", 2) };
    store.create_session(long.clone()).await.unwrap();
    store.rotate_refresh(TokenHash([1; 32]), TokenHash([11; 32]), 5).await.unwrap();
    for (n, end) in [(1, 500), (2, 9_000)] {
        store.create_ticket(TokenHash([n; 32]), "who".into(), end).await.unwrap();
    }
    assert_eq!(store.sweep_sessions(1_000).await.unwrap(), 2);
    assert_eq!(store.sweep_sessions(1_000).await.unwrap(), 0);
    assert_eq!(store.session(long.id.clone(), 1_000).await.unwrap(), Some(long));
    assert_eq!(store.take_ticket(TokenHash([2; 32]), 1_000).await.unwrap().as_deref(), Some("who"));
}

/// What was asked before is done; what comes after is refused as not stored.
pub async fn a_closed_store_is_unavailable(bench: &Bench) {
    let id = bench.direct().await;
    let store = &bench.store;
    store.check().await.unwrap();
    let sends: Vec<_> = (0..50)
        .map(|n| store.append_message(bench.context(&alice()), say(id, &n.to_string())))
        .collect();
    let (answers, ()) = {
        let closing = store.close();
        let answers = join_all(sends).await;
        (answers, closing.await)
    };
    assert!(answers.into_iter().all(|answer| answer.is_ok()));
    assert_eq!(bench.sink.all().last().unwrap().seq, Some(Seq(50)));
    assert_eq!(code(store.check().await), Some(Code::Unavailable));
    assert_eq!(code(bench.try_send(&alice(), id, "late").await), Some(Code::Unavailable));
    let read = store.messages(alice(), id, Page::Newest, 9).await;
    assert_eq!(code(read), Some(Code::Unavailable));
    store.close().await;
}
