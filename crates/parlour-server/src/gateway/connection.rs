//! The task of one socket: reads, hands on what was asked, writes what could not be written at once.

use std::{
    cell::RefCell,
    io,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use futures_util::{StreamExt as _, stream::FuturesOrdered};
use parlour_core::{
    Code, Error,
    command::Reply,
    limits::{Bucket, rate_limited},
    port::BoxFuture,
};
use parlour_websocket::{Decoder, Limits as FrameLimits};
use parlour_wire::{Dialect, Request};
use tokio::io::Interest;

use super::{
    Gateway,
    close::Close,
    conn::{Conn, NewConn},
    farewell,
    heard::{Heard, understand},
    preauth::SignedIn,
    session::{self, Executed},
};

/// What one thread reads into, for all of its connections.
const SCRATCH: usize = 64 * 1024;

/// Frames in a row that are no JSON, before the socket is closed.
const BROKEN_FRAMES: u32 = 10;

thread_local! {
    pub(super) static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; SCRATCH].into_boxed_slice());
}

/// A decoder with the limits in force.
pub(super) fn decoder(gateway: &Gateway) -> Decoder {
    Decoder::server(FrameLimits {
        max_message_bytes: gateway.limits.frame_bytes,
        max_fragments: gateway.limits.fragments,
    })
}

/// Serves a signed-in socket until it ends.
pub(super) async fn run(
    gateway: Arc<Gateway>,
    signed_in: SignedIn,
    device: Option<Arc<str>>,
    dialect: &'static dyn Dialect,
) {
    let SignedIn { identity, socket, decoder } = signed_in;
    let new =
        NewConn { identity, device, dialect, transport: "websocket", socket: Some(socket.stream) };
    let conn = Conn::new(new, gateway.limits.clone(), gateway.metrics.clone());
    let mut reader = Reader::new(gateway.clone(), conn.clone(), decoder);
    match session::welcome(&gateway, &conn).await {
        Ok(()) => reader.serve(socket.early).await,
        Err(close) => {
            conn.close(&close);
            farewell::finish(&conn, &mut reader.decoder).await;
        }
    }
    gateway.hub.unregister(&conn);
}

/// The reading side of a socket. Its state between two reads is this struct and nothing else.
struct Reader {
    gateway: Arc<Gateway>,
    conn: Arc<Conn>,
    decoder: Decoder,
    /// Commands that are not answered yet, in the order in which they came.
    open: Option<Box<FuturesOrdered<BoxFuture<'static, Answer>>>>,
    open_ids: Vec<u64>,
    commands: Bucket,
    refused: u32,
    broken: u32,
}

struct Answer {
    id: Option<u64>,
    /// `None`: an event answers, or already has.
    outcome: Option<Result<Reply, Error>>,
    _open: OpenCommand,
}

/// Counts a command as open for as long as it lives, also when its connection goes before it is answered.
struct OpenCommand(Arc<Gateway>);

impl OpenCommand {
    fn new(gateway: &Arc<Gateway>) -> Self {
        gateway.hub.open_commands.fetch_add(1, Relaxed);
        Self(gateway.clone())
    }
}

impl Drop for OpenCommand {
    fn drop(&mut self) {
        self.0.hub.open_commands.fetch_sub(1, Relaxed);
    }
}

impl Reader {
    fn new(gateway: Arc<Gateway>, conn: Arc<Conn>, decoder: Decoder) -> Self {
        Self {
            gateway,
            conn,
            decoder,
            open: None,
            open_ids: Vec::new(),
            commands: Bucket::default(),
            refused: 0,
            broken: 0,
        }
    }

    async fn serve(&mut self, mut early: Vec<u8>) {
        if !early.is_empty() {
            let heard = understand(&mut self.decoder, &self.conn, &self.gateway, &mut early);
            self.handle(heard);
        }
        drop(early);
        while !self.conn.is_closing() {
            let Some(interest) = self.interest() else {
                self.next_answer().await;
                continue;
            };
            let Some(socket) = self.conn.socket() else { return };
            let has_open = self.open.is_some();
            let ready = tokio::select! {
                ready = socket.ready(interest) => ready,
                () = self.conn.woken() => continue,
                answer = next(&mut self.open), if has_open => {
                    self.answer(answer);
                    continue;
                }
            };
            match ready {
                Ok(ready) => {
                    if ready.is_writable() && self.conn.wants_write() {
                        self.conn.flush();
                    }
                    if ready.is_readable() || ready.is_read_closed() {
                        self.read();
                    }
                }
                Err(_) => self.conn.abort(),
            }
        }
        farewell::finish(&self.conn, &mut self.decoder).await;
    }

    /// What to wait for: nothing is read while too many commands are open.
    fn interest(&self) -> Option<Interest> {
        let full =
            self.open.as_ref().is_some_and(|open| open.len() >= self.gateway.limits.open_commands);
        match (!full, self.conn.wants_write()) {
            (true, true) => Some(Interest::READABLE | Interest::WRITABLE),
            (true, false) => Some(Interest::READABLE),
            (false, true) => Some(Interest::WRITABLE),
            (false, false) => None,
        }
    }

