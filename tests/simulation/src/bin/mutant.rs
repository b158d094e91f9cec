//! Runs seeds on the server with one of its faults on purpose until something is found; prints the seed, or that there is none.
#![expect(clippy::print_stdout, reason = "that is what it is for")]

use std::process::ExitCode;

use anyhow::Result;
use parlour_simulation::{Plan, world};

/// How long people talk in each seed.
const MINUTES: u64 = 5;

fn main() -> Result<ExitCode> {
    let most = std::env::args().nth(1).and_then(|word| word.parse().ok()).unwrap_or(10);
    for seed in 1..=most {
        let plan =
            Plan { seed, minutes: MINUTES, processes: world::processes_of(seed), text: false };
        if let Some(finding) = world::run(plan)?.findings.first() {
            println!("seed {seed}: {finding}");
            return Ok(ExitCode::SUCCESS);
        }
    }
    println!("nothing in {most} seeds");
    Ok(ExitCode::FAILURE)
}
