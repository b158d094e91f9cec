//! `parlour serve`.

use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use super::say;
use crate::{
    app::App,
    config::{self, LogFormat, LogSection, Sources},
    demo,
};

/// How to run the server.
#[derive(clap::Args, Default)]
pub(super) struct Serve {
    /// With demo people and conversations: alice, bob and more, each with the password `demo`.
    #[arg(long)]
    demo: bool,
    /// Address and port to listen on, as in `server.listen`.
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<String>,
}

impl Serve {
    pub(super) fn run(self, mut sources: Sources) -> anyhow::Result<ExitCode> {
        if let Some(listen) = self.listen {
            sources.flags.push(("server.listen", listen));
        }
        let loaded = config::load(&sources)?;
        start_log(&loaded.config.log)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(async {
            // Before the start, so that an early signal is not lost.
            let mut terminate = signal(SignalKind::terminate())?;
            let mut interrupt = signal(SignalKind::interrupt())?;
            let app = App::start(&loaded, self.demo).await?;
            if self.demo {
                say(&demo::welcome(app.address(), app.has_demo_application()));
            }
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            tracing::info!("shutting down");
            let hurry = async {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
            };
            tokio::select! {
                () = app.shut_down() => Ok(ExitCode::SUCCESS),
                () = hurry => {
                    tracing::warn!("a second signal: not waiting any longer");
                    Ok(ExitCode::FAILURE)
                }
            }
        })
    }
}

fn start_log(log: &LogSection) -> anyhow::Result<()> {
    let filter =
        EnvFilter::try_new(&log.level).map_err(|error| anyhow::anyhow!("`log.level`: {error}"))?;
    // A log that cannot be written, because its disk is full, must not end the program: telling of it on the same
    // output would.
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .log_internal_errors(false);
    match log.format {
        LogFormat::Json => builder.json().flatten_event(true).init(),
        LogFormat::Pretty => {
            use std::io::IsTerminal as _;
            builder.with_ansi(std::io::stderr().is_terminal()).init();
        }
    }
    std::panic::set_hook(Box::new(|panic| {
        // Where it was, not what it said: that may hold anything.
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "a panic");
    }));
    Ok(())
}
