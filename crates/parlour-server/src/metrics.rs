//! What `/metrics` tells: fixed names and fixed label sets, never anything of a user.

use std::sync::atomic::AtomicU64;

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

/// Which way a client is connected.
#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
pub(crate) struct Transport {
    /// `websocket`, `sse` or `poll`.
    pub(crate) transport: &'static str,
}

/// Why a connection was closed by the server.
#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
pub(crate) struct CloseReason {
    /// The close code.
    pub(crate) code: u16,
}

/// All figures of a server.
pub struct Metrics {
    registry: Registry,
    pub(crate) connections: Family<Transport, Gauge>,
    pub(crate) connects: Counter,
    pub(crate) frames_received: Counter,
    pub(crate) commands: Counter,
    pub(crate) refused: Counter,
    pub(crate) messages: Counter,
    pub(crate) duplicates: Counter,
    pub(crate) events: Counter,
    pub(crate) deliveries: Counter,
    pub(crate) signals_dropped: Counter,
    pub(crate) resumes: Counter,
    pub(crate) resyncs: Counter,
    pub(crate) heals: Counter,
    pub(crate) closes: Family<CloseReason, Counter>,
    pub(crate) pusher_events: Counter,
    pub(crate) pusher_client_events: Counter,
    pub(crate) pusher_channels: Gauge,
    pub(crate) pusher_bus_dropped: Counter,
    pub(crate) pusher_bus_unreadable: Counter,
    pub(crate) pusher_hooks_dropped: Counter,
    pub(crate) pusher_hooks_told: Counter,
    pub(crate) pusher_hooks_failed: Counter,
    pub(crate) bus_up: Gauge,
    pub(crate) bus_nodes: Gauge,
    pub(crate) bus_far: Gauge,
    pub(crate) bus_published: Counter,
    pub(crate) bus_received: Counter,
    pub(crate) bus_dropped: Counter,
    pub(crate) bus_lagged: Counter,
    pub(crate) poll_finds: Counter,
    pub(crate) queued_bytes: Gauge,
    pub(crate) store_queue: Gauge,
    pub(crate) store_commits: Counter<u64, AtomicU64>,
    pub(crate) store_writes: Counter<u64, AtomicU64>,
    pub(crate) stored_seconds: Histogram,
    pub(crate) delivered_seconds: Histogram,
    pub(crate) http_requests: Family<HttpLabels, Counter>,
}

/// A REST request, by what is fixed about it.
#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
pub(crate) struct HttpLabels {
    /// The method.
    pub(crate) method: &'static str,
    /// The class of the status: `2xx` and so on.
    pub(crate) status: &'static str,
}

