//! `parlour-crash [--crashes N] [--seed N]`: kills the server under load, and checks that nothing is lost.
#![expect(clippy::print_stdout, reason = "a program for a terminal")]

use std::{
    process::ExitCode,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Result, bail};
use parlour_harness::{
    checker::report,
    crash::{self, Fault, Plan},
    process::Options,
};

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<()> {
    let clock = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let (mut crashes, mut seed) = (20_usize, clock);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let value = arguments.next().unwrap_or_default();
        match argument.as_str() {
            "--crashes" => crashes = value.parse()?,
            "--seed" => seed = value.parse()?,
            _ => bail!("usage: parlour-crash [--crashes N] [--seed N]"),
        }
    }
    println!("seed {seed}, {crashes} crashes");
    let folder = tempfile::tempdir()?;
    let begun = Instant::now();
    let plan = Plan::new("long", seed, vec![Fault::Kill; crashes]);
    let outcome = crash::run(&plan, Options::new(folder.path())?).await?;
    println!(
        "{} crashes in {:.1} s: {} commands acknowledged, {} repetitions answered with the first result, \
         {} without an answer, {} entries of history, slowest restart {} ms",
        outcome.faults,
        begun.elapsed().as_secs_f64(),
        outcome.sends,
        outcome.duplicates,
        outcome.unanswered,
        outcome.entries,
        outcome.slowest_restart.as_millis(),
    );
    if !outcome.violations.is_empty() {
        let kept = outcome.artifacts.map(|path| path.display().to_string()).unwrap_or_default();
        bail!("the history breaks the guarantees ({kept}):\n{}", report(&outcome.violations));
    }
    println!("nothing lost, nothing doubled, no hole");
    Ok(())
}
