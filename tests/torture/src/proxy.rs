//! A TCP proxy of our own, which makes the bad network: on every link there is one.
//!
//! What it does now is its [`Weather`]; changing that changes every connection at once. It understands enough of Redis
//! (`resp`) and PostgreSQL (`postgres`) to lose single messages of the one, and to meet the other in the middle of a commit.

mod pipe;
mod postgres;
mod resp;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use anyhow::{Context, Result};
use parlour_harness::random::Random;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{JoinHandle, JoinSet},
};

pub use self::{postgres::Trap, resp::Prank};

/// What the server side of a link speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Speaks {
    /// Anything.
    Bytes,
    /// Redis.
    Redis,
    /// PostgreSQL.
    Postgres,
}

/// What becomes of the bytes of one direction.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Flow {
    /// They go on.
    #[default]
    Pass,
    /// They wait, with the sender, until it is over.
    Stall,
    /// They are gone, and nobody is told, not even of the end of the connection: when it is over, what is left of the
    /// connection stays as it is.
    Hole,
}

/// How a connection is ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cut {
    /// As a process ends it.
    Fin,
    /// With a reset.
    Rst,
}

/// One direction.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Lane {
    /// What becomes of the bytes.
    pub flow: Flow,
    /// How much later they come.
    pub delay: Duration,
    /// At most so many bytes a second.
    pub rate: Option<u64>,
    /// Each connection is reset after so many bytes from when this was set.
    pub cut_after: Option<u64>,
}

/// What a proxy does to its connections.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Weather {
    /// From the client of the link to its server.
    pub up: Lane,
    /// Back.
    pub down: Lane,
    /// New connections are refused.
    pub refuse: bool,
    /// What is done to single messages of Redis.
    pub prank: Option<Prank>,
    /// What is done when PostgreSQL is asked to commit.
    pub trap: Option<Trap>,
    /// Grows with each cut of everything that is open.
    cuts: u64,
    /// How.
    cut: Option<Cut>,
}

impl Weather {
    /// The same in both directions.
    #[must_use]
    pub fn both(lane: Lane) -> Self {
        Self { up: lane, down: lane, ..Self::default() }
    }
}

/// What all connections of a proxy share.
struct Shared {
    weather: watch::Receiver<Weather>,
    speaks: Speaks,
    seed: u64,
    accepted: AtomicU64,
    open: AtomicUsize,
    /// Commits that were met.
    commits: watch::Sender<u64>,
    /// Messages of the bus that were lost, doubled or moved.
    pranks: AtomicU64,
}

/// A proxy on one link. It ends when this is dropped.
pub struct Proxy {
    address: SocketAddr,
    weather: watch::Sender<Weather>,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// A proxy on a free port, in front of `target`.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn start(target: SocketAddr, speaks: Speaks, seed: u64) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("no port for a proxy")?;
        let address = listener.local_addr()?;
        let (weather, receiver) = watch::channel(Weather::default());
        let shared = Arc::new(Shared {
            weather: receiver,
            speaks,
            seed,
            accepted: AtomicU64::new(0),
            open: AtomicUsize::new(0),
            commits: watch::Sender::new(0),
            pranks: AtomicU64::new(0),
        });
        let task = tokio::spawn(accept(listener, target, shared.clone()));
        Ok(Self { address, weather, shared, task })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes the weather. Connections that a black hole has eaten from stay dead.
    pub fn set(&self, change: impl FnOnce(&mut Weather)) {
        self.weather.send_modify(change);
    }

    /// Good weather again.
    pub fn heal(&self) {
        self.set(|weather| {
            let Weather { cuts, cut, .. } = *weather;
            *weather = Weather { cuts, cut, ..Weather::default() };
        });
    }

    /// Ends every connection that is open now.
    pub fn cut(&self, how: Cut) {
        self.set(|weather| {
            weather.cuts += 1;
            weather.cut = Some(how);
        });
    }

    /// Connections that are open.
    #[must_use]
    pub fn open(&self) -> usize {
        self.shared.open.load(Relaxed)
    }

    /// Messages of the bus that were lost, doubled or moved so far.
    #[must_use]
    pub fn pranks(&self) -> u64 {
        self.shared.pranks.load(Relaxed)
    }

    /// Grows with each commit that a [`Trap`] has met.
    #[must_use]
    pub fn commits(&self) -> watch::Receiver<u64> {
        self.shared.commits.subscribe()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, target: SocketAddr, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((client, _)) = accepted else { continue };
                if shared.weather.borrow().refuse {
                    // Where a reset cannot be asked for, it is an end like others.
                    let _ = client.set_zero_linger();
                    continue;
                }
                let number = shared.accepted.fetch_add(1, Relaxed);
                let shared = shared.clone();
                connections.spawn(async move {
                    shared.open.fetch_add(1, Relaxed);
                    carry(client, target, &shared, number).await;
                    shared.open.fetch_sub(1, Relaxed);
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn carry(client: TcpStream, target: SocketAddr, shared: &Shared, number: u64) {
    // In a black hole nobody answers, not even to a connection.
    let mut weather = shared.weather.clone();
    let is_open =
        |weather: &Weather| weather.up.flow != Flow::Hole && weather.down.flow != Flow::Hole;
    if weather.wait_for(is_open).await.is_err() {
        return;
    }
    let Ok(server) = TcpStream::connect(target).await else {
        let _ = client.set_zero_linger();
        return;
    };
    let random = Random::new(shared.seed).fork(number);
    pipe::join(client, server, shared, random).await;
}
