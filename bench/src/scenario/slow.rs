//! A room in which some stop reading: the others must not notice.

use anyhow::Result;

use super::{Setting, measured, talk};
use crate::{
    figures::Figures,
    targets::Cast,
    traffic::{Pace, Plan},
};

/// People in the room.
const PEOPLE: usize = 200;

/// Of them so many do not read: the last ones.
const SLOW: usize = 20;

/// Messages a second.
const RATE: f64 = 50.0;

/// Length of a message: so that what is not read does not stay in the buffers of the system.
const LENGTH: usize = 4_096;

/// One speaks at a rate; latency is that of those who read.
pub(super) fn slow(setting: &Setting<'_>) -> Result<Figures> {
    let (running, mut clients) = setting.start(Cast { pairs: 0, room: PEOPLE })?;
    let deaf = PEOPLE - SLOW..PEOPLE;
    clients.connect(0..deaf.start)?;
    clients.connect_with(deaf.clone(), true)?;
    let before = running.resident_kib()?;
    for client in deaf.clone() {
        clients.set_deaf(client, true)?;
    }
    let plan = talk::plan(setting, vec![0], true, Pace::Fixed(RATE));
    let plan = Plan { deaf: deaf.clone(), length: LENGTH, ..plan };
    let (mut figures, _) = measured(&running, &mut clients, &plan)?;
    figures.rss_kib_before = Some(before);
    figures.rss_kib_after = Some(running.resident_kib()?);
    let ended = wake(&mut clients, &plan, deaf)?;
    figures.note(&format!("{ended} of {SLOW} that do not read were closed"));
    Ok(figures)
}

/// Lets them read again; how many find their connection closed.
fn wake(
    clients: &mut crate::clients::Clients,
    plan: &Plan,
    deaf: std::ops::Range<usize>,
) -> Result<u64> {
    for client in deaf {
        clients.set_deaf(client, false)?;
    }
    let time = std::time::Duration::from_millis(500);
    let last = Plan { run: plan.run + 2, time, pace: Pace::Fixed(20.0), ..plan.clone() };
    Ok(crate::traffic::run(clients, last)?.ended)
}
