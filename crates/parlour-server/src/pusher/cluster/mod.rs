//! Working together with other processes, over the bus.
//!
//! What applications and clients publish is passed on once ([`message`]); who has a channel is told by each process of
//! its own sockets, again and again while it holds, and asked when it is needed. Everything here may be lost: what
//! was lost is told again, and a process that is not heard for a while counts as dead.
//!
//! The bus calls `Pusher::heard`; what a message does to channels is in `channels`.

pub(crate) mod message;
mod nodes;
mod outbox;

use std::{
    collections::HashSet,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use parking_lot::Mutex;
use parlour_core::{
    NodeId,
    model::Millis,
    port::{
        bus::{Bus, Topic},
        clock::{Clock, Random},
    },
};
use tokio::sync::oneshot;

use self::{
    message::{Answer, Hello, Message, Question},
    nodes::Nodes,
    outbox::Outbox,
};
use super::{api::Seen, hooks::Hooks};
use crate::{hash::HashMap, metrics::Metrics, tasks::Tasks};

/// How often a process says that it is there.
pub(super) const HELLO: Duration = Duration::from_secs(5);

/// How long answers of other processes are waited for.
const PATIENCE: Duration = Duration::from_millis(500);

/// Questions whose answers are waited for at the same time. Who comes then goes on with what is known here.
const OPEN: usize = 4_096;

/// Parts of answers to one question, at most.
const PARTS: usize = 4_096;

/// Bits of the first number of a socket's id.
const PREFIX_BITS: u32 = 48;

/// A question whose answers are waited for.
struct Inquiry {
    /// Who has not answered to the end.
    waiting: HashSet<NodeId>,
    answers: Vec<Answer>,
    done: Option<oneshot::Sender<Vec<Answer>>>,
}

struct Joined {
    bus: Arc<dyn Bus>,
    tasks: Tasks,
}

/// This process among the others.
pub(crate) struct Cluster {
    joined: OnceLock<Joined>,
    /// The first number of the ids of this process's sockets: chance, so that no two processes have the same.
    prefix: u64,
    started: Millis,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    hooks: Hooks,
    outbox: Arc<Outbox>,
    /// Counts what is said on channels.
    said: AtomicU64,
    nodes: Mutex<Nodes>,
    inquiries: Mutex<HashMap<u64, Inquiry>>,
    asked: AtomicU64,
    seen: OnceLock<Arc<Seen>>,
    times: Mutex<Times>,
}

#[derive(Default)]
struct Times {
    said_hello: Option<Duration>,
    swept: Option<Duration>,
    /// Until then nobody is taken for dead: this process may itself have been deaf.
    spared: Duration,
}

impl Cluster {
    pub(super) fn new(
        clock: Arc<dyn Clock>,
        random: &dyn Random,
        metrics: Arc<Metrics>,
        hooks: Hooks,
    ) -> Arc<Self> {
        let mut bytes = [0; 8];
        random.fill(&mut bytes);
        Arc::new(Self {
            joined: OnceLock::new(),
            prefix: u64::from_le_bytes(bytes) >> (u64::BITS - PREFIX_BITS),
            started: clock.now(),
            clock,
            metrics,
            hooks,
            outbox: Arc::default(),
            said: AtomicU64::new(0),
            nodes: Mutex::default(),
            inquiries: Mutex::default(),
            asked: AtomicU64::new(1),
            seen: OnceLock::new(),
            times: Mutex::default(),
        })
    }

    /// Begins to speak, where there may be somebody to listen; whether there may be.
    pub(super) fn join(&self, bus: Arc<dyn Bus>, tasks: &Tasks) -> bool {
        if !bus.is_shared() || self.joined.set(Joined { bus, tasks: tasks.clone() }).is_err() {
            return false;
        }
        let Some(joined) = self.joined.get() else { return false };
        let (outbox, bus) = (self.outbox.clone(), joined.bus.clone());
        let (metrics, stop) = (self.metrics.clone(), tasks.clone());
        tasks.spawn("pusher bus", async move { outbox.run(bus, metrics, stop).await });
        self.say_hello(Topic::Everyone, true);
        true
    }

    /// Whether there may be other processes.
    pub(crate) fn is_shared(&self) -> bool {
        self.joined.get().is_some()
    }

    pub(super) fn bus(&self) -> Option<&Arc<dyn Bus>> {
        self.joined.get().map(|joined| &joined.bus)
    }

    pub(super) fn tasks(&self) -> Option<&Tasks> {
        self.joined.get().map(|joined| &joined.tasks)
    }

    /// The first number of the ids of sockets here.
    pub(super) const fn prefix(&self) -> u64 {
        self.prefix
    }

    /// A name for something that is published here: no other has it.
    pub(super) fn next_id(&self) -> (u64, u64) {
        (self.prefix, self.said.fetch_add(1, Relaxed))
    }

    /// Says something, after everything that was said before. Never waits.
    pub(super) fn say(&self, topic: Topic, message: &Message) {
        if !self.is_shared() {
            return;
        }
        let taken = message.encode().is_some_and(|bytes| self.outbox.put(topic, bytes));
        if !taken {
            self.metrics.pusher_bus_dropped.inc();
        }
    }

    /// Where calls that were carried out are remembered.
    pub(super) fn remember_calls_in(&self, seen: Arc<Seen>) {
        // There is one door.
        let _second = self.seen.set(seen);
    }

    /// Others are to refuse a call that was carried out here.
    pub(super) fn carried_out(&self, signature: u64) {
        if self.is_shared() && !self.outbox.put_signature(signature) {
            self.metrics.pusher_bus_dropped.inc();
        }
    }

    pub(super) fn learn_calls(&self, signatures: &[u64]) {
        if let Some(seen) = self.seen.get() {
            seen.learn(signatures, self.clock.monotonic());
        }
    }

    /// Reads a message. What cannot be read is counted.
    pub(super) fn read(&self, bytes: &[u8]) -> Option<Message> {
        let message = Message::decode(bytes);
        if message.is_none() {
            self.metrics.pusher_bus_unreadable.inc();
        }
        message
    }

    /// Somebody was heard; whether he was not known.
    pub(super) fn heard(&self, from: NodeId) -> bool {
        let (now, wall) = (self.clock.monotonic(), self.clock.now());
        let news = self.nodes.lock().heard(from, now, wall);
        let appeared = news.is_some_and(|news| news.appeared);
        if appeared {
            self.say_hello(Topic::Node(from), true);
        }
        appeared
    }

    pub(super) fn introduced(&self, from: NodeId, hello: Hello) {
        if hello.new {
            self.say_hello(Topic::Node(from), false);
        }
        let older = {
            let mut nodes = self.nodes.lock();
            nodes.introduced(from, hello);
            nodes.has_older((self.started, self.prefix))
        };
        if older {
            self.hooks.pass_on();
        }
    }

    fn say_hello(&self, topic: Topic, new: bool) {
        let hello = Hello { prefix: self.prefix, started: self.started, new };
        self.say(topic, &Message::Hello(hello));
    }

    /// Whether what was published elsewhere is heard for the first time.
    pub(super) fn is_first(&self, from: NodeId, (_, number): (u64, u64)) -> bool {
        self.nodes.lock().is_first(from, number)
    }

    /// Forgets a process. Where this one is the oldest now, it tells the webhooks what the other one perhaps has not.
    pub(super) fn forget(&self, node: NodeId) {
        let (heard, older) = {
            let mut nodes = self.nodes.lock();
            (nodes.forget(node), nodes.has_older((self.started, self.prefix)))
        };
        if let Some(heard) = heard
            && !older
        {
            self.hooks.take_over(heard);
        }
        self.stop_waiting_for(node);
    }

    fn stop_waiting_for(&self, node: NodeId) {
        let mut inquiries = self.inquiries.lock();
        for inquiry in inquiries.values_mut() {
            inquiry.waiting.remove(&node);
            inquiry.settle();
        }
    }

    /// Whether processes can be judged by their silence now.
    pub(super) fn judges(&self) -> bool {
        let healthy = self.bus().is_some_and(|bus| bus.is_healthy());
        healthy && self.clock.monotonic() >= self.times.lock().spared
    }

    /// This process may have been deaf: nobody is taken for dead before he has had time to be heard again.
    pub(super) fn spare(&self) {
        let now = self.clock.monotonic();
        self.times.lock().spared = now + nodes::SILENCE;
        self.nodes.lock().spare(now);
    }

    /// Every second: says that it is there, and tells who is not any more.
    pub(super) fn sweep(&self) -> Vec<NodeId> {
        let Some(bus) = self.bus() else { return Vec::new() };
        let now = self.clock.monotonic();
        let (greet, slept) = {
            let mut times = self.times.lock();
            let greet = times.said_hello.is_none_or(|last| now.saturating_sub(last) >= HELLO);
            if greet {
                times.said_hello = Some(now);
            }
            let last = times.swept.replace(now);
            (greet, last.is_some_and(|last| now.saturating_sub(last) >= HELLO))
        };
        if slept || !bus.is_healthy() {
            self.spare();
        }
        if greet {
            self.say_hello(Topic::Everyone, false);
        }
        if self.judges() { self.nodes.lock().overdue(now) } else { Vec::new() }
    }

    /// Asks without waiting: answers do what they say where they arrive.
    pub(super) fn wonder(&self, whom: Topic, ask: Question) {
        self.say(whom, &Message::Question { id: 0, ask });
    }

    /// Asks every process and waits for the answers, for a bounded moment. Who has not answered is missing.
    pub(super) async fn ask(&self, ask: Question) -> Vec<Answer> {
        let whom: HashSet<NodeId> = self.nodes.lock().answering().collect();
        self.ask_some(whom, Topic::Everyone, ask).await
    }

    /// Asks the process whose sockets have ids with this first number; whether it has answered.
    pub(super) async fn ask_owner(&self, prefix: u64, ask: Question) -> bool {
        let owner = self.nodes.lock().with_prefix(prefix);
        let Some(owner) = owner else { return false };
        !self.ask_some(HashSet::from([owner]), Topic::Node(owner), ask).await.is_empty()
    }

    async fn ask_some(&self, waiting: HashSet<NodeId>, whom: Topic, ask: Question) -> Vec<Answer> {
        if !self.is_shared() {
            return Vec::new();
        }
        let id = self.asked.fetch_add(1, Relaxed);
        let (done, mut answered) = oneshot::channel();
        {
            let mut inquiries = self.inquiries.lock();
            if waiting.is_empty() || inquiries.len() >= OPEN {
                drop(inquiries);
                self.wonder(whom, ask);
                return Vec::new();
            }
            inquiries.insert(id, Inquiry { waiting, answers: Vec::new(), done: Some(done) });
        }
        let open = OpenInquiry { cluster: self, id };
        self.say(whom, &Message::Question { id, ask });
        if let Ok(Ok(answers)) = tokio::time::timeout(PATIENCE, &mut answered).await {
            return answers;
        }
        open.give_up()
    }

    /// A part of an answer has come.
    pub(super) fn answered(&self, from: NodeId, answer: Answer) {
        let mut inquiries = self.inquiries.lock();
        let Some(inquiry) = inquiries.get_mut(&answer.id) else { return };
        if !inquiry.waiting.contains(&from) {
            return;
        }
        if answer.last || inquiry.answers.len() >= PARTS {
            inquiry.waiting.remove(&from);
        }
        inquiry.answers.push(answer);
        inquiry.settle();
    }
}

impl Inquiry {
    /// Tells the asker, when everybody has answered.
    fn settle(&mut self) {
        if self.waiting.is_empty()
            && let Some(done) = self.done.take()
        {
            // He may have gone meanwhile.
            let _gone = done.send(std::mem::take(&mut self.answers));
        }
    }
}

/// Forgets a question with its asker.
struct OpenInquiry<'a> {
    cluster: &'a Cluster,
    id: u64,
}

impl OpenInquiry<'_> {
    /// What has come until now. Nobody waits again for those who have not answered before they are heard.
    fn give_up(self) -> Vec<Answer> {
        let inquiry = self.cluster.inquiries.lock().remove(&self.id);
        let Some(inquiry) = inquiry else { return Vec::new() };
        let missing = inquiry.waiting.len();
        let mut nodes = self.cluster.nodes.lock();
        for node in inquiry.waiting {
            nodes.unanswered(node);
        }
        drop(nodes);
        tracing::info!(missing, "a question about channels was not answered by every process");
        inquiry.answers
    }
}

impl Drop for OpenInquiry<'_> {
    fn drop(&mut self) {
        self.cluster.inquiries.lock().remove(&self.id);
    }
}
