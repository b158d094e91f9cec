//! How processes wake each other: in one process, or over Redis where there are several.
//!
//! The server opens a bus once, and gives its driver a task:
//!
//! ```ignore
//! let Opened { bus, driver, counters, name } = parlour_bus::open(redis_options, node, listener)?;
//! let stopping = tasks.clone();
//! tasks.spawn("bus", driver.run(async move { stopping.stopping().await }));
//! ```
//!
//! What is said before the driver is told to stop ([`Hint::Leaving`](parlour_core::port::bus::Hint::Leaving)) is still written.

pub mod codec;
mod counters;
#[cfg(feature = "testing")]
pub mod faulty;
pub mod memory;
mod redis;

use std::{future::Future, sync::Arc};

use parlour_core::{
    NodeId,
    port::bus::{Bus, BusListener},
};

pub use self::{
    counters::{Counters, Counts},
    memory::MemoryBus,
    redis::{
        LONGEST_WAIT, MOST_WAITING, MOST_WAITING_BYTES, OpenError, PARTITIONS, RedisBus,
        RedisDriver, RedisOptions, TlsError, UrlError, partition,
    },
};

/// A bus that is ready to be used.
pub struct Opened {
    /// The bus.
    pub bus: Arc<dyn Bus>,
    /// What does its work; it must be run.
    pub driver: Driver,
    /// What it counts. All zero without Redis.
    pub counters: Arc<Counters>,
    /// Which bus it is, for the leases of processes; empty without Redis. No secrets.
    pub name: Arc<str>,
}

/// What does a bus's work.
pub struct Driver(Option<RedisDriver>);

impl Driver {
    /// Works until `stop` ends, and at most a second longer, to write what waits.
    pub async fn run(self, stop: impl Future<Output = ()> + Send) {
        match self.0 {
            Some(driver) => driver.run(stop).await,
            None => stop.await,
        }
    }
}

/// Opens the bus of a process: over Redis, or where none is named, one that nobody else is on. It does not connect yet; an
/// unreachable Redis is no error, but a bus that is not healthy until it can be reached.
///
/// `node` is this process; `listener` hears the others. In a single process the listener hears nothing.
///
/// # Errors
/// [`OpenError`]: the options make no sense.
pub fn open(
    redis: Option<RedisOptions<'_>>,
    node: NodeId,
    listener: Arc<dyn BusListener>,
) -> Result<Opened, OpenError> {
    let Some(options) = redis else {
        let (bus, counters) = (Arc::new(MemoryBus::default()), Arc::default());
        return Ok(Opened { bus, driver: Driver(None), counters, name: "".into() });
    };
    let (bus, driver) = RedisBus::new(options, node, listener)?;
    let (counters, name) = (bus.counters(), bus.name());
    Ok(Opened { bus: Arc::new(bus), driver: Driver(Some(driver)), counters, name })
}
