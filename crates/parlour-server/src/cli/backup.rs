//! `parlour backup`, `parlour restore` and `parlour renew`.

use std::path::PathBuf;

use clap::Args;

use super::{block_on, say};
use crate::config::Config;

/// Write a copy of a SQLite database into a new file. The server may run.
#[derive(Args)]
pub(super) struct Backup {
    /// The new file.
    file: PathBuf,
}

impl Backup {
    pub(super) fn run(&self, config: &Config) -> anyhow::Result<()> {
        parlour_store::back_up(&config.database.url, &self.file)?;
        say(&format!("{} holds the database as it was at one moment", self.file.display()));
        Ok(())
    }
}

/// Put a backup in the place of the SQLite database. The server is stopped.
#[derive(Args)]
pub(super) struct Restore {
    /// The backup.
    file: PathBuf,
    /// Put the database that is there aside.
    #[arg(long)]
    replace: bool,
}

impl Restore {
    pub(super) fn run(&self, config: &Config) -> anyhow::Result<()> {
        let old = parlour_store::restore(&config.database.url, &self.file, self.replace)?;
        if let Some(old) = old {
            say(&format!("the old database is now {}", old.display()));
        }
        say("restored; clients that come back will load their conversations anew");
        Ok(())
    }
}

/// Tells clients to load anew, after the database was put back by its own means.
pub(super) fn renew(config: &Config) -> anyhow::Result<()> {
    let database = &config.database;
    block_on(parlour_store::renew(&database.url, database.session_url.as_deref()))??;
    say("every log has a new life; clients that come back will load their conversations anew");
    Ok(())
}
