//! Redis servers.

use std::{
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

use crate::{Supervised, free_port};

/// How long a server may take until it listens.
const PATIENCE: Duration = Duration::from_secs(20);

/// A Redis server without persistence, in a folder of its own.
#[derive(Debug)]
pub struct Redis {
    folder: TempDir,
    program: PathBuf,
    arguments: Vec<String>,
    port: u16,
    server: Option<Supervised>,
}

impl Redis {
    /// The program, where it is installed: Redis, else Valkey.
    #[must_use]
    pub fn program() -> Option<PathBuf> {
        crate::postgres::find(&["redis-server", "valkey-server"])
    }

    /// Starts one; more arguments as `--name value`. `None` where it is not installed.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(arguments: &[&str]) -> Result<Option<Self>> {
        let Some(program) = Self::program() else { return Ok(None) };
        let mut redis = Self {
            folder: tempfile::tempdir()?,
            program,
            arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
            port: free_port()?,
            server: None,
        };
        redis.restart()?;
        Ok(Some(redis))
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Its port on 127.0.0.1.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Runs a command on the server at a port of this machine; what it answers, as `redis-cli` prints it.
    ///
    /// # Errors
    /// When the server refuses, or `redis-cli` is missing.
    pub fn cli(port: u16, command: &[&str]) -> Result<String> {
        let Some(program) = crate::postgres::find(&["redis-cli", "valkey-cli"]) else {
            bail!("redis-cli is not installed");
        };
        let output = Command::new(program)
            .args(["-e", "-h", "127.0.0.1", "-p", &port.to_string()])
            .args(command)
            .stdin(Stdio::null())
            .output()?;
        if !output.status.success() {
            bail!("{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
    }

    /// The port by which a cluster's servers speak with each other.
    pub(crate) fn cluster_port(&self) -> Result<String> {
        let mut after = self.arguments.iter().skip_while(|argument| *argument != "--cluster-port");
        after.nth(1).cloned().context("it is not part of a cluster")
    }

    /// Its folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The running process, if it was not killed.
    #[must_use]
    pub const fn process(&self) -> Option<&Supervised> {
        self.server.as_ref()
    }

    /// Ends it at once.
    ///
    /// # Errors
    /// When it cannot be waited for.
    pub fn kill(&mut self) -> Result<()> {
        self.server.take().map_or(Ok(()), |mut server| server.kill())
    }

    /// Starts it again on the same port, empty. Kills the one that runs.
    ///
    /// # Errors
    /// When it does not listen.
    pub fn restart(&mut self) -> Result<()> {
        self.kill()?;
        let folder = self.folder.path();
        let mut arguments: Vec<String> =
            ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir"]
                .map(String::from)
                .to_vec();
        arguments.push(folder.display().to_string());
        arguments.extend(["--port".to_owned(), self.port.to_string()]);
        arguments.extend(self.arguments.iter().cloned());
        let log = folder.join("redis.log");
        self.server = Some(Supervised::start(&self.program, &arguments, folder, &log, None)?);
        wait_for_port(self.port, &log)
    }
}

/// Waits until something listens.
pub(crate) fn wait_for_port(port: u16, log: &Path) -> Result<()> {
    let address: SocketAddr = ([127, 0, 0, 1], port).into();
    let deadline = Instant::now() + PATIENCE;
    while TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_err() {
        if Instant::now() > deadline {
            let log = std::fs::read_to_string(log).unwrap_or_default();
            bail!("nothing listens on port {port}\n{log}");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}
