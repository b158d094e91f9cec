//! From lines to batches to the store: one batch is read while the one before is stored.

use std::io::BufRead;

use parlour_core::{
    Epoch, Error, Result,
    error::Code,
    limits::Limits,
    model::Millis,
    port::{
        BoxFuture,
        store::{
            Store,
            transfer::{Dump, History, ImportOptions, ImportReport},
        },
    },
};

use super::{
    exact,
    host::{self, Conversation, Message, Read, User},
    lines::{First, Last, Lines, Typed},
};

/// Records in one transaction.
const BATCH: usize = 5_000;
/// Bytes of lines in one transaction, about.
const BATCH_BYTES: usize = 8 << 20;
/// Problems that are told with their lines; more are counted.
const MOST_TOLD: usize = 100;

/// What the operator decides.
pub(crate) struct Settings {
    /// The name of the host application, in place of the file's.
    pub(crate) source: Option<String>,
    /// Keep the host's numbers as ids.
    pub(crate) keep_ids: bool,
    /// Put older messages into their places.
    pub(crate) merge: bool,
    /// Leave out what is at fault.
    pub(crate) leave_out: bool,
    /// The life for logs that are not merely appended to.
    pub(crate) epoch: Epoch,
    /// The wall clock.
    pub(crate) now: Millis,
}

/// What has come in so far.
#[derive(Clone, Default, Debug)]
pub(crate) struct Totals {
    /// Lines read.
    pub(crate) lines: u64,
    /// What the store did.
    pub(crate) report: ImportReport,
    /// Lines at fault.
    pub(crate) faults: u64,
}

/// How an import ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// What has come in.
    pub(crate) totals: Totals,
    /// The first lines at fault, and what is wrong with them.
    pub(crate) told: Vec<(u64, String)>,
    /// The whole file was read. Otherwise a fault ended it; what came before it is stored.
    pub(crate) finished: bool,
}

/// Takes a file in. `progress` is called after every batch.
pub(crate) async fn import(
    store: &dyn Store,
    limits: &Limits,
    settings: &Settings,
    input: impl BufRead,
    mut progress: impl FnMut(&Totals),
) -> anyhow::Result<Outcome> {
    let mut lines = Lines::new(input);
    let first = First::read(lines.next()?)?;
    let source = settings.source.clone().or(first.source).unwrap_or_else(|| "host".to_owned());
    Limits::check_name("source", &source, limits.name_chars)?;
    let mut run = Run {
        store,
        limits,
        leave_out: settings.leave_out,
        exact: first.exact,
        options: ImportOptions {
            source: source.into(),
            now: settings.now,
            epoch: settings.epoch,
            keep_ids: settings.keep_ids,
            merge: settings.merge,
            leave_out: settings.leave_out,
        },
        outcome: Outcome { totals: Totals::default(), told: Vec::new(), finished: false },
    };
    let mut running: Option<Running<'_>> = None;
    let mut ended = false;
    while !ended {
        let batch = run.read(&mut lines)?;
        ended = batch.ended;
        if let Some(before) = running.take()
            && !run.finish(before).await?
        {
            return Ok(run.outcome);
        }
        progress(&run.outcome.totals);
        running = run.start(batch);
        if running.is_none() && !ended {
            return Ok(run.outcome);
        }
    }
    if let Some(last) = running
        && !run.finish(last).await?
    {
        return Ok(run.outcome);
    }
    progress(&run.outcome.totals);
    run.outcome.finished = run.leave_out || run.outcome.totals.faults == 0;
    Ok(run.outcome)
}

/// Lines on their way.
struct Batch {
    records: Records,
    /// The line of each record.
    lines: Vec<u64>,
    problems: Vec<(u64, String)>,
    ended: bool,
}

enum Records {
    History(Vec<History>),
    Exact(Vec<Dump>),
}

/// A batch that the store works on.
struct Running<'a> {
    answer: BoxFuture<'a, Result<ImportReport>>,
    lines: Vec<u64>,
    problems: Vec<(u64, String)>,
}

struct Run<'a> {
    store: &'a dyn Store,
    limits: &'a Limits,
    leave_out: bool,
    exact: bool,
    options: ImportOptions,
    outcome: Outcome,
}

