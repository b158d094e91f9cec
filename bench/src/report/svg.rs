//! A drawing in SVG, in the colours of the light or the dark scheme of whoever looks.

/// The look of all charts. Categories are told apart by lightness too, for those who do not see colours.
const STYLE: &str = "\
svg{--paper:#fff;--ink:#1c2128;--quiet:#5d6673;--rule:#e4e8ed;--ours:#2357d8;--floor:#98a2b0;--peer:#c6ced9;\
--c0:#2357d8;--c1:#c2410c;--c2:#0f766e;--c3:#7e22ce;--c4:#a16207;--c5:#475569}\
@media(prefers-color-scheme:dark){svg{--paper:#14181e;--ink:#e7ebf1;--quiet:#9ba6b4;--rule:#2a313b;--ours:#7da4ff;\
--floor:#8b98a9;--peer:#566375;--c0:#7da4ff;--c1:#fb923c;--c2:#2dd4bf;--c3:#c084fc;--c4:#facc15;--c5:#94a3b8}}\
.paper{fill:var(--paper)}text{fill:var(--ink);font:12px system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif}\
text.over{paint-order:stroke;stroke:var(--paper);stroke-width:4px;stroke-linejoin:round}\
.title{font-size:15px;font-weight:600}.quiet{fill:var(--quiet)}.strong{font-weight:600}\
.end{text-anchor:end}.middle{text-anchor:middle}.rule{stroke:var(--rule)}.axis{stroke:var(--quiet)}\
.ours{fill:var(--ours)}.floor{fill:var(--floor)}.peer{fill:var(--peer)}\
.series{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}";

/// Width of all charts.
pub(crate) const WIDTH: f64 = 760.0;

/// A drawing that grows shape by shape.
pub(crate) struct Svg {
    height: f64,
    title: String,
    body: String,
}

impl Svg {
    /// An empty one, with its title for those who do not see it.
    pub(crate) fn new(height: f64, title: &str) -> Self {
        Self { height, title: escape(title), body: String::new() }
    }

    /// A text. `class` says how it looks and where it stands.
    pub(crate) fn text(&mut self, x: f64, y: f64, class: &str, text: &str) {
        self.add(&format!(
            r#"<text x="{x:.1}" y="{y:.1}" class="{class}">{}</text>"#,
            escape(text)
        ));
    }

    /// A text that is followed by a second one of another class.
    pub(crate) fn texts(&mut self, x: f64, y: f64, first: (&str, &str), second: (&str, &str)) {
        let ((class, text), (next_class, next)) = (first, second);
        self.add(&format!(
            r#"<text x="{x:.1}" y="{y:.1}" class="{class}">{}<tspan class="{next_class}" dx="7" font-weight="400">{}</tspan></text>"#,
            escape(text),
            escape(next)
        ));
    }

    /// A bar with round corners.
    pub(crate) fn bar(&mut self, x: f64, y: f64, width: f64, height: f64, class: &str) {
        self.add(&format!(
            r#"<rect x="{x:.1}" y="{y:.1}" width="{:.1}" height="{height:.1}" rx="2" class="{class}"/>"#,
            width.max(1.5)
        ));
    }

    /// A dot.
    pub(crate) fn dot(&mut self, x: f64, y: f64, radius: f64, class: &str) {
        self.add(&format!(r#"<circle cx="{x:.1}" cy="{y:.1}" r="{radius}" class="{class}"/>"#));
    }

    /// A dot in the colour of a series.
    pub(crate) fn point(&mut self, x: f64, y: f64, series: usize) {
        self.add(&format!(
            r#"<circle cx="{x:.1}" cy="{y:.1}" r="3" fill="var(--c{})"/>"#,
            series % COLOURS
        ));
    }

    /// A text in the colour of a series.
    pub(crate) fn name(&mut self, x: f64, y: f64, series: usize, text: &str) {
        self.add(&format!(
            r#"<text x="{x:.1}" y="{y:.1}" class="over" style="fill:var(--c{})">{}</text>"#,
            series % COLOURS,
            escape(text)
        ));
    }

    /// A straight line.
    pub(crate) fn line(&mut self, from: (f64, f64), to: (f64, f64), class: &str) {
        let ((x1, y1), (x2, y2)) = (from, to);
        self.add(&format!(
            r#"<line x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}" class="{class}"/>"#
        ));
    }

    /// A line through points, in the colour of a series.
    pub(crate) fn series(&mut self, points: &[(f64, f64)], series: usize) {
        let points: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        self.add(&format!(
            r#"<polyline points="{}" class="series" stroke="var(--c{})"/>"#,
            points.join(" "),
            series % COLOURS
        ));
    }

    /// The whole file.
    pub(crate) fn finish(self) -> String {
        let Self { height, title, body } = self;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" role=\"img\" aria-label=\"{title}\">\n\
             <title>{title}</title>\n<style>{STYLE}</style>\n\
             <rect width=\"{WIDTH}\" height=\"{height}\" rx=\"8\" class=\"paper\"/>\n{body}</svg>\n"
        )
    }

    fn add(&mut self, shape: &str) {
        self.body.push_str(shape);
        self.body.push('\n');
    }
}

/// Colours that series take in turn.
const COLOURS: usize = 6;

/// How wide a text is, about: fonts differ from machine to machine.
pub(crate) fn width_of(text: &str) -> f64 {
    text.chars()
        .map(|letter| match letter {
            'i' | 'j' | 'l' | 't' | 'f' | 'I' | ',' | '.' | ':' | ' ' | '1' => 4.2,
            'm' | 'w' | 'M' | 'W' => 10.2,
            'A'..='Z' => 8.0,
            _ => 6.9,
        })
        .sum()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
