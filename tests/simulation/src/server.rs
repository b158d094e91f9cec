//! The real server on a simulated host.

use std::{sync::Arc, time::Duration};

use anyhow::Result;
use parking_lot::Mutex;
use parlour_bus::MemoryBus;
use parlour_core::{NodeId, event::Envelope, port::store::CommitSink};
use parlour_harness::random::Random;
use parlour_server::{
    app::App,
    config::Loaded,
    parts::{OpenedBus, Parts},
};
use parlour_store::DrivenDatabase;
use tokio::{sync::Notify, time::sleep};

use crate::{
    bus::{self, Ends},
    net,
    parts::{SeededRandom, SimulatedClock},
    run::Run,
};

/// What a host needs to start its process, again and again.
pub struct Host {
    /// The number of the host, from zero.
    pub index: usize,
    /// Its name.
    pub name: Arc<str>,
    /// What everybody shares.
    pub run: Arc<Run>,
    /// The configuration.
    pub loaded: Arc<Loaded>,
    /// The database.
    pub database: DrivenDatabase,
    /// Where the processes meet; one alone has no bus.
    pub exchange: Option<MemoryBus>,
    /// The ends of the bus.
    pub ends: Ends,
    /// Asks the process to end well, and to start again.
    pub restart: Arc<Notify>,
    /// Its chances.
    pub random: Arc<Mutex<Random>>,
    /// By how much its wall clock is wrong, in milliseconds.
    pub skew: i64,
    /// The process that ran here last.
    pub last: Mutex<Option<NodeId>>,
}

/// Writes commits into the trace on their way to the server.
struct Traced(Arc<dyn CommitSink>, Arc<Run>, Arc<str>);

impl CommitSink for Traced {
    fn committed(&self, envelopes: Vec<Envelope>) {
        for envelope in &envelopes {
            self.1.trace.note(&self.2, "commits", format!("{envelope:?}").as_bytes());
        }
        self.0.committed(envelopes);
    }
}

impl Host {
    /// Runs processes until the end of the simulation.
    ///
    /// # Errors
    /// When one does not start.
    pub async fn serve(self: Arc<Self>) -> Result<()> {
        loop {
            let app = self.start().await?;
            self.restart.notified().await;
            app.shut_down().await;
            let wait = self.random.lock().between(100, 5_000);
            sleep(Duration::from_millis(wait)).await;
        }
    }

    async fn start(&self) -> Result<App> {
        if let Some(dead) = self.last.lock().take() {
            self.database.bury(dead)?;
        }
        let mut random = self.random.lock().fork(1);
        self.random.lock().number();
        let node = NodeId((random.number() >> 12).max(1));
        *self.last.lock() = Some(node);
        self.run.trace.note(&self.name, "starts", &node.0.to_le_bytes());
        let listener = net::listen(self.name.clone(), self.run.trace.clone()).await?;
        let (database, run, name) = (self.database.clone(), self.run.clone(), self.name.clone());
        let (exchange, ends, index) = (self.exchange.clone(), self.ends.clone(), self.index);
        let (of_bus, tracing) = (random.fork(2), (self.name.clone(), self.run.trace.clone()));
        let parts = Parts {
            node,
            clock: Arc::new(SimulatedClock::new(self.skew)),
            random: Arc::new(SeededRandom::new(random)),
            listener: Some(listener),
            store: Box::new(move |sink| {
                Box::pin(async move {
                    let sink = Arc::new(Traced(sink, run, name));
                    let (store, writer) = database.join(node, sink)?;
                    tokio::spawn(writer);
                    Ok(store)
                })
            }),
            bus: Box::new(move |listener| {
                Box::pin(async move {
                    let Some(exchange) = exchange else {
                        let bus = Arc::new(MemoryBus::default());
                        return Ok(OpenedBus { bus, driver: None, name: "".into() });
                    };
                    let (bus, end) = bus::join(&exchange, node, listener, of_bus, tracing);
                    if let Some(place) = ends.lock().get_mut(index) {
                        *place = Some(end);
                    }
                    Ok(OpenedBus { bus, driver: None, name: "simulated".into() })
                })
            }),
        };
        App::start_with(parts, &self.loaded, false).await
    }
}
