//! What other processes have of a channel or a user, as they said.

use std::{mem, sync::Arc, time::Duration};

use parlour_core::NodeId;
use parlour_wire::pusher::Member;

use crate::hash::HashMap;

/// What one process has.
#[derive(Default)]
struct Peer {
    version: u64,
    count: usize,
    members: HashMap<Arc<str>, Member>,
    /// Forgotten then, if it is not repeated. What was said to be nothing is kept as long: something older may follow.
    until: Duration,
}

/// Members of one process that come in parts.
struct Parts {
    from: NodeId,
    version: u64,
    next: u32,
    members: Vec<Member>,
}

/// Whether this process hears what others say of something.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) enum Listening {
    /// It does not.
    #[default]
    No,
    /// It is about to.
    Beginning,
    /// It does, and has asked what was before.
    Yes,
}

/// What is shared with other processes about a channel or a user.
#[derive(Default)]
pub(super) struct Peers {
    peers: Vec<(NodeId, Peer)>,
    parts: Option<Box<Parts>>,
    /// Grows with each change of what this process has. Zero: nothing was said yet.
    pub(super) version: u64,
    pub(super) listening: Listening,
    /// Those who need it besides the ones that have it.
    pub(super) holders: u32,
    /// When somebody was asked about it last because something was missed.
    asked: Option<Duration>,
}

/// Who has come, and who has gone, with what another process says: of all processes.
#[derive(Default)]
pub(super) struct Moved {
    pub(super) came: Vec<Member>,
    pub(super) went: Vec<Arc<str>>,
}

/// What to do with what somebody says.
pub(super) enum Heard {
    /// Nothing: it is known.
    Known,
    /// Something before it was missed.
    Missed,
    /// Something has changed.
    Changed(Moved),
}

/// A process's whole state.
pub(super) struct Whole {
    pub(super) version: u64,
    pub(super) count: usize,
    pub(super) members: Vec<Member>,
    pub(super) part: u32,
    pub(super) more: bool,
}

/// One step.
pub(super) struct Step {
    pub(super) version: u64,
    pub(super) count: usize,
    pub(super) fresh: bool,
    pub(super) came: Option<Member>,
    pub(super) went: Option<Arc<str>>,
}

/// After an older question was not answered for so long, it is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// Members of one process on one channel; more than any limit of a channel allows in sense.
const MOST_MEMBERS: usize = 1_000_000;

impl Peers {
    /// How many all of them have.
    pub(super) fn count(&self) -> usize {
        self.peers.iter().map(|(_, peer)| peer.count).sum()
    }

    pub(super) fn has(&self, user: &str) -> bool {
        self.peers.iter().any(|(_, peer)| peer.members.contains_key(user))
    }

    /// Members; one who is at several processes comes several times.
    pub(super) fn members(&self) -> impl Iterator<Item = &Member> {
        self.peers.iter().flat_map(|(_, peer)| peer.members.values())
    }

    /// Whether anything is known of others, be it that they have gone.
    pub(super) const fn is_empty(&self) -> bool {
        self.peers.is_empty()
    }

    /// Whether anything is known of a process.
    pub(super) fn knows(&self, node: NodeId) -> bool {
        self.peers.iter().any(|(known, _)| *known == node)
    }

    /// Forgets all of it.
    pub(super) fn clear(&mut self) {
        self.peers.clear();
        self.parts = None;
    }

    /// Whether somebody is to be asked for what was missed: not while a question is on its way.
    pub(super) fn may_ask(&mut self, now: Duration) -> bool {
        if self.asked.is_some_and(|asked| now.saturating_sub(asked) < ASK_AGAIN) {
            return false;
        }
        self.asked = Some(now);
        true
    }

    fn peer(&mut self, node: NodeId) -> Option<&mut Peer> {
        self.peers.iter_mut().find(|(known, _)| *known == node).map(|(_, peer)| peer)
    }

