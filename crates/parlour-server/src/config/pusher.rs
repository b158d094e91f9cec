//! The section of the Pusher protocol: applications, their keys, webhooks and limits.

use confique::Config as Section;
use parlour_wire::{EventNames, pusher::PusherLimits, pusher::Signer};
use serde::Deserialize;

use super::{Period, Secret};

/// Shorter secrets can be guessed; the server warns.
const SHORT_SECRET: usize = 16;
/// Longest id of an application.
const APP_ID: usize = 64;
/// Most events that a channel may keep for those who ask for its history.
const MAX_HISTORY: u16 = 1_000;

/// Applications whose clients and servers speak the Pusher Channels protocol.
#[derive(Section, Debug, Clone)]
pub struct PusherSection {
    /// Applications, as `[[pusher.apps]]` tables; see `docs/dialects/pusher.md`. Channels of different
    /// applications have nothing to do with each other. The first one carries the chat.
    #[config(default = [])]
    pub apps: Vec<PusherApp>,
    /// Id of the application that `key` and `secret` make, which comes first. Where `apps` has one with this id,
    /// they are a key of that one. Some server libraries accept digits only.
    #[config(default = "1")]
    pub app_id: String,
    /// Key of the first application.
    pub key: Option<String>,
    /// Secret of the first application.
    pub secret: Option<Secret>,
    /// Names of the chat's events, for clients that expect those of their own backend: `message_sent`,
    /// `message_edited`, `message_deleted`, `messages_read`, `user_typing`, `user_stopped_typing`, `user_status`.
    #[config(default = {})]
    pub event_names: PusherEventNames,
    /// After this quiet time a client asks whether the server is still there; it is told on connect.
    #[config(default = "120s", validate(activity_timeout.0.as_secs() > 0, "it must be at least 1s"))]
    pub activity_timeout: Period,
    /// Largest data of one event, in bytes.
    #[config(default = 10_240)]
    pub max_event_bytes: usize,
    /// Most channels that one publish goes to.
    #[config(default = 100)]
    pub max_trigger_channels: usize,
    /// Most events in one batch.
    #[config(default = 10)]
    pub max_batch_events: usize,
    /// Most users on one presence channel.
    #[config(default = 100)]
    pub max_presence_members: usize,
    /// Most client events of a connection, each second.
    #[config(default = 10)]
    pub max_client_events_per_second: u32,
    /// Most channels that one connection subscribes.
    #[config(default = 1_000)]
    pub max_channels_per_connection: usize,
    /// How long a cache channel keeps its last event.
    #[config(default = "30m")]
    pub cache_ttl: Period,
    /// Memory for what cache channels and histories keep, in bytes; past it the oldest goes.
    #[config(default = 67_108_864)]
    pub max_kept_bytes: usize,
    /// How long a publish may come again with the same signature: a library signs two equal events of one second
    /// alike. Later it is refused as a replay; `0s` refuses every repetition.
    #[config(default = "2s")]
    pub repeat_window: Period,
    /// Events of webhooks that may wait for one receiver; past it new ones are dropped, counted and logged.
    #[config(default = 10_000, validate(*max_webhook_queue > 0, "it must be at least 1"))]
    pub max_webhook_queue: usize,
}

/// An application.
#[derive(Deserialize, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub struct PusherApp {
    /// Its id, as it stands in the addresses of the HTTP API: letters, digits, `-` and `_`, at most 64.
    pub id: String,
    /// Its keys; several, so that one can replace another.
    #[serde(default)]
    pub keys: Vec<PusherKey>,
    /// Whether it is switched on. Clients of one that is off are closed with 4003.
    #[serde(default = "on")]
    pub enabled: bool,
    /// Whether clients may send events to each other.
    #[serde(default = "on")]
    pub client_events: bool,
    /// Whether subscribers are told how many they are.
    #[serde(default)]
    pub subscription_count: bool,
    /// Last events kept per channel for clients that ask for them; 0 is none.
    #[serde(default)]
    pub history: u16,
    /// Prefixes of the channels that keep them; all where it is empty.
    #[serde(default)]
    pub history_channels: Vec<String>,
    /// Who is told what happens on its channels.
    #[serde(default)]
    pub webhooks: Vec<PusherWebhook>,
    /// In which time a connection must have signed in or joined a private or presence channel; `0s` is no limit.
    #[serde(default = "never")]
    pub require_authorization: Period,
    /// Most connections at once; 0 is no limit. Further ones are closed with 4004.
    #[serde(default)]
    pub max_connections: usize,
}

