//! The page of figures: ratios first, then each scenario with all that was measured.

use super::{
    Chart,
    figure::Figure,
    number,
    scenarios::{self, Measure, RELAYING, Side, stores_nothing, title},
    story::{Course, Story, Tale},
};

/// Writes the page.
#[must_use]
pub(super) fn page(story: &Story, charts: &[Chart], about: &str) -> String {
    let mut page = String::from("# Benchmarks\n\n");
    page.push_str(
        "Written by `make bench`; do not edit. Targets were measured one after the other in one run; the figures are medians \
         of the runs. Every message was checked for loss, doubling, order and wrong receivers; `bench/README.md` says how.\n\n",
    );
    page.push_str(about);
    page.push_str(&against_floors(story));
    page.push_str(&against_peers(story));
    page.push_str(&faults(story));
    page.push_str("## Each scenario\n\n");
    for tale in &story.tales {
        page.push_str(&scenario(tale, charts));
    }
    page
}

/// A table of Markdown; the first column is text, the others are figures.
fn table(head: &[String], rows: &[Vec<String>]) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let mut rule = vec!["---".to_owned()];
    rule.resize(head.len(), "--:".to_owned());
    let rows: String = rows.iter().map(|cells| line(cells)).collect();
    format!("{}{}{rows}\n", line(head), line(&rule))
}

/// Our variants as multiples of the floor.
fn against_floors(story: &Story) -> String {
    let mut ours = story.targets(Side::Ours);
    // What it relays must not be compared with a floor that stores.
    ours.retain(|target| *target != RELAYING);
    let mut head = vec!["what".to_owned(), "floor".to_owned()];
    head.extend(ours.iter().map(|target| title(target)));
    let rows = story.tales.iter().flat_map(|tale| {
        let ours = &ours;
        tale.kind.measures.iter().filter_map(move |measure| {
            let floor = tale.value(tale.kind.floor, measure)?;
            let mut row = vec![tale.what(measure), told(floor, measure)];
            let ratio =
                |target: &&str| times(measure.times_worse(tale.value(target, measure)?, floor));
            row.extend(ours.iter().map(|target| ratio(target).unwrap_or_else(nothing)));
            row.iter().skip(2).any(|cell| *cell != nothing()).then_some(row)
        })
    });
    let rows: Vec<_> = rows.collect();
    if rows.is_empty() {
        return String::new();
    }
    format!(
        "## Against the floor\n\nThe floors are the least that a relay on tokio can cost: one that stores nothing, and one \
         that commits to SQLite before it delivers. They sign nobody in and check nothing. 1.00× is at the floor, \
         less is better. What is stored is compared with the second floor, what is only relayed with the first.\n\n{}",
        table(&head, &rows)
    )
}

/// The others as multiples of ours: of what is stored, and of what is only relayed.
fn against_peers(story: &Story) -> String {
    let mut text = String::new();
    if let Some(table) =
        story.reference().and_then(|ours| compared(story, ours, &story.targets(Side::Peer)))
    {
        text.push_str(&format!(
            "## Against other servers\n\nHow many times as much they need, or how many times less they reach: above 1.00× \
             Parlour is ahead. Parlour signs everybody in, checks every message and has it on the disk before anybody sees \
             it; what the others store is said in `bench/peers/README.md`.\n\n{table}"
        ));
    }
    let others: Vec<_> =
        story.all_targets().into_iter().filter(|target| stores_nothing(target)).collect();
    if let Some(table) = compared(story, RELAYING, &others) {
        text.push_str(&format!(
            "### Where nobody stores anything\n\nThe same of a Pusher channel of Parlour that is none of the chat's, as Sockudo \
             has them and no others: it stores nothing either.\n\n{table}"
        ));
    }
    text
}

/// One of ours, and the others as multiples of it; `None` where nothing can be compared.
fn compared(story: &Story, ours: &str, others: &[&str]) -> Option<String> {
    let mut head = vec!["what".to_owned(), title(ours)];
    head.extend(others.iter().map(|target| title(target)));
    let rows = story.tales.iter().flat_map(|tale| {
        tale.kind.measures.iter().filter_map(move |measure| {
            let ours = tale.value(ours, measure)?;
            let mut row = vec![tale.what(measure), told(ours, measure)];
            let ratio =
                |target: &&str| times(measure.times_worse(tale.value(target, measure)?, ours));
            row.extend(others.iter().map(|target| ratio(target).unwrap_or_else(nothing)));
            row.iter().skip(2).any(|cell| *cell != nothing()).then_some(row)
        })
    });
    let rows: Vec<_> = rows.collect();
    (!rows.is_empty()).then(|| table(&head, &rows))
}

