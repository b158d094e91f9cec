//! Answers that could not go out in the place of their events, because what comes before could not be read: they follow
//! when everybody here has been told it.

use std::{mem, sync::Arc};

use parlour_core::event::{Envelope, Event};

use super::{Hub, State, flush};
use crate::{gateway::conn::Conn, metrics::Metrics};

/// So many are kept. Past it the oldest go out early: better out of its place than never.
const MOST_OWED: usize = 10_000;

impl Hub {
    /// Keeps an event that could not be delivered, for whoever waits for it as his answer. The others are told it when it is
    /// read from the store.
    pub(crate) fn owe(&self, envelope: &Envelope, dirty: &mut Vec<Arc<Conn>>) {
        let mut state = self.state.lock();
        let waits = |key| state.conns.contains_key(&key);
        if envelope.origin.is_some_and(|origin| waits(origin.connection)) {
            state.owed.push(envelope.clone());
        }
        let excess = state.owed.len().saturating_sub(MOST_OWED);
        let early: Vec<_> = state.owed.drain(..excess).collect();
        state.pay(&early, dirty, &self.metrics);
    }

    /// Gives the answers whose place was reached.
    pub(crate) fn sweep_owed(&self) {
        let mut dirty = Vec::new();
        let mut state = self.state.lock();
        let owed = mem::take(&mut state.owed);
        let (due, rest) = owed.into_iter().partition::<Vec<_>, _>(|owed| state.has_passed(owed));
        state.owed = rest;
        state.pay(&due, &mut dirty, &self.metrics);
        drop(state);
        flush(&mut dirty);
    }
}

impl State {
    /// Whether what an event tells was told from the store, or nobody here listens to it any more.
    fn has_passed(&self, envelope: &Envelope) -> bool {
        let topic = envelope.conversation.and_then(|at| self.topics.get(&at));
        let Some(topic) = topic else { return true };
        match (&envelope.event, envelope.seq) {
            (Event::Receipt { version, .. }, _) => topic.receipts >= Some(*version),
            (_, Some(seq)) => topic.last_seq >= Some(seq),
            (_, None) => true,
        }
    }

    fn pay(&mut self, due: &[Envelope], dirty: &mut Vec<Arc<Conn>>, metrics: &Metrics) {
        for envelope in due {
            self.came_late(envelope, dirty, metrics);
        }
    }
}

#[cfg(test)]
mod tests {
    use parlour_core::{
        ConversationId, Epoch, MessageId, Seq,
        event::Origin,
        limits::Limits,
        model::{
            Content, ConversationKind, ConversationState, Message, MessageKind, Profile, Role,
        },
        port::store::Replay,
        testing::{self, FakeClock},
    };
    use parlour_wire::native::Native;

    use super::*;
    use crate::gateway::hub::{Hole, Place, Topic, subscribe::Seat, test_conn::conn};

    const AT: ConversationId = ConversationId(1);

    fn said(seq: u64, origin: Option<Origin>) -> Envelope {
        let message = Message {
            id: MessageId(seq),
            conversation: AT,
            seq: Seq(seq),
            change_seq: Seq(seq),
            sender: Arc::new(Profile::bare(testing::user("1"))),
            client_id: None,
            kind: MessageKind::Text,
            content: Some(Content { text: "x".into(), metadata: None }),
            reply_to: None,
            created_at: 0,
            edited_at: None,
            deleted_at: None,
        };
        Envelope {
            conversation: Some(AT),
            epoch: Epoch(1),
            seq: Some(Seq(seq)),
            at: 0,
            origin,
            event: Event::MessageCreated(Arc::new(message)),
        }
    }

    fn sender(hub: &Arc<Hub>) -> Arc<Conn> {
        let conn = conn(&Native, "1", None);
        hub.state.lock().conns.insert(conn.key, conn.clone());
        conn
    }

    /// A hub where somebody listens to a conversation, and everything up to a seq was told.
    fn hub_at(seq: u64) -> Arc<Hub> {
        let limits = Arc::new(Limits::default());
        let hub = Hub::new(limits, Arc::<FakeClock>::default(), Arc::default(), Arc::default());
        let place = Place { id: AT, kind: ConversationKind::Group, subject: None, peers: None };
        let seat = Seat {
            place: Arc::new(place),
            read: Vec::new(),
            ends: Some((Seq(seq), 0)),
            state: ConversationState::Open,
            joined: Seq::ZERO,
            since: Seq::ZERO,
            past: Arc::default(),
            role: Role::Member,
        };
        hub.state.lock().topics.insert(AT, Topic::new(&seat));
        hub
    }

    fn answers(conn: &Conn) -> Vec<serde_json::Value> {
        let frames = std::iter::from_fn(|| conn.link.pop());
        frames.map(|item| serde_json::from_slice(item.frame.payload()).unwrap()).collect()
    }

    #[test]
    fn g2_who_asked_is_answered_when_what_comes_before_was_read_later() {
        let hub = hub_at(1);
        let conn = sender(&hub);
        let mut dirty = Vec::new();
        let own = said(3, Some(Origin { connection: conn.key, command: 5 }));
        assert!(matches!(hub.deliver(&own, &mut dirty), Err(Hole::Changes { .. })));
        hub.owe(&own, &mut dirty);
        hub.owe(&said(4, None), &mut dirty);
        hub.owe(&said(4, Some(Origin { connection: 99, command: 1 })), &mut dirty);
        hub.sweep_owed();
        assert!(answers(&conn).is_empty(), "its place in the log has not been reached");

        let replay = Replay { envelopes: vec![said(2, None), said(3, None)], covered: Seq(3) };
        hub.deliver_replay(AT, Seq(1), &replay, true, &mut dirty);
        hub.sweep_owed();
        let told = answers(&conn);
        assert_eq!(
            (told.len(), &told[0]["id"], &told[0]["ok"]["message"]["seq"]),
            (1, &5.into(), &3.into())
        );
        hub.sweep_owed();
        assert!(answers(&conn).is_empty(), "once");
        assert!(hub.state.lock().owed.is_empty(), "nobody waits for the others");
    }

    #[test]
    fn g2_who_asked_is_answered_when_nobody_listens_any_more() {
        let hub = hub_at(1);
        let conn = sender(&hub);
        hub.owe(&said(3, Some(Origin { connection: conn.key, command: 5 })), &mut Vec::new());
        hub.state.lock().topics.clear();
        hub.sweep_owed();
        assert_eq!(answers(&conn).len(), 1);
    }
}
