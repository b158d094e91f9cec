//! The ordinary form of the crash test: a few crashes. `make crash` runs the long one.

use parlour_harness::{
    checker::report,
    crash::{self, Fault, Outcome, Plan},
    process::Options,
};

/// Carries a plan out, and fails with what the checker has found.
async fn run(name: &str, faults: &[Fault]) -> Outcome {
    let seed = std::env::var("PARLOUR_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let folder = tempfile::tempdir().unwrap();
    let plan = Plan::new(name, seed, faults.to_vec());
    let outcome = crash::run(&plan, Options::new(folder.path()).unwrap()).await.unwrap();
    println!("seed {seed}: {} commands acknowledged", outcome.sends);
    assert!(
        outcome.violations.is_empty(),
        "seed {seed}, kept in {:?}:\n{}",
        outcome.artifacts,
        report(&outcome.violations)
    );
    assert_eq!(outcome.faults, faults.len());
    outcome
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g1_g3_g4_g5_g6_nothing_is_lost_or_doubled_when_the_server_is_killed() {
    let outcome = run("kill", &[Fault::Kill; 4]).await;
    assert!(outcome.unanswered > 0, "no crash came while a command was open");
    assert!(outcome.duplicates > 0, "nothing was repeated");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g18_a_shutdown_under_load_loses_nothing_and_says_why() {
    run("shutdown", &[Fault::Shutdown, Fault::Freeze, Fault::Shutdown]).await;
}
