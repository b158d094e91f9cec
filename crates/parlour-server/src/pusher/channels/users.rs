//! Users who are signed in on their connections, and who is told of their coming and going.

use std::{sync::Arc, time::Duration};

use parlour_core::event::Durability;
use parlour_wire::pusher::{Refusal, SignedInUser, SocketId, encode};

use super::{
    Channels, Socket,
    peers::Listening,
    socket::Entry,
    table::{Dirty, Table, User},
};
use crate::gateway::{frames::frame, link::Link};

impl Channels {
    /// Signs a socket in, once its signature has been checked, and queues what it and those are told who watch for
    /// the user. `user_data` is what was signed.
    ///
    /// # Errors
    /// [`Refusal::SignedInAlready`] when it is signed in as somebody else.
    pub(crate) fn sign_in(
        &self,
        socket: &Socket,
        user: &SignedInUser,
        user_data: &str,
    ) -> Result<(), Refusal> {
        let mut dirty = Dirty::default();
        let Some(mut table) = self.table(&socket.app) else { return Ok(()) };
        let Some(entry) = table.sockets.get(&socket.id) else { return Ok(()) };
        if entry.user.as_ref().is_some_and(|own| own.id != user.id) {
            return Err(Refusal::SignedInAlready);
        }
        socket.authorize();
        let success = frame(|out| encode::signin_success(user_data, out));
        dirty.put(&socket.link, &success, Durability::Durable);
        let most = table.app.limits.watchlist;
        if user.watchlist_cut {
            let cut = Refusal::WatchlistTooLong(most);
            let cut = frame(|out| encode::refusal(&cut, out));
            dirty.put(&socket.link, &cut, Durability::Durable);
        }
        table.signed_in(socket, user, self.clock.monotonic(), &mut dirty);
        drop(table);
        dirty.flush();
        Ok(())
    }
}

impl Table {
    fn signed_in(
        &mut self,
        socket: &Socket,
        user: &SignedInUser,
        now: Duration,
        dirty: &mut Dirty,
    ) {
        let Some(entry) = self.sockets.get_mut(&socket.id) else { return };
        // Who signs in again as himself has the list that he brought last.
        let before = entry.user.replace(user.clone());
        for watched in before.iter().flat_map(|before| &before.watchlist) {
            self.stop_watching(watched, socket.id, now);
        }
        for watched in &user.watchlist {
            self.users.entry(watched.clone()).or_default().watchers.insert(socket.id);
        }
        let known = self.users.entry(user.id.clone()).or_default();
        let (first_here, first) = (known.sockets.is_empty(), !known.is_online());
        known.sockets.insert(socket.id);
        let is_online = |watched: &Arc<str>| self.users.get(watched).is_some_and(User::is_online);
        let (online, offline): (Vec<Arc<str>>, Vec<Arc<str>>) =
            user.watchlist.iter().cloned().partition(is_online);
        if !user.watchlist.is_empty() {
            let told = frame(|out| encode::watchlist_events(&online, &offline, out));
            dirty.put(&socket.link, &told, Durability::Durable);
        }
        if first_here {
            self.announce_user(&user.id, now);
        }
        if first {
            self.tell_watchers(&user.id, true, Some(socket.id), dirty);
        }
    }

    /// A socket has gone, and with it perhaps its user.
    pub(super) fn sign_out(&mut self, entry: &Entry, now: Duration, dirty: &mut Dirty) {
        let Some(user) = &entry.user else { return };
        let id = entry.socket.id;
        for watched in &user.watchlist {
            self.stop_watching(watched, id, now);
        }
        let Some(known) = self.users.get_mut(&user.id) else { return };
        known.sockets.remove(&id);
        if known.sockets.is_empty() {
            let offline = !known.is_online();
            self.announce_user(&user.id, now);
            if offline {
                self.tell_watchers(&user.id, false, Some(id), dirty);
            }
            self.release_user(&user.id, now);
        }
    }

    fn stop_watching(&mut self, watched: &Arc<str>, socket: SocketId, now: Duration) {
        if let Some(user) = self.users.get_mut(watched) {
            user.watchers.remove(&socket);
            self.release_user(watched, now);
        }
    }

    /// Forgets a user who is of no concern here any more, at once or after a while.
    fn release_user(&mut self, id: &Arc<str>, now: Duration) {
        let Some(user) = self.users.get(id).filter(|user| user.is_idle()) else { return };
        if user.peers.listening == Listening::No {
            self.users.remove(id);
        } else {
            self.sharing.idle_user(id, now);
        }
    }

    /// Tells those who watch for a user, but the socket that it comes from.
    pub(super) fn tell_watchers(
        &self,
        user: &Arc<str>,
        online: bool,
        by: Option<SocketId>,
        dirty: &mut Dirty,
    ) {
        let Some(known) = self.users.get(user) else { return };
        let who = std::slice::from_ref(user);
        let told = frame(|out| match online {
            true => encode::watchlist_events(who, &[], out),
            false => encode::watchlist_events(&[], who, out),
        });
        let others = known.watchers.iter().filter(|id| Some(**id) != by);
        for entry in others.filter_map(|id| self.sockets.get(id)) {
            dirty.put(&entry.socket.link, &told, Durability::Durable);
        }
    }

    /// The sockets that are signed in as a user.
    pub(super) fn links_of(&self, user: &str) -> Vec<Arc<Link>> {
        let ids = self.users.get(user).into_iter().flat_map(|user| &user.sockets);
        ids.filter_map(|id| self.sockets.get(id)).map(|entry| entry.socket.link.clone()).collect()
    }
}
