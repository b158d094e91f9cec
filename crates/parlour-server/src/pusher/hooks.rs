//! Where channels put what applications are to be told by webhooks.

use std::sync::Arc;

use parlour_core::model::Millis;
use parlour_wire::pusher::webhook::WebhookEvent;
use tokio::sync::mpsc::{self, Receiver, Sender};

use super::apps::App;
use crate::metrics::Metrics;

/// Happenings that may wait for the task that tells them; past it new ones are dropped and counted.
const WAITING: usize = 16 * 1024;

/// A happening on its way to the receivers of an application.
#[derive(Clone)]
pub(crate) struct Hook {
    /// Whose.
    pub(crate) app: Arc<App>,
    /// When.
    pub(crate) at: Millis,
    /// What.
    pub(crate) event: WebhookEvent,
}

/// Takes happenings from the channels. Never waits.
#[derive(Clone)]
pub(crate) struct Hooks {
    sender: Sender<Hook>,
    metrics: Arc<Metrics>,
}

impl Hooks {
    /// The sink, and what comes out of it, in order.
    pub(crate) fn new(metrics: Arc<Metrics>) -> (Self, Receiver<Hook>) {
        let (sender, receiver) = mpsc::channel(WAITING);
        (Self { sender, metrics }, receiver)
    }

    /// Puts a happening in, if anybody wants to be told of it.
    pub(crate) fn put(&self, app: &Arc<App>, at: Millis, event: impl FnOnce() -> WebhookEvent) {
        if app.webhooks.is_empty() {
            return;
        }
        let hook = Hook { app: app.clone(), at, event: event() };
        if self.sender.try_send(hook).is_err() {
            self.metrics.pusher_hooks_dropped.inc();
        }
    }
}
