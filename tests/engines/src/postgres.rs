//! PostgreSQL servers: one of a test's own, which it may break, or one shared by all tests that run at a time.

use std::{
    fs::{self, File},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use anyhow::{Context as _, Result, bail};
use rustix::fs::{FlockOperation, flock};
use tempfile::TempDir;

use crate::{Supervised, free_port, redis::wait_for_port};

/// Who owns the cluster: the server asks for no password on the loopback interface.
pub(crate) const SUPERUSER: &str = "parlour";

/// Keeps a shared server until nobody has held the lock for some seconds.
const KEEPER: &str = r#"cd "$1" || exit 1
"$2" -D data </dev/null >>server.log 2>&1 &
server=$!
echo "$server" >server.pid
quiet=0
while kill -0 "$server" 2>/dev/null; do
  sleep 2
  if flock -xn lock true; then quiet=$((quiet + 1)); else quiet=0; fi
  if [ "$quiet" -ge 8 ]; then rm -f ready; kill -INT "$server"; wait "$server"; exit; fi
done
rm -f ready"#;

/// Where a program is: on the path, or where Debian puts PostgreSQL's.
pub(crate) fn find(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    folders.extend(["/usr/sbin", "/sbin"].map(PathBuf::from));
    names
        .iter()
        .find_map(|name| folders.iter().map(|folder| folder.join(name)).find(|file| file.is_file()))
}

/// The folder of PostgreSQL's programs: the newest version.
fn programs() -> Option<PathBuf> {
    if let Some(initdb) = find(&["initdb"]) {
        return fs::canonicalize(initdb).ok()?.parent().map(Path::to_owned);
    }
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
    let mut found: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let version = path.file_name()?.to_str()?.parse().ok()?;
            path.join("bin/initdb").is_file().then(|| (version, path.join("bin")))
        })
        .collect();
    found.sort();
    found.pop().map(|(_, folder)| folder)
}

/// As whom the server runs. It refuses to be root.
pub(crate) fn runner() -> Option<(u32, u32)> {
    // `nobody` has this number on every Linux system that we know; nothing needs to own a name.
    rustix::process::geteuid().is_root().then_some((65_534, 65_534))
}

fn as_runner(command: &mut Command) -> &mut Command {
    if let Some((uid, gid)) = runner() {
        command.uid(uid).gid(gid);
    }
    command
}

/// Makes a cluster in `folder/data`, with its port, ready to start.
fn make_cluster(programs: &Path, folder: &Path, port: u16, settings: &[&str]) -> Result<()> {
    if let Some((uid, gid)) = runner() {
        std::os::unix::fs::chown(folder, Some(uid), Some(gid))?;
    }
    let mut initdb = Command::new(programs.join("initdb"));
    initdb.current_dir(folder).args(["-D", "data", "-A", "trust", "-U", SUPERUSER]);
    initdb.args(["-E", "UTF8", "--locale=C", "--no-sync"]);
    let made = as_runner(&mut initdb).stdin(Stdio::null()).output().context("initdb")?;
    if !made.status.success() {
        bail!("initdb: {}", String::from_utf8_lossy(&made.stderr));
    }
    let file = folder.join("data/postgresql.conf");
    let mut text = fs::read_to_string(&file)?;
    let socket = folder.display();
    text.push_str(&format!(
        "\nlisten_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = '{socket}'\n\
         max_connections = 200\nshared_buffers = 64MB\nautovacuum_naptime = 10s\n"
    ));
    for setting in settings {
        text.push_str(setting);
        text.push('\n');
    }
    Ok(fs::write(file, text)?)
}

/// Waits until the server takes connections.
fn wait(programs: &Path, port: u16, log: &Path) -> Result<()> {
    wait_for_port(port, log)?;
    wait_while(programs, port, log, || true).map(drop)
}

