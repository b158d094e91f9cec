//! A server on a free port with a database of its own, and people who talk to it.

pub(crate) mod keys;

use std::{net::SocketAddr, path::PathBuf, process::Command};

use parlour_server::{
    app::App,
    config::{self, Sources},
};
use reqwest::{Method, RequestBuilder, header};
use serde_json::{Value, json};
use tempfile::TempDir;

use self::keys::{Hmac, Signer as _};

/// The secret of the servers under test.
pub(crate) const SECRET: &str = "a secret of the tests, long enough for HS256";

/// The program.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_parlour");

/// A server to be.
pub(crate) struct Setup {
    folder: TempDir,
    flags: Vec<(&'static str, String)>,
    demo: bool,
    pub(crate) api_key: Option<String>,
}

impl Setup {
    /// With the shared secret and a new database.
    pub(crate) fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let database = format!("sqlite://{}", folder.path().join("parlour.db").display());
        let flags = vec![
            ("server.listen", "127.0.0.1:0".to_owned()),
            ("auth.jwt_secret", SECRET.to_owned()),
            ("database.url", database),
        ];
        Self { folder, flags, demo: false, api_key: None }
    }

    /// With a key set to a value.
    pub(crate) fn with(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.flags.retain(|(known, _)| *known != key);
        self.flags.push((key, value.into()));
        self
    }

    /// With the people of the demonstration.
    pub(crate) fn demo(mut self) -> Self {
        self.demo = true;
        self
    }

    /// With an API key, made by the program itself.
    pub(crate) fn with_api_key(mut self) -> Self {
        let output = self.program().args(["apikey", "add", "tests"]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        self.api_key = Some(String::from_utf8(output.stdout).unwrap().trim().to_owned());
        self
    }

    /// The program, on the same database.
    pub(crate) fn program(&self) -> Command {
        let mut command = Command::new(PROGRAM);
        command.current_dir(self.folder.path()).env_clear();
        command.env("DATABASE_URL", format!("sqlite://{}", self.file("parlour.db").display()));
        command
    }

    /// A file beside the database.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts it.
    pub(crate) async fn start(self) -> Server {
        let sources = Sources { flags: self.flags.clone(), ..Sources::default() };
        let loaded = config::load(&sources).unwrap();
        let app = App::start(&loaded, self.demo).await.unwrap();
        // No proxy, whatever the environment says, and no cookie jar: tests say what they send.
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Server { address: app.address(), app, client, setup: self }
    }
}

/// A running server.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    app: App,
    client: reqwest::Client,
    setup: Setup,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: header::HeaderMap,
    pub(crate) body: Value,
    pub(crate) text: String,
}

impl Answer {
    /// The body of a success.
    #[track_caller]
    pub(crate) fn ok(self) -> Value {
        assert!((200..300).contains(&self.status), "{} {}", self.status, self.text);
        self.body
    }

    /// Whether it is a problem with that status and code, in the one shape.
    #[track_caller]
    pub(crate) fn refused(self, status: u16, code: &str) -> Value {
        assert_eq!(
            (self.status, self.body["code"].as_str()),
            (status, Some(code)),
            "{}",
            self.text
        );
        assert_eq!(self.headers["content-type"], "application/problem+json");
        assert_eq!(self.body["status"], status);
        assert_eq!(self.body["request_id"], self.headers["x-request-id"].to_str().unwrap());
        for field in ["type", "title", "detail"] {
            assert!(self.body[field].as_str().is_some_and(|text| !text.is_empty()), "{field}");
        }
        self.body
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The session cookie that it sets, as a `Cookie` line.
    pub(crate) fn cookie(&self) -> String {
        let line = self.header("set-cookie").expect("a cookie");
        line.split(';').next().unwrap().to_owned()
    }
}

impl Server {
    pub(crate) async fn start() -> Self {
        Setup::new().start().await
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The origin of its own pages.
    pub(crate) fn origin(&self) -> String {
        self.url("")
    }

    /// A request without a credential.
    pub(crate) fn request(&self, method: &str, path: &str) -> RequestBuilder {
        self.client.request(Method::from_bytes(method.as_bytes()).unwrap(), self.url(path))
    }

    /// Sends a request.
    pub(crate) async fn send(&self, request: RequestBuilder) -> Answer {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Answer { status, headers, body, text }
    }

    /// A JSON request without a credential.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(self.request("POST", path).json(body)).await
    }

    /// Somebody with a token of the host application.
    pub(crate) fn person(&self, id: &str, name: &str) -> Person<'_> {
        let claims =
            json!({"user_id": id, "username": name.to_lowercase(), "name": name, "exp": soon()});
        Person { server: self, token: Hmac::new(SECRET).jwt(&claims) }
    }

    pub(crate) fn alice(&self) -> Person<'_> {
        self.person("1", "Alice")
    }

    pub(crate) fn bob(&self) -> Person<'_> {
        self.person("2", "Bob")
    }

    /// Somebody who is not in what alice and bob share.
    pub(crate) fn mallory(&self) -> Person<'_> {
        self.person("3", "Mallory")
    }

    /// The host application's server.
    pub(crate) fn host(&self) -> Person<'_> {
        Person { server: self, token: self.setup.api_key.clone().expect("a setup with an API key") }
    }

    /// Signs in with a password.
    pub(crate) async fn login(&self, username: &str, password: &str) -> Answer {
        self.post("/api/v1/auth/login", &json!({"username": username, "password": password})).await
    }

    /// What it was started with.
    pub(crate) fn setup(&self) -> &Setup {
        &self.setup
    }

    /// Stops it; the database stays.
    pub(crate) async fn stop_and_keep(self) -> Setup {
        self.app.shut_down().await;
        self.setup
    }

    pub(crate) async fn stop(self) {
        self.app.shut_down().await;
    }
}

/// Somebody with a bearer token.
pub(crate) struct Person<'a> {
    pub(crate) server: &'a Server,
    pub(crate) token: String,
}

impl Person<'_> {
    pub(crate) fn request(&self, method: &str, path: &str) -> RequestBuilder {
        self.server.request(method, path).bearer_auth(&self.token)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.server.send(self.request("GET", path)).await
    }

    pub(crate) async fn call(&self, method: &str, path: &str, body: &Value) -> Answer {
        self.server.send(self.request(method, path).json(body)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.call("POST", path, body).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.server.send(self.request("DELETE", path)).await
    }

    /// The direct conversation with somebody.
    pub(crate) async fn direct(&self, other: &str) -> u64 {
        let body = json!({"kind": "direct", "participants": [other]});
        self.post("/api/v1/conversations", &body).await.ok()["id"].as_u64().unwrap()
    }

    /// Says something.
    pub(crate) async fn say(&self, conversation: u64, text: &str) -> Value {
        let path = format!("/api/v1/conversations/{conversation}/messages");
        self.post(&path, &json!({"content": text})).await.ok()
    }
}

/// Unix time in seconds.
pub(crate) fn now() -> i64 {
    use parlour_core::port::clock::Clock as _;
    parlour_server::system::SystemClock::default().now() / 1_000
}

/// An hour from now.
pub(crate) fn soon() -> i64 {
    now() + 3_600
}

/// The golden file at `path` of the repository holds exactly `actual`; `UPDATE_GOLDEN=1` rewrites it.
#[track_caller]
pub(crate) fn golden(path: &str, actual: &str) {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&file, actual).unwrap();
    }
    let expected = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        expected == actual,
        "{path} is out of date: run with UPDATE_GOLDEN=1 and look at the difference"
    );
}
