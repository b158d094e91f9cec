//! A signed-in connection: who it is, what it listens to, and its part of a socket's queue.

use std::sync::{
    Arc, OnceLock,
    atomic::{
        AtomicBool, AtomicI64, AtomicU32, AtomicU64,
        Ordering::{Acquire, Relaxed},
    },
};

use parking_lot::Mutex;
use parlour_core::{
    ConversationId, Seq, UserId,
    command::{Actor, Authority, Identity},
    event::Durability,
    model::{Millis, SessionId},
};
use parlour_websocket::Frame;
use parlour_wire::{Dialect, Notice};

use super::{
    close::Close,
    frames::{self, Frames},
    ledger::Track,
    link::Link,
    send_queue::Item,
};
use crate::hash::HashMap;

/// A signed-in connection. One socket carries one, but for Pusher sockets, of which every chat channel is one.
pub(crate) struct Conn {
    /// Its number, never used again in this process.
    pub(crate) key: u64,
    pub(crate) link: Arc<Link>,
    pub(crate) user: UserId,
    pub(crate) authority: Authority,
    pub(crate) session: Option<SessionId>,
    /// The client's own name for its device, if it gave one.
    pub(crate) device: Option<Arc<str>>,
    /// A mark of its kind of client, for finding its place again.
    pub(crate) agent: Option<u32>,
    /// The conversation that it is about; `None`: all of the user's.
    pub(crate) scope: Option<ConversationId>,
    /// The Pusher channel on which its events go out.
    pub(crate) channel: Option<Arc<str>>,
    pub(crate) transport: &'static str,
    began_as: &'static dyn Dialect,
    /// What its first frame made of it, where the configuration leaves that open.
    became: OnceLock<&'static dyn Dialect>,
    gate: Mutex<Gate>,
    /// How far its client has what it was sent, for clients that keep no position.
    pub(crate) track: Option<Arc<Track>>,
    /// Events are put into the queue: a resume has begun.
    pub(crate) listening: AtomicBool,
    /// Live events flow: the resume is over.
    pub(crate) streaming: AtomicBool,
    pub(crate) away: AtomicBool,
    /// It is over, though its socket may go on (a Pusher channel).
    ended: AtomicBool,
    /// The id of the last command that an event has answered; zero: of none that matters.
    answered: AtomicU64,
    pub(crate) sign_in: SignIn,
    /// When its resume was over, in seconds of process time; zero before.
    pub(crate) resumed: AtomicU32,
}

/// Until when the sign-in holds that a connection rests on. Wall clock, Unix milliseconds.
#[derive(Default)]
pub(crate) struct SignIn {
    /// Zero: for ever.
    pub(crate) expires_at: AtomicI64,
    pub(crate) issued_at: AtomicI64,
    pub(crate) warned: AtomicBool,
}

/// What keeps live events back during a resume, and those that it repeats after it.
#[derive(Default)]
struct Gate {
    /// They wait until the resume has sent what came before them.
    held: Option<Held>,
    /// What has been sent by replay although the hub has not come so far. A conversation that has passed is forgotten, and
    /// all soon after the resume.
    floors: Option<Box<HashMap<ConversationId, Seq>>>,
}

impl Gate {
    /// Whether a Change has been sent by replay already.
    fn repeats(&mut self, conversation: ConversationId, seq: Seq) -> bool {
        let Some(floors) = &mut self.floors else { return false };
        let Some(floor) = floors.get(&conversation) else { return false };
        if seq <= *floor {
            return true;
        }
        // The hub has passed it, and does not come back.
        floors.remove(&conversation);
        if floors.is_empty() {
            self.floors = None;
        }
        false
    }
}

/// Live events that wait.
#[derive(Default)]
struct Held {
    items: Vec<Item>,
    bytes: usize,
}

/// What a new connection is made of.
pub(crate) struct NewConn {
    /// [`super::Gateway::new_key`].
    pub(crate) key: u64,
    pub(crate) identity: Identity,
    pub(crate) device: Option<Arc<str>>,
    pub(crate) agent: Option<u32>,
    pub(crate) dialect: &'static dyn Dialect,
    pub(crate) scope: Option<ConversationId>,
    pub(crate) channel: Option<Arc<str>>,
    pub(crate) transport: &'static str,
    pub(crate) link: Arc<Link>,
}

