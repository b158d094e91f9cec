//! What the scenarios are called in the report, and which of their figures tell the story.

use super::figure::Figure;

/// A figure that is compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Measure {
    /// Its name in the figures.
    pub(super) name: &'static str,
    /// What it is called.
    pub(super) title: &'static str,
    /// Its unit, with a blank in front where one belongs.
    pub(super) unit: &'static str,
    /// What its unit has of the one in the figures.
    share: f64,
    /// Whether more of it is better.
    pub(super) more_is_better: bool,
}

impl Measure {
    /// Its value in a figure.
    pub(super) fn of(&self, figure: &Figure) -> Option<f64> {
        Some(figure.value(self.name)? * self.share)
    }

    /// How many times worse a value is than another.
    pub(super) fn times_worse(&self, value: f64, than: f64) -> f64 {
        if self.more_is_better { than / value } else { value / than }
    }
}

const fn less(name: &'static str, title: &'static str, unit: &'static str) -> Measure {
    Measure { name, title, unit, share: 1.0, more_is_better: false }
}

const CPU: Measure = less("cpu_ms_per_1000", "CPU per 1,000 deliveries", " ms");
const P50: Measure = less("p50_ms", "send to receive, p50", " ms");
const P99: Measure = less("p99_ms", "send to receive, p99", " ms");
const MEMORY: Measure = less("kib_per_connection", "memory per connection", " KiB");
const EMPTY: Measure = Measure {
    name: "rss_kib_before",
    title: "memory before the first connection",
    unit: " MiB",
    share: 1.0 / 1024.0,
    more_is_better: false,
};
const TIME: Measure = less("seconds", "time until all are back", " s");
const LIST: Measure = less("list_p50_ms", "the list of a user's 1,000 conversations, p50", " ms");
const NEWEST: Measure =
    less("newest_p50_ms", "the newest page of the biggest conversation, p50", " ms");
const MIDDLE: Measure = less("middle_p50_ms", "a page from its middle, p50", " ms");
const UNREAD: Measure = less("unread_p50_ms", "how many messages are unread, p50", " ms");
const RATE: Measure = Measure {
    name: "per_second",
    title: "deliveries per second",
    unit: "/s",
    share: 1.0,
    more_is_better: true,
};
const HIGHEST: Measure = Measure {
    name: "per_second",
    title: "highest rate with p99 below 100 ms",
    unit: "/s",
    share: 1.0,
    more_is_better: true,
};

/// A scenario, as the report presents it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    /// Its name in the figures.
    pub(super) name: &'static str,
    /// What happens in it.
    pub(super) title: &'static str,
    /// The floor that it is compared with.
    pub(super) floor: &'static str,
    /// What it is about, the most important first.
    pub(super) measures: &'static [Measure],
}

const fn kind(
    name: &'static str,
    title: &'static str,
    floor: &'static str,
    measures: &'static [Measure],
) -> Kind {
    Kind { name, title, floor, measures }
}

const RELAY: &str = "floor-relay";
const STORE: &str = "floor-store";

/// All that are known, in the order of the report. Others come behind them.
const KINDS: &[Kind] = &[
    kind("pairs-16", "100 pairs, each with 16 messages under way", STORE, &[CPU, RATE]),
    kind("pairs-1", "100 pairs, each with one message under way", STORE, &[CPU, RATE]),
    kind("pairs-50s", "100 pairs, 50 messages a second in all", STORE, &[P50, P99]),
    kind("pairs-1000s", "100 pairs, 1,000 messages a second in all", STORE, &[CPU, P50, P99]),
    kind("ramp", "100 pairs, faster and faster", STORE, &[HIGHEST]),
    kind("typing", "Typing, which nobody stores", RELAY, &[CPU]),
    kind("room-200", "A room of 200, one speaks", RELAY, &[CPU, P99]),
    kind("room-1000", "A room of 1,000, one speaks", RELAY, &[CPU, P99]),
    kind("everyone-40", "A room of 40, everyone speaks", RELAY, &[CPU, RATE]),
    kind("idle", "Connections that do nothing", RELAY, &[MEMORY, EMPTY]),
    kind("storm", "All come back at once", RELAY, &[TIME]),
    kind("slow-readers", "Some read slowly", RELAY, &[P99, CPU]),
];

