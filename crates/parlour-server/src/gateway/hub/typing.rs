//! Who is writing: at most one frame a second for each person and conversation, and an end for every beginning.

use std::{sync::Arc, time::Duration};

use parlour_core::{
    ConversationId, Epoch, Result, UserId,
    command::Authority,
    event::{Envelope, Event},
    model::{ConversationKind, Profile},
    policy::{Action, Facts, decide},
    port::bus::{Hint, Topic},
};

use super::{Hub, State, flush};
use crate::{gateway::conn::Conn, metrics::Metrics};

/// Shortest time between two frames about the same person in the same conversation.
const SPACING: Duration = Duration::from_secs(1);

/// How long typing lasts that clients announce once, when it begins.
const SPELL: Duration = Duration::from_secs(30);

/// Longest typing of somebody elsewhere that is believed without being repeated.
const FAR_SPELL: Duration = Duration::from_secs(60);

/// So many people at most are known to type here.
const MOST_TYPING: usize = 50_000;

/// What others were last told of somebody's typing, and what is so.
pub(super) struct Typing {
    typist: Arc<Profile>,
    /// Another process said it, and tells whom it concerns elsewhere.
    far: bool,
    told: bool,
    told_at: Option<Duration>,
    active: bool,
    until: Duration,
}

/// What is said of somebody's typing.
struct Spell {
    typist: Arc<Profile>,
    far: bool,
    active: bool,
    until: Duration,
}

impl Typing {
    /// Whether the last frame about it is long enough ago.
    fn may_be_told(&self, now: Duration) -> bool {
        self.told_at.is_none_or(|at| now.saturating_sub(at) >= SPACING)
    }

    /// Whether others know that somebody types, and he still does: most are so at most times.
    fn is_settled(&self, now: Duration) -> bool {
        self.active && self.told && now < self.until
    }
}

impl Hub {
    /// Somebody writes or stopped. Checked against what the hub knows of the conversation; a user who does not listen
    /// to it is refused as a stranger.
    ///
    /// # Errors
    /// Those of the policy.
    pub(crate) fn typing(
        &self,
        conn: &Conn,
        conversation: ConversationId,
        active: bool,
    ) -> Result<()> {
        let ttl = match conn.dialect().keeps_position() {
            true => self.limits.typing_ttl,
            // Its clients say it once a spell.
            false => SPELL,
        };
        self.typing_of(&conn.user, conn.authority, conversation, active, ttl)
    }

    /// The same without a connection; it is over after `ttl` if nothing more is said.
    pub(crate) fn typing_of(
        &self,
        user: &UserId,
        authority: Authority,
        conversation: ConversationId,
        active: bool,
        ttl: Duration,
    ) -> Result<()> {
        let now = self.clock.monotonic();
        let mut dirty = Vec::new();
        let mut state = self.state.lock();
        let id = state.users.get(user).copied();
        let facts = state.typing_facts(id, authority, conversation);
        decide(Action::Type, &facts)?;
        if let Some(slot) = state.slot_of(user) {
            let spell =
                Spell { typist: slot.profile.clone(), far: false, active, until: now + ttl };
            state.typing_is(conversation, spell, now, &mut dirty, &self.metrics);
        }
        drop(state);
        flush(&mut dirty);
        Ok(())
    }

    /// Somebody who is connected to another process writes, or stopped.
    pub(crate) fn typing_far(
        &self,
        conversation: ConversationId,
        typist: &Arc<Profile>,
        active: bool,
        life: Duration,
    ) {
        let now = self.clock.monotonic();
        let mut dirty = Vec::new();
        let mut state = self.state.lock();
        if state.topics.contains_key(&conversation) {
            let until = now + life.min(FAR_SPELL);
            let spell = Spell { typist: typist.clone(), far: true, active, until };
            state.typing_is(conversation, spell, now, &mut dirty, &self.metrics);
        }
        drop(state);
        flush(&mut dirty);
    }

    /// Lets typing end that nobody ended, and tells what could not be told at once.
    pub(crate) fn sweep_typing(&self) {
        let now = self.clock.monotonic();
        let mut dirty = Vec::new();
        let mut state = self.state.lock();
        if state.typing.is_empty() {
            return;
        }
        let unsettled = state.typing.iter().filter(|(_, typing)| !typing.is_settled(now));
        let keys: Vec<_> = unsettled.map(|(key, _)| key.clone()).collect();
        for key in keys {
            if let Some(typing) = state.typing.get_mut(&key) {
                typing.active &= now < typing.until;
            }
            state.tell_typing(&key, now, &mut dirty, &self.metrics);
        }
        drop(state);
        flush(&mut dirty);
    }
}

