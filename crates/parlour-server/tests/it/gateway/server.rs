//! A whole server in this process: its own port, its own database, tokens of a host application for its users.

use std::{
    collections::BTreeMap,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::Mutex,
    time::{Duration, Instant},
};

use jsonwebtoken::{EncodingKey, Header};
use parlour_server::{
    app::App,
    config::{self, Sources},
};
use serde_json::{Value, json};

use super::Client;

pub(crate) const SECRET: &str = "a secret of the tests that is long enough for HS256";

/// How long any value is waited for before the test fails.
const DEADLINE: Duration = Duration::from_secs(20);

pub(crate) struct Server {
    runtime: tokio::runtime::Runtime,
    app: Mutex<Option<App>>,
    address: SocketAddr,
    folder: tempfile::TempDir,
}

/// That a database is full, as far as sockets' ends go.
pub(crate) struct NoRoom(rusqlite::Connection);

impl Drop for NoRoom {
    fn drop(&mut self) {
        self.0.execute_batch("DROP TRIGGER full").unwrap();
    }
}

/// That somebody else writes into a database, and takes his time. What he has begun ends with this.
pub(crate) struct BusyStore {
    _writing: rusqlite::Connection,
}

impl Server {
    /// With the defaults, but for rates, which no test but theirs is about.
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    pub(crate) fn with(settings: &[(&str, &str)]) -> Self {
        Self::again(tempfile::tempdir().unwrap(), settings)
    }