/// Waits until the server takes connections; whether it did, before something ceased to be true.
fn wait_while(programs: &Path, port: u16, log: &Path, goes_on: impl Fn() -> bool) -> Result<bool> {
    for _ in 0..2_000 {
        let ready = Command::new(programs.join("pg_isready"))
            .args(["-q", "-h", "127.0.0.1", "-p", &port.to_string()])
            .status()?;
        if ready.success() {
            return Ok(true);
        }
        if !goes_on() {
            return Ok(false);
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    bail!("PostgreSQL is not ready\n{}", fs::read_to_string(log).unwrap_or_default())
}

/// Whether a process runs: one that has ended, and waits to be looked at by its parent, does not.
fn is_running(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| !rest.trim().is_empty() && !rest.starts_with(" Z"))
}

/// A PostgreSQL server of a test's own.
#[derive(Debug)]
pub struct Postgres {
    folder: TempDir,
    programs: PathBuf,
    port: u16,
    server: Option<Supervised>,
}

impl Postgres {
    /// Whether it is installed.
    #[must_use]
    pub fn is_installed() -> bool {
        programs().is_some()
    }

    /// Makes a cluster and starts it; `settings` are lines of its configuration. `None` where it is not installed.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(settings: &[&str]) -> Result<Option<Self>> {
        let Some(programs) = programs() else { return Ok(None) };
        let folder = tempfile::Builder::new().prefix("parlour-pg").tempdir()?;
        let port = free_port()?;
        make_cluster(&programs, folder.path(), port, settings)?;
        let mut postgres = Self { folder, programs, port, server: None };
        postgres.restart()?;
        Ok(Some(postgres))
    }

    /// The server that all tests share, started by the first that needs it and gone some seconds after the last: gives
    /// a fresh database in it. `None` where it is not installed.
    ///
    /// # Errors
    /// When it does not start.
    pub fn shared() -> Result<Option<Database>> {
        let Some(programs) = programs() else { return Ok(None) };
        let user = rustix::process::geteuid().as_raw();
        let folder = std::env::temp_dir().join(format!("parlour-tests-pg-{user}"));
        fs::create_dir_all(&folder)?;
        // Who makes or starts it holds the door; who uses it holds the lock.
        let door = File::create(folder.join("door"))?;
        flock(&door, FlockOperation::LockExclusive)?;
        let lock = File::create(folder.join("lock"))?;
        flock(&lock, FlockOperation::LockShared)?;
        let port = match running(&programs, &folder) {
            Some(port) => port,
            None => start_shared(&programs, &folder)?,
        };
        drop(door);
        Database::create(&programs, port, Some(lock)).map(Some)
    }

    /// A fresh database in this server.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn database(&self) -> Result<Database> {
        Database::create(&self.programs, self.port, None)
    }

    /// The address of a database in it.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        url(self.port, database)
    }

    /// Its port on 127.0.0.1.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Its folder: `data` is in it.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The running process, if it was not killed.
    #[must_use]
    pub const fn process(&self) -> Option<&Supervised> {
        self.server.as_ref()
    }

    /// Ends it at once (`kill -9` of its first process; the others notice and end).
    ///
    /// # Errors
    /// When it cannot be waited for.
    pub fn kill(&mut self) -> Result<()> {
        self.server.take().map_or(Ok(()), |mut server| server.kill())
    }

    /// Starts it again on the same files and port. Kills the one that runs.
    ///
    /// # Errors
    /// When it does not get ready.
    pub fn restart(&mut self) -> Result<()> {
        self.kill()?;
        let folder = self.folder.path().to_owned();
        let log = folder.join("server.log");
        let program = self.programs.join("postgres");
        let arguments = ["-D".to_owned(), "data".to_owned()];
        // The backends of a killed server may hold its memory for a moment: then the new one ends at once.
        for _ in 0..50 {
            let server = Supervised::start(&program, &arguments, &folder, &log, runner())?;
            let pid = server.pid();
            self.server = Some(server);
            if wait_while(&self.programs, self.port, &log, || is_running(pid))? {
                return Ok(());
            }
            self.kill()?;
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        bail!("PostgreSQL does not start again")
    }
}

fn url(port: u16, database: &str) -> String {
    format!("postgres://{SUPERUSER}@127.0.0.1:{port}/{database}")
}

/// The port of the shared server, if it runs.
fn running(programs: &Path, folder: &Path) -> Option<u16> {
    let port: u16 = fs::read_to_string(folder.join("ready")).ok()?.trim().parse().ok()?;
    wait(programs, port, &folder.join("server.log")).ok().map(|()| port)
}

fn start_shared(programs: &Path, folder: &Path) -> Result<u16> {
    let left = folder.join("data");
    if left.exists() {
        fs::remove_dir_all(&left)?;
    }
    let port = free_port()?;
    make_cluster(programs, folder, port, &["fsync = on"])?;
    let mut keeper = Command::new("setsid");
    keeper.args(["sh", "-c", KEEPER, "sh"]).arg(folder).arg(programs.join("postgres"));
    keeper.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    as_runner(&mut keeper).spawn().context("setsid")?;
    wait(programs, port, &folder.join("server.log"))?;
    fs::write(folder.join("ready"), port.to_string())?;
    if let Some((uid, gid)) = runner() {
        std::os::unix::fs::chown(folder.join("ready"), Some(uid), Some(gid))?;
    }
    Ok(port)
}

/// A database that is dropped with this.
#[derive(Debug)]
pub struct Database {
    programs: PathBuf,
    port: u16,
    name: String,
    /// Keeps the shared server.
    _lock: Option<File>,
}

impl Database {
    fn create(programs: &Path, port: u16, lock: Option<File>) -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("t{}_{count}", std::process::id());
        let made = Self { programs: programs.into(), port, name, _lock: lock };
        made.maintain(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", made.name))?;
        made.maintain(&format!("CREATE DATABASE {}", made.name))?;
        Ok(made)
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> String {
        url(self.port, &self.name)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The port of its server on 127.0.0.1.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Runs a statement in it, as its superuser; what it prints, a row a line, columns separated by `|`.
    ///
    /// # Errors
    /// What the server says.
    pub fn run(&self, sql: &str) -> Result<String> {
        self.psql(&self.name, sql)
    }

    fn maintain(&self, sql: &str) -> Result<String> {
        self.psql("postgres", sql)
    }

    fn psql(&self, database: &str, sql: &str) -> Result<String> {
        let output = Command::new(self.programs.join("psql"))
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1"])
            .args(["-p", &self.port.to_string(), "-U", SUPERUSER, "-d", database, "-c", sql])
            .stdin(Stdio::null())
            .output()
            .context("psql")?;
        if !output.status.success() {
            bail!("{sql}: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // The server may be gone.
        let _ = self.maintain(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
    }
}
