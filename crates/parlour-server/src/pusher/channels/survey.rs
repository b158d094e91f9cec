//! What applications ask about channels, answered for all processes.
//!
//! A process that does not answer in time is left out: an incomplete answer is better than none.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use parlour_core::command::{Actor, Identity};
use parlour_wire::pusher::{
    ChannelName, CloseCode, SocketId,
    channel::Access,
    http::{ChannelInfo, Info},
};

use super::{Channels, end, key::Key};
use crate::pusher::{
    apps::App,
    cluster::message::{Answer, Grant, Question, Want},
};

/// What is known about a channel, of all processes.
#[derive(Default)]
struct Sum {
    count: usize,
    users: BTreeSet<Box<str>>,
}

impl Channels {
    /// What is asked about some channels. Attributes that a kind of channel has not are left out; `occupied` is always
    /// there.
    pub(crate) async fn infos(
        &self,
        app: &Arc<App>,
        names: &[ChannelName],
        wanted: Info,
    ) -> Vec<ChannelInfo> {
        let now = self.clock.monotonic();
        if !self.cluster.is_shared() {
            let Some(table) = self.table(app) else { return Vec::new() };
            return names.iter().map(|name| table.info(name, wanted, app, now)).collect();
        }
        let mut sums = self.sums(app, names, wanted.cache).await;
        let Some(table) = self.table(app) else { return Vec::new() };
        let now = self.clock.monotonic();
        let told = names.iter().map(|name| {
            let sum = sums.remove(name.as_str()).unwrap_or_default();
            let presence = name.access() == Access::Presence;
            ChannelInfo {
                occupied: Some(sum.count > 0),
                user_count: (wanted.user_count && presence).then_some(sum.users.len()),
                subscription_count: wanted.subscription_count.then_some(sum.count),
                ..table.info(name, Info { cache: wanted.cache, ..Info::default() }, app, now)
            }
        });
        told.collect()
    }

    /// How many have channels, and who. What other processes keep of them has come into the table meanwhile.
    async fn sums(
        &self,
        app: &Arc<App>,
        names: &[ChannelName],
        cache: bool,
    ) -> BTreeMap<Box<str>, Sum> {
        let want = |name: &ChannelName| Want {
            of: Key::Channel(name.clone()).write(),
            state: true,
            kept: (cache && name.is_cache()).into(),
        };
        let wants = names.iter().map(want).collect();
        let ask = Question::About { app: (*app.id).into(), wants };
        let answers = self.cluster.ask(ask).await;
        let mut sums: BTreeMap<Box<str>, Sum> = BTreeMap::new();
        if let Some(table) = self.table(app) {
            for name in names {
                let Some(channel) = table.channels.get(name) else { continue };
                let users = channel.roster.ids().map(|id| (*id).into()).collect();
                let sum = Sum { count: channel.subscribers.len(), users };
                sums.insert(name.as_str().into(), sum);
            }
        }
        for state in answers.into_iter().flat_map(|answer| answer.states) {
            let Some(Key::Channel(name)) = Key::read(&state.of, app) else { continue };
            let sum = sums.entry(name.as_str().into()).or_default();
            if state.part == 0 {
                sum.count += usize::try_from(state.count).unwrap_or_default();
            }
            sum.users.extend(state.members.into_iter().map(|mate| mate.id));
        }
        sums
    }

    /// The channels that somebody has and whose names begin with `prefix`, with what is asked about each.
    pub(crate) async fn occupied(
        &self,
        app: &Arc<App>,
        prefix: &str,
        wanted: Info,
    ) -> BTreeMap<String, ChannelInfo> {
        let users = wanted.user_count;
        let ask = Question::Occupied { app: (*app.id).into(), prefix: prefix.into(), users };
        let answers = self.cluster.ask(ask).await;
        let own = self.table(app).map(|table| table.occupied_here(prefix, users));
        let own = Answer { occupied: own.unwrap_or_default(), ..Answer::default() };
        let mut sums: BTreeMap<Box<str>, Sum> = BTreeMap::new();
        for found in answers.into_iter().chain([own]).flat_map(|answer| answer.occupied) {
            let sum = sums.entry(found.channel).or_default();
            sum.count += usize::try_from(found.count).unwrap_or_default();
            sum.users.extend(found.users);
        }
        let told = sums.into_iter().map(|(name, sum)| {
            let info = ChannelInfo {
                user_count: users.then_some(sum.users.len()),
                subscription_count: wanted.subscription_count.then_some(sum.count),
                ..ChannelInfo::default()
            };
            (name.into(), info)
        });
        told.collect()
    }