impl<'a> Run<'a> {
    /// Reads the next batch.
    fn read(&mut self, lines: &mut Lines<impl BufRead>) -> anyhow::Result<Batch> {
        let records =
            if self.exact { Records::Exact(Vec::new()) } else { Records::History(Vec::new()) };
        let mut batch = Batch { records, lines: Vec::new(), problems: Vec::new(), ended: false };
        let mut bytes = 0;
        while batch.lines.len() + batch.problems.len() < BATCH && bytes < BATCH_BYTES {
            let Some((number, line)) = lines.next()? else {
                anyhow::ensure!(
                    !self.exact,
                    "the export ends without its last line, so something is missing: make it anew. \
                     What it held is stored; importing the whole one adds the rest"
                );
                batch.ended = true;
                break;
            };
            bytes += line.len();
            match self.parse(line, &mut batch.records) {
                Ok(Parsed::Record) => batch.lines.push(number),
                Ok(Parsed::End(count)) => {
                    anyhow::ensure!(
                        self.outcome.totals.lines == count,
                        "line {number}: the file holds {} lines where {count} were written: make it anew",
                        self.outcome.totals.lines
                    );
                    batch.ended = true;
                    break;
                }
                Err(error) => batch.problems.push((number, error.to_string())),
            }
            self.outcome.totals.lines += 1;
        }
        Ok(batch)
    }

    fn parse(&self, line: &[u8], records: &mut Records) -> Result<Parsed> {
        let text = std::str::from_utf8(line)
            .map_err(|_| Error::new(Code::InvalidJson, "the line is not UTF-8"))?;
        let kind = fit::<Typed<'_>>(text)?.kind;
        if kind == "end" {
            return Ok(Parsed::End(fit::<Last>(text)?.lines));
        }
        match records {
            Records::Exact(all) => all.push(fit::<exact::Line>(text)?.record()?),
            Records::History(all) => all.push(match &*kind {
                "user" => fit::<User>(text)?.record(self.limits),
                "conversation" => fit::<Conversation<'_>>(text)?.record(self.limits)?,
                "message" => fit::<Message<'_>>(text)?.record(self.limits)?,
                "read" => fit::<Read>(text)?.record()?,
                "parlour" => return Err(host::wrong("two files: import them one after the other")),
                other => {
                    let text = format!("there is no line of type `{other}`");
                    return Err(Error::new(Code::UnknownType, text));
                }
            }),
        }
        Ok(Parsed::Record)
    }

    /// Hands a batch to the store; `None` when a fault in its lines keeps it from that.
    fn start(&mut self, batch: Batch) -> Option<Running<'a>> {
        if !batch.problems.is_empty() && !self.leave_out {
            self.tell(batch.problems);
            return None;
        }
        let options = self.options.clone();
        let answer = match batch.records {
            Records::History(records) => self.store.import_history(options, records),
            Records::Exact(records) => self.store.restore(options, records),
        };
        Some(Running { answer, lines: batch.lines, problems: batch.problems })
    }

    /// Waits for a batch. Whether to go on.
    async fn finish(&mut self, running: Running<'a>) -> anyhow::Result<bool> {
        let Running { answer, lines, mut problems } = running;
        let report = answer.await?;
        for problem in &report.problems {
            let line = lines.get(problem.index).copied().unwrap_or_default();
            problems.push((line, problem.fault.to_string()));
        }
        problems.sort_by_key(|problem| problem.0);
        self.outcome.totals.report.add(&report);
        let go_on = problems.is_empty() || self.leave_out;
        self.tell(problems);
        Ok(go_on)
    }

    fn tell(&mut self, problems: Vec<(u64, String)>) {
        self.outcome.totals.faults += problems.len() as u64;
        let room = MOST_TOLD.saturating_sub(self.outcome.told.len());
        self.outcome.told.extend(problems.into_iter().take(room));
    }
}

/// What a line was.
enum Parsed {
    Record,
    End(u64),
}

/// Parses one line into a form.
fn fit<'a, T: serde::Deserialize<'a>>(text: &'a str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| {
        let code = if error.is_data() { Code::InvalidFrame } else { Code::InvalidJson };
        Error::new(code, in_line(&error.to_string()))
    })
}

/// The parser counts lines too, and always finds the first.
fn in_line(text: &str) -> String {
    text.replace(" at line 1 column ", ", at column ")
}

/// A fresh life for logs: 48 bits, never zero.
pub(crate) fn fresh_epoch(random: &dyn parlour_core::port::clock::Random) -> Epoch {
    let mut bytes = [0; 8];
    random.fill(&mut bytes);
    Epoch((u64::from_be_bytes(bytes) >> 16).max(1))
}
