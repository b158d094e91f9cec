//! What the rest of the process sees of a connection: who it is, its queue, its deadlines.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering::Relaxed},
    },
};

use foldhash::HashMap;
use parking_lot::Mutex;
use parlour_core::{
    ConversationId, Seq, UserId,
    command::{Actor, Authority, Identity},
    limits::Limits,
    model::{Millis, SessionId},
};
use parlour_websocket::Frame;
use parlour_wire::Dialect;
use tokio::{net::TcpStream, sync::Notify};

use super::{
    close::Close,
    send_queue::{Item, Pushed, SendQueue},
};
use crate::metrics::Metrics;

/// A signed-in connection.
pub(crate) struct Conn {
    /// Its number, never used again in this process.
    pub(crate) key: u64,
    pub(crate) user: UserId,
    pub(crate) authority: Authority,
    pub(crate) session: Option<SessionId>,
    /// The client's own name for its device, if it gave one.
    pub(crate) device: Option<Arc<str>>,
    pub(crate) dialect: &'static dyn Dialect,
    pub(crate) transport: &'static str,
    limits: Arc<Limits>,
    metrics: Arc<Metrics>,
    /// `None` for streams whose transport takes whole frames.
    socket: Option<TcpStream>,
    queue: Mutex<SendQueue>,
    /// What has been sent by replay although the hub has not come so far; freed soon after a resume.
    floors: Mutex<Option<Box<HashMap<ConversationId, Seq>>>>,
    wake: Notify,
    drained: Notify,
    /// Events are put into the queue: a resume has begun.
    pub(crate) listening: AtomicBool,
    /// Live events flow: the resume is over.
    pub(crate) streaming: AtomicBool,
    pub(crate) away: AtomicBool,
    /// The close frame is queued; nothing more is accepted either way.
    closing: AtomicBool,
    /// The socket is of no use any more.
    dead: AtomicBool,
    /// Frames are queued that are not written yet; set while one flush for many is due.
    pub(crate) dirty: AtomicBool,
    blocked: AtomicBool,
    /// Seconds of process time, for the sweep.
    pub(crate) timing: Timing,
}

/// Deadlines in whole seconds of process time, read by the one sweep; zero means none.
#[derive(Default)]
pub(crate) struct Timing {
    pub(crate) heard: AtomicU32,
    pub(crate) pinged: AtomicU32,
    pub(crate) blocked_since: AtomicU32,
    pub(crate) closing_since: AtomicU32,
    pub(crate) message_since: AtomicU32,
    /// When the sign-in ends, wall clock; zero: never.
    pub(crate) expires_at: AtomicI64,
    pub(crate) issued_at: AtomicI64,
    pub(crate) warned: AtomicBool,
    pub(crate) resumed: AtomicU32,
}

/// What a new connection is made of.
pub(crate) struct NewConn {
    pub(crate) identity: Identity,
    pub(crate) device: Option<Arc<str>>,
    pub(crate) dialect: &'static dyn Dialect,
    pub(crate) transport: &'static str,
    pub(crate) socket: Option<TcpStream>,
}

static NEXT_KEY: AtomicU64 = AtomicU64::new(1);

impl Conn {
    pub(crate) fn new(new: NewConn, limits: Arc<Limits>, metrics: Arc<Metrics>) -> Arc<Self> {
        let NewConn { identity, device, dialect, transport, socket } = new;
        let timing = Timing::default();
        timing.expires_at.store(identity.expires_at.unwrap_or(0), Relaxed);
        timing.issued_at.store(identity.issued_at, Relaxed);
        Arc::new(Self {
            key: NEXT_KEY.fetch_add(1, Relaxed),
            user: identity.actor.user,
            authority: identity.actor.authority,
            session: identity.session,
            device,
            dialect,
            transport,
            limits,
            metrics,
            socket,
            queue: Mutex::default(),
            floors: Mutex::default(),
            wake: Notify::new(),
            drained: Notify::new(),
            listening: AtomicBool::new(false),
            streaming: AtomicBool::new(false),
            away: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            dead: AtomicBool::new(false),
            dirty: AtomicBool::new(false),
            blocked: AtomicBool::new(false),
            timing,
        })
    }

    pub(crate) fn actor(&self) -> Actor {
        Actor { user: self.user.clone(), authority: self.authority }
    }

    pub(crate) fn socket(&self) -> Option<&TcpStream> {
        self.socket.as_ref()
    }

    /// Takes over a renewed sign-in of the same user.
    pub(crate) fn renew(&self, expires_at: Option<Millis>, issued_at: Millis) {
        self.timing.expires_at.store(expires_at.unwrap_or(0), Relaxed);
        self.timing.issued_at.store(issued_at, Relaxed);
        self.timing.warned.store(false, Relaxed);
    }

    /// Queues a live event or an answer; whether it will be written. The caller flushes when it has put in
    /// everything that it has.
    pub(crate) fn push(&self, item: Item) -> bool {
        if self.closing.load(Relaxed) {
            return false;
        }
        if let Some((conversation, seq)) = item.mark
            && self.is_below_floor(conversation, seq)
        {
            return false;
        }
        let pushed = self.queue.lock().push(item, &self.limits);
        match pushed {
            Pushed::Queued => true,
            Pushed::Dropped => {
                self.metrics.signals_dropped.inc();
                false
            }
            Pushed::Overflow => {
                self.close(&Close::SLOW_CONSUMER);
                false
            }
        }
    }

    /// Queues an answer or a notice and writes it if the socket is free.
    pub(crate) fn send(&self, frame: Frame) {
        self.push(Item::control(frame));
        self.flush();
    }

