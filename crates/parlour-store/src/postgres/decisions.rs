//! Decides the steps of a group one after the other, on the facts that were read for all of them, and writes the rows.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use parlour_core::{
    ConversationId, Error, MessageId, Result, Seq, UserId,
    command::{MarkTarget, SendMessage},
    error::Code,
    event::{Covered, Event, Origin},
    model::{Content, Message, MessageKind, Millis, Profile, Watermark},
    policy::Action,
    port::store::{Appended, Context},
};

use super::{
    batch::Tx,
    facts::{Sight, View},
    group::{Done, Item, NewMessage, Trace, Unread, What},
    group_facts::{Known, Pair, Probe},
};
use crate::mutant;

/// The facts, as they change with each decision, and what is to be written.
pub(super) struct Decisions {
    pub(super) known: Known,
    pub(super) messages: Vec<NewMessage>,
    /// Users who were unknown, and since when they are not.
    pub(super) new_users: BTreeMap<UserId, Millis>,
    pub(super) moved: BTreeMap<Pair, Moved>,
    /// Subjects that messages have brought along.
    pub(super) subjects: Vec<(View, Arc<str>)>,
    /// What this group says in each conversation, oldest first.
    said: HashMap<ConversationId, Vec<Unread>>,
}

/// Where somebody's watermark stands when the group is done.
#[derive(Clone, Copy)]
pub(super) struct Moved {
    pub(super) to: Watermark,
    /// Its version and time, where a receipt tells of it.
    pub(super) told: Option<(u64, Millis)>,
}

/// A move that others are told of.
struct Move {
    from: Watermark,
    to: Watermark,
    covered: Arc<[Covered]>,
    at: Millis,
    origin: Option<Origin>,
}

impl Decisions {
    pub(super) fn new(known: Known) -> Self {
        Self {
            known,
            messages: Vec::new(),
            new_users: BTreeMap::new(),
            moved: BTreeMap::new(),
            subjects: Vec::new(),
            said: HashMap::new(),
        }
    }

    /// Decides one step. A refused one leaves nothing.
    pub(super) fn take(&mut self, tx: &mut Tx, item: &Item) -> Result<Done> {
        let pair = (item.conversation(), item.user().clone());
        match &item.what {
            What::Say { message, hash } => self.say(tx, item, &pair, message, hash).map(Done::Said),
            What::Mark { up_to, read, .. } => {
                self.mark(tx, item, &pair, *up_to, *read).map(Done::Marked)
            }
            What::Follow { up_to, read, .. } => {
                let view = match self.view(&pair, &item.context) {
                    Ok(view) if view.mine.is_some() => view,
                    _ => return Ok(Done::Followed),
                };
                self.advance(tx, item, &pair, &view, (*up_to).min(view.last_seq), *read);
                Ok(Done::Followed)
            }
        }
    }

    /// By what it can be told whether all this was committed.
    pub(super) fn trace(&self) -> Trace {
        if let Some(new) = self.messages.last() {
            return Trace::Message(new.message.id);
        }
        let mut marks = self.moved.iter().filter_map(|((conversation, user), moved)| {
            let (version, _) = moved.told?;
            let (conversation, user) = (*conversation, user.clone());
            Some(Trace::Mark { conversation, user, to: moved.to, version })
        });
        marks.next().unwrap_or(Trace::Nothing)
    }

    fn view(&self, pair: &Pair, context: &Context) -> Result<View> {
        let conversation = self.known.conversations.get(&pair.0).ok_or_else(Error::not_found)?;
        let place = self.known.places.get(pair).ok_or_else(Error::not_found)?;
        Ok(View {
            conversation: pair.0,
            kind: conversation.kind,
            state: conversation.state,
            epoch: conversation.epoch,
            last_seq: conversation.last_seq,
            latest_at: conversation.latest_at,
            mine: place.mine,
            authority: context.actor.authority,
            user: context.actor.user.clone(),
            blocked: place.blocked,
        })
    }

    fn sight(&self, pair: &Pair, view: &View) -> Sight {
        match &view.mine {
            None => Sight::of_everything(),
            Some(mine) => self.known.sight(pair, mine.joined_seq),
        }
    }

