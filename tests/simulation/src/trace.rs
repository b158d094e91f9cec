//! Everything that happens in a run, as one hash: bytes sent and received, commits, faults, each with its simulated time.

use std::{borrow::Cow, sync::Arc, time::Duration};

use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};

/// What a run leaves behind: the hash, and the text of the last events where that is wanted.
#[derive(Clone)]
pub struct Trace(Arc<Mutex<State>>);

struct State {
    hash: Sha256,
    events: u64,
    text: Option<Vec<String>>,
}

impl Trace {
    /// An empty one; with `text` it keeps every event for a person to read.
    #[must_use]
    pub fn new(text: bool) -> Self {
        let text = text.then(Vec::new);
        Self(Arc::new(Mutex::new(State { hash: Sha256::new(), events: 0, text })))
    }

    /// Adds an event of somebody.
    pub fn note(&self, who: &str, what: &str, bytes: &[u8]) {
        self.note_at(now(), who, what, bytes);
    }

    /// The same from outside of the simulation, which knows the time.
    pub fn note_at(&self, at: Duration, who: &str, what: &str, bytes: &[u8]) {
        let bytes = &*without_date(bytes);
        let mut state = self.0.lock();
        state.events += 1;
        state.hash.update(at.as_nanos().to_le_bytes());
        for part in [who.as_bytes(), what.as_bytes(), bytes] {
            state.hash.update((part.len() as u64).to_le_bytes());
            state.hash.update(part);
        }
        if let Some(text) = &mut state.text {
            let shown: String = String::from_utf8_lossy(bytes).escape_debug().collect();
            text.push(format!("{:10.3} {who} {what} {shown}", at.as_secs_f64()));
        }
    }

    /// How many events there were.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.0.lock().events
    }

    /// The hash so far, in hexadecimal digits.
    #[must_use]
    pub fn hash(&self) -> String {
        let hash = self.0.lock().hash.clone().finalize();
        hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }

    /// The events, if they were kept.
    #[must_use]
    pub fn text(&self) -> Vec<String> {
        self.0.lock().text.clone().unwrap_or_default()
    }
}

/// The date of an HTTP answer is the machine's: the HTTP library asks no port for it.
fn without_date(bytes: &[u8]) -> Cow<'_, [u8]> {
    const DATE: &[u8] = b"\r\ndate: ";
    let is_answer = bytes.starts_with(b"HTTP/1.1 ");
    let found = bytes.windows(DATE.len()).position(|window| window == DATE);
    let Some(start) = found.filter(|_| is_answer) else { return Cow::Borrowed(bytes) };
    let rest = bytes.get(start + 2..).unwrap_or_default();
    let length = rest.iter().position(|byte| *byte == b'\r').unwrap_or(rest.len());
    let before = bytes.get(..start).unwrap_or_default();
    Cow::Owned([before, rest.get(length..).unwrap_or_default()].concat())
}

/// Simulated time since the beginning of the run; zero outside of it.
#[must_use]
pub fn now() -> Duration {
    turmoil::sim_elapsed().unwrap_or_default()
}
