//! The byte stream under a socket, and where new ones come from: the network, or a simulation of one.
//!
//! Both are asked by a match, so that the network costs nothing more than before: only what is not TCP is called
//! through a table.

use std::{
    fmt,
    future::poll_fn,
    io::{self, Read as _},
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll, ready},
};

use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite, Interest, ReadBuf, Ready},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

/// A byte stream that is no TCP connection of the operating system.
pub trait Transport: Send + Sync + 'static {
    /// Waits until one of the things of interest can be tried. May tell so too often.
    fn poll_ready(&self, context: &mut Context<'_>, interest: Interest) -> Poll<io::Result<Ready>>;

    /// Reads what is there; zero at the end.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when nothing is there yet; others when the connection is broken.
    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Writes what fits, of the slices in their order.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when nothing fits; others when the connection is broken.
    fn try_write_vectored(&self, slices: &[io::IoSlice<'_>]) -> io::Result<usize>;

    /// Ends it both ways.
    fn hang_up(&self);
}

/// A connected byte stream.
pub enum Socket {
    /// A TCP connection.
    Tcp(TcpStream),
    /// Something else.
    Other(Box<dyn Transport>),
}

/// Reads what has come. If that is less than there is room for, the stream is waited for next, and not asked once more
/// whether it has nothing left: a system call less for each message.
fn read_what_is_there(stream: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    let mut last = 0;
    let read = stream.try_io(Interest::READABLE, || {
        match (&*SockRef::from(stream)).read(buffer) {
            Ok(count) if 0 < count && count < buffer.len() => {
                last = count;
                // What comes from here on makes the stream ready again.
                Err(io::ErrorKind::WouldBlock.into())
            }
            other => other,
        }
    });
    if last > 0 { Ok(last) } else { read }
}

fn poll_tcp_ready(
    stream: &TcpStream,
    context: &mut Context<'_>,
    interest: Interest,
) -> Poll<io::Result<Ready>> {
    let mut ready = Ready::EMPTY;
    if interest.is_readable() && stream.poll_read_ready(context)?.is_ready() {
        ready |= Ready::READABLE;
    }
    if interest.is_writable() && stream.poll_write_ready(context)?.is_ready() {
        ready |= Ready::WRITABLE;
    }
    if ready.is_empty() { Poll::Pending } else { Poll::Ready(Ok(ready)) }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(stream) => stream.fmt(f),
            Self::Other(_) => f.write_str("Other"),
        }
    }
}

impl Socket {
    /// Waits until one of the things of interest can be tried.
    ///
    /// Only one task at a time may wait for a socket. So its waker has its place in the socket, which costs less, in time
    /// and in memory, than to be one of several who wait.
    pub(crate) async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        poll_fn(|context| match self {
            Self::Tcp(stream) => poll_tcp_ready(stream, context, interest),
            Self::Other(other) => other.poll_ready(context, interest),
        })
        .await
    }

    pub(crate) fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => read_what_is_there(stream, buffer),
            Self::Other(other) => other.try_read(buffer),
        }
    }

    /// Writes one slice as far as it can.
    pub(crate) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_write(bytes),
            Self::Other(other) => other.try_write_vectored(&[io::IoSlice::new(bytes)]),
        }
    }

    /// The same with several.
    pub(crate) fn try_write_vectored(&self, slices: &[io::IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_write_vectored(slices),
            Self::Other(other) => other.try_write_vectored(slices),
        }
    }

    /// Ends it both ways, whoever else still knows of it.
    pub(crate) fn hang_up(&self) {
        match self {
            Self::Tcp(stream) => {
                // It may be gone already.
                let _gone = socket2::SockRef::from(stream).shutdown(std::net::Shutdown::Both);
            }
            Self::Other(other) => other.hang_up(),
        }
    }

    /// Where a connection does not have it from its listener.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn set_nodelay(&self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.set_nodelay(true),
            Self::Other(_) => Ok(()),
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let other = match self.get_mut() {
            Self::Tcp(stream) => return Pin::new(stream).poll_read(context, buffer),
            Self::Other(other) => other,
        };
        let read = ready!(retried(context, &**other, Interest::READABLE, || {
            other.try_read(buffer.initialize_unfilled())
        }));
        Poll::Ready(read.map(|count| buffer.advance(count)))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[io::IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write_vectored(context, slices),
            Self::Other(other) => {
                retried(context, &**other, Interest::WRITABLE, || other.try_write_vectored(slices))
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(context),
            Self::Other(_) => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Other(other) => {
                other.hang_up();
                Poll::Ready(Ok(()))
            }
        }
    }
}

/// Tries until it works, or until there is something to wait for.
fn retried(
    context: &mut Context<'_>,
    transport: &dyn Transport,
    interest: Interest,
    mut attempt: impl FnMut() -> io::Result<usize>,
) -> Poll<io::Result<usize>> {
    loop {
        match attempt() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                ready!(transport.poll_ready(context, interest))?;
            }
            done => return Poll::Ready(done),
        }
    }
}

/// Where connections come from.
#[derive(Debug)]
pub enum Listener {
    /// A TCP port.
    Tcp(TcpListener),
    /// Somebody who has them; when it is gone, no more come.
    Other(mpsc::Receiver<(Socket, SocketAddr)>),
}

impl Listener {
    /// The next connection, with the address of its other end.
    pub(crate) async fn accept(&mut self) -> io::Result<(Socket, SocketAddr)> {
        match self {
            Self::Tcp(listener) => {
                listener.accept().await.map(|(stream, peer)| (Socket::Tcp(stream), peer))
            }
            Self::Other(given) => match given.recv().await {
                Some(connection) => Ok(connection),
                None => std::future::pending().await,
            },
        }
    }

    /// Where it listens, if it is a port.
    ///
    /// # Errors
    /// Those of the operating system.
    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Tcp(listener) => listener.local_addr(),
            Self::Other(_) => Ok(SocketAddr::from(([0, 0, 0, 0], 0))),
        }
    }
}
