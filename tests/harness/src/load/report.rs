//! Figures as a table for people.

use std::fmt::Write as _;

use super::pairs;

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
