//! What everybody who comes asks for, read of many at once.
//!
//! While a few readings of a kind are under way, those who come wait, and are read together by one statement: a crowd that
//! comes back costs the server and this process a part of what it would cost one at a time.

use std::{
    collections::VecDeque,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use futures_util::future::BoxFuture;
use parlour_core::{Error, Result, error::Code};
use tokio::sync::{Semaphore, oneshot};

use super::{
    db::{Db, Step},
    writer::Runner,
};

/// Keys that are read together.
const MOST_TOGETHER: usize = 64;
/// Rows of one reading, about: so few that nobody waits long for the others', and that they need little memory.
const MOST_ROWS: usize = 2_000;

/// Reads what belongs to each key, in their order; the same one may be among them twice.
pub(super) type ReadAll<K, T> = for<'t> fn(&'t Db, &'t Vec<K>) -> BoxFuture<'t, Step<Vec<T>>>;

/// What belongs to a key.
pub(super) trait Found: Send {
    /// Of how many rows it is made, about.
    fn rows(&self) -> usize;
}

impl<T: Send> Found for Option<T> {
    fn rows(&self) -> usize {
        1
    }
}

impl<T: Send> Found for Vec<T> {
    fn rows(&self) -> usize {
        self.len()
    }
}

/// Reads what belongs to a key, perhaps with others.
pub(super) struct Gathered<K, T> {
    read_all: ReadAll<K, T>,
    turns: Semaphore,
    /// Rows of each key in the last reading, about.
    rows: AtomicUsize,
    waiting: Mutex<VecDeque<Waiting<K, T>>>,
}

struct Waiting<K, T> {
    key: K,
    reply: oneshot::Sender<Result<T>>,
}

impl<K: Clone + Send + Sync, T: Found> Gathered<K, T> {
    /// At most so many readings are under way at once.
    pub(super) fn new(most_at_once: usize, read_all: ReadAll<K, T>) -> Self {
        Self {
            read_all,
            turns: Semaphore::new(most_at_once),
            rows: AtomicUsize::new(1),
            waiting: Mutex::default(),
        }
    }

    /// What is stored by now.
    ///
    /// # Errors
    /// Those of [`Runner::read`].
    pub(super) async fn read(&self, runner: &Runner, key: K) -> Result<T> {
        let (reply, mut answer) = oneshot::channel();
        self.waiting(|waiting| waiting.push_back(Waiting { key: key.clone(), reply }));
        let answer = loop {
            tokio::select! {
                biased;
                answer = &mut answer => break answer,
                _turn = self.turns.acquire() => {
                    let most = (MOST_ROWS / self.rows.load(Relaxed)).clamp(1, MOST_TOGETHER);
                    let group = self.waiting(|waiting| take_along(waiting, most));
                    if group.is_empty() {
                        // Another has taken it along.
                        break answer.await;
                    }
                    // It is among them itself, if not too many came before it.
                    self.read_group(runner, group).await;
                }
            }
        };
        match answer {
            Ok(found) => found,
            // Who took it along has gone, or something among them could not be read.
            Err(_) => self.read_alone(runner, key).await,
        }
    }

    async fn read_group(&self, runner: &Runner, group: Vec<Waiting<K, T>>) {
        let (keys, replies): (Vec<_>, Vec<_>) =
            group.into_iter().map(|waiting| (waiting.key, waiting.reply)).unzip();
        match runner.read(&keys, &self.read_all).await {
            Ok(found) => {
                let rows: usize = found.iter().map(T::rows).sum();
                self.rows.store(rows.div_ceil(keys.len()).max(1), Relaxed);
                for (reply, found) in replies.into_iter().zip(found) {
                    // Who asked may have gone.
                    let _ = reply.send(Ok(found));
                }
            }
            Err(error) if error.code == Code::Unavailable || replies.len() == 1 => {
                let mut replies = replies.into_iter();
                let first = replies.next();
                for reply in replies {
                    let _ =
                        reply.send(Err(Error::unavailable("others were read together with it")));
                }
                if let Some(first) = first {
                    let _ = first.send(Err(error));
                }
            }
            Err(error) => {
                tracing::debug!(%error, together = keys.len(), "what was asked for together could not be read");
            }
        }
    }

    async fn read_alone(&self, runner: &Runner, key: K) -> Result<T> {
        let mut found = runner.read(&vec![key], &self.read_all).await?;
        found.pop().ok_or_else(|| Error::internal("a reading gave nothing"))
    }

    fn waiting<R>(&self, act: impl FnOnce(&mut VecDeque<Waiting<K, T>>) -> R) -> R {
        act(&mut self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Those that wait longest and have not gone.
fn take_along<K, T>(waiting: &mut VecDeque<Waiting<K, T>>, most: usize) -> Vec<Waiting<K, T>> {
    let mut taken = Vec::new();
    while taken.len() < most
        && let Some(next) = waiting.pop_front()
    {
        if !next.reply.is_closed() {
            taken.push(next);
        }
    }
    taken
}
