//! The applications: who they are, their keys, and what each allows.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use parlour_wire::pusher::{PusherLimits, Signer, signature::BadKey};

use crate::{
    config::{PusherApp, PusherKey, PusherSection, PusherWebhook, Secret},
    hash::HashMap,
};

/// The application of `--demo`, for trying things out: its id, key and secret.
pub(crate) const DEMO: (&str, &str, &str) = ("1", "demo-key", "demo-secret-for-trying-out");

/// One application. Nothing of it is visible to another one.
pub(crate) struct App {
    /// Its id, as the addresses of the HTTP API have it.
    pub(crate) id: Arc<str>,
    /// Its place among all applications; the first is 0.
    pub(crate) index: usize,
    keys: Vec<AppKey>,
    enabled: bool,
    /// Whether its channels carry the chat: the first application's do.
    pub(crate) carries_chat: bool,
    /// Whether clients may send events to each other.
    pub(crate) client_events: bool,
    /// Whether subscribers are told how many they are.
    pub(crate) subscription_count: bool,
    history: u16,
    history_channels: Vec<Box<str>>,
    /// In which time a connection must have signed in or joined a private or presence channel.
    pub(crate) authorize_within: Option<Duration>,
    /// Most connections at once.
    pub(crate) max_connections: Option<usize>,
    /// Sizes and counts.
    pub(crate) limits: PusherLimits,
    /// Who is told what happens on its channels.
    pub(crate) webhooks: Vec<PusherWebhook>,
}

struct AppKey {
    signer: Signer,
    enabled: bool,
}

impl App {
    fn new(index: usize, config: &PusherApp, section: &PusherSection) -> Result<Self, BadKey> {
        let key = |key: &PusherKey| {
            let signer = Signer::new(&key.key, key.secret.expose())?;
            Ok(AppKey { signer, enabled: key.enabled })
        };
        let prefix = |prefix: &String| prefix.as_str().into();
        Ok(Self {
            id: config.id.as_str().into(),
            index,
            keys: config.keys.iter().map(key).collect::<Result<_, _>>()?,
            enabled: config.enabled,
            carries_chat: index == 0,
            client_events: config.client_events,
            subscription_count: config.subscription_count,
            history: config.history,
            history_channels: config.history_channels.iter().map(prefix).collect(),
            authorize_within: Some(config.require_authorization.0).filter(|wait| !wait.is_zero()),
            max_connections: Some(config.max_connections).filter(|most| *most > 0),
            limits: section.limits(),
            webhooks: config.webhooks.clone(),
        })
    }

    /// What signs and verifies with one of its keys, while key and application are switched on.
    pub(crate) fn signer(&self, key: &str) -> Option<&Signer> {
        let found = self.keys.iter().find(|known| known.signer.key() == key)?;
        (self.enabled && found.enabled).then_some(&found.signer)
    }

    /// Whether a key is one of its own, switched on or off.
    pub(crate) fn has_key(&self, key: &str) -> bool {
        self.keys.iter().any(|known| known.signer.key() == key)
    }

    /// What signs where any of its keys will do: the first that is switched on.
    pub(crate) fn default_signer(&self) -> Option<&Signer> {
        let first = self.keys.iter().find(|key| key.enabled)?;
        self.enabled.then_some(&first.signer)
    }

    /// How many of a channel's last events are kept for those who ask for them.
    pub(crate) fn history_of(&self, channel: &str) -> usize {
        let all = self.history_channels.is_empty();
        let kept = all || self.history_channels.iter().any(|prefix| channel.starts_with(&**prefix));
        if kept { self.history.into() } else { 0 }
    }
}

/// What is known about a key.
pub(crate) enum Known<'a> {
    /// It is one of this application's, and switched on.
    Enabled(&'a Arc<App>),
    /// It, or its application, is switched off.
    Disabled,
    /// Nobody has it.
    Unknown,
}

/// Every application of the configuration.
#[derive(Default)]
pub(crate) struct Apps {
    apps: Vec<Arc<App>>,
    by_key: HashMap<Box<str>, usize>,
    by_id: HashMap<Box<str>, usize>,
    demo: bool,
}

