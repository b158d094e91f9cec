//! The HTTP API of the Pusher protocol, the auth endpoints and webhooks, as server libraries and clients use them.

mod broadcasting;
mod calls;
mod demo;
mod hooks;
mod live;
mod publisher;
mod repeats;

use self::publisher::Publisher;
use crate::support::{Server, Setup};

/// Key and secret of the vectors in the protocol's documents.
const KEY: &str = "278d425bdf160c739803";
const SECRET: &str = "7ad3773142a6692b25b8";

/// Two applications; the first one, of the documents, has a second key and one that is switched off. A third
/// application is switched off.
const APPS: &str = r#"[
    {id = "3", keys = [
        {key = "278d425bdf160c739803", secret = "7ad3773142a6692b25b8"},
        {key = "second", secret = "secret of the second key"},
        {key = "retired", secret = "secret of the retired key", enabled = false},
    ]},
    {id = "4", keys = [{key = "other", secret = "secret of the other one"}]},
    {id = "5", enabled = false, keys = [{key = "off", secret = "secret of one that is off"}]},
]"#;

fn setup() -> Setup {
    Setup::new().with("pusher.apps", APPS)
}

/// The first application's own server.
fn publisher(server: &Server) -> Publisher<'_> {
    Publisher { server, app: "3", key: KEY, secret: SECRET }
}
