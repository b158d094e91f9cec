//! `parlour export`.

use std::{
    fs::OpenOptions,
    io::{BufWriter, Write, stdout},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use parlour_core::port::clock::Clock as _;

use super::{complain, import::Progress, with_store};
use crate::{config::Config, system::SystemClock, transfer};

/// Where to write everything.
#[derive(clap::Args)]
pub(super) struct Export {
    /// A file that is not there yet; `-`, or nothing, for the standard output.
    #[arg(default_value = "-")]
    file: PathBuf,
}

impl Export {
    pub(super) fn run(self, config: &Config) -> anyhow::Result<()> {
        let now = SystemClock::default().now();
        let lines = with_store(config, async |store| {
            // After the store is open: a file is made only when there is something to put into it.
            let mut output = create(&self.file)?;
            let mut shown = Progress::new();
            transfer::export(&*store, now, &mut output, |lines| shown.lines(lines)).await
        })?;
        complain(&format!("{lines} lines written"));
        Ok(())
    }
}

fn create(file: &Path) -> anyhow::Result<Box<dyn Write>> {
    if file == Path::new("-") {
        return Ok(Box::new(BufWriter::with_capacity(1 << 20, stdout())));
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        // It holds what people wrote.
        options.mode(0o600);
    }
    let created = options.open(file).with_context(|| format!("cannot make {}", file.display()))?;
    Ok(Box::new(BufWriter::with_capacity(1 << 20, created)))
}
