//! `parlour doctor`.

use std::{path::Path, process::ExitCode, sync::Arc};

use parlour_store::OpenError;

use super::{Nobody, block_on, doctor, say, with_this_store};
use crate::{
    auth::secret,
    config::{self, Config, Sources},
    parts,
    system::SystemRandom,
};

/// What the checks found.
#[derive(Default)]
pub(super) struct Findings {
    bad: bool,
}

impl Findings {
    pub(super) fn good(&self, text: &str) {
        say(&format!("ok       {text}"));
    }

    pub(super) fn warn(&self, text: &str) {
        say(&format!("warning  {text}"));
    }

    pub(super) fn bad(&mut self, text: &str) {
        self.bad = true;
        say(&format!("error    {text}"));
    }
}

pub(super) fn doctor(sources: &Sources) -> ExitCode {
    let mut findings = Findings::default();
    match config::load(sources) {
        Err(error) => findings.bad(&format!("{:#}", anyhow::Error::new(error))),
        Ok(loaded) => {
            findings.good("the configuration can be used");
            for warning in &loaded.warnings {
                findings.warn(warning);
            }
            check_secret(&loaded.config, &mut findings);
            let bus = doctor::open_bus(&loaded.config);
            let opened = bus.as_ref().and_then(|bus| bus.as_ref().ok());
            check_database(&loaded.config, opened, &mut findings);
            check_address(&loaded.config, &findings);
            let asked = block_on(async {
                doctor::check_bus(bus, &mut findings).await;
                doctor::check_proxy(&loaded.config, &mut findings).await;
            });
            if let Err(error) = asked {
                findings.bad(&format!("{error:#}"));
            }
        }
    }
    if crate::http::is_built() {
        findings.good("the inbox is part of this build");
    } else {
        findings.warn("the inbox is not part of this build: see js/README.md");
    }
    if findings.bad { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn check_secret(config: &Config, findings: &mut Findings) {
    match secret::load(config, &SystemRandom, false) {
        Err(error) => findings.bad(&format!("{error:#}")),
        Ok(secret) => {
            findings.good("there is a secret for access tokens");
            for notice in &secret.notices {
                findings.warn(notice);
            }
        }
    }
}

fn check_database(config: &Config, bus: Option<&doctor::OpenBus>, findings: &mut Findings) {
    if let Some(file) = config.database.file() {
        for notice in file_notices(file) {
            findings.warn(&notice);
        }
    }
    let options = parts::store_options(config);
    let node = options.node;
    let opening = parlour_store::open(&config.database.url, options, Arc::new(Nobody));
    let checked = with_this_store(opening, async |store| {
        store.check().await?;
        findings.good("the database answers and can be written");
        doctor::check_clock(&*store, findings).await?;
        match bus {
            Some(bus) => doctor::check_cluster(node, bus.name(), &*store, findings).await,
            None => Ok(()),
        }
    });
    match checked {
        Ok(()) => {}
        Err(error) if is_in_use(&error) => {
            findings.good("the database is in use by a running server");
        }
        Err(error) => findings.bad(&format!("{error:#}")),
    }
}

/// Whether a server has the database: one in the same place that has it alone, or others where this one would be alone.
fn is_in_use(error: &anyhow::Error) -> bool {
    use OpenError::{Alone, InUse, Shared};
    matches!(error.downcast_ref(), Some(InUse { .. } | Alone { .. } | Shared { .. }))
}

fn file_notices(file: &Path) -> Vec<String> {
    let mut notices: Vec<String> = secret::too_open(file).into_iter().collect();
    if std::fs::symlink_metadata(file).is_ok_and(|metadata| metadata.file_type().is_symlink()) {
        notices.push(format!("{} is a symbolic link", file.display()));
    }
    notices
}

fn check_address(config: &Config, findings: &Findings) {
    let listen = &config.server.listen;
    let local = ["127.", "localhost:", "[::1]:"].iter().any(|start| listen.starts_with(start));
    if !local && config.server.public_url.is_none() {
        findings.warn("server.public_url is not set: behind TLS the session cookie lacks `Secure`");
    }
}