/// How a scenario is presented, and its place in the report.
#[must_use]
pub(super) fn named(name: &str) -> (usize, Kind) {
    let known = KINDS.iter().enumerate().find(|(_, kind)| kind.name == name);
    known.map_or((KINDS.len(), kind("", "", RELAY, &[CPU, RATE, P99])), |(place, kind)| {
        (place, *kind)
    })
}

/// A growth curve, as the report presents it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Growth {
    name: &'static str,
    /// What happens in it; empty where it is not known.
    pub(super) title: &'static str,
    /// What grows.
    pub(super) axis: &'static str,
    /// What is looked at.
    pub(super) measures: &'static [Measure],
    /// What need not change with it, of these: where it does, there is a knee.
    pub(super) flat: &'static [Measure],
}

const GROWTHS: &[Growth] = &[
    Growth {
        name: "growth-connections",
        title: "More and more connections",
        axis: "connections",
        measures: &[MEMORY, CPU, P99],
        flat: &[MEMORY, CPU, P99],
    },
    Growth {
        name: "growth-rooms",
        title: "Larger and larger rooms",
        axis: "people in the room",
        measures: &[CPU, P99],
        // The last of twice as many is told twice as late.
        flat: &[CPU],
    },
    Growth {
        name: "growth-messages",
        title: "More and more messages stored",
        axis: "messages stored",
        measures: &[CPU, P50, P99, LIST, NEWEST, MIDDLE, UNREAD],
        flat: &[CPU, P50, P99, LIST, NEWEST, MIDDLE, UNREAD],
    },
    Growth {
        name: "growth-processes",
        title: "More processes on one database, all on one core",
        axis: "processes",
        measures: &[RATE, CPU, P99],
        flat: &[RATE, CPU, P99],
    },
];

/// How a growth curve is presented.
#[must_use]
pub(super) fn growth(name: &str) -> Growth {
    let unknown =
        Growth { name: "", title: "", axis: "how much", measures: &[CPU, RATE, P99], flat: &[] };
    GROWTHS.iter().find(|growth| growth.name == name).copied().unwrap_or(unknown)
}

/// What a target is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Side {
    /// Parlour in one of its dialects.
    Ours,
    /// A floor.
    Floor,
    /// Another server.
    Peer,
}

/// The variant of ours that stores nothing.
pub(super) const RELAYING: &str = "parlour-pusher";

/// Whether another target stores nothing either.
#[must_use]
pub(super) fn stores_nothing(target: &str) -> bool {
    matches!(target, RELAY | "sockudo" | "nchan" | "socketio")
}

/// What the target of a name is.
#[must_use]
pub(super) fn side(target: &str) -> Side {
    match target {
        _ if target.starts_with("parlour") => Side::Ours,
        _ if target.starts_with("floor") => Side::Floor,
        _ => Side::Peer,
    }
}

/// What people call a target.
#[must_use]
pub(super) fn title(target: &str) -> String {
    match target {
        "floor-relay" => "floor: relay".to_owned(),
        "floor-store" => "floor: relay and SQLite".to_owned(),
        "socketio" => "Socket.IO".to_owned(),
        "socketio-sqlite" => "Socket.IO, SQLite".to_owned(),
        "sockudo" => "Sockudo".to_owned(),
        "nchan" => "nginx with nchan".to_owned(),
        _ => match target.split_once('-') {
            Some(("parlour", rest)) => format!("Parlour, {}", words(rest)),
            Some(("channels", rest)) => format!("Channels, {}", words(rest)),
            _ => target.to_owned(),
        },
    }
}

fn words(rest: &str) -> String {
    let word = |word| match word {
        "sqlite" => "SQLite",
        "postgres" => "PostgreSQL",
        "daphne" => "Daphne",
        "redis" => "Redis",
        "pusher" => "Pusher",
        other => other,
    };
    rest.split('-').map(word).collect::<Vec<_>>().join(", ")
}