impl State {
    fn typing_facts(&self, id: Option<usize>, authority: Authority, at: ConversationId) -> Facts {
        use parlour_core::model::ConversationState::Open;
        let topic = self.topics.get(&at);
        let own =
            topic.zip(id).and_then(|(topic, id)| topic.subscribers.iter().find(|s| s.slot == id));
        let kind = match topic {
            Some(topic) if topic.is_direct() => ConversationKind::Direct,
            _ => ConversationKind::Group,
        };
        Facts {
            authority,
            role: own.map(|subscriber| subscriber.role),
            kind,
            state: topic.map_or(Open, |topic| topic.state),
            // Who is blocked is told nothing: the frame just goes to nobody.
            blocked: false,
        }
    }

    fn typing_is(
        &mut self,
        conversation: ConversationId,
        spell: Spell,
        now: Duration,
        dirty: &mut Vec<Arc<Conn>>,
        metrics: &Metrics,
    ) {
        let Spell { typist, far, active, until } = spell;
        let key = (conversation, typist.id.clone());
        let is_new = !self.typing.contains_key(&key);
        let is_full = self.typing.len() >= MOST_TYPING;
        if is_new && (!active || is_full || self.is_crowd(conversation)) {
            return;
        }
        let first = Typing { typist, far, told: false, told_at: None, active, until };
        let typing = self.typing.entry(key.clone()).or_insert(first);
        (typing.active, typing.until, typing.far) = (active, until, far);
        let repeat = typing.told && active && typing.may_be_told(now);
        if repeat {
            // Told again, so that receivers who drop it after a while keep it.
            typing.told = false;
        }
        self.tell_typing(&key, now, dirty, metrics);
    }

    /// Tells others if they know something else, and if it is not too soon.
    fn tell_typing(
        &mut self,
        key: &(ConversationId, UserId),
        now: Duration,
        dirty: &mut Vec<Arc<Conn>>,
        metrics: &Metrics,
    ) {
        let Some(typing) = self.typing.get_mut(key) else { return };
        let due = typing.may_be_told(now);
        let active = typing.active;
        if typing.told != active && due {
            (typing.told, typing.told_at) = (active, Some(now));
            let (typist, far) = (typing.typist.clone(), typing.far);
            let life = typing.until.saturating_sub(now);
            if !far {
                let (conversation, user) = key.clone();
                let hint = Hint::Typing { conversation, user, active, life };
                self.voice.say(Topic::Conversation(conversation), hint);
            }
            self.send_typing(key.0, typist, active, dirty, metrics);
        }
        // Kept until it would no longer hold anything back.
        let over = self.typing.get(key).is_some_and(|t| !t.active && !t.told && t.may_be_told(now));
        if over {
            self.typing.remove(key);
        }
    }

    fn send_typing(
        &mut self,
        conversation: ConversationId,
        typist: Arc<Profile>,
        active: bool,
        dirty: &mut Vec<Arc<Conn>>,
        metrics: &Metrics,
    ) {
        let envelope = Envelope {
            conversation: Some(conversation),
            epoch: Epoch::default(),
            seq: None,
            at: 0,
            origin: None,
            event: Event::Typing { user: typist, active },
        };
        self.fan_out(&envelope, dirty, metrics);
    }

    /// Sending ends it: others are told as soon as the spacing allows.
    pub(super) fn typing_ends(&mut self, at: ConversationId, user: &UserId) {
        if let Some(typing) = self.typing.get_mut(&(at, user.clone())) {
            typing.active = false;
        }
    }

    /// A connection went: so does the typing in conversations that no other one of the user covers, with the next
    /// sweep.
    pub(super) fn stop_typing_unattended(&mut self, id: usize) {
        let Some(slot) = self.slots.get(id) else { return };
        for ((conversation, typist), typing) in &mut self.typing {
            let attends = |conn: &Arc<Conn>| {
                conn.covers(*conversation) && conn.has_begun() && !conn.is_closing()
            };
            if *typist == slot.user && !typing.far && !slot.conns.iter().any(attends) {
                typing.active = false;
            }
        }
    }
}
