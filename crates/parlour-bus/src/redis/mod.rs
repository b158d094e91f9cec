//! A bus over Redis or Valkey: one server, what Sentinel watches over, or a cluster.
//!
//! `publish` queues, and one link a server writes what has gathered. What Redis sends is read by the same link and told to
//! the listener on the spot, without a queue between. `docs/protocol/bus.md` has channels and format.

mod backoff;
mod channels;
mod connect;
mod layout;
mod link;
mod outbox;
mod shared;
mod topics;
mod url;

use std::{future::Future, pin::pin, sync::Arc, time::Duration};

use futures_util::{StreamExt as _, stream};
use parlour_core::{
    Error, NodeId, Result,
    port::{
        BoxFuture,
        bus::{Bus, BusListener, BusMessage, Topic},
    },
};
use tokio::time::sleep;

use self::{
    backoff::Backoff,
    channels::{Channel, Names},
    connect::Tls,
    layout::Finder,
    outbox::Refused,
    shared::Shared,
    url::{Kind, Target},
};
pub use self::{
    channels::{PARTITIONS, partition},
    connect::TlsError,
    outbox::{LONGEST_WAIT, MOST_WAITING, MOST_WAITING_BYTES},
    url::UrlError,
};
use crate::counters::{Counters, add};

/// How long the last words may take when a process ends.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Least time between two looks at who is the master, or who has which slots.
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

/// What makes a Redis bus impossible, before anything is connected.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// `bus.redis_url` makes no sense.
    #[error("the address of Redis: {0}")]
    Url(#[from] UrlError),
    /// `bus.prefix` has characters that it must not have.
    #[error("the prefix must have 1 to 64 letters, digits, or any of . _ : -")]
    Prefix,
    /// `bus.redis_ca_file` cannot be used.
    #[error("the certificates: {0}")]
    Tls(#[from] TlsError),
}

/// Where Redis is, and who one is there.
#[derive(Clone, Copy)]
pub struct RedisOptions<'a> {
    /// `redis://…` and the other forms of `bus.redis_url`.
    pub url: &'a str,
    /// What the names of channels begin with.
    pub prefix: &'a str,
    /// Certificates of authorities in PEM form, the contents of `bus.redis_ca_file`; those of the system otherwise.
    pub authorities: Option<&'a str>,
}

impl RedisOptions<'_> {
    /// Checks address and prefix, without connecting or reading certificates.
    ///
    /// # Errors
    /// [`OpenError::Url`] and [`OpenError::Prefix`], which show nothing of the address.
    pub fn check(&self) -> Result<(), OpenError> {
        self.parse().map(drop)
    }

    fn parse(&self) -> Result<Target, OpenError> {
        let target = Target::parse(self.url)?;
        if !channels::is_prefix(self.prefix) {
            return Err(OpenError::Prefix);
        }
        Ok(target)
    }
}

/// A process's end of the bus.
#[derive(Clone)]
pub struct RedisBus {
    shared: Arc<Shared>,
    name: Arc<str>,
}

/// What does the work: nothing is sent or heard unless [`Self::run`] is.
pub struct RedisDriver {
    shared: Arc<Shared>,
    finder: Finder,
}

impl RedisBus {
    /// Makes a bus and its driver. It does not connect: where Redis cannot be reached the driver keeps trying, and the bus is not
    /// healthy until then.
    ///
    /// # Errors
    /// [`OpenError`]: the options make no sense.
    pub fn new(
        options: RedisOptions<'_>,
        own: NodeId,
        listener: Arc<dyn BusListener>,
    ) -> Result<(Self, RedisDriver), OpenError> {
        let target = options.parse()?;
        let tls = target.tls.then(|| Tls::new(options.authorities)).transpose()?;
        let names = Names::new(options.prefix, target.kind == Kind::Cluster);
        let mut seeds: Vec<_> = target.seeds.iter().map(ToString::to_string).collect();
        seeds.sort();
        let name = format!("redis {} {}", seeds.join(","), options.prefix).into();
        let shared = Arc::new(Shared::new(own, names, target.login.clone(), tls.clone(), listener));
        let driver = RedisDriver { shared: shared.clone(), finder: Finder::new(target, tls) };
        Ok((Self { shared, name }, driver))
    }

