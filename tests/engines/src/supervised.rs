//! A server process that ends with the test that started it.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, Command, Stdio},
};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

/// Starts the program with its output in a log, tells its number, and kills it when nobody holds its input any more.
const SHELL: &str = r#"log=$1; shift
"$@" </dev/null >>"$log" 2>&1 3>&- &
child=$!
echo "$child"
exec >/dev/null
read -r _
kill -9 "$child" 2>/dev/null
wait "$child" 2>/dev/null
true"#;

/// A server under supervision.
#[derive(Debug)]
pub struct Supervised {
    shell: Child,
    pid: i32,
}

impl Supervised {
    /// Starts `program` with `arguments`; as another user, where one is given (user and group number).
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(
        program: &Path,
        arguments: &[String],
        folder: &Path,
        log: &Path,
        user: Option<(u32, u32)>,
    ) -> Result<Self> {
        let made = File::options().create(true).append(true).open(log);
        drop(made.with_context(|| format!("cannot write {}", log.display()))?);
        let mut command = Command::new("sh");
        command.arg("-c").arg(SHELL).arg("sh").arg(log).arg(program).args(arguments);
        command.current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::piped());
        if let Some((uid, gid)) = user {
            std::os::unix::fs::chown(log, Some(uid), Some(gid))?;
            command.uid(uid).gid(gid);
        }
        let mut shell =
            command.spawn().with_context(|| format!("{} does not start", program.display()))?;
        let mut line = String::new();
        let output = shell.stdout.take().context("no output of the shell")?;
        BufReader::new(output).read_line(&mut line)?;
        let pid = line.trim().parse().with_context(|| format!("no process: `{line}`"))?;
        Ok(Self { shell, pid })
    }

    /// Its process number.
    #[must_use]
    pub const fn pid(&self) -> i32 {
        self.pid
    }

    /// Ends it at once (`kill -9`), and waits until it is gone.
    ///
    /// # Errors
    /// When the shell cannot be waited for.
    pub fn kill(&mut self) -> Result<()> {
        drop(self.shell.stdin.take());
        self.shell.wait()?;
        Ok(())
    }

    /// Freezes it.
    ///
    /// # Errors
    /// When it is gone.
    pub fn freeze(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// Lets it go on.
    ///
    /// # Errors
    /// When it is gone.
    pub fn thaw(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// When it is gone.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        match Pid::from_raw(self.pid) {
            Some(pid) => Ok(kill_process(pid, signal)?),
            None => bail!("no process"),
        }
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        // It may be gone already, which is what we want.
        let _ = self.kill();
    }
}
