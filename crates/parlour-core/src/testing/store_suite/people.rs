//! Users: profiles, search, bans and blocks.

use super::support::{Bench, code};
use crate::{
    Code,
    command::Actor,
    model::{Session, SessionId, TokenHash, UserState},
    port::store::{Context, Page, ProfileUpdate},
    testing::{alice, bob, mallory, user},
};

fn update(id: &str) -> ProfileUpdate {
    ProfileUpdate { id: user(id), username: None, name: None, email: None, avatar: None }
}

/// What is not given stays; what is emptied returns to its default.
pub async fn profiles_are_saved_field_by_field(bench: &Bench) {
    let store = &bench.store;
    assert_eq!(store.user(user("a")).await.unwrap(), None);
    let bare = store.save_user(update("a"), 5).await.unwrap();
    assert_eq!((&*bare.profile.username, &*bare.profile.name), ("a", "a"));
    assert_eq!((bare.created_at, bare.last_seen, bare.revoked_before), (5, 0, 0));
    assert_eq!(bare.state, UserState::Active);

    let named = ProfileUpdate { username: Some("ann".into()), ..update("a") };
    let named = store.save_user(named, 6).await.unwrap();
    assert_eq!((&*named.profile.username, &*named.profile.name), ("ann", "ann"));
    let full = ProfileUpdate {
        name: Some("Ann".into()),
        email: Some("ann@example.org".into()),
        avatar: Some("/a.png".into()),
        ..update("a")
    };
    let full = store.save_user(full, 7).await.unwrap();
    assert_eq!((&*full.profile.username, &*full.profile.name), ("ann", "Ann"));
    assert_eq!(full.email.as_deref(), Some("ann@example.org"));
    assert_eq!(full.profile.avatar.as_deref(), Some("/a.png"));
    assert_eq!(full.created_at, 5);
    assert_eq!(store.save_user(update("a"), 8).await.unwrap(), full);
    assert_eq!(store.user(user("a")).await.unwrap().unwrap(), full);

    let emptied = ProfileUpdate {
        username: Some("".into()),
        name: Some("".into()),
        email: Some("".into()),
        avatar: Some("".into()),
        ..update("a")
    };
    assert_eq!(store.save_user(emptied, 9).await.unwrap(), bare);
}

/// In what is read and in what is published next.
pub async fn a_new_name_is_seen_everywhere(bench: &Bench) {
    let id = bench.direct().await;
    let sent = bench.send(&alice(), id, "one").await;
    assert_eq!(&*sent.sender.name, "1");
    bench.name(&alice().user, "Alice").await;
    let next = bench.send(&alice(), id, "two").await;
    assert_eq!(&*next.sender.name, "Alice");
    let read = bench.store.messages(bob(), id, Page::Newest, 9).await.unwrap();
    assert!(read.messages.iter().all(|message| &*message.sender.name == "Alice"));
    let summary = bench.summary(&bob(), id).await;
    assert_eq!(&*summary.participants[0].profile.name, "Alice");
}

