//! One line of figures: one scenario on one target, once.

use std::collections::BTreeMap;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::traffic::Outcome;

/// What is not there does not apply.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct Figures {
    /// Name of the target.
    pub target: String,
    /// Name of the scenario.
    pub scenario: String,
    /// The how-manieth time, from 1.
    pub run: u64,
    /// Of a curve: how much there was of what grows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<f64>,
    /// Arrivals at those whom messages concern.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deliveries: Option<u64>,
    /// Messages sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messages: Option<u64>,
    /// Deliveries a second; of a ramp, the highest rate of messages that was kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_second: Option<f64>,
    /// From send to arrival: half are faster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p50_ms: Option<f64>,
    /// One in a hundred is slower.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p99_ms: Option<f64>,
    /// The slowest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_ms: Option<f64>,
    /// Processor time of the target for a thousand deliveries (or clients that come back), milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_ms_per_1000: Option<f64>,
    /// Memory of the target before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rss_kib_before: Option<u64>,
    /// And after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rss_kib_after: Option<u64>,
    /// Memory of the target for each idle connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kib_per_connection: Option<f64>,
    /// How long it took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// Messages that did not arrive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost: Option<u64>,
    /// Messages that arrived again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doubled: Option<u64>,
    /// Messages that arrived after a later one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub misordered: Option<u64>,
    /// Messages that arrived at others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub misdelivered: Option<u64>,
    /// Figures that only one scenario has, by their names.
    #[serde(flatten)]
    pub more: BTreeMap<String, f64>,
    /// What else must be known, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// How much of an error is told, in characters.
const TOLD: usize = 300;

impl Figures {
    /// None, because of an error, which is noted.
    #[must_use]
    pub fn missing(error: &anyhow::Error) -> Self {
        let told = format!("{error:#}");
        let words = told.split_whitespace().collect::<Vec<_>>().join(" ");
        let remark = words.chars().take(TOLD).collect::<String>();
        Self { note: Some(format!("not measured: {remark}")), ..Self::default() }
    }

    /// Adds a remark.
    pub fn note(&mut self, remark: &str) {
        let note = self.note.get_or_insert_default();
        if !note.is_empty() {
            note.push_str("; ");
        }
        note.push_str(remark);
    }

    /// Takes over what came of traffic, for which the target used so many seconds of its processor.
    pub fn take(&mut self, outcome: &mut Outcome, cpu_seconds: f64) {
        self.deliveries = Some(outcome.deliveries);
        self.messages = Some(outcome.messages);
        self.seconds = Some(outcome.seconds);
        if outcome.deliveries > 0 {
            self.per_second = Some(outcome.deliveries as f64 / outcome.seconds);
            self.cpu_ms_per_1000 = Some(cpu_seconds * 1e6 / outcome.deliveries as f64);
            let latencies = outcome.latencies.per_mille(&[500, 990, 1_000]);
            let at = |index: usize| latencies.get(index).copied();
            (self.p50_ms, self.p99_ms, self.max_ms) = (at(0), at(1), at(2));
        }
        self.lost = Some(outcome.faults.lost);
        self.doubled = Some(outcome.faults.doubled);
        self.misordered = Some(outcome.faults.misordered);
        self.misdelivered = Some(outcome.faults.misdelivered);
        if outcome.refused > 0 {
            let said = outcome.refusal.as_deref().unwrap_or_default();
            self.note(&format!("{} refused: {said}", outcome.refused));
        }
    }

    /// As a line of JSON.
    ///
    /// # Errors
    /// When a figure is no number.
    pub fn line(&self) -> Result<String> {
        Ok(serde_json::to_string(self)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_says_why_on_one_line() {
        let error = anyhow::anyhow!("it said:\n  {}", "no ".repeat(1_000)).context("at 10");
        let line = Figures::missing(&error).line().unwrap();
        assert!(line.contains("not measured: at 10: it said: no no"), "{line}");
        assert!(line.len() < 400 && !line.contains("\\n"), "{line}");
    }
}
