//! A whole server in this process, with one thread for its sockets.

use std::{collections::BTreeMap, net::SocketAddr};

use jsonwebtoken::{EncodingKey, Header};
use parlour_core::port::clock::Clock as _;
use parlour_server::{
    app::App,
    config::{self, Sources},
    system::{SystemClock, install_crypto},
};
use serde_json::json;
use tokio::runtime::{Builder, Runtime};

use crate::client::Client;

const SECRET: &str = "a secret of the tests that is long enough for HS256";

pub(crate) struct Server {
    runtime: Runtime,
    app: App,
    address: SocketAddr,
}

impl Server {
    /// With the defaults, but without limits on rates.
    pub(crate) fn start() -> Self {
        let env: BTreeMap<String, String> = [
            ("PARLOUR_LISTEN", "127.0.0.1:0"),
            ("DATABASE_URL", "sqlite::memory:"),
            ("PARLOUR_JWT_SECRET", SECRET),
            ("PARLOUR_RATE_LIMITS", "off"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        let sources = Sources { flags: Vec::new(), env, file: None, default_file: None };
        let loaded = config::load(&sources).unwrap();
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let app = runtime.block_on(App::start(&loaded, false)).unwrap();
        let address = app.address();
        Self { runtime, app, address }
    }

    /// A connection of a user, to which everything new comes.
    pub(crate) fn client(&self, user: &str) -> Client {
        install_crypto();
        let now = SystemClock::default().now() / 1_000;
        let claims = json!({ "sub": user, "exp": now + 3_600, "iat": now });
        let key = EncodingKey::from_secret(SECRET.as_bytes());
        let token = jsonwebtoken::encode(&Header::default(), &claims, &key).unwrap();
        Client::live(self.address, &token)
    }

    pub(crate) fn stop(self) {
        self.runtime.block_on(self.app.shut_down());
    }
}
