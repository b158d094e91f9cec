//! Another server becomes the master, and slots of a cluster move.

use std::collections::HashSet;

use parlour_bus::partition;
use parlour_engines::{Cluster, Redis, Sentinel, skip};

use crate::rig::{Process, Processes, conversation, until};

#[tokio::test]
async fn g8_sentinel_names_another_master() {
    let Some(mut group) = Sentinel::start().unwrap() else { return skip("no Redis") };
    let processes = Processes::new(group.url(), vec![]);
    let (a, b) = (processes.ready().await, processes.ready().await);
    b.bus.listen(vec![conversation(1)]).await;
    a.reaches(&b, &conversation(1)).await;
    let before = b.ear.lagged();
    group.servers[0].kill().unwrap();
    until("word of the gap", || b.ear.lagged() > before).await;
    until("health", || a.bus.is_healthy() && b.bus.is_healthy()).await;
    a.reaches(&b, &conversation(1)).await;
    let clients = Redis::cli(group.servers[1].port(), &["PUBSUB", "CHANNELS"]).unwrap();
    assert!(clients.contains("test:everyone"), "{clients}");
}

/// Every partition, each by a conversation.
fn one_of_each() -> Vec<u64> {
    let mut seen = HashSet::new();
    (1..100_000).filter(|id| seen.insert(partition(&conversation(*id)))).take(64).collect()
}

async fn all_reach(a: &Process, b: &Process) {
    for id in one_of_each() {
        a.reaches(b, &conversation(id)).await;
    }
}

/// The slot of a conversation's channel, and which server has it.
fn place(cluster: &Cluster, id: u64) -> (u16, usize) {
    let begin = format!("test:{}:{{", partition(&conversation(id)));
    let port = cluster.servers[0].port();
    for (index, server) in cluster.servers.iter().enumerate() {
        let channels = Redis::cli(server.port(), &["PUBSUB", "SHARDCHANNELS"]).unwrap();
        if let Some(name) = channels.lines().find(|name| name.starts_with(&begin)) {
            let slot = Redis::cli(port, &["CLUSTER", "KEYSLOT", name]).unwrap();
            return (slot.parse().unwrap(), index);
        }
    }
    panic!("nobody listens to {begin}");
}

#[tokio::test]
async fn g8_slots_of_a_cluster_move() {
    let Some(cluster) = Cluster::start().unwrap() else { return skip("no Redis") };
    let processes = Processes::new(cluster.url(), vec![]);
    let (a, b) = (processes.ready().await, processes.ready().await);
    b.bus.listen(one_of_each().into_iter().map(conversation).collect()).await;
    all_reach(&a, &b).await;
    for server in &cluster.servers {
        let channels = Redis::cli(server.port(), &["PUBSUB", "SHARDCHANNELS"]).unwrap();
        let share = channels.lines().filter(|name| name.contains('{')).count();
        assert!((21..=22).contains(&share), "uneven: {channels}");
    }
    for id in [one_of_each()[0], one_of_each()[1]] {
        let (slot, from) = place(&cluster, id);
        let before = b.ear.lagged();
        cluster.move_slot(slot, from, (from + 1) % 3).unwrap();
        until("word of the gap", || b.ear.lagged() > before).await;
        until("health", || a.bus.is_healthy() && b.bus.is_healthy()).await;
        a.reaches(&b, &conversation(id)).await;
        assert_eq!(place(&cluster, id), (slot, (from + 1) % 3));
    }
    all_reach(&a, &b).await;
}

/// What the other masters have goes on while one is away.
#[tokio::test]
async fn g8_a_master_of_a_cluster_is_away() {
    let Some(mut cluster) = Cluster::start().unwrap() else { return skip("no Redis") };
    let processes = Processes::new(cluster.url(), vec![]);
    let (a, b) = (processes.ready().await, processes.ready().await);
    b.bus.listen(one_of_each().into_iter().map(conversation).collect()).await;
    all_reach(&a, &b).await;
    let places: Vec<_> = one_of_each().into_iter().map(|id| (id, place(&cluster, id).1)).collect();
    cluster.servers[1].kill().unwrap();
    until("bad health", || !a.bus.is_healthy() && !b.bus.is_healthy()).await;
    for (id, _) in places.iter().filter(|(_, at)| *at != 1).take(10) {
        a.reaches(&b, &conversation(*id)).await;
    }
    let before = b.ear.lagged();
    cluster.servers[1].restart().unwrap();
    until("word of the gap", || b.ear.lagged() > before).await;
    until("health", || a.bus.is_healthy() && b.bus.is_healthy()).await;
    all_reach(&a, &b).await;
}
