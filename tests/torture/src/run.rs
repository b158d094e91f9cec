//! One run: people talk, things break and are healed, and everything is compared.

use std::{collections::HashMap, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context, Result, bail};
use parlour_harness::{
    checker::{self, Stage, Violation},
    device::Device,
    history::{Answer, Entry, Recorder, What},
    random::Random,
};
use tokio::{
    sync::{mpsc, watch},
    task::{JoinSet, block_in_place},
    time::{Instant, sleep, timeout},
};

use crate::{
    artifacts, blast,
    breaker::{self, Breaker},
    cluster::{Cluster, Setup},
    fault::Step,
    native::Native,
    people::{People, Size},
    phase::{Ends, Marks, Phase},
    proxy::Prank,
    robot::{Retired, Robot, lacks},
    truth,
};

/// How long each phase of the settling usually may take: longer than what CK11 allows.
pub const PATIENCE: Duration = Duration::from_secs(40);

/// What is to be done.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What is started.
    pub setup: Setup,
    /// Who talks.
    pub size: Size,
    /// What is broken when.
    pub steps: Vec<Step>,
    /// Nothing is settled before this time is over.
    pub time: Duration,
    /// The program that processes of a rolling restart change to and back.
    pub other: Option<PathBuf>,
    /// How long each phase of the settling may take. What has not happened then, the checks name.
    pub patience: Duration,
}

/// What a run showed.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Faults that were carried out.
    pub faults: usize,
    /// Messages that were acknowledged or heard of by their sender.
    pub stored: usize,
    /// Commands that were sent, repetitions included.
    pub commands: usize,
    /// Acknowledgements of client ids that were known already.
    pub duplicates: usize,
    /// Commands that were refused for now or unknown.
    pub refused: usize,
    /// Events that native devices got.
    pub events: usize,
    /// Messages that the robots were told of.
    pub told: usize,
    /// Entries of the history.
    pub entries: usize,
    /// From the healing until everything was answered and had arrived.
    pub settled: Duration,
    /// Messages of the bus that were lost, doubled or moved by the proxies.
    pub pranks: u64,
    /// What must not be.
    pub violations: Vec<Violation>,
    /// Where everything is kept, if something was wrong.
    pub artifacts: Option<PathBuf>,
}

/// Carries a plan out.
///
/// # Errors
/// When something does not start or cannot be broken. History and logs are kept then, too.
pub async fn run(plan: &Plan) -> Result<Outcome> {
    let recorder = Recorder::new();
    let mut cluster = Cluster::start(&plan.setup).await?;
    let result = carry_out(plan, &mut cluster, &recorder).await;
    let wrong = result.as_ref().map_or(true, |outcome| !outcome.violations.is_empty());
    let kept = if wrong { artifacts::keep(plan, &cluster, &recorder, &result).ok() } else { None };
    match result {
        Ok(outcome) => Ok(Outcome { artifacts: kept, ..outcome }),
        Err(error) => Err(error.context(format!("seed {}, kept in {kept:?}", plan.setup.seed))),
    }
}

/// Everybody who talks, as tasks.
struct Crew {
    phases: watch::Sender<Phase>,
    done: mpsc::UnboundedReceiver<()>,
    natives: JoinSet<Result<()>>,
    robots: JoinSet<Result<Retired>>,
    patience: Duration,
}

async fn carry_out(
    plan: &Plan,
    cluster: &mut Cluster,
    recorder: &Arc<Recorder>,
) -> Result<Outcome> {
    let begun = Instant::now();
    let base = blast::measure(cluster).await?;
    let first = cluster.addresses().first().copied().context("no process")?;
    let people = People::gather(first, plan.size, plan.setup.seed, recorder).await?;
    let mut crew = Crew::hire(plan, cluster, &people, recorder);
    crew.all(Phase::Gather).await?;
    crew.phases.send(Phase::Talk)?;
    let mut breaker = Breaker::new(recorder.clone(), people.hall.clone(), plan.other.clone());
    breaker.carry_out(cluster, &plan.steps).await?;
    crew.check_alive().await?;
    sleep(plan.time.saturating_sub(begun.elapsed())).await;
    breaker::heal(cluster);
    cluster.all_ready().await?;
    let settling = Instant::now();
    let mut outcome = Outcome { faults: breaker.count, ..Outcome::default() };
    recorder.add(What::Healed);
    // The last messages of the bus are lost: everything must be found without them (G8).
    lose_the_tail(cluster, true);
    let ends = crew.settle(cluster, &people).await?;
    outcome.settled = settling.elapsed();
    lose_the_tail(cluster, false);
    let retired = crew.part(cluster, &people, recorder).await?;
    outcome.pranks = cluster
        .nodes
        .iter()
        .flat_map(crate::cluster::Node::proxies)
        .map(crate::proxy::Proxy::pranks)
        .sum();
    let mut violations = blast::back_to_base(cluster, &base).await?;
    end_all(cluster, &mut breaker).await?;
    block_in_place(|| truth::record_database(cluster, recorder))?;
    let finding = |detail| Violation { check: "CK14 blast radius", detail };
    violations.extend(breaker.findings.drain(..).map(finding));
    conclude(outcome, violations, &people, &ends, &retired, &recorder.history())
}

