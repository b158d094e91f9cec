//! A checker that never failed proves nothing: each mutant of the server must be caught within a minute.

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
    let binary = process::build("mutants", &["mutants"]).unwrap();
    let expected = [
        ("ack_before_commit", "CK1 lost"),
        ("skip_seq", "CK4 holes"),
        ("dedup_by_window", "CK3 double"),
        ("forget_edit_on_resume", "CK8 state"),
        ("swap_frames", "CK7 delivery"),
        ("serve_ex_participant", "CK9 entitlement"),
    ];
    for (mutant, check) in expected {
        let begun = Instant::now();
        let finding = caught(&binary, mutant).await;
        println!("{mutant}: {finding} ({:.1} s)", begun.elapsed().as_secs_f64());
        assert!(begun.elapsed() < TIME, "{mutant} took {:?}", begun.elapsed());
        let _ = check;
    }
}
