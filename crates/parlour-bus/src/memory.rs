//! A bus inside one process: every member hears the others, in the order in which they spoke.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use parlour_core::{
    NodeId, Result,
    port::{
        BoxFuture,
        bus::{Bus, BusListener, BusMessage, Topic},
    },
};

/// Where members meet.
#[derive(Default)]
struct Exchange {
    members: Mutex<Vec<(u64, Weak<dyn BusListener>)>>,
}

/// One member's end. A single process has one, and what it says nobody hears.
#[derive(Clone, Default)]
pub struct MemoryBus {
    exchange: Arc<Exchange>,
    own: u64,
}

impl MemoryBus {
    /// One more member, who hears what the others say from now on. It leaves when its listener is dropped.
    #[must_use]
    pub fn join(&self, listener: &Arc<dyn BusListener>) -> Self {
        let mut members = self.exchange.members.lock();
        members.retain(|(_, member)| member.strong_count() > 0);
        let own = members.iter().map(|(number, _)| number + 1).max().unwrap_or(1);
        members.push((own, Arc::downgrade(listener)));
        Self { exchange: self.exchange.clone(), own }
    }
}

impl Bus for MemoryBus {
    fn publish(&self, messages: Vec<BusMessage>) -> Result<()> {
        let others: Vec<_> = {
            let members = self.exchange.members.lock();
            members
                .iter()
                .filter(|(number, _)| *number != self.own)
                .map(|(_, m)| m.clone())
                .collect()
        };
        for listener in others.iter().filter_map(Weak::upgrade) {
            for message in &messages {
                listener.received(NodeId(self.own), message.hint.clone());
            }
        }
        Ok(())
    }

    /// Everybody hears everything.
    fn listen(&self, _: Vec<Topic>) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    fn ignore(&self, _: &[Topic]) {}

    fn is_healthy(&self) -> bool {
        true
    }

    fn is_shared(&self) -> bool {
        self.own != 0
    }
}

#[cfg(test)]
mod tests {
    use parlour_core::{ConversationId, Seq, port::bus::Hint};

    use super::*;

    #[derive(Default)]
    struct Ear(Mutex<Vec<(NodeId, Hint)>>);

    impl BusListener for Ear {
        fn received(&self, from: NodeId, hint: Hint) {
            self.0.lock().push((from, hint));
        }

        fn lagged(&self) {}
    }

    fn head(seq: u64) -> Hint {
        Hint::Head { conversation: ConversationId(1), seq: Seq(seq) }
    }

    fn publish(bus: &MemoryBus, seqs: &[u64]) {
        let topic = Topic::Conversation(ConversationId(1));
        let message = |seq: &u64| BusMessage { topic: topic.clone(), hint: head(*seq) };
        bus.publish(seqs.iter().map(message).collect()).unwrap();
    }

    #[test]
    fn members_hear_the_others_in_order_and_not_themselves() {
        let bus = MemoryBus::default();
        let (ear_a, ear_b) = (Arc::new(Ear::default()), Arc::new(Ear::default()));
        let (listener_a, listener_b): (Arc<dyn BusListener>, Arc<dyn BusListener>) =
            (ear_a.clone(), ear_b.clone());
        let (a, _b) = (bus.join(&listener_a), bus.join(&listener_b));
        publish(&a, &[1, 2]);
        let one = NodeId(1);
        assert_eq!(*ear_b.0.lock(), [(one, head(1)), (one, head(2))]);
        assert!(ear_a.0.lock().is_empty());
    }

    #[test]
    fn who_has_gone_is_forgotten() {
        let bus = MemoryBus::default();
        let ear: Arc<dyn BusListener> = Arc::new(Ear::default());
        let a = bus.join(&ear);
        drop(ear);
        publish(&a, &[1]);
        assert!(a.is_healthy());
    }
}
