//! Coming to a channel and leaving it, and what clients say to each other there.

use std::sync::Arc;

use parlour_core::{command::Identity, event::Durability};
use parlour_websocket::Frame;
use parlour_wire::pusher::{
    ChannelName, Member, Payload, Refusal, SignedInUser, SocketId, channel::Access, encode,
    webhook::WebhookEvent,
};

use super::{
    Channels, Now, Socket,
    table::{Channel, Dirty, Subscriber, Table},
};
use crate::{
    gateway::{conn::Conn, frames::frame},
    pusher::hooks::Hooks,
};

/// A socket that comes to a channel, once it has shown that it may.
pub(crate) struct Joining<'a> {
    pub(crate) channel: &'a ChannelName,
    /// Who joins, on a presence channel.
    pub(crate) member: Option<Member>,
    /// How many past events it wants.
    pub(crate) history: Option<u16>,
    /// Its connection to the chat, where the channel carries it.
    pub(crate) conn: Option<Arc<Conn>>,
}

/// The same to be kept, without a connection.
pub(crate) struct Owned {
    pub(crate) channel: ChannelName,
    pub(crate) member: Option<Member>,
    pub(crate) history: Option<u16>,
}

impl Channels {
    /// How many channels one connection has, at most.
    pub(crate) const fn channels_per_connection(&self) -> usize {
        self.room.channels_per_connection
    }

    /// Lets a socket join a channel, and queues what it is told: that it has, then what the channel keeps. From then
    /// on it gets every event; on a presence channel it is in everybody's roster, or announced to him, never both.
    ///
    /// # Errors
    /// Why it cannot join. Nothing was queued.
    pub(crate) fn subscribe(&self, socket: &Socket, joining: Joining<'_>) -> Result<(), Refusal> {
        let channel = joining.channel.clone();
        let Some(mut table) = self.table(&socket.app) else {
            return Err(Refusal::NotSubscribed(channel));
        };
        let mut dirty = Dirty::default();
        self.check(&table, socket.id, &joining)?;
        let now = self.now();
        let Joining { member, history, conn, .. } = joining;
        if channel.needs_signature() {
            socket.authorize();
        }
        table.join(&channel, socket.id, member.as_ref(), conn, now, &mut dirty, &self.hooks);
        self.replay(&table, socket, &channel, history, &mut dirty);
        table.count_changed(&channel, now, &mut dirty, &self.hooks);
        self.count(&table);
        drop(table);
        dirty.flush();
        Ok(())
    }

    fn check(&self, table: &Table, id: SocketId, joining: &Joining<'_>) -> Result<(), Refusal> {
        let channel = joining.channel;
        let gone = || Refusal::NotSubscribed(channel.clone());
        let entry = table.sockets.get(&id).ok_or_else(gone)?;
        if entry.channels.contains(channel) {
            return Err(Refusal::AlreadySubscribed(channel.clone()));
        }
        if entry.channels.len() >= self.room.channels_per_connection {
            return Err(Refusal::TooManyChannels(self.room.channels_per_connection));
        }
        if let Some(user) = channel.signed_in_user()
            && entry.user.as_ref().is_none_or(|own| *own.id != *user)
        {
            return Err(Refusal::NotForYou(channel.clone()));
        }
        let most = table.app.limits.presence_members;
        let full = |member: &Member| {
            table.channels.get(channel).is_some_and(|known| {
                known.members().len() >= most && !known.has_member(&member.user_id)
            })
        };
        if joining.member.as_ref().is_some_and(full) {
            return Err(Refusal::PresenceFull(most));
        }
        Ok(())
    }

    /// Queues what a channel keeps for who has just come.
    fn replay(
        &self,
        table: &Table,
        socket: &Socket,
        channel: &ChannelName,
        history: Option<u16>,
        dirty: &mut Dirty,
    ) {
        let now = self.clock.monotonic();
        let wanted = usize::from(history.unwrap_or(0)).min(socket.app.history_of(channel.as_str()));
        for event in table.kept.history(channel, wanted, now) {
            let live = frame(|out| encode::event(channel, &event.name, &event.data, out));
            dirty.put(&socket.link, &marked(&live), Durability::Durable);
        }
        if !channel.is_cache() {
            return;
        }
        match table.kept.last(channel, socket.app.limits.cache_ttl, now) {
            // It was the last one of the history.
            Some(_) if wanted > 0 => {}
            Some(event) => {
                let last = frame(|out| encode::event(channel, &event.name, &event.data, out));
                dirty.put(&socket.link, &last, Durability::Durable);
            }
            None => {
                let miss = frame(|out| encode::cache_miss(channel, out));
                dirty.put(&socket.link, &miss, Durability::Durable);
                let channel = channel.as_str().into();
                self.hook(&socket.app, || WebhookEvent::CacheMiss { channel });
            }
        }
    }

