//! The simulated network under the real gateway.

use std::{
    future::Future as _,
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
};

use parking_lot::Mutex;
use parlour_server::{Listener, Socket, Transport};
use tokio::{
    io::{AsyncRead as _, Interest, ReadBuf, Ready},
    sync::mpsc,
};
use turmoil::net::{TcpListener, TcpStream};

use crate::trace::Trace;

/// The port of every server.
pub const PORT: u16 = 80;

/// Most bytes of one segment.
const SEGMENT: usize = 16 * 1024;

/// Listens on the current host.
///
/// # Errors
/// When something listens there already.
pub async fn listen(host: Arc<str>, trace: Trace) -> io::Result<Listener> {
    let listener = TcpListener::bind(("0.0.0.0", PORT)).await?;
    let (give, given) = mpsc::channel(64);
    tokio::spawn(async move {
        loop {
            let accepted = tokio::select! {
                biased;
                () = give.closed() => return,
                accepted = listener.accept() => accepted,
            };
            let Ok((stream, peer)) = accepted else { return };
            let transport = Simulated::new(stream, peer, host.clone(), trace.clone());
            if give.send((Socket::Other(Box::new(transport)), peer)).await.is_err() {
                return;
            }
        }
    });
    Ok(Listener::Other(given))
}

/// A simulated connection as the gateway wants it.
struct Simulated {
    state: Mutex<State>,
    peer: SocketAddr,
    host: Arc<str>,
    trace: Trace,
}

#[derive(Default)]
struct State {
    /// `None` once it was hung up.
    stream: Option<TcpStream>,
    /// What has come and was not read; empty and `ended` is the end.
    read: Vec<u8>,
    ended: bool,
    broken: bool,
}

impl Simulated {
    fn new(stream: TcpStream, peer: SocketAddr, host: Arc<str>, trace: Trace) -> Self {
        let state = State { stream: Some(stream), ..State::default() };
        Self { state: Mutex::new(state), peer, host, trace }
    }

    fn note(&self, what: &str, bytes: &[u8]) {
        self.trace.note(&self.host, &format!("{what} {}", self.peer), bytes);
    }
}

impl State {
    /// Looks whether something has come.
    fn fetch(&mut self, context: &mut Context<'_>) -> bool {
        if !self.read.is_empty() || self.ended || self.broken {
            return true;
        }
        let Some(stream) = &mut self.stream else { return true };
        let mut segment = vec![0; SEGMENT];
        let mut buffer = ReadBuf::new(&mut segment);
        match Pin::new(stream).poll_read(context, &mut buffer) {
            Poll::Pending => return false,
            Poll::Ready(Ok(())) if buffer.filled().is_empty() => self.ended = true,
            Poll::Ready(Ok(())) => self.read.extend_from_slice(buffer.filled()),
            Poll::Ready(Err(_)) => self.broken = true,
        }
        true
    }

    fn can_write(&self, context: &mut Context<'_>) -> bool {
        let Some(stream) = &self.stream else { return true };
        // Forgetting the future leaves the waker where it was put.
        pin!(stream.writable()).poll(context).is_ready()
    }
}

impl Transport for Simulated {
    fn poll_ready(&self, context: &mut Context<'_>, interest: Interest) -> Poll<io::Result<Ready>> {
        let mut state = self.state.lock();
        let mut ready = Ready::EMPTY;
        if interest.is_readable() && state.fetch(context) {
            ready |= Ready::READABLE;
        }
        if interest.is_writable() && state.can_write(context) {
            ready |= Ready::WRITABLE;
        }
        if ready.is_empty() { Poll::Pending } else { Poll::Ready(Ok(ready)) }
    }

    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut state = self.state.lock();
        if state.read.is_empty() {
            return match (state.ended || state.stream.is_none(), state.broken) {
                (_, true) => Err(io::ErrorKind::ConnectionReset.into()),
                (true, _) => Ok(0),
                _ => Err(io::ErrorKind::WouldBlock.into()),
            };
        }
        let count = state.read.len().min(buffer.len());
        for (to, from) in buffer.iter_mut().zip(state.read.drain(..count)) {
            *to = from;
        }
        drop(state);
        self.note("reads", buffer.get(..count).unwrap_or_default());
        Ok(count)
    }

    fn try_write_vectored(&self, slices: &[io::IoSlice<'_>]) -> io::Result<usize> {
        let mut segment = slices.iter().flat_map(|slice| slice.iter().copied()).collect::<Vec<_>>();
        segment.truncate(SEGMENT);
        let state = self.state.lock();
        let stream = state.stream.as_ref().ok_or(io::ErrorKind::BrokenPipe)?;
        let written = stream.try_write(&segment)?;
        drop(state);
        self.note("writes", segment.get(..written).unwrap_or_default());
        Ok(written)
    }

    fn hang_up(&self) {
        let stream = self.state.lock().stream.take();
        drop(stream);
        self.note("hangs up", &[]);
    }
}
