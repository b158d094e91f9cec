//! Fan-out to the connections of this process: who is here, who listens to which conversation.
//!
//! One lock guards the tables. Under it frames are only put into queues; sockets are written after it is
//! released. What is subscribed is a *user* with all his connections, so that a connection costs the same
//! in however many conversations its user is.

mod admit;
mod crowd;
mod deliver;
mod encoder;
mod far;
mod owed;
mod presence;
mod receipts;
mod register;
mod remote;
mod replay;
mod subscribe;
#[cfg(test)]
mod test_conn;
mod typing;
mod voice;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use parking_lot::Mutex;
use parlour_core::{
    Code, ConversationId, Error, Seq, UserId,
    command::Actor,
    event::{Envelope, PresenceStatus},
    limits::{Limits, rate_limited},
    model::{ConversationKind, ConversationState, Millis, Profile, Role, SessionId},
    port::clock::Clock,
    presence::Presence,
};
use parlour_wire::{Notice, Place, Scene, Settings};
use slab::Slab;
use smallvec::SmallVec;

pub(crate) use self::{
    admit::Admitted, deliver::Hole, remote::Standing, subscribe::Loading, voice::in_parts,
};
use self::{far::Far, receipts::Told, typing::Typing, voice::Voice};
use super::{close::Close, conn::Conn};
use crate::{
    hash::{HashMap, HashSet},
    metrics::{Metrics, Transport},
};

/// Who is here and listens to what.
pub(crate) struct Hub {
    state: Mutex<State>,
    limits: Arc<Limits>,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    settings: Arc<Settings>,
    draining: AtomicBool,
    /// Other processes cannot be reached as they should.
    degraded: AtomicBool,
    /// Other processes write the same logs.
    shared: AtomicBool,
    /// Who waits for the store at this moment, with how many commands, where other processes write the same logs.
    asking: Mutex<HashMap<UserId, usize>>,
    /// Commands that have been accepted and are not answered yet.
    pub(crate) open_commands: AtomicUsize,
}

#[derive(Default)]
struct State {
    settings: Arc<Settings>,
    /// See [`Limits::signal_participants`].
    signal_participants: usize,
    conns: HashMap<u64, Arc<Conn>>,
    users: HashMap<UserId, usize>,
    slots: Slab<Slot>,
    topics: HashMap<ConversationId, Topic>,
    typing: HashMap<(ConversationId, UserId), Typing>,
    receipts: HashMap<ConversationId, Told>,
    last_seen: HashMap<UserId, Millis>,
    /// Who is connected to other processes.
    far: HashMap<UserId, Far>,
    voice: Voice,
    /// Events that answer somebody, and wait until what comes before them has been read.
    owed: Vec<Envelope>,
    /// Stamps slots that a fan-out to people has reached already.
    round: u64,
}

/// A user with connections here.
struct Slot {
    user: UserId,
    profile: Arc<Profile>,
    /// Mostly one, which is found without another look into memory.
    conns: SmallVec<[Arc<Conn>; 1]>,
    conversations: Vec<ConversationId>,
    /// Those with whom no presence and typing is exchanged, because one has blocked the other.
    hidden: Vec<UserId>,
    presence: Presence,
    last_seen: Millis,
    /// How many connections are reading the user's conversations from the store at the moment, and who left
    /// what meanwhile.
    loading: u32,
    left_while_loading: Vec<(ConversationId, Seq)>,
    /// The conversations are subscribed.
    loaded: bool,
    /// The version of the user as of which his conversations and blocks are known here, where processes share them.
    version: Option<u64>,
    /// The same for whether his sign-ins stand; none since the last connection came.
    stood: Option<u64>,
    /// Tokens from before were refused when that was last looked at.
    revoked_before: Option<Millis>,
    round: u64,
}

impl Slot {
    /// Those of his connections that are told what happens in a conversation.
    fn listeners(&self, at: ConversationId) -> impl Iterator<Item = &Arc<Conn>> {
        self.conns.iter().filter(move |conn| conn.listening.load(Relaxed) && conn.covers(at))
    }

