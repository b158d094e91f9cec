//! Who is there elsewhere, and who types: shown here as other processes say it.

use std::sync::Arc;

use parking_lot::Mutex;
use parlour_core::{
    NodeId, Result, UserId,
    model::Profile,
    port::bus::{Hint, Seen, Topic},
};

use super::Cluster;
use crate::{gateway::hub::in_parts, hash::HashMap};

/// So many profiles of people who are elsewhere are kept.
const MOST_PROFILES: usize = 20_000;

/// Profiles of people who are elsewhere.
#[derive(Default)]
pub(super) struct Profiles(Mutex<HashMap<UserId, Arc<Profile>>>);

impl Profiles {
    fn get(&self, user: &UserId) -> Option<Arc<Profile>> {
        self.0.lock().get(user).cloned()
    }

    fn put(&self, profile: Arc<Profile>) {
        let mut profiles = self.0.lock();
        if profiles.len() >= MOST_PROFILES {
            profiles.clear();
        }
        profiles.insert(profile.id.clone(), profile);
    }
}

pub(super) async fn run(cluster: Arc<Cluster>) {
    let tasks = cluster.parts.tasks.clone();
    loop {
        tokio::select! {
            biased;
            () = cluster.ear.signals.notified() => {}
            () = tasks.stopping() => return,
        }
        for (from, hint) in cluster.ear.take_signals() {
            if let Err(error) = cluster.show(from, hint).await {
                tracing::debug!(?error, "a Signal of another process could not be shown");
            }
        }
    }
}

impl Cluster {
    async fn show(&self, from: NodeId, hint: Hint) -> Result<()> {
        let hub = &self.parts.hub;
        match hint {
            Hint::Presence(people) => {
                let mut known = Vec::with_capacity(people.len());
                for seen in people {
                    if hub.concerns(&seen)
                        && let Some(profile) = self.profile(&seen).await?
                    {
                        known.push((seen, profile));
                    }
                }
                hub.seen_far(from, &known);
            }
            Hint::Typing { conversation, user, active, life } => {
                let seen = Seen {
                    user,
                    status: parlour_core::event::PresenceStatus::Online,
                    last_seen: 0,
                    conversations: vec![conversation],
                };
                if hub.concerns(&seen)
                    && let Some(profile) = self.profile(&seen).await?
                {
                    hub.typing_far(conversation, &profile, active, life);
                }
            }
            Hint::WhoIsThere(conversations) => {
                for part in in_parts(hub.who_is_here(&conversations)) {
                    self.say(Topic::Node(from), Hint::Presence(part));
                }
            }
            Hint::Leaving => self.gone(from, self.parts.grace),
            Hint::Channel(bytes) => self.parts.pusher.heard(from, &bytes),
            Hint::Head { .. } | Hint::Receipts { .. } | Hint::User(_) | Hint::Alive => {}
        }
        Ok(())
    }

    /// Somebody's profile: from who is here, from what was read lately, or from the store.
    async fn profile(&self, seen: &Seen) -> Result<Option<Arc<Profile>>> {
        if let Some(known) = self.parts.hub.known_profile(seen) {
            return Ok(Some(known));
        }
        if let Some(known) = self.profiles.get(&seen.user) {
            return Ok(Some(known));
        }
        let user = self.parts.store.user(seen.user.clone()).await?;
        let profile = user.map(|user| user.profile);
        if let Some(profile) = &profile {
            self.profiles.put(profile.clone());
        }
        Ok(profile)
    }
}
