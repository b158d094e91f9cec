//! A simulation that never failed proves nothing: faults on purpose in the server are found within a few seeds.

use std::process::Command;

use parlour_harness::process::mutant;

/// Seeds within which a fault is found.
const SEEDS: &str = "12";

#[test]
fn every_fault_on_purpose_is_found_within_a_few_seeds() {
    let program = mutant("parlour-simulation-mutant").unwrap();
    let mutants = [
        "skip_seq",
        "swap_frames",
        "dedup_by_window",
        "forget_edit_on_resume",
        "serve_ex_participant",
        "drop_tail",
    ];
    for mutation in mutants {
        let output =
            Command::new(&program).arg(SEEDS).env("PARLOUR_MUTANT", mutation).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        println!("{mutation}: {said}");
        assert!(output.status.success(), "the simulation is blind to {mutation}: {said}");
    }
}
