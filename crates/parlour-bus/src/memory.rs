//! A bus inside one process: every member hears the others, in the order in which they spoke.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use parlour_core::{
    Result,
    port::{
        BoxFuture,
        bus::{Bus, BusListener, BusMessage},
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
    fn publish(&self, messages: Vec<BusMessage>) -> BoxFuture<'_, Result<()>> {
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
                listener.received(message.clone());
            }
        }
        Box::pin(std::future::ready(Ok(())))
    }

    fn is_healthy(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use parlour_core::{ConversationId, Seq};

    use super::*;

    #[derive(Default)]
    struct Ear(Mutex<Vec<BusMessage>>);

    impl BusListener for Ear {
        fn received(&self, message: BusMessage) {
            self.0.lock().push(message);
        }

        fn lagged(&self) {}
    }

    fn head(seq: u64) -> BusMessage {
        BusMessage::Head { conversation: ConversationId(1), seq: Seq(seq) }
    }

    fn publish(bus: &MemoryBus, messages: Vec<BusMessage>) {
        let mut future = bus.publish(messages);
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(future.as_mut().poll(&mut context).is_ready());
    }

    #[test]
    fn members_hear_the_others_in_order_and_not_themselves() {
        let bus = MemoryBus::default();
        let (ear_a, ear_b) = (Arc::new(Ear::default()), Arc::new(Ear::default()));
        let (listener_a, listener_b): (Arc<dyn BusListener>, Arc<dyn BusListener>) =
            (ear_a.clone(), ear_b.clone());
        let (a, _b) = (bus.join(&listener_a), bus.join(&listener_b));
        publish(&a, vec![head(1), head(2)]);
        assert_eq!(*ear_b.0.lock(), [head(1), head(2)]);
        assert!(ear_a.0.lock().is_empty());
    }

    #[test]
    fn who_has_gone_is_forgotten() {
        let bus = MemoryBus::default();
        let ear: Arc<dyn BusListener> = Arc::new(Ear::default());
        let a = bus.join(&ear);
        drop(ear);
        publish(&a, vec![head(1)]);
        assert!(a.is_healthy());
    }
}
