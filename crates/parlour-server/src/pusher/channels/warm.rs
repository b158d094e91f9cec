//! Beginning to hear what other processes say of channels and users, before somebody is told that he has one.
//!
//! Who comes as the first one on this process waits until its topic is listened to and the other processes have told
//! who is there and what they keep: a round trip, or half a second where one does not answer. All others do not wait.

use std::{future::Future, sync::Arc};

use parlour_wire::pusher::ChannelName;

use super::{
    Channels,
    key::Key,
    peers::{Listening, Peers},
    table::Table,
};
use crate::{
    hash::HashSet,
    pusher::{
        apps::App,
        cluster::message::{Question, Want},
    },
};

/// Keeps channels and users listened to until somebody has them.
pub(crate) struct Warmth {
    channels: Arc<Channels>,
    app: Arc<App>,
    keys: Vec<Key>,
}

impl Drop for Warmth {
    fn drop(&mut self) {
        let now = self.channels.clock.monotonic();
        let Some(mut table) = self.channels.table(&self.app) else { return };
        for key in &self.keys {
            let Some(peers) = table.peers(key) else { continue };
            peers.holders -= 1;
            match key {
                Key::Channel(name) => table.sharing.idle_channel(name, now),
                Key::User(id) => table.sharing.idle_user(id, now),
            }
        }
    }
}

impl Table {
    /// What is known of others about something that somebody has or holds here.
    fn peers(&mut self, key: &Key) -> Option<&mut Peers> {
        match key {
            Key::Channel(name) => self.channels.get_mut(name).map(|channel| &mut channel.peers),
            Key::User(id) => self.users.get_mut(id).map(|user| &mut user.peers),
        }
    }

    fn listens(&self, key: &Key) -> bool {
        let peers = match key {
            Key::Channel(name) => self.channels.get(name).map(|channel| &channel.peers),
            Key::User(id) => self.users.get(id).map(|user| &user.peers),
        };
        peers.is_some_and(|peers| peers.listening == Listening::Yes)
    }

    /// What is to be asked about something that is about to be listened to; `None` where nothing is.
    fn want(&self, key: &Key) -> Option<Want> {
        let (state, kept) = match key {
            Key::Channel(name) => (self.tells(name), self.keeps(name)),
            Key::User(_) => (true, 0),
        };
        let kept = u32::try_from(kept).unwrap_or(u32::MAX);
        (state || kept > 0).then(|| Want { of: key.write(), state, kept })
    }

    /// How many events of a channel are kept.
    pub(super) fn keeps(&self, name: &ChannelName) -> usize {
        self.app.history_of(name.as_str()).max(name.is_cache().into())
    }

    /// Everything that is listened to, as it is asked for when something may have been missed.
    pub(super) fn wanted(&self) -> Vec<Want> {
        let channels = self.channels.iter().filter(|(_, c)| c.peers.listening == Listening::Yes);
        let users = self.users.iter().filter(|(_, user)| user.peers.listening == Listening::Yes);
        let channels = channels.map(|(name, _)| Key::Channel(name.clone()));
        let keys = channels.chain(users.map(|(id, _)| Key::User(id.clone())));
        keys.filter_map(|key| self.want(&key)).collect()
    }
}

impl Channels {
    /// `None` where all of them are listened to, or there is no other process; then nobody has to wait. Else the end
    /// of the wait, and what keeps them listened to meanwhile.
    pub(crate) fn cold(
        self: &Arc<Self>,
        app: &Arc<App>,
        keys: Vec<Key>,
    ) -> Option<impl Future<Output = Warmth> + Send + use<>> {
        if !self.cluster.is_shared() {
            return None;
        }
        let keys: Vec<Key> = {
            let mut known = HashSet::default();
            keys.into_iter().filter(|key| known.insert(key.clone())).collect()
        };
        let mut table = self.table(app)?;
        if keys.iter().all(|key| table.listens(key)) {
            return None;
        }
        let mut first = Vec::new();
        for key in &keys {
            let peers = match key {
                Key::Channel(name) => &mut table.channels.entry(name.clone()).or_default().peers,
                Key::User(id) => &mut table.users.entry(id.clone()).or_default().peers,
            };
            peers.holders += 1;
            if peers.listening == Listening::No {
                peers.listening = Listening::Beginning;
                first.push(key.clone());
            }
        }
        drop(table);
        self.begin(app, first);
        let warmth = Warmth { channels: self.clone(), app: app.clone(), keys };
        Some(warmth.ready())
    }

    /// The same for one channel, waited for.
    pub(crate) async fn warm(
        self: &Arc<Self>,
        app: &Arc<App>,
        channel: &ChannelName,
    ) -> Option<Warmth> {
        match self.cold(app, vec![Key::Channel(channel.clone())]) {
            Some(waiting) => Some(waiting.await),
            None => None,
        }
    }

    /// Listens, and asks. It goes on when those who wait for it have gone.
    fn begin(self: &Arc<Self>, app: &Arc<App>, keys: Vec<Key>) {
        let (Some(bus), Some(tasks)) = (self.cluster.bus(), self.cluster.tasks()) else { return };
        if keys.is_empty() {
            return;
        }
        let (bus, channels, app) = (bus.clone(), self.clone(), app.clone());
        tasks.spawn("pusher listens", async move {
            bus.listen(keys.iter().map(|key| key.topic(&app)).collect()).await;
            let wants: Vec<Want> = {
                let Some(table) = channels.table(&app) else { return };
                keys.iter().filter_map(|key| table.want(key)).collect()
            };
            if !wants.is_empty() {
                // They are taken in where they arrive.
                let about = Question::About { app: (*app.id).into(), wants };
                let _answers = channels.cluster.ask(about).await;
            }
            if let Some(mut table) = channels.table(&app) {
                for key in &keys {
                    if let Some(peers) = table.peers(key) {
                        peers.listening = Listening::Yes;
                    }
                }
            }
            channels.warmed.notify_waiters();
        });
    }
}

impl Warmth {
    /// Waits until everything of it is listened to.
    async fn ready(self) -> Self {
        loop {
            let changed = self.channels.warmed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if self.is_ready() {
                break;
            }
            changed.await;
        }
        self
    }

    fn is_ready(&self) -> bool {
        let table = self.channels.table(&self.app);
        table.is_none_or(|table| self.keys.iter().all(|key| table.listens(key)))
    }
}
