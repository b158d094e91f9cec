//! The highest rate at which messages still arrive in time.

use std::time::Duration;

use anyhow::{Context as _, Result};

use super::{Setting, talk};
use crate::{
    clients::Clients,
    figures::Figures,
    meter::Meter,
    targets::{Cast, Running},
    traffic::{self, Pace, Plan},
};

/// The first rate that is tried, in messages a second.
const FIRST: f64 = 200.0;

/// The last: more than one core sends.
const LAST: f64 = 300_000.0;

/// All but one in a hundred must arrive within this many milliseconds.
const IN_TIME: f64 = 100.0;

/// The rate is known when it is known to one part in so many.
const PRECISION: f64 = 20.0;

/// A step, and whether the rate was kept.
struct Step {
    figures: Figures,
    is_kept: bool,
}

/// Doubles the rate until it is not kept, then looks for the highest that is between the last two.
pub(super) fn ramp(setting: &Setting<'_>) -> Result<Figures> {
    let pairs = setting.size.pairs;
    let (running, mut clients) = setting.start(Cast { pairs, room: 0 })?;
    clients.connect(0..2 * pairs)?;
    let senders = (0..2 * pairs).step_by(2).collect();
    let mut plan = talk::plan(setting, senders, false, Pace::Fixed(FIRST));
    plan.time = (setting.size.time / 2).max(Duration::from_secs(2));
    let mut best: Option<(f64, Figures)> = None;
    let (mut rate, mut failed) = (FIRST, f64::INFINITY);
    loop {
        plan.pace = Pace::Fixed(rate);
        // More than this would take seconds to be worked off.
        plan.most_open = rate.max(1_000.0);
        let step = match attempt(&running, &mut clients, &mut plan, rate) {
            Ok(step) => step,
            // Who ends connections when it is asked for too much is known by the rate that it kept before.
            Err(error) => {
                let Some((_, figures)) = &mut best else { return Err(error) };
                figures.note(&format!("at {rate:.0} a second: {error:#}"));
                break;
            }
        };
        match step.is_kept {
            true => best = Some((rate, step.figures)),
            false => failed = rate,
        }
        let kept = best.as_ref().map_or(0.0, |(rate, _)| *rate);
        let is_known = failed.is_finite() && failed - kept <= failed / PRECISION;
        if is_known || kept >= LAST || failed < FIRST / 32.0 {
            break;
        }
        rate = match failed.is_finite() {
            true if kept > 0.0 => (kept * failed).sqrt(),
            true => failed / 2.0,
            false => kept * 2.0,
        };
    }
    Ok(finished(best))
}

/// The figures of the highest rate; those of nothing where none was kept.
fn finished(best: Option<(f64, Figures)>) -> Figures {
    match best {
        Some((rate, figures)) => Figures { per_second: Some(rate), ..figures },
        None => {
            let mut figures = Figures { per_second: Some(0.0), ..Figures::default() };
            figures.note("no rate was kept");
            figures
        }
    }
}

/// A rate that is not kept is tried once more: one stall, of the disk or by a neighbour, says nothing about it.
fn attempt(running: &Running, clients: &mut Clients, plan: &mut Plan, rate: f64) -> Result<Step> {
    let first = step(running, clients, plan, rate)?;
    if first.is_kept { Ok(first) } else { step(running, clients, plan, rate) }
}

fn step(running: &Running, clients: &mut Clients, plan: &mut Plan, rate: f64) -> Result<Step> {
    plan.run += 1;
    let mut figures = Figures::default();
    let meter = Meter::start(running);
    let mut seen = None;
    let at_end = || seen = Some(meter.stop(running));
    let mut outcome = traffic::run_until(clients, plan.clone(), at_end)?;
    let seen = seen.context("it has no end")?;
    figures.take(&mut outcome, seen.cpu_seconds);
    seen.remark(&mut figures);
    let planned = rate * plan.time.as_secs_f64();
    let is_kept = !outcome.overloaded
        && outcome.faults.is_none()
        && outcome.messages as f64 > planned * 0.97
        && figures.p99_ms.is_some_and(|millis| millis < IN_TIME);
    Ok(Step { figures, is_kept })
}