/// A key of an application.
#[derive(Deserialize, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub struct PusherKey {
    /// The key, which clients know.
    pub key: String,
    /// The secret, which only servers know.
    pub secret: Secret,
    /// Whether it is switched on.
    #[serde(default = "on")]
    pub enabled: bool,
}

/// A receiver of webhooks.
#[derive(Deserialize, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub struct PusherWebhook {
    /// Where to call.
    pub url: String,
    /// What is told; everything where it is left out.
    #[serde(default)]
    pub events: Option<Vec<WebhookKind>>,
}

/// What webhooks tell.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[serde(rename_all = "snake_case")]
pub enum WebhookKind {
    /// A channel has its first subscriber.
    ChannelOccupied,
    /// A channel has lost its last subscriber.
    ChannelVacated,
    /// A user has come to a presence channel.
    MemberAdded,
    /// A user has gone from a presence channel.
    MemberRemoved,
    /// A client has sent an event.
    ClientEvent,
    /// A cache channel was subscribed and had nothing kept.
    CacheMiss,
    /// How many connections have a channel has changed.
    SubscriptionCount,
}

/// Names of the chat's events; those that are left out have their ordinary name.
#[derive(Deserialize, Default, Debug, Clone)]
#[serde(deny_unknown_fields, default)]
pub struct PusherEventNames {
    message_sent: Option<String>,
    message_edited: Option<String>,
    message_deleted: Option<String>,
    messages_read: Option<String>,
    user_typing: Option<String>,
    user_stopped_typing: Option<String>,
    user_status: Option<String>,
}

const fn on() -> bool {
    true
}

const fn never() -> Period {
    Period(std::time::Duration::ZERO)
}

impl PusherSection {
    /// Every application, the one of `key` and `secret` first.
    #[must_use]
    pub fn applications(&self) -> Vec<PusherApp> {
        let mut apps = self.apps.clone();
        if let (Some(key), Some(secret)) = (&self.key, &self.secret) {
            let known = apps.iter().position(|app| app.id == self.app_id);
            let mut first = match known {
                Some(index) => apps.remove(index),
                None => PusherApp::new(&self.app_id),
            };
            first.keys.insert(0, PusherKey::new(key, secret.clone()));
            apps.insert(0, first);
        }
        apps
    }

    /// The limits in the protocol's form.
    #[must_use]
    pub fn limits(&self) -> PusherLimits {
        PusherLimits {
            event_data: self.max_event_bytes,
            trigger_channels: self.max_trigger_channels,
            batch_events: self.max_batch_events,
            presence_members: self.max_presence_members,
            client_events_per_second: self.max_client_events_per_second,
            cache_ttl: self.cache_ttl.0,
            activity_timeout: self.activity_timeout.0,
            history: MAX_HISTORY,
            ..PusherLimits::default()
        }
    }

    /// What keeps the section from being used.
    pub(super) fn check(&self) -> Result<(), (&'static str, String)> {
        if self.key.is_some() != self.secret.is_some() {
            return Err(("pusher.key", "a key and its secret go together: set both".to_owned()));
        }
        self.event_names.check()?;
        let apps = self.applications();
        let mut keys: Vec<&str> = Vec::new();
        for (index, app) in apps.iter().enumerate() {
            let bad = |message: String| Err(("pusher.apps", format!("`{}`: {message}", app.id)));
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
            if app.id.is_empty() || app.id.len() > APP_ID || !app.id.bytes().all(allowed) {
                return bad(format!("an id has letters, digits, - and _, at most {APP_ID}"));
            }
            if apps.iter().take(index).any(|other| other.id == app.id) {
                return bad("two applications have this id".to_owned());
            }
            if app.keys.is_empty() {
                return bad("it has no key".to_owned());
            }
            if app.history > MAX_HISTORY {
                return bad(format!("history is at most {MAX_HISTORY}"));
            }
            for key in &app.keys {
                if let Err(error) = Signer::new(&key.key, key.secret.expose()) {
                    return bad(error.to_string());
                }
                if keys.contains(&key.key.as_str()) {
                    return bad(format!("the key {} is there twice", key.key));
                }
                keys.push(&key.key);
            }
            for hook in &app.webhooks {
                hook.address().map_err(|why| ("pusher.apps", format!("`{}`: {why}", app.id)))?;
            }
        }
        Ok(())
    }

