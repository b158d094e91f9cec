//! Says what the hub has noted for other processes, and listens to the topics that concern this one.

use std::sync::Arc;

use parlour_core::{
    ConversationId, Seq,
    ids::MAX_INTEGER,
    port::bus::{BusMessage, Hint, Topic},
};

use super::Cluster;
use crate::hash::HashSet;

/// About so many conversations other processes are asked at once.
const ASKED_AT_ONCE: usize = 500;

pub(super) async fn speak(cluster: Arc<Cluster>) {
    let tasks = cluster.parts.tasks.clone();
    let wake = cluster.parts.hub.wake();
    loop {
        tokio::select! {
            biased;
            () = wake.said.notified() => {}
            () = tasks.stopping() => return,
        }
        loop {
            let share = |id| cluster.parts.bus.share(&Topic::Conversation(id));
            let said = cluster.parts.hub.take_said(share);
            cluster.parts.metrics.bus_dropped.inc_by(said.dropped);
            if !said.messages.is_empty() {
                cluster.say_all(said.messages);
            }
            if said.is_all {
                break;
            }
            tokio::task::yield_now().await;
        }
    }
}

pub(super) async fn listen(cluster: Arc<Cluster>) {
    let tasks = cluster.parts.tasks.clone();
    let wake = cluster.parts.hub.wake();
    let bus = &cluster.parts.bus;
    let mut listened: HashSet<Topic> = HashSet::default();
    loop {
        tokio::select! {
            biased;
            () = wake.topics.notified() => {}
            () = tasks.stopping() => return,
        }
        let changes = cluster.parts.hub.take_topics();
        let unwanted: Vec<_> =
            changes.unwanted.into_iter().filter(|topic| listened.remove(topic)).collect();
        if !unwanted.is_empty() {
            bus.ignore(&unwanted);
        }
        let wanted: Vec<_> =
            changes.wanted.into_iter().filter(|topic| listened.insert(topic.clone())).collect();
        let conversations: Vec<_> = wanted
            .iter()
            .filter_map(|topic| match topic {
                Topic::Conversation(id) => Some(*id),
                _ => None,
            })
            .collect();
        if !wanted.is_empty() {
            bus.listen(wanted).await;
        }
        cluster.has_listened(changes.version);
        // What was written before they were listened to was announced to nobody.
        for id in changes.fresh {
            cluster.ear.head(id, Seq(MAX_INTEGER));
        }
        cluster.ask_who_is_there(conversations);
    }
}

impl Cluster {
    /// Says something to other processes.
    pub(super) fn say(&self, topic: Topic, hint: Hint) {
        self.say_all(vec![BusMessage { topic, hint }]);
    }

    fn say_all(&self, messages: Vec<BusMessage>) {
        let count = messages.len() as u64;
        match self.parts.bus.publish(messages) {
            Ok(()) => _ = self.parts.metrics.bus_published.inc_by(count),
            Err(error) => {
                self.parts.metrics.bus_dropped.inc_by(count);
                tracing::debug!(%error, "other processes could not be told");
            }
        }
    }

    fn ask_who_is_there(&self, mut conversations: Vec<ConversationId>) {
        let share = |id: &ConversationId| self.parts.bus.share(&Topic::Conversation(*id));
        conversations.sort_unstable_by_key(|id| (share(id), *id));
        let together = |one: &ConversationId, other: &ConversationId| {
            share(one).is_some() && share(one) == share(other)
        };
        for shared in conversations.chunk_by(together) {
            for part in shared.chunks(ASKED_AT_ONCE) {
                let Some(first) = part.first() else { continue };
                self.say(Topic::Conversation(*first), Hint::WhoIsThere(part.to_vec()));
            }
        }
    }
}
