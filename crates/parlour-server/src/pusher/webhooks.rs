//! Webhooks: telling the servers of applications what happens on their channels.
//!
//! Each receiver has a task and a bounded queue of its own, so that one that is slow or away delays no other. What has
//! gathered during a call goes out in the next one, in order. Only addresses of the operator's configuration are
//! called, and a redirect is not followed.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use http::{HeaderValue, header};
use parlour_core::{model::Millis, port::clock::Clock};
use parlour_wire::pusher::webhook::{
    CONTENT_TYPE, KEY_HEADER, SIGNATURE_HEADER, Webhook, WebhookEvent,
};
use reqwest::Url;
use tokio::sync::mpsc::{self, Receiver, Sender, error::TryRecvError};

use super::{
    apps::{App, Apps},
    hooks::Hook,
};
use crate::{config::WebhookKind, metrics::Metrics, tasks::Tasks};

/// Most events in one call.
const BATCH: usize = 100;
/// Bytes of events' data after which a call takes no more.
const BATCH_BYTES: usize = 256 * 1024;
/// How long one call may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long after it happened an event is told again and again, until somebody takes it.
const PATIENCE: Duration = Duration::from_secs(300);
/// The first wait after a failure; each further one is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// The longest wait.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// How long a receiver is still told what waits when the server goes away.
const FAREWELL: Duration = Duration::from_secs(5);
/// Longest answer that is read to its end, to keep the connection.
const ANSWER: u64 = 16 * 1024;

/// What the tasks work with.
#[derive(Clone)]
pub(crate) struct Means {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) tasks: Tasks,
    /// Events that may wait for one receiver.
    pub(crate) queue: usize,
}

/// An event in the queue of a receiver, with the moment (of the monotonic clock) at which it came.
struct Waiting {
    event: WebhookEvent,
    /// When it happened, for the receiver.
    at: Millis,
    since: Duration,
}

/// The way to one receiver.
struct Way {
    app: usize,
    kinds: Option<Vec<WebhookKind>>,
    queue: Sender<Waiting>,
    name: String,
    /// The queue is full, and that was said.
    full: bool,
}

/// Starts the task of every receiver, and the one that shares out what comes from the channels.
///
/// # Errors
/// When an address cannot be called, which loading the configuration has ruled out.
pub(crate) fn start(hooks: Receiver<Hook>, apps: &Apps, means: &Means) -> anyhow::Result<()> {
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(TIMEOUT)
        .user_agent(concat!("parlour/", env!("CARGO_PKG_VERSION")))
        .build()?;
    let mut ways = Vec::new();
    for app in apps.all() {
        for hook in &app.webhooks {
            let url = hook.address().map_err(anyhow::Error::msg).context("a webhook")?;
            let (queue, waiting) = mpsc::channel(means.queue);
            let name = shown(&url);
            ways.push(Way {
                app: app.index,
                kinds: hook.events.clone(),
                queue,
                name: name.clone(),
                full: false,
            });
            let (app, client) = (app.clone(), client.clone());
            let teller = Teller { app, url, name, client, means: means.clone(), waiting };
            means.tasks.spawn("webhook", teller.run());
        }
    }
    means.tasks.spawn("webhooks", share_out(hooks, ways, means.clone()));
    Ok(())
}

/// An address as it may stand in a log: what follows the path may be secret.
fn shown(url: &Url) -> String {
    format!("{}{}", url.origin().ascii_serialization(), url.path())
}

/// Gives each event to the receivers that want it. Ends when the shutdown begins and nothing is left.
async fn share_out(mut hooks: Receiver<Hook>, mut ways: Vec<Way>, means: Means) {
    loop {
        let hook = tokio::select! {
            biased;
            hook = hooks.recv() => hook,
            () = means.tasks.stopping() => hooks.try_recv().ok(),
        };
        let Some(hook) = hook else { return };
        let kind = kind(&hook.event);
        let since = means.clock.monotonic();
        let wanted = |way: &&mut Way| {
            way.app == hook.app.index
                && way.kinds.as_ref().is_none_or(|kinds| kinds.contains(&kind))
        };
        for way in ways.iter_mut().filter(wanted) {
            let waiting = Waiting { event: hook.event.clone(), at: hook.at, since };
            let full = way.queue.try_send(waiting).is_err();
            if full {
                means.metrics.pusher_hooks_dropped.inc();
                if !way.full {
                    tracing::warn!(to = way.name, "too many events wait for a webhook: dropping");
                }
            }
            way.full = full;
        }
    }
}

/// The task of one receiver.
struct Teller {
    app: Arc<App>,
    url: Url,
    name: String,
    client: reqwest::Client,
    means: Means,
    waiting: Receiver<Waiting>,
}

