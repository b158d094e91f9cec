//! The sections of the configuration, but the limits.

use std::path::{Path, PathBuf};

use confique::Config as Section;
use serde::Deserialize;

use super::{LimitsSection, Network, Period, PusherSection, Secret, Zone};

/// Everything that can be configured.
#[derive(Section, Debug, Clone)]
pub struct Config {
    /// Where the server listens and how it is reached.
    #[config(nested)]
    pub server: ServerSection,
    /// Where everything is kept.
    #[config(nested)]
    pub database: DatabaseSection,
    /// Who may come in.
    #[config(nested)]
    pub auth: AuthSection,
    /// What sockets of the seed dialects speak when they do not say.
    #[config(nested)]
    pub dialects: DialectsSection,
    /// Applications whose clients and servers speak the Pusher Channels protocol.
    #[config(nested)]
    pub pusher: PusherSection,
    /// How processes wake each other.
    #[config(nested)]
    pub bus: BusSection,
    /// Sizes, counts and rates. Native clients are told them on connect; each refusal names its limit.
    #[config(nested)]
    pub limits: LimitsSection,
    /// What is logged, and how. Tokens, passwords and texts of messages never are.
    #[config(nested)]
    pub log: LogSection,
    /// Figures for Prometheus.
    #[config(nested)]
    pub metrics: MetricsSection,
}

/// Where the server listens and how it is reached.
#[derive(Section, Debug, Clone)]
pub struct ServerSection {
    /// Address and port to listen on. Port 0 takes a free one.
    #[config(default = "127.0.0.1:8000", env = "PARLOUR_LISTEN")]
    pub listen: String,
    /// The address under which browsers reach the server, such as `https://chat.example.org`. With `https`
    /// the session cookie is sent over TLS only.
    #[config(validate = is_web_address)]
    pub public_url: Option<String>,
    /// Origins of other sites whose pages may use the session cookie, such as `https://app.example.org`. The
    /// server's own is always allowed. Pages that bring a bearer token need not be listed.
    #[config(default = [], validate = are_origins)]
    pub allowed_origins: Vec<String>,
    /// Addresses or networks of the reverse proxies in front, whose `X-Forwarded-For` is believed.
    #[config(default = [])]
    pub trusted_proxies: Vec<Network>,
    /// Folder for files that the server keeps beside its database, such as the secret that it made for
    /// itself. Without it: the folder of the database file.
    pub data_dir: Option<PathBuf>,
    /// Offer message compression (permessage-deflate) to WebSocket clients. It makes large frames smaller and costs time of
    /// the processor for each: leave it off unless bytes are what you run short of (`docs/operations.md`).
    #[config(default = false)]
    pub compression: bool,
    /// Frames of less than so many bytes go out as they are, also to clients with compression.
    #[config(default = 1_024)]
    pub compression_min_bytes: usize,
    /// How long a shutdown may take until what is still open is cut.
    #[config(default = "30s")]
    pub drain: Period,
    /// How long a shutdown goes on serving while `/readyz` already says no, so that a load balancer that asks for it
    /// sends nobody here any more. It is part of `server.drain`.
    #[config(default = "0s")]
    pub drain_delay: Period,
}

/// Where everything is kept.
#[derive(Section, Debug, Clone)]
pub struct DatabaseSection {
    /// `sqlite://PATH`, or `sqlite::memory:` for one that is gone at the end; `postgres://USER:PASSWORD@HOST/NAME`
    /// for PostgreSQL, which several processes can share.
    #[config(default = "sqlite://parlour.db", env = "DATABASE_URL")]
    pub url: String,
    /// Most writing steps that share one transaction and one flush.
    #[config(default = 256, validate(*max_batch > 0, "it must be at least 1"))]
    pub max_batch: usize,
    /// PostgreSQL: an address that leads to the server itself, where `database.url` leads to a pooler such as
    /// PgBouncer in transaction mode. The process keeps one connection there, by which others see that it lives.
    pub session_url: Option<String>,
    /// PostgreSQL: most connections of this process, besides the one of `database.session_url`.
    #[config(default = 8, validate(*pool >= 2, "it must be at least 2"))]
    pub pool: usize,
    /// PostgreSQL: prepare statements once for each connection. Turn it off behind PgBouncer before 1.21, or where its
    /// `max_prepared_statements` is 0.
    #[config(default = true)]
    pub prepare: bool,
    /// SQLite: threads that read.
    #[config(default = 3, validate(*readers > 0, "it must be at least 1"))]
    pub readers: usize,
    /// When a message counts as stored: `full`, once it is flushed to the disk.
    #[config(default = "full")]
    pub durability: Durability,
}

impl DatabaseSection {
    /// The database file, when it is one.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        let path =
            self.url.strip_prefix("sqlite://").or_else(|| self.url.strip_prefix("sqlite:"))?;
        (!matches!(path, ":memory:" | "")).then(|| Path::new(path))
    }
}

/// When a message counts as stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// Once it is flushed to the disk.
    Full,
}