    fn say(
        &mut self,
        tx: &mut Tx,
        item: &Item,
        pair: &Pair,
        new: &SendMessage,
        hash: &[u8; 32],
    ) -> Result<Appended> {
        if let Some(first) = self.repeated(pair, new, hash)? {
            tx.count_duplicate();
            return Ok(first);
        }
        let mut view = self.view(pair, &item.context)?;
        self.check(pair, &view, new)?;
        let (sender, is_new) = self.sender(pair, &item.context)?;
        let id = self.known.ids.pop_front().ok_or_else(|| Error::internal("no id is left"))?;
        let covered = match new.kind {
            MessageKind::Text => self.covered(item, pair, &view, view.last_seq),
            MessageKind::System => Arc::default(),
        };
        if is_new {
            self.new_users.insert(pair.1.clone(), item.context.now);
        }
        view.last_seq = view.last_seq.next();
        if mutant("skip_seq") && view.last_seq.0.is_multiple_of(50) {
            view.last_seq = view.last_seq.next();
        }
        view.latest_at = view.time(item.context.now);
        let message = Arc::new(message_of(id, new, &view, sender));
        let created = Event::MessageCreated(message.clone());
        tx.publish(view.envelope(
            Some(view.last_seq),
            view.latest_at,
            item.context.origin,
            created,
        ));
        self.keep(pair, new, &view, message.clone(), *hash);
        if new.kind == MessageKind::Text {
            self.follow_own_message(tx, pair, &view, covered);
        }
        let epoch = view.epoch;
        if let Some(subject) = new.subject.clone().filter(|subject| !subject.is_empty()) {
            self.subjects.push((view, subject));
        }
        Ok(Appended { message, epoch, duplicate: false })
    }

    /// The message that this client id stands for already. It is looked for before anything else is asked: who
    /// has sent it gets it for ever, also when he could not send it any more (guarantees G2 and G3).
    fn repeated(
        &self,
        pair: &Pair,
        new: &SendMessage,
        hash: &[u8; 32],
    ) -> Result<Option<Appended>> {
        let Some(client_id) = &new.client_id else { return Ok(None) };
        let repeat = (pair.0, pair.1.clone(), client_id.clone());
        let Some((first, known)) = self.known.repeats.get(&repeat) else { return Ok(None) };
        if known != hash {
            return Err(Error::new(Code::Conflict, "this client_id was used for another message"));
        }
        let conversation = self.known.conversations.get(&pair.0).ok_or_else(Error::not_found)?;
        let epoch = conversation.epoch;
        Ok(Some(Appended { message: first.clone(), epoch, duplicate: true }))
    }

    /// Whether it may be said.
    fn check(&self, pair: &Pair, view: &View, new: &SendMessage) -> Result<()> {
        view.allow(match new.kind {
            MessageKind::Text => Action::Send,
            MessageKind::System => Action::SendAsSystem,
        })?;
        // Only a message of the same conversation that the sender can see can be answered.
        if let Some(id) = new.reply_to {
            let target = self.known.targets.get(&id);
            let target = target.filter(|target| target.conversation == pair.0);
            if !target.is_some_and(|target| self.sight(pair, view).sees(target.seq)) {
                return Err(Error::not_found());
            }
        }
        if let Some(recipient) = &new.recipient {
            let place = self.known.places.get(&(pair.0, recipient.clone()));
            let is_in = place.is_some_and(|place| place.mine.is_some());
            if *recipient == pair.1 || !is_in {
                return Err(Error::not_found());
            }
        }
        Ok(())
    }

    /// Who speaks, and whether he is to be made.
    fn sender(&self, pair: &Pair, context: &Context) -> Result<(Arc<Profile>, bool)> {
        let place = self.known.places.get(pair).ok_or_else(Error::not_found)?;
        match &place.profile {
            Some(profile) => Ok((profile.clone(), false)),
            None if context.create_users => {
                let (id, name) = (pair.1.clone(), Arc::<str>::from(pair.1.as_str()));
                let bare = Profile { id, username: name.clone(), name, avatar: None };
                Ok((Arc::new(bare), true))
            }
            None => Err(Error::not_found()),
        }
    }

    /// Remembers what is to be written for a message, and what later steps of the group must know of it.
    fn keep(
        &mut self,
        pair: &Pair,
        new: &SendMessage,
        view: &View,
        message: Arc<Message>,
        hash: [u8; 32],
    ) {
        if let Some(conversation) = self.known.conversations.get_mut(&pair.0) {
            conversation.last_seq = view.last_seq;
            conversation.latest_at = view.latest_at;
            conversation.active_at = Some(view.latest_at);
            conversation.is_changed = true;
        }
        if let Some(client_id) = &new.client_id {
            let repeat = (pair.0, pair.1.clone(), client_id.clone());
            self.known.repeats.insert(repeat, (message.clone(), hash.to_vec()));
        }
        let unread = Unread { seq: message.seq, id: message.id, sender: pair.1.clone() };
        self.said.entry(pair.0).or_default().push(unread);
        self.messages.push(NewMessage { message, hash });
    }

