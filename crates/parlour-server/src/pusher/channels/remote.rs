//! What other processes say, and what they are answered.

use std::{sync::Arc, time::Duration};

use parking_lot::MutexGuard;
use parlour_core::{NodeId, event::Durability, port::bus::Topic};
use parlour_wire::pusher::{ChannelName, CloseCode, Payload, SocketId, encode};

use super::{
    Channels, end,
    hearing::Hand,
    kept::Event,
    key::Key,
    table::{Dirty, Table},
};
use crate::{
    gateway::frames::frame,
    pusher::{
        apps::App,
        cluster::message::{
            self, Answer, FULL, KeptEvent, KeptOf, Message, Occupied, Question, State, Want,
            Whisper, raw,
        },
    },
};

/// Bytes of kept events that are told of one channel: its newest ones.
const KEPT_BYTES: usize = 256 * 1024;
/// Channels in one question, when much may have been missed.
const WANTS: usize = 200;

impl Channels {
    /// Does something with a table of an application, and writes to its sockets afterwards.
    fn at(&self, app: &str, act: impl FnOnce(&mut Table, &mut Hand<'_>)) {
        let Some(table) = self.table_of(app) else { return };
        self.with(table, act);
    }

    fn with(&self, mut table: MutexGuard<'_, Table>, act: impl FnOnce(&mut Table, &mut Hand<'_>)) {
        let mut dirty = Dirty::default();
        let mut hand = Hand { now: self.now(), dirty: &mut dirty, hooks: &self.hooks };
        act(&mut table, &mut hand);
        drop(table);
        dirty.flush();
    }

