//! A proxy in front of a PostgreSQL server that cuts connections, around a COMMIT or all of them, so that it shows or not.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, tcp::OwnedReadHalf, tcp::OwnedWriteHalf},
};

use crate::support::spawn;

/// Where the next connection that commits something is cut.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Cut {
    /// The server never gets the COMMIT.
    BeforeCommit,
    /// The server gets it, and both ends lose the connection at once.
    AfterCommit,
    /// The server has done it, and its answer is lost.
    AfterItsAnswer,
    /// The server never gets the COMMIT, and the client does not learn that.
    BeforeCommitSilently,
    /// The server has done it, its answer is lost, and the client does not learn that either.
    AfterItsAnswerSilently,
}

/// What COMMIT looks like among what clients send.
const COMMIT: &[u8] = b"COMMIT\0";

#[derive(Default)]
struct Plan {
    next: Mutex<Option<Cut>>,
    cut: AtomicBool,
    connections: Mutex<Vec<Arc<Silence>>>,
}

/// What of a connection gets lost without either side learning it.
#[derive(Default)]
struct Silence {
    questions: AtomicBool,
    answers: AtomicBool,
}

pub(crate) struct Proxy {
    port: u16,
    plan: Arc<Plan>,
}

impl Proxy {
    pub(crate) async fn start(server: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let plan = Arc::<Plan>::default();
        let shared = plan.clone();
        spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
                spawn(serve(client, server, shared.clone()));
            }
        });
        Self { port, plan }
    }

    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://parlour@127.0.0.1:{}/{database}?sslmode=disable", self.port)
    }

    /// Cuts the next connection that writes a message and commits it.
    pub(crate) fn cut(&self, cut: Cut) {
        self.plan.cut.store(false, Ordering::SeqCst);
        *self.plan.next.lock().unwrap_or_else(PoisonError::into_inner) = Some(cut);
    }

    /// From now on no answer comes through the connections that there are, and no question either if `both`. Neither side
    /// learns that.
    pub(crate) fn silence(&self, both: bool) {
        for silence in self.plan.connections.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            silence.questions.store(both, Ordering::SeqCst);
            silence.answers.store(true, Ordering::SeqCst);
        }
    }

    /// Whether it was cut since.
    pub(crate) fn has_cut(&self) -> bool {
        self.plan.cut.load(Ordering::SeqCst)
    }
}

async fn serve(client: TcpStream, server: TcpStream, plan: Arc<Plan>) {
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let (held, silence) = <(Arc<AtomicBool>, Arc<Silence>)>::default();
    plan.connections.lock().unwrap_or_else(PoisonError::into_inner).push(silence.clone());
    let back = spawn(answer(from_server, to_client, held.clone(), silence.clone()));
    let cut = forward(from_client, to_server, &plan, &held, &silence).await;
    if let Some((cut, to_server)) = cut {
        // Else it ends when the server has answered, which nobody hears.
        if matches!(cut, Cut::BeforeCommit | Cut::AfterCommit) {
            back.abort();
        }
        let _ = back.await;
        drop(to_server);
    }
}

/// Passes on what the client says, until it is to be cut.
async fn forward(
    mut client: OwnedReadHalf,
    mut server: OwnedWriteHalf,
    plan: &Plan,
    held: &AtomicBool,
    silence: &Silence,
) -> Option<(Cut, OwnedWriteHalf)> {
    let mut buffer = vec![0; 64 << 10];
    // COMMIT may come in two parts.
    let mut tail = Vec::new();
    loop {
        let size = client.read(&mut buffer).await.ok().filter(|size| *size > 0)?;
        if silence.questions.load(Ordering::SeqCst) {
            continue;
        }
        let chunk = &buffer[..size];
        tail.extend_from_slice(chunk);
        let commits = tail.windows(COMMIT.len()).any(|window| window == COMMIT);
        let drop_until = tail.len().saturating_sub(COMMIT.len() - 1);
        tail.drain(..drop_until);
        let cut = if commits { take(plan) } else { None };
        if let Some(cut) = cut {
            plan.cut.store(true, Ordering::SeqCst);
            let silently = matches!(cut, Cut::BeforeCommitSilently | Cut::AfterItsAnswerSilently);
            silence.questions.store(silently, Ordering::SeqCst);
            if silently { &silence.answers } else { held }.store(true, Ordering::SeqCst);
            if !matches!(cut, Cut::BeforeCommit | Cut::BeforeCommitSilently) {
                server.write_all(chunk).await.ok()?;
            }
            if silently {
                continue;
            }
            return Some((cut, server));
        }
        server.write_all(chunk).await.ok()?;
    }
}

fn take(plan: &Plan) -> Option<Cut> {
    plan.next.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// Passes on what the server answers; once the connection is cut, waits for one more answer and ends.
async fn answer(
    mut server: OwnedReadHalf,
    mut client: OwnedWriteHalf,
    held: Arc<AtomicBool>,
    silence: Arc<Silence>,
) {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let size = server.read(&mut buffer).await.unwrap_or(0);
        if silence.answers.load(Ordering::SeqCst) {
            if size == 0 {
                // The client is not to see the end either.
                std::future::pending::<()>().await;
            }
            continue;
        }
        if size == 0 {
            return;
        }
        if held.load(Ordering::SeqCst) {
            // Whatever is answered last ends with "ready": idle again, so COMMIT is done.
            let is_idle = buffer[..size].ends_with(&[b'Z', 0, 0, 0, 5, b'I']);
            if is_idle {
                return;
            }
            continue;
        }
        if client.write_all(&buffer[..size]).await.is_err() {
            return;
        }
    }
}
