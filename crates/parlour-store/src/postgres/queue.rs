//! Which writing steps wait, how many may, and whose turn comes after whose.
//!
//! Steps that one task calls are done in the order of its calls. Two ways exist: a step that goes alone waits for
//! everything that its task called before; a step that goes into a lane (those that work on one conversation, by
//! conversation) need not wait for what its task put into the same lane, which keeps the order, nor for other
//! lanes, which are about other conversations.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Notify, oneshot},
    task,
    time::Instant,
};
use tokio_util::sync::CancellationToken;

/// A step that begins later than this is not run when who asked has gone. He comes back and asks again, and were it run after
/// that, an old edit would undo a newer one.
const LATE: Duration = Duration::from_secs(1);

/// Why something was not taken in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum Refused {
    /// As many as may wait are waiting.
    #[error("the store's queue is full")]
    Full,
    /// The store is closed.
    #[error("the store is closed")]
    Closed,
}

/// Who calls: steps that are called outside of tasks count as those of one.
type Caller = Option<task::Id>;

/// Which way a step goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Way {
    /// In a transaction of its own.
    Alone,
    /// Into the lane with this number, from zero.
    Lane(usize),
}

/// Everything that waits or runs.
pub(super) struct Queue {
    state: Mutex<State>,
    emptied: Notify,
    most: usize,
    most_bytes: usize,
    lanes: usize,
}

#[derive(Default)]
struct State {
    steps: usize,
    bytes: usize,
    closed: bool,
    chains: HashMap<Caller, Chain>,
}

/// What one caller has under way. A token is cancelled when its step is done.
struct Chain {
    steps: usize,
    alone: Option<CancellationToken>,
    lanes: Vec<Option<InLane>>,
}

/// The last step that a caller has put into a lane.
#[derive(Clone)]
struct InLane {
    done: CancellationToken,
    /// It is in the lane already; else it waits for its turn to get there.
    direct: bool,
}

impl Queue {
    pub(super) fn new(most: usize, most_bytes: usize, lanes: usize) -> Arc<Self> {
        let (state, emptied) = (Mutex::default(), Notify::new());
        Arc::new(Self { state, emptied, most, most_bytes, lanes })
    }

    /// Takes a step of about that many bytes in. One that is larger than the whole bound fits an empty queue.
    pub(super) fn enter(self: &Arc<Self>, bytes: usize, way: Way) -> Result<Turn, Refused> {
        let caller = task::try_id();
        let mut guard = self.lock();
        let state = &mut *guard;
        if state.closed {
            return Err(Refused::Closed);
        }
        if state.steps >= self.most || (state.steps > 0 && state.bytes + bytes > self.most_bytes) {
            return Err(Refused::Full);
        }
        state.steps += 1;
        state.bytes += bytes;
        let lanes = self.lanes;
        let chain = state.chains.entry(caller).or_insert_with(|| Chain {
            steps: 0,
            alone: None,
            lanes: vec![None; lanes],
        });
        chain.steps += 1;
        let done = CancellationToken::new();
        let before = chain.add(way, &done);
        drop(guard);
        Ok(Turn { queue: self.clone(), caller, bytes, asked: Instant::now(), before, done })
    }

