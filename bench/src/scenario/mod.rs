//! What is measured on each target. One scenario, one function; [`SCENARIOS`] is the list.

mod crowds;
mod ramp;
mod slow;
mod talk;
mod typing;

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::runtime::Runtime;

use crate::{
    clients::Clients,
    figures::Figures,
    meter::Meter,
    target::{Cast, Running, Shape, Target},
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
}

/// One scenario.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// As the command line and the figures name it.
    pub name: &'static str,
    /// Who talks with whom.
    pub shape: Shape,
    /// What is done; a target that cannot do it is not asked.
    run: fn(&Setting<'_>) -> Result<Figures>,
}

/// All that there are.
pub const SCENARIOS: &[Scenario] = &[
    Scenario { name: "idle", shape: Shape::Pairs, run: crowds::idle },
    Scenario { name: "pairs-1", shape: Shape::Pairs, run: |setting| talk::pairs(setting, 1) },
    Scenario { name: "pairs-16", shape: Shape::Pairs, run: |setting| talk::pairs(setting, 16) },
    Scenario { name: "pairs-50s", shape: Shape::Pairs, run: |setting| talk::rate(setting, 50) },
    Scenario {
        name: "pairs-1000s",
        shape: Shape::Pairs,
        run: |setting| talk::rate(setting, 1_000),
    },
    Scenario { name: "room-200", shape: Shape::Room, run: |setting| talk::room(setting, 200) },
    Scenario { name: "room-1000", shape: Shape::Room, run: |setting| talk::room(setting, 1_000) },
    Scenario {
        name: "everyone-40",
        shape: Shape::Room,
        run: |setting| talk::everyone(setting, 40),
    },
    Scenario { name: "typing", shape: Shape::Pairs, run: typing::typing },
    Scenario { name: "storm", shape: Shape::Pairs, run: crowds::storm },
    Scenario { name: "ramp", shape: Shape::Pairs, run: ramp::ramp },
    Scenario { name: "slow-readers", shape: Shape::Room, run: slow::slow },
];

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
    /// Measures a target once. `None` where the target has no such thing.
    ///
    /// # Errors
    /// When the target does not start, refuses somebody, or ends a connection.
    pub fn measure(&self, setting: &Setting<'_>) -> Result<Option<Figures>> {
        if setting.target.speech.dialect(self.shape).is_none() {
            return Ok(None);
        }
        (self.run)(setting).map(Some)
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
}

impl Setting<'_> {
    /// Starts the target for so many pairs, or for so many in a room, with the clients, who are not connected yet.
    fn start(&self, cast: Cast) -> Result<(Running, Clients)> {
        let running = Running::start(self.runtime, self.target, cast, self.pinned)?;
        let in_room = cast.room > 0;
        let shape = if in_room { Shape::Room } else { Shape::Pairs };
        let dialect = self.target.speech.dialect(shape).context("it has no such thing")?;
        let users = cast.room.max(2 * cast.pairs);
        let clients = Clients::new(running.address(), dialect, &running.world, users, in_room)?;
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
