//! What can be broken, and a seeded plan of it.

use std::{fmt, time::Duration};

use parlour_harness::random::Random;

use crate::{
    cluster::{Setup, Store, has_faketime},
    proxy::{Cut, Prank, Trap},
};

/// Bad weather on a link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bad {
    /// Everything comes later.
    Delay,
    /// Little passes.
    Throttle,
    /// Nothing passes from the client of the link to its server.
    StallUp,
    /// Nothing passes back.
    StallDown,
    /// What the client says is gone.
    HoleUp,
    /// What the server says is gone.
    HoleDown,
    /// Everything is gone: both ends think that the other one is there.
    Hole,
    /// Everything that is open is cut, again and again.
    Cut(Cut),
    /// Each connection is reset after so many bytes from the server.
    CutAfter(u64),
    /// New connections are refused, and the old ones cut.
    Refuse,
}

impl Bad {
    const fn name(self) -> &'static str {
        match self {
            Self::Delay => "delay",
            Self::Throttle => "throttle",
            Self::StallUp => "stall-up",
            Self::StallDown => "stall-down",
            Self::HoleUp => "hole-up",
            Self::HoleDown => "hole-down",
            Self::Hole => "hole",
            Self::Cut(Cut::Fin) => "cut",
            Self::Cut(Cut::Rst) => "reset",
            Self::CutAfter(_) => "cut-after",
            Self::Refuse => "refuse",
        }
    }
}

/// Something that is broken. Numbers are those of processes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// `kill -9` of a process.
    Kill(usize),
    /// SIGTERM.
    Shutdown(usize),
    /// SIGSTOP.
    Freeze(usize),
    /// SIGSTOP and SIGCONT many times a second, as a slow disk or a busy machine feels.
    Stutter(usize),
    /// No descriptors are left.
    Files(usize),
    /// The wall clock of a process jumps by so many seconds.
    Clock(usize, i64),
    /// The disk of the database file is full.
    DiskFull,
    /// All processes are ended and started again one after the other, with another program where one is given.
    Roll,
    /// Every client of every process is reset at once.
    Storm,
    /// A hundred clients of a group do not read.
    SlowReaders,
    /// The links between clients and a process.
    Client(usize, Bad),
    /// `kill -9` of every process of PostgreSQL.
    PostgresKill,
    /// SIGSTOP of them.
    PostgresFreeze,
    /// `kill -9` of them in the moment of a commit.
    PostgresKillInCommit,
    /// The links between a process and PostgreSQL.
    Postgres(usize, Bad),
    /// Each commit of a process is cut in two.
    Commit(usize, Trap),
    /// `kill -9` of Redis; an empty one takes its place.
    RedisKill,
    /// SIGSTOP of it.
    RedisFreeze,
    /// It forgets everything.
    RedisFlush,
    /// The links between a process and Redis.
    Redis(usize, Bad),
    /// Single messages of the bus to a process.
    Bus(usize, Prank),
}

impl fmt::Display for Fault {
    /// Its name as a history and `FAULTS=` have it: the part, what is done to it, the process.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill(n) => write!(f, "kill-{n}"),
            Self::Shutdown(n) => write!(f, "shutdown-{n}"),
            Self::Freeze(n) => write!(f, "freeze-{n}"),
            Self::Stutter(n) => write!(f, "stutter-{n}"),
            Self::Files(n) => write!(f, "files-{n}"),
            Self::Clock(n, by) => write!(f, "clock-{n}-{by:+}"),
            Self::DiskFull => write!(f, "disk-full"),
            Self::Roll => write!(f, "shutdown-roll"),
            Self::Storm => write!(f, "client-storm"),
            Self::SlowReaders => write!(f, "slow-readers"),
            Self::Client(n, bad) => write!(f, "client-{}-{n}", bad.name()),
            Self::PostgresKill => write!(f, "postgres-kill"),
            Self::PostgresFreeze => write!(f, "postgres-freeze"),
            Self::PostgresKillInCommit => write!(f, "postgres-kill-in-commit"),
            Self::Postgres(n, bad) => write!(f, "postgres-{}-{n}", bad.name()),
            Self::Commit(n, Trap::CutBefore) => write!(f, "commit-cut-before-{n}"),
            Self::Commit(n, Trap::CutAfter) => write!(f, "commit-cut-after-{n}"),
            Self::Commit(n, Trap::Tell) => write!(f, "commit-tell-{n}"),
            Self::RedisKill => write!(f, "redis-kill"),
            Self::RedisFreeze => write!(f, "redis-freeze"),
            Self::RedisFlush => write!(f, "redis-flush"),
            Self::Redis(n, bad) => write!(f, "redis-{}-{n}", bad.name()),
            Self::Bus(n, Prank::Drop(_)) => write!(f, "bus-drop-{n}"),
            Self::Bus(n, Prank::Double(_)) => write!(f, "bus-double-{n}"),
            Self::Bus(n, Prank::Reorder(_)) => write!(f, "bus-reorder-{n}"),
            Self::Bus(n, Prank::DropLast(_)) => write!(f, "bus-drop-last-{n}"),
        }
    }
}

