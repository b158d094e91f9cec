//! Redis servers that belong together: a master with a replica under Sentinel, and a cluster.

use std::{fs, time::Duration};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

use crate::{Redis, Supervised, free_port, redis::wait_for_port};

/// Under which name Sentinel knows the master.
pub const MASTER: &str = "parlour";

/// A master, a replica, and one Sentinel that makes the replica the master when the master is gone for half a second.
#[derive(Debug)]
pub struct Sentinel {
    /// First the master, then the replica, as they began.
    pub servers: [Redis; 2],
    /// Sentinel writes its configuration there.
    _folder: TempDir,
    port: u16,
    _sentinel: Supervised,
}

impl Sentinel {
    /// Starts them. `None` where Redis is not installed.
    ///
    /// # Errors
    /// When they do not start, or do not find each other.
    pub fn start() -> Result<Option<Self>> {
        let Some(program) = Redis::program() else { return Ok(None) };
        let Some(master) = Redis::start(&[])? else { return Ok(None) };
        let of = format!("127.0.0.1 {}", master.port());
        let Some(replica) = Redis::start(&["--replicaof", &of])? else { return Ok(None) };
        let (folder, port) = (tempfile::tempdir()?, free_port()?);
        let configuration = format!(
            "port {port}\nbind 127.0.0.1\nsentinel monitor {MASTER} {of} 1\n\
             sentinel down-after-milliseconds {MASTER} 500\nsentinel failover-timeout {MASTER} 3000\n"
        );
        let file = folder.path().join("sentinel.conf");
        fs::write(&file, configuration)?;
        let log = folder.path().join("sentinel.log");
        let arguments = [file.display().to_string(), "--sentinel".to_owned()];
        let sentinel = Supervised::start(&program, &arguments, folder.path(), &log, None)?;
        wait_for_port(port, &log)?;
        let group = Self { servers: [master, replica], _folder: folder, port, _sentinel: sentinel };
        group.wait_for_replica()?;
        Ok(Some(group))
    }

    /// The address of the master, as Sentinel tells it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis+sentinel://127.0.0.1:{}/{MASTER}", self.port)
    }

    /// Until Sentinel knows a replica there is none that it could make the master.
    fn wait_for_replica(&self) -> Result<()> {
        wait("Sentinel does not find the replica", || {
            let known = Redis::cli(self.port, &["SENTINEL", "REPLICAS", MASTER])?;
            let line = known.lines().skip_while(|line| *line != "master-link-status").nth(1);
            Ok(line == Some("ok"))
        })
    }
}

/// A cluster of three masters, without replicas.
#[derive(Debug)]
pub struct Cluster {
    /// The masters.
    pub servers: Vec<Redis>,
}

impl Cluster {
    /// Starts it. `None` where Redis is not installed.
    ///
    /// # Errors
    /// When it does not start, or does not get ready.
    pub fn start() -> Result<Option<Self>> {
        let mut servers = Vec::new();
        for _ in 0..3 {
            let port = free_port()?.to_string();
            let started = Redis::start(&[
                "--cluster-enabled",
                "yes",
                "--cluster-port",
                &port,
                "--cluster-node-timeout",
                "1000",
                "--cluster-require-full-coverage",
                "no",
            ])?;
            let Some(server) = started else { return Ok(None) };
            servers.push(server);
        }
        let cluster = Self { servers };
        cluster.assign()?;
        Ok(Some(cluster))
    }

    /// The address of the cluster.
    #[must_use]
    pub fn url(&self) -> String {
        let hosts: Vec<_> =
            self.servers.iter().map(|server| format!("127.0.0.1:{}", server.port())).collect();
        format!("redis+cluster://{}", hosts.join(","))
    }

    fn assign(&self) -> Result<()> {
        let first = self.servers.first().context("no server")?;
        for (server, range) in self.servers.iter().zip([[0, 5460], [5461, 10922], [10923, 16383]]) {
            let [from, to] = range.map(|slot| slot.to_string());
            Redis::cli(server.port(), &["CLUSTER", "ADDSLOTSRANGE", &from, &to])?;
            let (port, bus) = (server.port().to_string(), server.cluster_port()?);
            Redis::cli(first.port(), &["CLUSTER", "MEET", "127.0.0.1", &port, &bus])?;
        }
        wait("the cluster does not get ready", || {
            for server in &self.servers {
                let info = Redis::cli(server.port(), &["CLUSTER", "INFO"])?;
                let has = |word: &str| info.lines().any(|line| line.trim() == word);
                if !has("cluster_state:ok")
                    || !has("cluster_slots_ok:16384")
                    || !has("cluster_known_nodes:3")
                {
                    return Ok(false);
                }
            }
            Ok(true)
        })
    }

    /// Gives a slot from one server to another, as the tools do: keys would be moved between the steps.
    ///
    /// # Errors
    /// When a server refuses.
    pub fn move_slot(&self, slot: u16, from: usize, to: usize) -> Result<()> {
        let port =
            |index: usize| self.servers.get(index).map(Redis::port).context("no such server");
        let (from, to, slot) = (port(from)?, port(to)?, slot.to_string());
        let id = |port| Redis::cli(port, &["CLUSTER", "MYID"]);
        let (from_id, to_id) = (id(from)?, id(to)?);
        Redis::cli(to, &["CLUSTER", "SETSLOT", &slot, "IMPORTING", &from_id])?;
        Redis::cli(from, &["CLUSTER", "SETSLOT", &slot, "MIGRATING", &to_id])?;
        for port in [to, from] {
            Redis::cli(port, &["CLUSTER", "SETSLOT", &slot, "NODE", &to_id])?;
        }
        Ok(())
    }
}

fn wait(what: &str, is_so: impl Fn() -> Result<bool>) -> Result<()> {
    for _ in 0..2_000 {
        if is_so()? {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    bail!("{what}")
}
