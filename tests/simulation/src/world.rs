//! A whole run: servers and people on simulated hosts, faults by a seed, and the verdict.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, UNIX_EPOCH},
};

use anyhow::{Context as _, Result, anyhow};
use parking_lot::Mutex;
use parlour_bus::MemoryBus;
use parlour_core::{Epoch, port::BoxFuture};
use parlour_harness::{
    checker::{Stage, Violation, check},
    final_read::from_database,
    history::{Cause, Entry, What},
    random::Random,
    token::SECRET,
};
use parlour_server::config::{self, Loaded, Sources};
use parlour_store::{DrivenDatabase, OpenOptions, Simulated};
use tokio::sync::Notify;
use turmoil::Sim;

use crate::{
    bus::Ends,
    device::{Device, PING_TIMEOUT},
    faults::Faults,
    parts::BEGINNING,
    person::{Person, open_talks},
    robot::{Robot, Tongue},
    run::{Phase, Run},
    server::Host,
    socket::token,
    trace::{Trace, now},
};

/// How far simulated time goes on at once. What happens on different hosts within it is in no certain order.
const TICK: Duration = Duration::from_millis(50);

/// How long everything that is open may take to be settled once nothing new is asked.
const PATIENCE: Duration = Duration::from_secs(180);

const SERVERS: [&str; 3] = ["server-1", "server-2", "server-3"];
const SITES: [&str; 3] = ["site-1", "site-2", "site-3"];
const PEOPLE: [&str; 4] = ["alice", "bob", "carol", "dave"];

/// What is to be simulated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Plan {
    /// Everything follows from it.
    pub seed: u64,
    /// How long people talk, in simulated time.
    pub minutes: u64,
    /// How many processes serve them, one to three.
    pub processes: usize,
    /// Whether every event is kept for a person to read.
    pub text: bool,
}

/// What a run showed.
#[derive(Debug)]
pub struct Outcome {
    /// The hash of everything that happened.
    pub hash: String,
    /// Events in the trace.
    pub events: u64,
    /// Entries of the history.
    pub entries: usize,
    /// Things that were broken.
    pub faults: usize,
    /// What must not be.
    pub findings: Vec<String>,
    /// The history.
    pub history: Vec<Entry>,
    /// The trace, if it was to be kept.
    pub text: Vec<String>,
}

/// Carries out a plan.
///
/// # Errors
/// When the simulation itself fails.
pub fn run(plan: Plan) -> Result<Outcome> {
    parlour_server::system::install_crypto();
    parlour_server::hash::repeat(plan.seed);
    let random = Random::new(plan.seed);
    let mut sim = builder(plan.seed).build();
    let servers = SERVERS.into_iter().take(plan.processes.clamp(1, 3)).collect::<Vec<_>>();
    let tokens = PEOPLE.into_iter().map(|user| Ok((user, token(user)?)));
    let tokens = tokens.collect::<Result<BTreeMap<_, _>>>()?;
    let run = Run::new(Trace::new(plan.text), servers.clone(), tokens);
    let database = database(&random)?;
    let ends: Ends = Arc::new(Mutex::new(vec![None; servers.len()]));
    let exchange = (servers.len() > 1).then(MemoryBus::default);
    let loaded = Arc::new(configuration()?);
    let mut hosts = Vec::new();
    for (index, name) in servers.iter().enumerate() {
        let mut random = random.fork(100 + index as u64);
        let skew = if index == 0 { 0 } else { i64::try_from(random.between(0, 40_000))? - 20_000 };
        let host = Arc::new(Host {
            index,
            name: (*name).into(),
            run: run.clone(),
            loaded: loaded.clone(),
            database: database.clone(),
            exchange: exchange.clone(),
            ends: ends.clone(),
            restart: Arc::new(Notify::new()),
            random: Arc::new(Mutex::new(random)),
            skew,
            last: Mutex::new(None),
        });
        let of_host = host.clone();
        sim.host(*name, move || {
            let host = of_host.clone();
            async move { Ok(host.serve().await?) }
        });
        hosts.push(host);
    }
    let people = inhabit(&mut sim, &run, &random);
    let mut faults = Faults::new(random.fork(3), hosts, SITES.to_vec(), ends, run.clone());
    let lived = live(&mut sim, &run, &mut faults, &database, plan, people);
    if let Err(error) = lived {
        run.found(format!("the run did not come to its end: {error:#}"));
    } else {
        judge(&run, &database)?;
    }
    drop(sim);
    let findings = run.findings.lock().clone();
    Ok(Outcome {
        hash: run.trace.hash(),
        events: run.trace.events(),
        entries: run.len(),
        faults: faults.count,
        findings,
        history: run.history(),
        text: run.trace.text(),
    })
}

