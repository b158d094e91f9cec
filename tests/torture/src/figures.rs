//! Figures: each of these prints one table of what a cluster does.

mod slow;
mod storm;
mod throughput;

use anyhow::{Result, bail};
use parlour_harness::process::Server;

pub use self::{slow::slow_readers, storm::storm, throughput::throughput};
use crate::cluster::{Cluster, Setup, Store};

/// Starts processes without proxies: what is measured is theirs alone.
async fn open(processes: usize, seed: u64) -> Result<Cluster> {
    let store = if processes == 1 { Store::Sqlite } else { Store::Postgres };
    open_on(store, processes, seed).await
}

async fn open_on(store: Store, processes: usize, seed: u64) -> Result<Cluster> {
    let setup = Setup { proxies: false, ..Setup::new(store, processes, seed) };
    if !setup.is_possible() {
        bail!("PostgreSQL and Redis are not installed");
    }
    Cluster::start(&setup).await
}

fn servers(cluster: &Cluster) -> Vec<&Server> {
    cluster.nodes.iter().map(|node| &node.server).collect()
}