    /// What is strange, but does not keep the server from starting.
    pub(super) fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        for app in self.applications() {
            if app.keys.iter().any(|key| key.secret.expose().len() < SHORT_SECRET) {
                warnings.push(format!(
                    "a secret of the Pusher application {} has less than {SHORT_SECRET} characters: it can be guessed",
                    app.id
                ));
            }
            if !app.id.bytes().all(|byte| byte.is_ascii_digit()) {
                warnings.push(format!(
                    "the id of the Pusher application {} is no number: the Python library refuses it",
                    app.id
                ));
            }
            for hook in app.webhooks.iter().filter(|hook| hook.url.starts_with("http://")) {
                if let Ok(url) = hook.address()
                    && !url.host_str().is_some_and(|host| LOCAL.contains(&host))
                {
                    warnings.push(format!(
                        "webhooks of the Pusher application {} leave this machine unencrypted",
                        app.id
                    ));
                }
            }
        }
        warnings
    }
}

/// Hosts that are this machine.
const LOCAL: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];

impl PusherApp {
    /// With every setting at its default, and no key yet.
    #[must_use]
    pub fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            keys: Vec::new(),
            enabled: true,
            client_events: true,
            subscription_count: false,
            history: 0,
            history_channels: Vec::new(),
            webhooks: Vec::new(),
            require_authorization: never(),
            max_connections: 0,
        }
    }
}

impl PusherKey {
    /// One that is switched on.
    #[must_use]
    pub fn new(key: &str, secret: Secret) -> Self {
        Self { key: key.to_owned(), secret, enabled: true }
    }
}

impl PusherWebhook {
    /// Where to call.
    ///
    /// # Errors
    /// Why it cannot be called: only the web, and no password in the address, which would stand in logs.
    pub fn address(&self) -> Result<reqwest::Url, &'static str> {
        let url: reqwest::Url =
            self.url.parse().map_err(|_| "the url of a webhook is no web address")?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err("the url of a webhook begins with https:// or http://");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("the url of a webhook holds a password; its calls are signed instead");
        }
        Ok(url)
    }
}

impl PusherEventNames {
    /// The names in the form of the wire.
    #[must_use]
    pub fn to_wire(&self) -> EventNames {
        let ordinary = EventNames::default();
        let or = |name: &Option<String>, default| name.as_deref().map_or(default, Into::into);
        EventNames {
            message_sent: or(&self.message_sent, ordinary.message_sent),
            message_edited: or(&self.message_edited, ordinary.message_edited),
            message_deleted: or(&self.message_deleted, ordinary.message_deleted),
            messages_read: or(&self.messages_read, ordinary.messages_read),
            user_typing: or(&self.user_typing, ordinary.user_typing),
            user_stopped_typing: or(&self.user_stopped_typing, ordinary.user_stopped_typing),
            user_status: or(&self.user_status, ordinary.user_status),
        }
    }

    fn check(&self) -> Result<(), (&'static str, String)> {
        let names = [
            &self.message_sent,
            &self.message_edited,
            &self.message_deleted,
            &self.messages_read,
            &self.user_typing,
            &self.user_stopped_typing,
            &self.user_status,
        ];
        let reserved = |name: &&String| {
            name.is_empty()
                || name.chars().count() > 200
                || ["pusher:", "pusher_internal:", "client-"].iter().any(|p| name.starts_with(p))
        };
        match names.into_iter().flatten().find(reserved) {
            Some(name) => Err(("pusher.event_names", format!("`{name}` can be no event's name"))),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
