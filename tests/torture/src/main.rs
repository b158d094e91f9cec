//! `parlour-torture`: breaks things under load, and checks that nothing is lost.
#![expect(clippy::print_stdout, reason = "a program for a terminal")]

use std::{
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, bail};
use parlour_harness::checker::report;
use parlour_torture::{
    cluster::{Setup, Store, has_faketime},
    fault, figures,
    people::Size,
    run::{self, Outcome, PATIENCE, Plan},
};

const USAGE: &str = "usage: parlour-torture run|kills|storm|slow-readers|throughput [--name value]...
  run           breaks everything after a seeded plan, and checks what was promised
  kills         kills a process each 5 s under load, and checks the same
  storm         cuts all clients at once: how long until all are back with what they missed
  slow-readers  stops a tenth of a room: do the others notice
  throughput    the same work over one process and over several
  --seed N        of the plan; the time of day
  --seconds N     length (180; of a measurement 15, of slow readers 30)
  --processes N   (3)
  --store NAME    run: sqlite or postgres (postgres)
  --faults LIST   run: beginnings of names, separated by commas (kill,client-hole,bus); without it, everything
  --rate N        commands or messages a second (200; in a room 5)
  --clients N     storm: how many (5000); slow-readers: members of the room (1000); throughput: pairs (60)
The server is PARLOUR_BIN, else what cargo builds; PARLOUR_OLD_BIN takes part in rolling restarts.";

struct Arguments {
    seed: u64,
    time: Option<Duration>,
    processes: usize,
    store: Store,
    faults: Vec<String>,
    rate: Option<u64>,
    clients: Option<usize>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match start().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn start() -> Result<()> {
    let mut words = std::env::args().skip(1);
    let what = words.next().context(USAGE)?;
    let arguments = arguments(words)?;
    let (seed, processes) = (arguments.seed, arguments.processes);
    let time = arguments.time.unwrap_or(Duration::from_secs(15));
    let clients = |usual| arguments.clients.unwrap_or(usual);
    let table = match what.as_str() {
        "run" => return torture(&arguments, false).await,
        "kills" => return torture(&arguments, true).await,
        "storm" => figures::storm(processes, clients(5_000), seed).await?,
        "slow-readers" => {
            // One of the room speaks. What stops must have time to fill what may wait for it.
            let members = clients(1_000).saturating_sub(1);
            let time = arguments.time.unwrap_or(Duration::from_secs(30));
            let rate = arguments.rate.unwrap_or(5);
            figures::slow_readers(processes, members, members.div_ceil(10), rate, time, seed)
                .await?
        }
        "throughput" => figures::throughput(processes, clients(60), time, seed).await?,
        _ => bail!(USAGE),
    };
    println!("{table}");
    Ok(())
}

fn arguments(mut words: impl Iterator<Item = String>) -> Result<Arguments> {
    let seed = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let mut parsed = Arguments {
        seed,
        time: None,
        processes: 3,
        store: Store::Postgres,
        faults: Vec::new(),
        rate: None,
        clients: None,
    };
    while let Some(name) = words.next() {
        let value = words.next().context(USAGE)?;
        match name.as_str() {
            "--seed" => parsed.seed = value.parse()?,
            "--seconds" => parsed.time = Some(Duration::from_secs(value.parse()?)),
            "--processes" => parsed.processes = value.parse()?,
            "--store" if value == "sqlite" => parsed.store = Store::Sqlite,
            "--store" if value == "postgres" => parsed.store = Store::Postgres,
            "--faults" => {
                parsed.faults =
                    value.split(',').filter(|name| !name.is_empty()).map(Into::into).collect();
            }
            "--rate" => parsed.rate = Some(value.parse()?),
            "--clients" => parsed.clients = Some(value.parse()?),
            _ => bail!(USAGE),
        }
    }
    Ok(parsed)
}

async fn torture(arguments: &Arguments, kills: bool) -> Result<()> {
    let mut setup = Setup::new(arguments.store, arguments.processes, arguments.seed);
    let time = arguments.time.unwrap_or(Duration::from_secs(180));
    let steps = if kills {
        setup.proxies = false;
        fault::kills(&setup, time)
    } else {
        setup.clocks = has_faketime();
        setup.small_disk = true;
        fault::plan(&setup, time, &arguments.faults)
    };
    println!(
        "seed {}, {:?}, {} process(es), {} s, {} faults:",
        setup.seed,
        setup.store,
        setup.processes,
        time.as_secs(),
        steps.len()
    );
    steps.iter().for_each(|step| println!("{step}"));
    if !kills && !setup.clocks {
        println!("*** SKIPPED: clocks cannot be moved, libfaketime is not installed ***");
    }
    let size = Size { rate: arguments.rate.unwrap_or(200), ..Size::default() };
    let other = std::env::var_os("PARLOUR_OLD_BIN").map(PathBuf::from);
    let begun = Instant::now();
    let outcome = run::run(&Plan { setup, size, steps, time, other, patience: PATIENCE }).await?;
    println!("\n{}", table(&outcome, begun.elapsed()));
    if !outcome.violations.is_empty() {
        let kept = outcome.artifacts.map(|path| path.display().to_string()).unwrap_or_default();
        bail!("the guarantees do not hold ({kept}):\n{}", report(&outcome.violations));
    }
    println!("nothing lost, nothing doubled, no hole");
    Ok(())
}

fn table(outcome: &Outcome, time: Duration) -> String {
    let rows: [(&str, String); 11] = [
        ("faults", outcome.faults.to_string()),
        ("seconds in all", format!("{:.0}", time.as_secs_f64())),
        ("commands", outcome.commands.to_string()),
        ("acknowledged", outcome.stored.to_string()),
        ("repetitions answered with the first result", outcome.duplicates.to_string()),
        ("refused for now, or unknown", outcome.refused.to_string()),
        ("events at native devices", outcome.events.to_string()),
        ("messages told to clients without positions", outcome.told.to_string()),
        ("messages of the bus lost, doubled or moved on purpose", outcome.pranks.to_string()),
        (
            "seconds from the healing until all was settled",
            format!("{:.1}", outcome.settled.as_secs_f64()),
        ),
        ("lost, doubled, out of order, leaked, late", outcome.violations.len().to_string()),
    ];
    let mut text = String::from("| | |\n| --- | ---: |\n");
    for (name, value) in rows {
        text.push_str(&format!("| {name} | {value} |\n"));
    }
    text
}
