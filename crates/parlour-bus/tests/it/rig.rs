//! Processes on a bus over Redis, as the suite and the tests of faults need them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use parlour_bus::{Counters, Opened, RedisOptions};
use parlour_core::{
    ConversationId, NodeId, Seq,
    port::{
        BoxFuture,
        bus::{Bus, BusListener, BusMessage, Hint, Topic},
    },
    testing::bus_suite::{Ear, Rig},
};
use parlour_engines::Redis;
use tokio::task::JoinSet;

/// How long is waited for what must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

/// Processes on one Redis. The drivers end with it.
pub(crate) struct Processes {
    url: String,
    authorities: Option<String>,
    /// Where connections are broken.
    ports: Vec<u16>,
    drivers: Mutex<JoinSet<()>>,
}

/// A process.
pub(crate) struct Process {
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) ear: Arc<Ear>,
    pub(crate) counters: Arc<Counters>,
}

impl Processes {
    pub(crate) fn new(url: String, ports: Vec<u16>) -> Self {
        Self { url, authorities: None, ports, drivers: Mutex::default() }
    }

    pub(crate) fn with_authorities(mut self, pem: String) -> Self {
        self.authorities = Some(pem);
        self
    }

    fn open(&self, listener: Arc<dyn BusListener>) -> (NodeId, Opened) {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let node = NodeId(NEXT.fetch_add(1, Ordering::Relaxed));
        let authorities = self.authorities.as_deref();
        let options = RedisOptions { url: &self.url, prefix: "test", authorities };
        (node, parlour_bus::open(Some(options), node, listener).unwrap())
    }

    /// One more, that may not have reached Redis yet.
    pub(crate) fn start(&self) -> Process {
        let ear = Arc::new(Ear::default());
        let (_, opened) = self.open(ear.clone());
        self.drivers.lock().spawn(opened.driver.run(std::future::pending()));
        Process { bus: opened.bus, ear, counters: opened.counters }
    }

    /// One more, that has.
    pub(crate) async fn ready(&self) -> Process {
        let process = self.start();
        until("a healthy bus", || process.bus.is_healthy()).await;
        process
    }
}

impl Process {
    pub(crate) fn say(&self, topic: &Topic, hint: Hint) {
        let _given_up_while_redis_is_away =
            self.bus.publish(vec![BusMessage { topic: topic.clone(), hint }]);
    }

    /// Says something new until it is heard: the way there works.
    pub(crate) async fn reaches(&self, other: &Self, topic: &Topic) {
        let (mut seq, deadline) = (0, Instant::now() + PATIENCE);
        let before = other.ear.hints().len();
        while other.ear.hints().len() == before {
            assert!(Instant::now() < deadline, "nothing arrives any more");
            seq += 1;
            self.say(topic, head(seq));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

pub(crate) fn head(seq: u64) -> Hint {
    Hint::Head { conversation: ConversationId(1), seq: Seq(seq) }
}

pub(crate) fn conversation(id: u64) -> Topic {
    Topic::Conversation(ConversationId(id))
}

/// Waits for something.
pub(crate) async fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

impl Rig for Processes {
    fn join(&self, listener: Arc<dyn BusListener>) -> BoxFuture<'_, (NodeId, Arc<dyn Bus>)> {
        Box::pin(async move {
            let (id, opened) = self.open(listener);
            self.drivers.lock().spawn(opened.driver.run(std::future::pending()));
            until("a healthy bus", || opened.bus.is_healthy()).await;
            (id, opened.bus)
        })
    }

    fn tells_apart(&self, a: &Topic, b: &Topic) -> bool {
        parlour_bus::partition(a) != parlour_bus::partition(b)
    }

    fn interrupt(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            for port in &self.ports {
                Redis::cli(*port, &["CLIENT", "KILL", "TYPE", "pubsub"]).unwrap();
                Redis::cli(*port, &["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]).unwrap();
            }
        })
    }

    fn pause(&self) -> BoxFuture<'_, ()> {
        Box::pin(tokio::time::sleep(Duration::from_millis(2)))
    }
}
