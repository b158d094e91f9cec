//! A target that runs, on a core of its own: started, looked at, ended.

use std::{
    fs::{self, File},
    net::{SocketAddr, TcpStream},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use parlour_engines::free_port;
use parlour_harness::{load::SERVER_CORE, token::SECRET};
use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::{Program, Target, parlour::Parlour, tree};
use crate::dialect::World;

/// How long a target may take until it listens.
const PATIENCE: Duration = Duration::from_secs(90);

/// How long it may take to end when it is asked to.
const GRACE: Duration = Duration::from_secs(10);

/// Who will come: the server must know them before.
#[derive(Clone, Copy, Debug)]
pub struct Cast {
    /// Pairs: users 1 and 2, 3 and 4, and so on.
    pub pairs: usize,
    /// People in the room: users 1 to that number.
    pub room: usize,
}

/// How a target is started.
#[derive(Debug)]
pub struct Start {
    /// Who will come.
    pub cast: Cast,
    /// Whether target and generator have cores of their own.
    pub pinned: bool,
    /// How many processes of it; more than one only of Parlour, on one database and one bus.
    pub processes: Processes,
    /// The folder that it works in, which may hold a database for Parlour.
    pub folder: TempDir,
}

/// How many processes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Processes {
    /// One, which needs no other.
    Alone,
    /// So many that share a bus.
    Joined(usize),
}

impl Start {
    /// In an empty folder, one process.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn new(cast: Cast, pinned: bool) -> Result<Self> {
        Ok(Self { cast, pinned, processes: Processes::Alone, folder: folder()? })
    }
}

/// A new folder; it is removed with all that is in it.
///
/// # Errors
/// When it cannot be made.
pub(super) fn folder() -> Result<TempDir> {
    Ok(tempfile::Builder::new().prefix("parlour-bench").tempdir()?)
}

enum Process {
    Parlour(Box<Parlour>),
    Other(Child),
}

/// A running target.
pub struct Running {
    process: Process,
    addresses: Vec<SocketAddr>,
    /// Which conversation has which number.
    pub world: World,
    folder: TempDir,
}

impl Running {
    /// Starts it, and makes the conversations of those who will come.
    ///
    /// # Errors
    /// When it does not start; the text holds the end of its log.
    pub fn start(runtime: &Runtime, target: &Target, start: Start) -> Result<Self> {
        let Start { cast, pinned, processes, folder } = start;
        let core = pinned.then_some(SERVER_CORE);
        match target.program {
            Program::Parlour(engine) => runtime.block_on(async {
                let parlour = Parlour::start(engine, processes, core, folder.path()).await?;
                let world = parlour.make_conversations(cast).await?;
                let addresses = parlour.addresses();
                Ok(Self { process: Process::Parlour(parlour.into()), addresses, world, folder })
            }),
            Program::Floor(name) => {
                let mut command = pinned_to(core, &sibling(name)?);
                command.arg(folder.path().join("floor.db"));
                start_other(command, cast, folder)
            }
            Program::Peer(name, environment) => {
                let script = peers().join(name).join("run.sh");
                let mut command = pinned_to(core, &script);
                command.envs(environment.iter().copied());
                start_other(command, cast, folder)
            }
        }
    }

    /// Where its processes listen; there is one at least.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Its processes: those of its database and its bus too.
    #[must_use]
    pub fn processes(&self) -> Vec<i32> {
        let roots = match &self.process {
            Process::Parlour(parlour) => parlour.roots(),
            Process::Other(child) => i32::try_from(child.id()).into_iter().collect(),
        };
        roots.into_iter().flat_map(tree::all).collect()
    }

    /// Resident memory in KiB.
    ///
    /// # Errors
    /// When the kernel does not tell.
    pub fn resident_kib(&self) -> Result<u64> {
        tree::resident_kib(&self.processes())
    }

    /// Processor time used so far.
    #[must_use]
    pub fn used(&self) -> tree::Used {
        tree::used(&self.processes())
    }

    /// The end of its log.
    #[must_use]
    pub fn log_end(&self) -> String {
        match &self.process {
            Process::Parlour(parlour) => parlour.log_end(),
            Process::Other(_) => log_end(self.folder.path()),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Process::Other(child) = &mut self.process {
            end(child);
        }
    }
}

/// Asks all of its processes to end, and makes them.
fn end(child: &mut Child) {
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let signal = |signal| group.map(|group| kill_process_group(group, signal));
    signal(Signal::TERM);
    let deadline = Instant::now() + GRACE;
    while Instant::now() < deadline && matches!(child.try_wait(), Ok(None)) {
        std::thread::sleep(Duration::from_millis(10));
    }
    signal(Signal::KILL);
    let _ = child.wait();
}

pub(super) fn pinned_to(core: Option<usize>, program: &Path) -> Command {
    match core {
        Some(core) => {
            let mut command = Command::new("taskset");
            command.arg("-c").arg(core.to_string()).arg(program);
            command
        }
        None => Command::new(program),
    }
}

/// A program that was built beside this one.
pub(super) fn sibling(name: &str) -> Result<PathBuf> {
    let here = std::env::current_exe()?;
    // Tests are one folder below.
    let found = here.ancestors().skip(1).take(2).map(|folder| folder.join(name));
    let found = found.into_iter().find(|path| path.is_file());
    found.with_context(|| format!("{name} is not built"))
}

fn peers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers")
}

/// What its `setup.sh` makes. The two of Channels share a folder.
pub(super) fn peer_is_installed(name: &str) -> bool {
    let folder = name.split('-').next().unwrap_or(name);
    let folder = peers().join(folder);
    folder.join(".installed").is_dir() || folder.join("node_modules").is_dir()
}

fn log_end(folder: &Path) -> String {
    let text = fs::read_to_string(folder.join("target.log")).unwrap_or_default();
    let lines: Vec<&str> = text.lines().rev().take(20).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}

fn start_other(mut command: Command, cast: Cast, folder: TempDir) -> Result<Running> {
    let port = free_port()?;
    let log = File::create(folder.path().join("target.log"))?;
    let users = cast.room.max(2 * cast.pairs);
    let mut child = command
        .env("PORT", port.to_string())
        .env("BENCH_SECRET", SECRET)
        .env("BENCH_USERS", users.to_string())
        .env("BENCH_PAIRS", cast.pairs.to_string())
        .env("BENCH_ROOM", cast.room.to_string())
        .env("BENCH_DATA", folder.path())
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .process_group(0)
        .spawn()
        .context("the target does not start")?;
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    if let Err(error) = wait_until_it_listens(&mut child, address, folder.path()) {
        end(&mut child);
        return Err(error);
    }
    let (process, addresses) = (Process::Other(child), vec![address]);
    Ok(Running { process, addresses, world: World::in_order(cast.pairs), folder })
}

fn wait_until_it_listens(child: &mut Child, address: SocketAddr, folder: &Path) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_err() {
        if let Some(status) = child.try_wait()? {
            bail!("the target ended while starting ({status})\n{}", log_end(folder));
        }
        if Instant::now() > deadline {
            bail!("the target does not listen\n{}", log_end(folder));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}
