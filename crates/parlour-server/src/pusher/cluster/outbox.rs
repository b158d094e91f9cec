//! What waits to be said on the bus. It is put in under the locks of channels, in the order in which things happen
//! there, and said by one task outside of them.

use std::{collections::VecDeque, mem, sync::Arc};

use parking_lot::Mutex;
use parlour_core::port::bus::{Bus, BusMessage, Hint, Topic};
use tokio::sync::Notify;

use super::message::Message;
use crate::{metrics::Metrics, tasks::Tasks};

/// Messages that may wait,
const MOST: usize = 64 * 1_024;
/// and their bytes. What comes then is given up: it is repeated, or it was an event of the moment.
const MOST_BYTES: usize = 64 * 1_024 * 1_024;
/// Handed to the bus at once.
const BATCH: usize = 256;
/// Signatures in one message.
const SIGNATURES: usize = 1_024;

#[derive(Default)]
struct Waiting {
    messages: VecDeque<BusMessage>,
    bytes: usize,
    signatures: Vec<u64>,
}

/// The queue.
#[derive(Default)]
pub(super) struct Outbox {
    waiting: Mutex<Waiting>,
    filled: Notify,
}

impl Outbox {
    /// Whether it was taken.
    pub(super) fn put(&self, topic: Topic, bytes: Vec<u8>) -> bool {
        let mut waiting = self.waiting.lock();
        if waiting.messages.len() >= MOST || waiting.bytes + bytes.len() > MOST_BYTES {
            return false;
        }
        waiting.bytes += bytes.len();
        waiting.messages.push_back(BusMessage { topic, hint: Hint::Channel(bytes.into()) });
        drop(waiting);
        self.filled.notify_one();
        true
    }

    /// A call was carried out; told together with others.
    pub(super) fn put_signature(&self, signature: u64) -> bool {
        let mut waiting = self.waiting.lock();
        if waiting.signatures.len() >= MOST {
            return false;
        }
        waiting.signatures.push(signature);
        drop(waiting);
        self.filled.notify_one();
        true
    }

    fn take(&self) -> Vec<BusMessage> {
        let mut waiting = self.waiting.lock();
        let count = waiting.messages.len().min(BATCH);
        let messages: Vec<_> = waiting.messages.drain(..count).collect();
        let bytes: usize = messages.iter().map(size).sum();
        waiting.bytes = waiting.bytes.saturating_sub(bytes);
        let signatures = mem::take(&mut waiting.signatures);
        drop(waiting);
        let seen = signatures.chunks(SIGNATURES).filter_map(|some| {
            let bytes = Message::Seen(some.to_vec()).encode()?;
            Some(BusMessage { topic: Topic::Everyone, hint: Hint::Channel(bytes.into()) })
        });
        // Who hears what a call did has heard of the call before.
        seen.chain(messages).collect()
    }

    /// Says everything that waits.
    fn empty(&self, bus: &dyn Bus, metrics: &Metrics) {
        loop {
            let batch = self.take();
            if batch.is_empty() {
                return;
            }
            let count = batch.len() as u64;
            if let Err(error) = bus.publish(batch) {
                metrics.pusher_bus_dropped.inc_by(count);
                tracing::debug!(%error, count, "other processes could not be told of channels");
            }
        }
    }

    /// Says what comes, until the shutdown.
    pub(super) async fn run(&self, bus: Arc<dyn Bus>, metrics: Arc<Metrics>, tasks: Tasks) {
        loop {
            tokio::select! {
                biased;
                () = self.filled.notified() => self.empty(&*bus, &metrics),
                () = tasks.stopping() => break,
            }
        }
        self.empty(&*bus, &metrics);
    }
}

fn size(message: &BusMessage) -> usize {
    match &message.hint {
        Hint::Channel(bytes) => bytes.len(),
        _ => 0,
    }
}
