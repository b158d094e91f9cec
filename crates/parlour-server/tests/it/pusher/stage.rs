//! A server with two applications, their servers, and clients that sign by hand, without the code that verifies.

use std::fmt::Write as _;

use aws_lc_rs::hmac;
use md5::{Digest as _, Md5};
use serde_json::{Value, json};

use super::{End, inner, is};
use crate::gateway::{
    client::Client,
    server::{Server, now},
};

/// An application with its id, key and secret.
#[derive(Clone, Copy)]
pub(crate) struct App {
    pub(crate) id: &'static str,
    pub(crate) key: &'static str,
    pub(crate) secret: &'static str,
}

/// The first one, which carries the chat.
pub(crate) const FIRST: App =
    App { id: "1", key: "first-key", secret: "the secret of the first one" };
/// Another one, with everything that is off by default.
pub(crate) const OTHER: App =
    App { id: "2", key: "other-key", secret: "the secret of the other one" };

pub(crate) const APPS: &str = r#"[
    {id = "1", keys = [
        {key = "first-key", secret = "the secret of the first one"},
        {key = "first-new", secret = "its second secret, as long"},
        {key = "first-old", secret = "a secret that is retired", enabled = false},
    ]},
    {id = "2", keys = [{key = "other-key", secret = "the secret of the other one"}],
        client_events = false, subscription_count = true, history = 3, max_connections = 3},
    {id = "3", enabled = false, keys = [{key = "off", secret = "the secret of one that is off"}]},
    {id = "4", keys = [{key = "strict", secret = "the secret of the strict one"}],
        require_authorization = "1s"},
]"#;

pub(crate) struct Stage {
    pub(crate) server: Server,
}

impl Stage {
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    pub(crate) fn with(settings: &[(&str, &str)]) -> Self {
        let mut all = vec![("PARLOUR_PUSHER_APPS", APPS)];
        all.extend(settings);
        Self { server: Server::with(&all) }
    }

    /// A client of the first application.
    pub(crate) fn socket(&self) -> Socket {
        self.socket_of(FIRST)
    }

    pub(crate) fn socket_of(&self, app: App) -> Socket {
        self.socket_at(app, "")
    }

    /// With more parameters in its address.
    pub(crate) fn socket_at(&self, app: App, more: &str) -> Socket {
        let path = format!("/app/{}?protocol=7&client=js&version=8.4.0&flash=false{more}", app.key);
        let (mut client, _) = Client::open(self.server.address(), &path, &[]).unwrap();
        let hello = client.wait(is("pusher:connection_established", None));
        let id = inner(&hello)["socket_id"].as_str().unwrap().to_owned();
        Socket { client, id, app }
    }

    /// How a connection ends that may not come in.
    pub(crate) fn refused(&self, path: &str) -> (Vec<Value>, u16) {
        let (mut client, _) = Client::open(self.server.address(), path, &[]).unwrap();
        match client.end() {
            End::Closed(code, _) => (client.seen, code),
            End::Cut => panic!("cut off without a code"),
        }
    }

    /// A signed call of an application's server.
    pub(crate) fn call(
        &self,
        app: App,
        method: &'static str,
        path: &str,
        more: &str,
        body: Option<&Value>,
    ) -> (u16, Value) {
        self.send(&Self::signed(app, method, path, more, body), body)
    }

    /// Such a call, as its method and address.
    pub(crate) fn signed(
        app: App,
        method: &'static str,
        path: &str,
        more: &str,
        body: Option<&Value>,
    ) -> (&'static str, String) {
        let path = format!("/apps/{}{path}", app.id);
        let mut query = format!("auth_key={}&auth_timestamp={}&auth_version=1.0", app.key, now());
        if let Some(body) = body {
            let _ = write!(query, "&body_md5={}", hex(&Md5::digest(body.to_string())));
        }
        if !more.is_empty() {
            let _ = write!(query, "&{more}");
        }
        let signature = digest(app.secret, &format!("{method}\n{path}\n{query}"));
        (method, format!("{path}?{query}&auth_signature={signature}"))
    }

    /// Makes a signed call, perhaps once more.
    pub(crate) fn send(&self, call: &(&str, String), body: Option<&Value>) -> (u16, Value) {
        let answer = self.server.exchange(call.0, &call.1, "", body);
        (answer.status, serde_json::from_str(&answer.body).unwrap_or(Value::Null))
    }

    /// Publishes an event of the first application.
    pub(crate) fn publish(&self, channel: &str, event: &str, data: &str) {
        self.publish_of(FIRST, &json!({ "name": event, "channel": channel, "data": data }));
    }

