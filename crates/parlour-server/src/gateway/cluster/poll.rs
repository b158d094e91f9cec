//! What no hint announced is found by asking (guarantee G8): the ends of the logs and the versions of the users that are
//! served here, in pages that are spread over the time.

use std::{sync::Arc, time::Duration};

use parlour_core::{ConversationId, Result, UserId};
use parlour_store::mutant;

use super::Cluster;

/// How often everything is compared.
const PERIOD: Duration = Duration::from_secs(2);

/// The same while the bus is down.
const PERIOD_ALONE: Duration = Duration::from_secs(1);

/// So many ends or versions are asked for at once.
const PAGE: usize = 1_000;

/// How often it is looked whether it is time.
const LOOK: Duration = Duration::from_millis(100);

pub(super) async fn run(cluster: Arc<Cluster>) {
    let tasks = cluster.parts.tasks.clone();
    loop {
        tokio::select! {
            biased;
            () = cluster.round() => {}
            () = tasks.stopping() => return,
        }
    }
}

enum Page {
    Logs(Vec<ConversationId>),
    Users(Vec<UserId>),
}

impl Cluster {
    /// Compares everything once, and waits until it is time for the next.
    async fn round(&self) {
        let begun = tokio::time::Instant::now();
        if self.ear.take_lagged() {
            self.parts.metrics.bus_lagged.inc();
            self.parts.hub.tell_of_everybody();
            self.parts.pusher.lagged();
        }
        let hub = &self.parts.hub;
        let logs = hub.conversations();
        let mut pages: Vec<Page> = logs.chunks(PAGE).map(|ids| Page::Logs(ids.to_vec())).collect();
        pages.extend(hub.users().chunks(PAGE).map(|users| Page::Users(users.to_vec())));
        let count = u32::try_from(pages.len()).unwrap_or(u32::MAX).max(1);
        for (done, page) in (1u32..).zip(pages) {
            if let Err(error) = self.compare(page).await {
                tracing::warn!(?error, "the ends of the logs could not be compared");
            }
            // After something was lost there is no time to spread.
            while !self.ear.has_lagged() && begun.elapsed() < self.period() * done / count {
                tokio::time::sleep(LOOK).await;
            }
        }
        while !self.ear.has_lagged() && begun.elapsed() < self.period() {
            tokio::select! {
                biased;
                () = tokio::time::sleep(LOOK) => {}
                () = self.ear.all.notified() => {}
            }
        }
    }

    fn period(&self) -> Duration {
        if self.parts.bus.is_healthy() { PERIOD } else { PERIOD_ALONE }
    }

    async fn compare(&self, page: Page) -> Result<()> {
        if mutant("drop_tail") {
            return Ok(());
        }
        let found = match page {
            Page::Logs(ids) => {
                let heads = self.parts.store.heads(ids).await?;
                let ahead = self.parts.hub.not_come(&heads);
                for head in &ahead {
                    self.ear.head(head.conversation, head.last_seq);
                    self.ear.receipts(head.conversation, head.receipts);
                }
                ahead.len()
            }
            Page::Users(users) => {
                let versions = self.parts.store.user_versions(users).await?;
                self.parts.hub.compare_versions(&versions)
            }
        };
        self.parts.metrics.poll_finds.inc_by(found as u64);
        Ok(())
    }
}
