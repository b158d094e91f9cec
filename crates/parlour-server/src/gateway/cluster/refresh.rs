//! Users whom another process has changed: their conversations, blocks and sign-ins are read again, and hold from then on.

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt as _, stream};
use parlour_core::{
    Error, Result, Seq, UserId,
    command::{Actor, Authority, ResyncReason},
    event::{Envelope, Event},
    ids::MAX_INTEGER,
    model::Membership,
    port::bus::Topic,
};
use parlour_wire::Notice;

use super::Cluster;
use crate::{
    gateway::hub::{Admitted, Standing},
    hash::{HashMap, HashSet},
};

/// So many users are looked at at the same time.
const AT_ONCE: usize = 4;

/// After a failure it is tried again so much later.
const AGAIN: Duration = Duration::from_millis(500);

/// So many Changes are read at once for somebody who gets into a conversation.
const PAGE: usize = 200;

/// Who gets into a conversation and lacks more than so many Changes is told to load it.
const MOST_CHANGES: u64 = 1_000;

/// Further than any log goes.
const END_OF_LOG: Seq = Seq(MAX_INTEGER);

pub(super) async fn run(cluster: Arc<Cluster>) {
    let tasks = cluster.parts.tasks.clone();
    let wake = cluster.parts.hub.wake();
    loop {
        tokio::select! {
            biased;
            () = cluster.ear.users.notified() => {}
            () = wake.users.notified() => {}
            () = tasks.stopping() => return,
        }
        let mut users: HashSet<UserId> = cluster.ear.take_users().into_iter().collect();
        users.extend(cluster.parts.hub.take_changed());
        let failed: Vec<UserId> = stream::iter(users)
            .map(|user| cluster.refresh_or_tell(user))
            .buffer_unordered(AT_ONCE)
            .filter_map(std::future::ready)
            .collect()
            .await;
        if !failed.is_empty() {
            tokio::select! {
                biased;
                () = tokio::time::sleep(AGAIN) => {}
                () = tasks.stopping() => return,
            }
            for user in &failed {
                cluster.parts.hub.look_again_at(user);
            }
        }
    }
}

impl Cluster {
    /// The user, where it failed.
    async fn refresh_or_tell(&self, user: UserId) -> Option<UserId> {
        match self.refresh(&user).await {
            Ok(()) => None,
            Err(error) => {
                tracing::warn!(?error, "a user could not be read again; trying again");
                Some(user)
            }
        }
    }

    async fn refresh(&self, user: &UserId) -> Result<()> {
        let Some(version) = self.version_of(user).await? else { return Ok(()) };
        let hub = &self.parts.hub;
        if let Some(sessions) = hub.sessions_of(user, version) {
            let standing = self.parts.auth.look_again(user, &sessions).await?;
            let standing = Standing {
                user: standing.user.map(|user| (user.state, user.revoked_before)),
                ended: standing.ended.into_iter().collect(),
            };
            hub.hold_to(user, version, &sessions, &standing);
        } else {
            self.parts.auth.forget_beliefs(user);
        }
        if !hub.is_outdated(user, version) {
            return Ok(());
        }
        let loading = hub.begin_loading(user);
        let hidden = self.parts.store.hidden_from(user.clone()).await?;
        let memberships = self.parts.store.memberships(user.clone()).await?;
        let difference = hub.compare(user, memberships, hidden);
        self.admit_all(&difference.new).await?;
        if !difference.left.is_empty() {
            // The Change that tells it goes out first, so that he and the others hear of it.
            let heads: HashMap<_, _> = difference
                .left
                .iter()
                .map(|(conversation, _)| (*conversation, END_OF_LOG))
                .collect();
            self.look_at_heads(&heads).await?;
        }
        for (conversation, joined) in difference.left {
            hub.expel(user, conversation, joined);
        }
        hub.is_known_as_of(user, version);
        drop(loading);
        Ok(())
    }

    /// Lets a user into conversations. They are listened to before he is told of them, so that he misses no Signal of who
    /// answers at once.
    async fn admit_all(&self, memberships: &[Membership]) -> Result<()> {
        let topics: Vec<_> =
            memberships.iter().map(|own| Topic::Conversation(own.conversation)).collect();
        let is_heard = !topics.is_empty() && self.parts.bus.is_healthy();
        if is_heard {
            self.parts.bus.listen(topics.clone()).await;
        }
        let mut outcome = Ok(());
        for membership in memberships {
            outcome = outcome.and(self.admit(membership).await);
        }
        if is_heard {
            // By now they are listened to like all others, and counted once more.
            self.listens().await;
            self.parts.bus.ignore(&topics);
        }
        outcome
    }

    /// Lets a user into a conversation: what he sees of it so far is told as if it happened now, and then he listens.
    async fn admit(&self, membership: &Membership) -> Result<()> {
        let (user, conversation) = (&membership.user, membership.conversation);
        let mut after = membership.joined_seq;
        let mut resync = None;
        let mut envelopes = Vec::new();
        if membership.joined_seq == Seq::ZERO {
            envelopes.extend(self.created(membership).await?);
        }
        if membership.last_seq.0.saturating_sub(after.0) > MOST_CHANGES {
            resync = Some(Notice::Resync(conversation, ResyncReason::TooLong));
            after = membership.last_seq;
        }
        let start = after;
        loop {
            let viewer = Some(user.clone());
            let store = &self.parts.store;
            let page = store.replay(viewer, conversation, after, END_OF_LOG, PAGE).await?;
            let page = page.seen_from(start);
            let covered = page.covered.max(after);
            envelopes.extend(page.envelopes);
            match self.parts.hub.admit(membership, &envelopes, (after, covered), resync.take()) {
                Admitted::NotYet if covered > after => {}
                Admitted::NotYet => return Err(Error::internal("a log ends before its end")),
                Admitted::Yes => {
                    // There may be more than fitted, and somebody may have written meanwhile.
                    self.ear.head(conversation, END_OF_LOG);
                    return Ok(());
                }
                Admitted::Gone => return Ok(()),
            }
            envelopes.clear();
            after = covered;
        }
    }

    /// That a conversation was made, told to somebody who was there from the beginning.
    async fn created(&self, membership: &Membership) -> Result<Option<Envelope>> {
        let actor = Actor { user: membership.user.clone(), authority: Authority::User };
        let conversation = membership.conversation;
        let store = &self.parts.store;
        let summary = match store.conversation(actor.clone(), conversation).await {
            Ok(summary) => summary,
            Err(error) if error.code == parlour_core::Code::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut made = summary.conversation;
        let mut participants = summary.participants;
        if participants.len() < summary.participant_count {
            let most = summary.participant_count;
            participants = store.participants(actor, conversation, None, most).await?;
        }
        // As it was then: what came since follows.
        (made.last_seq, made.receipts, made.active_at) = (Seq::ZERO, 0, made.created_at);
        Ok(Some(Envelope {
            conversation: Some(conversation),
            epoch: membership.epoch,
            seq: None,
            at: made.created_at,
            origin: None,
            event: Event::ConversationCreated {
                conversation: Arc::new(made),
                participants: participants.into(),
            },
        }))
    }
}
