//! Which channels are wanted, and which of them Redis has confirmed.

use std::{collections::HashMap, time::Duration};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::channels::Channel;

/// After this a caller of `listen` goes on, heard or not.
const PATIENCE: Duration = Duration::from_secs(1);

#[derive(Default)]
struct Entry {
    /// How many topics of it are listened to.
    count: usize,
    /// Redis has confirmed it.
    confirmed: bool,
    /// Somebody believed to listen when nothing was heard.
    gap: bool,
}

/// The channels that this process wants.
#[derive(Default)]
pub(super) struct Topics {
    entries: Mutex<HashMap<Channel, Entry>>,
    confirmed: Notify,
}

impl Topics {
    /// Counts channels; gives those that were not wanted before.
    pub(super) fn add(&self, channels: &[Channel]) -> Vec<Channel> {
        let mut entries = self.entries.lock();
        let mut fresh = Vec::new();
        for channel in channels {
            let entry = entries.entry(*channel).or_default();
            if entry.count == 0 {
                fresh.push(*channel);
            }
            entry.count = entry.count.saturating_add(1);
        }
        fresh
    }

    /// Gives channels back; gives those that nobody wants any more.
    pub(super) fn remove(&self, channels: impl Iterator<Item = Channel>) -> Vec<Channel> {
        let mut entries = self.entries.lock();
        let mut gone = Vec::new();
        for channel in channels {
            let Some(entry) = entries.get_mut(&channel) else { continue };
            entry.count = entry.count.saturating_sub(1);
            if entry.count == 0 {
                entries.remove(&channel);
                gone.push(channel);
            }
        }
        gone
    }

    /// Those of the wanted channels for which `select` says so.
    pub(super) fn wanted(&self, mut select: impl FnMut(Channel) -> bool) -> Vec<Channel> {
        self.entries.lock().keys().copied().filter(|channel| select(*channel)).collect()
    }

    /// Whether every wanted channel is confirmed.
    pub(super) fn all_confirmed(&self) -> bool {
        self.entries.lock().values().all(|entry| entry.confirmed)
    }

    /// Redis has confirmed these: whether something may have been missed before.
    pub(super) fn confirm(&self, channels: &[Channel]) -> bool {
        let mut missed = false;
        {
            let mut entries = self.entries.lock();
            for channel in channels {
                if let Some(entry) = entries.get_mut(channel) {
                    entry.confirmed = true;
                    missed |= std::mem::take(&mut entry.gap);
                }
            }
        }
        self.confirmed.notify_waiters();
        missed
    }

    /// Nothing is heard of these any more.
    pub(super) fn lose(&self, channels: impl IntoIterator<Item = Channel>) {
        let mut entries = self.entries.lock();
        for channel in channels {
            if let Some(entry) = entries.get_mut(&channel)
                && std::mem::take(&mut entry.confirmed)
            {
                entry.gap = true;
            }
        }
    }

    /// Ends when all are confirmed, after a second at the latest. What is not confirmed by then counts as missed.
    pub(super) async fn wait(&self, channels: &[Channel]) {
        let all = async {
            loop {
                let told = self.confirmed.notified();
                tokio::pin!(told);
                // Told from here on, so that nothing is missed between looking and waiting.
                told.as_mut().enable();
                if self.are_confirmed(channels) {
                    return;
                }
                told.await;
            }
        };
        if self.are_confirmed(channels) || tokio::time::timeout(PATIENCE, all).await.is_ok() {
            return;
        }
        let mut entries = self.entries.lock();
        for channel in channels {
            if let Some(entry) = entries.get_mut(channel).filter(|entry| !entry.confirmed) {
                entry.gap = true;
            }
        }
    }

    /// Those that were given back meanwhile need not be waited for.
    fn are_confirmed(&self, channels: &[Channel]) -> bool {
        let entries = self.entries.lock();
        channels.iter().all(|channel| entries.get(channel).is_none_or(|entry| entry.confirmed))
    }
}
