//! `parlour token`, `parlour user` and `parlour apikey`.

use std::{
    io::{IsTerminal as _, Read as _},
    sync::Arc,
};

use anyhow::Context as _;
use clap::Subcommand;
use parlour_core::{
    UserId,
    model::{ApiKey, Credential},
    port::{clock::Clock as _, store::ProfileUpdate},
};

use super::{complain, say, with_store};
use crate::{
    auth::{self, password, secret},
    config::{Config, Period},
    system::{SystemClock, SystemRandom},
};

/// Built-in accounts.
#[derive(Subcommand)]
pub(super) enum User {
    /// Make an account, or give one a new password.
    Add {
        /// The name to sign in with.
        username: String,
        /// The user's id; without it the username.
        #[arg(long)]
        id: Option<String>,
        /// The name to show.
        #[arg(long)]
        name: Option<String>,
        /// Read the password from the standard input instead of asking.
        #[arg(long)]
        password_stdin: bool,
    },
}

/// Keys for servers of the host application.
#[derive(Subcommand)]
pub(super) enum ApiKeys {
    /// Make a key and print it, this once.
    Add {
        /// A name, which logs show.
        name: String,
    },
    /// List the names.
    List,
    /// Remove a key.
    Remove {
        /// Its name.
        name: String,
    },
}

/// A token for a user.
pub(super) fn token(
    config: &Config,
    user_id: &str,
    name: Option<&str>,
    ttl: Period,
) -> anyhow::Result<String> {
    let user = UserId::new(user_id)?;
    let secret = secret::load(config, &SystemRandom, true)?;
    for notice in &secret.notices {
        complain(&format!("note: {notice}"));
    }
    if ttl.0 > config.auth.max_token_life.0 {
        anyhow::bail!("the server accepts no token that lives longer than auth.max_token_life");
    }
    let clock = Arc::new(SystemClock::default());
    auth::mint(config, &secret.bytes, clock, &user, name, ttl.millis())
}

pub(super) fn user(config: &Config, command: User) -> anyhow::Result<()> {
    let User::Add { username, id, name, password_stdin } = command;
    let password = read_password(password_stdin)?;
    password::check(&password)?;
    let id = UserId::new(id.as_deref().unwrap_or(&username))?;
    let hash = password::hash_blocking(&password)?;
    let now = SystemClock::default().now();
    with_store(config, async |store| {
        let update = ProfileUpdate {
            id: id.clone(),
            username: Some(username.as_str().into()),
            name: name.map(Into::into),
            email: None,
            avatar: None,
        };
        store.save_user(update, now).await?;
        let credential =
            Credential { user: id.clone(), username: username.as_str().into(), password: hash };
        store.set_credential(credential, now).await?;
        Ok(())
    })?;
    say(&format!("user {id} signs in as {username}"));
    Ok(())
}

fn read_password(from_stdin: bool) -> anyhow::Result<String> {
    if !from_stdin && std::io::stdin().is_terminal() {
        let first = rpassword::prompt_password("Password: ")?;
        let second = rpassword::prompt_password("Once more: ")?;
        anyhow::ensure!(first == second, "the two differ");
        return Ok(first);
    }
    let mut text = String::new();
    std::io::stdin().take(64 * 1024).read_to_string(&mut text).context("no password came")?;
    Ok(text.trim_end_matches(['\n', '\r']).to_owned())
}

pub(super) fn api_keys(config: &Config, command: ApiKeys) -> anyhow::Result<()> {
    with_store(config, async |store| {
        match command {
            ApiKeys::Add { name } => {
                let (key, hash) = auth::new_api_key(&SystemRandom);
                let created_at = SystemClock::default().now();
                store.add_api_key(ApiKey { name: name.into(), secret: hash, created_at }).await?;
                say(&key);
            }
            ApiKeys::List => {
                for key in store.api_keys().await? {
                    let made = jiff::Timestamp::from_millisecond(key.created_at)?;
                    say(&format!("{}\t{made:.0}", key.name));
                }
            }
            ApiKeys::Remove { name } => {
                let removed = store.remove_api_key(name.as_str().into()).await?;
                anyhow::ensure!(removed, "there is no key `{name}`");
            }
        }
        Ok(())
    })
}
