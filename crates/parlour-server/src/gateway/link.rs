//! One socket as the rest of the process sees it: its bounded queue, its deadlines, its end.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
};

use parking_lot::{Mutex, MutexGuard};
use parlour_core::{ConversationId, Seq, limits::Limits};
use parlour_websocket::Frame;
use tokio::sync::Notify;

use super::{
    close::{Close, Codes},
    compression::Agreed,
    ledger::Track,
    send_queue::{Item, Pushed, SendQueue},
    socket::Socket,
    upgrade::Upgraded,
};
use crate::metrics::Metrics;

/// A socket, one that is being opened, or a stream whose transport takes whole frames. One connection of the chat has one to itself; on a
/// Pusher socket every chat channel is a connection of its own.
pub(crate) struct Link {
    limits: Arc<Limits>,
    metrics: Arc<Metrics>,
    /// Empty until the upgrade is through; for ever for streams whose transport takes whole frames.
    attached: OnceLock<Attached>,
    /// How it words its end; streams have no words for it.
    codes: Option<Codes>,
    queue: Mutex<SendQueue>,
    wake: Notify,
    drained: Notify,
    /// The close frame is queued; nothing more is accepted either way.
    closing: AtomicBool,
    /// The socket is of no use any more.
    dead: AtomicBool,
    /// The client itself said goodbye.
    farewell: AtomicBool,
    /// Frames are queued that are not written yet; set while one flush for many is due.
    dirty: AtomicBool,
    blocked: AtomicBool,
    /// A ping for proof may be sent at once; the sweep allows one a second.
    may_ping: AtomicBool,
    pub(crate) timing: Timing,
}

/// What a link writes to.
struct Attached {
    socket: Socket,
    /// Large frames go out compressed.
    compression: Option<Agreed>,
}

/// Deadlines in whole seconds of process time, read by the one sweep; zero means none.
#[derive(Default)]
pub(crate) struct Timing {
    pub(crate) heard: AtomicU32,
    pub(crate) pinged: AtomicU32,
    pub(crate) blocked_since: AtomicU32,
    pub(crate) closing_since: AtomicU32,
    pub(crate) message_since: AtomicU32,
}

impl Link {
    /// A link without a socket yet: what is sent waits for [`Link::attach`]. Without `codes` it is a stream, from which
    /// whole frames are taken.
    pub(crate) fn new(
        codes: Option<Codes>,
        limits: Arc<Limits>,
        metrics: Arc<Metrics>,
    ) -> Arc<Self> {
        Arc::new(Self {
            limits,
            metrics,
            attached: OnceLock::new(),
            codes,
            queue: Mutex::default(),
            wake: Notify::new(),
            drained: Notify::new(),
            closing: AtomicBool::new(false),
            dead: AtomicBool::new(false),
            farewell: AtomicBool::new(false),
            dirty: AtomicBool::new(false),
            blocked: AtomicBool::new(false),
            may_ping: AtomicBool::new(true),
            timing: Timing::default(),
        })
    }

    /// Whose close codes it uses, and so whose protocol it speaks.
    pub(crate) const fn codes(&self) -> Option<Codes> {
        self.codes
    }

    /// Gives it its socket, and writes what has waited for it behind the answer to the upgrade. Only the first call does
    /// anything. Gives back what the client had sent right behind its request.
    pub(crate) fn attach(&self, upgraded: Upgraded) -> Vec<u8> {
        let Upgraded { stream: socket, answer, early, compression } = upgraded;
        let mut queue = self.queue.lock();
        // Under the lock, so that nothing overtakes the answer.
        let attached = self.attached.get_or_init(|| {
            queue.begin_with(answer);
            Attached { socket, compression }
        });
        self.write(&attached.socket, queue);
        early
    }

    pub(crate) fn socket(&self) -> Option<&Socket> {
        self.attached.get().map(|attached| &attached.socket)
    }

    /// What was agreed with its client about the size of frames.
    pub(crate) fn compression(&self) -> Option<Agreed> {
        self.attached.get()?.compression
    }

