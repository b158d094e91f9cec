//! Where channels put what applications are to be told by webhooks.
//!
//! What every process finds out for itself (a channel got its first subscriber anywhere) is told by one: the oldest.
//! The others remember it for a while, to tell it should that one die.

use std::{collections::VecDeque, sync::Arc};

use parking_lot::Mutex;
use parlour_core::model::Millis;
use parlour_wire::pusher::webhook::WebhookEvent;
use tokio::sync::mpsc::{self, Receiver, Sender};

use super::apps::App;
use crate::metrics::Metrics;

/// Happenings that may wait for the task that tells them; past it new ones are dropped and counted.
const WAITING: usize = 16 * 1024;

/// For how long it is remembered what another process was to tell: longer than it takes to see that it is dead.
const REMEMBERED: Millis = 30_000;

/// How far before its last sign of life a process may have failed to tell something.
const DOUBT: Millis = 2_000;

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

/// Whose turn it is.
#[derive(Default)]
struct Turn {
    /// Another process tells what all find out.
    passed_on: bool,
    /// What that one was to tell of late.
    remembered: VecDeque<Hook>,
}

/// Takes happenings from the channels. Never waits.
#[derive(Clone)]
pub(crate) struct Hooks {
    sender: Sender<Hook>,
    metrics: Arc<Metrics>,
    turn: Arc<Mutex<Turn>>,
}

impl Hooks {
    /// The sink, and what comes out of it, in order.
    pub(crate) fn new(metrics: Arc<Metrics>) -> (Self, Receiver<Hook>) {
        let (sender, receiver) = mpsc::channel(WAITING);
        (Self { sender, metrics, turn: Arc::default() }, receiver)
    }

    /// Puts a happening in that only this process knows of, if anybody wants to be told of it.
    pub(crate) fn put(&self, app: &Arc<App>, at: Millis, event: impl FnOnce() -> WebhookEvent) {
        if !app.webhooks.is_empty() {
            self.send(Hook { app: app.clone(), at, event: event() });
        }
    }

    /// Puts a happening in that every process finds out.
    pub(crate) fn put_shared(
        &self,
        app: &Arc<App>,
        at: Millis,
        event: impl FnOnce() -> WebhookEvent,
    ) {
        if app.webhooks.is_empty() {
            return;
        }
        let hook = Hook { app: app.clone(), at, event: event() };
        let mut turn = self.turn.lock();
        if !turn.passed_on {
            return self.send(hook);
        }
        let remembered = &mut turn.remembered;
        let old = |known: &Hook| at.saturating_sub(known.at) > REMEMBERED;
        while remembered.len() >= WAITING || remembered.front().is_some_and(old) {
            remembered.pop_front();
        }
        remembered.push_back(hook);
    }

    fn send(&self, hook: Hook) {
        if self.sender.try_send(hook).is_err() {
            self.metrics.pusher_hooks_dropped.inc();
        }
    }

    /// Another process tells from now on.
    pub(crate) fn pass_on(&self) {
        self.turn.lock().passed_on = true;
    }

    /// This process tells from now on, and first what the one that did before perhaps has not: it was last heard then.
    pub(crate) fn take_over(&self, heard: Millis) {
        let mut turn = self.turn.lock();
        if !turn.passed_on {
            return;
        }
        turn.passed_on = false;
        for hook in std::mem::take(&mut turn.remembered) {
            if hook.at >= heard - DOUBT {
                self.send(hook);
            }
        }
    }
}
