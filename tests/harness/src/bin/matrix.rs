//! `parlour-matrix talk|drop`: every kind of client with every other; clients that go away and come back.
#![expect(clippy::print_stdout, reason = "a program for a terminal")]

use std::{
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use parlour_harness::dialects::{
    Kind,
    drop::{self, Way},
    matrix, open_server,
};

const USAGE: &str = "usage: parlour-matrix talk MESSAGES [KIND...]   each says so many to each
       parlour-matrix drop SECONDS [KIND...]    each is away for so long
Kinds are native, direct, inbox, room, plain, pusher and rest; without one, all.
The server is PARLOUR_BIN, else what cargo builds.";

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
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [what, number, kinds @ ..] = &arguments[..] else { bail!(USAGE) };
    let number = number.parse().context(USAGE)?;
    let named = |all: &[Kind]| -> Vec<Kind> {
        let is_named = |kind: &Kind| kinds.iter().any(|name| name == kind.name());
        all.iter().copied().filter(|kind| kinds.is_empty() || is_named(kind)).collect()
    };
    match what.as_str() {
        "talk" => talk(&named(&Kind::ALL), number).await,
        "drop" => away(&named(&Kind::SOCKETS), number).await,
        _ => bail!(USAGE),
    }
}

async fn talk(kinds: &[Kind], count: u32) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let begun = Instant::now();
    let server = Arc::new(open_server(folder.path()).await?);
    let cells = matrix::run(server, kinds, count.try_into()?).await?;
    println!("{}", matrix::table(kinds, &cells));
    println!("{count} messages each way, {:.1} s", begun.elapsed().as_secs_f64());
    conclude(&matrix::faults(&cells))
}

async fn away(kinds: &[Kind], seconds: u32) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let begun = Instant::now();
    let mut cells = Vec::new();
    for way in Way::ALL {
        let time = Duration::from_secs(seconds.into());
        cells.extend(drop::run(folder.path(), kinds, way, time).await?);
    }
    println!("{}", drop::table(kinds, &cells));
    println!("{seconds} s away, {:.1} s in all", begun.elapsed().as_secs_f64());
    conclude(&drop::faults(&cells))
}

fn conclude(faults: &[String]) -> Result<()> {
    if !faults.is_empty() {
        bail!("{}", faults.join("\n"));
    }
    println!("nothing lost, nothing doubled, one order");
    Ok(())
}
