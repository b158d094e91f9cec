//! Kills, ends and freezes the server again and again under load, and asks the checker after each time.

mod plan;
mod worker;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};

pub use self::plan::{Fault, Plan, Talk};
use self::worker::{Phase, Worker};
use crate::{
    checker::{Stage, Violation, check},
    device::Device,
    final_read::{from_database, through_rest},
    history::{Answer, Entry, Recorder, What},
    process::{Options, Server},
    random::Random,
};

/// How long everything that is open may take to be settled once nothing new is asked.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a run showed.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Faults of the plan that were carried out.
    pub faults: usize,
    /// Sends that were acknowledged.
    pub sends: usize,
    /// Acknowledgements of client ids that were known already.
    pub duplicates: usize,
    /// Commands that had no answer when the server was killed.
    pub unanswered: usize,
    /// Entries of the history.
    pub entries: usize,
    /// Slowest restart, from the start of the process until it was ready.
    pub slowest_restart: Duration,
    /// What must not be.
    pub violations: Vec<Violation>,
    /// Where history and log were kept, if something was wrong.
    pub artifacts: Option<PathBuf>,
}

/// Carries out a plan.
///
/// # Errors
/// When the server does not come up, or sends what cannot be understood. History and log are kept then, too.
pub async fn run(plan: &Plan, options: Options) -> Result<Outcome> {
    let recorder = Recorder::new();
    let log = options.folder.join("server.log");
    let result = carry_out(plan, options, &recorder).await;
    let wrong = result.as_ref().map_or(true, |outcome| !outcome.violations.is_empty());
    let kept = if wrong { keep(plan, &recorder, &log).ok() } else { None };
    match result {
        Ok(outcome) => Ok(Outcome { artifacts: kept, ..outcome }),
        Err(error) => Err(error.context(format!("seed {}, kept in {kept:?}", plan.seed))),
    }
}

async fn carry_out(plan: &Plan, options: Options, recorder: &Arc<Recorder>) -> Result<Outcome> {
    let mut random = Random::new(plan.seed);
    let mut outcome = Outcome::default();
    let mut server = Server::start(options).await?;
    let talks = Arc::new(plan.open_talks(&server, recorder).await?);

    let (phase, phases) = watch::channel(Phase::Talk);
    let (settled, mut settlements) = mpsc::unbounded_channel();
    let mut workers: JoinSet<Result<Device>> = JoinSet::new();
    for (number, (name, user)) in plan.devices().into_iter().enumerate() {
        let worker = Worker {
            device: Device::new(&name, &user, server.address(), recorder.clone()),
            user,
            random: random.fork(number as u64 + 1),
            talks: talks.clone(),
            phases: phases.clone(),
            settled: settled.clone(),
            pace: plan.pace,
            sent: Vec::new(),
        };
        workers.spawn(worker.run());
    }

    for fault in &plan.faults {
        talk_for_a_while(&mut random, recorder, &mut workers).await?;
        let as_of = recorder.len();
        recorder.add(What::Fault { name: fault.name().into(), on: true });
        match fault {
            Fault::Kill => server.kill()?,
            Fault::Shutdown => {
                let status = server.terminate().await?;
                ensure!(status.success(), "the server ended with {status} after SIGTERM");
            }
            Fault::Freeze => {
                server.freeze()?;
                tokio::time::sleep(Duration::from_millis(random.between(500, 2_000))).await;
                server.thaw()?;
            }
        }
        outcome.faults += 1;
        if *fault != Fault::Freeze {
            for read in from_database(&server.database(), as_of)? {
                recorder.add(What::Final(read));
            }
            outcome.violations = check(&recorder.history(), Stage::Midway);
            if !outcome.violations.is_empty() {
                return Ok(summary(outcome, &recorder.history()));
            }
            let begun = Instant::now();
            server.restart().await?;
            outcome.slowest_restart = outcome.slowest_restart.max(begun.elapsed());
        }
        recorder.add(What::Fault { name: fault.name().into(), on: false });
    }
    talk_for_a_while(&mut random, recorder, &mut workers).await?;

    phase.send(Phase::Answer)?;
    for _ in 0..workers.len() {
        tokio::select! {
            one = tokio::time::timeout(PATIENCE, settlements.recv()) => {
                one.context("some commands have no answer")?;
            }
            Some(ended) = workers.join_next() => {
                ended??;
                bail!("a worker ended too early");
            }
        }
    }
    phase.send(Phase::Arrive(plan.ends(&server, &talks).await?))?;
    let mut devices = Vec::new();
    while let Some(device) = workers.join_next().await {
        devices.push(device??);
    }
    let as_of = recorder.len();
    for device in &devices {
        device.record_state();
    }
    for talk in talks.iter() {
        for user in &talk.lasting {
            recorder.add(What::Final(through_rest(&server, user, talk.id, as_of).await?));
        }
    }
    for device in &mut devices {
        device.close().await;
    }
    server.terminate().await?;
    for read in from_database(&server.database(), as_of)? {
        recorder.add(What::Final(read));
    }
    let history = recorder.history();
    outcome.violations = check(&history, Stage::Settled);
    Ok(summary(outcome, &history))
}

/// Lets the devices talk for a random time, and until they have got something stored in it.
async fn talk_for_a_while(
    random: &mut Random,
    recorder: &Recorder,
    workers: &mut JoinSet<Result<Device>>,
) -> Result<()> {
    let enough = recorder.len() + 300;
    let time = Duration::from_millis(random.between(200, 1_000));
    let (begun, deadline) = (Instant::now(), Instant::now() + PATIENCE);
    while begun.elapsed() < time || recorder.len() < enough {
        if let Some(ended) = workers.try_join_next() {
            ended??;
            bail!("a worker ended too early");
        }
        if Instant::now() > deadline {
            bail!("nothing is said any more");
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

fn summary(mut outcome: Outcome, history: &[Entry]) -> Outcome {
    let facts = crate::checker::Facts::collect(history);
    let answers = facts.operations.values().flat_map(|operation| &operation.attempts);
    outcome.unanswered = answers.filter(|attempt| attempt.answered.is_none()).count();
    outcome.entries = history.len();
    for entry in history {
        if let What::Reply { answer: Answer::Stored { duplicate, .. }, .. } = entry.what {
            outcome.sends += usize::from(!duplicate);
            outcome.duplicates += usize::from(duplicate);
        }
    }
    outcome
}

fn keep(plan: &Plan, recorder: &Recorder, log: &Path) -> Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize()?;
    let folder = root.join("test-results").join(format!("crash-{}-{}", plan.name, plan.seed));
    fs::create_dir_all(&folder)?;
    recorder.save(&folder.join("history.jsonl"))?;
    fs::copy(log, folder.join("server.log"))?;
    Ok(folder)
}