    /// Reads once. Nothing of the shared buffer outlives this call.
    fn read(&mut self) {
        let heard = BUFFER.with_borrow_mut(|buffer| {
            let socket = self.conn.socket()?;
            match socket.try_read(buffer) {
                Ok(0) => {
                    self.conn.abort();
                    None
                }
                Ok(count) => {
                    let bytes = buffer.get_mut(..count).unwrap_or_default();
                    Some(understand(&mut self.decoder, &self.conn, &self.gateway, bytes))
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
                Err(_) => {
                    self.conn.abort();
                    None
                }
            }
        });
        if let Some(heard) = heard {
            self.handle(heard);
        }
    }

    fn handle(&mut self, heard: Vec<Heard>) {
        let now = self.gateway.seconds();
        self.conn.timing.heard.store(now, Relaxed);
        self.conn.timing.pinged.store(0, Relaxed);
        let since = if self.decoder.is_mid_message() { now.max(1) } else { 0 };
        let started = self.conn.timing.message_since.load(Relaxed);
        if since == 0 || started == 0 {
            self.conn.timing.message_since.store(since, Relaxed);
        }
        for heard in heard {
            if self.conn.is_closing() {
                return;
            }
            match heard {
                Heard::Requests(requests) => self.requests(requests),
                Heard::Answer(frame) => self.conn.send(frame),
                Heard::Close(answer) => self.conn.finish(answer),
                Heard::Broken(close) => self.conn.close(&close),
            }
        }
    }

    fn requests(&mut self, requests: Vec<Request>) {
        self.gateway.metrics.frames_received.inc();
        let is_json =
            |request: &Request| !matches!(&request.command, Err(e) if e.code == Code::InvalidJson);
        if requests.iter().any(is_json) {
            self.broken = 0;
        } else {
            self.broken += 1;
        }
        for request in requests {
            self.request(request);
        }
        if self.broken >= BROKEN_FRAMES {
            self.conn.close(&Close::PROTOCOL_BROKEN);
        }
    }

    fn request(&mut self, Request { id, command }: Request) {
        self.gateway.metrics.commands.inc();
        let admitted = command.and_then(|command| {
            if id.is_some_and(|id| self.open_ids.contains(&id)) {
                return Err(Error::new(Code::Conflict, "a command with this id is still open"));
            }
            if session::is_limited(&command) {
                self.limit()?;
            }
            Ok(command)
        });
        let command = match admitted {
            Ok(command) => command,
            Err(error) => return self.reply(id, &Err(error)),
        };
        match session::execute(&self.gateway, &self.conn, id, command) {
            Executed::Now(outcome) => self.reply(id, &outcome),
            Executed::Later(work) => {
                self.open_ids.extend(id);
                let open = OpenCommand::new(&self.gateway);
                let answer = async move { Answer { id, outcome: work.await, _open: open } };
                self.open.get_or_insert_default().push_back(Box::pin(answer));
            }
        }
    }

    /// Takes one command from the connection's rate; who ignores refusals a hundred times is closed.
    fn limit(&mut self) -> Result<(), Error> {
        let limits = &self.gateway.limits;
        if !limits.rates_enforced {
            return Ok(());
        }
        let Err(wait) = self.commands.take(limits.commands, self.gateway.clock.monotonic()) else {
            self.refused = 0;
            return Ok(());
        };
        self.refused += 1;
        if self.refused >= limits.refused_before_close {
            self.conn.close(&Close::too_many(std::time::Duration::from_secs(30)));
        }
        Err(rate_limited("commands", wait))
    }

    fn answer(&mut self, answer: Option<Answer>) {
        match answer {
            Some(Answer { id, outcome, _open }) => {
                if let Some(id) = id {
                    self.open_ids.retain(|open| *open != id);
                }
                if let Some(outcome) = outcome {
                    self.reply(id, &outcome);
                }
            }
            None => self.open = None,
        }
        if self.open.as_ref().is_some_and(|open| open.is_empty()) {
            self.open = None;
            self.open_ids = Vec::new();
        }
    }

    async fn next_answer(&mut self) {
        let answer = next(&mut self.open).await;
        self.answer(answer);
    }

    fn reply(&self, id: Option<u64>, outcome: &Result<Reply, Error>) {
        if let Err(error) = outcome {
            self.gateway.metrics.refused.inc();
            session::log_failure(error);
        }
        let frame = Conn::frame(|out| self.conn.dialect.reply(id, outcome, out));
        self.conn.send_ahead(frame);
    }
}

async fn next(
    open: &mut Option<Box<FuturesOrdered<BoxFuture<'static, Answer>>>>,
) -> Option<Answer> {
    match open {
        Some(open) => open.next().await,
        None => None,
    }
}
