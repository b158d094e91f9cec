//! `parlour-power [--cuts N] [--messages N] [--seed N]`: power cuts, made up from a trace of the real server.
#![expect(clippy::print_stdout, reason = "a program for a terminal")]

use std::{
    process::ExitCode,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Result, bail, ensure};
use parlour_harness::{
    power::{Plan, can_trace, run},
    process::binary,
};

#[tokio::main]
async fn main() -> ExitCode {
    match cut().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn cut() -> Result<()> {
    let clock = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let mut plan = Plan { seed: clock, messages: 400, talkers: 8, cuts: 500 };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let value = arguments.next().unwrap_or_default();
        match argument.as_str() {
            "--cuts" => plan.cuts = value.parse()?,
            "--messages" => plan.messages = value.parse()?,
            "--seed" => plan.seed = value.parse()?,
            _ => bail!("usage: parlour-power [--cuts N] [--messages N] [--seed N]"),
        }
    }
    ensure!(can_trace(), "strace is not installed, or may not follow processes here");
    let begun = Instant::now();
    println!("seed {}", plan.seed);
    let outcome = run(&plan, &binary()?).await?;
    println!(
        "{} power cuts in {:.1} s, made up from a run with {} texts that clients were told of and {} flushes",
        outcome.cuts,
        begun.elapsed().as_secs_f64(),
        outcome.told,
        outcome.flushes,
    );
    if !outcome.violations.is_empty() {
        bail!("the guarantees are broken:\n{}", outcome.violations.join("\n"));
    }
    println!("each told after its flush, none lost, no damage");
    Ok(())
}