impl Conn {
    pub(crate) fn new(new: NewConn) -> Arc<Self> {
        let NewConn { key, identity, device, agent, dialect, scope, channel, transport, link } =
            new;
        let sign_in = SignIn {
            expires_at: identity.expires_at.unwrap_or(0).into(),
            issued_at: identity.issued_at.into(),
            warned: AtomicBool::new(false),
        };
        Arc::new(Self {
            key,
            link,
            user: identity.actor.user,
            authority: identity.actor.authority,
            session: identity.session,
            device,
            agent,
            scope,
            channel,
            transport,
            began_as: dialect,
            became: OnceLock::new(),
            gate: Mutex::default(),
            track: (!dialect.keeps_position()).then(Arc::default),
            listening: AtomicBool::new(false),
            streaming: AtomicBool::new(false),
            away: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            answered: AtomicU64::new(0),
            sign_in,
            resumed: AtomicU32::new(0),
        })
    }

    /// An event that answers a command is on its way to the client.
    pub(crate) fn note_answer(&self, command: u64) {
        self.answered.store(command, Relaxed);
    }

    /// Whether that was the answer that went out last: the command is over for its client, though perhaps not yet for who
    /// carries it out.
    pub(crate) fn has_answered(&self, command: u64) -> bool {
        self.answered.load(Relaxed) == command
    }

    /// The id belongs to another command from now on.
    pub(crate) fn forget_answer(&self, command: u64) {
        let _another_was_answered = self.answered.compare_exchange(command, 0, Relaxed, Relaxed);
    }

