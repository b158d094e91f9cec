//! Many client sockets on one thread: one poll, one buffer to read into, one write for all that a socket has to say in a turn.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::SocketAddr,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use mio::{Events, Interest, Poll, Registry, Token, net::TcpStream};
use socket2::{Domain, Socket as Raw, Type};

use crate::frame::{self, Kind};

/// What is read at once.
const SCRATCH: usize = 256 * 1024;

/// What happens to sockets is told to one of these. It may write to any of them meanwhile.
pub trait Ear {
    /// The server has accepted the upgrade.
    ///
    /// # Errors
    /// Ends the turn.
    fn opened(&mut self, sockets: &mut Sockets, id: usize) -> Result<()>;

    /// A text has come.
    ///
    /// # Errors
    /// Ends the turn.
    fn text(&mut self, sockets: &mut Sockets, id: usize, text: &[u8]) -> Result<()>;

    /// A ping of ours was answered.
    ///
    /// # Errors
    /// Ends the turn.
    fn pong(&mut self, sockets: &mut Sockets, id: usize) -> Result<()>;

    /// The server has ended it, or refused the upgrade. The socket is gone.
    ///
    /// # Errors
    /// Ends the turn.
    fn ended(&mut self, sockets: &mut Sockets, id: usize, why: &str) -> Result<()>;
}

#[derive(PartialEq, Eq, Debug)]
enum State {
    Connecting,
    Upgrading,
    Open,
}

#[derive(Debug)]
struct Socket {
    stream: TcpStream,
    state: State,
    /// The request, until it is written; then what the socket did not take.
    unsent: Vec<u8>,
    /// The beginning of a frame of which the rest has not come yet.
    unread: Vec<u8>,
    waits_to_write: bool,
    is_due: bool,
    is_deaf: bool,
}

/// The sockets. Numbers are not used again.
#[derive(Debug)]
pub struct Sockets {
    registry: Registry,
    all: Vec<Option<Socket>>,
    /// Those with something to write that have not been tried yet.
    due: Vec<usize>,
}

/// The sockets and what waits for them.
#[derive(Debug)]
pub struct Swarm {
    poll: Poll,
    events: Events,
    scratch: Vec<u8>,
    /// The sockets.
    pub sockets: Sockets,
}

impl Swarm {
    /// No sockets.
    ///
    /// # Errors
    /// When the system refuses a poll.
    pub fn new() -> Result<Self> {
        let poll = Poll::new()?;
        let registry = poll.registry().try_clone()?;
        let sockets = Sockets { registry, all: Vec::new(), due: Vec::new() };
        Ok(Self { poll, events: Events::with_capacity(1_024), scratch: vec![0; SCRATCH], sockets })
    }

    /// Waits until something happens, for `wait` at most, and tells it.
    ///
    /// # Errors
    /// What the ear says, and what the system does.
    pub fn turn(&mut self, wait: Duration, ear: &mut dyn Ear) -> Result<()> {
        self.sockets.flush()?;
        match self.poll.poll(&mut self.events, Some(wait)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
            polled => polled?,
        }
        for event in &self.events {
            let id = event.token().0;
            if event.is_writable() {
                self.sockets.writable(id, ear)?;
            }
            if event.is_readable() || event.is_read_closed() {
                self.sockets.read(id, &mut self.scratch, ear)?;
            }
        }
        self.sockets.flush()
    }
}

impl Sockets {
    /// Begins to open a socket with a request for an upgrade; `narrow` gives it a small buffer for what it has not read.
    ///
    /// # Errors
    /// When the system has no more sockets.
    pub fn open(&mut self, address: SocketAddr, request: Vec<u8>, narrow: bool) -> Result<usize> {
        let raw = Raw::new(Domain::for_address(address), Type::STREAM, None)?;
        raw.set_nonblocking(true)?;
        raw.set_tcp_nodelay(true)?;
        if narrow {
            raw.set_recv_buffer_size(4_096)?;
        }
        match raw.connect(&address.into()) {
            Err(error) if !is_on_its_way(&error) => {
                return Err(error).context("cannot connect to the server");
            }
            _ => {}
        }
        let mut stream = TcpStream::from_std(raw.into());
        let id = self.all.len();
        self.registry.register(&mut stream, Token(id), Interest::READABLE | Interest::WRITABLE)?;
        self.all.push(Some(Socket {
            stream,
            state: State::Connecting,
            unsent: request,
            unread: Vec::new(),
            waits_to_write: true,
            is_due: false,
            is_deaf: false,
        }));
        Ok(id)
    }

