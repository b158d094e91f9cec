//! Hands on what was committed, in the order in which conversations were locked.
//!
//! The answers to two COMMITs come over two connections, and may be heard in the wrong order. But whoever has a
//! conversation's row locked knows that all who had it before have sent their COMMIT. So each takes its
//! [`Slot`] just before it sends its own, and publishes when all that had an earlier slot in one of its
//! conversations have.

use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
};

use parlour_core::{ConversationId, event::Envelope, port::store::CommitSink};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

/// Envelopes on their way to the sink, and who waits until it has them.
type Parcel = (Vec<Envelope>, oneshot::Sender<()>);

/// The way to the sink, which has a thread of its own because it may block.
pub(super) struct Publisher {
    /// The last slot that was taken in each conversation in which one is open.
    last: Mutex<HashMap<ConversationId, CancellationToken>>,
    parcels: mpsc::Sender<Parcel>,
}

impl Publisher {
    /// Starts the thread. It ends when the publisher is dropped.
    pub(super) fn start(sink: Arc<dyn CommitSink>) -> std::io::Result<Arc<Self>> {
        // Not bounded, but each transaction waits for its own parcel: there are never more than connections.
        let (parcels, waiting) = mpsc::channel::<Parcel>();
        thread::Builder::new().name("store-publish".into()).spawn(move || {
            for (envelopes, handed_on) in waiting {
                let handed = catch_unwind(AssertUnwindSafe(|| sink.committed(envelopes)));
                if handed.is_err() {
                    tracing::error!("the commit sink panicked: what it missed is still in the log");
                }
                // Who waited may have gone.
                let _ = handed_on.send(());
            }
        })?;
        Ok(Arc::new(Self { last: Mutex::default(), parcels }))
    }

    /// Takes the next place in the conversations of these envelopes. Just before COMMIT is sent.
    pub(super) fn slot(self: &Arc<Self>, envelopes: &[Envelope]) -> Slot {
        let mut conversations: Vec<_> =
            envelopes.iter().filter_map(|envelope| envelope.conversation).collect();
        conversations.sort_unstable();
        conversations.dedup();
        let done = CancellationToken::new();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let before = conversations.iter().filter_map(|id| last.insert(*id, done.clone())).collect();
        drop(last);
        Slot { publisher: self.clone(), conversations, before, done }
    }
}

/// A place in the order of publishing. Dropped without publishing, it is passed over.
pub(super) struct Slot {
    publisher: Arc<Publisher>,
    conversations: Vec<ConversationId>,
    before: Vec<CancellationToken>,
    done: CancellationToken,
}

impl Slot {
    /// Hands the envelopes on when it is their turn; the sink has them when this returns.
    pub(super) async fn publish(self, envelopes: Vec<Envelope>) {
        if envelopes.is_empty() {
            return;
        }
        for earlier in &self.before {
            earlier.cancelled().await;
        }
        let (handed_on, has_it) = oneshot::channel();
        let sent = self.publisher.parcels.send((envelopes, handed_on));
        drop(self);
        if sent.is_ok() {
            // An error means that the thread has ended, which it does not while we live.
            let _ = has_it.await;
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.done.cancel();
        let mut last = self.publisher.last.lock().unwrap_or_else(PoisonError::into_inner);
        for id in &self.conversations {
            // Another may have come behind: then the entry is its own.
            if last.get(id).is_some_and(CancellationToken::is_cancelled) {
                last.remove(id);
            }
        }
    }
}
