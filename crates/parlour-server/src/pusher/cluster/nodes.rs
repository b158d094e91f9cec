//! The other processes: who lives, since when, and what of theirs was heard already.

use std::{collections::BTreeMap, time::Duration};

use parlour_core::{NodeId, model::Millis};

use super::message::Hello;

/// Who says nothing for so long counts as dead. Each process says something every [`super::HELLO`].
pub(super) const SILENCE: Duration = Duration::from_secs(15);

/// Processes that are known at once, at most.
const MOST: usize = 1_024;

/// Numbers of what was heard of a process on channels, of the last so many.
const WINDOW: u64 = 16 * 1_024;

/// Another process.
struct Node {
    /// What it has said of itself.
    hello: Option<Hello>,
    heard: Duration,
    /// When it was heard last, by the wall clock.
    heard_at: Millis,
    /// It has left a question unanswered, and nothing was heard since: nobody waits for it again.
    silent: bool,
    recent: Recent,
}

/// All that are known.
#[derive(Default)]
pub(super) struct Nodes {
    nodes: BTreeMap<NodeId, Node>,
}

/// What is new about somebody who was heard.
pub(super) struct News {
    /// He was not known.
    pub(super) appeared: bool,
}

impl Nodes {
    /// Somebody was heard. `None` where there are too many.
    pub(super) fn heard(&mut self, from: NodeId, now: Duration, wall: Millis) -> Option<News> {
        if let Some(node) = self.nodes.get_mut(&from) {
            (node.heard, node.heard_at, node.silent) = (now, wall, false);
            return Some(News { appeared: false });
        }
        if self.nodes.len() >= MOST {
            return None;
        }
        let recent = Recent::default();
        let node = Node { hello: None, heard: now, heard_at: wall, silent: false, recent };
        self.nodes.insert(from, node);
        Some(News { appeared: true })
    }

    /// What somebody says of himself.
    pub(super) fn introduced(&mut self, from: NodeId, hello: Hello) {
        if let Some(node) = self.nodes.get_mut(&from) {
            node.hello = Some(hello);
        }
    }

    /// Whether it is the first time that this number of a process is heard.
    pub(super) fn is_first(&mut self, from: NodeId, number: u64) -> bool {
        self.nodes.get_mut(&from).is_some_and(|node| node.recent.take(number))
    }

    /// Those who will answer a question.
    pub(super) fn answering(&self) -> impl Iterator<Item = NodeId> {
        self.nodes.iter().filter(|(_, node)| !node.silent).map(|(id, _)| *id)
    }

    /// Somebody has not answered in time.
    pub(super) fn unanswered(&mut self, node: NodeId) {
        if let Some(node) = self.nodes.get_mut(&node) {
            node.silent = true;
        }
    }

    /// Those who were not heard for too long.
    pub(super) fn overdue(&self, now: Duration) -> Vec<NodeId> {
        let late = |node: &Node| now.saturating_sub(node.heard) > SILENCE;
        self.nodes.iter().filter(|(_, node)| late(node)).map(|(id, _)| *id).collect()
    }

    /// Everybody gets his whole time again.
    pub(super) fn spare(&mut self, now: Duration) {
        for node in self.nodes.values_mut() {
            node.heard = now;
        }
    }

    /// Forgets one; when it was heard last, if it was known.
    pub(super) fn forget(&mut self, node: NodeId) -> Option<Millis> {
        self.nodes.remove(&node).map(|node| node.heard_at)
    }

    /// Whose sockets have ids that begin with this number.
    pub(super) fn with_prefix(&self, prefix: u64) -> Option<NodeId> {
        let has = |node: &Node| node.hello.as_ref().is_some_and(|hello| hello.prefix == prefix);
        self.nodes.iter().find(|(_, node)| has(node)).map(|(id, _)| *id)
    }

    /// Whether one of them has been there for longer than who says this of himself.
    pub(super) fn has_older(&self, own: (Millis, u64)) -> bool {
        let hellos = self.nodes.values().filter_map(|node| node.hello.as_ref());
        hellos.map(|hello| (hello.started, hello.prefix)).any(|other| other < own)
    }
}

/// Which of a process's last numbers were heard: one bit each.
struct Recent {
    next: u64,
    bits: Vec<u64>,
}

impl Default for Recent {
    fn default() -> Self {
        Self { next: 0, bits: vec![0; usize::try_from(WINDOW / 64).unwrap_or_default()] }
    }
}

impl Recent {
    /// Whether a number is new. What is older than the window counts as heard, and so does the one after which there
    /// is none.
    fn take(&mut self, number: u64) -> bool {
        if number == u64::MAX {
            return false;
        }
        if number >= self.next {
            if number - self.next >= WINDOW {
                self.bits.fill(0);
            } else {
                for skipped in self.next..number {
                    self.set(skipped, false);
                }
            }
            self.next = number + 1;
            self.set(number, true);
            return true;
        }
        if self.next - number > WINDOW || self.has(number) {
            return false;
        }
        self.set(number, true);
        true
    }

    fn place(number: u64) -> (usize, u64) {
        let slot = number % WINDOW;
        (usize::try_from(slot / 64).unwrap_or_default(), 1 << (slot % 64))
    }

    fn has(&self, number: u64) -> bool {
        let (word, bit) = Self::place(number);
        self.bits.get(word).is_some_and(|bits| bits & bit != 0)
    }

    fn set(&mut self, number: u64, heard: bool) {
        let (word, bit) = Self::place(number);
        if let Some(bits) = self.bits.get_mut(word) {
            *bits = if heard { *bits | bit } else { *bits & !bit };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_new_once() {
        let mut recent = Recent::default();
        assert!(recent.take(5) && !recent.take(5));
        assert!(recent.take(3) && !recent.take(3) && recent.take(4));
        assert!(recent.take(5 + WINDOW - 1));
        assert!(!recent.take(5), "still in the window");
        assert!(recent.take(6), "skipped before");
        assert!(recent.take(10 * WINDOW) && !recent.take(7), "too old");
        assert!(recent.take(u64::MAX - 1) && !recent.take(u64::MAX));
    }

    #[test]
    fn the_oldest_one_tells() {
        let mut nodes = Nodes::default();
        for (id, started) in [(1, 10), (2, 20)] {
            nodes.heard(NodeId(id), Duration::ZERO, 0);
            nodes.introduced(NodeId(id), Hello { prefix: id, started, new: false });
        }
        assert!(nodes.has_older((15, 9)) && !nodes.has_older((5, 9)));
        assert_eq!(nodes.with_prefix(2), Some(NodeId(2)));
        nodes.unanswered(NodeId(1));
        assert_eq!(nodes.answering().collect::<Vec<_>>(), [NodeId(2)]);
        nodes.heard(NodeId(1), SILENCE, 7);
        assert_eq!(nodes.answering().count(), 2);
        assert_eq!(nodes.overdue(SILENCE + Duration::from_secs(1)), [NodeId(2)]);
        assert_eq!((nodes.forget(NodeId(1)), nodes.forget(NodeId(1))), (Some(7), None));
        assert!(!nodes.has_older((15, 9)));
    }
}
