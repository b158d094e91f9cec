//! The only wiring: from a configuration to a running server, and back.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::Context as _;
use axum::Router;
use parlour_core::{
    port::{
        clock::{Clock, Random},
        store::{Node, Store},
    },
    service::{Chat, Rates},
};

use tokio::time::Instant;

use crate::{
    auth::{self, Auth, secret},
    config::{Config, Loaded},
    demo,
    gateway::{
        self, Admission, Cluster, Compression, Dispatcher, Gateway, Hub,
        cluster::{self, Ear},
        listener,
        socket::Listener,
    },
    http::{self, Api, Inner, Settings},
    jobs,
    metrics::Metrics,
    parts::{OpenedBus, Parts},
    pusher::{self, Pusher, api::Door, apps::Apps, channels::Room, webhooks},
    tasks::Tasks,
};

/// Over which reconnects are spread when the server goes away.
const DRAIN_SPREAD: Duration = Duration::from_secs(10);

/// A running server.
pub struct App {
    address: SocketAddr,
    drain: Duration,
    ready: Arc<AtomicBool>,
    gateway: Arc<Gateway>,
    store: Arc<dyn Store>,
    tasks: Tasks,
    /// The bus itself does not keep it.
    _ear: Arc<Ear>,
    /// How long it goes on serving once it is said that it ends.
    delay: Duration,
}

impl App {
    /// Starts a server. It listens when this returns; `server.listen` may name port 0.
    ///
    /// # Errors
    /// Whatever keeps it from starting, with a text for the operator.
    pub async fn start(loaded: &Loaded, demo: bool) -> anyhow::Result<Self> {
        Self::start_with(Parts::of(&loaded.config), loaded, demo).await
    }

    /// The same on given parts. Of the configuration, `database.url`, what belongs to it, and `bus` are not looked at.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn start_with(parts: Parts, loaded: &Loaded, demo: bool) -> anyhow::Result<Self> {
        crate::system::install_crypto();
        let config = &loaded.config;
        let Parts { node, clock, random, listener, store, bus } = parts;
        for warning in &loaded.warnings {
            tracing::warn!("{warning}");
        }
        let secret = secret::load(config, &*random, demo)?;
        for notice in &secret.notices {
            tracing::warn!("{notice}");
        }
        let limits = Arc::new(config.limits.to_domain());
        let metrics = Arc::new(Metrics::new());
        let tasks = Tasks::default();

        // Before everything that stays: it takes the place in memory of what making the routes leaves free.
        let rest = http::rest();
        let (inbox, dispatcher) = Dispatcher::new();
        let store = store(inbox.clone()).await?;
        let trust = config.auth.trust_host_users;
        let chat = Arc::new(Chat::new(store.clone(), clock.clone(), limits.clone(), trust));
        let shown = Arc::new(parlour_wire::Settings {
            time_zone: config.dialects.time_zone.0.clone(),
            events: config.pusher.event_names.to_wire(),
        });
        let hub = Hub::new(limits.clone(), clock.clone(), metrics.clone(), shown);
        let parts = auth::Parts {
            store: store.clone(),
            clock: clock.clone(),
            random: random.clone(),
            revocations: hub.clone(),
        };
        let auth = Arc::new(Auth::new(config, &secret.bytes, parts)?);
        let ear = Ear::new(clock.clone(), metrics.clone());
        let OpenedBus { bus, driver, name: bus_name } = bus(ear.clone()).await?;
        if let Some(driver) = driver {
            let stopping = tasks.clone();
            tasks.spawn("bus", driver.run(async move { stopping.stopping().await }));
        }
        dispatcher.start(hub.clone(), store.clone(), bus.clone(), metrics.clone(), &tasks);
        let trying = demo && demo::fits(&*store).await?;
        let pusher = pusher(config, trying, (&clock, &random), &metrics, &tasks)?;
        pusher.join(bus.clone(), &tasks);
        let cluster = Cluster::new(
            cluster::Parts {
                node,
                hub: hub.clone(),
                inbox: inbox.clone(),
                store: store.clone(),
                bus,
                auth: auth.clone(),
                pusher: pusher.clone(),
                clock: clock.clone(),
                metrics: metrics.clone(),
                tasks: tasks.clone(),
                grace: limits.presence_grace,
            },
            ear.clone(),
        );
        cluster.start();
        let gateway = Arc::new(Gateway {
            hub: hub.clone(),
            pusher,
            chat: chat.clone(),
            auth: auth.clone(),
            clock: clock.clone(),
            limits: limits.clone(),
            metrics: metrics.clone(),
            tasks: tasks.clone(),
            admission: Admission::new(limits),
            inbox,
            cluster: cluster.clone(),
            compression: Compression::of(&config.server),
            dialects: config.dialects.clone(),
            drain_spread: DRAIN_SPREAD.min(config.server.drain.0 / 3),
            connections: AtomicU64::new(0),
        });
        gateway.start();
        if demo {
            demo::seed(&auth, &*store, &*clock).await?;
        }
        let ready = Arc::new(AtomicBool::new(true));
        let api = Api::new(Inner {
            searches: Rates::new("searches", Api::SEARCHES),
            settings: settings(config, demo, secret.weak),
            ready: ready.clone(),
            live: hub,
            chat,
            auth,
            clock,
            random,
            metrics,
        });
        let own = Node {
            id: node,
            version: env!("CARGO_PKG_VERSION").into(),
            address: config.server.listen.as_str().into(),
            bus: bus_name,
            started_at: 0,
        };
        jobs::keep_lease(own, &api, &cluster, &tasks).await?;
        jobs::start(&api, &gateway, &tasks);
        let address = listen(config, listener, rest, &api, &gateway, &tasks).await?;
        tracing::info!(%address, version = env!("CARGO_PKG_VERSION"), demo, "listening");
        let (drain, delay) = (config.server.drain.0, config.server.drain_delay.0);
        Ok(Self { address, drain, delay, ready, gateway, store, tasks, _ear: ear })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether clients of the Pusher protocol can try it out with an application that everybody knows.
    #[must_use]
    pub(crate) fn has_demo_application(&self) -> bool {
        self.gateway.pusher.apps.is_demo()
    }