    fn table_of(&self, app: &str) -> Option<MutexGuard<'_, Table>> {
        let found = self.tables.iter().find(|(app_id, _)| **app_id == *app);
        found.map(|(_, table)| table.lock())
    }

    /// Another process says something.
    pub(crate) fn heard(&self, from: NodeId, message: Message) {
        if self.cluster.heard(from) {
            self.wonder_again(&Topic::Node(from));
        }
        match message {
            Message::Hello(hello) => self.cluster.introduced(from, hello),
            Message::Event(event) => self.heard_event(from, &event),
            Message::Whisper(whisper) => self.heard_whisper(from, &whisper),
            Message::State(state) => {
                self.at(&state.app, |table, hand| table.hear_state(from, &state, hand));
            }
            Message::Change(change) => {
                self.at(&change.app, |table, hand| table.hear_change(from, &change, hand));
            }
            Message::Still(still) => {
                self.at(&still.app, |table, hand| table.hear_still(from, &still, hand));
            }
            Message::Question { id, ask } => self.heard_question(from, id, &ask),
            Message::Answer(answer) => self.heard_answer(from, answer),
            Message::Seen(signatures) => self.cluster.learn_calls(&signatures),
        }
    }

    fn heard_event(&self, from: NodeId, event: &message::Event) {
        if !self.cluster.is_first(from, event.id) {
            return;
        }
        let data = Payload::raw(&event.data);
        let except = event.except.as_ref().and_then(|id| id.parse::<SocketId>().ok());
        self.at(&event.app, |table, hand| {
            let Ok(name) = ChannelName::new(&event.channel, &table.app.limits) else { return };
            let made = frame(|out| encode::event(&name, &event.name, &data, out));
            let told = table.fan_out(&name, &made, except, hand.dirty);
            self.metrics.deliveries.inc_by(told);
            let keep = table.keeps(&name);
            if keep > 0 {
                let (id, at) = (event.id, hand.now.monotonic);
                let event = Event { name: (*event.name).into(), data: data.clone(), id, at };
                table.kept.put(&name, event, keep);
            }
        });
    }

    fn heard_whisper(&self, from: NodeId, whisper: &Whisper) {
        if !self.cluster.is_first(from, whisper.id) {
            return;
        }
        let data = Payload::raw(&whisper.data);
        self.at(&whisper.app, |table, hand| {
            let Ok(name) = ChannelName::new(&whisper.channel, &table.app.limits) else { return };
            let Some(channel) = table.channels.get(&name) else { return };
            let user = whisper.user.as_deref();
            let made = frame(|out| encode::client_event(&name, &whisper.event, &data, user, out));
            let told = channel.tell(&made, Durability::Durable, None, hand.dirty);
            self.metrics.deliveries.inc_by(told);
        });
    }

    /// Tells other processes of an event, in its place among all that happens to its channel here.
    pub(super) fn pass_on_event(
        &self,
        app: &App,
        channel: &ChannelName,
        event: &Event,
        except: Option<SocketId>,
    ) {
        if !self.cluster.is_shared() {
            return;
        }
        let message = Message::Event(message::Event {
            app: (*app.id).into(),
            channel: channel.as_str().into(),
            id: event.id,
            name: (*event.name).into(),
            data: raw(event.data.as_json()),
            except: except.map(|socket| socket.to_string().into()),
        });
        self.cluster.say(Key::Channel(channel.clone()).topic(app), &message);
    }

    /// The same for what a client says.
    pub(super) fn pass_on_whisper(
        &self,
        app: &App,
        channel: &ChannelName,
        event: &str,
        data: &Payload,
        user: Option<&str>,
    ) {
        if !self.cluster.is_shared() {
            return;
        }
        let message = Message::Whisper(Whisper {
            app: (*app.id).into(),
            channel: channel.as_str().into(),
            id: self.cluster.next_id(),
            event: event.into(),
            data: raw(data.as_json()),
            user: user.map(Into::into),
        });
        self.cluster.say(Key::Channel(channel.clone()).topic(app), &message);
    }

    fn heard_answer(&self, from: NodeId, answer: Answer) {
        for state in &answer.states {
            self.at(&state.app, |table, hand| table.hear_state(from, state, hand));
        }
        for kept in &answer.kept {
            self.at(&kept.app, |table, hand| table.learn_kept(kept, hand.now.monotonic));
        }
        self.cluster.answered(from, answer);
    }

    /// Asks anew about everything that is listened to.
    pub(crate) fn wonder_again(&self, whom: &Topic) {
        for (_, table) in &self.tables {
            let (app, wants, everywhere) = {
                let table = table.lock();
                (table.app.clone(), table.wanted(), table.sharing.everywhere)
            };
            for some in wants.chunks(WANTS) {
                let ask = Question::About { app: (*app.id).into(), wants: some.to_vec() };
                self.cluster.wonder(whom.clone(), ask);
            }
            if everywhere {
                let ask = Question::Everything { app: (*app.id).into() };
                self.cluster.wonder(whom.clone(), ask);
            }
        }
    }

    /// A process has gone.
    pub(crate) fn forget_node(&self, node: NodeId) {
        for (_, table) in &self.tables {
            self.with(table.lock(), |table, hand| table.forget_node(node, hand));
        }
        self.cluster.forget(node);
    }

    fn heard_question(&self, from: NodeId, id: u64, ask: &Question) {
        let mut out = Answering { channels: self, from, id, answer: Answer::default(), bytes: 0 };
        match ask {
            Question::About { app, wants } => out.about(app, wants),
            Question::Everything { app } => out.everything(app),
            Question::Occupied { app, prefix, users } => out.occupied(app, prefix, *users),
            Question::Terminate { app, user } => {
                let links = self.table_of(app).map(|table| table.links_of(user));
                for link in links.into_iter().flatten() {
                    end(&link, CloseCode::UNAUTHORIZED);
                }
            }
            Question::Grant(grant) => self.heard_grant(grant),
        }
        out.finish();
    }
}

/// An answer that is being put together. Full parts are sent at once.
struct Answering<'a> {
    channels: &'a Channels,
    from: NodeId,
    id: u64,
    answer: Answer,
    bytes: usize,
}

