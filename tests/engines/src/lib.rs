//! PostgreSQL and Redis for tests: started from installed programs, on free ports, in temporary folders.
//!
//! A server that a test starts ends with it, also when the test is killed: it runs under a small shell that waits for
//! the end of its standard input, which only the test holds open.

mod pgbouncer;
pub mod postgres;
pub mod redis;
mod redis_groups;
mod supervised;

use std::net::{SocketAddr, TcpListener};

pub use pgbouncer::Pgbouncer;
pub use postgres::{Database, Postgres};
pub use redis::Redis;
pub use redis_groups::{Cluster, MASTER, Sentinel};
pub use supervised::Supervised;

/// A port that is free at the moment.
///
/// # Errors
/// When there is none.
pub fn free_port() -> std::io::Result<u16> {
    let address: SocketAddr = ([127, 0, 0, 1], 0).into();
    Ok(TcpListener::bind(address)?.local_addr()?.port())
}

/// Says loudly that a test cannot run here, because a program is not installed. Where `CI` is set it fails instead.
///
/// # Panics
/// Where `CI` is set.
#[expect(clippy::print_stdout, reason = "a skipped test must be seen")]
pub fn skip(what: &str) {
    println!("*** SKIPPED: {what} ***");
    assert!(std::env::var_os("CI").is_none(), "{what}");
}