impl Apps {
    /// From the configuration; with `demo` and nothing configured, the application of the demonstration.
    ///
    /// # Errors
    /// When a key cannot be used, which loading the configuration has ruled out.
    pub(crate) fn new(config: &PusherSection, demo: bool) -> anyhow::Result<Self> {
        let mut configured = config.applications();
        let demo = demo && configured.is_empty();
        if demo {
            let (id, key, secret) = DEMO;
            let keys = vec![PusherKey::new(key, Secret::new(secret))];
            configured.push(PusherApp { keys, ..PusherApp::new(id) });
        }
        let mut all = Self { demo, ..Self::default() };
        for (index, app) in configured.iter().enumerate() {
            let app = App::new(index, app, config)
                .with_context(|| format!("the Pusher application {}", app.id))?;
            for key in &app.keys {
                all.by_key.insert(key.signer.key().into(), index);
            }
            all.by_id.insert((&*app.id).into(), index);
            all.apps.push(Arc::new(app));
        }
        Ok(all)
    }

    /// Whose key it is.
    pub(crate) fn by_key(&self, key: &str) -> Known<'_> {
        let app = self.by_key.get(key).and_then(|index| self.apps.get(*index));
        match app {
            Some(app) if app.signer(key).is_some() => Known::Enabled(app),
            Some(_) => Known::Disabled,
            None => Known::Unknown,
        }
    }

    /// The application with an id.
    pub(crate) fn by_id(&self, id: &str) -> Option<&Arc<App>> {
        self.by_id.get(id).and_then(|index| self.apps.get(*index))
    }

    /// The application whose channels carry the chat.
    pub(crate) fn chat(&self) -> Option<&Arc<App>> {
        self.apps.first()
    }

    /// Whether what stands here is the demonstration's, with a secret that everybody knows.
    pub(crate) const fn is_demo(&self) -> bool {
        self.demo
    }

    /// All of them; [`App::index`] is the place in it.
    pub(crate) fn all(&self) -> &[Arc<App>] {
        &self.apps
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Sources, load};

    fn section() -> PusherSection {
        load(&Sources::default()).unwrap().config.pusher
    }

    fn app(id: &str, keys: &[(&str, bool)]) -> PusherApp {
        let key = |(key, enabled): &(&str, bool)| PusherKey {
            enabled: *enabled,
            ..PusherKey::new(key, Secret::new("a secret of sixteen"))
        };
        PusherApp { keys: keys.iter().map(key).collect(), ..PusherApp::new(id) }
    }

    #[test]
    fn keys_lead_to_their_application() {
        let mut section = section();
        let off = PusherApp { enabled: false, ..app("9", &[("c", true)]) };
        section.apps = vec![app("7", &[("a", false), ("b", true)]), off];
        let apps = Apps::new(&section, true).unwrap();
        let of = |key: &str| match apps.by_key(key) {
            Known::Enabled(app) => app.id.to_string(),
            Known::Disabled => "off".to_owned(),
            Known::Unknown => "none".to_owned(),
        };
        assert_eq!([of("a"), of("b"), of("c"), of("d")], ["off", "7", "off", "none"]);
        let first = apps.chat().unwrap();
        assert!(first.carries_chat && !apps.by_id("9").unwrap().carries_chat);
        assert_eq!(first.default_signer().unwrap().key(), "b");
        assert!(apps.by_id("9").unwrap().default_signer().is_none());
        assert!(apps.by_id("1").is_none());
    }

    #[test]
    fn the_demonstration_has_one_where_nothing_is_configured() {
        assert!(Apps::new(&section(), false).unwrap().chat().is_none());
        let apps = Apps::new(&section(), true).unwrap();
        assert!(matches!(apps.by_key(DEMO.1), Known::Enabled(app) if *app.id == *DEMO.0));
    }

    #[test]
    fn history_is_kept_where_it_is_asked_for() {
        let mut section = section();
        let some = vec!["news-".to_owned()];
        section.apps = vec![PusherApp { history: 3, history_channels: some, ..app("7", &[]) }];
        let apps = Apps::new(&section, false).unwrap();
        let app = apps.chat().unwrap();
        assert_eq!((app.history_of("news-1"), app.history_of("other")), (3, 0));
    }
}
