//! `parlour migrate`: the schema brought up to date, or everything copied to another database.

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use parlour_store::{Comparison, CopyProgress, LogDifference, LogDigest, Tally};

use super::{block_on, complain, load, say};
use crate::config::Sources;

/// How often the progress is told.
const PROGRESS: Duration = Duration::from_secs(2);

/// What to bring where.
#[derive(clap::Args)]
pub(super) struct Migrate {
    /// Only tell whether anything is to be done; then the exit code is 1. With --from and --to: only compare the two.
    #[arg(long)]
    check: bool,
    /// Copy everything from this database, sign-ins too, so that clients go on in the copy where they were.
    #[arg(long, value_name = "URL", requires = "to")]
    from: Option<String>,
    /// Into this one, which is empty. For PostgreSQL the address of the server itself, not of a pooler.
    #[arg(long, value_name = "URL", requires = "from")]
    to: Option<String>,
    /// Refuse to copy while a server uses the source, and keep one from starting until the copy is finished.
    #[arg(long = "final", requires = "from", conflicts_with = "check")]
    last: bool,
}

impl Migrate {
    pub(super) fn run(self, sources: &Sources) -> anyhow::Result<ExitCode> {
        match (self.from, self.to) {
            (Some(from), Some(to)) if self.check => compare(&from, &to),
            (Some(from), Some(to)) => copy(&from, &to, self.last),
            _ => up_to_date(sources, self.check),
        }
    }
}

fn up_to_date(sources: &Sources, check: bool) -> anyhow::Result<ExitCode> {
    let loaded = load(sources)?;
    let url = &loaded.config.database.url;
    let (names, verb) = if check {
        (block_on(parlour_store::pending_migrations(url))??, "to be applied")
    } else {
        (block_on(parlour_store::migrate(url))??, "applied")
    };
    for name in &names {
        say(&format!("{name} {verb}"));
    }
    if names.is_empty() {
        say("the database is up to date");
    }
    Ok(if check && !names.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn copy(from: &str, to: &str, last: bool) -> anyhow::Result<ExitCode> {
    let mut shown = Shown::new();
    let mut progress = |so_far| shown.tell(so_far);
    let comparison = block_on(parlour_store::copy(from, to, last, &mut progress))??;
    let same = tell(&comparison);
    if !same {
        complain("parlour: the copy differs from its source, so nothing of it was kept");
        return Ok(ExitCode::FAILURE);
    }
    say("everything is copied; every row and every log is the same in both");
    if comparison.source_in_use {
        complain(
            "note: a server uses the source. What it has written since the copy began is not in the copy. To move for good, \
             stop it, empty the target, and copy with --final",
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn compare(from: &str, to: &str) -> anyhow::Result<ExitCode> {
    let mut shown = Shown::new();
    let mut progress = |so_far| shown.tell(so_far);
    let comparison = block_on(parlour_store::compare(from, to, &mut progress))??;
    if tell(&comparison) {
        say("every row and every log is the same in both");
        return Ok(ExitCode::SUCCESS);
    }
    Ok(ExitCode::FAILURE)
}

/// Prints what was found; whether nothing differs.
fn tell(comparison: &Comparison) -> bool {
    say(&format!("{:<20} {:>12} {:>12}  {:<16}", "table", "source", "target", "checksum"));
    for table in &comparison.tables {
        let (source, target) = (table.source, table.target);
        let verdict = match source == target {
            true => short(source),
            false => format!("{} / {}  DIFFERENT", short(source), short(target)),
        };
        say(&format!("{:<20} {:>12} {:>12}  {verdict}", table.table, source.rows, target.rows));
    }
    let Comparison { conversations, differing_logs, .. } = comparison;
    say(&format!(
        "{conversations} conversations compared message by message: {differing_logs} differ"
    ));
    for difference in &comparison.logs {
        say(&differing(difference));
    }
    let untold = differing_logs.saturating_sub(comparison.logs.len() as u64);
    if untold > 0 {
        say(&format!("  and {untold} more"));
    }
    if !comparison.same_epoch {
        say("the lives that new logs begin with differ (`epoch` in the table `meta`)");
    }
    comparison.is_same()
}

fn short(tally: Tally) -> String {
    format!("{:016x}", tally.sum >> 64)
}

fn differing(difference: &LogDifference) -> String {
    let one = difference.source.or(difference.target);
    let id = one.map(|log| log.conversation).unwrap_or_default();
    format!(
        "  conversation {id}: {} in the source, {} in the target",
        described(difference.source),
        described(difference.target)
    )
}

fn described(log: Option<LogDigest>) -> String {
    match log {
        None => "nothing".to_owned(),
        Some(LogDigest { last_seq, messages, hash, .. }) => {
            format!("{messages} messages up to seq {last_seq} ({:016x})", hash >> 64)
        }
    }
}

/// Tells how far it is, now and then.
struct Shown {
    told: Instant,
}

impl Shown {
    fn new() -> Self {
        Self { told: Instant::now() }
    }

    fn tell(&mut self, so_far: CopyProgress) {
        if self.told.elapsed() >= PROGRESS {
            self.told = Instant::now();
            let verb = if so_far.comparing { "compared" } else { "copied" };
            let CopyProgress { table, rows, of, .. } = so_far;
            complain(&format!("{rows} of about {of} rows {verb} ({table})"));
        }
    }
}
