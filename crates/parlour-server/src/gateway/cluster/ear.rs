//! What the bus brings, put where the tasks that deal with it take it. Bounded; where it does not fit, everything is looked at again.

use std::{
    collections::VecDeque,
    mem,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use parking_lot::Mutex;
use parlour_core::{
    ConversationId, NodeId, Seq, UserId,
    port::{
        bus::{BusListener, Hint},
        clock::Clock,
    },
};
use tokio::sync::Notify;

use crate::{
    hash::{HashMap, HashSet},
    metrics::Metrics,
};

/// So many conversations and users at most wait to be looked at.
const MOST_WAITING: usize = 50_000;

/// So many Signals at most wait to be shown; past it they are lost.
const MOST_SIGNALS: usize = 10_000;

/// So many bytes of them at most.
const MOST_SIGNAL_BYTES: usize = 16 * 1024 * 1024;

/// What has been heard and not been dealt with.
pub(crate) struct Ear {
    heard: Mutex<Heard>,
    nodes: Mutex<HashMap<NodeId, Duration>>,
    lagged: AtomicBool,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    /// Logs have grown, or receipts.
    pub(super) logs: Notify,
    /// Users have changed.
    pub(super) users: Notify,
    /// Signals have come.
    pub(super) signals: Notify,
    /// Everything must be looked at.
    pub(super) all: Notify,
}

#[derive(Default)]
struct Heard {
    logs: Logs,
    users: HashSet<UserId>,
    signals: VecDeque<(NodeId, Hint)>,
    signal_bytes: usize,
}

/// How far logs are said to have grown.
#[derive(Default)]
pub(super) struct Logs {
    pub(super) heads: HashMap<ConversationId, Seq>,
    pub(super) receipts: HashMap<ConversationId, u64>,
}

impl Ear {
    pub(crate) fn new(clock: Arc<dyn Clock>, metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self {
            heard: Mutex::default(),
            nodes: Mutex::default(),
            lagged: AtomicBool::new(false),
            clock,
            metrics,
            logs: Notify::new(),
            users: Notify::new(),
            signals: Notify::new(),
            all: Notify::new(),
        })
    }

    /// A log has grown up to a seq: the newest counts.
    pub(super) fn head(&self, conversation: ConversationId, seq: Seq) {
        let mut heard = self.heard.lock();
        let heads = &mut heard.logs.heads;
        if heads.len() >= MOST_WAITING && !heads.contains_key(&conversation) {
            drop(heard);
            return self.lagged();
        }
        let known = heads.entry(conversation).or_insert(seq);
        *known = seq.max(*known);
        drop(heard);
        self.logs.notify_one();
    }

    /// The same for receipts.
    pub(super) fn receipts(&self, conversation: ConversationId, version: u64) {
        let mut heard = self.heard.lock();
        let receipts = &mut heard.logs.receipts;
        if receipts.len() >= MOST_WAITING && !receipts.contains_key(&conversation) {
            drop(heard);
            return self.lagged();
        }
        let known = receipts.entry(conversation).or_insert(version);
        *known = version.max(*known);
        drop(heard);
        self.logs.notify_one();
    }

    pub(super) fn take_logs(&self) -> Logs {
        mem::take(&mut self.heard.lock().logs)
    }

    pub(super) fn take_users(&self) -> HashSet<UserId> {
        mem::take(&mut self.heard.lock().users)
    }

    pub(super) fn take_signals(&self) -> VecDeque<(NodeId, Hint)> {
        let mut heard = self.heard.lock();
        heard.signal_bytes = 0;
        mem::take(&mut heard.signals)
    }

    /// Whether messages may have been lost since this was last asked.
    pub(super) fn take_lagged(&self) -> bool {
        self.lagged.swap(false, Relaxed)
    }

    pub(super) fn has_lagged(&self) -> bool {
        self.lagged.load(Relaxed)
    }

    /// Since when other processes have not been heard.
    pub(super) fn nodes(&self) -> Vec<(NodeId, Duration)> {
        self.nodes.lock().iter().map(|(node, at)| (*node, *at)).collect()
    }

    pub(super) fn forget_node(&self, node: NodeId) {
        self.nodes.lock().remove(&node);
    }

    fn user(&self, user: UserId) {
        let mut heard = self.heard.lock();
        if heard.users.len() >= MOST_WAITING && !heard.users.contains(&user) {
            drop(heard);
            return self.lagged();
        }
        heard.users.insert(user);
        drop(heard);
        self.users.notify_one();
    }

    fn signal(&self, from: NodeId, hint: Hint) {
        let bytes = weight(&hint);
        let mut heard = self.heard.lock();
        if heard.signals.len() >= MOST_SIGNALS || heard.signal_bytes + bytes > MOST_SIGNAL_BYTES {
            drop(heard);
            self.metrics.bus_dropped.inc();
            return;
        }
        heard.signal_bytes += bytes;
        heard.signals.push_back((from, hint));
        drop(heard);
        self.signals.notify_one();
    }
}

/// About how much room a Signal takes.
fn weight(hint: &Hint) -> usize {
    match hint {
        Hint::Presence(people) => {
            people.iter().map(|seen| 128 + seen.conversations.len() * 8).sum::<usize>()
        }
        Hint::WhoIsThere(conversations) => conversations.len() * 8,
        Hint::Channel(bytes) => bytes.len(),
        _ => 64,
    }
}

impl BusListener for Ear {
    fn received(&self, from: NodeId, hint: Hint) {
        self.metrics.bus_received.inc();
        if hint == Hint::Leaving {
            self.nodes.lock().remove(&from);
        } else {
            self.nodes.lock().insert(from, self.clock.monotonic());
        }
        match hint {
            Hint::Head { conversation, seq } => self.head(conversation, seq),
            Hint::Receipts { conversation, version } => self.receipts(conversation, version),
            Hint::User(user) => self.user(user),
            Hint::Alive => {}
            signal @ (Hint::Typing { .. }
            | Hint::Presence(_)
            | Hint::WhoIsThere(_)
            | Hint::Leaving
            | Hint::Channel(_)) => self.signal(from, signal),
        }
    }

    fn lagged(&self) {
        self.lagged.store(true, Relaxed);
        self.all.notify_one();
    }
}