    /// Sends a text with the next turn. What is gone hears nothing: its end is told to the ear.
    ///
    /// # Errors
    /// None at present.
    pub fn text(&mut self, id: usize, payload: &[u8]) -> Result<()> {
        self.write(id, frame::TEXT, payload)
    }

    /// Asks for a pong.
    ///
    /// # Errors
    /// See [`Self::text`].
    pub fn ping(&mut self, id: usize) -> Result<()> {
        self.write(id, frame::PING, &[])
    }

    /// Cuts it without a word.
    pub fn cut(&mut self, id: usize) {
        if let Some(mut socket) = self.all.get_mut(id).and_then(Option::take) {
            // It is closed by being dropped, registered or not.
            let _ = self.registry.deregister(&mut socket.stream);
        }
    }

    /// No longer reads from it, or reads again what has come meanwhile.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn set_deaf(&mut self, id: usize, is_deaf: bool) -> Result<()> {
        let Some(socket) = self.get(id) else { return Ok(()) };
        if socket.is_deaf == is_deaf {
            return Ok(());
        }
        socket.is_deaf = is_deaf;
        let Some(Some(socket)) = self.all.get_mut(id) else { return Ok(()) };
        match is_deaf {
            true => self.registry.deregister(&mut socket.stream)?,
            false => {
                let interest = Interest::READABLE | Interest::WRITABLE;
                self.registry.register(&mut socket.stream, Token(id), interest)?;
                socket.waits_to_write = true;
            }
        }
        Ok(())
    }

    /// Whether it is open, and read.
    #[must_use]
    pub fn is_heard(&self, id: usize) -> bool {
        let socket = self.all.get(id).and_then(Option::as_ref);
        socket.is_some_and(|socket| socket.state == State::Open && !socket.is_deaf)
    }

    fn get(&mut self, id: usize) -> Option<&mut Socket> {
        self.all.get_mut(id)?.as_mut()
    }

    fn write(&mut self, id: usize, opcode: u8, payload: &[u8]) -> Result<()> {
        let Some(Some(socket)) = self.all.get_mut(id) else { return Ok(()) };
        frame::write(opcode, payload, &mut socket.unsent);
        if !socket.waits_to_write && !socket.is_due {
            socket.is_due = true;
            self.due.push(id);
        }
        Ok(())
    }

    /// Writes what has gathered: everything for a socket at once, so that this program is not what is slow.
    fn flush(&mut self) -> Result<()> {
        let mut due = std::mem::take(&mut self.due);
        for id in due.drain(..) {
            let Some(Some(socket)) = self.all.get_mut(id) else { continue };
            socket.is_due = false;
            let written = match socket.stream.write(&socket.unsent) {
                Ok(written) => written,
                Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
                // The end of it comes as an event of its own.
                Err(_) => continue,
            };
            socket.unsent.drain(..written);
            if !socket.unsent.is_empty() {
                self.await_writing(id, true)?;
            }
        }
        self.due = due;
        Ok(())
    }

    fn await_writing(&mut self, id: usize, waits: bool) -> Result<()> {
        let Some(Some(socket)) = self.all.get_mut(id) else { return Ok(()) };
        if socket.waits_to_write == waits || socket.is_deaf {
            return Ok(());
        }
        socket.waits_to_write = waits;
        let interest = match waits {
            true => Interest::READABLE | Interest::WRITABLE,
            false => Interest::READABLE,
        };
        Ok(self.registry.reregister(&mut socket.stream, Token(id), interest)?)
    }

    fn writable(&mut self, id: usize, ear: &mut dyn Ear) -> Result<()> {
        let Some(socket) = self.get(id) else { return Ok(()) };
        if socket.state == State::Connecting {
            if let Some(error) = socket.stream.take_error()? {
                return self.end(id, &format!("not connected: {error}"), ear);
            }
            socket.state = State::Upgrading;
        }
        while !socket.unsent.is_empty() {
            match socket.stream.write(&socket.unsent) {
                Ok(written) => drop(socket.unsent.drain(..written)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return self.end(id, &format!("cannot write: {error}"), ear),
            }
        }
        self.await_writing(id, false)
    }

    fn read(&mut self, id: usize, scratch: &mut [u8], ear: &mut dyn Ear) -> Result<()> {
        loop {
            let Some(socket) = self.get(id).filter(|socket| !socket.is_deaf) else { return Ok(()) };
            let read = match socket.stream.read(scratch) {
                Ok(0) => return self.end(id, "cut", ear),
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return self.end(id, &format!("cannot read: {error}"), ear),
            };
            if socket.unread.is_empty() {
                let used = self.take(id, &scratch[..read], ear)?;
                if let Some(socket) = self.get(id) {
                    socket.unread.extend_from_slice(&scratch[used..read]);
                }
            } else {
                let mut all = std::mem::take(&mut socket.unread);
                all.extend_from_slice(&scratch[..read]);
                let used = self.take(id, &all, ear)?;
                all.drain(..used);
                if let Some(socket) = self.get(id) {
                    socket.unread = all;
                }
            }
            // What comes later is another event.
            if read < scratch.len() {
                return Ok(());
            }
        }
    }

    /// Tells all that is whole; how many bytes that were.
    fn take(&mut self, id: usize, all: &[u8], ear: &mut dyn Ear) -> Result<usize> {
        let mut used = 0;
        if self.get(id).is_some_and(|socket| socket.state != State::Open) {
            let Some(end) = memchr::memmem::find(all, b"\r\n\r\n") else { return Ok(0) };
            if !all.starts_with(b"HTTP/1.1 101") {
                let line = all.split(|byte| *byte == b'\r').next().unwrap_or_default();
                let why = format!("refused: {}", String::from_utf8_lossy(line));
                return self.end(id, &why, ear).map(|()| all.len());
            }
            if let Some(socket) = self.get(id) {
                socket.state = State::Open;
            }
            used = end + 4;
            ear.opened(self, id)?;
        }
        while let Some((kind, begin, end)) = frame::first(&all[used..])? {
            let payload = &all[used + begin..used + end];
            used += end;
            match kind {
                Kind::Text => ear.text(self, id, payload)?,
                Kind::Ping => self.write(id, frame::PONG, payload)?,
                Kind::Pong => ear.pong(self, id)?,
                Kind::Close => {
                    let code = payload.get(..2).map(|code| u16::from_be_bytes([code[0], code[1]]));
                    let reason = String::from_utf8_lossy(payload.get(2..).unwrap_or_default());
                    let why = format!("closed with {} {reason}", code.unwrap_or(1005));
                    return self.end(id, &why, ear).map(|()| all.len());
                }
            }
            // The ear may have cut it.
            if self.get(id).is_none_or(|socket| socket.is_deaf) {
                return Ok(all.len());
            }
        }
        Ok(used)
    }

    fn end(&mut self, id: usize, why: &str, ear: &mut dyn Ear) -> Result<()> {
        self.cut(id);
        ear.ended(self, id, why)
    }
}

fn is_on_its_way(error: &std::io::Error) -> bool {
    error.kind() == ErrorKind::WouldBlock || error.raw_os_error() == Some(IN_PROGRESS)
}

/// What a connect says that is not over at once (EINPROGRESS).
const IN_PROGRESS: i32 = rustix::io::Errno::INPROGRESS.raw_os_error();

/// The request for an upgrade.
#[must_use]
pub fn request(address: SocketAddr, path: &str, bearer: Option<&str>) -> Vec<u8> {
    let sign_in =
        bearer.map_or_else(String::new, |token| format!("Authorization: Bearer {token}\r\n"));
    format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{sign_in}\r\n"
    )
    .into_bytes()
}

/// Raises the most files that this process may have open to what it is allowed.
///
/// # Errors
/// When that is less than what is needed.
pub fn allow_files(needed: usize) -> Result<()> {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _ = setrlimit(Resource::Nofile, limit);
    let allowed = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    if allowed < needed as u64 {
        bail!("{needed} open files are needed, {allowed} are allowed");
    }
    Ok(())
}