impl Answering<'_> {
    /// So many bytes have come into the answer.
    fn added(&mut self, bytes: usize) {
        self.bytes += bytes;
        if self.bytes >= FULL {
            self.send(false);
        }
    }

    fn send(&mut self, last: bool) {
        let answer = Answer { id: self.id, last, ..std::mem::take(&mut self.answer) };
        self.bytes = 0;
        self.channels.cluster.say(Topic::Node(self.from), &Message::Answer(answer));
    }

    /// Where nobody waits, an answer without a word is none.
    fn finish(mut self) {
        if self.id != 0 || self.bytes > 0 {
            self.send(true);
        }
    }

    fn states(&mut self, states: Vec<State>) {
        for state in states {
            let members = state.members.iter();
            let bytes: usize = members.map(|mate| mate.id.len() + mate.info.get().len() + 32).sum();
            self.answer.states.push(state);
            self.added(bytes + 128);
        }
    }

    fn about(&mut self, app: &str, wants: &[Want]) {
        let now = self.channels.clock.monotonic();
        for want in wants {
            let Some(mut table) = self.channels.table_of(app) else { return };
            let Some(key) = Key::read(&want.of, &table.app) else { continue };
            let states = if want.state { table.states(&key, now) } else { Vec::new() };
            let kept = match &key {
                Key::Channel(name) if want.kept > 0 => table.tell_kept(name, want.kept, now),
                _ => None,
            };
            drop(table);
            self.states(states);
            if let Some((kept, bytes)) = kept {
                self.answer.kept.push(kept);
                self.added(bytes);
            }
        }
    }

    fn everything(&mut self, app: &str) {
        let now = self.channels.clock.monotonic();
        let names: Vec<ChannelName> = {
            let Some(table) = self.channels.table_of(app) else { return };
            let here = table.channels.iter().filter(|(_, c)| !c.subscribers.is_empty());
            here.map(|(name, _)| name.clone()).collect()
        };
        for name in names {
            let table = self.channels.table_of(app);
            let states = table.map(|mut table| table.states(&Key::Channel(name), now));
            self.states(states.unwrap_or_default());
        }
    }

    fn occupied(&mut self, app: &str, prefix: &str, users: bool) {
        let found = {
            let Some(table) = self.channels.table_of(app) else { return };
            table.occupied_here(prefix, users)
        };
        for occupied in found {
            let ids: usize = occupied.users.iter().map(|id| id.len() + 4).sum();
            let bytes = occupied.channel.len() + ids + 48;
            self.answer.occupied.push(occupied);
            self.added(bytes);
        }
    }
}

impl Table {
    /// The channels that somebody has here.
    pub(super) fn occupied_here(&self, prefix: &str, users: bool) -> Vec<Occupied> {
        let has = self.channels.iter().filter(|(name, channel)| {
            !channel.subscribers.is_empty() && name.as_str().starts_with(prefix)
        });
        let told = has.map(|(name, channel)| Occupied {
            channel: name.as_str().into(),
            count: channel.subscribers.len() as u64,
            users: match users {
                true => channel.roster.ids().map(|id| (*id).into()).collect(),
                false => Vec::new(),
            },
        });
        told.collect()
    }

    /// The newest events that a channel keeps here, and how many bytes they are.
    pub(super) fn tell_kept(
        &self,
        name: &ChannelName,
        count: u32,
        now: Duration,
    ) -> Option<(KeptOf, usize)> {
        let count = usize::try_from(count).unwrap_or(usize::MAX).min(self.keeps(name));
        let mut bytes = 0;
        let events: Vec<&Event> = self.kept.history(name, count, now).collect();
        let fits = |event: &&&Event| {
            bytes += event.name.len() + event.data.as_json().len() + 64;
            bytes <= KEPT_BYTES
        };
        let newest = events.iter().rev().take_while(fits);
        let mut told: Vec<KeptEvent> = newest
            .map(|event| KeptEvent {
                id: event.id,
                name: (*event.name).into(),
                data: raw(event.data.as_json()),
                age: u64::try_from(now.saturating_sub(event.at).as_millis()).unwrap_or(u64::MAX),
            })
            .collect();
        if told.is_empty() {
            return None;
        }
        told.reverse();
        let (app, channel) = ((*self.app.id).into(), name.as_str().into());
        Some((KeptOf { app, channel, events: told }, bytes))
    }

    /// Takes in what another process keeps.
    fn learn_kept(&mut self, kept: &KeptOf, now: Duration) {
        let Ok(name) = ChannelName::new(&kept.channel, &self.app.limits) else { return };
        let keep = self.keeps(&name);
        for event in kept.events.iter().filter(|_| keep > 0) {
            let event = Event {
                name: (*event.name).into(),
                data: Payload::raw(&event.data),
                id: event.id,
                at: now.saturating_sub(Duration::from_millis(event.age)),
            };
            self.kept.put(&name, event, keep);
        }
    }
}

/// The tables of all applications, by their ids.
pub(super) type Tables = Vec<(Arc<str>, parking_lot::Mutex<Table>)>;