    /// On a database that is there already.
    pub(crate) fn again(folder: tempfile::TempDir, settings: &[(&str, &str)]) -> Self {
        let database = format!("sqlite://{}/parlour.db", folder.path().display());
        let mut env: BTreeMap<String, String> = [
            ("PARLOUR_LISTEN", "127.0.0.1:0"),
            ("DATABASE_URL", &database),
            ("PARLOUR_JWT_SECRET", SECRET),
            ("PARLOUR_RATE_LIMITS", "off"),
            ("PARLOUR_AUTH_REGISTRATION", "true"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        env.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let sources = Sources { flags: Vec::new(), env, file: None, default_file: None };
        let loaded = config::load(&sources).unwrap();
        let runtime = runtime();
        let app = runtime.block_on(App::start(&loaded, false)).unwrap();
        let address = app.address();
        Self { runtime, app: Mutex::new(Some(app)), address, folder }
    }

    /// One that runs in a process of its own.
    pub(crate) fn elsewhere(address: SocketAddr, folder: tempfile::TempDir) -> Self {
        Self { runtime: runtime(), app: Mutex::new(None), address, folder }
    }

    /// Ends it as an operator does; its database stays.
    pub(crate) fn end(self) -> tempfile::TempDir {
        if let Some(app) = self.app.lock().unwrap().take() {
            self.runtime.block_on(app.shut_down());
        }
        self.folder
    }

    /// Its database, seen past the server.
    pub(crate) fn database(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.folder.path().join("parlour.db")).unwrap()
    }

    /// From now on it cannot take down that a socket has ended, until the guard is dropped.
    pub(crate) fn without_room_for_ends(&self) -> NoRoom {
        let database = self.database();
        let refuses = "CREATE TRIGGER full BEFORE UPDATE ON sockets WHEN NEW.waiting_since IS NOT NULL \
                       BEGIN SELECT RAISE(ABORT, 'no room'); END";
        database.execute_batch(refuses).unwrap();
        NoRoom(database)
    }

    /// From now on its store writes nothing, and refuses nothing for a while, until the guard is dropped.
    pub(crate) fn with_a_busy_store(&self) -> BusyStore {
        let database = self.database();
        database.execute_batch("BEGIN IMMEDIATE").unwrap();
        BusyStore { _writing: database }
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// A token of the host application, good for an hour.
    pub(crate) fn token(&self, user: &str) -> String {
        self.token_until(user, now() + 3_600)
    }

    #[expect(clippy::unused_self, reason = "tokens are a server's")]
    pub(crate) fn token_until(&self, user: &str, exp: u64) -> String {
        parlour_server::system::install_crypto();
        let claims = json!({ "sub": user, "exp": exp, "iat": now() });
        let key = EncodingKey::from_secret(SECRET.as_bytes());
        jsonwebtoken::encode(&Header::default(), &claims, &key).unwrap()
    }

    /// A socket of the user to which everything new comes.
    pub(crate) fn live(&self, user: &str) -> Client {
        Client::live(self.address, &self.token(user))
    }

    /// Begins the end, in the background.
    pub(crate) fn stop(&self) {
        if let Some(app) = self.app.lock().unwrap().take() {
            drop(self.runtime.spawn(app.shut_down()));
        }
    }

    pub(crate) fn get(&self, path: &str, token: &str) -> (u16, Value) {
        let (status, body) = self.request("GET", path, Some(token), None);
        (status, serde_json::from_str(&body).unwrap_or(Value::String(body)))
    }

    pub(crate) fn register(&self, name: &str, password: &str) -> String {
        let body = json!({ "username": name, "password": password });
        let (status, answer) = self.request("POST", "/api/v1/auth/register", None, Some(&body));
        assert_eq!(status, 201, "{answer}");
        let answer: Value = serde_json::from_str(&answer).unwrap();
        answer["access"].as_str().unwrap().to_owned()
    }

    pub(crate) fn log_out(&self, token: &str) {
        let (status, answer) = self.request("POST", "/api/v1/auth/logout", Some(token), None);
        assert_eq!(status, 204, "{answer}");
    }

    /// Does something again and again until the metrics page has a line.
    pub(crate) fn wait_for_metric(&self, line: &str, mut meanwhile: impl FnMut()) {
        let until = Instant::now() + DEADLINE;
        let mut page = String::new();
        while Instant::now() < until {
            page = self.request("GET", "/metrics", None, None).1;
            if page.lines().any(|known| known == line) {
                return;
            }
            meanwhile();
        }
        panic!("no `{line}` in\n{page}");
    }

    /// A JSON request of somebody; a body that is no JSON comes as text.
    pub(crate) fn call(
        &self,
        method: &str,
        path: &str,
        token: &str,
        body: Option<&Value>,
    ) -> (u16, Value) {
        let (status, body) = self.request(method, path, Some(token), body);
        (status, serde_json::from_str(&body).unwrap_or(Value::String(body)))
    }

    /// One request on a connection of its own.
    fn request(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: Option<&Value>,
    ) -> (u16, String) {
        let auth = token.map(|t| format!("Authorization: Bearer {t}\r\n")).unwrap_or_default();
        let answer = self.exchange(method, path, &auth, body);
        (answer.status, answer.body)
    }

    /// One request with header lines of one's own, on a connection of its own.
    pub(crate) fn exchange(
        &self,
        method: &str,
        path: &str,
        lines: &str,
        body: Option<&Value>,
    ) -> Answer {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(40))).unwrap();
        let body = body.map(Value::to_string).unwrap_or_default();
        let kind = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{lines}{kind}Content-Length: {length}\r\n\r\n{body}",
            self.address
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let chunked = head.to_lowercase().contains("transfer-encoding: chunked");
        let body = if chunked { unchunked(body) } else { body.to_owned() };
        Answer { status, head: head.to_owned(), body }
    }
}

/// What a request was answered.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().unwrap()
}

/// The body of chunks (RFC 9112 section 7.1).
fn unchunked(mut rest: &str) -> String {
    let mut body = String::new();
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).unwrap();
        if size == 0 {
            break;
        }
        body.push_str(&after[..size]);
        rest = &after[size + 2..];
    }
    body
}

#[expect(clippy::disallowed_methods, reason = "a token needs the real time")]
pub(crate) fn now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.unwrap().as_secs()
}