    /// Ends it: nothing new is taken, sockets are told to come back, what was accepted is finished (G18).
    pub async fn shut_down(self) {
        let end = Instant::now() + self.drain;
        let left = || end.saturating_duration_since(Instant::now());
        self.ready.store(false, Ordering::Release);
        // Until those who ask have seen that nobody should come here any more, whoever comes is served.
        tokio::time::sleep(self.delay.min(self.drain / 2)).await;
        self.gateway.drain(left().mul_f32(0.8)).await;
        self.gateway.cluster.leave();
        if !self.tasks.shut_down(left().max(Duration::from_secs(1))).await {
            tracing::warn!("not every task ended in time");
        }
        self.store.close().await;
        tracing::info!("ended");
    }
}

/// Binds and serves: the API, and the figures where they have a listener of their own.
async fn listen(
    config: &Config,
    given: Option<Listener>,
    rest: Router<Api>,
    api: &Api,
    gateway: &Arc<Gateway>,
    tasks: &Tasks,
) -> anyhow::Result<SocketAddr> {
    let proxies = config.server.trusted_proxies.clone();
    if let Some(place) = &config.metrics.listen {
        let listener = bind(place, "metrics.listen").await?;
        let router = http::metrics_router(api.clone());
        let serving = listener::serve(listener, router, proxies.clone(), tasks.clone());
        tasks.spawn("metrics listener", serving);
    }
    let listener = match given {
        Some(listener) => listener,
        None => bind(&config.server.listen, "server.listen").await?,
    };
    let address = listener.local_addr()?;
    let window = config.pusher.repeat_window.0;
    let door = Door::new(api.clone(), gateway.pusher.clone(), config.pusher.limits(), window);
    let sockets = gateway::routes(gateway.clone()).merge(pusher::api::routes(door));
    let router = http::router(api.clone(), rest, sockets);
    tasks.spawn("listener", listener::serve(listener, router, proxies, tasks.clone()));
    Ok(address)
}

/// The applications of the Pusher protocol, with the tasks that tell their webhooks.
fn pusher(
    config: &Config,
    trying: bool,
    (clock, random): (&Arc<dyn Clock>, &Arc<dyn Random>),
    metrics: &Arc<Metrics>,
    tasks: &Tasks,
) -> anyhow::Result<Arc<Pusher>> {
    let section = &config.pusher;
    let (pusher, hooks) = Pusher::new(pusher::Parts {
        apps: Apps::new(section, trying)?,
        room: Room {
            channels_per_connection: section.max_channels_per_connection,
            kept_bytes: section.max_kept_bytes,
        },
        clock: clock.clone(),
        random: random.clone(),
        metrics: metrics.clone(),
    });
    let means = webhooks::Means {
        clock: clock.clone(),
        metrics: metrics.clone(),
        tasks: tasks.clone(),
        queue: section.max_webhook_queue,
    };
    webhooks::start(hooks, &pusher.apps, &means)?;
    Ok(pusher)
}

async fn bind(place: &str, key: &str) -> anyhow::Result<Listener> {
    let mut addresses = tokio::net::lookup_host(place)
        .await
        .with_context(|| format!("`{key}`: `{place}` is no address of the form HOST:PORT"))?;
    let address = addresses.next().with_context(|| format!("`{key}`: `{place}` has no address"))?;
    listener::bind(address).with_context(|| format!("`{key}`: cannot listen on {place}"))
}

fn settings(config: &Config, demo: bool, weak_secret: bool) -> Settings {
    Settings {
        body_bytes: config.limits.body_bytes,
        body_timeout: config.limits.body_timeout.0,
        json_depth: config.limits.json_depth,
        metrics: config.metrics.listen.is_none(),
        public_url: config.server.public_url.clone(),
        demo,
        weak_secret,
    }
}