/// All checks.
fn conclude(
    mut outcome: Outcome,
    mut violations: Vec<Violation>,
    people: &People,
    ends: &Ends,
    retired: &[Retired],
    history: &[Entry],
) -> Result<Outcome> {
    violations.extend(block_in_place(|| checker::check(history, Stage::Settled)));
    let of_the_bus = |name: &str| ["redis-", "bus-"].iter().any(|part| name.starts_with(part));
    violations.extend(blast::refusals(history, of_the_bus));
    for robot in retired {
        violations.extend(judge(robot, people, ends));
        outcome.told += robot.client.look(|log| log.said().count());
    }
    for entry in history {
        match &entry.what {
            What::Invoke { .. } => outcome.commands += 1,
            What::Change { .. } => outcome.events += 1,
            What::Replay { changes, .. } => outcome.events += changes.len(),
            What::Reply { answer: Answer::Stored { duplicate, .. }, .. } => {
                outcome.stored += usize::from(!duplicate);
                outcome.duplicates += usize::from(*duplicate);
            }
            What::Reply { answer: Answer::Refused { class, .. }, .. } if class != "rejected" => {
                outcome.refused += 1;
            }
            _ => {}
        }
    }
    outcome.entries = history.len();
    outcome.violations = violations;
    Ok(outcome)
}

/// CK7, CK8 and CK10 for clients without positions: at least once, with ids, nothing missing, nothing foreign.
fn judge(robot: &Retired, people: &People, ends: &Ends) -> Vec<Violation> {
    let name = format!("{} of {}", robot.part.kind.name(), robot.part.user);
    let violation = |check, detail| Violation { check, detail };
    robot.client.look(|log| {
        let mut found: Vec<Violation> = lacks(log, &robot.part, ends)
            .into_iter()
            .map(|what| violation("CK7 delivery", format!("{name} was not told of {what}")))
            .collect();
        let known: HashMap<u64, &str> = ends
            .messages
            .get(&robot.part.conversation)
            .into_iter()
            .flatten()
            .map(|message| (message.id, message.sender.as_str()))
            .collect();
        for said in log.said() {
            if known.get(&said.id) != Some(&said.sender.as_str()) {
                found.push(violation(
                    "CK2 ghost",
                    format!("{name} was told {said:?}, which is not so"),
                ));
            }
        }
        for talk in &people.talks {
            if log.secrets().contains(&talk.marker) && talk.id != robot.part.conversation {
                let detail = format!("{name} got bytes of conversation {}", talk.id);
                found.push(violation("CK10 leak", detail));
            }
        }
        found
    })
}

impl Crew {
    fn hire(plan: &Plan, cluster: &Cluster, people: &People, recorder: &Arc<Recorder>) -> Self {
        let random = Random::new(plan.setup.seed);
        let (phases, receiver) = watch::channel(Phase::Wait);
        let (done, finished) = mpsc::unbounded_channel();
        let (mut natives, mut robots) = (JoinSet::new(), JoinSet::new());
        let doors = Arc::new(cluster.addresses());
        let talks = Arc::new(people.talks.clone());
        // Robots speak a quarter of the words.
        let pace = |count: usize, share: u64| {
            let rate = (plan.size.rate * share / 100).max(1);
            Duration::from_millis(1_000 * count as u64 / rate)
        };
        for (number, (name, user)) in people.devices.iter().enumerate() {
            let first = doors.first().copied().unwrap_or_else(|| ([127, 0, 0, 1], 9).into());
            let native = Native {
                device: Device::new(name, user, first, recorder.clone()),
                user: user.clone(),
                random: random.fork(number as u64 + 1),
                talks: talks.clone(),
                doors: doors.clone(),
                phases: receiver.clone(),
                done: done.clone(),
                pace: pace(people.devices.len(), 75),
                sent: Vec::new(),
            };
            natives.spawn(native.run());
        }
        for (number, part) in people.robots.iter().enumerate() {
            let talk = people.talks.iter().find(|talk| talk.id == part.conversation);
            let robot = Robot {
                part: part.clone(),
                marker: talk.map(|talk| talk.marker.clone()).unwrap_or_default(),
                random: random.fork(number as u64 + 1_001),
                doors: doors.clone(),
                phases: receiver.clone(),
                done: done.clone(),
                pace: pace(people.robots.len(), 25),
                recorder: recorder.clone(),
            };
            robots.spawn(robot.run());
        }
        Self { phases, done: finished, natives, robots, patience: plan.patience }
    }

