//! Finding the value of each key: flags, then environment, then file, then default.

use std::{collections::BTreeMap, fmt, path::PathBuf};

use confique::{
    Config as _, Layer as _,
    meta::{Expr, Field, FieldKind, LeafKind, Meta},
};
use parlour_bus::{OpenError, RedisOptions};
use toml::{Table, Value};

use super::{BusSection, Config};

/// Where values may come from.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// Keys (`server.listen`) that the command line sets.
    pub flags: Vec<(&'static str, String)>,
    /// The environment.
    pub env: BTreeMap<String, String>,
    /// The file that was named; it must exist.
    pub file: Option<PathBuf>,
    /// The file that is read when it is there and none was named.
    pub default_file: Option<PathBuf>,
}

impl Sources {
    /// The process's environment, with `parlour.toml` of the working directory when nothing else is named.
    #[must_use]
    pub fn of_process(file: Option<PathBuf>) -> Self {
        let env: BTreeMap<_, _> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let file = file.or_else(|| env.get("PARLOUR_CONFIG").map(PathBuf::from));
        Self { flags: Vec::new(), env, file, default_file: Some("parlour.toml".into()) }
    }
}

/// Where a value was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Origin {
    /// The command line.
    Flag,
    /// This environment variable.
    Env(String),
    /// This file.
    File(PathBuf),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str("flag"),
            Self::Env(name) => write!(f, "environment {name}"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

/// Why the configuration cannot be used. The text names the key.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration file {}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("{} is not TOML: {message}", path.display())]
    Syntax {
        /// Which.
        path: PathBuf,
        /// Where and why.
        message: String,
    },
    /// The file has a key that does not exist.
    #[error("{}: there is no key `{key}`{}", path.display(), hint.as_ref().map(|h| format!("; did you mean `{h}`?")).unwrap_or_default())]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// The key that was probably meant.
        hint: Option<String>,
    },
    /// A value does not fit.
    #[error("`{key}` ({origin}): {message}")]
    Value {
        /// The key.
        key: String,
        /// Where it was set.
        origin: Origin,
        /// What is wrong with it.
        message: String,
    },
    /// The values do not fit together, or this build cannot do what they ask.
    #[error("`{key}`: {message}")]
    Unsupported {
        /// The key.
        key: &'static str,
        /// What is wrong.
        message: String,
    },
}

/// A configuration with the place where each value was found.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The values.
    pub config: Config,
    /// By key: what was set, and where. Keys that are not here have their default.
    pub set: BTreeMap<String, (Value, Origin)>,
    /// What is strange, but does not keep the server from starting.
    pub warnings: Vec<String>,
}

/// A key, what it is set to, and where.
type Found = (String, (Value, Origin));

/// Loads the configuration.
///
/// # Errors
/// [`ConfigError`], naming the key.
pub fn load(sources: &Sources) -> Result<Loaded, ConfigError> {
    let mut set: BTreeMap<String, (Value, Origin)> = BTreeMap::new();
    for (key, text) in &sources.flags {
        let value = find(key).map_or_else(|| Value::from(text.clone()), |f| typed(f, text));
        set.insert((*key).to_owned(), (value, Origin::Flag));
    }
    for (key, field) in keys() {
        let name = env_name(&key, field);
        if let Some(text) = sources.env.get(&name).filter(|text| !text.is_empty()) {
            set.entry(key).or_insert_with(|| (typed(field, text), Origin::Env(name)));
        }
    }
    for (key, found) in read_file(sources)? {
        set.entry(key).or_insert(found);
    }

    let mut layer = <Config as confique::Config>::Layer::empty();
    for (key, (value, origin)) in &set {
        let one = single(key, value.clone()).try_into::<<Config as confique::Config>::Layer>();
        let one = one.map_err(|error| ConfigError::Value {
            key: key.clone(),
            origin: origin.clone(),
            message: error.message().to_owned(),
        })?;
        layer = layer.with_fallback(one);
    }
    let layer = layer.with_fallback(<Config as confique::Config>::Layer::default_values());
    let config = Config::from_layer(layer).map_err(|error| ConfigError::Unsupported {
        key: "configuration",
        message: error.to_string(),
    })?;
    refuse_unsupported(&config)?;
    let warnings = warnings(&config, sources);
    Ok(Loaded { config, set, warnings })
}

/// Every key with its declaration, as `section.key`.
pub(super) fn keys() -> impl Iterator<Item = (String, &'static Field)> {
    Config::META.fields.iter().flat_map(|section| {
        fields(section).iter().map(move |field| (format!("{}.{}", section.name, field.name), field))
    })
}

/// The fields of a section.
pub(super) fn fields(section: &'static Field) -> &'static [Field] {
    match section.kind {
        FieldKind::Nested { meta: Meta { fields, .. } } => fields,
        FieldKind::Leaf { .. } => &[],
    }
}

/// The environment variable of a key.
pub(super) fn env_name(key: &str, field: &Field) -> String {
    match field.kind {
        FieldKind::Leaf { env: Some(name), .. } => name.to_owned(),
        _ => format!("PARLOUR_{}", key.replace('.', "_").to_uppercase()),
    }
}

fn find(key: &str) -> Option<&'static Field> {
    keys().find_map(|(name, field)| (name == key).then_some(field))
}

