//! What a server stands on: its number, time, randomness, the store and the bus. A configuration names them; a
//! simulation, or a test of several servers in one process, gives others.

use std::{fmt, sync::Arc};

use parlour_bus::MemoryBus;
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
    config::Config,
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
    pub bus: Opener<dyn BusListener, dyn Bus>,
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
            bus: Box::new(|_| {
                Box::pin(async { Ok(Arc::new(MemoryBus::default()) as Arc<dyn Bus>) })
            }),
        }
    }
}

/// A process's number: random, below 2^53, never zero.
fn random_node(random: &dyn Random) -> NodeId {
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
        shared: config.bus.redis_url.is_some(),
        on_fatal: Arc::new(|reason| {
            tracing::error!(reason, "the store has failed: this process ends");
            std::process::exit(70);
        }),
        ..OpenOptions::default()
    }
}
