//! PgBouncer, the pooler, in transaction mode in front of a PostgreSQL server.

use std::fs;

use anyhow::Result;
use tempfile::TempDir;

use crate::{
    Supervised, free_port,
    postgres::{SUPERUSER, find, runner},
    redis::wait_for_port,
};

/// A pooler without sign-in, on a port of its own.
#[derive(Debug)]
pub struct Pgbouncer {
    folder: TempDir,
    port: u16,
    _server: Supervised,
}

impl Pgbouncer {
    /// Starts one in front of the server at this port, with so many connections to each database. `None` where it
    /// is not installed.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(postgres: u16, connections: u16) -> Result<Option<Self>> {
        let Some(program) = find(&["pgbouncer"]) else { return Ok(None) };
        let folder = tempfile::Builder::new().prefix("parlour-bouncer").tempdir()?;
        let port = free_port()?;
        let settings = format!(
            "[databases]\n* = host=127.0.0.1 port={postgres} user={SUPERUSER}\n[pgbouncer]\n\
             listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n\
             pool_mode = transaction\ndefault_pool_size = {connections}\nmax_client_conn = 200\n"
        );
        let file = folder.path().join("pgbouncer.ini");
        fs::write(&file, settings)?;
        if let Some((uid, gid)) = runner() {
            std::os::unix::fs::chown(folder.path(), Some(uid), Some(gid))?;
            std::os::unix::fs::chown(&file, Some(uid), Some(gid))?;
        }
        let log = folder.path().join("pgbouncer.log");
        let arguments = [file.display().to_string()];
        let server = Supervised::start(&program, &arguments, folder.path(), &log, runner())?;
        wait_for_port(port, &log)?;
        Ok(Some(Self { folder, port, _server: server }))
    }

    /// The address of a database behind it.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{SUPERUSER}@127.0.0.1:{}/{database}", self.port)
    }

    /// What it has said, for a test that fails.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("pgbouncer.log")).unwrap_or_default()
    }
}
