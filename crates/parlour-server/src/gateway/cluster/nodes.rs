//! Which processes live, as the bus and the database tell: this one says so itself, and what it knows of its people.

use std::{sync::Arc, time::Duration};

use parlour_core::{
    NodeId,
    port::{
        bus::{Hint, Topic},
        store::Node,
    },
};

use super::Cluster;
use crate::hash::HashMap;

/// How often the time is looked at.
const TICK: Duration = Duration::from_secs(1);

/// Every so many ticks this process says that it lives.
const ALIVE: u64 = 5;

/// Who is not heard for so long is dead.
const SILENCE: Duration = Duration::from_secs(15);

/// Everybody who is here is told of once in so many ticks, a part of them in each.
const PARTS: u64 = 10;

pub(super) async fn run(cluster: Arc<Cluster>) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    for count in 0u64.. {
        tokio::select! {
            biased;
            _ = ticks.tick() => {}
            () = cluster.parts.tasks.stopping() => return,
        }
        if count.is_multiple_of(ALIVE) {
            cluster.say(Topic::Everyone, Hint::Alive);
        }
        let part = usize::try_from(count % PARTS).unwrap_or_default();
        cluster.parts.hub.tell_of_some(usize::try_from(PARTS).unwrap_or(1), part);
        cluster.forget_silent();
        cluster.parts.hub.sweep_far();
        cluster.parts.metrics.bus_up.set(i64::from(cluster.parts.bus.is_healthy()));
    }
}

/// The processes of which the database knows, and since when the bus should have brought something of them.
#[derive(Default)]
pub(crate) struct Known {
    since: HashMap<NodeId, Duration>,
    silent: Vec<NodeId>,
}

impl Cluster {
    /// Says that this process ends.
    pub(crate) fn leave(&self) {
        if self.is_shared() {
            self.say(Topic::Everyone, Hint::Leaving);
        }
    }

    /// Another process is there no more: its people go when the grace is over.
    pub(super) fn gone(&self, node: NodeId, grace: Duration) {
        self.ear.forget_node(node);
        self.parts.hub.node_gone(node, grace);
        self.parts.pusher.node_gone(node);
    }

    fn forget_silent(&self) {
        let now = self.parts.clock.monotonic();
        let nodes = self.ear.nodes();
        self.parts.metrics.bus_nodes.set(i64::try_from(nodes.len()).unwrap_or(i64::MAX));
        for (node, heard) in nodes {
            if now.saturating_sub(heard) >= SILENCE {
                self.gone(node, Duration::ZERO);
            }
        }
    }

    /// Compares the processes of which the database knows with those that are heard.
    pub(crate) fn check_nodes(&self, leases: &[Node], known: &mut Known) {
        let now = self.parts.clock.monotonic();
        let others = leases.iter().filter(|node| node.id != self.parts.node);
        let others: Vec<_> = others.map(|node| node.id).collect();
        known.since.retain(|node, _| others.contains(node));
        let heard: HashMap<_, _> = self.ear.nodes().into_iter().collect();
        let mut silent = Vec::new();
        for node in others {
            let since = *known.since.entry(node).or_insert(now);
            let last = heard.get(&node).copied().unwrap_or(since).max(since);
            if now.saturating_sub(last) >= SILENCE {
                silent.push(node);
            }
        }
        for node in silent.iter().filter(|node| !known.silent.contains(node)) {
            tracing::warn!(%node, "another process on this database is not heard on the bus: is it on the same one?");
        }
        known.silent = silent;
        let degraded =
            self.is_shared() && (!self.parts.bus.is_healthy() || !known.silent.is_empty());
        self.parts.hub.set_degraded(degraded);
    }
}
