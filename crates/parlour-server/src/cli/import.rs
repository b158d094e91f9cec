//! `parlour import`.

use std::{
    fs::File,
    io::{BufRead, BufReader, stdin},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use parlour_core::port::{clock::Clock as _, store::transfer::ImportReport};

use super::{Nobody, complain, say, with_this_store};
use crate::{
    config::Config,
    parts,
    system::{SystemClock, SystemRandom},
    transfer::{self, Outcome, Settings, Totals},
};

/// The exit code for an import that is finished, but has left lines out.
const LEFT_OUT: u8 = 3;

/// How often the progress is told.
const PROGRESS: Duration = Duration::from_secs(2);

/// What to take in.
#[derive(clap::Args)]
pub(super) struct Import {
    /// JSON Lines, as docs/migrate/format.md describes them; `-` for the standard input.
    file: PathBuf,
    /// The name of the application whose history it is. Its ids are known under this name for ever; use the same one
    /// for every import from it. Without it the name in the file, else `host`.
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Try it on a temporary copy of the database and tell what would happen. The server may run.
    #[arg(long)]
    dry_run: bool,
    /// Give conversations and messages new ids, also where the application's are free.
    #[arg(long)]
    new_ids: bool,
    /// Put messages that are older than what their conversation has into their places. Clients that know these
    /// conversations are told to load them anew.
    #[arg(long)]
    merge: bool,
    /// Leave out the lines that cannot be taken in, and tell which; the exit code is 3 then.
    #[arg(long)]
    skip_invalid: bool,
}

impl Import {
    pub(super) fn run(self, config: &Config) -> anyhow::Result<ExitCode> {
        let input = open(&self.file)?;
        let settings = Settings {
            source: self.source,
            keep_ids: !self.new_ids,
            merge: self.merge,
            leave_out: self.skip_invalid || self.dry_run,
            epoch: transfer::fresh_epoch(&SystemRandom),
            now: SystemClock::default().now(),
        };
        let url = &config.database.url;
        let options = parts::store_options(config);
        let opening = async {
            match self.dry_run {
                true => parlour_store::open_copy(url, options, Arc::new(Nobody)).await,
                false => parlour_store::open(url, options, Arc::new(Nobody)).await,
            }
        };
        let limits = config.limits.to_domain();
        let outcome = with_this_store(opening, async |store| {
            let mut shown = Progress::new();
            transfer::import(&*store, &limits, &settings, input, |totals| shown.show(totals)).await
        })?;
        Ok(conclude(&outcome, self.dry_run))
    }
}

fn open(file: &Path) -> anyhow::Result<Box<dyn BufRead>> {
    if file == Path::new("-") {
        return Ok(Box::new(BufReader::with_capacity(1 << 20, stdin())));
    }
    let opened = File::open(file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(Box::new(BufReader::with_capacity(1 << 20, opened)))
}

/// Tells how far it is, now and then.
pub(super) struct Progress {
    begun: Instant,
    told: Instant,
}

impl Progress {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self { begun: now, told: now }
    }

    fn show(&mut self, totals: &Totals) {
        self.lines(totals.lines);
    }

    /// Tells the number of lines, if it is time.
    pub(super) fn lines(&mut self, lines: u64) {
        let now = Instant::now();
        if now.duration_since(self.told) >= PROGRESS {
            self.told = now;
            let seconds = now.duration_since(self.begun).as_secs().max(1);
            complain(&format!("{lines} lines, {} a second", lines / seconds));
        }
    }
}

/// Tells how it ended.
fn conclude(outcome: &Outcome, dry_run: bool) -> ExitCode {
    let Totals { lines, report, faults } = &outcome.totals;
    for (line, text) in &outcome.told {
        complain(&format!("line {line}: {text}"));
    }
    let untold = faults.saturating_sub(outcome.told.len() as u64);
    if untold > 0 {
        complain(&format!("and {untold} more lines like these"));
    }
    for note in notes(report) {
        complain(&format!("note: {note}"));
    }
    let would = if dry_run { "would be " } else { "" };
    say(&format!(
        "{lines} lines: {} users, {} conversations, {} messages {would}stored; {} messages {would}changed; \
         {} other records {would}stored; {} were here already; {faults} at fault",
        report.users,
        report.conversations,
        report.messages,
        report.changed,
        report.others,
        report.known
    ));
    if !outcome.finished {
        complain(
            "parlour: the import has stopped. What came before is stored. Repair the file and import all of it again: \
             what is here already changes nothing",
        );
        return ExitCode::FAILURE;
    }
    if *faults > 0 { ExitCode::from(LEFT_OUT) } else { ExitCode::SUCCESS }
}

/// What the operator should know, beside the counts.
fn notes(report: &ImportReport) -> Vec<String> {
    let notes = [
        (
            report.renumbered,
            "conversations or messages got new ids, because others have theirs: links to them lead elsewhere",
        ),
        (
            report.lost_replies,
            "replies answer messages that are not here, and are kept without what they answer",
        ),
        (
            report.split,
            "direct conversations got the subject conversation/ID, because the same two people have another one",
        ),
        (
            report.relived,
            "conversations changed elsewhere than at their end: clients that know them are told to load them anew",
        ),
    ];
    notes
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, text)| format!("{count} {text}"))
        .collect()
}
