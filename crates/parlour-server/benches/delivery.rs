//! What delivery costs without the kernel's sockets: from the frame of one who speaks to the last of the receivers.
//!
//! It is the whole server, on one thread, with connections of memory: what is written to them is counted and forgotten.
//! Typing never leaves the thread. A message goes to the thread of the store and back, which is most of its cost where
//! it has one receiver; the database is a temporary one, which flushes nothing.

use std::{
    collections::VecDeque,
    io::{self, Read as _},
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    sync::atomic::{AtomicIsize, AtomicU64, Ordering::Relaxed},
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use criterion::{BenchmarkId, Criterion, Throughput};
use jsonwebtoken::{EncodingKey, Header};
use parking_lot::Mutex;
use parlour_core::{model::Millis, port::clock::Clock};
use parlour_server::{
    Listener, Socket, Transport,
    app::App,
    config::{self, Sources},
    parts::Parts,
    system::SystemClock,
};
use parlour_websocket::client;
use serde_json::json;
use tokio::{
    io::{Interest, Ready},
    runtime::{Builder, Runtime},
    sync::{Notify, mpsc},
    time::timeout,
};

const SECRET: &str = "a secret of the benchmark that is long enough for HS256";
const TEXT: &str = "Shall we meet at the station at half past seven, or is that too early?";

/// How many receivers conversations have, each beside the one who speaks. A new database numbers them from one.
const CROWDS: [isize; 3] = [1, 200, 1_000];

/// How long a part of it may take before it fails.
const DEADLINE: Duration = Duration::from_secs(120);

/// The frames that are waited for. Others, such as presence, come as they like.
const AWAITED: [&str; 4] = ["reply", "typing", "message.created", "conversation.created"];

/// How many frames are still owed, to all connections together; below zero came more than that.
static OWED: AtomicIsize = AtomicIsize::new(0);
static PAID: Notify = Notify::const_new();

/// By how many seconds the server's clock is ahead: it tells of typing only once a second.
static AHEAD: AtomicU64 = AtomicU64::new(0);

struct Leaping(SystemClock);

impl Clock for Leaping {
    fn now(&self) -> Millis {
        self.0.now()
    }

    fn monotonic(&self) -> Duration {
        self.0.monotonic() + Duration::from_secs(AHEAD.load(Relaxed))
    }
}

/// A connection, both of its ends: what the server has not read yet, and who waits for more of it.
#[derive(Clone, Default)]
struct Line(Arc<Mutex<(VecDeque<u8>, Option<Waker>)>>);

impl Line {
    /// Says something, and waits for so many frames as are owed for it.
    async fn exchange(&self, bytes: &[u8], owed: isize) -> Result<()> {
        ensure!(OWED.swap(owed, Relaxed) == 0, "something came that was not owed");
        {
            let mut said = self.0.lock();
            said.0.extend(bytes);
            said.1.iter().for_each(Waker::wake_by_ref);
        }
        while OWED.load(Relaxed) > 0 {
            PAID.notified().await;
        }
        Ok(())
    }

    fn hear(&self, frame: &[u8]) {
        // What the server writes has no mask: two bytes are before the text, or four where it is longer.
        let start = if frame.get(1) == Some(&126) { 4 } else { 2 };
        let text = frame.get(start..).unwrap_or_default();
        let kind = text.strip_prefix(br#"{"type":""#).unwrap_or_default();
        let is_awaited = AWAITED.iter().any(|awaited| kind.starts_with(awaited.as_bytes()));
        if is_awaited && OWED.fetch_sub(1, Relaxed) == 1 {
            PAID.notify_one();
        }
    }
}

impl Transport for Line {
    fn poll_ready(&self, context: &mut Context<'_>, interest: Interest) -> Poll<io::Result<Ready>> {
        let mut said = self.0.lock();
        if interest.is_readable() && !said.0.is_empty() {
            return Poll::Ready(Ok(Ready::READABLE));
        }
        if interest.is_writable() {
            return Poll::Ready(Ok(Ready::WRITABLE));
        }
        said.1 = Some(context.waker().clone());
        Poll::Pending
    }

    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.lock().0.read(buffer)? {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            count => Ok(count),
        }
    }

    fn try_write_vectored(&self, slices: &[io::IoSlice<'_>]) -> io::Result<usize> {
        // All is taken at once, so a slice is a whole frame.
        slices.iter().for_each(|frame| self.hear(frame));
        Ok(slices.iter().map(|frame| frame.len()).sum())
    }

    fn hang_up(&self) {}
}

/// A server with its receivers, and the connection of one who speaks to them.
async fn start() -> Result<(App, Line)> {
    let settings = [
        ("database.url", "sqlite::memory:"),
        ("auth.jwt_secret", SECRET),
        ("limits.rate_limits", "off"),
        ("limits.group_participants", "2000"),
        ("limits.connections_per_address", "2000"),
        // By a clock that leaps everybody is silent for long.
        ("limits.ping_interval", "36500d"),
        ("server.drain", "1s"),
    ];
    let flags = settings.map(|(key, value)| (key, value.to_owned())).into();
    let loaded = config::load(&Sources { flags, ..Sources::default() })?;
    let (door, connections) = mpsc::channel(1);
    let (clock, listener) =
        (Arc::new(Leaping(SystemClock::default())), Listener::Other(connections));
    let parts = Parts { clock, listener: Some(listener), ..Parts::of(&loaded.config) };
    let app = App::start_with(parts, &loaded, false).await?;
    let speaker = Line::default();
    for user in 0..=CROWDS[2] {
        let line = if user == 0 { speaker.clone() } else { Line::default() };
        let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        door.send((Socket::Other(Box::new(line.clone())), peer)).await?;
        line.exchange(&greeting(user)?, 1).await?;
    }
    for receivers in CROWDS {
        let users: Vec<_> = (1..=receivers).map(|user| user.to_string()).collect();
        let create = format!(
            r#"{{"type":"conversation.create","id":2,"kind":"group","participants":{users:?}}}"#
        );
        // The speaker is told of it, too, and answered.
        speaker.exchange(&frame(&create), receivers + 2).await?;
    }
    Ok((app, speaker))
}

/// What a user sends so that everything new comes to him.
fn greeting(user: isize) -> Result<Vec<u8>> {
    let now = SystemClock::default().now() / 1_000;
    let claims = json!({ "sub": user.to_string(), "iat": now, "exp": now + 3_600 });
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let token = jsonwebtoken::encode(&Header::default(), &claims, &key)?;
    let request = format!(
        "GET /api/v1/ws HTTP/1.1\r\nHost: parlour\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Authorization: Bearer {token}\r\n\r\n"
    );
    let resume = frame(r#"{"type":"resume","id":1,"positions":[]}"#);
    Ok([request.into_bytes(), resume].concat())
}

fn frame(command: &str) -> Vec<u8> {
    client::text(command, [1, 2, 3, 4])
}

/// What is said, and what ends it.
type Frames = [Vec<u8>; 2];

fn typing(at: usize) -> Frames {
    // What is not ended here the server ends, when no frame is owed.
    [true, false].map(|active| {
        frame(&format!(r#"{{"type":"typing","id":3,"conversation_id":{at},"active":{active}}}"#))
    })
}

fn message(at: usize) -> Frames {
    // Without an id: the last one's may still be taken when its answer is here.
    let send = format!(r#"{{"type":"message.send","conversation_id":{at},"content":"{TEXT}"}}"#);
    [frame(&send), frame(&send)]
}

/// How long it takes to say something again and again, each time to all receivers; then it is ended.
async fn repeat(speaker: &Line, [what, end]: &Frames, owed: isize, times: u64) -> Result<Duration> {
    let begun = Instant::now();
    for _ in 0..times {
        AHEAD.fetch_add(1, Relaxed);
        speaker.exchange(what, owed).await?;
    }
    let took = begun.elapsed();
    AHEAD.fetch_add(1, Relaxed);
    speaker.exchange(end, owed).await?;
    Ok(took)
}

fn within<T>(runtime: &Runtime, work: impl Future<Output = Result<T>>) -> Result<T> {
    runtime.block_on(async { timeout(DEADLINE, work).await.context("not everything came")? })
}

fn measure(
    criterion: &mut Criterion,
    (runtime, speaker): (&Runtime, &Line),
    (name, frames): (&str, fn(usize) -> Frames),
    crowds: &[isize],
) {
    let mut group = criterion.benchmark_group(name);
    for (receivers, at) in crowds.iter().zip(1..) {
        let frames = frames(at);
        group.throughput(Throughput::Elements(receivers.unsigned_abs() as u64));
        group.bench_function(BenchmarkId::from_parameter(receivers), |bencher| {
            bencher.iter_custom(|times| {
                // The speaker is answered.
                let took = within(runtime, repeat(speaker, &frames, receivers + 1, times));
                assert!(took.is_ok(), "{took:?}");
                took.unwrap_or_default()
            });
        });
    }
    group.finish();
}

fn main() -> Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let (app, speaker) = within(&runtime, start())?;
    let (mut criterion, on) = (Criterion::default().configure_from_args(), (&runtime, &speaker));
    measure(&mut criterion, on, ("typing", typing), &CROWDS[..2]);
    measure(&mut criterion, on, ("message", message), &CROWDS);
    criterion.final_summary();
    runtime.block_on(app.shut_down());
    Ok(())
}
