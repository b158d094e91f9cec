//! Applications in files and in the environment, good and bad.

use std::collections::BTreeMap;

use crate::config::{Config, ConfigError, Sources, effective, load};

const FILE: &str = r#"
    [pusher]
    event_names = { message_sent = 'App\Events\MessageSent' }
    [[pusher.apps]]
    id = "7"
    keys = [{ key = "a", secret = "0123456789abcdef" }, { key = "b", secret = "fedcba9876543210", enabled = false }]
    history = 5
    require_authorization = "30s"
    webhooks = [{ url = "https://hooks.example.org/x?a=b", events = ["channel_occupied"] }]
    [[pusher.apps]]
    id = "other"
    keys = [{ key = "c", secret = "short" }]
"#;

fn loaded(file: &str, env: &[(&str, &str)]) -> Result<crate::config::Loaded, ConfigError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("parlour.toml");
    std::fs::write(&path, file).unwrap();
    let env: BTreeMap<_, _> =
        env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    load(&Sources { file: Some(path), env, ..Sources::default() })
}

fn ids(config: &Config) -> Vec<String> {
    config.pusher.applications().into_iter().map(|app| app.id).collect()
}

#[test]
fn applications_of_a_file() {
    let loaded = loaded(FILE, &[]).unwrap();
    assert_eq!(ids(&loaded.config), ["7", "other"]);
    let app = &loaded.config.pusher.apps[0];
    assert_eq!((app.keys.len(), app.keys[1].enabled, app.client_events), (2, false, true));
    assert_eq!(app.require_authorization.0.as_secs(), 30);
    let names = loaded.config.pusher.event_names.to_wire();
    assert_eq!(&*names.message_sent, "App\\Events\\MessageSent");
    assert_eq!(&*names.user_typing, "UserIsTypingEvent");
    let said = loaded.warnings.join("\n");
    assert!(said.contains("other has less than 16"), "{said}");
    assert!(said.contains("other is no number"), "{said}");
    assert!(!said.contains("application 7"), "{said}");
}

#[test]
fn the_environment_makes_the_first_application() {
    let key = ("PARLOUR_PUSHER_KEY", "k");
    let secret = ("PARLOUR_PUSHER_SECRET", "a secret of sixteen");
    let config = loaded("", &[key, secret]).unwrap().config;
    assert_eq!(ids(&config), ["1"]);
    let config = loaded(FILE, &[key, secret, ("PARLOUR_PUSHER_APP_ID", "3")]).unwrap().config;
    assert_eq!(ids(&config), ["3", "7", "other"]);
    // The settings of the file with the key of the environment.
    let config = loaded(FILE, &[key, secret, ("PARLOUR_PUSHER_APP_ID", "other")]).unwrap().config;
    assert_eq!(ids(&config), ["other", "7"]);
    assert_eq!(config.pusher.applications()[0].keys[0].key, "k");
    assert!(loaded("", &[key]).is_err());
}

#[test]
fn k1_secrets_are_not_printed() {
    let env = [("PARLOUR_PUSHER_KEY", "k"), ("PARLOUR_PUSHER_SECRET", "a secret of sixteen")];
    let loaded = loaded(FILE, &env).unwrap();
    let printed = format!("{}{:?}", effective(&loaded), loaded.config.pusher);
    for secret in ["a secret of sixteen", "0123456789abcdef", "fedcba9876543210", "short"] {
        assert!(!printed.contains(secret), "{printed}");
    }
    assert!(printed.contains("https://hooks.example.org"), "{printed}");
}

#[test]
fn what_cannot_be_used_is_named() {
    let app = |rest: &str| format!("[[pusher.apps]]\nid = \"7\"\n{rest}");
    let key = "keys = [{ key = 'a', secret = 's' }]";
    for (file, part) in [
        (app(""), "no key"),
        (app("keys = [{ key = 'a:b', secret = 's' }]"), "letters, digits"),
        (app("keys = [{ key = 'a', secret = '' }]"), "not empty"),
        (app("keys = [{ key = 'a', secret = 's' }, { key = 'a', secret = 't' }]"), "twice"),
        (app(&format!("{key}\nhistory = 5000")), "at most"),
        (app(&format!("{key}\ncolour = 1")), "colour"),
        (app(&format!("{key}\nwebhooks = [{{ url = 'file:///etc/passwd' }}]")), "https://"),
        (app(&format!("{key}\nwebhooks = [{{ url = 'http://u:p@h/' }}]")), "password"),
        (app(&format!("{key}\nwebhooks = [{{ url = 'nothing' }}]")), "no web address"),
        (app(&format!("{key}\nwebhooks = [{{ url = 'http://h/', events = ['x'] }}]")), "x"),
        (format!("{}\n{}", app(key), app("keys = [{ key = 'b', secret = 's' }]")), "this id"),
        ("[pusher]\nevent_names = { message_sent = 'pusher:x' }".to_owned(), "pusher:x"),
        ("[pusher]\nevent_names = { other = 'x' }".to_owned(), "other"),
        ("[pusher]\nactivity_timeout = '0s'".to_owned(), "1s"),
    ] {
        let error = format!("{:#}", anyhow::Error::new(loaded(&file, &[]).unwrap_err()));
        assert!(error.contains(part), "{file}: {error}");
        assert!(error.contains("pusher"), "{file}: {error}");
    }
}
