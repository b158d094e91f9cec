//! The suite, over one server, over what Sentinel watches, and over a cluster.

use parlour_core::testing::bus_suite;
use parlour_engines::{Cluster, Redis, Sentinel, skip};

use crate::rig::Processes;

macro_rules! on_one_server {
    ($($case:ident),* $(,)?) => {
        mod one_server {
            use super::*;
            $(
                #[tokio::test]
                async fn $case() {
                    let Some(redis) = Redis::start(&[]).unwrap() else { return skip("no Redis") };
                    bus_suite::$case(&Processes::new(redis.url(), vec![redis.port()])).await;
                }
            )*
        }
    };
}
parlour_core::bus_cases!(on_one_server);

macro_rules! on_a_cluster {
    ($($case:ident),* $(,)?) => {
        /// All cases in one test, for a cluster takes its time to start.
        #[tokio::test]
        async fn cluster_passes_the_suite() {
            let Some(cluster) = Cluster::start().unwrap() else { return skip("no Redis") };
            let ports: Vec<_> = cluster.servers.iter().map(Redis::port).collect();
            $(
                bus_suite::$case(&Processes::new(cluster.url(), ports.clone())).await;
            )*
        }
    };
}
parlour_core::bus_cases!(on_a_cluster);

macro_rules! under_sentinel {
    ($($case:ident),* $(,)?) => {
        /// All cases in one test, for Sentinel takes its time to find the replica.
        #[tokio::test]
        async fn sentinel_passes_the_suite() {
            let Some(group) = Sentinel::start().unwrap() else { return skip("no Redis") };
            let ports = vec![group.servers[0].port()];
            $(
                bus_suite::$case(&Processes::new(group.url(), ports.clone())).await;
            )*
        }
    };
}
parlour_core::bus_cases!(under_sentinel);
