//! What the bus, its driver and its links share.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::{Mutex, RwLock};
use parlour_core::{NodeId, port::bus::BusListener};
use tokio::sync::Notify;

use super::{
    channels::{Channel, Names},
    connect::Tls,
    layout::Layout,
    outbox::{Outbox, Pending},
    topics::Topics,
    url::{Address, Login},
};
use crate::{
    codec::{self, Skipped},
    counters::{Counters, add},
};

/// How long an answer of a server, or an own message, is good for: then the bus is not healthy any more.
const FRESH: Duration = Duration::from_secs(3);

/// A moment that tasks tell each other without a lock.
#[derive(Default)]
pub(super) struct Moment(AtomicU64);

/// A server, as the others see its link.
pub(super) struct Port {
    pub(super) address: Address,
    /// Something waits to be written to it.
    pub(super) work: Notify,
    /// Its subscriptions may not be what they should be.
    pub(super) change: Notify,
    /// The layout does not have it any more.
    pub(super) retired: Notify,
    /// Connected.
    pub(super) up: AtomicBool,
    /// When it last answered.
    pub(super) answered: Moment,
    /// What it has confirmed.
    pub(super) subscribed: Mutex<HashSet<Channel>>,
    /// What was written to it and not answered yet.
    pub(super) in_flight: Mutex<Vec<Pending>>,
}

impl Port {
    fn new(address: Address) -> Self {
        Self {
            address,
            work: Notify::new(),
            change: Notify::new(),
            retired: Notify::new(),
            up: AtomicBool::new(false),
            answered: Moment::default(),
            subscribed: Mutex::default(),
            in_flight: Mutex::default(),
        }
    }
}

/// Which server has which channel.
#[derive(Default)]
struct Routes {
    layout: Layout,
    ports: BTreeMap<Address, Arc<Port>>,
}

/// What all share.
pub(super) struct Shared {
    pub(super) own: NodeId,
    pub(super) names: Names,
    pub(super) login: Login,
    pub(super) tls: Option<Tls>,
    pub(super) topics: Topics,
    pub(super) outbox: Outbox,
    pub(super) counters: Arc<Counters>,
    /// The layout may have changed.
    pub(super) look: Notify,
    listener: Arc<dyn BusListener>,
    routes: RwLock<Routes>,
    born: Instant,
    /// When something of its own last came back.
    echo: Moment,
}

impl Shared {
    pub(super) fn new(
        own: NodeId,
        names: Names,
        login: Login,
        tls: Option<Tls>,
        listener: Arc<dyn BusListener>,
    ) -> Self {
        let topics = Topics::default();
        let _always_wanted = topics.add(&[Channel::Everyone, Channel::Node(own)]);
        Self {
            own,
            names,
            login,
            tls,
            topics,
            outbox: Outbox::new(own),
            counters: Arc::default(),
            look: Notify::new(),
            listener,
            routes: RwLock::default(),
            born: Instant::now(),
            echo: Moment::default(),
        }
    }

    /// Takes a new layout; gives the servers that are new in it.
    pub(super) fn set_layout(&self, layout: Layout) -> Vec<Arc<Port>> {
        let mut routes = self.routes.write();
        if routes.layout == layout {
            return Vec::new();
        }
        let addresses = layout.addresses();
        routes.ports.retain(|address, port| {
            let stays = addresses.contains(address);
            if !stays {
                port.retired.notify_one();
            }
            stays
        });
        let mut fresh = Vec::new();
        for address in addresses {
            let port = routes.ports.entry(address).or_insert_with_key(|address| {
                let port = Arc::new(Port::new(address.clone()));
                fresh.push(port.clone());
                port
            });
            port.change.notify_one();
            port.work.notify_one();
        }
        routes.layout = layout;
        fresh
    }

    /// Whether a server has a channel.
    pub(super) fn is_at(&self, channel: Channel, port: &Port) -> bool {
        let slot = self.names.slot(channel);
        self.routes.read().layout.owner(slot) == Some(&port.address)
    }

    /// Tells the servers of some channels.
    pub(super) fn tell(&self, channels: &[Channel], notify: impl Fn(&Port)) {
        let routes = self.routes.read();
        for channel in channels {
            let owner = routes.layout.owner(self.names.slot(*channel));
            if let Some(port) = owner.and_then(|address| routes.ports.get(address)) {
                notify(port);
            }
        }
    }

    /// Reads a frame that has come, and tells the listener.
    pub(super) fn receive(&self, frame: &[u8]) {
        let skipped = |skipped| match skipped {
            Skipped::Version | Skipped::Unknown => &self.counters.unknown,
            Skipped::Broken => &self.counters.unreadable,
        };
        let frame = match codec::decode(frame) {
            Ok(frame) => frame,
            Err(error) => return add(skipped(error), 1),
        };
        let from = frame.from();
        if from == self.own {
            self.echo.set(self.now());
            return;
        }
        let mut received = 0;
        for hint in frame {
            match hint {
                Ok(hint) => {
                    received += 1;
                    self.listener.received(from, hint);
                }
                Err(error) => add(skipped(error), 1),
            }
        }
        add(&self.counters.received, received);
    }

    /// Redis has confirmed channels. Where something may have been missed before, the listener is told.
    pub(super) fn confirm(&self, channels: &[Channel]) {
        if self.topics.confirm(channels) {
            add(&self.counters.lagged, 1);
            self.listener.lagged();
        }
    }

    /// Whether every server that has a channel of ours answers, all is confirmed, and what is sent comes back.
    pub(super) fn is_healthy(&self) -> bool {
        let ports_answer = {
            let routes = self.routes.read();
            let lives =
                |port: &Arc<Port>| port.up.load(Ordering::Relaxed) && self.is_fresh(&port.answered);
            !routes.ports.is_empty() && routes.ports.values().all(lives)
        };
        ports_answer && self.is_fresh(&self.echo) && self.topics.all_confirmed()
    }

    /// Whether something of its own came back within `limit`.
    pub(super) fn hears_itself(&self, limit: Duration) -> bool {
        self.echo.since(self.now()).is_some_and(|age| age < limit)
    }

    pub(super) fn is_fresh(&self, moment: &Moment) -> bool {
        moment.since(self.now()).is_some_and(|age| age < FRESH)
    }

    /// Whether nothing waits to be written, or to be answered.
    pub(super) fn is_idle(&self) -> bool {
        let routes = self.routes.read();
        self.outbox.is_empty() && routes.ports.values().all(|port| port.in_flight.lock().is_empty())
    }

    /// Since the start.
    pub(super) fn now(&self) -> Duration {
        self.born.elapsed()
    }
}

impl Moment {
    pub(super) fn set(&self, now: Duration) {
        // Zero is never; a millisecond more does no harm.
        self.0.store(
            u64::try_from(now.as_millis()).unwrap_or(u64::MAX).saturating_add(1),
            Ordering::Relaxed,
        );
    }

    fn since(&self, now: Duration) -> Option<Duration> {
        let at = self.0.load(Ordering::Relaxed).checked_sub(1)?;
        Some(now.saturating_sub(Duration::from_millis(at)))
    }
}