    /// Says of a Change that a later one has superseded that it went by: who counts must not think that he missed one.
    fn pass_over(&self, at: ConversationId, seq: Seq, dirty: &mut Vec<Arc<Conn>>) {
        for conn in self.listeners(at) {
            encoder::skip(conn, at, seq, dirty);
        }
    }
}

/// A conversation that somebody here listens to.
struct Topic {
    /// The last Change that went through; `None` until the first one, where this is the only process.
    last_seq: Option<Seq>,
    /// Up to which version receipts went through, where other processes have some too.
    receipts: Option<u64>,
    /// Up to where people were told to have read, likewise.
    marks: HashMap<UserId, Seq>,
    /// Messages that went by without having been told of, because they were changed afterwards: the Change tells them.
    unsaid: Vec<Seq>,
    /// Who of it is connected to other processes.
    far: HashSet<UserId>,
    place: Arc<Place>,
    /// How far the two of a direct conversation have read.
    read: Vec<(UserId, Seq)>,
    state: ConversationState,
    /// How many are in it, here and elsewhere and nowhere; none while that is not known.
    participants: Option<usize>,
    subscribers: Vec<Subscriber>,
}

impl Topic {
    fn is_direct(&self) -> bool {
        self.place.kind == ConversationKind::Direct
    }
}

struct Subscriber {
    slot: usize,
    joined: Seq,
    /// He has been told everything up to here in another way.
    since: Seq,
    /// What he sees of before he joined, because he was there then.
    past: Arc<[(Seq, Seq)]>,
    role: Role,
}

impl Subscriber {
    /// Whether he is to be told of a Change here.
    fn hears(&self, seq: Seq) -> bool {
        seq > self.joined.max(self.since)
    }

    /// Whether he was there when something was said.
    fn sees(&self, said: Seq) -> bool {
        said > self.joined || self.past.iter().any(|(after, up_to)| *after < said && said <= *up_to)
    }
}

/// Why a connection cannot be taken in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refused {
    /// The user has too many live connections.
    TooMany,
    /// The server goes away.
    Draining,
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::TooMany => rate_limited("connections_per_user", Duration::from_secs(30)),
            Refused::Draining => Self::new(Code::Unavailable, "the server restarts; try again"),
        }
    }
}

