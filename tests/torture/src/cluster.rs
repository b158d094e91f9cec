//! The servers under test: processes with their database and bus, and a proxy on every link between them.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use parlour_engines::{Database, Postgres, Redis};
use parlour_harness::{
    dialects::{APP_KEY, APP_SECRET},
    process::{Options, Server, binary},
    rest::Rest,
};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::proxy::{Proxy, Speaks};

/// What keeps everything.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Store {
    /// A file of the one process.
    Sqlite,
    /// A server; several processes share it.
    Postgres,
}

/// What is to be started.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Server processes.
    pub processes: usize,
    /// What keeps everything.
    pub store: Store,
    /// The program; without it, what the harness builds.
    pub binary: Option<PathBuf>,
    /// More environment for the processes.
    pub env: Vec<(String, String)>,
    /// For the choices of the proxies.
    pub seed: u64,
    /// Whether clocks will be moved.
    pub clocks: bool,
    /// Whether disks will be full: SQLite files get a small disk of their own, where that may be made.
    pub small_disk: bool,
    /// Whether links lead through proxies. Without them nothing can be broken on the way, and nothing slows it down.
    pub proxies: bool,
}

impl Setup {
    /// One process on SQLite, or so many on PostgreSQL with Redis.
    #[must_use]
    pub const fn new(store: Store, processes: usize, seed: u64) -> Self {
        let processes = match store {
            Store::Sqlite => 1,
            Store::Postgres => processes,
        };
        Self {
            processes,
            store,
            binary: None,
            env: Vec::new(),
            seed,
            clocks: false,
            small_disk: false,
            proxies: true,
        }
    }

    /// Whether everything that it needs is installed.
    #[must_use]
    pub fn is_possible(&self) -> bool {
        self.store == Store::Sqlite
            || (Postgres::is_installed() && (self.processes == 1 || Redis::program().is_some()))
    }
}

/// A database server with the database in it.
pub struct Truth {
    /// The database.
    pub database: Database,
    /// The server, of our own.
    pub engine: Postgres,
}

/// A server process with its links.
pub struct Node {
    /// The process.
    pub server: Server,
    /// Between clients and it.
    pub door: Option<Proxy>,
    /// Between it and PostgreSQL.
    pub store: Option<Proxy>,
    /// Between it and Redis.
    pub bus: Option<Proxy>,
    /// The disk of its database file, when that is one of its own.
    pub disk: Option<Disk>,
    /// What its clock is told, when that is not the real one's time.
    pub clock: Option<PathBuf>,
}

impl Node {
    /// Where clients reach it.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.door.as_ref().map_or_else(|| self.server.address(), Proxy::address)
    }

    /// Every proxy of its links.
    pub fn proxies(&self) -> impl Iterator<Item = &Proxy> {
        [&self.door, &self.store, &self.bus].into_iter().flatten()
    }
}

/// Everything that runs.
pub struct Cluster {
    /// The processes.
    pub nodes: Vec<Node>,
    /// PostgreSQL, if it is used.
    pub truth: Option<Truth>,
    /// Redis, if it is used.
    pub bus: Option<Redis>,
    /// The first memory, descriptors and so on of each process, with nobody there.
    folder: TempDir,
}

/// How long the processes may take to serve again.
const PATIENCE: Duration = Duration::from_secs(40);

impl Cluster {
    /// Starts everything.
    ///
    /// # Errors
    /// When something does not get ready.
    pub async fn start(setup: &Setup) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("parlour-torture").tempdir()?;
        let truth = match setup.store {
            Store::Sqlite => None,
            Store::Postgres => {
                let engine = Postgres::start(&[])?.context("PostgreSQL is not installed")?;
                Some(Truth { database: engine.database()?, engine })
            }
        };
        let bus = if setup.store == Store::Postgres && setup.processes > 1 {
            Some(Redis::start(&[])?.context("Redis is not installed")?)
        } else {
            None
        };
        let mut cluster = Self { nodes: Vec::new(), truth, bus, folder };
        for number in 0..setup.processes {
            let node = cluster.open_node(setup, number).await?;
            cluster.nodes.push(node);
        }
        Ok(cluster)
    }

    async fn open_node(&self, setup: &Setup, number: usize) -> Result<Node> {
        let folder = self.folder.path().join(format!("process-{number}"));
        fs::create_dir_all(&folder)?;
        let seed = setup.seed ^ (number as u64) << 8;
        let disk = if setup.small_disk && setup.store == Store::Sqlite {
            Disk::mount(&folder)
        } else {
            None
        };
        let program = setup.binary.clone().map_or_else(binary, Ok)?;
        let mut options = Options { binary: program, folder, env: Vec::new(), core: None };
        options = usual(options);
        let mut store = None;
        let mut bus = None;
        if let Some(truth) = &self.truth {
            let target = local(truth.database.port());
            store = Some(Proxy::start(target, Speaks::Postgres, seed ^ 1).await?);
            let port = port(setup, &store, truth.database.port());
            let (from, to) = (format!(":{}/", target.port()), format!(":{port}/"));
            let url = truth.database.url().replace(&from, &to);
            options = options.env("DATABASE_URL", &url);
        }
        if let Some(redis) = &self.bus {
            bus = Some(Proxy::start(local(redis.port()), Speaks::Redis, seed ^ 2).await?);
            let port = port(setup, &bus, redis.port());
            options = options.env("REDIS_URL", &format!("redis://127.0.0.1:{port}"));
        }
        let clock = if setup.clocks { wind_up(&mut options)? } else { None };
        options.env.extend(setup.env.iter().cloned());
        let server = Server::start(options).await?;
        let door = if setup.proxies {
            Some(Proxy::start(server.address(), Speaks::Bytes, seed ^ 3).await?)
        } else {
            None
        };
        Ok(Node { server, door, store, bus, disk, clock })
    }

    /// Where clients reach the processes.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.nodes.iter().map(Node::address).collect()
    }

    /// A REST client of a user, straight to a process.
    ///
    /// # Errors
    /// When there is no such process.
    pub fn rest(&self, node: usize, user: &str) -> Result<Rest> {
        self.nodes.get(node).context("no such process")?.server.rest(user)
    }

    /// Starts what is down, and waits until every process serves.
    ///
    /// # Errors
    /// When one does not within 40 s.
    pub async fn all_ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        for node in &mut self.nodes {
            let rest = node.server.rest("harness")?.patience(Duration::from_secs(2));
            while !rest.get("/readyz").await.is_ok_and(|answer| answer.status == 200) {
                if node.server.ended()?.is_some() {
                    node.server.start_again()?;
                }
                if Instant::now() > deadline {
                    bail!("a process does not serve again\n{}", node.server.log_end());
                }
                sleep(Duration::from_millis(50)).await;
            }
        }
        Ok(())
    }

    /// Copies the logs of everything into a folder.
    ///
    /// # Errors
    /// When they cannot be copied.
    pub fn keep_logs(&self, to: &Path) -> Result<()> {
        for (number, node) in self.nodes.iter().enumerate() {
            let log = node.server.folder().join("server.log");
            fs::copy(log, to.join(format!("process-{number}.log")))?;
        }
        if let Some(truth) = &self.truth {
            fs::copy(truth.engine.folder().join("server.log"), to.join("postgres.log"))?;
        }
        if let Some(redis) = &self.bus {
            fs::copy(redis.folder().join("redis.log"), to.join("redis.log"))?;
        }
        Ok(())
    }
}

