//! Parlour as a target: its processes, the database and the bus that they share, all on one core.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use parlour_engines::{Database, Postgres, Redis, Supervised};
use parlour_harness::process::{Options, Server};
use rustix::{
    io::Errno,
    process::Pid,
    thread::{CpuSet, sched_setaffinity},
};

use super::{Cast, Engine, Processes, running::sibling, tree};
use crate::dialect::{World, pusher};

/// Parlour and what it needs; the servers end first.
pub(super) struct Parlour {
    servers: Vec<Server>,
    database: Option<(Database, Postgres)>,
    bus: Option<Redis>,
}

impl Parlour {
    /// Starts it in a folder.
    pub(super) async fn start(
        engine: Engine,
        processes: Processes,
        core: Option<usize>,
        folder: &Path,
    ) -> Result<Self> {
        let database = match engine {
            Engine::Sqlite => None,
            Engine::Postgres => Some(start_postgres(core)?),
        };
        let (count, bus) = match processes {
            Processes::Alone => (1, None),
            Processes::Joined(count) => (count, Some(start_redis(core)?)),
        };
        let binary = binary()?;
        let mut servers = Vec::new();
        for number in 0..count {
            let folder = match number {
                0 => folder.to_owned(),
                _ => folder.join(number.to_string()),
            };
            let (binary, env) = (binary.clone(), Vec::new());
            let mut options = Options { binary, folder, env, core }
                .env("PARLOUR_LIMITS_CONNECTIONS_PER_ADDRESS", "20000")
                .env("PARLOUR_LIMITS_CONNECTIONS_BEFORE_AUTH", "20000")
                .env("PARLOUR_LIMITS_GROUP_PARTICIPANTS", "10000")
                .env("PARLOUR_PUSHER_APP_ID", pusher::KEY)
                .env("PARLOUR_PUSHER_KEY", pusher::KEY)
                .env("PARLOUR_PUSHER_SECRET", pusher::SECRET)
                .env("PARLOUR_LOG_LEVEL", "warn");
            if let Some((database, _)) = &database {
                options = options.env("DATABASE_URL", &database.url());
            }
            if let Some(bus) = &bus {
                options = options.env("REDIS_URL", &bus.url());
            }
            servers.push(Server::start(options).await?);
        }
        Ok(Self { servers, database, bus })
    }

    /// Makes the conversations of those who will come, over the first process.
    pub(super) async fn make_conversations(&self, cast: Cast) -> Result<World> {
        let server = self.servers.first().context("no process")?;
        let mut world = World::default();
        for pair in 0..cast.pairs {
            let (one, other) = ((2 * pair + 1).to_string(), (2 * pair + 2).to_string());
            let made = server.rest(&one)?.create_conversation("direct", &[&other]).await?;
            world.pairs.push(made);
        }
        if cast.room > 0 {
            let others: Vec<String> = (2..=cast.room).map(|user| user.to_string()).collect();
            let others: Vec<&str> = others.iter().map(String::as_str).collect();
            world.room = server.rest("1")?.create_conversation("group", &others).await?;
        }
        Ok(world)
    }

    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        self.servers.iter().map(Server::address).collect()
    }

    /// Its processes, and those of database and bus: each may have more below it.
    pub(super) fn roots(&self) -> Vec<i32> {
        let servers = self.servers.iter().filter_map(|server| i32::try_from(server.pid()).ok());
        let database = self.database.as_ref().and_then(|(_, postgres)| postgres.process());
        let bus = self.bus.as_ref().and_then(Redis::process);
        servers.chain(database.into_iter().chain(bus).map(Supervised::pid)).collect()
    }

    /// The ends of the logs of all.
    pub(super) fn log_end(&self) -> String {
        self.servers.iter().map(Server::log_end).collect::<Vec<_>>().join("\n")
    }
}

/// The program: `PARLOUR_BIN`, else the one beside this one.
pub(super) fn binary() -> Result<PathBuf> {
    match std::env::var_os("PARLOUR_BIN") {
        Some(path) => Ok(path.into()),
        None => sibling("parlour"),
    }
}

/// PostgreSQL on the core of the server.
fn start_postgres(core: Option<usize>) -> Result<(Database, Postgres)> {
    let postgres = Postgres::start(&[])?.context("PostgreSQL is not installed")?;
    pin(core, postgres.process())?;
    Ok((postgres.database()?, postgres))
}

/// Redis on the core of the server.
fn start_redis(core: Option<usize>) -> Result<Redis> {
    let redis = Redis::start(&[])?.context("Redis is not installed")?;
    pin(core, redis.process())?;
    Ok(redis)
}

/// What it starts later inherits the core.
fn pin(core: Option<usize>, process: Option<&Supervised>) -> Result<()> {
    let (Some(core), Some(process)) = (core, process) else { return Ok(()) };
    let mut set = CpuSet::new();
    set.set(core);
    for pid in tree::all(process.pid()) {
        for thread in tree::threads(pid) {
            pin_thread(thread, &set)?;
        }
    }
    Ok(())
}

fn pin_thread(thread: i32, set: &CpuSet) -> Result<()> {
    match sched_setaffinity(Pid::from_raw(thread), set) {
        // PostgreSQL has processes that end by themselves.
        Ok(()) | Err(Errno::SRCH) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_ended_meanwhile_need_not_be_pinned() {
        let mut ended = std::process::Command::new("true").spawn().unwrap();
        ended.wait().unwrap();
        let mut set = CpuSet::new();
        set.set(0);
        pin_thread(i32::try_from(ended.id()).unwrap(), &set).unwrap();
        pin_thread(i32::try_from(std::process::id()).unwrap(), &CpuSet::new()).unwrap_err();
    }
}