    pub(crate) fn publish_of(&self, app: App, event: &Value) {
        let (status, answer) = self.call(app, "POST", "/events", "", Some(event));
        assert_eq!((status, answer), (200, json!({})), "{event}");
    }

    /// What `/broadcasting/auth` answers a signed-in user.
    pub(crate) fn broadcasting(&self, user: &str, socket: &str, channel: &str) -> (u16, Value) {
        let body = json!({ "socket_id": socket, "channel_name": channel });
        let token = self.server.token(user);
        self.server.call("POST", "/broadcasting/auth", &token, Some(&body))
    }

    /// A client that has a user's own channel, signed by the application's own backend.
    pub(crate) fn user(&self, user: &str) -> Socket {
        self.user_at(user, "")
    }

    pub(crate) fn user_at(&self, user: &str, more: &str) -> Socket {
        let mut socket = self.socket_at(FIRST, more);
        socket.join(&format!("private-user.{user}"), None);
        socket
    }
}

/// A client of an application.
pub(crate) struct Socket {
    pub(crate) client: Client,
    pub(crate) id: String,
    pub(crate) app: App,
}

impl Socket {
    pub(crate) fn send(&mut self, event: &str, data: &Value) {
        self.client.send(&json!({ "event": event, "data": data }));
    }

    pub(crate) fn whisper(&mut self, event: &str, channel: &str, data: &Value) {
        self.client.send(&json!({ "event": event, "channel": channel, "data": data }));
    }

    /// What its application signs for a channel.
    pub(crate) fn auth(&self, channel: &str, channel_data: Option<&str>) -> String {
        let data = channel_data.map(|data| format!(":{data}")).unwrap_or_default();
        sign(self.app, &format!("{}:{channel}{data}", self.id))
    }

    /// Asks for a channel as its application lets it.
    pub(crate) fn subscribe(&mut self, channel: &str, member: Option<&Value>) {
        let mut data = json!({ "channel": channel, "auth": "" });
        if channel.starts_with("private-") || channel.starts_with("presence-") {
            let member = member.map(Value::to_string);
            data["auth"] = json!(self.auth(channel, member.as_deref()));
            if let Some(member) = member {
                data["channel_data"] = json!(member);
            }
        }
        self.send("pusher:subscribe", &data);
    }

    /// The same, and waits until it has it. Gives what it is told on joining.
    pub(crate) fn join(&mut self, channel: &str, member: Option<&Value>) -> Value {
        self.subscribe(channel, member);
        self.joined(channel)
    }

    pub(crate) fn joined(&mut self, channel: &str) -> Value {
        let frame = self.client.wait(is("pusher_internal:subscription_succeeded", Some(channel)));
        inner(&frame)
    }

    /// Asks for a channel with any data, and gives the refusal.
    pub(crate) fn refused(&mut self, data: &Value) -> Value {
        self.send("pusher:subscribe", data);
        let channel = data["channel"].as_str().unwrap();
        let error = self.client.wait(is("pusher:subscription_error", Some(channel)));
        error["data"].clone()
    }

    pub(crate) fn leave(&mut self, channel: &str) {
        self.send("pusher:unsubscribe", &json!({ "channel": channel }));
    }

    /// Signs in, and waits for it.
    pub(crate) fn sign_in(&mut self, user_data: &Value) {
        let text = user_data.to_string();
        let auth = sign(self.app, &format!("{}::user::{text}", self.id));
        self.send("pusher:signin", &json!({ "auth": auth, "user_data": text }));
        let success = self.client.wait(is("pusher:signin_success", None));
        assert_eq!(success["data"]["user_data"], text);
    }

    /// Waits for an event on a channel.
    pub(crate) fn event(&mut self, event: &str, channel: &str) -> Value {
        self.client.wait(is(event, Some(channel)))
    }

    /// Waits for an event of the chat: its `data`, when `type` is as the name wants.
    pub(crate) fn chat(&mut self, event: &str, channel: &str) -> Value {
        let frame = self.event(event, channel);
        inner(&frame)["data"].clone()
    }

    /// Everything that came until an answered ping, which comes after all that was due.
    pub(crate) fn settle(&mut self) -> Vec<Value> {
        self.send("pusher:ping", &json!({}));
        self.client.wait(is("pusher:pong", None));
        std::mem::take(&mut self.client.seen)
    }
}

/// `key:digest`, as an application's server signs.
pub(crate) fn sign(app: App, text: &str) -> String {
    format!("{}:{}", app.key, digest(app.secret, text))
}

fn digest(secret: &str, text: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    hex(hmac::sign(&key, text.as_bytes()).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
