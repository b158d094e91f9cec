//! Seeds in the ordinary tests: the same seed gives the same run, and no run breaks a guarantee.

#![cfg(test)]

mod mutants;

use std::{path::PathBuf, process::Command};

use parlour_simulation::{Plan, world};

/// Seeds that every run of the tests tries; `tests/simulation/seeds.txt` has those that once failed besides.
const SEEDS: std::ops::Range<u64> = 1..10;

/// How long people talk in each.
const MINUTES: u64 = 10;

fn plan(seed: u64, minutes: u64) -> Plan {
    Plan { seed, minutes, processes: world::processes_of(seed), text: false }
}

#[track_caller]
fn holds(plan: Plan) {
    let outcome = world::run(plan).unwrap();
    println!("seed {}: {} ({} events)", plan.seed, outcome.hash, outcome.events);
    assert!(
        outcome.findings.is_empty(),
        "replay with: make simulate SEED={} MINUTES={} PROCESSES={}\n{}",
        plan.seed,
        plan.minutes,
        plan.processes,
        outcome.findings.join("\n"),
    );
}

/// The hash that the program prints for a seed.
fn printed(seed: u64) -> String {
    let words = ["--seed", &seed.to_string(), "--minutes", "3"];
    let output =
        Command::new(env!("CARGO_BIN_EXE_parlour-simulation")).args(words).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.split(": ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap().to_owned()
}

#[test]
fn a_seed_gives_the_same_run_byte_for_byte_here_and_in_other_processes() {
    for seed in [1, 2, 3] {
        let first = world::run(plan(seed, 3)).unwrap();
        let second = world::run(plan(seed, 3)).unwrap();
        assert_eq!(first.hash, second.hash, "seed {seed}");
        assert_eq!(first.hash, printed(seed), "seed {seed}");
        assert!(first.events > 500, "{} events are no run", first.events);
    }
    assert_ne!(world::run(plan(1, 1)).unwrap().hash, world::run(plan(4, 1)).unwrap().hash);
}

#[test]
fn seeds_keep_the_guarantees() {
    for seed in SEEDS {
        holds(plan(seed, MINUTES));
    }
}

#[test]
fn seeds_that_once_failed_keep_the_guarantees() {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("seeds.txt");
    let text = std::fs::read_to_string(file).unwrap();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let numbers: Vec<u64> =
            line.split_whitespace().take(3).map(|word| word.parse().unwrap()).collect();
        let [seed, minutes, processes] = numbers[..] else { panic!("`{line}`: three numbers") };
        holds(Plan { seed, minutes, processes: usize::try_from(processes).unwrap(), text: false });
    }
}