    /// What it speaks.
    pub(crate) fn dialect(&self) -> &'static dyn Dialect {
        self.became.get().copied().unwrap_or(self.began_as)
    }

    /// What it speaks from now on; only the first call does anything.
    pub(crate) fn become_speaker_of(&self, dialect: &'static dyn Dialect) {
        let _it_stays_what_it_became = self.became.set(dialect);
    }

    /// What it spoke at its beginning: under this name its place is kept between two sockets.
    pub(crate) fn kept_as(&self) -> &'static str {
        self.began_as.name()
    }

    pub(crate) fn actor(&self) -> Actor {
        Actor { user: self.user.clone(), authority: self.authority }
    }

    /// Whether it is about this conversation.
    pub(crate) fn covers(&self, conversation: ConversationId) -> bool {
        self.scope.is_none_or(|scope| scope == conversation)
    }

    /// Takes over a renewed sign-in of the same user.
    pub(crate) fn renew(&self, expires_at: Option<Millis>, issued_at: Millis) {
        self.sign_in.expires_at.store(expires_at.unwrap_or(0), Relaxed);
        self.sign_in.issued_at.store(issued_at, Relaxed);
        self.sign_in.warned.store(false, Relaxed);
    }

    /// Queues a live event or an answer; whether it will be written. The caller flushes when it has put in
    /// everything that it has.
    pub(crate) fn push(&self, item: Item) -> bool {
        if self.ended.load(Relaxed) {
            return false;
        }
        let mut gate = self.gate.lock();
        if item.mark.is_some_and(|(conversation, seq)| gate.repeats(conversation, seq)) {
            return false;
        }
        let Some(waiting) = &mut gate.held else { return self.link.push(item) };
        // As in the queue itself, Signals may take a quarter of the room.
        let part = if item.durability == Durability::Ephemeral { 4 } else { 1 };
        let (frames, bytes) = (waiting.items.len() + 1, waiting.bytes + item.frame.len());
        if part > 1 && !self.link.has_room_for(frames * part, bytes * part) {
            return false;
        }
        waiting.bytes = bytes;
        waiting.items.push(item);
        let fits = self.link.has_room_for(frames, bytes);
        drop(gate);
        if !fits {
            self.link.close(&Close::SLOW_CONSUMER);
        }
        fits
    }

    /// Queues an answer or a notice and writes it if the socket is free.
    pub(crate) fn send(&self, frames: Vec<Frame>) {
        for frame in frames {
            self.push(Item::control(frame));
        }
        self.link.flush();
    }

    /// Queues frames past what is held back, and writes them if the socket is free.
    pub(crate) fn send_ahead(&self, frames: Vec<Frame>) {
        self.send_items(frames.into_iter().map(Item::control));
    }

    /// The same for frames that carry Changes.
    pub(crate) fn send_items(&self, items: impl IntoIterator<Item = Item>) {
        if !self.ended.load(Relaxed) {
            self.link.send_ahead(items);
        }
    }

    /// Tells the client something about the connection, if its dialect has a word for it.
    pub(crate) fn notify(&self, notice: Notice) {
        let frames = Frames::of(|out| self.dialect().notice(notice, out));
        self.send(self.addressed(frames));
    }

    /// The same past what is held back.
    pub(crate) fn notify_ahead(&self, notice: Notice) {
        let frames = Frames::of(|out| self.dialect().notice(notice, out));
        self.send_ahead(self.addressed(frames));
    }

    /// The frames as they go to this connection: those of a Pusher channel name it.
    pub(crate) fn addressed(&self, frames: Vec<Frame>) -> Vec<Frame> {
        match &self.channel {
            None => frames,
            Some(channel) => {
                frames.iter().map(|frame| frames::on_channel(frame, channel)).collect()
            }
        }
    }

    /// Holds live events back until [`Conn::release`].
    pub(crate) fn hold(&self) {
        self.gate.lock().held.get_or_insert_default();
        self.listening.store(true, Relaxed);
    }

    /// Lets live events follow, but for those that `covered` says were replayed; `floors` are conversations in
    /// which the hub itself has not come as far as the replay.
    pub(crate) fn release(
        &self,
        floors: HashMap<ConversationId, Seq>,
        covered: impl Fn(ConversationId, Seq) -> bool,
    ) {
        let mut gate = self.gate.lock();
        if !floors.is_empty() {
            gate.floors = Some(Box::new(floors));
        }
        for item in gate.held.take().unwrap_or_default().items {
            if !item.mark.is_some_and(|(conversation, seq)| covered(conversation, seq)) {
                self.link.push(item);
            }
        }
    }

    /// Whether the event of what its client asks reaches it, and is the answer. A Pusher channel may be used as soon as
    /// it is subscribed, before everything missed has been sent: its events wait, and an answer of their own
    /// would be one too many.
    pub(crate) fn is_answered_by_events(&self) -> bool {
        self.streaming.load(Relaxed) || (self.channel.is_some() && self.listening.load(Relaxed))
    }

    /// Forgets the floors of the last resume; the hub has long passed them.
    pub(crate) fn drop_floors(&self) {
        self.gate.lock().floors = None;
    }

    /// Ends it: a socket's only connection with its socket, a Pusher channel alone where only that is meant.
    pub(crate) fn close(&self, close: &Close) {
        self.streaming.store(false, Relaxed);
        if self.channel.is_some() && *close == Close::REMOVED {
            if !self.is_closing() {
                self.notify(Notice::Removed);
                self.ended.store(true, Relaxed);
                self.link.wake();
            }
        } else if *close == Close::REMOVED {
            // Who is removed does not come back for what was said before.
            self.link.finish_with(close);
        } else {
            self.link.close(close);
        }
    }

    /// Ends it without a word: its socket goes on.
    pub(crate) fn end(&self) {
        self.streaming.store(false, Relaxed);
        self.ended.store(true, Relaxed);
    }

    /// Whether its client has ended it: with its socket by a proper goodbye, or alone.
    pub(crate) fn has_parted(&self) -> bool {
        self.ended.load(Relaxed) || self.link.has_parted()
    }

    /// Whether all that it missed is on its way, and live events follow.
    pub(crate) fn has_begun(&self) -> bool {
        self.resumed.load(Acquire) != 0
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.ended.load(Relaxed) || self.link.is_closing()
    }
}
