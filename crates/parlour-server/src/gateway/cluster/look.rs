//! Logs that other processes have written: read once for all that were announced meanwhile, and delivered like one's own.

use std::{sync::Arc, time::Duration};

use parlour_core::{
    ConversationId, Result, Seq, UserId,
    command::Actor,
    event::{Covered, Envelope, Event},
    port::store::Page,
};

use super::{Cluster, ear::Logs};
use crate::{gateway::dispatcher::Read, hash::HashMap};

/// So many conversations are read at once.
const AT_ONCE: usize = 100;

/// So many Changes of each.
const PAGE: usize = 200;

/// After a failure it is tried again so much later.
const AGAIN: Duration = Duration::from_millis(500);

/// How long a commit of this process's own is waited for that was read already.
const OWN_COMMIT: Duration = Duration::from_millis(5);

/// Of somebody of whom it is not known how far he had read, so many messages are named as read.
const NAMED: usize = 50;

pub(super) async fn run(cluster: Arc<Cluster>) {
    let tasks = cluster.parts.tasks.clone();
    loop {
        tokio::select! {
            biased;
            () = cluster.ear.logs.notified() => {}
            () = tasks.stopping() => return,
        }
        let logs = cluster.ear.take_logs();
        if let Err(error) = cluster.look(&logs).await {
            tracing::warn!(?error, "what other processes wrote could not be read; trying again");
            for (conversation, seq) in logs.heads {
                cluster.ear.head(conversation, seq);
            }
            for (conversation, version) in logs.receipts {
                cluster.ear.receipts(conversation, version);
            }
            tokio::select! {
                biased;
                () = tokio::time::sleep(AGAIN) => {}
                () = tasks.stopping() => return,
            }
        }
    }
}

impl Cluster {
    async fn look(&self, logs: &Logs) -> Result<()> {
        self.look_at_heads(&logs.heads).await?;
        self.look_at_receipts(&logs.receipts).await
    }

    /// Reads on until everybody here has what was announced, or there is no more to read.
    pub(super) async fn look_at_heads(&self, heads: &HashMap<ConversationId, Seq>) -> Result<()> {
        let mut before: HashMap<ConversationId, Seq> = HashMap::default();
        let mut later = HashMap::default();
        loop {
            let mut behind = self.parts.hub.behind(heads);
            // Where the last reading found nothing there is nothing: the hint was wrong, or of something that is gone.
            behind.retain(|(conversation, last)| before.get(conversation) < Some(last));
            if behind.is_empty() {
                break;
            }
            before.extend(behind.iter().copied());
            for part in behind.chunks(AT_ONCE) {
                let after: HashMap<_, _> = part.iter().copied().collect();
                let found = self.parts.store.catch_up(part.to_vec(), PAGE).await?;
                let with_begin = |(conversation, replay): (ConversationId, _)| {
                    let after = after.get(&conversation).copied()?;
                    Some(Read::Log { conversation, after, replay, to_end: false })
                };
                let mut read: Vec<_> = found.into_iter().filter_map(with_begin).collect();
                for one in &mut read {
                    let Read::Log { conversation, replay, to_end, .. } = one else { continue };
                    *to_end = replay.envelopes.len() < PAGE;
                    if self.parts.hub.leave_to_commit(replay) {
                        *to_end = false;
                        later.insert(*conversation, heads.get(conversation).copied());
                    }
                }
                self.parts.inbox.deliver(read).await;
            }
        }
        if !later.is_empty() {
            // What was left to this process's own commits is mostly there by then.
            tokio::time::sleep(OWN_COMMIT).await;
            for (conversation, head) in later {
                self.ear.head(conversation, head.unwrap_or_default());
            }
        }
        Ok(())
    }

    async fn look_at_receipts(&self, versions: &HashMap<ConversationId, u64>) -> Result<()> {
        for (conversation, since) in self.parts.hub.receipts_behind(versions) {
            let mut envelopes = self.parts.store.receipts(conversation, since).await?;
            for envelope in &mut envelopes {
                self.name_covered(conversation, envelope).await;
            }
            self.parts.inbox.deliver(vec![Read::Receipts { conversation, envelopes }]).await;
        }
        Ok(())
    }

    /// Says which messages a receipt covers, where a dialect of somebody who listens must name them.
    async fn name_covered(&self, conversation: ConversationId, envelope: &mut Envelope) {
        let Event::Receipt { user, to, covered, .. } = &mut envelope.event else { return };
        let Some(known) = self.parts.hub.names_covered(conversation, user) else { return };
        match self.covered(conversation, user, (known, to.read)).await {
            Ok(found) => *covered = found.into(),
            Err(error) => tracing::debug!(?error, "what a receipt covers could not be read"),
        }
    }

    async fn covered(
        &self,
        conversation: ConversationId,
        reader: &UserId,
        (known, read): (Option<Seq>, Seq),
    ) -> Result<Vec<Covered>> {
        let from = known.unwrap_or_default();
        let passed = usize::try_from(read.0.saturating_sub(from.0)).unwrap_or(usize::MAX);
        let most = if known.is_some() { Covered::MOST } else { NAMED };
        if passed == 0 {
            return Ok(Vec::new());
        }
        let actor = Actor::user(reader.clone());
        let page = Page::Before(read.next());
        let store = &self.parts.store;
        let page = store.messages(actor, conversation, page, passed.min(most)).await?;
        let of_others = page.messages.iter().filter(|message| {
            message.seq > from && message.sender.id != *reader && message.deleted_at.is_none()
        });
        let name = |message: &Arc<parlour_core::model::Message>| Covered {
            message: message.id,
            sender: message.sender.id.clone(),
        };
        Ok(of_others.map(name).collect())
    }
}
