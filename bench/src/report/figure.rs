//! Figures as they were measured, and the medians of the runs of one measurement.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde_json::{Map, Value};

/// What went wrong with messages: of these, all runs are summed up.
pub const FAULTS: &[&str] = &["lost", "doubled", "misordered", "misdelivered"];

/// What one scenario showed on one target.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figure {
    /// Who was measured.
    pub target: String,
    /// Doing what.
    pub scenario: String,
    /// Of a growth curve: how much of what grows.
    pub at: Option<f64>,
    /// Every number, by its name in [`crate::figures::Figures`]. What is not there does not apply.
    pub values: BTreeMap<String, f64>,
    /// What else is to be known.
    pub note: Option<String>,
}

impl Figure {
    /// A number.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<f64> {
        self.values.get(name).copied()
    }

    /// What went wrong with messages, in words; `None` when nothing did.
    #[must_use]
    pub fn faults(&self) -> Option<String> {
        let faults = FAULTS.iter().filter_map(|name| {
            let count = self.value(name).filter(|count| *count > 0.0)?;
            Some(format!("{} {name}", super::number::thousands(count)))
        });
        Some(faults.collect::<Vec<_>>().join(", ")).filter(|faults| !faults.is_empty())
    }

    fn read(line: &str) -> Result<Self> {
        let mut fields: Map<String, Value> = serde_json::from_str(line)?;
        let mut text = |name: &str| match fields.remove(name) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        };
        let target = text("target").context("no target")?;
        let scenario = text("scenario").context("no scenario")?;
        let note = text("note");
        let at = fields.remove("at").and_then(|at| at.as_f64());
        let number = |(name, value): (String, Value)| Some((name, value.as_f64()?));
        let values = fields.into_iter().filter_map(number).collect();
        Ok(Self { target, scenario, at, values, note })
    }
}

/// The figures of a text with one object a line.
///
/// # Errors
/// When a line is no figure.
pub fn read(text: &str) -> Result<Vec<Figure>> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(number, line)| Figure::read(line).with_context(|| format!("line {}", number + 1)))
        .collect()
}

/// One figure for all runs of a scenario on a target, in the order in which they were first measured.
#[must_use]
pub fn medians(figures: &[Figure]) -> Vec<Figure> {
    let mut groups: Vec<Vec<&Figure>> = Vec::new();
    for figure in figures {
        let same = |one: &Figure| {
            (&one.scenario, &one.target, one.at) == (&figure.scenario, &figure.target, figure.at)
        };
        match groups.iter_mut().find(|group| group.first().is_some_and(|first| same(first))) {
            Some(group) => group.push(figure),
            None => groups.push(vec![figure]),
        }
    }
    groups.iter().filter_map(|group| combine(group)).collect()
}

fn combine(runs: &[&Figure]) -> Option<Figure> {
    let mut whole = (*runs.first()?).clone();
    let mut values: BTreeMap<&String, Vec<f64>> = BTreeMap::new();
    for (name, value) in runs.iter().flat_map(|run| &run.values) {
        values.entry(name).or_default().push(*value);
    }
    let combined = values.into_iter().filter_map(|(name, values)| {
        let value = match FAULTS.contains(&name.as_str()) {
            true => values.iter().sum(),
            false => median(values)?,
        };
        Some((name.clone(), value))
    });
    whole.values = combined.collect();
    let mut notes: Vec<&str> = runs.iter().filter_map(|run| run.note.as_deref()).collect();
    notes.dedup();
    whole.note = (!notes.is_empty()).then(|| notes.join("; "));
    Some(whole)
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    match values.len() % 2 {
        0 => values.get(middle - 1).map(|lower| f64::midpoint(*lower, upper)),
        _ => Some(upper),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_become_medians_and_faults_are_summed_up() {
        let line = |cpu: f64, lost: u32| {
            format!(r#"{{"target":"a","scenario":"s","cpu_ms_per_1000":{cpu},"lost":{lost}}}"#)
        };
        let text = [line(9.0, 0), line(1.0, 2), line(3.0, 1)].join("\n");
        let figures = read(&text).unwrap();
        let whole = &medians(&figures)[0];
        assert_eq!(whole.value("cpu_ms_per_1000"), Some(3.0));
        assert_eq!(whole.value("p50_ms"), None);
        assert_eq!(whole.faults().unwrap(), "3 lost");
        assert_eq!(medians(&figures[..2])[0].value("cpu_ms_per_1000"), Some(5.0));
        assert_eq!(medians(&figures).len(), 1);
        assert_eq!(medians(&figures[..1])[0].faults(), None);
    }

    #[test]
    fn points_of_a_curve_stay_apart() {
        let figures = [1.0, 2.0].map(|at| Figure { at: Some(at), ..Figure::default() });
        assert_eq!(medians(&figures).len(), 2);
    }

    #[test]
    fn a_line_that_is_no_figure_is_named() {
        let text = "{\"target\":\"a\",\"scenario\":\"s\"}\n\n{}";
        assert!(read(text).unwrap_err().to_string().contains("line 3"));
    }
}
