//! A checker that never failed proves nothing: each mutant of the server must be caught within a minute.
//!
//! The mutants are in the crates themselves, behind the feature `mutants`: `mutant("skip_seq")` and the like.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use parlour_harness::{
    checker::report,
    crash::{self, Fault, Plan},
    process::{self, Options},
};

const TIME: Duration = Duration::from_secs(60);

/// Runs plans on a mutant until the checker finds something; gives the first finding.
async fn caught(binary: &Path, mutant: &str) -> String {
    let begun = Instant::now();
    for seed in 1.. {
        let folder = tempfile::tempdir().unwrap();
        let mut options = Options::new(folder.path()).unwrap().env("PARLOUR_MUTANT", mutant);
        options.binary = binary.into();
        let plan = Plan::new(&format!("mutant-{mutant}"), seed, vec![Fault::Kill; 2]);
        let outcome = crash::run(&plan, options).await.unwrap();
        if !outcome.violations.is_empty() {
            return report(&outcome.violations[..1]);
        }
        assert!(
            begun.elapsed() < TIME,
            "nothing was found in {TIME:?}: the checker is blind to {mutant}"
        );
    }
    String::new()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_checker_catches_every_mutant() {
    let binary = process::mutant_binary().unwrap();
    let mutants = [
        "ack_before_commit",
        "skip_seq",
        "dedup_by_window",
        "forget_edit_on_resume",
        "swap_frames",
        "serve_ex_participant",
    ];
    for mutant in mutants {
        let begun = Instant::now();
        let finding = caught(&binary, mutant).await;
        println!("{mutant}: {finding} ({:.1} s)", begun.elapsed().as_secs_f64());
    }
}