/// What two faults may not break at the same time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Part {
    Process(usize),
    Door(usize),
    Store,
    StoreLink(usize),
    Bus,
    BusLink(usize),
    Crowd,
}

impl Fault {
    /// Whether it concerns the bus alone: then nothing may be refused because of it.
    #[must_use]
    pub const fn is_of_the_bus(self) -> bool {
        matches!(
            self,
            Self::RedisKill
                | Self::RedisFreeze
                | Self::RedisFlush
                | Self::Redis(..)
                | Self::Bus(..)
        )
    }

    fn parts(self, nodes: usize) -> Vec<Part> {
        let all = |part: fn(usize) -> Part| (0..nodes).map(part).collect::<Vec<_>>();
        match self {
            Self::Kill(n) | Self::Shutdown(n) | Self::Freeze(n) | Self::Stutter(n) => {
                vec![Part::Process(n)]
            }
            Self::Files(n) | Self::Clock(n, _) => vec![Part::Process(n)],
            Self::DiskFull | Self::Roll => {
                [all(Part::Process), all(Part::StoreLink), vec![Part::Store]].concat()
            }
            Self::Storm => all(Part::Door),
            Self::SlowReaders => vec![Part::Crowd],
            Self::Client(n, _) => vec![Part::Door(n)],
            Self::PostgresKill | Self::PostgresFreeze | Self::PostgresKillInCommit => {
                [all(Part::StoreLink), all(Part::Process), vec![Part::Store]].concat()
            }
            Self::Postgres(n, _) | Self::Commit(n, _) => vec![Part::StoreLink(n), Part::Process(n)],
            Self::RedisKill | Self::RedisFreeze | Self::RedisFlush => {
                [all(Part::BusLink), vec![Part::Bus]].concat()
            }
            Self::Redis(n, _) | Self::Bus(n, _) => vec![Part::BusLink(n)],
        }
    }

    /// How long it lasts: from, to, in milliseconds.
    const fn lasts(self) -> (u64, u64) {
        match self {
            Self::Kill(_) | Self::Shutdown(_) => (0, 1_500),
            Self::Roll | Self::Storm | Self::RedisFlush => (0, 100),
            Self::SlowReaders => (3_000, 8_000),
            Self::Files(_) | Self::Clock(..) | Self::DiskFull => (1_000, 4_000),
            Self::PostgresKill | Self::PostgresKillInCommit | Self::RedisKill => (0, 3_000),
            Self::Bus(..) => (3_000, 8_000),
            _ => (500, 5_000),
        }
    }
}

/// One fault of a plan.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Step {
    /// When it begins.
    pub at: Duration,
    /// How long it lasts.
    pub lasts: Duration,
    /// What.
    pub fault: Fault,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (at, lasts) = (self.at.as_secs_f64(), self.lasts.as_secs_f64());
        write!(f, "{at:>7.2} s  {:<28} for {lasts:.2} s", self.fault.to_string())
    }
}

/// Quiet time at the beginning and the end of a plan.
const QUIET: Duration = Duration::from_secs(2);

/// A plan for a time: the same seed gives the same one. `only` are beginnings of names; empty: everything.
#[must_use]
pub fn plan(setup: &Setup, time: Duration, only: &[String]) -> Vec<Step> {
    let mut random = Random::new(setup.seed ^ 0xfa_017);
    let all: Vec<Fault> = possible(setup)
        .into_iter()
        .filter(|fault| {
            let name = fault.to_string();
            only.is_empty() || only.iter().any(|wanted| name.starts_with(wanted))
        })
        .collect();
    let mut steps: Vec<Step> = Vec::new();
    let mut at = QUIET;
    // Each kind comes once before any comes twice.
    let mut bag: Vec<Fault> = Vec::new();
    while !all.is_empty() && at + QUIET < time {
        if bag.is_empty() {
            bag.clone_from(&all);
        }
        let index = usize::try_from(random.between(0, bag.len() as u64)).unwrap_or(0);
        let fault = bag.swap_remove(index);
        let (least, most) = fault.lasts();
        let room = time.saturating_sub(at + QUIET);
        let lasts = Duration::from_millis(random.between(least, most)).min(room);
        let parts = fault.parts(setup.processes);
        let busy = |step: &&Step| {
            let shared = step.fault.parts(setup.processes).iter().any(|part| parts.contains(part));
            shared && step.at + step.lasts + Duration::from_millis(500) > at
        };
        let free = steps
            .iter()
            .filter(busy)
            .map(|step| step.at + step.lasts + Duration::from_millis(500))
            .max()
            .unwrap_or(at);
        if free + lasts + QUIET < time {
            steps.push(Step { at: free, lasts, fault });
        }
        at = at.max(free) + Duration::from_millis(random.between(300, 3_000));
    }
    steps.sort_by_key(|step| step.at);
    steps
}

