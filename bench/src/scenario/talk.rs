//! Messages: between pairs, and in a room.

use anyhow::Result;

use super::{Setting, measured};
use crate::{
    figures::Figures,
    targets::{Cast, Processes, Start},
    text,
    traffic::{PATIENCE, Pace, Plan},
};

/// A plan for everybody who connects; the other one of a pair, or all of a room, hear it.
pub(super) fn plan(setting: &Setting<'_>, senders: Vec<usize>, to_all: bool, pace: Pace) -> Plan {
    let (time, length) = (setting.size.time, text::LENGTH);
    let most_open = f64::INFINITY;
    Plan { run: 1, senders, to_all, deaf: 0..0, pace, time, length, most_open, patience: PATIENCE }
}

/// Pairs, each of whose first ones has so many messages open.
pub(super) fn pairs(setting: &Setting<'_>, open: usize) -> Result<Figures> {
    in_pairs(setting, Pace::Closed(open))
}

/// Pairs, and so many messages a second of all of them.
pub(super) fn rate(setting: &Setting<'_>, rate: u32) -> Result<Figures> {
    in_pairs(setting, Pace::Fixed(f64::from(rate)))
}

/// As `pairs-16`, on so many processes that share a database and a bus. The two of each pair are with two of them.
pub(super) fn processes(setting: &Setting<'_>, count: usize) -> Result<Figures> {
    let start = opening(setting)?;
    talk(setting, Start { processes: Processes::Joined(count), ..start }, Pace::Closed(16))
}

fn in_pairs(setting: &Setting<'_>, pace: Pace) -> Result<Figures> {
    talk(setting, opening(setting)?, pace)
}

fn opening(setting: &Setting<'_>) -> Result<Start> {
    Start::new(Cast { pairs: setting.size.pairs, room: 0 }, setting.pinned)
}

/// Lets all pairs connect to a target that is started like that, and talk.
fn talk(setting: &Setting<'_>, start: Start, pace: Pace) -> Result<Figures> {
    let pairs = start.cast.pairs;
    let (running, mut clients) = setting.start_as(start)?;
    clients.connect(0..2 * pairs)?;
    let plan = plan(setting, (0..2 * pairs).step_by(2).collect(), false, pace);
    Ok(measured(&running, &mut clients, &plan)?.0)
}

/// A room where one speaks: the next when everybody has heard the last.
pub(super) fn room(setting: &Setting<'_>, people: usize) -> Result<Figures> {
    in_room(setting, people, vec![0])
}

/// A room where everybody speaks at the same time.
pub(super) fn everyone(setting: &Setting<'_>, people: usize) -> Result<Figures> {
    in_room(setting, people, (0..people).collect())
}

fn in_room(setting: &Setting<'_>, people: usize, senders: Vec<usize>) -> Result<Figures> {
    let (running, mut clients) = setting.start(Cast { pairs: 0, room: people })?;
    clients.connect(0..people)?;
    let plan = plan(setting, senders, true, Pace::Closed(1));
    Ok(measured(&running, &mut clients, &plan)?.0)
}
