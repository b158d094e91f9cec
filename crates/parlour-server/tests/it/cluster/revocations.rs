//! Who is thrown out at one process is out at all (guarantee G10).

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use parlour_core::{NodeId, UserId, event::Envelope, model::UserState, port::store::CommitSink};
use parlour_store::OpenOptions;
use serde_json::json;

use super::Several;
use crate::gateway::{
    client::{Client, End},
    server::Server,
};

/// How long a client at one process is still served after something has ended its sign-in at another.
fn lingers(client: &mut Client, throw_out: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    throw_out();
    let end = client.end();
    assert!(matches!(end, End::Closed(code, _) if code != 1000), "{end:?}");
    begun.elapsed()
}

fn log_out_elsewhere(one: &Server, other: &Server, name: &str) -> Duration {
    let token = one.register(name, "a long password");
    let mut client = Client::live(other.address(), &token);
    let spent = lingers(&mut client, || one.log_out(&token));
    let (status, answer) = one.get("/api/v1/me", &token);
    assert_eq!((status, &answer["code"]), (401, &json!("not_authenticated")));
    spent
}

#[test]
fn g10_a_session_that_ends_elsewhere_closes_its_sockets_within_two_seconds() {
    let Some(several) = Several::start(&[]) else { return };
    let (one, other) = (several.server(&[]), several.server(&[]));
    let spent = log_out_elsewhere(&one, &other, "anna");
    assert!(spent < Duration::from_secs(2), "{spent:?}");
}

#[test]
fn g10_the_same_within_ten_seconds_when_the_bus_is_dead() {
    let Some(mut several) = Several::start(&[]) else { return };
    let (one, other) = (several.server(&[]), several.server(&[]));
    several.redis.kill().unwrap();
    let spent = log_out_elsewhere(&one, &other, "berta");
    assert!(spent < Duration::from_secs(10), "{spent:?}");
}

#[test]
fn g10_who_is_banned_elsewhere_is_out_while_others_stay() {
    let Some(several) = Several::start(&[]) else { return };
    let (one, other) = (several.server(&[]), several.server(&[]));
    let (mut alice, mut bob) = (other.live("1"), other.live("2"));
    ban(&several.database.url(), "1");
    // The database was changed past every process: the poll finds it.
    let begun = Instant::now();
    assert!(matches!(alice.end(), End::Closed(code, _) if code != 1000));
    assert!(begun.elapsed() < Duration::from_secs(10));
    bob.settle();
    drop(one);
}

/// Bans somebody past every process: the store is changed, and nobody says so over the bus.
fn ban(url: &str, user: &str) {
    let options = OpenOptions { node: NodeId(4_242), shared: true, ..OpenOptions::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let store = parlour_store::open(url, options, Arc::new(Deaf)).await.unwrap();
        store.set_user_state(UserId::new(user).unwrap(), UserState::Banned).await.unwrap();
        store.close().await;
    });
}

/// Hears nothing of what is committed.
struct Deaf;

impl CommitSink for Deaf {
    fn committed(&self, _: Vec<Envelope>) {}
}