    /// Takes in what a process has. `is_here` tells who is on this process.
    pub(super) fn whole(
        &mut self,
        from: NodeId,
        whole: Whole,
        until: Duration,
        is_here: impl Fn(&str) -> bool,
    ) -> Heard {
        if let Some(peer) = self.peer(from)
            && peer.version >= whole.version
        {
            if peer.version == whole.version {
                peer.until = until;
            }
            return Heard::Known;
        }
        let Some(whole) = self.assembled(from, whole) else { return Heard::Known };
        if whole.count == 0 && !self.knows(from) {
            return Heard::Known;
        }
        let peer = self.peer(from).map(mem::take).unwrap_or_default();
        self.peers.retain(|(known, _)| *known != from);
        let elsewhere = |user: &str| is_here(user) || self.has(user);
        let new: HashMap<_, _> =
            whole.members.into_iter().map(|member| (member.user_id.clone(), member)).collect();
        let old = peer.members;
        let is_new = |m: &&Member| !old.contains_key(&m.user_id) && !elsewhere(&m.user_id);
        let came = new.values().filter(is_new).cloned().collect();
        let is_gone = |user: &&Arc<str>| !new.contains_key(*user) && !elsewhere(user);
        let went = old.keys().filter(is_gone).cloned().collect();
        let peer = Peer { version: whole.version, count: whole.count, members: new, until };
        self.peers.push((from, peer));
        Heard::Changed(Moved { came, went })
    }

    /// Puts the parts of a large state together.
    fn assembled(&mut self, from: NodeId, mut whole: Whole) -> Option<Whole> {
        if whole.part == 0 && !whole.more {
            return Some(whole);
        }
        let mut parts = match self.parts.take() {
            Some(parts)
                if parts.from == from
                    && parts.version == whole.version
                    && parts.next == whole.part =>
            {
                parts
            }
            _ if whole.part == 0 => {
                Box::new(Parts { from, version: whole.version, next: 0, members: Vec::new() })
            }
            _ => return None,
        };
        parts.next += 1;
        if parts.members.len() > MOST_MEMBERS {
            return None;
        }
        parts.members.append(&mut whole.members);
        if whole.more {
            self.parts = Some(parts);
            return None;
        }
        Some(Whole { members: parts.members, ..whole })
    }

    /// Takes in a change of what a process has.
    pub(super) fn step(
        &mut self,
        from: NodeId,
        step: Step,
        until: Duration,
        is_here: impl Fn(&str) -> bool,
    ) -> Heard {
        let Step { version, count, fresh, came, went } = step;
        let known = self.peer(from).map(|peer| peer.version);
        if known.is_some_and(|known| known >= version) {
            return Heard::Known;
        }
        if known.is_none_or(|known| known + 1 != version) {
            if !fresh {
                return Heard::Missed;
            }
            let members = came.into_iter().collect();
            let whole = Whole { version, count, members, part: 0, more: false };
            return self.whole(from, whole, until, is_here);
        }
        let elsewhere = |peers: &Self, user: &str| is_here(user) || peers.has(user);
        let mut moved = Moved::default();
        if let Some(member) = came {
            if !elsewhere(self, &member.user_id) {
                moved.came.push(member.clone());
            }
            if let Some(peer) = self.peer(from) {
                peer.members.insert(member.user_id.clone(), member);
            }
        }
        if let Some(user) = went
            && self.peer(from).is_some_and(|peer| peer.members.remove(&user).is_some())
            && !elsewhere(self, &user)
        {
            moved.went.push(user);
        }
        if let Some(peer) = self.peer(from) {
            (peer.version, peer.count, peer.until) = (version, count, until);
        }
        Heard::Changed(moved)
    }

    /// A process says that it has what it had; whether that is known.
    pub(super) fn still(&mut self, from: NodeId, version: u64, until: Duration) -> bool {
        match self.peer(from) {
            Some(peer) if peer.version == version => {
                peer.until = until;
                true
            }
            // What is newer here was said later.
            Some(peer) => peer.version > version,
            None => false,
        }
    }

    /// Processes whose word has not been repeated in time.
    pub(super) fn overdue(&self, now: Duration) -> impl Iterator<Item = NodeId> {
        self.peers.iter().filter(move |(_, peer)| peer.until <= now).map(|(node, _)| *node)
    }

