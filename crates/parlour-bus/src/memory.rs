//! A bus inside one process: every member hears what the others say of its topics, in the order in which they spoke.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};

use parking_lot::Mutex;
use parlour_core::{
    NodeId, Result,
    port::{
        BoxFuture,
        bus::{Bus, BusListener, BusMessage, Topic},
    },
};

/// Somebody on the bus, and how often he listens to each topic.
struct Member {
    node: NodeId,
    listener: Weak<dyn BusListener>,
    topics: HashMap<Topic, usize>,
}

impl Member {
    fn hears(&self, topic: &Topic) -> bool {
        match topic {
            Topic::Everyone => true,
            Topic::Node(node) => *node == self.node,
            topic => self.topics.contains_key(topic),
        }
    }
}

/// Where members meet.
#[derive(Default)]
struct Exchange {
    members: Mutex<Vec<Member>>,
}

/// One member's end. A single process has one that has not joined: what it says nobody hears.
#[derive(Clone, Default)]
pub struct MemoryBus {
    exchange: Arc<Exchange>,
    own: Option<NodeId>,
}

impl MemoryBus {
    /// One more member under a number that nobody has yet. It hears what the others say from now on, and leaves when its listener is
    /// dropped.
    #[must_use]
    pub fn join(&self, listener: &Arc<dyn BusListener>) -> Self {
        let highest = self.exchange.members.lock().iter().map(|member| member.node.0).max();
        self.join_as(NodeId(highest.unwrap_or(0).wrapping_add(1)), listener)
    }

    /// One more member under this name. Who had it is on the bus no more.
    #[must_use]
    pub fn join_as(&self, node: NodeId, listener: &Arc<dyn BusListener>) -> Self {
        let mut members = self.exchange.members.lock();
        members.retain(|member| member.node != node && member.listener.strong_count() > 0);
        members.push(Member { node, listener: Arc::downgrade(listener), topics: HashMap::new() });
        Self { exchange: self.exchange.clone(), own: Some(node) }
    }

    /// Which member this is; nobody where it has not joined.
    #[must_use]
    pub const fn node(&self) -> Option<NodeId> {
        self.own
    }

    /// Tells all members that something may have been lost, as after a reconnect of a bus that has connections.
    pub fn interrupt(&self) {
        let listeners: Vec<_> =
            self.exchange.members.lock().iter().map(|member| member.listener.clone()).collect();
        listeners.iter().filter_map(Weak::upgrade).for_each(|listener| listener.lagged());
    }

    /// Gives a message to those whom it concerns, in the name of `from`.
    fn deliver(&self, from: NodeId, message: &BusMessage) {
        // Listeners are called without the lock: they may speak themselves.
        let others: Vec<_> = {
            let members = self.exchange.members.lock();
            let concerned = members.iter().filter(|m| m.node != from && m.hears(&message.topic));
            concerned.map(|member| member.listener.clone()).collect()
        };
        for listener in others.iter().filter_map(Weak::upgrade) {
            listener.received(from, message.hint.clone());
        }
    }

    fn with_own(&self, change: impl FnOnce(&mut Member)) {
        let mut members = self.exchange.members.lock();
        if let Some(member) = members.iter_mut().find(|member| Some(member.node) == self.own) {
            change(member);
        }
    }
}

impl Bus for MemoryBus {
    fn publish(&self, messages: Vec<BusMessage>) -> Result<()> {
        if let Some(own) = self.own {
            messages.iter().for_each(|message| self.deliver(own, message));
        }
        Ok(())
    }

    fn listen(&self, topics: Vec<Topic>) -> BoxFuture<'_, ()> {
        self.with_own(|member| {
            for topic in topics {
                *member.topics.entry(topic).or_default() += 1;
            }
        });
        Box::pin(std::future::ready(()))
    }

    fn ignore(&self, topics: &[Topic]) {
        self.with_own(|member| {
            for topic in topics {
                if let Some(count) = member.topics.get_mut(topic) {
                    *count -= 1;
                    if *count == 0 {
                        member.topics.remove(topic);
                    }
                }
            }
        });
    }

    fn is_healthy(&self) -> bool {
        true
    }

    fn is_shared(&self) -> bool {
        self.own.is_some()
    }
}

#[cfg(test)]
mod tests {
    use parlour_core::{
        port::bus::Hint,
        testing::bus_suite::{Ear, Rig},
    };

    use super::*;

    impl Rig for MemoryBus {
        fn join(&self, listener: Arc<dyn BusListener>) -> BoxFuture<'_, (NodeId, Arc<dyn Bus>)> {
            let joined = self.join(&listener);
            let node = joined.node().unwrap();
            let member: Arc<dyn Bus> = Arc::new(Kept { joined, _listener: listener });
            Box::pin(std::future::ready((node, member)))
        }

        fn tells_apart(&self, a: &Topic, b: &Topic) -> bool {
            a != b
        }

        fn interrupt(&self) -> BoxFuture<'_, ()> {
            self.interrupt();
            Box::pin(std::future::ready(()))
        }

        fn pause(&self) -> BoxFuture<'_, ()> {
            Box::pin(tokio::task::yield_now())
        }
    }

    /// Holds its listener as a server does.
    struct Kept {
        joined: MemoryBus,
        _listener: Arc<dyn BusListener>,
    }

    impl Bus for Kept {
        fn publish(&self, messages: Vec<BusMessage>) -> Result<()> {
            self.joined.publish(messages)
        }

        fn listen(&self, topics: Vec<Topic>) -> BoxFuture<'_, ()> {
            self.joined.listen(topics)
        }

        fn ignore(&self, topics: &[Topic]) {
            self.joined.ignore(topics);
        }

        fn is_healthy(&self) -> bool {
            self.joined.is_healthy()
        }

        fn is_shared(&self) -> bool {
            self.joined.is_shared()
        }
    }

    macro_rules! cases {
        ($($case:ident),* $(,)?) => {$(
            #[tokio::test]
            async fn $case() {
                parlour_core::testing::bus_suite::$case(&MemoryBus::default()).await;
            }
        )*};
    }
    parlour_core::bus_cases!(cases);

    #[test]
    fn who_has_gone_is_forgotten() {
        let bus = MemoryBus::default();
        let ear: Arc<dyn BusListener> = Arc::new(Ear::default());
        let a = bus.join(&ear);
        drop(ear);
        let message = BusMessage { topic: Topic::Everyone, hint: Hint::Alive };
        a.publish(vec![message]).unwrap();
        assert!(a.is_healthy() && a.is_shared() && !bus.is_shared());
        let ear: Arc<dyn BusListener> = Arc::new(Ear::default());
        assert_eq!(bus.join(&ear).node(), Some(NodeId(2)));
        assert_eq!(bus.exchange.members.lock().len(), 1);
    }
}