fn builder(seed: u64) -> turmoil::Builder {
    let mut builder = turmoil::Builder::new();
    builder
        .rng_seed(seed)
        .epoch(UNIX_EPOCH + Duration::from_millis(BEGINNING.unsigned_abs()))
        .tick_duration(TICK)
        .simulation_duration(Duration::from_secs(7 * 86_400))
        .min_message_latency(Duration::from_millis(1))
        .max_message_latency(Duration::from_millis(150))
        .tcp_capacity(512)
        .enable_random_order();
    builder
}

fn database(random: &Random) -> Result<DrivenDatabase> {
    let disk = Arc::new(Mutex::new(random.fork(1)));
    let pause = move || -> BoxFuture<'static, ()> {
        let mut disk = disk.lock();
        let millis = match disk.between(0, 100) {
            0..40 => 0,
            40..98 => disk.between(0, 6),
            // Now and then a disk takes its time.
            _ => disk.between(50, 1_500),
        };
        Box::pin(async move {
            if millis > 0 {
                tokio::time::sleep(Duration::from_millis(millis)).await;
            }
        })
    };
    let clock = || BEGINNING + i64::try_from(now().as_millis()).unwrap_or_default();
    let epoch = Epoch(random.fork(2).between(1, 1 << 40));
    let simulated = Simulated { pause: Arc::new(pause), clock: Arc::new(clock), epoch };
    Ok(DrivenDatabase::open(None, OpenOptions::default(), simulated)?)
}

fn configuration() -> Result<Loaded> {
    let flags = [
        ("auth.jwt_secret", SECRET),
        ("database.url", "sqlite::memory:"),
        ("server.listen", "127.0.0.1:0"),
    ];
    let flags = flags.into_iter().map(|(key, value)| (key, value.to_owned())).collect();
    Ok(config::load(&Sources { flags, ..Sources::default() })?)
}

