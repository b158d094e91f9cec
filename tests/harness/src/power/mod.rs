//! Power cuts (G1, CK16): what the disk may hold at any instant of a real run must hold all that clients were told.
//!
//! The real server runs under `strace`, which writes down what it does to its files and what it tells its clients.
//! From that, every state is made up in which a power cut could leave the disk ([`disk`]), and the real program opens it.

pub mod disk;
pub mod trace;

use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use hyper::Method;
use rusqlite::Connection;
use serde_json::json;
use tokio::task::JoinSet;

use self::{
    disk::Files,
    trace::{Call, Deed},
};
use crate::{
    process::{Options, Server},
    random::Random,
    rest::Rest,
};

/// Every text that is sent begins so, and goes on with a number of [`DIGITS`] digits.
const WORD: &[u8] = b"pc-";

/// Digits of the number in a text.
const DIGITS: usize = 8;

/// How long strace may take to write the end.
const PATIENCE: Duration = Duration::from_secs(20);

/// What is done.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Decides who says what when, and what the disk loses.
    pub seed: u64,
    /// How many messages each of the talkers sends; every fifth is edited.
    pub messages: usize,
    /// Who talk at the same time.
    pub talkers: usize,
    /// How many power cuts are made up.
    pub cuts: usize,
}

/// What a run showed.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Texts that a client was told of.
    pub told: usize,
    /// Flushes of the database and its log.
    pub flushes: usize,
    /// Power cuts after which the real program started.
    pub cuts: usize,
    /// What must not be, each with the cut that showed it.
    pub violations: Vec<String>,
}

/// Whether `strace` is there and may follow a process.
#[must_use]
pub fn can_trace() -> bool {
    let mut tried = Command::new("strace");
    tried.args(["-o", "/dev/null", "true"]).stderr(Stdio::null()).stdout(Stdio::null());
    tried.status().is_ok_and(|status| status.success())
}

/// Carries out a plan with a program.
///
/// # Errors
/// When the server does not run, or its trace cannot be understood.
pub async fn run(plan: &Plan, binary: &Path) -> Result<Outcome> {
    let folder = tempfile::tempdir()?;
    let folder = folder.path().canonicalize()?;
    let log = folder.join("trace.txt");
    talk_under_trace(plan, binary, &folder, &log).await?;
    let calls = trace::read(&fs::read_to_string(&log)?, &folder)?;
    let told = told(&calls);
    let mut outcome = Outcome {
        told: told.len(),
        flushes: calls.iter().filter(|call| matches!(call.deed, Deed::Flushed(_))).count(),
        ..Outcome::default()
    };
    ensure!(outcome.told > 0, "nobody was told anything");
    outcome.violations = unflushed(&calls, &told);
    let mut random = Random::new(plan.seed);
    for instant in instants(&calls, &told, plan.cuts, &mut random) {
        let files = disk::after_cut(&calls, instant, &mut random);
        let owed = told.iter().filter(|(_, line)| **line <= instant).map(|(word, _)| *word);
        if let Err(error) = judge(&files, &owed.collect::<Vec<_>>(), binary) {
            outcome.violations.push(format!("power cut at line {instant}: {error:#}"));
        }
        outcome.cuts += 1;
    }
    Ok(outcome)
}

/// Runs the server under strace, lets the talkers talk, and ends it.
async fn talk_under_trace(plan: &Plan, binary: &Path, folder: &Path, log: &Path) -> Result<()> {
    let wrapper = folder.join("traced");
    // With -D the server keeps the process number of what was started, and strace follows it from outside.
    let script = format!(
        "#!/bin/sh\nexec strace -D -f -yy -xx -s 4000000 -o '{}' -e trace={} '{}' \"$@\"\n",
        log.display(),
        trace::CALLS,
        binary.display(),
    );
    fs::write(&wrapper, script)?;
    fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755))?;
    let mut options = Options::new(folder)?;
    options.binary = wrapper;
    let mut server = Server::start(options).await?;
    let mut talkers = JoinSet::new();
    for number in 0..plan.talkers {
        talkers.spawn(talk(server.address(), number, plan.messages));
    }
    while let Some(ended) = talkers.join_next().await {
        ended??;
    }
    server.kill()?;
    let begun = Instant::now();
    while !fs::read_to_string(log)?.contains("+++ killed by SIGKILL") {
        ensure!(begun.elapsed() < PATIENCE, "strace does not end");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// Says something, hears that it is stored, says the next; edits some of it.
async fn talk(address: SocketAddr, number: usize, messages: usize) -> Result<()> {
    let (own, other) = (format!("a{number}"), format!("b{number}"));
    let rest = Rest::new(address, &own)?;
    let conversation = rest.create_conversation("direct", &[&other]).await?;
    let mut words = (number * 1_000_000..).map(|word| format!("pc-{word:0DIGITS$}"));
    let mut word = || words.next().unwrap_or_default();
    for place in 0..messages {
        let said = word();
        let body = json!({"client_id": said, "content": said});
        let path = format!("/api/v1/conversations/{conversation}/messages");
        let stored = rest.post(&path, &body).await?.ok()?;
        if place % 5 == 4 {
            let id = stored["id"].as_u64().context("a message without an id")?;
            let body = json!({"content": word()});
            let path = format!("/api/v1/messages/{id}");
            rest.call(Method::PATCH, &path, Some(&body)).await?.ok()?;
        }
    }
    Ok(())
}

/// Which texts clients were told of, and on which line first.
fn told(calls: &[Call]) -> BTreeMap<u64, usize> {
    let mut told = BTreeMap::new();
    for call in calls {
        if let Deed::Told(bytes) = &call.deed {
            for word in words(bytes) {
                told.entry(word).or_insert(call.begun);
            }
        }
    }
    told
}

fn words(bytes: &[u8]) -> impl Iterator<Item = u64> + '_ {
    bytes.windows(WORD.len() + DIGITS).filter_map(|window| {
        let digits = window.strip_prefix(WORD)?;
        std::str::from_utf8(digits).ok()?.parse().ok()
    })
}