    /// Queues a frame; whether it will be written. The caller flushes when it has put in everything that it has.
    pub(crate) fn push(&self, mut item: Item) -> bool {
        if self.is_closing() {
            return false;
        }
        if let Some(agreed) = self.compression() {
            item.frame = agreed.shared(item.frame);
        }
        let mut queue = self.queue.lock();
        if queue.is_too_full_for(&item, &self.limits) {
            // What came at one moment may be too much, and not the reader too slow.
            MutexGuard::unlocked(&mut queue, || self.flush());
        }
        let pushed = queue.push(item, &self.limits);
        drop(queue);
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

    /// Whether so much may wait beside the queue.
    pub(crate) fn has_room_for(&self, frames: usize, bytes: usize) -> bool {
        frames <= self.limits.queue_frames && bytes <= self.limits.queue_bytes
    }

    /// Queues a frame and writes it if the socket is free.
    pub(crate) fn send(&self, frame: Frame) {
        self.push(Item::control(frame));
        self.flush();
    }

    /// Queues frames whatever waits (answers, and replays, whose reader is waited for), and writes what it can.
    pub(crate) fn send_ahead(&self, items: impl IntoIterator<Item = Item>) {
        if self.is_closing() {
            return;
        }
        match self.compression() {
            None => self.queue_ahead(items),
            Some(agreed) => {
                let smaller = |item: Item| Item { frame: agreed.alone(item.frame), ..item };
                // Before the lock is taken, because it is long work.
                let items: Vec<_> = items.into_iter().map(smaller).collect();
                self.queue_ahead(items);
            }
        }
        self.flush();
    }

    fn queue_ahead(&self, items: impl IntoIterator<Item = Item>) {
        let mut queue = self.queue.lock();
        for item in items {
            queue.push_ahead(item);
        }
    }

    /// Notes that something waits to be written; whether it was not noted before.
    pub(crate) fn mark_dirty(&self) -> bool {
        !self.dirty.swap(true, Relaxed)
    }

    /// Writes what is due as far as the socket takes it, several frames at once. Never waits.
    pub(crate) fn flush(&self) {
        self.dirty.store(false, Relaxed);
        let Some(socket) = self.socket() else {
            self.wake.notify_one();
            return;
        };
        self.write(socket, self.queue.lock());
    }

    fn write(&self, socket: &Socket, mut queue: MutexGuard<'_, SendQueue>) {
        let mut outcome = queue.write(socket);
        if matches!(outcome, Ok(true)) && self.ping_for_proof(&mut queue) {
            outcome = queue.write(socket);
        }
        let waiting = queue.bytes();
        drop(queue);
        match outcome {
            Ok(true) => {
                self.blocked.store(false, Relaxed);
                self.timing.blocked_since.store(0, Relaxed);
                self.drained.notify_one();
                if self.is_closing() {
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

    /// Queues a ping if something was written that has no proof yet, at most one a second.
    fn ping_for_proof(&self, queue: &mut SendQueue) -> bool {
        let wanted = queue.ledger().is_some_and(|ledger| ledger.wants_ping());
        if !wanted || self.is_closing() || !self.may_ping.swap(false, Relaxed) {
            return false;
        }
        if let Some(payload) = queue.ledger().map(|ledger| ledger.ping()) {
            queue.push_ahead(Item::control(Frame::ping(&payload)));
        }
        true
    }

    /// Sends the ping that may be due since the last one. Called every second; whether a ping is unanswered.
    pub(crate) fn prove(&self) -> bool {
        self.may_ping.store(true, Relaxed);
        let mut queue = self.queue.lock();
        let Some(ledger) = queue.ledger() else { return false };
        let (wanted, unanswered) = (ledger.wants_ping(), ledger.awaits_pong());
        drop(queue);
        if wanted {
            self.flush();
        }
        unanswered
    }

    /// A pong has come.
    pub(crate) fn pong(&self, payload: &[u8]) {
        if let Some(ledger) = self.queue.lock().ledger() {
            ledger.pong(payload);
        }
    }

    /// The first Change of each conversation that was or will be sent to a subscription and has no proof.
    pub(crate) fn unproved(&self, track: &Arc<Track>) -> Vec<(ConversationId, Seq)> {
        self.queue.lock().unproved(track)
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

    /// Lets who waits for it look at what has changed.
    pub(crate) fn wake(&self) {
        self.wake.notify_one();
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
        self.count(close);
        let frame = self.codes.map(|codes| close.frame(codes));
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
        if let Some(frame) = last.filter(|_| self.codes.is_some()) {
            self.queue.lock().push_ahead(Item::control(frame));
        }
        self.flush();
        self.wake.notify_one();
        self.drained.notify_one();
    }

    /// The client says goodbye; `answer` is the other half of it.
    pub(crate) fn part(&self, answer: Option<Frame>) {
        self.farewell.store(true, Relaxed);
        self.finish(answer);
    }

    /// Ends the connection with a code after what waits has been written.
    pub(crate) fn finish_with(&self, close: &Close) {
        if !self.is_closing() {
            self.count(close);
        }
        self.finish(self.codes.map(|codes| close.frame(codes)));
    }

    fn count(&self, close: &Close) {
        let label = crate::metrics::CloseReason { code: close.code };
        self.metrics.closes.get_or_create(&label).inc();
        tracing::debug!(code = close.code, reason = %close.reason, "closing");
    }

    /// Ends the connection under it now, and not when the last one who knows of the link forgets it: some clients take a
    /// socket for closed only then, and look at what they open next before that.
    pub(crate) fn hang_up(&self) {
        if let Some(socket) = self.socket() {
            socket.hang_up();
        }
    }

    /// Gives the connection up without another byte.
    pub(crate) fn abort(&self) {
        self.closing.store(true, Relaxed);
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

    /// Whether the client ended it, with a proper goodbye.
    pub(crate) fn has_parted(&self) -> bool {
        self.farewell.load(Relaxed)
    }

    fn is_over(&self) -> bool {
        self.is_closing() || self.is_dead()
    }
}