    /// What it counts.
    #[must_use]
    pub fn counters(&self) -> Arc<Counters> {
        self.shared.counters.clone()
    }

    /// Which bus this is, without secrets: processes on the same servers with the same prefix have the same name.
    #[must_use]
    pub fn name(&self) -> Arc<str> {
        self.name.clone()
    }
}

impl Bus for RedisBus {
    fn publish(&self, messages: Vec<BusMessage>) -> Result<()> {
        let (mut touched, mut refused) = (Vec::new(), None);
        let (mut queued, mut dropped) = (0, 0);
        for message in &messages {
            let channel = Channel::of(&message.topic);
            if channel == Channel::Node(self.shared.own) {
                continue;
            }
            let mut taken = self.shared.outbox.push(channel, message);
            if taken == Err(Refused::Full) && refused.is_none() {
                dropped += self.shared.outbox.give_up_old();
                taken = self.shared.outbox.push(channel, message);
            }
            match taken {
                Ok(()) => {
                    queued += 1;
                    if !touched.contains(&channel) {
                        touched.push(channel);
                    }
                }
                Err(error) => {
                    dropped += 1;
                    refused = Some(error);
                }
            }
        }
        add(&self.shared.counters.published, queued);
        add(&self.shared.counters.dropped, dropped);
        self.shared.tell(&touched, |port| port.work.notify_one());
        refused.map_or(Ok(()), |refused| Err(Error::unavailable(refused)))
    }

    fn listen(&self, topics: Vec<Topic>) -> BoxFuture<'_, ()> {
        let mut channels: Vec<_> = topics.iter().map(Channel::of).collect();
        let fresh = self.shared.topics.add(&channels);
        self.shared.tell(&fresh, |port| port.change.notify_one());
        channels.sort_unstable();
        channels.dedup();
        Box::pin(async move { self.shared.topics.wait(&channels).await })
    }

    fn ignore(&self, topics: &[Topic]) {
        let gone = self.shared.topics.remove(topics.iter().map(Channel::of));
        self.shared.tell(&gone, |port| port.change.notify_one());
    }

    fn share(&self, topic: &Topic) -> Option<u32> {
        Some(partition(topic).into())
    }

    fn is_healthy(&self) -> bool {
        self.shared.is_healthy()
    }

    fn is_shared(&self) -> bool {
        true
    }
}

impl RedisDriver {
    /// Works until `stop` ends, and then until what waits is written, but no longer than a second more.
    pub async fn run(self, stop: impl Future<Output = ()> + Send) {
        let shared = self.shared.clone();
        let ending = async {
            stop.await;
            let deadline = shared.now() + LAST_WORDS;
            while !shared.is_idle() && shared.now() < deadline {
                sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::select! {
            () = self.work() => {}
            () = ending => {}
        }
    }

    async fn work(self) {
        let Self { shared, finder } = self;
        let backoff = Backoff::new(shared.own.0.rotate_left(32));
        let state = (finder, backoff, false);
        let layouts = stream::unfold(state, |(mut finder, mut backoff, waits)| {
            let shared = shared.clone();
            async move {
                if waits {
                    wait_for_change(&shared, finder.period()).await;
                }
                let mut told = false;
                let layout = loop {
                    match finder.find().await {
                        Ok(layout) => break layout,
                        Err(failure) => {
                            if !told {
                                tracing::warn!(%failure, "nobody tells the bus which server is the master");
                                told = true;
                            }
                            sleep(backoff.next()).await;
                        }
                    }
                };
                backoff.reset();
                Some((layout, (finder, backoff, true)))
            }
        });
        let (mut layouts, mut links) = (pin!(layouts), stream::FuturesUnordered::new());
        loop {
            tokio::select! {
                Some(layout) = layouts.next() => {
                    for port in shared.set_layout(layout) {
                        links.push(link::run(shared.clone(), port));
                    }
                }
                Some(()) = links.next(), if !links.is_empty() => {}
                else => break,
            }
        }
    }
}

async fn wait_for_change(shared: &Shared, period: Option<Duration>) {
    sleep(BETWEEN_LOOKS).await;
    match period {
        Some(period) => _ = tokio::time::timeout(period, shared.look.notified()).await,
        None => shared.look.notified().await,
    }
}