/// CK16: a text was told of though no flush that began after it was written had ended.
fn unflushed(calls: &[Call], told: &BTreeMap<u64, usize>) -> Vec<String> {
    let mut written: BTreeMap<u64, (usize, &str)> = BTreeMap::new();
    for call in calls {
        if let Deed::Wrote(file, _, bytes) = &call.deed {
            for word in words(bytes) {
                written.entry(word).or_insert((call.ended, file));
            }
        }
    }
    let is_flushed = |file: &str, after: usize, before: usize| {
        calls.iter().any(|call| {
            matches!(&call.deed, Deed::Flushed(flushed) if flushed == file)
                && call.begun > after
                && call.ended < before
        })
    };
    let early = told.iter().filter(|(word, line)| {
        written.get(word).is_none_or(|(ended, file)| !is_flushed(file, *ended, **line))
    });
    early
        .map(|(word, line)| {
            format!("CK16: text {word} was told of on line {line}, before its flush")
        })
        .collect()
}

/// Instants for power cuts: some right after something was told, the others anywhere.
fn instants(
    calls: &[Call],
    told: &BTreeMap<u64, usize>,
    count: usize,
    random: &mut Random,
) -> Vec<usize> {
    let lines: Vec<usize> = calls.iter().map(|call| call.ended).collect();
    let acknowledged: Vec<usize> = told.values().copied().collect();
    let from = |place: usize| if place.is_multiple_of(2) { &acknowledged } else { &lines };
    (0..count).filter_map(|place| random.pick(from(place)).copied()).collect()
}

/// Lets the real program open what the disk holds, and looks for what is owed.
fn judge(files: &Files, owed: &[u64], binary: &Path) -> Result<()> {
    let folder = tempfile::tempdir()?;
    for (name, content) in files {
        fs::write(folder.path().join(name), content)?;
    }
    let database: PathBuf = folder.path().join("parlour.db");
    let opened = Command::new(binary)
        .args(["migrate", "--database", &format!("sqlite://{}", database.display())])
        .current_dir(folder.path())
        .output()?;
    if !opened.status.success() {
        bail!("it does not start: {}", String::from_utf8_lossy(&opened.stderr));
    }
    let database = Connection::open(database)?;
    let finding: String = database.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
    ensure!(finding == "ok", "{finding}");
    let mut texts =
        database.prepare("SELECT text FROM messages UNION ALL SELECT text FROM revisions")?;
    let held = texts
        .query_map([], |row| row.get::<_, String>(0))?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    let held: std::collections::HashSet<u64> =
        held.iter().flat_map(|text| words(text.as_bytes())).collect();
    let lost: Vec<_> = owed.iter().filter(|word| !held.contains(word)).collect();
    ensure!(lost.is_empty(), "CK1: {} of {} texts are lost: {lost:?}", lost.len(), owed.len());
    let holes: i64 = database.query_row(
        "SELECT count(*) FROM conversations c WHERE c.last_seq <> \
           (SELECT count(DISTINCT seq) + (SELECT count(*) FROM revisions r JOIN messages e ON e.id = r.message \
              WHERE e.conversation = c.id) FROM messages m WHERE m.conversation = c.id)",
        [],
        |row| row.get(0),
    )?;
    ensure!(holes == 0, "CK4: {holes} conversations have a hole");
    Ok(())
}
