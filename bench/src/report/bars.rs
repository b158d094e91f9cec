//! Bars: one figure of one scenario, target by target, the best on top.

use super::{
    figure::Figure,
    number,
    scenarios::{Measure, Side, side, title},
    svg::{Svg, WIDTH, width_of},
};

const TOP: f64 = 66.0;
const ROW: f64 = 26.0;
const BOTTOM: f64 = 34.0;
const BAR: f64 = 14.0;
const EDGE: f64 = 20.0;
/// Room for the figures behind the bars.
const FIGURES: f64 = 128.0;
/// From this ratio of the largest to the smallest on, bars would hide the small ones.
const FAR_APART: f64 = 40.0;

/// Where a value is on the axis.
struct Axis {
    ticks: Vec<f64>,
    logarithmic: bool,
    left: f64,
    width: f64,
}

impl Axis {
    fn new(values: &[f64], left: f64) -> Self {
        let most = values.iter().copied().fold(0.0, f64::max);
        let least = values.iter().copied().filter(|value| *value > 0.0).fold(most, f64::min);
        let logarithmic = least > 0.0 && most / least > FAR_APART;
        let ticks =
            if logarithmic { number::powers(least * 0.95, most) } else { number::steps(most) };
        Self { ticks, logarithmic, left, width: WIDTH - left - FIGURES }
    }

    fn place(&self, value: f64) -> f64 {
        let scale = |value: f64| if self.logarithmic { value.log10() } else { value };
        let ends = (self.ticks.first().copied(), self.ticks.last().copied());
        let (first, last) = (scale(ends.0.unwrap_or(0.0)), scale(ends.1.unwrap_or(1.0)));
        let share = (scale(value) - first) / (last - first);
        self.left + self.width * if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 }
    }
}

/// Draws it. `None` where there is nothing to compare.
#[must_use]
pub(super) fn draw(
    heading: &str,
    measure: &Measure,
    figures: &[&Figure],
    reference: Option<f64>,
) -> Option<String> {
    let mut rows: Vec<(&Figure, f64)> =
        figures.iter().filter_map(|figure| Some((*figure, measure.of(figure)?))).collect();
    if rows.len() < 2 {
        return None;
    }
    rows.sort_by(|one, other| {
        let order = one.1.total_cmp(&other.1);
        if measure.more_is_better { order.reverse() } else { order }
    });
    let values: Vec<f64> = rows.iter().map(|(_, value)| *value).collect();
    let names = rows.iter().map(|(figure, _)| width_of(&title(&figure.target)));
    let axis = Axis::new(&values, EDGE + names.fold(60.0, f64::max) + 12.0);
    let below = TOP + ROW * rows.len() as f64;

    let mut svg = Svg::new(below + BOTTOM, &format!("{heading}: {}", measure.title));
    svg.text(EDGE, 28.0, "title", heading);
    svg.text(EDGE, 48.0, "quiet", &subtitle(measure, axis.logarithmic));
    for tick in &axis.ticks {
        let x = axis.place(*tick);
        svg.line((x, TOP - 4.0), (x, below + 2.0), "rule");
        svg.text(x, below + 18.0, "quiet middle", &number::short(*tick));
    }
    for (place, (figure, value)) in rows.iter().enumerate() {
        let middle = TOP + ROW * (place as f64 + 0.5);
        row(&mut svg, &axis, measure, figure, *value, reference, middle);
    }
    Some(svg.finish())
}

fn row(
    svg: &mut Svg,
    axis: &Axis,
    measure: &Measure,
    figure: &Figure,
    value: f64,
    reference: Option<f64>,
    middle: f64,
) {
    let (class, weight) = match side(&figure.target) {
        Side::Ours => ("ours", " strong"),
        Side::Floor => ("floor", ""),
        Side::Peer => ("peer", ""),
    };
    svg.text(axis.left - 12.0, middle + 4.0, &format!("end{weight}"), &title(&figure.target));
    let end = axis.place(value);
    if axis.logarithmic {
        // A bar would tell something by its length, which means nothing here.
        svg.line((axis.left, middle), (end, middle), "rule");
        svg.dot(end, middle, 5.5, class);
    } else {
        svg.bar(axis.left, middle - BAR / 2.0, end - axis.left, BAR, class);
    }
    let wrong = figure.faults().map_or("", |_| " (lost some)");
    let told = format!("{}{}", number::short(value), measure.unit);
    let ratio = reference.filter(|reference| *reference > 0.0).map(|reference| value / reference);
    let ratio = ratio.map(number::times).unwrap_or_default();
    svg.texts(
        end + 9.0,
        middle + 4.0,
        (&format!("over{weight}"), &ratio),
        ("quiet", &format!("{told}{wrong}")),
    );
}

fn subtitle(measure: &Measure, logarithmic: bool) -> String {
    let better = if measure.more_is_better { "more is better" } else { "less is better" };
    let scale = if logarithmic { "; logarithmic scale" } else { "" };
    let unit = measure.unit.trim();
    format!("{}, {unit}: {better}{scale}", measure.title)
}
