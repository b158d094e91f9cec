//! Lines: how one figure changes while something grows, a line a target.

use super::{
    figure::Figure,
    number,
    scenarios::{Measure, title},
    svg::{Svg, WIDTH, width_of},
};

const TOP: f64 = 70.0;
const HEIGHT: f64 = 240.0;
const BOTTOM: f64 = 52.0;
const EDGE: f64 = 20.0;
const LEFT: f64 = 72.0;
/// Least distance of two names at the ends of lines.
const APART: f64 = 16.0;

/// One of the two axes.
struct Axis {
    ticks: Vec<f64>,
    logarithmic: bool,
    /// Where its lowest and its highest tick are.
    from: f64,
    to: f64,
}

impl Axis {
    fn new(
        values: impl Iterator<Item = f64>,
        from: f64,
        to: f64,
        may_be_logarithmic: bool,
    ) -> Self {
        let values: Vec<f64> = values.collect();
        let most = values.iter().copied().fold(0.0, f64::max);
        let least = values.iter().copied().fold(most, f64::min);
        let logarithmic = may_be_logarithmic && least > 0.0 && most / least > 50.0;
        let ticks = if logarithmic { number::powers(least, most) } else { number::steps(most) };
        Self { ticks, logarithmic, from, to }
    }

    fn place(&self, value: f64) -> f64 {
        let scale = |value: f64| if self.logarithmic { value.log10() } else { value };
        let first = scale(self.ticks.first().copied().unwrap_or(0.0));
        let last = scale(self.ticks.last().copied().unwrap_or(1.0));
        self.from + (self.to - self.from) * ((scale(value) - first) / (last - first))
    }
}

/// Draws it. `None` where there is no line of at least two points.
#[must_use]
pub(super) fn draw(
    heading: &str,
    grows: &str,
    measure: &Measure,
    figures: &[&Figure],
) -> Option<String> {
    let series = series(measure, figures.iter().copied());
    if !series.iter().any(|(_, points)| points.len() > 1) {
        return None;
    }
    let points = || series.iter().flat_map(|(_, points)| points.iter().copied());
    let names = series.iter().map(|(name, _)| width_of(name)).fold(40.0, f64::max);
    let right = WIDTH - EDGE - names - 12.0;
    let below = TOP + HEIGHT;
    let across = Axis::new(points().map(|(at, _)| at), LEFT, right, true);
    let up = Axis::new(points().map(|(_, value)| value), below, TOP, false);

    let mut svg = Svg::new(below + BOTTOM, &format!("{heading}: {}", measure.title));
    svg.text(EDGE, 28.0, "title", heading);
    let better = if measure.more_is_better { "more is better" } else { "less is better" };
    svg.text(EDGE, 48.0, "quiet", &format!("{}, {}: {better}", measure.title, measure.unit.trim()));
    for tick in &up.ticks {
        let y = up.place(*tick);
        svg.line((LEFT, y), (right, y), "rule");
        svg.text(LEFT - 10.0, y + 4.0, "quiet end", &number::short(*tick));
    }
    for tick in &across.ticks {
        let x = across.place(*tick);
        svg.line((x, below), (x, below + 4.0), "axis");
        svg.text(x, below + 18.0, "quiet middle", &number::short(*tick));
    }
    let scale = if across.logarithmic { " (logarithmic scale)" } else { "" };
    svg.text(f64::midpoint(LEFT, right), below + 40.0, "quiet middle", &format!("{grows}{scale}"));
    let mut ends = Vec::new();
    for (number, (name, points)) in series.iter().enumerate() {
        let placed: Vec<_> =
            points.iter().map(|(at, value)| (across.place(*at), up.place(*value))).collect();
        svg.series(&placed, number);
        for (x, y) in &placed {
            svg.point(*x, *y, number);
        }
        if let Some((x, y)) = placed.last() {
            ends.push(End { x: *x, y: *y, name, number });
        }
    }
    name_ends(&mut svg, ends, below);
    Some(svg.finish())
}

/// The points of each target, in the order of what grows.
pub(super) fn series<'a>(
    measure: &Measure,
    figures: impl Iterator<Item = &'a Figure>,
) -> Vec<(String, Vec<(f64, f64)>)> {
    let mut series: Vec<(String, Vec<(f64, f64)>)> = Vec::new();
    for figure in figures {
        let (Some(at), Some(value)) = (figure.at, measure.of(figure)) else { continue };
        let name = title(&figure.target);
        match series.iter_mut().find(|(known, _)| *known == name) {
            Some((_, points)) => points.push((at, value)),
            None => series.push((name, vec![(at, value)])),
        }
    }
    for (_, points) in &mut series {
        points.sort_by(|one, other| one.0.total_cmp(&other.0));
    }
    series
}

/// Where a line ends.
struct End<'a> {
    x: f64,
    y: f64,
    name: &'a str,
    number: usize,
}

/// Writes the names behind the lines' ends, so far apart that each can be read, and none below the axis.
fn name_ends(svg: &mut Svg, mut ends: Vec<End<'_>>, below: f64) {
    ends.sort_by(|one, other| one.y.total_cmp(&other.y));
    let mut free = f64::MIN;
    for end in &mut ends {
        end.y = end.y.max(free);
        free = end.y + APART;
    }
    let mut free = below;
    for end in ends.iter_mut().rev() {
        end.y = end.y.min(free);
        free = end.y - APART;
    }
    for end in ends {
        svg.name(end.x + 10.0, end.y + 4.0, end.number, end.name);
    }
}
