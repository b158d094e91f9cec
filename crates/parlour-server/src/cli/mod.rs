//! The command line: one file a family of commands.

mod accounts;
mod backup;
mod checks;
mod doctor;
mod export;
mod import;
mod migrate;
mod serve;

use std::{io::Write as _, path::PathBuf, process::ExitCode, sync::Arc};

use clap::{Parser, Subcommand};
use parlour_core::{
    event::Envelope,
    port::store::{CommitSink, Store},
};
use parlour_store::OpenError;

use crate::{
    config::{self, Config, Loaded, Period, Sources},
    parts,
};

/// The chat behind other people's applications.
#[derive(Parser)]
#[command(name = "parlour", version, about)]
struct Cli {
    /// Configuration file; without it `parlour.toml`, if there is one.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Database, as in `database.url`.
    #[arg(long, global = true, value_name = "URL")]
    database: Option<String>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server (also without any command).
    Serve(serve::Serve),
    /// Print an access token for a user.
    Token {
        /// The user's id.
        user_id: String,
        /// The name to show.
        #[arg(long)]
        name: Option<String>,
        /// How long it lasts.
        #[arg(long, default_value = "1h")]
        ttl: Period,
    },
    /// Built-in accounts.
    #[command(subcommand)]
    User(accounts::User),
    /// Keys for servers of the host application.
    #[command(subcommand)]
    Apikey(accounts::ApiKeys),
    /// Bring the database up to date (`serve` does it by itself), or copy everything into another database.
    Migrate(migrate::Migrate),
    /// Take in the history of another application, or an export. The server is stopped.
    Import(import::Import),
    /// Write everything but sign-ins as JSON Lines, for another Parlour to import. The server is stopped.
    Export(export::Export),
    Backup(backup::Backup),
    Restore(backup::Restore),
    /// Make clients load their conversations anew, after the database was put back to an earlier state by its own
    /// means (PostgreSQL). The server is stopped.
    Renew,
    /// Check configuration, secret, files and database.
    Doctor,
    /// Print what is configured, and where each value comes from.
    Config {
        /// Print the reference page instead.
        #[arg(long)]
        docs: bool,
        /// Print a file with every key instead.
        #[arg(long, conflicts_with = "docs")]
        example: bool,
    },
    /// Print the OpenAPI document.
    Openapi,
    /// Print the version.
    Version,
}

/// Runs the program with the arguments of the process.
#[must_use]
pub fn main() -> ExitCode {
    crate::system::install_crypto();
    match run(Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            complain(&format!("parlour: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let mut sources = Sources::of_process(cli.config);
    if let Some(url) = cli.database {
        sources.flags.push(("database.url", url));
    }
    match cli.command.unwrap_or_else(|| Command::Serve(serve::Serve::default())) {
        Command::Serve(serve) => return serve.run(sources),
        Command::Token { user_id, name, ttl } => {
            let loaded = load(&sources)?;
            say(&accounts::token(&loaded.config, &user_id, name.as_deref(), ttl)?);
        }
        Command::User(command) => accounts::user(&load(&sources)?.config, command)?,
        Command::Apikey(command) => accounts::api_keys(&load(&sources)?.config, command)?,
        Command::Migrate(command) => return command.run(&sources),
        Command::Import(command) => return command.run(&load(&sources)?.config),
        Command::Export(command) => command.run(&load(&sources)?.config)?,
        Command::Backup(command) => command.run(&load(&sources)?.config)?,
        Command::Restore(command) => command.run(&load(&sources)?.config)?,
        Command::Renew => backup::renew(&load(&sources)?.config)?,
        Command::Doctor => return Ok(checks::doctor(&sources)),
        Command::Config { docs: true, .. } => say(config::reference().trim_end()),
        Command::Config { example: true, .. } => say(config::example().trim_end()),
        Command::Config { .. } => say(config::effective(&load(&sources)?).trim_end()),
        Command::Openapi => say(crate::http::document().trim_end()),
        Command::Version => say(concat!("parlour ", env!("CARGO_PKG_VERSION"))),
    }
    Ok(ExitCode::SUCCESS)
}

/// Loads the configuration and tells what is strange about it.
fn load(sources: &Sources) -> anyhow::Result<Loaded> {
    let loaded = config::load(sources)?;
    for warning in &loaded.warnings {
        complain(&format!("warning: {warning}"));
    }
    Ok(loaded)
}

/// Prints a line. A reader that has gone away is no error.
fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Prints a line beside the output.
fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Runs one thing with the database, without a server.
fn with_store<T>(
    config: &Config,
    work: impl AsyncFnOnce(Arc<dyn Store>) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let options = parts::store_options(config);
    with_this_store(parlour_store::open(&config.database.url, options, Arc::new(Nobody)), work)
}

/// The same, with a store that is being opened.
fn with_this_store<T>(
    opening: impl Future<Output = Result<Arc<dyn Store>, OpenError>>,
    work: impl AsyncFnOnce(Arc<dyn Store>) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    block_on(async {
        let store = opening.await?;
        let result = work(store.clone()).await;
        store.close().await;
        result
    })?
}

/// Runs one thing to its end, on this thread.
fn block_on<T>(work: impl Future<Output = T>) -> anyhow::Result<T> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work))
}

/// Nobody listens to what a command changes.
struct Nobody;

impl CommitSink for Nobody {
    fn committed(&self, _: Vec<Envelope>) {}
}
