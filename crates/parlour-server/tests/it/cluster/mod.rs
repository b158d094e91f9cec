//! Several processes on one PostgreSQL and one Redis, each through its own front door.

mod deliveries;
mod faults;
mod presence;
mod revocations;

use parlour_engines::{Database, Postgres, Redis, skip};
use serde_json::Value;

use crate::gateway::server::Server;

/// What the processes share.
pub(crate) struct Several {
    pub(crate) database: Database,
    pub(crate) redis: Redis,
}

impl Several {
    /// Starts Redis with these arguments, and takes a fresh database. `None`, loudly, where they are not installed.
    pub(crate) fn start(redis: &[&str]) -> Option<Self> {
        let (Some(database), Some(redis)) =
            (Postgres::shared().unwrap(), Redis::start(redis).unwrap())
        else {
            skip("several processes: PostgreSQL or Redis is not installed");
            return None;
        };
        Some(Self { database, redis })
    }

    /// One more process.
    pub(crate) fn server(&self, settings: &[(&str, &str)]) -> Server {
        let (database, redis) = (self.database.url(), self.redis.url());
        let mut all = vec![("DATABASE_URL", &*database), ("REDIS_URL", &*redis)];
        all.extend_from_slice(settings);
        Server::with(&all)
    }
}

fn is(kind: &'static str) -> impl Fn(&Value) -> bool {
    move |frame| frame["type"] == kind
}

/// A message with this text.
fn says(text: &str) -> impl Fn(&Value) -> bool {
    move |frame| frame["type"] == "message.created" && frame["message"]["content"] == text
}
