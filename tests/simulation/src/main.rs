//! Runs seeds, one after the other, and says how to replay one that failed.
#![expect(clippy::print_stdout, reason = "that is what it is for")]

use std::{process::ExitCode, time::Instant};

use anyhow::{Context as _, Result};
use parlour_simulation::{Plan, world};

/// What the command line says.
struct Wish {
    seeds: Vec<u64>,
    minutes: u64,
    processes: Option<usize>,
    text: bool,
    keep_going: bool,
}

fn main() -> Result<ExitCode> {
    let wish = wish()?;
    let mut failed = false;
    for seed in &wish.seeds {
        let processes = wish.processes.unwrap_or_else(|| world::processes_of(*seed));
        let plan = Plan { seed: *seed, minutes: wish.minutes, processes, text: wish.text };
        let begun = Instant::now();
        let outcome = world::run(plan)?;
        println!(
            "seed {seed}, {} min, {processes} processes: {} ({} events, {} entries, {} faults, {:.1} s)",
            wish.minutes,
            outcome.hash,
            outcome.events,
            outcome.entries,
            outcome.faults,
            begun.elapsed().as_secs_f64(),
        );
        for line in &outcome.text {
            println!("{line}");
        }
        for entry in outcome.history.iter().filter(|_| wish.text) {
            println!("{}", serde_json::to_string(entry)?);
        }
        if !outcome.findings.is_empty() {
            failed = true;
            for finding in outcome.findings.iter().take(20) {
                println!("  {finding}");
            }
            println!(
                "  replay: parlour-simulation --seed {seed} --minutes {} --processes {processes} --text",
                wish.minutes
            );
            if !wish.keep_going {
                break;
            }
        }
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn wish() -> Result<Wish> {
    let mut wish =
        Wish { seeds: Vec::new(), minutes: 30, processes: None, text: false, keep_going: false };
    let (mut first, mut count) = (1, 10);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut number = || -> Result<u64> {
            let value = words.next().with_context(|| format!("{word} needs a number"))?;
            value.parse().with_context(|| format!("{word}: `{value}` is no number"))
        };
        match word.as_str() {
            "--seed" => wish.seeds.push(number()?),
            "--from" => first = number()?,
            "--seeds" => count = number()?,
            "--minutes" => wish.minutes = number()?,
            "--processes" => wish.processes = Some(usize::try_from(number()?)?),
            "--text" => wish.text = true,
            "--keep-going" => wish.keep_going = true,
            other => anyhow::bail!(
                "`{other}`: --seed N, --from N, --seeds N, --minutes N, --processes N, --text, --keep-going"
            ),
        }
    }
    if wish.seeds.is_empty() {
        wish.seeds = (first..first + count).collect();
    }
    Ok(wish)
}
