//! What a server stands on: its number, time, randomness, the store and the bus. A configuration names them; a
//! simulation, or a test of several servers in one process, gives others.

use std::{fmt, sync::Arc};

use anyhow::Context as _;
use parlour_bus::{Driver, Opened, RedisOptions};
use parlour_core::{
    NodeId,
    ids::MAX_INTEGER,
    port::{
        BoxFuture,
        bus::{Bus, BusListener},
        clock::{Clock, Random},
        store::{CommitSink, Store},
    },
};
use parlour_store::OpenOptions;

use crate::{
    config::{BusSection, Config},
    gateway::socket::Listener,
    system::{SystemClock, SystemRandom},
};

/// Opens something for a server that tells it where what comes of it goes.
pub type Opener<Listener, Opened> =
    Box<dyn FnOnce(Arc<Listener>) -> BoxFuture<'static, anyhow::Result<Arc<Opened>>> + Send>;

/// What a server stands on.
pub struct Parts {
    /// Its number among the processes of one database; another one at each start.
    pub node: NodeId,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// Opens the store. What is committed goes to the sink.
    pub store: Opener<dyn CommitSink, dyn Store>,
    /// Where clients come from; `None`: `server.listen`.
    pub listener: Option<Listener>,
    /// Opens the bus. What other processes say goes to the listener.
    pub bus: BusOpener,
}

/// Opens a bus for a server that tells it where what comes goes.
pub type BusOpener =
    Box<dyn FnOnce(Arc<dyn BusListener>) -> BoxFuture<'static, anyhow::Result<OpenedBus>> + Send>;

/// A bus, with what belongs to it.
pub struct OpenedBus {
    /// The bus.
    pub bus: Arc<dyn Bus>,
    /// What does its work, where that needs a task.
    pub driver: Option<Driver>,
    /// Which bus it is, without secrets; empty for none that others could be on.
    pub name: Arc<str>,
}

impl fmt::Debug for OpenedBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenedBus").field("name", &self.name).finish_non_exhaustive()
    }
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").field("node", &self.node).finish_non_exhaustive()
    }
}

impl Parts {
    /// What the configuration names, with the machine's time and randomness.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let random = SystemRandom;
        let node = random_node(&random);
        let section = config.bus.clone();
        let (url, options) =
            (config.database.url.clone(), OpenOptions { node, ..store_options(config) });
        Self {
            node,
            clock: Arc::new(SystemClock::default()),
            random: Arc::new(random),
            listener: None,
            store: Box::new(move |sink| {
                Box::pin(async move { Ok(parlour_store::open(&url, options, sink).await?) })
            }),
            bus: Box::new(move |listener| {
                Box::pin(async move { open_bus(&section, node, listener) })
            }),
        }
    }
}

fn open_bus(
    section: &BusSection,
    node: NodeId,
    listener: Arc<dyn BusListener>,
) -> anyhow::Result<OpenedBus> {
    let opened = open_redis(section, node, listener)?;
    Ok(OpenedBus { bus: opened.bus, driver: Some(opened.driver), name: opened.name })
}

/// Opens the bus that the configuration names.
pub(crate) fn open_redis(
    section: &BusSection,
    node: NodeId,
    listener: Arc<dyn BusListener>,
) -> anyhow::Result<Opened> {
    let authorities = section.redis_ca_file.as_ref().map(|file| {
        std::fs::read_to_string(file)
            .with_context(|| format!("`bus.redis_ca_file`: cannot read {}", file.display()))
    });
    let authorities = authorities.transpose()?;
    let redis = section.redis_url.as_deref().map(|url| RedisOptions {
        url,
        prefix: &section.prefix,
        authorities: authorities.as_deref(),
    });
    parlour_bus::open(redis, node, listener).context("`bus.redis_url`")
}

/// A process's number: random, below 2^53, never zero.
pub(crate) fn random_node(random: &dyn Random) -> NodeId {
    let mut bytes = [0; 8];
    random.fill(&mut bytes);
    NodeId((u64::from_le_bytes(bytes) & MAX_INTEGER).max(1))
}

/// How the store is opened. What it cannot write it cannot promise: then the process ends.
pub(crate) fn store_options(config: &Config) -> OpenOptions {
    OpenOptions {
        max_batch: config.database.max_batch,
        readers: config.database.readers,
        pool: config.database.pool,
        prepare: config.database.prepare,
        session_url: config.database.session_url.clone(),
        node: random_node(&SystemRandom),
        shared: config.bus.redis_url.is_some(),
        on_fatal: Arc::new(|reason| {
            tracing::error!(reason, "the store has failed: this process ends");
            std::process::exit(70);
        }),
        ..OpenOptions::default()
    }
}
