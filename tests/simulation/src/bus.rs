//! The bus of a simulation: it drops, repeats, reorders and forgets, and what it brings takes a while.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use parlour_bus::{
    MemoryBus,
    faulty::{FaultyBus, Plan},
};
use parlour_core::{
    NodeId, Result,
    port::{
        BoxFuture,
        bus::{Bus, BusListener, BusMessage, Hint, Topic},
    },
};
use parlour_harness::random::Random;
use tokio::{sync::mpsc, time::sleep};

use crate::trace::Trace;

/// Most messages under way to one process; past it they are lost.
const UNDER_WAY: usize = 4_096;

/// How often the bus's own time goes on.
const STEP: Duration = Duration::from_millis(100);

/// Something under way.
enum Parcel {
    Message(NodeId, Hint),
    Lagged,
}

/// Takes what comes over the bus to a process, in its own time.
struct Courier(mpsc::Sender<Parcel>);

impl BusListener for Courier {
    fn received(&self, from: NodeId, hint: Hint) {
        // What does not fit is lost, as on any bus.
        let _lost = self.0.try_send(Parcel::Message(from, hint));
    }

    fn lagged(&self) {
        let _lost = self.0.try_send(Parcel::Lagged);
    }
}

/// A process's place on the bus. The courier lives as long as it.
struct Seat {
    bus: MemoryBus,
    _courier: Arc<dyn BusListener>,
}

impl Bus for Seat {
    fn publish(&self, messages: Vec<BusMessage>) -> Result<()> {
        self.bus.publish(messages)
    }

    fn listen(&self, topics: Vec<Topic>) -> BoxFuture<'_, ()> {
        self.bus.listen(topics)
    }

    fn ignore(&self, topics: &[Topic]) {
        self.bus.ignore(topics);
    }

    fn is_healthy(&self) -> bool {
        self.bus.is_healthy()
    }

    fn is_shared(&self) -> bool {
        self.bus.is_shared()
    }
}

/// The end of one process, to break it.
#[derive(Clone)]
pub struct End {
    bus: Arc<FaultyBus>,
    courier: Arc<dyn BusListener>,
}

impl End {
    /// Cuts a process off, or lets it in again, which it notices.
    pub fn set_cut(&self, is_cut: bool) {
        self.bus.set_cut(is_cut);
        if !is_cut {
            self.courier.lagged();
        }
    }

    /// Makes it good or bad.
    pub fn set_bad(&self, is_bad: bool) {
        self.bus.set_plan(if is_bad { Plan::BAD } else { Plan::FAULTLESS });
    }

    /// Loses what is under way.
    pub fn forget(&self) {
        self.bus.forget();
    }
}

/// Lets the process that runs on the current host take part.
#[must_use]
pub fn join(
    exchange: &MemoryBus,
    node: NodeId,
    listener: Arc<dyn BusListener>,
    mut random: Random,
    (host, trace): (Arc<str>, Trace),
) -> (Arc<dyn Bus>, End) {
    let (give, mut given) = mpsc::channel(UNDER_WAY);
    let seed = random.number();
    tokio::spawn(async move {
        while let Some(parcel) = given.recv().await {
            if random.chance(50) {
                let most = if random.chance(5) { 400 } else { 10 };
                sleep(Duration::from_millis(random.between(0, most))).await;
            }
            match parcel {
                Parcel::Message(from, hint) => {
                    trace.note(&host, "hears", format!("{from:?} {hint:?}").as_bytes());
                    listener.received(from, hint);
                }
                Parcel::Lagged => listener.lagged(),
            }
        }
    });
    let courier: Arc<dyn BusListener> = Arc::new(Courier(give));
    let bus = exchange.join_as(node, &courier);
    let seat = Seat { bus, _courier: courier.clone() };
    let bus = Arc::new(FaultyBus::new(Arc::new(seat), Plan::FAULTLESS, seed));
    let ticking = Arc::downgrade(&bus);
    tokio::spawn(async move {
        while let Some(bus) = ticking.upgrade() {
            // What cannot be told is lost.
            let _lost = bus.step();
            drop(bus);
            sleep(STEP).await;
        }
    });
    (bus.clone(), End { bus, courier })
}

/// The ends of all processes.
pub type Ends = Arc<Mutex<Vec<Option<End>>>>;