/// The plan that kills a random process each five seconds, which is started again at once.
#[must_use]
pub fn kills(setup: &Setup, time: Duration) -> Vec<Step> {
    let mut random = Random::new(setup.seed);
    let beats = (1..).map(|beat| Duration::from_secs(5 * beat)).take_while(|at| *at + QUIET < time);
    beats
        .map(|at| {
            let node = random.between(0, setup.processes as u64);
            let fault = Fault::Kill(usize::try_from(node).unwrap_or(0));
            Step { at, lasts: Duration::ZERO, fault }
        })
        .collect()
}

/// Every fault that a setup can have, once for each process that it can concern.
fn possible(setup: &Setup) -> Vec<Fault> {
    const BAD: [Bad; 11] = [
        Bad::Delay,
        Bad::Throttle,
        Bad::StallUp,
        Bad::StallDown,
        Bad::HoleUp,
        Bad::HoleDown,
        Bad::Hole,
        Bad::Cut(Cut::Fin),
        Bad::Cut(Cut::Rst),
        Bad::CutAfter(3_333),
        Bad::Refuse,
    ];
    let mut all = vec![Fault::Storm, Fault::SlowReaders, Fault::Roll];
    let shared = setup.store == Store::Postgres;
    let several = setup.processes > 1;
    if setup.small_disk && !shared {
        all.push(Fault::DiskFull);
    }
    if shared {
        all.extend([Fault::PostgresKill, Fault::PostgresFreeze, Fault::PostgresKillInCommit]);
    }
    if several {
        all.extend([Fault::RedisKill, Fault::RedisFreeze, Fault::RedisFlush]);
    }
    for n in 0..setup.processes {
        all.extend([Fault::Kill(n), Fault::Shutdown(n), Fault::Freeze(n)]);
        all.extend([Fault::Stutter(n), Fault::Files(n)]);
        if setup.clocks && has_faketime() {
            all.extend([Fault::Clock(n, 3_600), Fault::Clock(n, -3_600)]);
        }
        all.extend(BAD.map(|bad| Fault::Client(n, bad)));
        if shared {
            all.extend(BAD.map(|bad| Fault::Postgres(n, bad)));
            all.extend([Fault::Commit(n, Trap::CutBefore), Fault::Commit(n, Trap::CutAfter)]);
        }
        if several {
            all.extend(BAD.map(|bad| Fault::Redis(n, bad)));
            let last = Prank::DropLast(Duration::from_millis(40));
            all.extend(
                [Prank::Drop(50), Prank::Double(50), Prank::Reorder(50), last]
                    .map(|prank| Fault::Bus(n, prank)),
            );
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_plan_and_nothing_is_broken_twice_at_once() {
        let setup = Setup::new(Store::Postgres, 3, 7);
        let time = Duration::from_secs(120);
        let steps = plan(&setup, time, &[]);
        assert_eq!(steps, plan(&setup, time, &[]));
        assert_ne!(steps, plan(&Setup::new(Store::Postgres, 3, 8), time, &[]));
        assert!(steps.len() > 30, "{}", steps.len());
        for (index, one) in steps.iter().enumerate() {
            assert!(one.at + one.lasts < time);
            for other in &steps[index + 1..] {
                let parts = other.fault.parts(3);
                let shared = one.fault.parts(3).iter().any(|part| parts.contains(part));
                assert!(!shared || one.at + one.lasts <= other.at, "{one} and {other}");
            }
        }
    }

    #[test]
    fn a_plan_has_what_was_asked_for_alone() {
        let setup = Setup::new(Store::Sqlite, 3, 7);
        let only = ["kill".to_owned(), "client-hole".to_owned()];
        let steps = plan(&setup, Duration::from_secs(60), &only);
        assert!(!steps.is_empty());
        assert!(
            steps
                .iter()
                .all(|step| only.iter().any(|name| step.fault.to_string().starts_with(name)))
        );
    }
}