impl Hub {
    pub(crate) fn new(
        limits: Arc<Limits>,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
        settings: Arc<Settings>,
    ) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                settings: settings.clone(),
                signal_participants: limits.signal_participants,
                ..State::default()
            }),
            limits,
            clock,
            metrics,
            settings,
            draining: AtomicBool::new(false),
            degraded: AtomicBool::new(false),
            shared: AtomicBool::new(false),
            asking: Mutex::default(),
            open_commands: AtomicUsize::new(0),
        })
    }

    /// How many connections there are.
    pub(crate) fn connection_count(&self) -> usize {
        self.state.lock().conns.len()
    }

    /// Every connection, for the sweep.
    pub(crate) fn connections(&self) -> Vec<Arc<Conn>> {
        self.state.lock().conns.values().cloned().collect()
    }

    fn close_where(&self, concerned: impl Fn(&Conn) -> bool, close: &Close) {
        let concerned: Vec<_> =
            self.connections().into_iter().filter(|conn| concerned(conn)).collect();
        for conn in concerned {
            conn.close(close);
        }
    }

    /// Takes no more connections in, and no more commands.
    pub(crate) fn begin_drain(&self) {
        self.draining.store(true, Relaxed);
    }

    /// Sends some of those who are here away, with a random time to come back in.
    pub(crate) fn send_away(conns: &[Arc<Conn>], spread: Duration) {
        let spread = u64::try_from(spread.as_millis()).unwrap_or(u64::MAX).max(1);
        for conn in conns {
            // Multiplying by an odd constant scatters the counter over the spread; nobody gains by guessing it.
            let wait = Duration::from_millis(conn.key.wrapping_mul(0x9e37_79b9_7f4a_7c15) % spread);
            conn.notify(Notice::Restarting(wait));
            conn.link.finish_with(&Close::restarting(wait));
        }
    }

    /// Whether other processes cannot be reached as they should, for health.
    pub(crate) fn set_degraded(&self, degraded: bool) {
        self.degraded.store(degraded, Relaxed);
    }

    /// Whether the server goes away.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Relaxed)
    }

    /// Gives every connection up.
    pub(crate) fn abort_all(&self) {
        for conn in self.connections() {
            conn.link.abort();
        }
    }

    /// Where an event or an answer belongs, for a dialect to write it.
    pub(crate) fn with_scene<T>(
        &self,
        at: Option<ConversationId>,
        with: impl FnOnce(&Scene<'_>) -> T,
    ) -> T {
        let known = at.and_then(|at| {
            let state = self.state.lock();
            state.topics.get(&at).map(|topic| (topic.place.clone(), topic.read.clone()))
        });
        let (place, read) = known.unzip();
        let read = read.unwrap_or_default();
        with(&Scene { place: place.as_deref(), read: &read, settings: &self.settings })
    }

    /// The direct conversation without a subject that a user who is here has with another.
    pub(crate) fn direct_with(&self, user: &UserId, other: &UserId) -> Option<ConversationId> {
        let state = self.state.lock();
        let conversations = state.slot_of(user)?.conversations.iter();
        let with_other = |conversation: &&ConversationId| {
            state.topics.get(*conversation).is_some_and(|topic| {
                topic.place.subject.is_none()
                    && topic.place.other(user).is_some_and(|peer| peer.id == *other)
            })
        };
        conversations.copied().filter(|conversation| with_other(&conversation)).min()
    }

    /// Whole seconds of process time, never zero: the unit of the deadlines of connections.
    pub(crate) fn seconds(&self) -> u32 {
        u32::try_from(self.clock.monotonic().as_secs()).unwrap_or(u32::MAX).saturating_add(1)
    }

    /// When users were last here, for the store; each is given once.
    pub(crate) fn take_last_seen(&self) -> Vec<(UserId, Millis)> {
        self.state.lock().last_seen.drain().collect()
    }

    fn gauge(&self, conn: &Conn) -> prometheus_client::metrics::gauge::Gauge {
        self.metrics.connections.get_or_create_owned(&Transport { transport: conn.transport })
    }
}

impl crate::http::Live for Hub {
    fn presence(&self, user: &UserId) -> PresenceStatus {
        self.state.lock().status_of(user)
    }

    fn typing(
        &self,
        actor: &Actor,
        conversation: ConversationId,
        active: bool,
    ) -> parlour_core::Result<()> {
        self.typing_of(&actor.user, actor.authority, conversation, active, self.limits.typing_ttl)
    }

    fn set_hidden(&self, one: &UserId, other: &UserId, hidden: bool) {
        let mut state = self.state.lock();
        for (user, whom) in [(one, other), (other, one)] {
            if let Some(slot) = state.slot_of_mut(user) {
                slot.hidden.retain(|user| user != whom);
                if hidden {
                    slot.hidden.push(whom.clone());
                }
            }
            let topic = parlour_core::port::bus::Topic::User(user.clone());
            state.voice.say(topic, parlour_core::port::bus::Hint::User(user.clone()));
        }
    }

    fn is_degraded(&self) -> bool {
        self.degraded.load(Relaxed)
    }

    fn is_ending(&self) -> bool {
        self.is_draining()
    }
}

impl crate::auth::Revocations for Hub {
    fn close_user(&self, user: &UserId) {
        self.close_where(|conn| conn.user == *user, &Close::REVOKED);
        self.announce_changed(user);
    }

    fn close_session(&self, user: &UserId, session: &SessionId) {
        self.close_where(|conn| conn.session.as_ref() == Some(session), &Close::REVOKED);
        self.announce_changed(user);
    }
}

impl State {
    fn slot_of(&self, user: &UserId) -> Option<&Slot> {
        self.users.get(user).and_then(|id| self.slots.get(*id))
    }
}

/// Writes what has gathered in the queues of these connections.
pub(crate) fn flush(dirty: &mut Vec<Arc<Conn>>) {
    for conn in dirty.drain(..) {
        conn.link.flush();
    }
}