/// Puts people and robots on the sites; how many they are.
fn inhabit(sim: &mut Sim<'_>, run: &Arc<Run>, random: &Random) -> (usize, usize) {
    let pace = Duration::from_secs(12);
    let devices: [(&str, &'static str); 6] = [
        ("alice-1", "alice"),
        ("bob-1", "bob"),
        ("carol-1", "carol"),
        ("dave-1", "dave"),
        ("alice-2", "alice"),
        ("dave-2", "dave"),
    ];
    let robots = [
        ("bob-inbox", "bob", Tongue::Inbox),
        ("carol-room", "carol", Tongue::Room),
        ("alice-plain", "alice", Tongue::Plain),
    ];
    for (index, site) in SITES.into_iter().enumerate() {
        let mut lives: Vec<Life> = Vec::new();
        for (number, (name, user)) in devices.iter().enumerate().filter(|(n, _)| n % 3 == index) {
            let device = Device::new(name, user, run.clone());
            let random = random.fork(10 + number as u64);
            let person = Person::new(device, random, pace, run.clone());
            lives.push(Box::new(move || Box::pin(person.live())));
        }
        if let Some((name, user, tongue)) = robots.get(index).copied() {
            let robot = Robot::new(name, user, tongue, random.fork(20 + index as u64), run.clone());
            lives.push(Box::new(move || Box::pin(robot.live())));
        }
        if index == 0 {
            let (run, mut random) = (run.clone(), random.fork(4));
            lives.push(Box::new(move || {
                Box::pin(async move {
                    // The servers are not there at once.
                    let talks = loop {
                        match open_talks(&run, &mut random).await {
                            Ok(talks) => break talks,
                            Err(_) => tokio::time::sleep(Duration::from_millis(500)).await,
                        }
                    };
                    run.begin(Phase::Talk(talks));
                    Ok(())
                })
            }));
        }
        let lives = Arc::new(Mutex::new(lives));
        let run = run.clone();
        sim.host(site, move || {
            let (lives, run) = (std::mem::take(&mut *lives.lock()), run.clone());
            async move {
                for life in lives {
                    let run = run.clone();
                    tokio::spawn(async move {
                        if let Err(error) = life().await {
                            run.found(format!("{error:#}"));
                        }
                    });
                }
                std::future::pending::<()>().await;
                Ok(())
            }
        });
    }
    (devices.len(), robots.len())
}

type Life = Box<dyn FnOnce() -> BoxFuture<'static, Result<()>> + Send>;

fn live(
    sim: &mut Sim<'_>,
    run: &Arc<Run>,
    faults: &mut Faults,
    database: &DrivenDatabase,
    plan: Plan,
    (people, robots): (usize, usize),
) -> Result<()> {
    let step = |sim: &mut Sim<'_>| sim.step().map(|_| ()).map_err(|error| anyhow!("{error}"));
    let end = Duration::from_secs(plan.minutes * 60);
    while sim.elapsed() < end {
        step(sim)?;
        faults.step(sim);
    }
    faults.heal_all(sim);
    let wait = |sim: &mut Sim<'_>, phase: Phase, wanted: usize, what: &str| -> Result<()> {
        run.begin(phase);
        let deadline = sim.elapsed() + PATIENCE;
        while run.done.load(Relaxed) < wanted {
            step(sim)?;
            if sim.elapsed() > deadline {
                // The checker names what is missing.
                run.found(format!("{what}: {} of {wanted}", run.done.load(Relaxed)));
                break;
            }
        }
        Ok(())
    };
    wait(sim, Phase::Answer, people, "had everything answered")?;
    let ends = from_database(database.file(), run.len())?;
    let ends = ends.iter().map(|read| (read.conversation, read.last_seq.unwrap_or(0))).collect();
    wait(sim, Phase::Arrive(Arc::new(ends)), people, "had everything arrive")?;
    // Who is connected to nobody notices it, too.
    let quiet = sim.elapsed() + Duration::from_secs(75);
    while sim.elapsed() < quiet {
        step(sim)?;
    }
    wait(sim, Phase::Leave, people + robots, "left")
}

/// Reads the database, and asks the checker.
fn judge(run: &Run, database: &DrivenDatabase) -> Result<()> {
    let truth = from_database(database.file(), run.len()).context("the database")?;
    for report in run.robots.lock().iter() {
        for missed in report.missed(&truth) {
            run.found(missed);
        }
    }
    for read in truth {
        run.add_final(read);
    }
    let history = run.history();
    for violation in check(&history, Stage::Settled) {
        if !is_of_the_network(&violation, &history) {
            run.found(violation.to_string());
        }
    }
    Ok(())
}

/// The simulated network loses for ever what is said into a cut, and holds back what makes a connection seem to live on that
/// has ended: only connections that no fault touched owe an answer.
fn is_of_the_network(violation: &Violation, history: &[Entry]) -> bool {
    let about = violation.detail.strip_suffix(" has no answer");
    let conn = about.and_then(|about| about.rsplit(' ').next()?.parse::<u64>().ok());
    let Some(conn) = conn else { return false };
    let mut lives = false;
    for entry in history {
        match &entry.what {
            What::Connected { conn: opened, .. } if *opened == conn => lives = true,
            What::Closed { conn: closed, code, cause, .. } if *closed == conn => {
                return *cause == Some(Cause::Killed) || *code == Some(PING_TIMEOUT);
            }
            What::Fault { name, on: true } => {
                let cuts = ["partition", "hold", "crash"].iter().any(|cut| name.starts_with(cut));
                if lives && cuts {
                    return true;
                }
            }
            _ => {}
        }
    }
    false
}

/// How many processes a seed has, where nobody says it: one, two and three in turn.
#[must_use]
pub const fn processes_of(seed: u64) -> usize {
    match seed % 3 {
        0 => 3,
        1 => 1,
        _ => 2,
    }
}