    /// Forgets what a process has said; `None` if there is nothing.
    pub(super) fn forget(&mut self, node: NodeId, is_here: impl Fn(&str) -> bool) -> Option<Moved> {
        let index = self.peers.iter().position(|(known, _)| *known == node)?;
        let (_, peer) = self.peers.swap_remove(index);
        let is_gone = |user: &Arc<str>| !is_here(user) && !self.has(user);
        let went = peer.members.into_keys().filter(is_gone).collect();
        Some(Moved { came: Vec::new(), went })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: NodeId = NodeId(1);
    const B: NodeId = NodeId(2);
    const LATER: Duration = Duration::from_secs(100);

    fn member(id: &str) -> Member {
        Member { user_id: id.into(), user_info: "{}".into() }
    }

    fn whole(version: u64, members: &[&str]) -> Whole {
        let members: Vec<_> = members.iter().map(|id| member(id)).collect();
        Whole { version, count: members.len(), members, part: 0, more: false }
    }

    fn step(version: u64, came: Option<&str>, went: Option<&str>) -> Step {
        let came = came.map(member);
        Step { version, count: 1, fresh: false, came, went: went.map(Into::into) }
    }

    /// `+` who came, `-` who went, in order.
    fn told(heard: Heard) -> String {
        let Heard::Changed(moved) = heard else {
            return if matches!(heard, Heard::Known) { "known" } else { "missed" }.to_owned();
        };
        let came = moved.came.iter().map(|member| format!("+{}", member.user_id));
        let mut all: Vec<_> = came.chain(moved.went.iter().map(|id| format!("-{id}"))).collect();
        all.sort();
        all.concat()
    }

    #[test]
    fn a_user_comes_with_his_first_process_and_goes_with_his_last() {
        let mut peers = Peers::default();
        let here = |user: &str| user == "h";
        assert_eq!(told(peers.whole(A, whole(5, &["1", "h"]), LATER, here)), "+1");
        assert_eq!(told(peers.whole(B, whole(1, &["1", "2"]), LATER, here)), "+2");
        assert_eq!(told(peers.step(A, step(6, None, Some("1")), LATER, here)), "");
        assert_eq!(told(peers.step(A, step(6, Some("9"), None), LATER, here)), "known");
        assert_eq!(told(peers.step(A, step(8, Some("9"), None), LATER, here)), "missed");
        assert_eq!(told(peers.step(B, step(2, None, Some("1")), LATER, here)), "-1");
        assert_eq!(told(peers.step(A, step(7, None, Some("h")), LATER, here)), "");
        assert_eq!(told(peers.whole(B, whole(9, &["3"]), LATER, here)), "+3-2");
        assert!(peers.forget(A, here).is_some() && peers.forget(A, here).is_none());
        assert_eq!(peers.forget(B, here).unwrap().went, [Arc::<str>::from("3")]);
        assert!(peers.is_empty());
    }

    #[test]
    fn what_is_repeated_late_brings_nobody_back() {
        let mut peers = Peers::default();
        let nobody = |_: &str| false;
        let first = || Step { fresh: true, ..step(7, Some("1"), None) };
        assert_eq!(told(peers.step(A, first(), LATER, nobody)), "+1");
        let last = Step { count: 0, ..step(8, None, Some("1")) };
        assert_eq!(told(peers.step(A, last, LATER, nobody)), "-1");
        assert_eq!(told(peers.step(A, first(), LATER, nobody)), "known");
        assert_eq!((peers.count(), peers.members().count()), (0, 0));
        assert_eq!(peers.overdue(LATER).collect::<Vec<_>>(), [A]);
    }

    #[test]
    fn a_large_state_comes_in_parts() {
        let mut peers = Peers::default();
        let nobody = |_: &str| false;
        let part = |number, more, id: &str| Whole { part: number, more, ..whole(3, &[id]) };
        assert_eq!(told(peers.whole(A, part(0, true, "1"), LATER, nobody)), "known");
        assert_eq!(told(peers.whole(A, part(2, false, "3"), LATER, nobody)), "known");
        assert_eq!(told(peers.whole(A, part(0, true, "1"), LATER, nobody)), "known");
        assert_eq!(told(peers.whole(A, part(1, false, "2"), LATER, nobody)), "+1+2");
        assert!(peers.still(A, 3, LATER) && peers.still(A, 2, LATER) && !peers.still(A, 4, LATER));
        assert!(!peers.still(B, 1, LATER));
    }
}
