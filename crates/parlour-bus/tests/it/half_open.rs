//! Connections of which one direction has fallen silent without a word.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use parlour_engines::{Redis, skip};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use crate::rig::{Processes, conversation, until};

/// Between processes and Redis. The connections up to a number are silent, one way or the other.
struct Proxy {
    port: u16,
    count: Arc<AtomicU64>,
    /// To Redis, and from it.
    silent: [Arc<AtomicU64>; 2],
    _tasks: JoinSet<()>,
}

impl Proxy {
    async fn start(to: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let count = Arc::new(AtomicU64::new(0));
        let silent: [Arc<AtomicU64>; 2] = Default::default();
        let mut tasks = JoinSet::new();
        let (counted, ends) = (count.clone(), silent.clone());
        tasks.spawn(async move {
            let mut pumps = JoinSet::new();
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let server = TcpStream::connect(("127.0.0.1", to)).await.unwrap();
                let number = counted.fetch_add(1, Ordering::SeqCst) + 1;
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                pumps.spawn(pump(from_client, to_server, number, ends[0].clone()));
                pumps.spawn(pump(from_server, to_client, number, ends[1].clone()));
            }
        });
        Self { port, count, silent, _tasks: tasks }
    }

    /// Nothing passes any more on the connections of now. New ones are as they should be.
    fn silence(&self, direction: usize) {
        self.silent[direction].store(self.count.load(Ordering::SeqCst), Ordering::SeqCst);
    }
}

async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    number: u64,
    silent: Arc<AtomicU64>,
) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        if silent.load(Ordering::SeqCst) >= number {
            return std::future::pending().await;
        }
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}

async fn is_noticed(direction: usize) {
    let Some(redis) = Redis::start(&[]).unwrap() else { return skip("no Redis") };
    let proxy = Proxy::start(redis.port()).await;
    let processes = Processes::new(format!("redis://127.0.0.1:{}", proxy.port), vec![]);
    let (a, b) = (processes.ready().await, processes.ready().await);
    b.bus.listen(vec![conversation(1)]).await;
    a.reaches(&b, &conversation(1)).await;
    let before = b.ear.lagged();
    proxy.silence(direction);
    let since = Instant::now();
    until("bad health", || !a.bus.is_healthy() && !b.bus.is_healthy()).await;
    assert!(since.elapsed() < Duration::from_secs(6), "{:?}", since.elapsed());
    until("word of the gap", || b.ear.lagged() > before).await;
    until("health", || a.bus.is_healthy() && b.bus.is_healthy()).await;
    assert!(since.elapsed() < Duration::from_secs(15), "{:?}", since.elapsed());
    a.reaches(&b, &conversation(1)).await;
}

#[tokio::test]
async fn g8_a_connection_that_brings_nothing_is_given_up() {
    is_noticed(1).await;
}

#[tokio::test]
async fn g8_a_connection_that_takes_nothing_is_given_up() {
    is_noticed(0).await;
}
