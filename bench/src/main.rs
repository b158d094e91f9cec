//! `parlour-bench`: measures targets in scenarios, and writes figures, tables and charts.
#![expect(clippy::print_stdout, reason = "a program for a terminal")]

use std::{
    cell::RefCell,
    fs::{self, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result};
use clap::Parser;
use parlour_bench::{
    figures::Figures,
    report,
    scenario::{self, SCENARIOS, Scenario, Setting, Size},
    sockets::allow_files,
    targets::{self, Stored, TARGETS, Target},
};
use parlour_harness::load::pin_generator;

/// Measures Parlour, the floors and other servers with the same clients and the same messages.
#[derive(Parser, Debug)]
struct Arguments {
    /// Which, separated by commas; those that are installed, if not said. `--list` names them.
    #[arg(long, value_delimiter = ',')]
    targets: Vec<String>,
    /// What is measured, separated by commas; everything, if not said.
    #[arg(long, value_delimiter = ',')]
    scenarios: Vec<String>,
    /// How long each measurement takes [default: 3, or 2 with --short]
    #[arg(long)]
    seconds: Option<u64>,
    /// How often it is measured; medians are reported [default: 3, or 1 with --short]. Where neither targets nor scenarios are
    /// said, the others run once, and curves are drawn once, of some
    #[arg(long)]
    runs: Option<u64>,
    /// Less of everything: some targets and scenarios, small crowds.
    #[arg(long)]
    short: bool,
    /// Connected pairs.
    #[arg(long, default_value_t = 100)]
    pairs: usize,
    /// Idle connections, and connections that come back at once [default: 5000, or 2000 with --short]
    #[arg(long)]
    crowd: Option<usize>,
    /// Where `figures.jsonl` and the report are written; only printed, if not said.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Adds to the figures that are there.
    #[arg(long)]
    append: bool,
    /// Names targets and scenarios.
    #[arg(long)]
    list: bool,
}

/// Connections at the end of the longest curve.
const CURVES_NEED: usize = 18_000;

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if arguments.list {
        println!("targets: {}", names(TARGETS.iter().map(|target| target.name)));
        println!("scenarios: {}", names(SCENARIOS.iter().map(|scenario| scenario.name)));
        return Ok(());
    }
    let (targets, scenarios) = chosen(&arguments)?;
    let size = size(&arguments);
    let most = match scenarios.iter().any(Scenario::has_crowds) {
        true => CURVES_NEED,
        false => (2 * size.typing).max(size.idle).max(size.storm),
    };
    allow_files(most + 200)?;
    let pinned = pin_generator();
    if !pinned {
        println!("only one core: target and generator share it");
    }
    let mut sheet = Sheet::open(&arguments)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let stored = RefCell::new(Stored::default());
    let mut failed = 0;
    for run in 1..=arguments.runs.unwrap_or(if arguments.short { 1 } else { 3 }) {
        for scenario in &scenarios {
            for target in targets.iter().filter(|target| is_due(&arguments, run, scenario, target))
            {
                let setting = Setting { runtime: &runtime, target, size, pinned, stored: &stored };
                let named = |figures| {
                    let (target, scenario) = (target.name.into(), scenario.name.into());
                    Figures { target, scenario, run, ..figures }
                };
                let measured = scenario.measure(&setting, |figures| sheet.add(&named(figures)));
                // The others are measured all the same, and the report says what is missing, and why.
                if let Err(error) = measured {
                    failed += usize::from(must_succeed(&arguments, target));
                    sheet.add(&named(Figures::missing(&error)))?;
                }
            }
        }
    }
    if let Some(folder) = &arguments.out {
        report::write(folder)?;
    }
    anyhow::ensure!(failed == 0, "{failed} measurements failed");
    Ok(())
}

/// Whether it is measured in a run. The whole of the long form would take most of a day, if what takes long were not done once,
/// and curves drawn of everybody; who names what he wants gets it.
fn is_due(arguments: &Arguments, run: u64, scenario: &Scenario, target: &Target) -> bool {
    let is_whole = arguments.targets.is_empty() && arguments.scenarios.is_empty();
    if arguments.short || !is_whole {
        return true;
    }
    match scenario.is_curve() {
        true => run == 1 && targets::CURVES.contains(&target.name),
        false => run == 1 || target.is_repeated(),
    }
}

/// Whether the command fails when it could not be measured. What another server cannot do is a result; but who names it wants it.
fn must_succeed(arguments: &Arguments, target: &Target) -> bool {
    !arguments.targets.is_empty() || !target.is_peer()
}

fn names<'a>(all: impl Iterator<Item = &'a str>) -> String {
    all.collect::<Vec<_>>().join(", ")
}

fn chosen(arguments: &Arguments) -> Result<(Vec<Target>, Vec<Scenario>)> {
    let is_meant = |short: &[&str], name: &str| !arguments.short || short.contains(&name);
    let targets = match arguments.targets.as_slice() {
        [] => {
            let all = TARGETS.iter().filter(|target| is_meant(targets::SHORT, target.name));
            all.filter(|target| target.is_installed()).copied().collect()
        }
        names => names.iter().map(|name| targets::named(name)).collect::<Result<_>>()?,
    };
    let scenarios = match arguments.scenarios.as_slice() {
        [] => {
            let all = SCENARIOS.iter();
            all.filter(|scenario| is_meant(scenario::SHORT, scenario.name)).copied().collect()
        }
        names => names.iter().map(|name| scenario::named(name)).collect::<Result<_>>()?,
    };
    Ok((targets, scenarios))
}

fn size(arguments: &Arguments) -> Size {
    let is_short = arguments.short;
    let crowd = arguments.crowd.unwrap_or(if is_short { 2_000 } else { 5_000 });
    let seconds = arguments.seconds.unwrap_or(if is_short { 2 } else { 3 });
    Size {
        time: Duration::from_secs(seconds),
        pairs: arguments.pairs,
        idle: crowd,
        storm: crowd,
        typing: if is_short { 500 } else { 2_000 },
        stored: if is_short { 1_000_000 } else { 10_000_000 },
    }
}

/// Where figures are written, a line each, as soon as they are known.
struct Sheet(Option<fs::File>);

impl Sheet {
    fn open(arguments: &Arguments) -> Result<Self> {
        let Some(folder) = &arguments.out else { return Ok(Self(None)) };
        fs::create_dir_all(folder)?;
        let path = folder.join(Path::new("figures.jsonl"));
        let mut options = OpenOptions::new();
        options.create(true).write(true).append(arguments.append).truncate(!arguments.append);
        let file =
            options.open(&path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self(Some(file)))
    }

    fn add(&mut self, figures: &Figures) -> Result<()> {
        let line = figures.line()?;
        println!("{line}");
        if let Some(file) = &mut self.0 {
            writeln!(file, "{line}")?;
        }
        Ok(())
    }
}