    /// Who is on a presence channel, each once.
    pub(crate) async fn users(&self, app: &Arc<App>, channel: &ChannelName) -> Vec<Arc<str>> {
        if !self.cluster.is_shared() {
            let Some(table) = self.table(app) else { return Vec::new() };
            let found = table.channels.get(channel);
            return found.map(|found| found.roster.ids().collect()).unwrap_or_default();
        }
        let mut sums = self.sums(app, std::slice::from_ref(channel), false).await;
        let sum = sums.remove(channel.as_str()).unwrap_or_default();
        sum.users.into_iter().map(Into::into).collect()
    }

    /// Closes every connection that is signed in as a user; how many there were here.
    pub(crate) async fn terminate(&self, app: &Arc<App>, user: &str) -> usize {
        let links: Vec<_> = self.table(app).map(|table| table.links_of(user)).unwrap_or_default();
        for link in &links {
            end(link, CloseCode::UNAUTHORIZED);
        }
        let ask = Question::Terminate { app: (*app.id).into(), user: user.into() };
        let _answers = self.cluster.ask(ask).await;
        links.len()
    }

    /// Remembers for whom a connection was allowed a channel, so that it acts as that user there; whether the
    /// connection is here, or at a process that has answered.
    pub(crate) async fn grant(
        &self,
        app: &Arc<App>,
        socket: SocketId,
        channel: &ChannelName,
        identity: &Identity,
    ) -> bool {
        if self.grant_here(app, socket, channel, identity) {
            return true;
        }
        let Some(signer) = app.default_signer().filter(|_| self.cluster.is_shared()) else {
            return false;
        };
        let mut grant = Grant {
            app: (*app.id).into(),
            socket: socket.to_string().into(),
            channel: channel.as_str().into(),
            user: identity.actor.user.as_str().into(),
            session: identity.session.as_ref().map(|session| (*session.0).into()),
            expires_at: identity.expires_at,
            issued_at: identity.issued_at,
            signature: "".into(),
        };
        grant.signature = signer.sign_body(signed_text(&grant).as_bytes()).into();
        self.cluster.ask_owner(socket.high(), Question::Grant(grant)).await
    }

    fn grant_here(
        &self,
        app: &App,
        socket: SocketId,
        channel: &ChannelName,
        identity: &Identity,
    ) -> bool {
        let Some(mut table) = self.table(app) else { return false };
        let Some(entry) = table.sockets.get_mut(&socket) else { return false };
        entry.grant(channel, identity, self.room.channels_per_connection);
        true
    }

    /// Another process has allowed a connection of this one a channel. Only who has the application's secret can say so.
    pub(super) fn heard_grant(&self, grant: &Grant) {
        let app = self.tables.iter().find(|(id, _)| **id == *grant.app);
        let Some(app) = app.map(|(_, table)| table.lock().app.clone()) else { return };
        let Some(signer) = app.default_signer() else { return };
        let expected = signer.sign_body(signed_text(grant).as_bytes());
        if !same(expected.as_bytes(), grant.signature.as_bytes()) {
            tracing::warn!("a channel was allowed by somebody who could not sign for it");
            return;
        }
        let (Ok(socket), Ok(channel), Ok(user)) = (
            grant.socket.parse::<SocketId>(),
            ChannelName::new(&grant.channel, &app.limits),
            parlour_core::UserId::new(&grant.user),
        ) else {
            return;
        };
        let identity = Identity {
            actor: Actor::user(user),
            session: grant.session.as_deref().map(|id| parlour_core::model::SessionId(id.into())),
            expires_at: grant.expires_at,
            issued_at: grant.issued_at,
        };
        self.grant_here(&app, socket, &channel, &identity);
    }
}

/// What is signed of a grant. It begins as nothing else does that is signed with an application's secret.
fn signed_text(grant: &Grant) -> String {
    let Grant { app, socket, channel, user, session, expires_at, issued_at, .. } = grant;
    format!("parlour grant {:?}", (app, socket, channel, user, session, expires_at, issued_at))
}

/// Compares without telling by its time where two texts differ.
fn same(one: &[u8], other: &[u8]) -> bool {
    let differing = one.iter().zip(other).fold(0, |sum, (a, b)| sum | (a ^ b));
    one.len() == other.len() && differing == 0
}