/// Name, username and id, without regard to case, in the order of names.
pub async fn users_are_searched_by_prefix(bench: &Bench) {
    for (id, username, name) in [
        ("u1", "zed", "Anna"),
        ("u2", "anton", "Zoe"),
        ("ANx", "bob", "Mia"),
        ("u4", "x", "ÄNNE"),
        ("u5", "y", "anna"),
        ("u6", "banned", "Anna B"),
    ] {
        let new = ProfileUpdate {
            username: Some(username.into()),
            name: Some(name.into()),
            ..update(id)
        };
        bench.store.save_user(new, 1).await.unwrap();
    }
    bench.store.set_user_state(user("u6"), UserState::Banned).await.unwrap();
    let find = async |viewer: &str, prefix: &str, limit| {
        let found = bench.store.search_users(user(viewer), prefix.into(), limit).await.unwrap();
        found.iter().map(|profile| profile.id.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(find("other", "an", 9).await, ["u1", "u5", "ANx", "u2"]);
    assert_eq!(find("u1", "AN", 9).await, ["u5", "ANx", "u2"]);
    assert_eq!(find("other", "an", 2).await, ["u1", "u5"]);
    assert_eq!(find("other", "änn", 9).await, ["u4"]);
    for nothing in ["%", "_", "nna", "anna banana", "an\0"] {
        assert_eq!(find("other", nothing, 9).await, [""; 0], "{nothing}");
    }
}

/// A ban keeps what was said; a revocation ends all sessions and never moves back.
pub async fn banned_and_revoked(bench: &Bench) {
    let store = &bench.store;
    bench.name(&bob().user, "Bob").await;
    for state in [UserState::Banned, UserState::Active] {
        store.set_user_state(bob().user, state).await.unwrap();
        assert_eq!(store.user(bob().user).await.unwrap().unwrap().state, state);
    }
    assert_eq!(
        code(store.set_user_state(user("77"), UserState::Banned).await),
        Some(Code::NotFound)
    );
    let session = Session {
        id: SessionId("s".into()),
        user: bob().user,
        refresh: Some(TokenHash([1; 32])),
        cookie: None,
        created_at: 0,
        expires_at: 1_000,
    };
    store.create_session(session.clone()).await.unwrap();
    store.revoke_user(bob().user, 50).await.unwrap();
    assert_eq!(store.session(session.id, 1).await.unwrap(), None);
    store.revoke_user(bob().user, 40).await.unwrap();
    assert_eq!(store.user(bob().user).await.unwrap().unwrap().revoked_before, 50);
    assert_eq!(code(store.revoke_user(user("77"), 1).await), Some(Code::NotFound));
}

/// Each way for itself, repeatable, with the conversations that it concerns.
pub async fn blocks_are_kept_and_lifted(bench: &Bench) {
    let id = bench.direct().await;
    let group = bench.group(&alice(), &["2"]).await;
    let store = &bench.store;
    let set = |actor: &Actor, other: &Actor, block| {
        store.set_block(bench.context(actor), other.user.clone(), block)
    };
    for _ in 0..2 {
        assert_eq!(set(&alice(), &bob(), true).await.unwrap(), [id]);
    }
    assert_eq!(set(&mallory(), &alice(), true).await.unwrap(), []);
    let blocked = async |actor: Actor| {
        let blocks = store.blocks(actor.user).await.unwrap();
        blocks.iter().map(|profile| profile.id.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(blocked(alice()).await, ["2"]);
    assert_eq!(blocked(bob()).await, [""; 0]);
    assert_eq!(store.hidden_from(alice().user).await.unwrap(), [user("2"), user("3")]);
    assert_eq!(store.hidden_from(bob().user).await.unwrap(), [user("1")]);
    for actor in [alice(), bob()] {
        assert_eq!(code(bench.try_send(&actor, id, "x").await), Some(Code::Blocked));
        assert!(bench.try_send(&actor, group, "groups go on").await.is_ok());
        assert!(store.conversation(actor, id).await.is_ok(), "what was said stays");
    }
    assert_eq!(set(&bob(), &alice(), false).await.unwrap(), [id], "that was not his to lift");
    assert_eq!(code(bench.try_send(&bob(), id, "x").await), Some(Code::Blocked));
    for _ in 0..2 {
        assert_eq!(set(&alice(), &bob(), false).await.unwrap(), [id]);
    }
    assert!(bench.try_send(&bob(), id, "x").await.is_ok());
    let distrust = Context { create_users: false, ..bench.context(&alice()) };
    let unknown = store.set_block(distrust.clone(), user("77"), true).await;
    assert_eq!(code(unknown), Some(Code::NotFound));
    assert_eq!(store.set_block(distrust, user("77"), false).await.unwrap(), []);
}

/// The latest counts; unknown users are passed over.
pub async fn last_seen_never_goes_back(bench: &Bench) {
    let id = bench.direct().await;
    let seen = vec![(user("1"), 50), (user("77"), 60), (user("2"), 70)];
    bench.store.set_last_seen(seen).await.unwrap();
    bench.store.set_last_seen(vec![(user("1"), 40), (user("2"), 80)]).await.unwrap();
    assert_eq!(bench.store.user(user("1")).await.unwrap().unwrap().last_seen, 50);
    let summary = bench.summary(&alice(), id).await;
    let seen: Vec<_> = summary.participants.iter().map(|p| p.last_seen).collect();
    assert_eq!(seen, [50, 80]);
    assert_eq!(bench.store.user(user("77")).await.unwrap(), None);
}
