//! What is done now and then: forgetting what has ended, remembering who was there.

use std::{future::Future, sync::Arc, time::Duration};

use parlour_core::port::store::MOST_SWEPT_SOCKETS;

use crate::{gateway::Gateway, http::Api, tasks::Tasks};

/// Steps of a round of forgetting sockets.
const SOCKET_SWEEPS: usize = 20;

/// Starts the jobs.
pub(crate) fn start(api: &Api, gateway: &Arc<Gateway>, tasks: &Tasks) {
    let sessions = api.clone();
    every(tasks, "forget sessions", Duration::from_secs(600), move || {
        let api = sessions.clone();
        async move {
            match api.chat.store().sweep_sessions(api.clock.now()).await {
                Ok(ended) => tracing::debug!(ended, "sessions and tickets forgotten"),
                Err(error) => tracing::warn!(?error, "sessions could not be forgotten"),
            }
        }
    });
    let sockets = api.clone();
    every(tasks, "forget sockets", Duration::from_secs(60), move || {
        forget_sockets(sockets.clone())
    });
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
