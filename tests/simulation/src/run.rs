//! What everybody in a run shares: the history, the trace, what is to be done now, numbers.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use parking_lot::Mutex;
use parlour_harness::history::{Entry, FinalRead, What};
use tokio::sync::Notify;

use crate::trace::{Trace, now};

/// A conversation of the run.
#[derive(Clone, Debug)]
pub struct Talk {
    /// Its id.
    pub id: u64,
    /// The word that all its messages carry.
    pub marker: String,
    /// Who is in it from beginning to end.
    pub lasting: Vec<&'static str>,
    /// Who is added and removed again and again, by the first of the others.
    pub guest: Option<&'static str>,
}

/// What is to be done now.
#[derive(Clone, Debug)]
pub enum Phase {
    /// The conversations are not made yet.
    Prepare,
    /// Ask new things.
    Talk(Arc<Vec<Talk>>),
    /// Ask nothing new; get everything answered.
    Answer,
    /// Wait until everything up to these ends has arrived: (conversation, seq).
    Arrive(Arc<Vec<(u64, u64)>>),
    /// Read everything through REST, and go.
    Leave,
}

/// What everybody in a run shares.
pub struct Run {
    /// Everything that happened.
    pub trace: Trace,
    phase: Mutex<(u64, Phase)>,
    turned: Notify,
    /// The servers' names.
    pub servers: Vec<&'static str>,
    /// How many have done what the phase asks.
    pub done: AtomicUsize,
    /// What robots heard.
    pub robots: Mutex<Vec<crate::robot::Report>>,
    /// Findings of no check.
    pub findings: Mutex<Vec<String>>,
    history: Mutex<Vec<Entry>>,
    next: AtomicU64,
    tokens: BTreeMap<&'static str, String>,
}

impl Run {
    /// A run with servers, and people with their tokens.
    #[must_use]
    pub fn new(
        trace: Trace,
        servers: Vec<&'static str>,
        tokens: BTreeMap<&'static str, String>,
    ) -> Arc<Self> {
        Arc::new(Self {
            trace,
            phase: Mutex::new((0, Phase::Prepare)),
            turned: Notify::new(),
            servers,
            done: AtomicUsize::new(0),
            robots: Mutex::default(),
            findings: Mutex::default(),
            history: Mutex::default(),
            next: AtomicU64::new(1),
            tokens,
        })
    }

    /// Adds an entry to the history.
    pub fn add(&self, what: What) {
        self.add_at(now(), what);
    }

    /// The same from outside of the simulation, which knows the time.
    pub fn add_at(&self, at: Duration, what: What) {
        let at = u64::try_from(at.as_micros()).unwrap_or(u64::MAX);
        self.history.lock().push(Entry { at, what });
    }

    /// How long the history is.
    #[must_use]
    pub fn len(&self) -> usize {
        self.history.lock().len()
    }

    /// Whether nothing has happened.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The history so far.
    #[must_use]
    pub fn history(&self) -> Vec<Entry> {
        self.history.lock().clone()
    }

    /// A number for an operation or a connection.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.next.fetch_add(1, Relaxed)
    }

    /// A person's token.
    #[must_use]
    pub fn token(&self, user: &str) -> &str {
        self.tokens.get(user).map_or("", String::as_str)
    }

    /// Something is wrong that no check of histories names.
    pub fn found(&self, finding: String) {
        self.findings.lock().push(finding);
    }

    /// Somebody has done what the phase asks.
    pub fn has_done(&self) {
        self.done.fetch_add(1, Relaxed);
    }

    /// The next phase begins.
    pub fn begin(&self, phase: Phase) {
        self.done.store(0, Relaxed);
        let mut current = self.phase.lock();
        *current = (current.0 + 1, phase);
        drop(current);
        // In the order in which they wait. (A watch channel wakes in a random one.)
        self.turned.notify_waiters();
    }

    /// What is to be done now, with its number.
    #[must_use]
    pub fn phase(&self) -> (u64, Phase) {
        self.phase.lock().clone()
    }

    /// Waits for a phase after the one with this number.
    pub async fn after(&self, number: u64) -> (u64, Phase) {
        loop {
            let turned = self.turned.notified();
            let current = self.phase();
            if current.0 > number {
                return current;
            }
            turned.await;
        }
    }

    /// Records a final read.
    pub fn add_final(&self, read: FinalRead) {
        self.add(What::Final(read));
    }
}
