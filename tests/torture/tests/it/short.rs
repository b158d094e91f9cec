//! Three minutes in all: several seeds, both stores, one process and three. `make torture` runs the long form.

use std::time::{Duration, Instant};

use parlour_engines::skip;
use parlour_harness::checker::report;
use parlour_torture::{
    cluster::{Setup, Store, has_faketime},
    fault,
    people::Size,
    run::{self, PATIENCE, Plan},
};

/// How long things are broken in each run. Starting, settling and checking come on top.
const TIME: Duration = Duration::from_secs(25);

async fn torture(store: Store, processes: usize, seed: u64) {
    let seed =
        std::env::var("PARLOUR_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(seed);
    let mut setup = Setup::new(store, processes, seed);
    if !setup.is_possible() {
        return skip("torture on PostgreSQL and Redis: they are not installed");
    }
    setup.clocks = has_faketime();
    setup.small_disk = true;
    let steps = fault::plan(&setup, TIME, &[]);
    let size = Size { rate: 100, ..Size::default() };
    let begun = Instant::now();
    let plan = Plan { setup, size, steps, time: TIME, other: None, patience: PATIENCE };
    let outcome = run::run(&plan).await.unwrap();
    println!(
        "{store:?}, {processes} process(es), seed {seed}: {} faults, {} commands, {} events, settled after {:.1} s, {:.0} s in all",
        outcome.faults,
        outcome.commands,
        outcome.events,
        outcome.settled.as_secs_f64(),
        begun.elapsed().as_secs_f64()
    );
    assert!(
        outcome.violations.is_empty(),
        "{store:?}, {processes} process(es), seed {seed}, kept in {:?}:\n{}",
        outcome.artifacts,
        report(&outcome.violations)
    );
    assert!(outcome.faults > 0, "nothing was broken");
    assert!(outcome.events > 1_000, "{} events are no load", outcome.events);
}

/// One test, so that runs do not take each other's time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g1_to_g24_what_is_promised_holds_whatever_breaks() {
    torture(Store::Sqlite, 1, 1).await;
    torture(Store::Sqlite, 1, 2).await;
    torture(Store::Postgres, 3, 3).await;
    torture(Store::Postgres, 3, 4).await;
}