impl Teller {
    async fn run(mut self) {
        let tasks = self.means.tasks.clone();
        let too_late = async {
            tasks.stopping().await;
            tokio::time::sleep(FAREWELL).await;
        };
        tokio::select! {
            () = self.tell_all() => return,
            () = too_late => {}
        }
        let left = self.waiting.len();
        tracing::warn!(to = self.name, left, "a webhook was not told everything before the end");
    }

    /// Tells what comes until nothing can come any more.
    async fn tell_all(&mut self) {
        while let Some(first) = self.waiting.recv().await {
            let (since, mut time_ms) = (first.since, first.at);
            let mut bytes = size(&first.event);
            let mut events = vec![first.event];
            while events.len() < BATCH && bytes < BATCH_BYTES {
                match self.waiting.try_recv() {
                    Ok(next) => {
                        bytes += size(&next.event);
                        time_ms = time_ms.max(next.at);
                        events.push(next.event);
                    }
                    Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
                }
            }
            self.tell(Webhook { time_ms, events }, since).await;
        }
    }

    /// Tells a batch until it is taken, or too old.
    async fn tell(&self, batch: Webhook, since: Duration) {
        let count = batch.events.len() as u64;
        // Of an application that is switched off nothing comes: it has no clients.
        let Some(signer) = self.app.default_signer() else { return };
        let body = batch.to_body();
        let signature = signer.sign_body(body.as_bytes());
        let metrics = &self.means.metrics;
        let mut wait = FIRST_WAIT;
        loop {
            match self.call(signer.key(), &signature, body.clone()).await {
                Ok(()) => {
                    metrics.pusher_hooks_told.inc_by(count);
                    return;
                }
                Err(error) => {
                    metrics.pusher_hooks_failed.inc();
                    tracing::debug!(to = self.name, %error, "a webhook failed");
                    let end = since + PATIENCE;
                    if self.means.tasks.is_stopping() || self.means.clock.monotonic() + wait > end {
                        metrics.pusher_hooks_dropped.inc_by(count);
                        tracing::warn!(to = self.name, count, %error, "a webhook was given up");
                        return;
                    }
                }
            }
            // When the server goes away it is tried once more, at once.
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.means.tasks.stopping() => {}
            }
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    async fn call(&self, key: &str, signature: &str, body: String) -> Result<(), Failed> {
        let answer = self
            .client
            .post(self.url.clone())
            .header(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE))
            .header(KEY_HEADER, key)
            .header(SIGNATURE_HEADER, signature)
            .body(body)
            .send()
            .await
            .map_err(|error| Failed::Call(error.without_url()))?;
        let status = answer.status();
        if answer.content_length().is_some_and(|length| length <= ANSWER) {
            // Its content says nothing; a connection whose answer was read can be used again.
            let _ = answer.bytes().await;
        }
        if status.is_success() { Ok(()) } else { Err(Failed::Status(status.as_u16())) }
    }
}

/// Why a call was no success.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error("no answer: {}", chain(.0))]
    Call(#[source] reqwest::Error),
    #[error("the answer was {0}")]
    Status(u16),
}

/// An error with what lies behind it.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// Roughly how many bytes an event takes in a body.
fn size(event: &WebhookEvent) -> usize {
    match event {
        WebhookEvent::ClientEvent { channel, event, data, .. } => {
            channel.len() + event.len() + data.len()
        }
        WebhookEvent::ChannelOccupied { channel }
        | WebhookEvent::ChannelVacated { channel }
        | WebhookEvent::MemberAdded { channel, .. }
        | WebhookEvent::MemberRemoved { channel, .. }
        | WebhookEvent::CacheMiss { channel }
        | WebhookEvent::SubscriptionCount { channel, .. } => channel.len() + 64,
    }
}

const fn kind(event: &WebhookEvent) -> WebhookKind {
    match event {
        WebhookEvent::ChannelOccupied { .. } => WebhookKind::ChannelOccupied,
        WebhookEvent::ChannelVacated { .. } => WebhookKind::ChannelVacated,
        WebhookEvent::MemberAdded { .. } => WebhookKind::MemberAdded,
        WebhookEvent::MemberRemoved { .. } => WebhookKind::MemberRemoved,
        WebhookEvent::ClientEvent { .. } => WebhookKind::ClientEvent,
        WebhookEvent::CacheMiss { .. } => WebhookKind::CacheMiss,
        WebhookEvent::SubscriptionCount { .. } => WebhookKind::SubscriptionCount,
    }
}

#[cfg(test)]
mod tests;