/// From a tenth of a millisecond to ten seconds.
const LATENCY: [f64; 16] = [
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.25, 0.5,
    1.0, 3.0, 10.0,
];

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Registers every figure.
    #[must_use]
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("parlour");
        let r = &mut registry;
        Self {
            connections: family(r, "connections", "Clients connected now"),
            connects: counter(r, "connects", "Clients that have signed in"),
            frames_received: counter(
                r,
                "frames_received",
                "Messages that clients have sent over sockets",
            ),
            commands: counter(r, "commands", "Commands in them"),
            refused: counter(r, "commands_refused", "Commands that were refused"),
            messages: counter(r, "messages", "Chat messages stored"),
            duplicates: counter(
                r,
                "duplicates_suppressed",
                "Sends whose client id was known already",
            ),
            events: counter(r, "events", "Events that went through the hub"),
            deliveries: counter(r, "deliveries", "Frames of events put into queues of connections"),
            signals_dropped: counter(
                r,
                "signals_dropped",
                "Typing and presence frames dropped for slow readers",
            ),
            resumes: counter(r, "resumes", "Resumes carried out"),
            resyncs: counter(r, "resyncs", "Conversations that a client was told to load anew"),
            heals: counter(
                r,
                "heals",
                "Gaps in the stream of events that were read from the store",
            ),
            closes: family(r, "closes", "Connections that the server has closed, by close code"),
            pusher_events: counter(r, "pusher_events", "Events that applications have published"),
            pusher_client_events: counter(
                r,
                "pusher_client_events",
                "Events that clients of Pusher channels have sent each other",
            ),
            pusher_channels: gauge(r, "pusher_channels", "Pusher channels that somebody has"),
            pusher_bus_dropped: counter(
                r,
                "pusher_bus_dropped",
                "Messages about Pusher channels that other processes could not be told",
            ),
            pusher_bus_unreadable: counter(
                r,
                "pusher_bus_unreadable",
                "Messages of other processes about Pusher channels that this one does not understand",
            ),
            pusher_hooks_told: counter(
                r,
                "pusher_hooks_told",
                "Events of webhooks that were taken",
            ),
            pusher_hooks_failed: counter(
                r,
                "pusher_hooks_failed",
                "Calls of webhooks that failed; most are made again",
            ),
            pusher_hooks_dropped: counter(
                r,
                "pusher_hooks_dropped",
                "Events of webhooks that came faster than they could be told",
            ),
            bus_up: gauge(r, "bus_up", "Whether other processes can be reached over the bus"),
            bus_nodes: gauge(r, "bus_nodes", "Other processes that are heard on the bus"),
            bus_far: gauge(r, "bus_people", "People of other processes whose presence is known"),
            bus_published: counter(r, "bus_published", "Messages for other processes"),
            bus_received: counter(r, "bus_received", "Messages of other processes"),
            bus_dropped: counter(
                r,
                "bus_dropped",
                "Messages between processes that were given up; what they say is found by the poll",
            ),
            bus_lagged: counter(
                r,
                "bus_lagged",
                "Times that messages may have been lost and everything was looked at again",
            ),
            poll_finds: counter(
                r,
                "poll_finds",
                "Conversations and users that the poll found changed, because no message has told it",
            ),
            queued_bytes: gauge(r, "queued_bytes", "Bytes that wait in the queues of connections"),
            store_queue: gauge(r, "store_queue", "Writes that wait for the store"),
            store_commits: counter(r, "store_commits", "Transactions of the store"),
            store_writes: counter(r, "store_writes", "Writes in them"),
            stored_seconds: histogram(r, "stored", "From a send being read to its being durable"),
            delivered_seconds: histogram(
                r,
                "delivered",
                "From an event being durable to its being written to sockets",
            ),
            http_requests: family(r, "http_requests", "REST requests"),
            registry,
        }
    }

    /// The page in OpenMetrics text.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut text = String::new();
        if let Err(error) = encode(&mut text, &self.registry) {
            tracing::error!(%error, "the metrics could not be written");
        }
        text
    }

    /// Takes over figures that a store counts itself.
    pub(crate) fn set_store(&self, stats: parlour_core::port::store::StoreStats) {
        self.store_queue.set(i64::try_from(stats.queued).unwrap_or(i64::MAX));
        self.store_commits.inc_by(stats.commits.saturating_sub(self.store_commits.get()));
        self.store_writes.inc_by(stats.writes.saturating_sub(self.store_writes.get()));
        self.duplicates.inc_by(stats.duplicates.saturating_sub(self.duplicates.get()));
    }
}

fn counter(registry: &mut Registry, name: &str, help: &str) -> Counter {
    let counter = Counter::default();
    registry.register(name, help, counter.clone());
    counter
}

fn gauge(registry: &mut Registry, name: &str, help: &str) -> Gauge {
    let gauge = Gauge::default();
    registry.register(name, help, gauge.clone());
    gauge
}

fn histogram(registry: &mut Registry, name: &str, help: &str) -> Histogram {
    let histogram = Histogram::new(LATENCY);
    registry.register_with_unit(name, help, Unit::Seconds, histogram.clone());
    histogram
}

fn family<L, M>(registry: &mut Registry, name: &str, help: &str) -> Family<L, M>
where
    L: EncodeLabelSet + Clone + std::hash::Hash + Eq + Send + Sync + std::fmt::Debug + 'static,
    M: prometheus_client::encoding::EncodeMetric
        + prometheus_client::metrics::TypedMetric
        + Default
        + Send
        + Sync
        + std::fmt::Debug
        + 'static,
{
    let family = Family::<L, M>::default();
    registry.register(name, help, family.clone());
    family
}