    /// Who says something has read what was said before: moves his watermark to his new message. Others learn of it
    /// by the message itself; only when it covers messages of theirs is a receipt published.
    fn follow_own_message(
        &mut self,
        tx: &mut Tx,
        pair: &Pair,
        view: &View,
        covered: Arc<[Covered]>,
    ) {
        let Some(mine) = view.mine else { return };
        let to = Watermark { delivered: view.last_seq, read: view.last_seq };
        if covered.is_empty() {
            self.move_to(pair, to, None);
        } else {
            let (from, at) = (mine.watermark, view.latest_at);
            self.publish_move(tx, pair, view, Move { from, to, covered, at, origin: None });
        }
    }

    fn mark(
        &mut self,
        tx: &mut Tx,
        item: &Item,
        pair: &Pair,
        up_to: MarkTarget,
        read: bool,
    ) -> Result<Watermark> {
        let view = self.view(pair, &item.context)?;
        view.allow(Action::Read)?;
        view.mine.ok_or_else(Error::not_found)?;
        let up_to = match up_to {
            MarkTarget::Seq(seq) => seq.min(view.last_seq),
            MarkTarget::Message(id) => {
                let target = self.known.targets.get(&id);
                let target = target.filter(|target| target.conversation == pair.0);
                let target = target.ok_or_else(Error::not_found)?;
                if !self.sight(pair, &view).sees(target.seq) {
                    return Err(Error::not_found());
                }
                // One's own message says nothing about those of others.
                if target.sender == pair.1 { Seq::ZERO } else { target.seq }
            }
        };
        Ok(self.advance(tx, item, pair, &view, up_to, read))
    }

    /// Moves the actor's watermark to a seq of the log, if that is forward. Where it stands now.
    fn advance(
        &mut self,
        tx: &mut Tx,
        item: &Item,
        pair: &Pair,
        view: &View,
        up_to: Seq,
        read: bool,
    ) -> Watermark {
        let from = view.mine.map(|mine| mine.watermark).unwrap_or_default();
        let to = Watermark {
            delivered: from.delivered.max(up_to),
            read: if read { from.read.max(up_to) } else { from.read },
        };
        if to != from {
            let (at, origin) = (view.time(item.context.now), item.context.origin);
            let covered = self.covered(item, pair, view, to.read);
            self.publish_move(tx, pair, view, Move { from, to, covered, at, origin });
        }
        to
    }

    /// The messages of others that stand above the actor's read mark, up to a seq: the newest, oldest first.
    fn covered(&self, item: &Item, pair: &Pair, view: &View, up_to: Seq) -> Arc<[Covered]> {
        let Some(mine) = view.mine else { return Arc::default() };
        let after = mine.watermark.read;
        if after >= up_to {
            return Arc::default();
        }
        let before = Probe::of(item).and_then(|probe| self.known.unread.get(&probe));
        let here = self.said.get(&pair.0).into_iter().flatten().rev();
        let mut newest: Vec<Covered> = here
            .chain(before.into_iter().flatten())
            .filter(|unread| after < unread.seq && unread.seq <= up_to && unread.sender != pair.1)
            .take(Covered::MOST)
            .map(|unread| Covered { message: unread.id, sender: unread.sender.clone() })
            .collect();
        newest.reverse();
        newest.into()
    }

    fn publish_move(&mut self, tx: &mut Tx, pair: &Pair, view: &View, moved: Move) {
        let Some(conversation) = self.known.conversations.get_mut(&pair.0) else { return };
        conversation.receipts += 1;
        conversation.is_changed = true;
        let version = conversation.receipts;
        let Move { from, to, covered, at, origin } = moved;
        self.move_to(pair, to, Some((version, at)));
        let receipt = Event::Receipt { user: pair.1.clone(), from, to, version, covered };
        tx.publish(view.envelope(None, at, origin, receipt));
    }

    fn move_to(&mut self, pair: &Pair, to: Watermark, told: Option<(u64, Millis)>) {
        if let Some(mine) = self.known.places.get_mut(pair).and_then(|place| place.mine.as_mut()) {
            mine.watermark = to;
        }
        let moved = self.moved.entry(pair.clone()).or_insert(Moved { to, told });
        *moved = Moved { to, told: told.or(moved.told) };
    }
}

fn message_of(id: MessageId, new: &SendMessage, view: &View, sender: Arc<Profile>) -> Message {
    Message {
        id,
        conversation: new.conversation,
        seq: view.last_seq,
        change_seq: view.last_seq,
        sender,
        client_id: new.client_id.clone(),
        kind: new.kind,
        content: Some(Content { text: new.text.clone(), metadata: new.metadata.clone() }),
        reply_to: new.reply_to,
        created_at: view.latest_at,
        edited_at: None,
        deleted_at: None,
    }
}
