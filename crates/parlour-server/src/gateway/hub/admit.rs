//! Users who get into conversations, or out of them, by what another process did: they are told it as if they had seen it.

use std::ops::Range;

use parlour_core::{ConversationId, Seq, UserId, event::Envelope, model::Membership};
use parlour_wire::{Notice, Scene};

use super::{Hub, encoder::Encoder, flush, subscribe::is_later};
use crate::gateway::close::Close;

/// How a user's conversations differ from what the store says.
#[derive(Default)]
pub(crate) struct Difference {
    /// Those that he is in and does not listen to.
    pub(crate) new: Vec<Membership>,
    /// Those that he listens to and is not in, with the seq after which he saw them.
    pub(crate) left: Vec<(ConversationId, Seq)>,
}

/// What became of letting a user in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Admitted {
    /// He listens now.
    Yes,
    /// He was told this part; others here are further.
    NotYet,
    /// He is not here, or has left it meanwhile.
    Gone,
}

impl Hub {
    /// Whether a user's conversations have to be compared with the store's, as of this version.
    pub(crate) fn is_outdated(&self, user: &UserId, version: u64) -> bool {
        let state = self.state.lock();
        let slot = state.slot_of(user);
        slot.is_some_and(|slot| slot.loaded && slot.version < Some(version))
            || slot.is_some_and(|slot| {
                slot.loaded
                    && slot.conversations.iter().any(|id| {
                        state.topics.get(id).is_some_and(|topic| topic.receipts.is_none())
                    })
            })
    }

    /// Takes over what the store says of a user, as far as he listens already, and tells what differs.
    pub(crate) fn compare(
        &self,
        user: &UserId,
        memberships: Vec<Membership>,
        hidden: Vec<UserId>,
    ) -> Difference {
        let mut state = self.state.lock();
        let mut difference = Difference::default();
        let Some(id) = state.users.get(user).copied() else { return difference };
        let Some(slot) = state.slots.get_mut(id) else { return difference };
        slot.hidden = hidden;
        let left = slot.left_while_loading.clone();
        let listened: Vec<_> = slot.conversations.clone();
        for conversation in listened {
            if memberships.iter().any(|membership| membership.conversation == conversation) {
                continue;
            }
            let topic = state.topics.get(&conversation);
            let own = topic.and_then(|t| t.subscribers.iter().find(|s| s.slot == id));
            difference.left.extend(own.map(|own| (conversation, own.joined)));
        }
        for membership in memberships {
            if left.iter().any(|gone| is_later(gone, &membership)) {
                continue;
            }
            let Some(topic) = state.topics.get_mut(&membership.conversation) else {
                difference.new.push(membership);
                continue;
            };
            topic.receipts.get_or_insert(membership.receipts);
            let known = topic.subscribers.iter_mut().find(|s| s.slot == id);
            match known {
                Some(known) if known.joined == membership.joined_seq => {
                    (known.past, known.role) = (membership.past, membership.role);
                }
                // He came anew: the Change that tells it is on its way.
                Some(_) => {}
                None => difference.new.push(membership),
            }
        }
        difference
    }

    /// Notes that a user's conversations are known as of a version.
    pub(crate) fn is_known_as_of(&self, user: &UserId, version: u64) {
        if let Some(slot) = self.state.lock().slot_of_mut(user) {
            slot.version = slot.version.max(Some(version));
        }
    }

    /// Tells a user's connections a part of the log of a conversation that he does not listen to yet: what is behind `after`,
    /// up to `covered`. Where that is as far as others here are, he listens from there on.
    pub(crate) fn admit(
        &self,
        membership: &Membership,
        envelopes: &[Envelope],
        (after, covered): (Seq, Seq),
        resync: Option<Notice>,
    ) -> Admitted {
        let mut dirty = Vec::new();
        let mut state = self.state.lock();
        let conversation = membership.conversation;
        let Some(id) = state.users.get(&membership.user).copied() else { return Admitted::Gone };
        let Some(slot) = state.slots.get(id) else { return Admitted::Gone };
        if slot.left_while_loading.iter().any(|gone| is_later(gone, membership)) {
            return Admitted::Gone;
        }
        if state.is_subscribed(conversation, id) {
            return Admitted::Yes;
        }
        let mut seat = state.seat_of(membership, id);
        let scene = Scene { place: Some(&*seat.place), read: &seat.read, settings: &self.settings };
        if let Some(notice) = resync {
            slot.listeners(conversation).for_each(|conn| conn.notify(notice));
        }
        let mut next = after.next();
        let pass_over = |seqs: Range<Seq>, dirty: &mut _| {
            (seqs.start.0..seqs.end.0)
                .for_each(|seq| slot.pass_over(conversation, Seq(seq), dirty));
        };
        for envelope in envelopes {
            if let Some(seq) = envelope.seq {
                pass_over(next..seq, &mut dirty);
                next = seq.next();
            }
            let mut encoder = Encoder::new(envelope, scene);
            for conn in slot.listeners(conversation) {
                self.metrics.deliveries.inc_by(u64::from(encoder.send(conn, &mut dirty)));
            }
        }
        pass_over(next..covered.next(), &mut dirty);
        let ahead = state.topics.get(&conversation).and_then(|topic| topic.last_seq);
        let admitted = if ahead.is_some_and(|last| covered < last) {
            Admitted::NotYet
        } else {
            seat.since = covered;
            seat.ends = Some((covered, membership.receipts));
            state.subscribe(id, &seat);
            Admitted::Yes
        };
        drop(state);
        flush(&mut dirty);
        admitted
    }

    /// A user is certainly out of a conversation, and no Change has told it: he does not listen to it any more.
    pub(crate) fn expel(&self, user: &UserId, conversation: ConversationId, joined: Seq) {
        let mut state = self.state.lock();
        let Some(id) = state.users.get(user).copied() else { return };
        let topic = state.topics.get(&conversation);
        let own = topic.and_then(|topic| topic.subscribers.iter().find(|s| s.slot == id));
        if own.is_none_or(|own| own.joined != joined) {
            return;
        }
        if let Some(slot) = state.slots.get_mut(id) {
            slot.conversations.retain(|known| *known != conversation);
            for conn in slot.conns.iter().filter(|conn| conn.scope == Some(conversation)) {
                conn.close(&Close::REMOVED);
            }
        }
        state.typing.remove(&(conversation, user.clone()));
        state.unsubscribe(conversation, id);
    }
}