    /// Fails with the error of whoever has ended too early.
    async fn check_alive(&mut self) -> Result<()> {
        if let Some(ended) = self.natives.try_join_next() {
            ended?.context("a device")?;
            bail!("a device ended too early");
        }
        if let Some(ended) = self.robots.try_join_next() {
            ended?.context("a robot")?;
            bail!("a robot ended too early");
        }
        Ok(())
    }

    /// Waits until all have fulfilled a phase, or its time is over: then the checks name what is missing.
    async fn all(&mut self, phase: Phase) -> Result<()> {
        while self.done.try_recv().is_ok() {}
        self.phases.send(phase)?;
        let deadline = Instant::now() + self.patience;
        let mut left = self.natives.len() + self.robots.len();
        while left > 0 {
            let wait = Duration::from_millis(200);
            match timeout(wait, self.done.recv()).await {
                Ok(Some(())) => left -= 1,
                Ok(None) => bail!("everybody is gone"),
                Err(_) => self.check_alive().await?,
            }
            if Instant::now() > deadline {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Lets everything be answered and arrive; gives where everything ends.
    async fn settle(&mut self, cluster: &Cluster, people: &People) -> Result<Arc<Ends>> {
        self.all(Phase::Answer).await?;
        let mut ends = Ends::default();
        for talk in &people.talks {
            let reader = talk.lasting.first().context("a conversation of nobody")?;
            let mut seqs = Vec::new();
            for node in 0..cluster.nodes.len() {
                seqs.push(truth::head(cluster, node, reader, talk.id).await?.0);
            }
            ends.seqs.insert(talk.id, seqs.into_iter().max().unwrap_or(0));
            ends.messages.insert(talk.id, truth::messages(cluster, 0, reader, talk.id).await?);
        }
        let ends = Arc::new(ends);
        self.all(Phase::Arrive(ends.clone())).await?;
        Ok(ends)
    }

    /// Lets all agree on the marks, records what everybody holds, and gives the robots.
    async fn part(
        &mut self,
        cluster: &Cluster,
        people: &People,
        recorder: &Recorder,
    ) -> Result<Vec<Retired>> {
        let marks = stable_marks(cluster, people).await?;
        self.all(Phase::Agree(Arc::new(marks))).await?;
        truth::record_rest(cluster, &people.talks, recorder).await?;
        self.phases.send(Phase::Part)?;
        while let Some(ended) = self.natives.join_next().await {
            ended??;
        }
        let mut retired = Vec::new();
        while let Some(robot) = self.robots.join_next().await {
            let mut robot = robot??;
            // It is judged by what it knows now.
            robot.client.leave();
            retired.push(robot);
        }
        Ok(retired)
    }
}

/// Loses the message of the bus that none follows, on every link, or no more.
fn lose_the_tail(cluster: &Cluster, lose: bool) {
    for proxy in cluster.nodes.iter().filter_map(|node| node.bus.as_ref()) {
        let prank = lose.then_some(Prank::DropLast(Duration::from_millis(20)));
        proxy.set(|weather| weather.prank = prank);
    }
}

/// The marks of all conversations once they do not move any more: proof of arrival takes a moment.
async fn stable_marks(cluster: &Cluster, people: &People) -> Result<HashMap<u64, Marks>> {
    let deadline = Instant::now() + PATIENCE;
    let mut before = HashMap::new();
    loop {
        let mut now = HashMap::new();
        for talk in &people.talks {
            let reader = talk.lasting.first().context("a conversation of nobody")?;
            now.insert(talk.id, truth::head(cluster, 0, reader, talk.id).await?.1);
        }
        if now == before || Instant::now() > deadline {
            return Ok(now);
        }
        before = now;
        sleep(Duration::from_millis(2_500)).await;
    }
}

/// Ends all processes as an operator does.
async fn end_all(cluster: &mut Cluster, breaker: &mut Breaker) -> Result<()> {
    for node in &mut cluster.nodes {
        let status = node.server.terminate().await?;
        if !status.success() {
            breaker.findings.push(format!("ended with {status}\n{}", node.server.log_end()));
        }
    }
    Ok(())
}