/// What a text of the command line or the environment means, by the type of the key's default.
fn typed(field: &Field, text: &str) -> Value {
    let default = match field.kind {
        FieldKind::Leaf { kind: LeafKind::Required { default }, .. } => default,
        _ => None,
    };
    let as_text = || Value::from(text);
    match default {
        Some(Expr::Bool(_)) => match text.to_ascii_lowercase().as_str() {
            "on" | "true" | "yes" | "1" => Value::from(true),
            "off" | "false" | "no" | "0" => Value::from(false),
            _ => as_text(),
        },
        Some(Expr::Integer(_)) => text.parse::<i64>().map_or_else(|_| as_text(), Value::from),
        // Lists of tables are written as TOML has them.
        Some(Expr::Array(_) | Expr::Map(_)) if text.starts_with(['[', '{']) => {
            let written = format!("value = {text}").parse::<Table>().ok();
            written.and_then(|mut table| table.remove("value")).unwrap_or_else(as_text)
        }
        Some(Expr::Array(_)) => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            Value::from(items.map(Value::from).collect::<Vec<_>>())
        }
        _ => as_text(),
    }
}

fn single(key: &str, value: Value) -> Table {
    let (section, name) = key.split_once('.').unwrap_or((key, ""));
    let mut inner = Table::new();
    inner.insert(name.to_owned(), value);
    let mut outer = Table::new();
    outer.insert(section.to_owned(), Value::Table(inner));
    outer
}

fn read_file(sources: &Sources) -> Result<Vec<Found>, ConfigError> {
    let Some(path) = sources.file.as_ref().or(sources.default_file.as_ref()) else {
        return Ok(Vec::new());
    };
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound && sources.file.is_none() => {
            return Ok(Vec::new());
        }
        Err(source) => return Err(ConfigError::Read { path: path.clone(), source }),
    };
    let table: Table = text.parse().map_err(|error: toml::de::Error| ConfigError::Syntax {
        path: path.clone(),
        message: error.message().to_owned(),
    })?;
    let unknown = |key: String| {
        let hint = nearest(&key);
        Err(ConfigError::UnknownKey { path: path.clone(), key, hint })
    };
    let mut found = Vec::new();
    for (section, inner) in table {
        if !Config::META.fields.iter().any(|field| field.name == section) {
            return unknown(section);
        }
        let Value::Table(inner) = inner else { return unknown(section) };
        for (name, value) in inner {
            let key = format!("{section}.{name}");
            if find(&key).is_none() {
                return unknown(key);
            }
            found.push((key, (value, Origin::File(path.clone()))));
        }
    }
    Ok(found)
}

/// The key that was probably meant: the same name elsewhere, or one that shares most of its letters.
fn nearest(key: &str) -> Option<String> {
    let name = key.rsplit('.').next().unwrap_or(key);
    let near = |candidate: &str| {
        let own = candidate.rsplit('.').next().unwrap_or(candidate);
        own == name || edits(own, name) <= 2
    };
    keys().map(|(candidate, _)| candidate).find(|candidate| near(candidate))
}

/// How many letters must be added, removed or replaced.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (j, y) in b.iter().enumerate() {
            let above = row.get(j + 1).copied().unwrap_or(usize::MAX);
            let best = (diagonal + usize::from(x != *y)).min(left + 1).min(above.saturating_add(1));
            diagonal = above;
            if let Some(cell) = row.get_mut(j) {
                *cell = left;
            }
            left = best;
        }
        if let Some(cell) = row.last_mut() {
            *cell = left;
        }
    }
    row.last().copied().unwrap_or(0)
}

fn refuse_unsupported(config: &Config) -> Result<(), ConfigError> {
    let refuse =
        |key, message: &str| Err(ConfigError::Unsupported { key, message: message.to_owned() });
    if config.bus.redis_url.is_some() && config.database.url.starts_with("sqlite:") {
        return refuse(
            "bus.redis_url",
            "several processes cannot share a SQLite database; use postgres://, or leave Redis (REDIS_URL) out",
        );
    }
    if config.auth.jwt_secret.is_some() && config.auth.jwt_secret_file.is_some() {
        return refuse("auth.jwt_secret_file", "set either the secret or its file, not both");
    }
    check_bus(&config.bus)?;
    config.pusher.check().map_err(|(key, message)| ConfigError::Unsupported { key, message })
}

fn check_bus(bus: &BusSection) -> Result<(), ConfigError> {
    let Some(url) = bus.redis_url.as_deref() else { return Ok(()) };
    let options = RedisOptions { url, prefix: &bus.prefix, authorities: None };
    options.check().map_err(|error| {
        let key = if matches!(error, OpenError::Prefix) { "bus.prefix" } else { "bus.redis_url" };
        ConfigError::Unsupported { key, message: error.to_string() }
    })
}

fn warnings(config: &Config, sources: &Sources) -> Vec<String> {
    let mut warnings = Vec::new();
    let week = std::time::Duration::from_secs(7 * 86_400);
    if config.auth.max_token_life.0 > week {
        warnings.push("auth.max_token_life is above 7d: a stolen token works that long".to_owned());
    }
    for (key, value, hard) in [
        ("limits.frame_bytes", config.limits.frame_bytes, 1024 * 1024),
        ("limits.group_participants", config.limits.group_participants, 10_000),
    ] {
        if value > hard {
            warnings.push(format!("{key} is above {hard}, which was never tested"));
        }
    }
    warnings.extend(config.pusher.warnings());
    let known: Vec<String> = keys().map(|(key, field)| env_name(&key, field)).collect();
    for name in sources.env.keys().filter(|name| name.starts_with("PARLOUR_")) {
        if name != "PARLOUR_CONFIG" && !known.contains(name) {
            warnings.push(format!("the environment variable {name} means nothing to this program"));
        }
    }
    warnings
}
