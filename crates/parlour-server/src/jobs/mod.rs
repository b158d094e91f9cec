//! What is done now and then: keeping the lease, forgetting what has ended, remembering who was there.

use std::{future::Future, sync::Arc, time::Duration};

use parlour_core::port::store::{MOST_SWEPT_SOCKETS, Node, RENEWAL};

use crate::{
    gateway::{Cluster, Gateway, cluster::Known},
    http::Api,
    tasks::Tasks,
};

/// Steps of a round of forgetting sockets.
const SOCKET_SWEEPS: usize = 20;

/// How often sessions are forgotten that have ended.
const SESSIONS: Duration = Duration::from_secs(600);

/// The same for sockets whose wait is over.
const SOCKETS: Duration = Duration::from_secs(60);

/// Takes this process's lease on the database, and renews it until the shutdown. The store gives it up when it is closed.
///
/// # Errors
/// When it cannot be taken at first.
pub(crate) async fn keep_lease(
    own: Node,
    api: &Api,
    cluster: &Arc<Cluster>,
    tasks: &Tasks,
) -> parlour_core::Result<()> {
    let mut known = Known::default();
    let leases = api.chat.store().renew_lease(own.clone()).await?;
    cluster.check_nodes(&leases, &mut known);
    let (api, cluster, stopping) = (api.clone(), cluster.clone(), tasks.clone());
    tasks.spawn("lease", async move {
        let mut ticks = tokio::time::interval(RENEWAL);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut is_failing = false;
        loop {
            tokio::select! {
                biased;
                _ = ticks.tick() => {}
                () = stopping.stopping() => return,
            }
            match api.chat.store().renew_lease(own.clone()).await {
                Ok(leases) => {
                    is_failing = false;
                    cluster.check_nodes(&leases, &mut known);
                }
                Err(error) => {
                    if !is_failing {
                        tracing::warn!(?error, "the lease on the database could not be renewed");
                    }
                    is_failing = true;
                }
            }
        }
    });
    Ok(())
}

/// Whether this process is the one that does this now; it is asked for again before the others may have it.
async fn has_duty(api: &Api, duty: &'static str, period: Duration) -> bool {
    let taken = api.chat.store().take_duty(duty, period * 2).await;
    taken.unwrap_or_else(|error| {
        tracing::warn!(?error, duty, "it could not be told whose duty it is");
        false
    })
}

/// Starts the jobs.
pub(crate) fn start(api: &Api, gateway: &Arc<Gateway>, tasks: &Tasks) {
    let sessions = api.clone();
    every(tasks, "forget sessions", SESSIONS, move || {
        let api = sessions.clone();
        async move {
            if !has_duty(&api, "forget sessions", SESSIONS).await {
                return;
            }
            match api.chat.store().sweep_sessions(api.clock.now()).await {
                Ok(ended) => tracing::debug!(ended, "sessions and tickets forgotten"),
                Err(error) => tracing::warn!(?error, "sessions could not be forgotten"),
            }
        }
    });
    let sockets = api.clone();
    every(tasks, "forget sockets", SOCKETS, move || forget_sockets(sockets.clone()));
    let buckets = api.clone();
    every(tasks, "forget buckets", Duration::from_secs(30), move || {
        buckets.chat.sweep();
        buckets.auth.sweep();
        buckets.searches.sweep(buckets.clock.monotonic());
        std::future::ready(())
    });
    let (api, gateway) = (api.clone(), gateway.clone());
    every(tasks, "keep last seen", Duration::from_secs(5), move || {
        let (api, gateway) = (api.clone(), gateway.clone());
        async move {
            let seen = gateway.hub.take_last_seen();
            if seen.is_empty() {
                return;
            }
            if let Err(error) = api.chat.store().set_last_seen(seen).await {
                tracing::warn!(?error, "who was last there could not be kept");
            }
        }
    });
}

/// Forgets where sockets stood whose wait is over. A round takes a bounded number; the next one takes the rest.
async fn forget_sockets(api: Api) {
    if !has_duty(&api, "forget sockets", SOCKETS).await {
        return;
    }
    for _ in 0..SOCKET_SWEEPS {
        match api.chat.store().sweep_sockets(api.clock.now()).await {
            Ok(swept) if swept < MOST_SWEPT_SOCKETS as u64 => return,
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(?error, "sockets that waited could not be forgotten");
                return;
            }
        }
    }
}

/// Runs a job again and again until the shutdown, and once more then.
fn every<F: Future<Output = ()> + Send + 'static>(
    tasks: &Tasks,
    name: &'static str,
    period: Duration,
    mut job: impl FnMut() -> F + Send + 'static,
) {
    let stopping = tasks.clone();
    tasks.spawn(name, async move {
        let mut ticks = tokio::time::interval(period);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let over = tokio::select! {
                biased;
                () = stopping.stopping() => true,
                _ = ticks.tick() => false,
            };
            job().await;
            if over {
                return;
            }
        }
    });
}
