//! `parlour-load`: how fast, how much memory, how quickly back.
#![expect(clippy::print_stdout, reason = "a program for a terminal")]

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Context, Result, bail};
use parlour_harness::{
    load::{
        SERVER_CORE, crowd,
        pairs::{Figures, Pace, Pairs},
        pin_generator, report,
        tongue::Tongue,
    },
    process::{Options, Server},
};

const USAGE: &str = "usage: parlour-load [--pairs N] [--seconds N] [--crowd N] [--dialects LIST] [--json FILE]
  --pairs N     connected pairs for the speed of sends; 0 leaves it out (100)
  --seconds N   length of each run (10)
  --crowd N     idle connections for memory and reconnection; 0 leaves it out (5000)
  --dialects LIST  what the crowd speaks, one after the other; the others are compared with the first
                   (native,inbox,room)
  --json FILE   also writes the figures as JSON
The server is PARLOUR_BIN, else what cargo builds.";

struct Arguments {
    pairs: usize,
    seconds: u64,
    crowd: usize,
    dialects: Vec<Tongue>,
    json: Option<PathBuf>,
}

fn main() -> ExitCode {
    match measure() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn measure() -> Result<()> {
    let arguments = arguments()?;
    let core = pin_generator().then_some(SERVER_CORE);
    if core.is_none() {
        println!("only one core: server and generator share it");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(run(&arguments, core))
}

fn arguments() -> Result<Arguments> {
    let dialects = vec![Tongue::Native, Tongue::Inbox, Tongue::Room];
    let mut parsed = Arguments { pairs: 100, seconds: 10, crowd: 5_000, dialects, json: None };
    let mut rest = std::env::args().skip(1);
    while let Some(name) = rest.next() {
        let value = rest.next().context(USAGE)?;
        match name.as_str() {
            "--pairs" => parsed.pairs = value.parse()?,
            "--seconds" => parsed.seconds = value.parse()?,
            "--crowd" => parsed.crowd = value.parse()?,
            "--dialects" => {
                parsed.dialects = value.split(',').map(str::parse).collect::<Result<_>>()?;
            }
            "--json" => parsed.json = Some(value.into()),
            _ => bail!(USAGE),
        }
    }
    Ok(parsed)
}

async fn run(arguments: &Arguments, core: Option<usize>) -> Result<()> {
    let mut figures = Vec::new();
    if arguments.pairs > 0 {
        figures = compare(arguments, core).await?;
        println!("{} connected pairs, {} s a run\n", arguments.pairs, arguments.seconds);
        println!("{}", report::table(&figures));
    }
    let mut crowds = Vec::new();
    if arguments.crowd > 0 {
        for dialect in &arguments.dialects {
            let folder = tempfile::tempdir()?;
            let server = start(&folder, core, &[]).await?;
            let seen = crowd::run(&server, arguments.crowd, *dialect).await?;
            println!("{}", report::crowd(&seen));
            crowds.push(seen);
        }
    }
    if let Some(path) = &arguments.json {
        std::fs::write(path, report::json(&figures, &crowds).to_string())?;
    }
    print!("{}", report::beside(&crowds));
    Ok(())
}

/// Two servers in one run, in turns: one as it is, one that commits each message by itself.
async fn compare(arguments: &Arguments, core: Option<usize>) -> Result<Vec<Figures>> {
    let folders = [tempfile::tempdir()?, tempfile::tempdir()?];
    let normal = start(&folders[0], core, &[]).await?;
    let single = start(&folders[1], core, &[("PARLOUR_DATABASE_MAX_BATCH", "1")]).await?;
    let mut grouped = Pairs::connect(&normal, arguments.pairs).await?;
    let mut alone = Pairs::connect(&single, arguments.pairs).await?;
    let time = Duration::from_secs(arguments.seconds);
    let mut all = Vec::new();
    let plan = [
        ("closed loop, 1 open", Pace::Closed(1)),
        ("closed loop, 16 open", Pace::Closed(16)),
        ("200/s", Pace::Fixed(200)),
    ];
    for (name, pace) in plan {
        all.push(grouped.run(&normal, &format!("group commit, {name}"), pace, time).await?);
        all.push(alone.run(&single, &format!("one a commit, {name}"), pace, time).await?);
    }
    for rate in [2_000, 5_000, 10_000] {
        let name = format!("group commit, {rate}/s");
        all.push(grouped.run(&normal, &name, Pace::Fixed(rate), time).await?);
    }
    Ok(all)
}

async fn start(
    folder: &tempfile::TempDir,
    core: Option<usize>,
    env: &[(&str, &str)],
) -> Result<Server> {
    let mut options = Options::new(folder.path())?
        .env("PARLOUR_LIMITS_CONNECTIONS_PER_ADDRESS", "20000")
        .env("PARLOUR_LIMITS_CONNECTIONS_BEFORE_AUTH", "20000")
        .env("PARLOUR_LOG_LEVEL", "warn");
    for (name, value) in env {
        options = options.env(name, value);
    }
    options.core = core;
    Server::start(options).await
}
