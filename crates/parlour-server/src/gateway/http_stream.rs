//! The stream under a connection while it speaks HTTP. The answer that makes a WebSocket of it is not written here: it goes
//! out with the first frames, in one piece.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::socket::Socket;

/// Told when the answer is one after which the connection speaks HTTP no more.
#[derive(Clone, Default, Debug)]
pub(crate) struct Switch(Arc<AtomicBool>);

impl Switch {
    /// What is written from now on is kept.
    pub(crate) fn turn(&self) {
        self.0.store(true, Relaxed);
    }
}

/// A connection that speaks HTTP.
#[derive(Debug)]
pub(crate) struct HttpStream {
    socket: Socket,
    switch: Switch,
    /// What was written after the switch was turned. One answer at most: whoever wrote it is asked nothing more.
    kept: Vec<u8>,
}

impl HttpStream {
    pub(crate) const fn new(socket: Socket, switch: Switch) -> Self {
        Self { socket, switch, kept: Vec::new() }
    }

    /// The bare connection, with what is still to be written to it before anything else.
    pub(crate) fn into_parts(self) -> (Socket, Vec<u8>) {
        (self.socket, self.kept)
    }

    fn keeps(&self) -> bool {
        self.switch.0.load(Relaxed)
    }
}

impl AsyncRead for HttpStream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_read(context, buffer)
    }
}

impl AsyncWrite for HttpStream {
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
        let this = self.get_mut();
        if !this.keeps() {
            return Pin::new(&mut this.socket).poll_write_vectored(context, slices);
        }
        let before = this.kept.len();
        slices.iter().for_each(|slice| this.kept.extend_from_slice(slice));
        Poll::Ready(Ok(this.kept.len() - before))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match this.keeps() {
            true => Poll::Ready(Ok(())),
            false => Pin::new(&mut this.socket).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::{TcpListener, TcpStream},
    };

    use super::*;

    #[tokio::test]
    async fn what_is_written_after_the_switch_is_kept() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap());
        let (client, accepted) = tokio::join!(client, listener.accept());
        let (mut client, socket) = (client.unwrap(), Socket::Tcp(accepted.unwrap().0));
        let switch = Switch::default();
        let mut stream = HttpStream::new(socket, switch.clone());
        stream.write_all(b"one").await.unwrap();
        switch.turn();
        let slices = [io::IoSlice::new(b"tw"), io::IoSlice::new(b"o")];
        assert_eq!(stream.write_vectored(&slices).await.unwrap(), 3);
        stream.flush().await.unwrap();
        let (socket, kept) = stream.into_parts();
        assert_eq!(kept, b"two");
        drop(socket);
        let mut read = String::new();
        client.read_to_string(&mut read).await.unwrap();
        assert_eq!(read, "one");
    }
}
