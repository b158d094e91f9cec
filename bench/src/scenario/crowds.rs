//! Many who mostly say nothing: memory of each connection, and how soon all are back when all were cut.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::{Setting, measured, talk};
use crate::{
    clients::{Clients, Nobody},
    figures::Figures,
    meter::Meter,
    targets::{Cast, Running},
    traffic::{self, Pace, Plan},
};

/// One in so many comes before the others, so that what the target holds in any case is not counted as theirs.
const FIRST: usize = 10;

/// How often memory is looked at.
const LOOK: Duration = Duration::from_millis(500);

/// How long after a storm nothing may arrive until what was said is lost: thousands say something at once.
const STORM_PATIENCE: Duration = Duration::from_secs(60);

/// Memory that changes by less between two looks is steady.
const STEADY_KIB: u64 = 64;

/// Memory of the program alone, before it knows of anybody, and of each connection.
pub(super) fn idle(setting: &Setting<'_>) -> Result<Figures> {
    let (alone, mut nobody) = setting.start(Cast { pairs: 0, room: 0 })?;
    let before = settled(&alone, &mut nobody)?;
    drop(alone);
    let count = setting.size.idle;
    let (running, mut clients) = setting.start(Cast { pairs: count / 2, room: 0 })?;
    Ok(Figures { rss_kib_before: Some(before), ..gathered(&running, &mut clients)? })
}

/// The same for so many, and how soon messages of some of them arrive among the others.
pub(super) fn growth(setting: &Setting<'_>, count: usize) -> Result<Figures> {
    let (running, mut clients) = setting.start(Cast { pairs: count / 2, room: 0 })?;
    let memory = gathered(&running, &mut clients)?;
    let senders = (0..2 * setting.size.pairs).step_by(2).collect();
    let plan = talk::plan(setting, senders, false, Pace::Fixed(1_000.0));
    let (figures, _) = measured(&running, &mut clients, &plan)?;
    Ok(Figures {
        rss_kib_before: memory.rss_kib_before,
        rss_kib_after: memory.rss_kib_after,
        kib_per_connection: memory.kib_per_connection,
        ..figures
    })
}

/// Lets all connect, and looks at the memory.
fn gathered(running: &Running, clients: &mut Clients) -> Result<Figures> {
    let count = clients.count();
    let before = settled(running, clients)?;
    let first = count / FIRST;
    clients.connect(0..first)?;
    let some = settled(running, clients)?;
    let begun = Instant::now();
    clients.connect(first..count)?;
    let seconds = begun.elapsed().as_secs_f64();
    let all = settled(running, clients)?;
    let mut figures = Figures {
        rss_kib_before: Some(before),
        rss_kib_after: Some(all),
        kib_per_connection: Some((all as f64 - some as f64) / (count - first) as f64),
        seconds: Some(seconds),
        ..Figures::default()
    };
    figures.note(&format!("{count} connections"));
    Ok(figures)
}

/// All are cut at once and come back; then each pair says one thing, to see that they hear.
pub(super) fn storm(setting: &Setting<'_>) -> Result<Figures> {
    let count = setting.size.storm;
    let (running, mut clients) = setting.start(Cast { pairs: count / 2, room: 0 })?;
    clients.connect(0..count)?;
    let before = settled(&running, &mut clients)?;
    clients.cut_all();
    let (meter, begun) = (Meter::start(&running), Instant::now());
    clients.connect(0..count)?;
    let seconds = begun.elapsed().as_secs_f64();
    let seen = meter.stop(&running);
    let after = settled(&running, &mut clients)?;

    let senders = (0..count).step_by(2).collect();
    // Each has time for one message.
    let plan = talk::plan(setting, senders, false, Pace::Closed(1));
    let plan = Plan { time: Duration::ZERO, patience: STORM_PATIENCE, ..plan };
    let mut outcome = traffic::run(&mut clients, plan)?;
    let mut figures = Figures::default();
    figures.take(&mut outcome, 0.0);
    figures.per_second = Some(count as f64 / seconds);
    figures.seconds = Some(seconds);
    figures.cpu_ms_per_1000 = Some(seen.cpu_seconds * 1e6 / count as f64);
    (figures.p50_ms, figures.p99_ms, figures.max_ms) = (None, None, None);
    figures.rss_kib_before = Some(before);
    figures.rss_kib_after = Some(after);
    seen.remark(&mut figures);
    figures.note(&format!("{count} connections"));
    Ok(figures)
}

/// Resident memory once it has stopped changing. Pings are answered meanwhile.
fn settled(running: &Running, clients: &mut Clients) -> Result<u64> {
    let mut last = running.resident_kib()?;
    for _ in 0..20 {
        let begun = Instant::now();
        while begun.elapsed() < LOOK {
            clients.turn(LOOK.saturating_sub(begun.elapsed()), &mut Nobody)?;
        }
        let now = running.resident_kib()?;
        if now.abs_diff(last) < STEADY_KIB {
            return Ok(now);
        }
        last = now;
    }
    Ok(last)
}
