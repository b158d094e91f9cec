//! Figures as a table for people and as JSON for machines.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{crowd, pairs};

/// The table of the pairs.
#[must_use]
pub fn table(all: &[pairs::Figures]) -> String {
    let mut text = String::from(
        "| run | messages/s | send→ack p50 / p99 ms | send→receive p50 / p99 ms | CPU ms per 1,000 | server core | refused |\n\
         | --- | ---: | ---: | ---: | ---: | ---: | ---: |\n",
    );
    let pair = |values: &[f64]| {
        let at = |index: usize| values.get(index).copied().unwrap_or(0.0);
        format!("{:.2} / {:.2}", at(0), at(1))
    };
    for run in all {
        let _ = writeln!(
            text,
            "| {} | {:.0} | {} | {} | {:.1} | {:.0} % | {} |",
            run.name,
            run.per_second,
            pair(&run.ack),
            pair(&run.receive),
            run.server_cpu_per_1000,
            run.server_core * 100.0,
            run.refused,
        );
    }
    text
}

/// The lines of the crowd.
#[must_use]
pub fn crowd(figures: &crowd::Figures) -> String {
    format!(
        "{} {} connections: {:.1} KiB each idle, {:.1} KiB after traffic, {:.1} KiB after all came back \
         (server {} KiB before, {} KiB idle)\n\
         connected and resumed in {:.2} s; all cut, and back with what they had missed in {:.2} s ({:.3} ms CPU each)\n",
        figures.connections,
        figures.dialect,
        figures.each_kib,
        figures.each_after_traffic_kib,
        figures.each_after_reconnect_kib,
        figures.before_kib,
        figures.idle_kib,
        figures.connect_seconds,
        figures.reconnect_seconds,
        figures.reconnect_cpu_ms,
    )
}

/// What an idle connection of each dialect costs beside one of the first. Two runs of the same dialect differ by some
/// per cent, by more below ten thousand connections.
#[must_use]
pub fn beside(crowds: &[crowd::Figures]) -> String {
    let mut text = String::new();
    let Some((first, others)) = crowds.split_first() else { return text };
    for other in others {
        let share = other.each_kib / first.each_kib.max(f64::MIN_POSITIVE) * 100.0;
        let (dialect, beside) = (other.dialect, first.dialect);
        let _ = writeln!(
            text,
            "an idle {dialect} connection costs {share:.0} % of a {beside} one (aim: at most 110 %)"
        );
    }
    text
}

/// Everything as JSON.
#[must_use]
pub fn json(pairs: &[pairs::Figures], crowds: &[crowd::Figures]) -> Value {
    json!({"pairs": pairs, "crowd": crowds.first(), "crowds": crowds})
}
