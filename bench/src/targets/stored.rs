//! Databases with many messages in them: each is filled once, from the one before it, and copied for each measurement.

use std::{
    fs::{self, File},
    io::{BufWriter, Write as _},
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context as _, Result, ensure};
use parlour_harness::{load::SERVER_CORE, process::database, token::SECRET};
use tempfile::TempDir;

use super::{
    history, parlour,
    running::{folder, pinned_to},
};

/// SQLite files by the number of their messages. They are removed with it.
#[derive(Default, Debug)]
pub struct Stored {
    folder: Option<TempDir>,
    /// From the smallest.
    filled: Vec<u64>,
}

impl Stored {
    /// A new folder with a database for Parlour that has so many messages.
    ///
    /// # Errors
    /// When the import fails, or the disk is full.
    pub fn copy(&mut self, messages: u64, pinned: bool) -> Result<TempDir> {
        let begun = match self.folder.take() {
            Some(begun) => begun,
            None => folder()?,
        };
        let begun = self.folder.insert(begun).path().to_owned();
        let source = file(&begun, messages);
        if !self.filled.contains(&messages) {
            let base = self.filled.iter().copied().filter(|filled| *filled < messages).max();
            if let Some(base) = base {
                fs::copy(file(&begun, base), &source)?;
            }
            import(&begun, &source, (base.unwrap_or(0), messages), pinned)
                .with_context(|| format!("filling with {messages} messages"))?;
            self.filled.push(messages);
        }
        let copy = folder()?;
        fs::copy(&source, database(copy.path()))?;
        // Else the target's first flush of it writes down the whole copy.
        fs::File::open(database(copy.path()))?.sync_all()?;
        Ok(copy)
    }
}

fn file(folder: &Path, messages: u64) -> PathBuf {
    folder.join(format!("{messages}.db"))
}

/// Adds the messages of a range to a database, as an operator would.
fn import(folder: &Path, database: &Path, (from, to): (u64, u64), pinned: bool) -> Result<()> {
    let log = folder.join("import.log");
    let mut child = pinned_to(pinned.then_some(SERVER_CORE), &parlour::binary()?)
        .args(["import", "-"])
        .current_dir(folder)
        .env("DATABASE_URL", format!("sqlite://{}", database.display()))
        .env("PARLOUR_JWT_SECRET", SECRET)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(File::create(&log)?)
        .spawn()
        .context("the import does not start")?;
    let written = child.stdin.take().context("no input").and_then(|input| {
        let mut out = BufWriter::with_capacity(1 << 16, input);
        history::write(&mut out, from, to)?;
        Ok(out.flush()?)
    });
    let status = child.wait()?;
    let told = || fs::read_to_string(&log).unwrap_or_default();
    ensure!(status.success(), "the import ended with {status}\n{}", told());
    written
}
