//! The same work on one and on several processes, in one run.

use std::time::Duration;

use anyhow::Result;
use parlour_harness::load::{
    pairs::{Pace, Pairs},
    report,
};

use super::{open_on, servers};
use crate::cluster::Store;

/// How often the two take turns.
const ROUNDS: usize = 2;

/// Lets pairs of people talk over one process and over several, all on PostgreSQL, in turns.
///
/// # Errors
/// When a message is lost, doubled or out of order.
pub async fn throughput(
    processes: usize,
    pairs: usize,
    time: Duration,
    seed: u64,
) -> Result<String> {
    let (one, many) = (
        open_on(Store::Postgres, 1, seed).await?,
        open_on(Store::Postgres, processes, seed).await?,
    );
    let (one_servers, many_servers) = (servers(&one), servers(&many));
    let mut alone = Pairs::connect_over(&one_servers, pairs).await?;
    let mut shared = Pairs::connect_over(&many_servers, pairs).await?;
    let mut figures = Vec::new();
    for round in 1..=ROUNDS {
        for (pace, label) in [
            (Pace::Closed(1), "1 open each"),
            (Pace::Closed(16), "16 open each"),
            (Pace::Fixed(200), "200/s"),
        ] {
            let name = format!("1 process, {label}, round {round}");
            figures.push(alone.run_over(&one_servers, &name, pace, time).await?);
            let name = format!("{processes} processes, {label}, round {round}");
            figures.push(shared.run_over(&many_servers, &name, pace, time).await?);
        }
    }
    let head = format!("PostgreSQL, {pairs} pairs, {} s a run\n\n", time.as_secs());
    Ok(head + &report::table(&figures))
}
