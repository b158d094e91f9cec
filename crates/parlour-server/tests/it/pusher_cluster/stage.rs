//! Several servers on one bus, which can be cut off from it.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use parlour_bus::MemoryBus;
use parlour_core::{
    Code, Error, NodeId, Result,
    port::{
        BoxFuture,
        bus::{Bus, BusListener, BusMessage, Hint, Topic},
    },
};
use parlour_server::{
    app::App,
    config::{self, Sources},
    parts::{OpenedBus, Parts},
};
use serde_json::Value;

use crate::{
    gateway::server::{SECRET, Server},
    pusher::stage::{APPS, Stage},
};

/// What a process hears, unless it is cut off.
struct Ear {
    inner: Arc<dyn BusListener>,
    state: Arc<State>,
}

/// What is wrong with a process's way to the others.
#[derive(Default)]
pub(super) struct State {
    /// Nothing goes in or out, and it does not know.
    pub(super) cut: AtomicBool,
    /// It is told that there is no bus.
    pub(super) down: AtomicBool,
}

impl BusListener for Ear {
    fn received(&self, from: NodeId, hint: Hint) {
        if !self.state.cut.load(Relaxed) && !self.state.down.load(Relaxed) {
            self.inner.received(from, hint);
        }
    }

    fn lagged(&self) {
        self.inner.lagged();
    }
}

/// A process's way to the others.
struct Wire {
    bus: MemoryBus,
    state: Arc<State>,
    /// The bus does not keep it.
    _ear: Arc<dyn BusListener>,
}

impl Bus for Wire {
    fn publish(&self, messages: Vec<BusMessage>) -> Result<()> {
        if self.state.down.load(Relaxed) {
            return Err(Error::new(Code::Unavailable, "there is no bus"));
        }
        if self.state.cut.load(Relaxed) { Ok(()) } else { self.bus.publish(messages) }
    }

    fn listen(&self, topics: Vec<Topic>) -> BoxFuture<'_, ()> {
        self.bus.listen(topics)
    }

    fn ignore(&self, topics: &[Topic]) {
        self.bus.ignore(topics);
    }

    fn is_healthy(&self) -> bool {
        !self.state.down.load(Relaxed)
    }

    fn is_shared(&self) -> bool {
        true
    }
}

/// One process.
pub(super) struct Process {
    pub(super) stage: Stage,
    pub(super) state: Arc<State>,
    app: Option<App>,
    runtime: tokio::runtime::Runtime,
}

impl Process {
    /// Ends it as an operator does.
    pub(super) fn end(mut self) {
        if let Some(app) = self.app.take() {
            self.runtime.block_on(app.shut_down());
        }
    }
}

/// Several processes that know each other.
pub(super) struct Cluster {
    pub(super) processes: Vec<Process>,
    bus: MemoryBus,
}

impl Cluster {
    pub(super) fn of(count: u64) -> Self {
        Self::with(count, &[])
    }

    pub(super) fn with(count: u64, settings: &[(&str, &str)]) -> Self {
        let bus = MemoryBus::default();
        let processes: Vec<_> = (1..=count).map(|node| process(&bus, node, settings)).collect();
        let cluster = Self { processes, bus };
        cluster.wait_until_all_know_all();
        cluster
    }

    pub(super) fn stage(&self, number: usize) -> &Stage {
        &self.processes[number].stage
    }

    pub(super) fn state(&self, number: usize) -> &State {
        &self.processes[number].state
    }

    /// The bus says that it may have lost something.
    pub(super) fn interrupt(&self) {
        self.bus.interrupt();
    }

    /// Each has a client, of which all others are told when they ask.
    fn wait_until_all_know_all(&self) {
        let mut clients = Vec::new();
        for (number, process) in self.processes.iter().enumerate() {
            let mut client = process.stage.socket();
            client.join(&format!("hello-{number}"), None);
            clients.push(client);
        }
        for process in &self.processes {
            until(|| {
                let (_, answer) = channels(&process.stage, "filter_by_prefix=hello-");
                answer.as_object().unwrap().len() == self.processes.len()
            });
        }
        for (number, client) in clients.iter_mut().enumerate() {
            client.leave(&format!("hello-{number}"));
            client.settle();
        }
    }
}

/// What `GET /channels` answers.
pub(super) fn channels(stage: &Stage, more: &str) -> (u16, Value) {
    let (status, answer) = stage.call(crate::pusher::stage::FIRST, "GET", "/channels", more, None);
    (status, answer["channels"].clone())
}

/// Asks again and again, until something is so.
#[track_caller]
pub(super) fn until(is_so: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < end, "it did not become so");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn process(bus: &MemoryBus, node: u64, settings: &[(&str, &str)]) -> Process {
    let folder = tempfile::tempdir().unwrap();
    let database = format!("sqlite://{}/parlour.db", folder.path().display());
    let mut env: BTreeMap<String, String> = [
        ("PARLOUR_LISTEN", "127.0.0.1:0"),
        ("DATABASE_URL", &database),
        ("PARLOUR_JWT_SECRET", SECRET),
        ("PARLOUR_RATE_LIMITS", "off"),
        ("PARLOUR_PUSHER_APPS", APPS),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    env.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    let sources = Sources { flags: Vec::new(), env, file: None, default_file: None };
    let loaded = config::load(&sources).unwrap();
    let state = Arc::new(State::default());
    let (bus, shared) = (bus.clone(), state.clone());
    let parts = Parts {
        node: NodeId(node),
        bus: Box::new(move |inner| {
            let ear: Arc<dyn BusListener> = Arc::new(Ear { inner, state: shared.clone() });
            let member = bus.join_as(NodeId(node), &ear);
            let bus = Arc::new(Wire { bus: member, state: shared, _ear: ear });
            Box::pin(async move { Ok(OpenedBus { bus, driver: None, name: "test".into() }) })
        }),
        ..Parts::of(&loaded.config)
    };
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(2).enable_all().build().unwrap();
    let app = runtime.block_on(App::start_with(parts, &loaded, false)).unwrap();
    let stage = Stage { server: Server::elsewhere(app.address(), folder) };
    Process { stage, state, app: Some(app), runtime }
}