fn local(port: u16) -> SocketAddr {
    ([127, 0, 0, 1], port).into()
}

fn port(setup: &Setup, proxy: &Option<Proxy>, direct: u16) -> u16 {
    match proxy {
        Some(proxy) if setup.proxies => proxy.address().port(),
        _ => direct,
    }
}

/// Many connections from one address, every dialect, quick detection of what is dead.
fn usual(options: Options) -> Options {
    options
        .env("PARLOUR_LIMITS_CONNECTIONS_PER_ADDRESS", "20000")
        .env("PARLOUR_LIMITS_CONNECTIONS_BEFORE_AUTH", "20000")
        .env("PARLOUR_PUSHER_KEY", APP_KEY)
        .env("PARLOUR_PUSHER_SECRET", APP_SECRET)
        .env("PARLOUR_LOG_LEVEL", "warn")
}

/// A small disk of a database's own: a file system in memory. It is unmounted when this is dropped.
pub struct Disk(PathBuf);

/// Bytes of it.
const DISK: u64 = 256 << 20;

impl Disk {
    /// `None` where this user may not mount.
    fn mount(folder: &Path) -> Option<Self> {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={DISK}"), "tmpfs"]).arg(folder);
        let mounted = mount.output().is_ok_and(|output| output.status.success());
        mounted.then(|| Self(folder.into()))
    }

    /// Leaves no byte free.
    ///
    /// # Errors
    /// When that is not possible.
    pub fn fill(&self) -> Result<()> {
        let ballast = fs::File::create(self.ballast())?;
        let mut size = DISK;
        // As much as there is, to the last page.
        while size >= 4096 {
            let at = ballast.metadata()?.len();
            match rustix::fs::fallocate(&ballast, rustix::fs::FallocateFlags::empty(), at, size) {
                Ok(()) => {}
                Err(_) => size /= 2,
            }
        }
        Ok(())
    }

    /// Gives the room back.
    ///
    /// # Errors
    /// When the file cannot be removed.
    pub fn free(&self) -> Result<()> {
        match fs::remove_file(self.ballast()) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    fn ballast(&self) -> PathBuf {
        self.0.join("ballast")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // The folder goes with it, or stays for the system to clean.
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

/// Where Debian and others put the library that moves clocks.
const FAKETIME: [&str; 4] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib64/faketime/libfaketimeMT.so.1",
    "/usr/lib/faketime/libfaketimeMT.so.1",
];

/// Whether clocks of processes can be moved here.
#[must_use]
pub fn has_faketime() -> bool {
    FAKETIME.iter().any(|path| Path::new(path).exists())
}

/// Gives a process a clock that can be moved: the file that moves it.
fn wind_up(options: &mut Options) -> Result<Option<PathBuf>> {
    let Some(library) = FAKETIME.iter().find(|path| Path::new(path).exists()) else {
        return Ok(None);
    };
    let file = options.folder.join("clock");
    fs::write(&file, "+0\n")?;
    for (name, value) in [
        ("LD_PRELOAD", *library),
        ("FAKETIME_TIMESTAMP_FILE", &*file.display().to_string()),
        ("FAKETIME_CACHE_DURATION", "1"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ("DONT_FAKE_MONOTONIC", "1"),
    ] {
        options.env.push((name.into(), value.into()));
    }
    Ok(Some(file))
}