/// Who may come in.
#[derive(Section, Debug, Clone)]
pub struct AuthSection {
    /// Secret shared with the host application, for HS256 tokens; at least 32 bytes. The server's own access
    /// tokens are signed with it too. Without it the server makes one and keeps it in the data folder.
    #[config(env = "PARLOUR_JWT_SECRET")]
    pub jwt_secret: Option<Secret>,
    /// File that holds the secret, in place of `jwt_secret`. Only its owner should be able to read it.
    #[config(env = "PARLOUR_JWT_SECRET_FILE")]
    pub jwt_secret_file: Option<PathBuf>,
    /// Public keys of the host application, each as `ALGORITHM:FILE` with a PEM file and `RS256`, `ES256` or
    /// `EdDSA`.
    #[config(default = [])]
    pub public_keys: Vec<String>,
    /// Address of a JSON Web Key Set with the public keys of the host application's identity provider.
    #[config(validate = is_web_address)]
    pub jwks_url: Option<String>,
    /// The `iss` that tokens of the host application must have.
    pub issuer: Option<String>,
    /// The `aud` that tokens of the host application must have.
    pub audience: Option<String>,
    /// The claim that holds the user's id. Where a token lacks it, `sub` does.
    #[config(default = "user_id")]
    pub user_id_claim: String,
    /// The claim that holds a short name.
    #[config(default = "username")]
    pub username_claim: String,
    /// The claim that holds the name to show.
    #[config(default = "name")]
    pub name_claim: String,
    /// The claim that holds the address for mail.
    #[config(default = "email")]
    pub email_claim: String,
    /// The claim that holds the address of a picture.
    #[config(default = "picture")]
    pub avatar_claim: String,
    /// Longest life of an access token that is accepted. More than `7d` is unwise: a stolen one works so long.
    #[config(default = "24h")]
    pub max_token_life: Period,
    /// Make users that are unknown so far when a good token or another participant names them: the host
    /// application knows its users.
    #[config(default = true, env = "PARLOUR_TRUST_HOST_USERS")]
    pub trust_host_users: bool,
    /// Let people make accounts of their own, with a password.
    #[config(default = false)]
    pub registration: bool,
    /// How long an access token of a login lasts.
    #[config(default = "15m")]
    pub access_ttl: Period,
    /// How long a login lasts.
    #[config(default = "30d")]
    pub refresh_ttl: Period,
}

/// What sockets of the seed dialects speak when they do not say, and how.
#[derive(Section, Debug, Clone)]
pub struct DialectsSection {
    /// On `/ws/chat/`: `inbox`, `direct`, or `auto` (`inbox` until the first frame tells otherwise).
    #[config(default = "inbox", env = "PARLOUR_USER_DIALECT")]
    pub user: UserDialect,
    /// On `/ws/chat/{conversation_id}/`: `room`, `plain`, or `auto` (`room` until the first frame tells
    /// otherwise).
    #[config(default = "room", env = "PARLOUR_CONVERSATION_DIALECT")]
    pub conversation: ConversationDialect,
    /// Time zone in which `plain` writes its times, by its IANA name, such as `Europe/Berlin`.
    #[config(default = "UTC")]
    pub time_zone: Zone,
}

/// What a socket of a user speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UserDialect {
    /// `inbox`.
    Inbox,
    /// `direct`.
    Direct,
    /// The first frame tells.
    Auto,
}

/// What a socket of one conversation speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConversationDialect {
    /// `room`.
    Room,
    /// `plain`.
    Plain,
    /// The first frame tells.
    Auto,
}

/// How processes wake each other.
#[derive(Section, Debug, Clone)]
pub struct BusSection {
    /// Redis or Valkey, by which several processes on one PostgreSQL wake each other: `redis://HOST:PORT`, with TLS
    /// `rediss://…`; `redis+sentinel://HOST:PORT,HOST:PORT/MASTER` for what Sentinel watches over;
    /// `redis+cluster://HOST:PORT,HOST:PORT` for a cluster (`rediss+sentinel`, `rediss+cluster` with TLS). Name and
    /// password as in `redis://USER:PASSWORD@HOST`. Without it there is one process.
    #[config(env = "REDIS_URL")]
    pub redis_url: Option<String>,
    /// Which authorities are believed where the address asks for TLS: a file in PEM form. Without it, those of the system.
    pub redis_ca_file: Option<PathBuf>,
    /// What the names of its channels begin with; processes of one database have the same, others another.
    #[config(default = "parlour")]
    pub prefix: String,
}

/// What is logged, and how.
#[derive(Section, Debug, Clone)]
pub struct LogSection {
    /// `error`, `warn`, `info`, `debug` or `trace`; by module as in `info,parlour_server::auth=debug`.
    #[config(default = "info")]
    pub level: String,
    /// `pretty` for people, `json` for machines.
    #[config(default = "pretty")]
    pub format: LogFormat,
}

/// How a log line looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    Pretty,
    /// One JSON object a line.
    Json,
}

/// Figures for Prometheus.
#[derive(Section, Debug, Clone)]
pub struct MetricsSection {
    /// Address and port of a listener of their own, for networks that only the operator reaches. Without it
    /// they are at `/metrics` of the server.
    pub listen: Option<String>,
}

#[expect(clippy::ptr_arg, reason = "the validator of a field gets a reference to the field")]
fn is_web_address(url: &String) -> Result<(), &'static str> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    match rest {
        Some(rest) if !rest.is_empty() && !rest.contains(char::is_whitespace) => Ok(()),
        _ => Err("it must begin with https:// or http://"),
    }
}

#[expect(clippy::ptr_arg, reason = "the validator of a field gets a reference to the field")]
fn are_origins(origins: &Vec<String>) -> Result<(), &'static str> {
    let good = |origin: &String| {
        origin == "null"
            || (is_web_address(origin).is_ok()
                && origin.matches('/').count() == 2
                && !origin.chars().any(char::is_uppercase))
    };
    if origins.iter().all(good) {
        return Ok(());
    }
    Err("an origin is written as https://app.example.org, in lower case and without a path")
}
