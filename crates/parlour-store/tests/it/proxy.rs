//! A proxy in front of a PostgreSQL server that cuts a connection around a COMMIT.

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
}

/// What COMMIT looks like among what clients send.
const COMMIT: &[u8] = b"COMMIT\0";

#[derive(Default)]
struct Plan {
    next: Mutex<Option<Cut>>,
    cut: AtomicBool,
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

    /// Whether it was cut since.
    pub(crate) fn has_cut(&self) -> bool {
        self.plan.cut.load(Ordering::SeqCst)
    }
}

async fn serve(client: TcpStream, server: TcpStream, plan: Arc<Plan>) {
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let held = Arc::new(AtomicBool::new(false));
    let back = spawn(answer(from_server, to_client, held.clone()));
    let cut = forward(from_client, to_server, &plan, &held).await;
    if let Some((cut, to_server)) = cut {
        match cut {
            Cut::BeforeCommit | Cut::AfterCommit => back.abort(),
            // Ends when the server has answered, which nobody hears.
            Cut::AfterItsAnswer => {}
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
) -> Option<(Cut, OwnedWriteHalf)> {
    let mut buffer = vec![0; 64 << 10];
    // COMMIT may come in two parts.
    let mut tail = Vec::new();
    loop {
        let size = client.read(&mut buffer).await.ok().filter(|size| *size > 0)?;
        let chunk = &buffer[..size];
        tail.extend_from_slice(chunk);
        let commits = tail.windows(COMMIT.len()).any(|window| window == COMMIT);
        let drop_until = tail.len().saturating_sub(COMMIT.len() - 1);
        tail.drain(..drop_until);
        let cut = if commits { take(plan) } else { None };
        if let Some(cut) = cut {
            plan.cut.store(true, Ordering::SeqCst);
            held.store(true, Ordering::SeqCst);
            if cut != Cut::BeforeCommit {
                server.write_all(chunk).await.ok()?;
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
async fn answer(mut server: OwnedReadHalf, mut client: OwnedWriteHalf, held: Arc<AtomicBool>) {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let Ok(size) = server.read(&mut buffer).await else { return };
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
