//! The real binary as a child process: start, stop, kill, freeze, and start again on the same port and files.

use std::{
    fs::{self, OpenOptions},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::{rest::Rest, token::SECRET};

/// How long a server may take until it is ready, and until it has ended.
const PATIENCE: Duration = Duration::from_secs(30);

/// How to start a server.
#[derive(Clone, Debug)]
pub struct Options {
    /// The program.
    pub binary: PathBuf,
    /// Its folder: database, log.
    pub folder: PathBuf,
    /// More environment, after that of the harness.
    pub env: Vec<(String, String)>,
    /// The core to run on.
    pub core: Option<usize>,
}

impl Options {
    /// The usual server: rates off, a database in `folder`.
    ///
    /// # Errors
    /// When there is no binary and none can be built.
    pub fn new(folder: &Path) -> Result<Self> {
        Ok(Self { binary: binary()?, folder: folder.into(), env: Vec::new(), core: None })
    }

    /// With one more variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }
}

/// The program under test: `PARLOUR_BIN`, else what cargo builds.
///
/// # Errors
/// When it cannot be built.
pub fn binary() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("PARLOUR_BIN") {
        return Ok(path.into());
    }
    build(&["--workspace", "--bin", "parlour"], "parlour")
}

/// The server with faults on purpose. It shares everything with the ordinary build but the crates that have
/// the faults.
///
/// # Errors
/// When it cannot be built.
pub fn mutant_binary() -> Result<PathBuf> {
    mutant("parlour-mutant")
}

/// A program with the faults on purpose. Both are built at once, and as part of the whole workspace: what they are made of
/// is then what the ordinary tests are made of, but for the crates with the faults.
///
/// # Errors
/// When it cannot be built.
pub fn mutant(name: &str) -> Result<PathBuf> {
    let features = "parlour-harness/mutants,parlour-simulation/mutants";
    let programs = ["--bin", "parlour-mutant", "--bin", "parlour-simulation-mutant"];
    build(&[&["--workspace", "--features", features], &programs[..]].concat(), name)
}

/// Builds a program of the workspace, and says where it is.
///
/// # Errors
/// When it cannot be built.
fn build(what: &[&str], name: &str) -> Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize()?;
    let mut cargo = Command::new("cargo");
    cargo.current_dir(&root).args(["build", "--locked", "--quiet"]).args(what);
    let status = cargo.status().context("cargo is needed to build the server")?;
    if !status.success() {
        bail!("cargo could not build the server");
    }
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), Into::into);
    Ok(target.join("debug").join(name))
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    options: Options,
    address: SocketAddr,
    child: Child,
}

impl Server {
    /// Starts the program on a free port and waits until it is ready.
    ///
    /// # Errors
    /// When it does not get ready; the text holds the end of its log.
    pub async fn start(options: Options) -> Result<Self> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        fs::create_dir_all(&options.folder)?;
        let child = spawn(&options, address)?;
        let mut server = Self { options, address, child };
        server.wait_until_ready().await?;
        Ok(server)
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// How it was started, and is started again.
    pub const fn options(&mut self) -> &mut Options {
        &mut self.options
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Its folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.options.folder
    }

    /// Its database file.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        database(&self.options.folder)
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A REST client for a user of this server.
    ///
    /// # Errors
    /// When no token can be minted.
    pub fn rest(&self, user: &str) -> Result<Rest> {
        Rest::new(self.address, user)
    }

    /// Ends it at once, as a power cut of the process would (`kill -9`).
    ///
    /// # Errors
    /// When it cannot be killed.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Asks it to end (SIGTERM) and waits until it has.
    ///
    /// # Errors
    /// When it has not ended within 40 s.
    pub async fn terminate(&mut self) -> Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        let deadline = Instant::now() + PATIENCE + Duration::from_secs(10);
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        bail!("the server did not end after SIGTERM\n{}", self.log_end())
    }

    /// Freezes it (SIGSTOP).
    ///
    /// # Errors
    /// When it is gone.
    pub fn freeze(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// Lets it go on (SIGCONT).
    ///
    /// # Errors
    /// When it is gone.
    pub fn thaw(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    /// Starts it again on the same port and files.
    ///
    /// # Errors
    /// When it does not get ready.
    pub async fn restart(&mut self) -> Result<()> {
        self.child = spawn(&self.options, self.address)?;
        self.wait_until_ready().await
    }

    /// Starts it again without waiting until it is ready.
    ///
    /// # Errors
    /// When the program is gone.
    pub fn start_again(&mut self) -> Result<()> {
        // Usually it has ended; two must not hold the port.
        self.kill()?;
        self.child = spawn(&self.options, self.address)?;
        Ok(())
    }

    /// Sends it a signal that asks it to end, and does not wait.
    ///
    /// # Errors
    /// When it is gone.
    pub fn ask_to_end(&self) -> Result<()> {
        self.signal(Signal::TERM)
    }

    /// The last lines of its log.
    #[must_use]
    pub fn log_end(&self) -> String {
        let text = fs::read_to_string(log(&self.options.folder)).unwrap_or_default();
        let lines: Vec<&str> = text.lines().rev().take(30).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }

    /// Resident memory in KiB.
    ///
    /// # Errors
    /// When the kernel does not tell.
    pub fn resident_kib(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().next());
        number.and_then(|number| number.parse().ok()).context("no VmRSS in the process status")
    }

    /// Processor time used so far, in seconds.
    ///
    /// # Errors
    /// When the kernel does not tell.
    pub fn cpu_seconds(&self) -> Result<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid()))?;
        let after_name = stat.rsplit_once(") ").context("an odd process status")?.1;
        let mut fields = after_name.split(' ').skip(11).map(str::parse::<u32>);
        let (Some(Ok(user)), Some(Ok(system))) = (fields.next(), fields.next()) else {
            bail!("an odd process status");
        };
        Ok(f64::from(user + system) / 100.0)
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw).context("no process")?;
        Ok(kill_process(pid, signal)?)
    }

    async fn wait_until_ready(&mut self) -> Result<()> {
        let rest = Rest::new(self.address, "harness")?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait()? {
                bail!("the server ended while starting ({status})\n{}", self.log_end());
            }
            if rest.get("/readyz").await.is_ok_and(|answer| answer.status == 200) {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("the server did not get ready\n{}", self.log_end());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may be gone already, which is what we want.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The database file in a server's folder.
#[must_use]
pub fn database(folder: &Path) -> PathBuf {
    folder.join("parlour.db")
}

fn log(folder: &Path) -> PathBuf {
    folder.join("server.log")
}

fn spawn(options: &Options, address: SocketAddr) -> Result<Child> {
    let log = OpenOptions::new().create(true).append(true).open(log(&options.folder))?;
    let mut command = match options.core {
        Some(core) => {
            let mut command = Command::new("taskset");
            command.arg("-c").arg(core.to_string()).arg(&options.binary);
            command
        }
        None => Command::new(&options.binary),
    };
    command
        .arg("serve")
        .current_dir(&options.folder)
        .env("PARLOUR_LISTEN", address.to_string())
        .env("DATABASE_URL", format!("sqlite://{}", database(&options.folder).display()))
        .env("PARLOUR_JWT_SECRET", SECRET)
        .env("PARLOUR_RATE_LIMITS", "off")
        .envs(options.env.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .with_context(|| format!("{} does not start", options.binary.display()))
}
