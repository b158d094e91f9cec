//! This process among others on the same database (`docs/adr/0007-several-processes.md`).
//!
//! - [`ear`] takes what the bus brings, without waiting; [`voice`] says what the hub has noted, and listens to topics.
//! - [`look`] reads logs that have grown, [`refresh`] reads users that have changed, [`poll`] finds what nobody said.
//! - [`signals`] shows who is there elsewhere and who types; [`nodes`] knows which processes live.
//!
//! A single process has none of these tasks.

mod ear;
mod look;
mod nodes;
mod poll;
mod refresh;
mod signals;
mod voice;

use std::{
    sync::{
        Arc,
        atomic::{
            AtomicU64,
            Ordering::{Acquire, Release},
        },
    },
    time::Duration,
};

use parlour_core::{
    NodeId,
    port::{bus::Bus, clock::Clock, store::Store},
};
use tokio::sync::Notify;

use self::signals::Profiles;
pub(crate) use self::{ear::Ear, nodes::Known};
use super::{Hub, Inbox};
use crate::{auth::Auth, metrics::Metrics, pusher::Pusher, tasks::Tasks};

/// How long a resume waits at most until its topics are listened to. What is said before is found by the poll.
const LISTENING: Duration = Duration::from_secs(1);

/// What the cluster works with.
pub(crate) struct Parts {
    pub(crate) node: NodeId,
    pub(crate) hub: Arc<Hub>,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) auth: Arc<Auth>,
    pub(crate) pusher: Arc<Pusher>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) tasks: Tasks,
    /// For how long nobody is told that somebody went.
    pub(crate) grace: Duration,
}

/// This process among others.
pub(crate) struct Cluster {
    parts: Parts,
    ear: Arc<Ear>,
    profiles: Profiles,
    /// Up to which state of the hub's topics they are listened to.
    listened: AtomicU64,
    /// Wakes who waits for that, in order.
    listening: Notify,
}

impl Cluster {
    pub(crate) fn new(parts: Parts, ear: Arc<Ear>) -> Arc<Self> {
        let (listened, listening) = (AtomicU64::new(0), Notify::new());
        Arc::new(Self { parts, ear, profiles: Profiles::default(), listened, listening })
    }

    /// Starts the tasks, where there may be other processes.
    pub(crate) fn start(self: &Arc<Self>) {
        if !self.is_shared() {
            return;
        }
        self.parts.hub.share();
        let tasks = &self.parts.tasks;
        tasks.spawn("cluster voice", voice::speak(self.clone()));
        tasks.spawn("cluster topics", voice::listen(self.clone()));
        tasks.spawn("cluster logs", look::run(self.clone()));
        tasks.spawn("cluster users", refresh::run(self.clone()));
        tasks.spawn("cluster poll", poll::run(self.clone()));
        tasks.spawn("cluster signals", signals::run(self.clone()));
        tasks.spawn("cluster nodes", nodes::run(self.clone()));
    }

    /// Whether there may be other processes.
    pub(crate) fn is_shared(&self) -> bool {
        self.parts.bus.is_shared()
    }

    /// Waits until the topics that concern this process now are listened to; not, while the bus is down, and not long:
    /// the poll finds what nobody heard.
    pub(crate) async fn listens(&self) {
        if !self.is_shared() || !self.parts.bus.is_healthy() {
            return;
        }
        let wanted = self.parts.hub.topics_version();
        let reached = async {
            loop {
                let next = self.listening.notified();
                if self.listened.load(Acquire) >= wanted {
                    return;
                }
                next.await;
            }
        };
        if tokio::time::timeout(LISTENING, reached).await.is_err() {
            tracing::debug!("topics are not listened to yet; the poll finds what is missed");
        }
    }

    /// The topics of this state are listened to.
    fn has_listened(&self, version: u64) {
        self.listened.store(version, Release);
        self.listening.notify_waiters();
    }

    /// The versions of a user's conversations and blocks, to be read before them.
    pub(crate) async fn version_of(
        &self,
        user: &parlour_core::UserId,
    ) -> parlour_core::Result<Option<u64>> {
        if !self.is_shared() {
            return Ok(None);
        }
        let versions = self.parts.store.user_versions(vec![user.clone()]).await?;
        Ok(versions.first().map(|(_, version)| *version))
    }
}
