//! What is measured on each target. One scenario, one function; [`SCENARIOS`] is the list.

mod crowds;
mod ramp;
mod slow;
mod stored;
mod talk;
mod typing;

use std::{cell::RefCell, time::Duration};

use anyhow::{Context, Result};
use tokio::runtime::Runtime;

use crate::{
    clients::Clients,
    figures::Figures,
    meter::Meter,
    targets::{Cast, Engine, Program, Running, Shape, Speech, Start, Stored, Target},
    traffic::{Outcome, Plan},
};

/// How much of everything.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// How long each measurement takes.
    pub time: Duration,
    /// Connected pairs.
    pub pairs: usize,
    /// Connections that do nothing.
    pub idle: usize,
    /// Connections that come back at once.
    pub storm: usize,
    /// Pairs of whom one types.
    pub typing: usize,
    /// Messages in the largest database.
    pub stored: usize,
}

/// One scenario.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// As the command line and the figures name it.
    pub name: &'static str,
    /// Who talks with whom; a target that has no such thing is not asked.
    pub shape: Shape,
    what: What,
    /// Which targets it is for.
    is_for: fn(&Target) -> bool,
}

/// Measures a target once.
type Once = fn(&Setting<'_>) -> Result<Figures>;

/// Measures it at one point of a curve.
type At = fn(&Setting<'_>, usize) -> Result<Figures>;

#[derive(Clone, Copy, Debug)]
enum What {
    Once(Once),
    /// At each of these points.
    Curve(At, &'static [usize]),
    /// The same, where the points are numbers of people.
    Crowds(At, &'static [usize]),
    /// The same, where they are numbers of messages: the short form has fewer.
    Stored(At, &'static [usize]),
}

const fn pairs(name: &'static str, once: Once) -> Scenario {
    Scenario { name, shape: Shape::Pairs, what: What::Once(once), is_for: |_| true }
}

const fn room(name: &'static str, once: Once) -> Scenario {
    Scenario { name, shape: Shape::Room, what: What::Once(once), is_for: |_| true }
}

/// All, but Parlour on one database only: what people cost who are connected, or hear what is said, does not depend on it.
fn on_one_database(target: &Target) -> bool {
    target.program != Program::Parlour(Engine::Postgres)
}

/// All that there are.
pub const SCENARIOS: &[Scenario] = &[
    pairs("idle", crowds::idle),
    pairs("pairs-1", |setting| talk::pairs(setting, 1)),
    pairs("pairs-16", |setting| talk::pairs(setting, 16)),
    pairs("pairs-50s", |setting| talk::rate(setting, 50)),
    pairs("pairs-1000s", |setting| talk::rate(setting, 1_000)),
    room("room-200", |setting| talk::room(setting, 200)),
    room("room-1000", |setting| talk::room(setting, 1_000)),
    room("everyone-40", |setting| talk::everyone(setting, 40)),
    pairs("typing", typing::typing),
    pairs("storm", crowds::storm),
    pairs("ramp", ramp::ramp),
    room("slow-readers", slow::slow),
    Scenario {
        name: "growth-connections",
        shape: Shape::Pairs,
        what: What::Crowds(crowds::growth, &[1_000, 2_000, 5_000, 10_000, 18_000]),
        is_for: on_one_database,
    },
    Scenario {
        name: "growth-rooms",
        shape: Shape::Room,
        what: What::Crowds(talk::room, &[10, 100, 1_000, 10_000]),
        is_for: on_one_database,
    },
    Scenario {
        name: "growth-messages",
        shape: Shape::Pairs,
        what: What::Stored(stored::growth, &[10_000, 100_000, 1_000_000, 10_000_000]),
        // What is stored does not depend on what clients speak.
        is_for: |target| {
            target.program == Program::Parlour(Engine::Sqlite) && target.speech == Speech::Native
        },
    },
    Scenario {
        name: "growth-processes",
        shape: Shape::Pairs,
        what: What::Curve(talk::processes, &[1, 2, 3]),
        is_for: |target| target.program == Program::Parlour(Engine::Postgres),
    },
];

/// Those of the short form.
pub const SHORT: &[&str] =
    &["idle", "pairs-16", "pairs-50s", "room-200", "everyone-40", "typing", "storm", "ramp"];

/// The scenario of a name.
///
/// # Errors
/// When there is none.
pub fn named(name: &str) -> Result<Scenario> {
    let found = SCENARIOS.iter().find(|scenario| scenario.name == name).copied();
    found.with_context(|| {
        let all: Vec<&str> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
        format!("`{name}` is no scenario; there are {}", all.join(", "))
    })
}

impl Scenario {
    /// Whether it is measured at several points.
    #[must_use]
    pub const fn is_curve(&self) -> bool {
        !matches!(self.what, What::Once(_))
    }

    /// Whether more and more people connect.
    #[must_use]
    pub const fn has_crowds(&self) -> bool {
        matches!(self.what, What::Crowds(..))
    }

    /// Measures a target: at each point, or once; gives the figures as soon as they are known. None where the target has no
    /// such thing.
    ///
    /// # Errors
    /// When the target does not start, refuses somebody, or ends a connection.
    pub fn measure(
        &self,
        setting: &Setting<'_>,
        mut seen: impl FnMut(Figures) -> Result<()>,
    ) -> Result<()> {
        if setting.target.speech.dialect(self.shape).is_none() || !(self.is_for)(setting.target) {
            return Ok(());
        }
        let (at, points, most) = match self.what {
            What::Once(once) => return seen(once(setting)?),
            What::Curve(at, points) | What::Crowds(at, points) => (at, points, usize::MAX),
            What::Stored(at, points) => (at, points, setting.size.stored),
        };
        points.iter().filter(|point| **point <= most).try_for_each(|point| {
            let figures = at(setting, *point).with_context(|| format!("at {point}"))?;
            seen(Figures { at: Some(*point as f64), ..figures })
        })
    }
}

/// What a scenario is carried out with.
#[derive(Debug)]
pub struct Setting<'a> {
    /// For what takes time outside of the measurement.
    pub runtime: &'a Runtime,
    /// The target.
    pub target: &'a Target,
    /// How much.
    pub size: Size,
    /// Whether target and generator have cores of their own.
    pub pinned: bool,
    /// Databases that are filled already.
    pub stored: &'a RefCell<Stored>,
}

impl Setting<'_> {
    /// Starts the target for so many pairs, or for so many in a room, with the clients, who are not connected yet.
    fn start(&self, cast: Cast) -> Result<(Running, Clients)> {
        self.start_as(Start::new(cast, self.pinned)?)
    }

    /// Starts it in another way.
    fn start_as(&self, start: Start) -> Result<(Running, Clients)> {
        let cast = start.cast;
        let running = Running::start(self.runtime, self.target, start)?;
        let in_room = cast.room > 0;
        let shape = if in_room { Shape::Room } else { Shape::Pairs };
        let dialect = self.target.speech.dialect(shape).context("it has no such thing")?;
        let users = cast.room.max(2 * cast.pairs);
        let clients = Clients::new(running.addresses(), dialect, &running.world, users, in_room)?;
        Ok((running, clients))
    }
}

/// Warms the target up, carries out a plan, and gives the figures with what the target used.
fn measured(running: &Running, clients: &mut Clients, plan: &Plan) -> Result<(Figures, Outcome)> {
    let warm_up = Plan { run: plan.run + 1, time: (plan.time / 4).min(WARM_UP), ..plan.clone() };
    let warmed = crate::traffic::run(clients, warm_up)?;
    let mut figures = Figures::default();
    let meter = Meter::start(running);
    let mut seen = None;
    let at_end = || seen = Some(meter.stop(running));
    let mut outcome = crate::traffic::run_until(clients, plan.clone(), at_end)?;
    let seen = seen.context("it has no end")?;
    outcome.faults.add(warmed.faults);
    figures.take(&mut outcome, seen.cpu_seconds);
    seen.remark(&mut figures);
    Ok((figures, outcome))
}

/// How long a target is warmed up, at most.
const WARM_UP: Duration = Duration::from_secs(2);
