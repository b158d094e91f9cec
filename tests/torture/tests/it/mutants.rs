//! Mutants that only several processes, or only PostgreSQL, can show. Those of one process on SQLite are in the tests of
//! `parlour-harness`.

use std::time::{Duration, Instant};

use parlour_engines::skip;
use parlour_harness::{checker::report, process};
use parlour_torture::{
    cluster::{Setup, Store},
    fault,
    people::Size,
    run::{self, Plan},
};

/// Within which each must be caught.
const TIME: Duration = Duration::from_secs(60);

/// What is broken beside them: as little as shows them. Of these the ordinary run tries those that mean something else with
/// several processes or with PostgreSQL,
const MUTANTS: [(&str, &str); 3] = [
    ("ack_before_commit", "kill"),
    ("serve_ex_participant", "client-storm"),
    // The last message of the bus is lost, and nobody looks whether one was.
    ("drop_tail", "bus-drop-last"),
];

/// and `make mutants` the others, too.
const OTHERS: [(&str, &str); 4] = [
    ("skip_seq", "kill"),
    ("dedup_by_window", "kill"),
    ("forget_edit_on_resume", "client-storm"),
    ("swap_frames", "client-storm"),
];

/// Set, all are tried.
const ALL: &str = "PARLOUR_ALL_MUTANTS";

async fn caught(mutant: &str, faults: &str, seed: u64) -> Option<String> {
    let mut setup = Setup::new(Store::Postgres, 2, seed);
    setup.binary = Some(process::mutant_binary().unwrap());
    setup.env.push(("PARLOUR_MUTANT".into(), mutant.into()));
    let time = Duration::from_secs(10);
    let steps = fault::plan(&setup, time, &[faults.into()]);
    // Nothing of this needs patience when all is well.
    let patience = Duration::from_secs(12);
    let plan = Plan { setup, size: Size::default(), steps, time, other: None, patience };
    let outcome = run::run(&plan).await.unwrap();
    let first = outcome.violations.get(..1)?;
    Some(report(first))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_mutant_on_several_processes_is_caught() {
    if !Setup::new(Store::Postgres, 2, 1).is_possible() {
        return skip("mutants on PostgreSQL and Redis: they are not installed");
    }
    let all = std::env::var_os(ALL).is_some();
    let others = OTHERS.iter().filter(|_| all);
    for &(mutant, faults) in MUTANTS.iter().chain(others) {
        let begun = Instant::now();
        let mut finding = None;
        for seed in 1.. {
            finding = caught(mutant, faults, seed).await;
            if finding.is_some() {
                break;
            }
            assert!(begun.elapsed() < TIME, "nothing was found in {TIME:?}: blind to {mutant}");
        }
        println!("{mutant}: {finding:?} ({:.1} s)", begun.elapsed().as_secs_f64());
    }
}