    /// Takes nothing more in.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.leave_if_empty();
    }

    /// Waits until it is closed and everything in it is done.
    pub(super) async fn ended(&self) {
        let mut emptied = std::pin::pin!(self.emptied.notified());
        loop {
            emptied.as_mut().enable();
            let ended = {
                let state = self.lock();
                state.closed && state.steps == 0
            };
            if ended {
                return;
            }
            emptied.as_mut().await;
            emptied.set(self.emptied.notified());
        }
    }

    /// How many steps wait or run.
    pub(super) fn len(&self) -> usize {
        self.lock().steps
    }

    fn leave_if_empty(&self) {
        let ended = {
            let state = self.lock();
            state.closed && state.steps == 0
        };
        if ended {
            self.emptied.notify_waiters();
        }
    }

    fn leave(&self, turn: &Turn) {
        let mut state = self.lock();
        state.steps -= 1;
        state.bytes -= turn.bytes;
        if let Some(chain) = state.chains.get_mut(&turn.caller) {
            chain.steps -= 1;
            if chain.steps == 0 {
                state.chains.remove(&turn.caller);
            }
        }
        drop(state);
        self.leave_if_empty();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Chain {
    /// Adds a step; what it must wait for.
    fn add(&mut self, way: Way, done: &CancellationToken) -> Vec<CancellationToken> {
        let pending =
            |token: Option<CancellationToken>| token.filter(|token| !token.is_cancelled());
        let alone = pending(self.alone.clone());
        match way {
            Way::Alone => {
                let lanes = self.lanes.iter_mut().filter_map(Option::take).map(|last| last.done);
                let before = lanes.map(Some).chain([alone]).filter_map(pending).collect();
                self.alone = Some(done.clone());
                before
            }
            Way::Lane(lane) => {
                let last = self.lanes.get(lane).cloned().flatten();
                let last = last.filter(|last| !last.done.is_cancelled());
                let behind = last.as_ref().is_some_and(|last| !last.direct);
                let direct = alone.is_none() && !behind;
                if let Some(place) = self.lanes.get_mut(lane) {
                    *place = Some(InLane { done: done.clone(), direct });
                }
                match last {
                    Some(last) if !direct => alone.into_iter().chain([last.done]).collect(),
                    _ => alone.into_iter().collect(),
                }
            }
        }
    }
}

/// A step's place. Dropped when the step is answered: then those behind it have their turn.
pub(super) struct Turn {
    queue: Arc<Queue>,
    caller: Caller,
    bytes: usize,
    asked: Instant,
    before: Vec<CancellationToken>,
    done: CancellationToken,
}

impl Turn {
    /// Whether nothing has to be waited for.
    pub(super) fn has_come(&self) -> bool {
        self.before.iter().all(CancellationToken::is_cancelled)
    }

    /// Waits for everything that must be done before.
    pub(super) async fn come(&self) {
        for token in &self.before {
            token.cancelled().await;
        }
    }

    /// Whether the step should not begin any more: it is late, and nobody waits for its answer.
    pub(super) fn is_given_up<T>(&self, reply: &oneshot::Sender<T>) -> bool {
        reply.is_closed() && self.asked.elapsed() > LATE
    }

    /// About how many bytes the step holds.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.queue.leave(self);
        self.done.cancel();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(most: usize, bytes: usize) -> Arc<Queue> {
        Queue::new(most, bytes, 2)
    }

    #[test]
    fn it_is_bounded_in_number_and_bytes() {
        let queue = queue(3, 100);
        let large = queue.enter(500, Way::Alone);
        assert!(large.is_ok(), "an empty queue takes anything");
        assert_eq!(queue.enter(1, Way::Alone).err(), Some(Refused::Full));
        drop(large);
        let held: Vec<_> = (0..3).map(|_| queue.enter(20, Way::Lane(0)).ok()).collect();
        assert_eq!(queue.enter(1, Way::Lane(0)).err(), Some(Refused::Full));
        assert_eq!(queue.len(), 3);
        drop(held);
        queue.close();
        assert_eq!(queue.enter(1, Way::Alone).err(), Some(Refused::Closed));
    }

    #[test]
    fn who_goes_alone_waits_for_everything_before() {
        let queue = queue(9, 100);
        let one = queue.enter(1, Way::Lane(0)).unwrap();
        let other = queue.enter(1, Way::Lane(1)).unwrap();
        let same = queue.enter(1, Way::Lane(0)).unwrap();
        assert!(one.has_come() && other.has_come() && same.has_come());
        let alone = queue.enter(1, Way::Alone).unwrap();
        drop(one);
        drop(same);
        assert!(!alone.has_come(), "the other lane is not done");
        drop(other);
        assert!(alone.has_come());
        let next = queue.enter(1, Way::Alone).unwrap();
        assert!(!next.has_come());
        drop(alone);
        assert!(next.has_come());
    }

    #[test]
    fn a_lane_keeps_the_order_behind_a_step_that_waited() {
        let queue = queue(9, 100);
        let alone = queue.enter(1, Way::Alone).unwrap();
        let waits = queue.enter(1, Way::Lane(0)).unwrap();
        assert!(!waits.has_come());
        drop(alone);
        assert!(waits.has_come());
        // It may go now, but perhaps has not gone into its lane yet: nothing overtakes it.
        let next = queue.enter(1, Way::Lane(0)).unwrap();
        assert!(!next.has_come());
        assert!(queue.enter(1, Way::Lane(1)).unwrap().has_come());
        drop(waits);
        assert!(next.has_come());
    }

    #[tokio::test]
    async fn tasks_do_not_wait_for_each_other() {
        let queue = queue(9, 100);
        let mine = queue.enter(1, Way::Alone).unwrap();
        let of_others = queue.clone();
        #[expect(clippy::disallowed_methods, reason = "another task is what this is about")]
        let theirs = tokio::spawn(async move { of_others.enter(1, Way::Alone).unwrap() });
        assert!(theirs.await.unwrap().has_come());
        drop(mine);
        queue.close();
        queue.ended().await;
    }
}