/// Who lost what.
fn faults(story: &Story) -> String {
    let all = story.tales.iter().flat_map(|tale| {
        tale.figures.iter().filter_map(|figure| {
            let faults = figure.faults()?;
            Some(format!("- {}, {}: {faults}\n", title(&figure.target), tale.heading))
        })
    });
    let lines: String = all.collect();
    let lines = if lines.is_empty() { "Nothing, by nobody.\n" } else { &lines };
    format!("## What was lost\n\n{lines}\n")
}

/// One scenario: its charts, and a table of everything.
fn scenario(tale: &Tale, charts: &[Chart]) -> String {
    let mut text = format!("### {}\n\n", tale.heading);
    for chart in charts.iter().filter(|chart| chart.scenario == tale.name) {
        text.push_str(&format!("![{}]({})\n\n", chart.title, chart.file));
    }
    text.push_str(&knees(tale));
    let columns: Vec<_> = COLUMNS
        .iter()
        .filter(|column| tale.figures.iter().any(|f| column.of(f).is_some()))
        .collect();
    let mut head = vec!["target".to_owned()];
    if tale.grows() {
        head.push("at".to_owned());
    }
    head.extend(columns.iter().map(|column| column.title.to_owned()));
    let has_notes = tale.figures.iter().any(|figure| figure.note.is_some());
    if has_notes {
        head.push("note".to_owned());
    }
    let rows: Vec<Vec<String>> = tale
        .figures
        .iter()
        .map(|figure| {
            let mut row = vec![title(&figure.target)];
            if tale.grows() {
                row.push(figure.at.map_or_else(nothing, number::short));
            }
            let cell = |value: Option<f64>| value.map_or_else(nothing, number::short);
            row.extend(columns.iter().map(|column| cell(column.of(figure))));
            if has_notes {
                row.push(figure.note.clone().unwrap_or_default().replace('|', "/"));
            }
            row
        })
        .collect();
    text.push_str(&table(&head, &rows));
    text
}

/// Where what need not change while something grows becomes much worse.
fn knees(tale: &Tale) -> String {
    if !tale.grows() {
        return String::new();
    }
    let growth = scenarios::growth(&tale.name);
    let lines: String = growth
        .flat
        .iter()
        .flat_map(|measure| tale.courses(measure).into_iter().map(move |course| (measure, course)))
        .map(|(measure, Course { target, ends: [first, last], knee })| {
            let knee = match knee {
                None => "no knee".to_owned(),
                Some((at, worse)) => format!(
                    "the knee is at {}, {} the best before it",
                    number::short(at),
                    number::times(worse)
                ),
            };
            let [from, to] = [first, last]
                .map(|(at, value)| format!("{} at {}", told(value, measure), number::short(at)));
            format!("- {target}, {}: {knee} ({from}, {to})\n", measure.title)
        })
        .collect();
    if lines.is_empty() {
        return lines;
    }
    let axis = growth.axis;
    format!(
        "A knee is the first number of {axis} at which a figure is more than half worse than the best before.\n\n{lines}\n"
    )
}

/// A column of the table of a scenario.
struct Column {
    title: &'static str,
    name: &'static str,
    /// What its unit has of the one in the figures.
    share: f64,
}

impl Column {
    fn of(&self, figure: &Figure) -> Option<f64> {
        Some(figure.value(self.name)? * self.share)
    }
}

const fn column(title: &'static str, name: &'static str) -> Column {
    Column { title, name, share: 1.0 }
}

const COLUMNS: &[Column] = &[
    column("CPU ms per 1,000", "cpu_ms_per_1000"),
    column("per second", "per_second"),
    column("p50 ms", "p50_ms"),
    column("p99 ms", "p99_ms"),
    column("most ms", "max_ms"),
    column("list p50", "list_p50_ms"),
    column("p99", "list_p99_ms"),
    column("newest page p50", "newest_p50_ms"),
    column("p99", "newest_p99_ms"),
    column("middle page p50", "middle_p50_ms"),
    column("p99", "middle_p99_ms"),
    column("unread p50", "unread_p50_ms"),
    column("p99", "unread_p99_ms"),
    column("KiB per connection", "kib_per_connection"),
    Column { title: "MiB before", name: "rss_kib_before", share: 1.0 / 1024.0 },
    Column { title: "MiB after", name: "rss_kib_after", share: 1.0 / 1024.0 },
    column("seconds", "seconds"),
    column("deliveries", "deliveries"),
];

fn times(ratio: f64) -> Option<String> {
    match ratio {
        _ if ratio.is_nan() => None,
        _ if ratio.is_infinite() => Some("∞".to_owned()),
        _ => Some(number::times(ratio)),
    }
}

fn told(value: f64, measure: &Measure) -> String {
    format!("{}{}", number::short(value), measure.unit)
}

fn nothing() -> String {
    "–".to_owned()
}
