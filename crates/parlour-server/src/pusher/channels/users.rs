//! Users who are signed in on their connections, and who is told of their coming and going.

use std::sync::Arc;

use parlour_core::event::Durability;
use parlour_wire::pusher::{Refusal, SignedInUser, SocketId, encode};

use super::{
    Channels, Socket,
    socket::Entry,
    table::{Dirty, Table},
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
        table.signed_in(socket, user, &mut dirty);
        drop(table);
        dirty.flush();
        Ok(())
    }
}

impl Table {
    fn signed_in(&mut self, socket: &Socket, user: &SignedInUser, dirty: &mut Dirty) {
        let Some(entry) = self.sockets.get_mut(&socket.id) else { return };
        // Who signs in again as himself has the list that he brought last.
        let before = entry.user.replace(user.clone());
        for watched in before.iter().flat_map(|before| &before.watchlist) {
            self.stop_watching(watched, socket.id);
        }
        for watched in &user.watchlist {
            self.watchers.entry(watched.clone()).or_default().insert(socket.id);
        }
        let sockets = self.users.entry(user.id.clone()).or_default();
        let first = sockets.is_empty();
        sockets.insert(socket.id);
        let (online, offline): (Vec<Arc<str>>, Vec<Arc<str>>) =
            user.watchlist.iter().cloned().partition(|watched| self.users.contains_key(watched));
        if !user.watchlist.is_empty() {
            let now = frame(|out| encode::watchlist_events(&online, &offline, out));
            dirty.put(&socket.link, &now, Durability::Durable);
        }
        if first {
            self.tell_watchers(&user.id, true, socket.id, dirty);
        }
    }

    /// A socket has gone, and with it perhaps its user.
    pub(super) fn sign_out(&mut self, entry: &Entry, dirty: &mut Dirty) {
        let Some(user) = &entry.user else { return };
        let id = entry.socket.id;
        for watched in &user.watchlist {
            self.stop_watching(watched, id);
        }
        let Some(sockets) = self.users.get_mut(&user.id) else { return };
        sockets.remove(&id);
        if sockets.is_empty() {
            self.users.remove(&user.id);
            self.tell_watchers(&user.id, false, id, dirty);
        }
    }

    fn stop_watching(&mut self, watched: &Arc<str>, socket: SocketId) {
        if let Some(watchers) = self.watchers.get_mut(watched) {
            watchers.remove(&socket);
            if watchers.is_empty() {
                self.watchers.remove(watched);
            }
        }
    }

    fn tell_watchers(&self, user: &Arc<str>, online: bool, by: SocketId, dirty: &mut Dirty) {
        let Some(watchers) = self.watchers.get(user) else { return };
        let who = std::slice::from_ref(user);
        let told = frame(|out| match online {
            true => encode::watchlist_events(who, &[], out),
            false => encode::watchlist_events(&[], who, out),
        });
        for entry in watchers.iter().filter(|id| **id != by).filter_map(|id| self.sockets.get(id)) {
            dirty.put(&entry.socket.link, &told, Durability::Durable);
        }
    }

    /// The sockets that are signed in as a user.
    pub(super) fn links_of(&self, user: &str) -> Vec<Arc<Link>> {
        let ids = self.users.get(user).into_iter().flatten();
        ids.filter_map(|id| self.sockets.get(id)).map(|entry| entry.socket.link.clone()).collect()
    }
}