    /// Takes a socket from a channel.
    ///
    /// # Errors
    /// [`Refusal::NotSubscribed`].
    pub(crate) fn unsubscribe(
        &self,
        socket: &Socket,
        channel: &ChannelName,
    ) -> Result<(), Refusal> {
        let mut dirty = Dirty::default();
        let left = self.table(&socket.app).and_then(|mut table| {
            if let Some(entry) = table.sockets.get_mut(&socket.id) {
                entry.channels.remove(channel);
            }
            let left = table.leave(channel, socket.id, self.now(), &mut dirty, &self.hooks);
            self.count(&table);
            left
        });
        dirty.flush();
        left.map(drop).ok_or_else(|| Refusal::NotSubscribed(channel.clone()))
    }

    /// Carries a client's event to the others on its channel, in an envelope of our own. The caller flushes.
    ///
    /// # Errors
    /// [`Refusal::ClientEventNotSubscribed`].
    pub(crate) fn whisper(
        &self,
        socket: &Socket,
        channel: &ChannelName,
        event: &str,
        data: &Payload,
        dirty: &mut Dirty,
    ) -> Result<(), Refusal> {
        let refusal = || Refusal::ClientEventNotSubscribed(channel.clone());
        let table = self.table(&socket.app).ok_or_else(refusal)?;
        let found = table.channels.get(channel).ok_or_else(refusal)?;
        let sender = found.subscribers.get(&socket.id).ok_or_else(refusal)?;
        let user = sender.user.clone();
        let made = frame(|out| encode::client_event(channel, event, data, user.as_deref(), out));
        let told = found.tell(&made, Durability::Durable, Some(socket.id), dirty);
        self.pass_on_whisper(&socket.app, channel, event, data, user.as_deref());
        drop(table);
        self.metrics.pusher_client_events.inc();
        self.metrics.deliveries.inc_by(told);
        let told = || WebhookEvent::client_event(channel, event, data, socket.id, user);
        self.hook(&socket.app, told);
        Ok(())
    }

    /// Whether a socket has a channel: its client has been told so, or is about to be.
    pub(crate) fn is_on(&self, socket: &Socket, channel: &ChannelName) -> bool {
        let table = self.table(&socket.app);
        let entry = table.as_ref().and_then(|table| table.sockets.get(&socket.id));
        entry.is_some_and(|entry| entry.channels.contains(channel))
    }

    /// As whom a socket is signed in.
    pub(crate) fn signed_in(&self, socket: &Socket) -> Option<SignedInUser> {
        let table = self.table(&socket.app)?;
        table.sockets.get(&socket.id)?.user.clone()
    }

    /// For whom this server itself allowed a socket a channel.
    pub(crate) fn granted(&self, socket: &Socket, channel: &ChannelName) -> Option<Identity> {
        let table = self.table(&socket.app)?;
        table.sockets.get(&socket.id)?.granted(channel).cloned()
    }
}

impl Table {
    /// Puts a socket on a channel and queues what it and the others are told.
    #[expect(clippy::too_many_arguments, reason = "one step under the lock")]
    fn join(
        &mut self,
        name: &ChannelName,
        id: SocketId,
        member: Option<&Member>,
        conn: Option<Arc<Conn>>,
        now: Now,
        dirty: &mut Dirty,
        hooks: &Hooks,
    ) {
        let Some(entry) = self.sockets.get_mut(&id) else { return };
        entry.channels.insert(name.clone());
        let socket = entry.socket.clone();
        let channel = self.channels.entry(name.clone()).or_default();
        let (occupied, before) = (channel.is_occupied(), channel.subscribers.len());
        let known = member.is_some_and(|member| channel.has_member(&member.user_id));
        let first_here = member.is_some_and(|member| channel.roster.add(member));
        let first = member.is_some() && !known;
        let succeeded = channel.succeeded(name);
        dirty.put(&socket.link, &succeeded, Durability::Durable);
        if let Some(member) = member.filter(|_| first) {
            let added = frame(|out| encode::member_added(name, member, out));
            channel.tell(&added, Durability::Durable, None, dirty);
        }
        let user = member.map(|member| member.user_id.clone());
        channel.subscribers.insert(id, Subscriber { socket, user: user.clone(), conn });
        self.here += usize::from(before == 0);
        let came = member.filter(|_| first_here);
        self.announce(name, before, came, None, now.monotonic);
        if !occupied {
            self.occupied(name, now, hooks);
        }
        if let Some(user) = user.filter(|_| first) {
            self.member_here(name, &user, now, hooks);
        }
    }
}

impl Channel {
    /// That a socket has joined, with the roster as it is now on a presence channel.
    fn succeeded(&self, name: &ChannelName) -> Frame {
        frame(|out| match name.access() {
            Access::Presence => encode::presence_succeeded(name, self.members(), out),
            Access::Public | Access::Private | Access::Encrypted | Access::ServerToUser => {
                encode::subscription_succeeded(name, out);
            }
        })
    }
}

/// An event of the past, for who asked for it: marked, so that it can be told from a new one.
fn marked(event: &Frame) -> Frame {
    let text = event.payload();
    let body = text.strip_suffix(b"}").unwrap_or(text);
    frame(|out| {
        out.extend_from_slice(body);
        out.extend_from_slice(b",\"history\":true}");
    })
}
