//! Who is here, in which rooms, and what is still to be written to whom.

use std::{
    cell::{Cell, RefCell},
    io,
    rc::Rc,
    task::Poll,
};

use socket2::SockRef;
use tokio::{io::Interest, net::tcp::OwnedWriteHalf, sync::Notify, task::spawn_local};

use crate::{
    door::Guest,
    wire::{self, To},
};

/// What may wait for a reader that is slow, in bytes: past it, it is cut off.
const MOST_WAITING: usize = 4 << 20;
/// Buffers kept for the next frames, and how large one may be for that.
const MOST_KEPT: usize = 2_048;
const LARGEST_KEPT: usize = 8 * 1024;

/// A connection, as others see it.
pub(crate) struct Peer {
    pub(crate) user: u32,
    pub(crate) room: Option<u32>,
    socket: OwnedWriteHalf,
    /// Frames that it has sent.
    said: Cell<u32>,
    /// What is due to it. Nothing is allocated while nothing is due.
    out: RefCell<Vec<u8>>,
    /// It is on the list of those to write to.
    marked: Cell<bool>,
    /// Its socket is full, and a task waits until it is not.
    blocked: Cell<bool>,
}

impl Peer {
    pub(crate) fn new(guest: &Guest, socket: OwnedWriteHalf) -> Self {
        Self {
            user: guest.user,
            room: guest.room,
            socket,
            said: Cell::new(0),
            out: RefCell::default(),
            marked: Cell::new(false),
            blocked: Cell::new(false),
        }
    }

    /// Ends it: its own task sees the end of the stream.
    pub(crate) fn cut(&self) {
        // It may have ended already.
        let _ = SockRef::from(self.socket.as_ref()).shutdown(std::net::Shutdown::Both);
    }
}

/// Everybody who is connected.
#[derive(Default)]
pub(crate) struct Hub {
    users: RefCell<Vec<Option<Rc<Peer>>>>,
    rooms: RefCell<Vec<Vec<Rc<Peer>>>>,
    /// To whom something is due, in the order in which it became so.
    marked: RefCell<Vec<Rc<Peer>>>,
    /// The list of before, for its memory.
    written: RefCell<Vec<Rc<Peer>>>,
    /// Buffers that are free.
    buffers: RefCell<Vec<Vec<u8>>>,
    /// The frame that is going to many.
    frame: RefCell<Vec<u8>>,
    /// Something was said.
    heard: Notify,
}

impl Hub {
    /// Lets somebody in. The newest connection of a user is the one that gets texts.
    pub(crate) fn join(&self, peer: &Rc<Peer>) {
        slot(&mut self.users.borrow_mut(), peer.user, |slot| *slot = Some(peer.clone()));
        if let Some(room) = peer.room {
            slot(&mut self.rooms.borrow_mut(), room, |members| members.push(peer.clone()));
        }
    }

    /// Forgets a connection.
    pub(crate) fn leave(&self, peer: &Rc<Peer>) {
        slot(&mut self.users.borrow_mut(), peer.user, |slot| {
            slot.take_if(|known| Rc::ptr_eq(known, peer));
        });
        if let Some(room) = peer.room {
            slot(&mut self.rooms.borrow_mut(), room, |members| {
                members.retain(|member| !Rc::ptr_eq(member, peer));
            });
        }
    }

    /// A text to whom it is for.
    pub(crate) fn text(&self, from: u32, to: To, text: &[u8]) {
        match to {
            To::User(user) => self.to_user(user, |out| wire::text_into(out, from, text)),
            To::Room(room) => {
                let rooms = self.rooms.borrow();
                let Some(members) = rooms.get(room as usize) else { return };
                let mut frame = self.frame.borrow_mut();
                frame.clear();
                wire::text_into(&mut frame, from, text);
                for member in members.iter().filter(|member| member.user != from) {
                    self.push(member, |out| out.extend_from_slice(&frame));
                }
            }
        }
    }

    /// Tells a user who is typing.
    pub(crate) fn typing(&self, from: u32, to: u32) {
        self.to_user(to, |out| wire::typing_into(out, from));
    }

    /// Answers a frame of the sender.
    pub(crate) fn ok(&self, sender: &Rc<Peer>) {
        let said = sender.said.get().wrapping_add(1);
        sender.said.set(said);
        self.push(sender, |out| wire::ok_into(out, said));
    }

    fn to_user(&self, user: u32, write: impl FnOnce(&mut Vec<u8>)) {
        if let Some(Some(peer)) = self.users.borrow().get(user as usize) {
            self.push(peer, write);
        }
    }

    /// Adds to what is due to somebody. [`Self::flush`] writes it.
    pub(crate) fn push(&self, peer: &Rc<Peer>, write: impl FnOnce(&mut Vec<u8>)) {
        let mut out = peer.out.borrow_mut();
        if out.capacity() == 0
            && let Some(buffer) = self.buffers.borrow_mut().pop()
        {
            *out = buffer;
        }
        write(&mut out);
        if !peer.marked.replace(true) {
            self.marked.borrow_mut().push(peer.clone());
        }
    }

    /// Asks for a round of writing.
    pub(crate) fn flush_soon(&self) {
        self.heard.notify_one();
    }

    /// Waits until somebody asks for a round of writing. Whoever waits for it runs behind all tasks that can run
    /// already: what comes at the same moment over several sockets goes out in one write to each receiver, and what
    /// comes alone goes out at once.
    pub(crate) async fn round(&self) {
        self.heard.notified().await;
    }

    /// Writes to everybody to whom something is due, once to each.
    pub(crate) fn flush(self: &Rc<Self>) {
        let mut due = self.written.take();
        std::mem::swap(&mut due, &mut self.marked.borrow_mut());
        for peer in due.drain(..) {
            peer.marked.set(false);
            if peer.blocked.get() {
                if peer.out.borrow().len() > MOST_WAITING {
                    peer.cut();
                }
            } else if self.write(&peer).is_pending() {
                peer.blocked.set(true);
                spawn_local(self.clone().drain(peer));
            }
        }
        self.written.replace(due);
    }

    /// Writes what is due to somebody, as far as the socket takes it.
    fn write(&self, peer: &Peer) -> Poll<()> {
        let mut out = peer.out.borrow_mut();
        loop {
            match peer.socket.try_write(&out) {
                Ok(count) if count == out.len() => break,
                Ok(count) => drop(out.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
                Err(_) => {
                    peer.cut();
                    break;
                }
            }
        }
        out.clear();
        let buffer = std::mem::take(&mut *out);
        let mut buffers = self.buffers.borrow_mut();
        if buffer.capacity() <= LARGEST_KEPT && buffers.len() < MOST_KEPT {
            buffers.push(buffer);
        }
        Poll::Ready(())
    }

    /// Writes the rest when the socket takes it.
    async fn drain(self: Rc<Self>, peer: Rc<Peer>) {
        loop {
            let ready = peer.socket.as_ref().ready(Interest::WRITABLE).await;
            if ready.is_err() || self.write(&peer).is_ready() {
                break;
            }
        }
        peer.blocked.set(false);
    }
}

/// Does something with the slot of a number, which is made if it is not there.
fn slot<T: Default>(slots: &mut Vec<T>, number: u32, act: impl FnOnce(&mut T)) {
    let number = number as usize;
    if slots.len() <= number {
        slots.resize_with(number + 1, T::default);
    }
    if let Some(slot) = slots.get_mut(number) {
        act(slot);
    }
}
