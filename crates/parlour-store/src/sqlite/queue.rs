//! The bounded queue between callers, who never wait for room, and the threads that work it off.

use std::{collections::VecDeque, time::Duration};

// Not those of the standard library: waking somebody is a system call there, also when nobody sleeps.
use parking_lot::{Condvar, Mutex};

/// Why something was not queued.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum Refused {
    /// As many as may wait are waiting.
    #[error("the store's queue is full")]
    Full,
    /// The store is closed, or has failed.
    #[error("the store is closed")]
    Closed,
}

/// What taking gave.
pub(crate) enum Taken<T> {
    /// Some of what waits, in the order in which it came.
    Some(Vec<T>),
    /// Nothing came in the given time.
    Nothing,
    /// The queue is closed and empty.
    Ended,
}

/// First in, first out, bounded in number and in bytes.
pub(crate) struct Queue<T> {
    state: Mutex<State<T>>,
    filled: Condvar,
    most: usize,
    most_bytes: usize,
}

struct State<T> {
    waiting: VecDeque<(usize, T)>,
    bytes: usize,
    closed: bool,
}

impl<T> Queue<T> {
    pub(crate) const fn new(most: usize, most_bytes: usize) -> Self {
        let state = State { waiting: VecDeque::new(), bytes: 0, closed: false };
        Self { state: Mutex::new(state), filled: Condvar::new(), most, most_bytes }
    }

    /// Adds an item of about that many bytes. One that is larger than the whole bound fits an empty queue.
    pub(crate) fn push(&self, bytes: usize, item: T) -> Result<(), Refused> {
        let mut state = self.state.lock();
        if state.closed {
            return Err(Refused::Closed);
        }
        let too_many = state.waiting.len() >= self.most;
        if too_many || (!state.waiting.is_empty() && state.bytes + bytes > self.most_bytes) {
            return Err(Refused::Full);
        }
        state.bytes += bytes;
        state.waiting.push_back((bytes, item));
        drop(state);
        self.filled.notify_one();
        Ok(())
    }

    /// Waits until something is there and takes at most `most` items of at most `bytes` together, one at least.
    pub(crate) fn take(&self, most: usize, bytes: usize, patience: Option<Duration>) -> Taken<T> {
        let mut state = self.state.lock();
        while state.waiting.is_empty() {
            if state.closed {
                return Taken::Ended;
            }
            let Some(patience) = patience else {
                self.filled.wait(&mut state);
                continue;
            };
            let waited = self.filled.wait_for(&mut state, patience);
            if waited.timed_out() && state.waiting.is_empty() && !state.closed {
                return Taken::Nothing;
            }
        }
        let mut taken = Vec::new();
        let mut size = 0;
        while taken.len() < most
            && let Some((item_bytes, _)) = state.waiting.front()
            && (taken.is_empty() || size + item_bytes <= bytes)
            && let Some((item_bytes, item)) = state.waiting.pop_front()
        {
            size += item_bytes;
            taken.push(item);
        }
        state.bytes -= size;
        Taken::Some(taken)
    }

    /// Takes nothing more in; what waits is still worked off.
    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
        self.filled.notify_all();
    }

    pub(crate) fn len(&self) -> usize {
        self.state.lock().waiting.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(queue: &Queue<u32>, most: usize, bytes: usize) -> Vec<u32> {
        match queue.take(most, bytes, Some(Duration::ZERO)) {
            Taken::Some(items) => items,
            Taken::Nothing | Taken::Ended => Vec::new(),
        }
    }

    #[test]
    fn it_is_bounded_in_number_and_bytes() {
        let queue = Queue::new(3, 100);
        assert_eq!(queue.push(500, 1), Ok(()), "an empty queue takes anything");
        assert_eq!(queue.push(1, 2), Err(Refused::Full));
        assert_eq!(taken(&queue, 9, 10), [1]);
        for item in [3, 4, 5] {
            assert_eq!(queue.push(20, item), Ok(()));
        }
        assert_eq!(queue.push(1, 6), Err(Refused::Full));
        assert_eq!(taken(&queue, 9, 40), [3, 4]);
        assert_eq!(taken(&queue, 9, 1), [5], "one item at least");
    }

    #[test]
    fn a_closed_queue_is_emptied_and_then_ends() {
        let queue = Queue::new(3, 100);
        assert_eq!(queue.push(1, 1), Ok(()));
        queue.close();
        assert_eq!(queue.push(1, 2), Err(Refused::Closed));
        assert_eq!(taken(&queue, 9, 100), [1]);
        assert!(matches!(queue.take(1, 1, None), Taken::Ended));
    }
}