    /// Queues a frame past what is held back, and writes it if the socket is free.
    pub(crate) fn send_ahead(&self, frame: Frame) {
        if !self.closing.load(Relaxed) {
            self.queue.lock().push_ahead(Item::control(frame));
            self.flush();
        }
    }

    /// Holds live events back until [`Conn::release`].
    pub(crate) fn hold(&self) {
        self.queue.lock().hold();
        self.listening.store(true, Relaxed);
    }

    /// Lets live events follow, but for those that `covered` says were replayed; `floors` are conversations in
    /// which the hub itself has not come as far as the replay.
    pub(crate) fn release(
        &self,
        floors: HashMap<ConversationId, Seq>,
        covered: impl Fn(ConversationId, Seq) -> bool,
    ) {
        if !floors.is_empty() {
            *self.floors.lock() = Some(Box::new(floors));
        }
        self.queue.lock().release(covered);
    }

    /// Forgets the floors of the last resume; the hub has long passed them.
    pub(crate) fn drop_floors(&self) {
        self.floors.lock().take();
    }

    fn is_below_floor(&self, conversation: ConversationId, seq: Seq) -> bool {
        let floors = self.floors.lock();
        floors.as_ref().and_then(|f| f.get(&conversation)).is_some_and(|floor| seq <= *floor)
    }

    /// Writes what is due as far as the socket takes it, several frames at once. Never waits.
    pub(crate) fn flush(&self) {
        self.dirty.store(false, Relaxed);
        let Some(socket) = &self.socket else {
            self.wake.notify_one();
            return;
        };
        let mut queue = self.queue.lock();
        let outcome = write_queue(socket, &mut queue);
        let waiting = queue.bytes();
        drop(queue);
        match outcome {
            Ok(true) => {
                self.blocked.store(false, Relaxed);
                self.timing.blocked_since.store(0, Relaxed);
                self.drained.notify_one();
                if self.closing.load(Relaxed) {
                    self.wake.notify_one();
                }
            }
            Ok(false) => {
                if waiting < self.limits.queue_bytes / 4 {
                    self.drained.notify_one();
                }
                if !self.blocked.swap(true, Relaxed) {
                    self.wake.notify_one();
                }
            }
            Err(_) => self.abort(),
        }
    }

    /// Waits until a good part of the queue has been written, or the connection is over.
    pub(crate) async fn writable(&self) {
        while self.queue.lock().bytes() > self.limits.queue_bytes / 4 && !self.is_over() {
            self.drained.notified().await;
        }
    }

    /// The next frame, for transports that take whole ones.
    pub(crate) fn pop(&self) -> Option<Item> {
        let mut queue = self.queue.lock();
        let item = queue.pop();
        if queue.bytes() <= self.limits.queue_bytes / 4 {
            self.drained.notify_one();
        }
        item
    }

    /// Waits until something about the connection has changed.
    pub(crate) async fn woken(&self) {
        self.wake.notified().await;
    }

    /// Whether frames wait for the socket to take more.
    pub(crate) fn wants_write(&self) -> bool {
        self.blocked.load(Relaxed)
    }

    pub(crate) fn queued_bytes(&self) -> usize {
        self.queue.lock().bytes()
    }

    pub(crate) fn has_queued(&self) -> bool {
        !self.queue.lock().is_empty()
    }

    /// Ends the connection with a code: what waits is forgotten (the client will resume), the close frame goes
    /// out. Only the first call does anything.
    pub(crate) fn close(&self, close: &Close) {
        if self.closing.swap(true, Relaxed) {
            return;
        }
        self.streaming.store(false, Relaxed);
        let label = crate::metrics::CloseReason { code: close.code };
        self.metrics.closes.get_or_create(&label).inc();
        tracing::debug!(connection = self.key, code = close.code, reason = %close.reason, "closing");
        let frame = self.socket.is_some().then(|| Frame::close(close.code, &close.reason));
        self.queue.lock().close_with(frame);
        self.flush();
        self.wake.notify_one();
        self.drained.notify_one();
    }

    /// The same after what waits has been written: for a client's own close and for the end of the server.
    pub(crate) fn finish(&self, last: Option<Frame>) {
        if self.closing.swap(true, Relaxed) {
            return;
        }
        self.streaming.store(false, Relaxed);
        if let Some(frame) = last.filter(|_| self.socket.is_some()) {
            self.queue.lock().push_ahead(Item::control(frame));
        }
        self.flush();
        self.wake.notify_one();
        self.drained.notify_one();
    }

    /// Gives the connection up without another byte.
    pub(crate) fn abort(&self) {
        self.closing.store(true, Relaxed);
        self.streaming.store(false, Relaxed);
        self.dead.store(true, Relaxed);
        self.wake.notify_one();
        self.drained.notify_one();
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Relaxed)
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.dead.load(Relaxed)
    }

    fn is_over(&self) -> bool {
        self.is_closing() || self.is_dead()
    }

    /// Makes a shared frame of what a dialect writes.
    pub(crate) fn frame(write: impl FnOnce(&mut Vec<u8>)) -> Frame {
        let Ok(frame) = Frame::text_with(256, |out| {
            write(out);
            Ok::<(), std::convert::Infallible>(())
        });
        frame
    }
}

/// Most frames in one write.
const GATHER: usize = 64;

/// Writes until everything is out (`true`) or the socket takes no more (`false`).
fn write_queue(socket: &TcpStream, queue: &mut SendQueue) -> io::Result<bool> {
    while !queue.is_empty() {
        let mut slices = [io::IoSlice::new(&[]); GATHER];
        let count = queue.slices(&mut slices);
        match socket.try_write_vectored(slices.get(..count).unwrap_or_default()) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => queue.advance(written),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}
