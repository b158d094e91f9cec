//! The figures in the order in which the report tells of them.

use super::{
    figure::Figure,
    lines,
    scenarios::{self, Kind, Measure, Side, side},
};

/// Everything that was measured.
pub(super) struct Story {
    /// Scenario by scenario.
    pub(super) tales: Vec<Tale>,
}

/// A figure that is worse by this much than the best at smaller points has a knee there.
const MUCH: f64 = 1.5;

/// How a figure of a target changes along a curve.
pub(super) struct Course {
    /// What people call the target.
    pub(super) target: String,
    /// Its first point and its last: how much of what grows, and the value.
    pub(super) ends: [(f64, f64); 2],
    /// The first point that is much worse than the best before it, and how many times.
    pub(super) knee: Option<(f64, f64)>,
}

/// One scenario.
pub(super) struct Tale {
    /// Its name in the figures.
    pub(super) name: String,
    /// What it is called.
    pub(super) heading: String,
    /// How it is presented.
    pub(super) kind: Kind,
    /// One for each target, or for each point of a curve: floors first, then ours, then the others.
    pub(super) figures: Vec<Figure>,
}

impl Story {
    /// Puts medians in order.
    #[must_use]
    pub(super) fn new(figures: Vec<Figure>) -> Self {
        let mut tales: Vec<(usize, Tale)> = Vec::new();
        for figure in figures {
            if let Some((_, tale)) = tales.iter_mut().find(|(_, tale)| tale.name == figure.scenario)
            {
                tale.figures.push(figure);
                continue;
            }
            let (place, kind) = scenarios::named(&figure.scenario);
            let name = figure.scenario.clone();
            let titles = [kind.title, scenarios::growth(&name).title, &name];
            let heading = titles.into_iter().find(|title| !title.is_empty()).unwrap_or_default();
            let heading = heading.to_owned();
            tales.push((place, Tale { name, heading, kind, figures: vec![figure] }));
        }
        tales.sort_by_key(|(place, _)| *place);
        let mut tales: Vec<Tale> = tales.into_iter().map(|(_, tale)| tale).collect();
        for tale in &mut tales {
            tale.figures.sort_by_key(|figure| side(&figure.target));
        }
        Self { tales }
    }

    /// The targets of a side, in the order of the figures.
    #[must_use]
    pub(super) fn targets(&self, wanted: Side) -> Vec<&str> {
        let mut targets = self.all_targets();
        targets.retain(|target| side(target) == wanted);
        targets
    }

    /// Those of all sides.
    #[must_use]
    pub(super) fn all_targets(&self) -> Vec<&str> {
        let mut targets: Vec<&str> = Vec::new();
        for figure in self.tales.iter().filter(|tale| !tale.grows()).flat_map(|tale| &tale.figures)
        {
            if !targets.contains(&figure.target.as_str()) {
                targets.push(&figure.target);
            }
        }
        targets
    }

    /// The variant of ours that others are compared with.
    #[must_use]
    pub(super) fn reference(&self) -> Option<&str> {
        let ours = self.targets(Side::Ours);
        ours.iter().find(|target| **target == "parlour-native").or_else(|| ours.first()).copied()
    }
}

impl Tale {
    /// Whether it is a growth curve.
    #[must_use]
    pub(super) fn grows(&self) -> bool {
        self.figures.iter().any(|figure| figure.at.is_some())
    }

    /// A figure of a target, where it is no curve.
    #[must_use]
    pub(super) fn value(&self, target: &str, measure: &Measure) -> Option<f64> {
        let found = self.figures.iter().find(|f| f.target == target && f.at.is_none());
        measure.of(found?)
    }

    /// How a measure changes along a curve, for each target that has more than one point.
    #[must_use]
    pub(super) fn courses(&self, measure: &Measure) -> Vec<Course> {
        let all = lines::series(measure, self.figures.iter()).into_iter();
        let course = |(target, points): (String, Vec<(f64, f64)>)| {
            let (first, last) = (*points.first()?, *points.last()?);
            let mut best = first.1;
            let mut knee = None;
            for (at, value) in points.iter().skip(1) {
                let worse = measure.times_worse(*value, best);
                knee = knee.or_else(|| (worse > MUCH).then_some((*at, worse)));
                best = if worse < 1.0 { *value } else { best };
            }
            (points.len() > 1).then_some(Course { target, ends: [first, last], knee })
        };
        all.filter_map(course).collect()
    }

    /// What is compared, in words.
    #[must_use]
    pub(super) fn what(&self, measure: &Measure) -> String {
        format!("{}: {}", self.heading, measure.title)
    }
}
