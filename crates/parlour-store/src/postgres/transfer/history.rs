//! One batch of a host application's history: who goes where, then all conversations at once.

use std::collections::{BTreeMap, HashMap, HashSet};

use parlour_core::{
    ConversationId, MessageId, Seq,
    port::store::transfer::{
        Fault, History, HostMessage, HostRead, HostUser, ImportOptions, ImportReport, KeyKind,
        Place, Problem,
    },
};

use super::{amend, conversations, known::Known, log::Log, marks, messages};
use crate::{
    postgres::{
        batch::Tx,
        db::{Failure, Step},
        rows::int,
        users,
    },
    transfer::{SKEW, message_state, state},
};

/// Takes a batch in. What is at fault is left out and reported.
pub(super) async fn import(
    tx: &mut Tx,
    options: &ImportOptions,
    records: &[History],
) -> Step<ImportReport> {
    let known = Known::load(&tx.db, &options.source, records).await?;
    let mut batch = Batch {
        options,
        report: ImportReport::default(),
        known,
        places: HashMap::new(),
        groups: BTreeMap::new(),
        waiting: HashSet::new(),
    };
    for (index, record) in records.iter().enumerate() {
        match record {
            History::User(user) => batch.user(tx, user).await?,
            History::Conversation(host) => {
                if let Err(fault) = conversations::take_in(tx, &mut batch, host).await? {
                    batch.fault(index, fault);
                }
            }
            History::Message(message) => batch.message(tx, index, message).await?,
            History::Read(read) => batch.read(tx, index, read).await?,
        }
    }
    batch.settle(tx).await?;
    batch.known.save(tx).await?;
    Ok(batch.report)
}

/// What a batch has for one conversation.
#[derive(Default)]
pub(super) struct Group<'a> {
    /// Messages that are new here.
    pub(super) fresh: Vec<(usize, &'a HostMessage)>,
    /// Messages that are here, and whether the host has changed them.
    pub(super) known: Vec<(MessageId, &'a HostMessage, bool)>,
    /// Read marks.
    pub(super) reads: Vec<(usize, &'a HostRead)>,
    /// The fresh ones in their places.
    pub(super) placed: Vec<(Seq, &'a HostMessage)>,
}

/// What a batch has, by conversation.
pub(super) type Groups<'a> = BTreeMap<ConversationId, Group<'a>>;

/// A batch on its way in.
pub(super) struct Batch<'a> {
    pub(super) options: &'a ImportOptions,
    pub(super) report: ImportReport,
    pub(super) known: Known,
    /// Conversations that were looked up in this batch.
    places: HashMap<&'a Place, ConversationId>,
    groups: Groups<'a>,
    /// The host's ids of messages in `groups`.
    waiting: HashSet<&'a str>,
}

impl<'a> Batch<'a> {
    pub(super) fn fault(&mut self, index: usize, fault: Fault) {
        self.report.problems.push(Problem { index, fault });
    }

    async fn user(&mut self, tx: &mut Tx, user: &HostUser) -> Step<()> {
        let profile = &user.profile;
        let state = state(&[
            profile.username.as_deref(),
            profile.name.as_deref(),
            profile.email.as_deref(),
            profile.avatar.as_deref(),
        ]);
        let id = profile.id.as_str().into();
        if self.known.find(KeyKind::User, &id).is_some_and(|(_, known)| known == state) {
            self.report.known += 1;
            return Ok(());
        }
        users::save(tx, profile, user.created_at.unwrap_or(self.options.now)).await?;
        self.known.keep(KeyKind::User, &id, 0, state);
        self.report.users += 1;
        Ok(())
    }

    async fn message(&mut self, tx: &mut Tx, index: usize, message: &'a HostMessage) -> Step<()> {
        if self.waiting.contains(&*message.host_id) {
            // The second of one id is a repetition of the first, which must be here before.
            self.settle(tx).await?;
        }
        let times = [Some(message.created_at()), message.edited_at, message.deleted_at];
        if times.into_iter().flatten().any(|time| time > self.options.now + SKEW) {
            self.fault(index, Fault::InFuture);
            return Ok(());
        }
        if let Some((target, state)) = self.known.find(KeyKind::Message, &message.host_id) {
            let Some((conversation, _)) = self.known.place(&message.host_id) else {
                self.fault(index, Fault::NoMessage(message.host_id.clone()));
                return Ok(());
            };
            let changed = state != message_state(message);
            let group = self.groups.entry(conversation).or_default();
            group.known.push((MessageId(target), message, changed));
        } else {
            let conversation = match self.place(tx, &message.place).await? {
                Ok(conversation) => conversation,
                Err(fault) => {
                    self.fault(index, fault);
                    return Ok(());
                }
            };
            self.groups.entry(conversation).or_default().fresh.push((index, message));
        }
        self.waiting.insert(&message.host_id);
        Ok(())
    }

    async fn read(&mut self, tx: &mut Tx, index: usize, read: &'a HostRead) -> Step<()> {
        match self.place(tx, &read.place).await? {
            Ok(conversation) => {
                self.groups.entry(conversation).or_default().reads.push((index, read));
            }
            Err(fault) => self.fault(index, fault),
        }
        Ok(())
    }

    /// The conversation of a place. A direct one is made if need be.
    async fn place(
        &mut self,
        tx: &mut Tx,
        place: &'a Place,
    ) -> Step<Result<ConversationId, Fault>> {
        if let Some(id) = self.places.get(place) {
            return Ok(Ok(*id));
        }
        let found = match place {
            Place::Conversation(host_id) => {
                let found = self.known.conversation(host_id);
                found.ok_or_else(|| Fault::NoConversation(host_id.clone()))
            }
            Place::Direct(one, other, _) if one == other => Err(Fault::NotTwo),
            Place::Direct(one, other, subject) => {
                let (options, report) = (self.options, &mut self.report);
                let two = (one, other);
                Ok(conversations::direct(tx, options, two, subject.as_ref(), report).await?)
            }
        };
        if let Ok(id) = found {
            self.places.insert(place, id);
        }
        Ok(found)
    }

    /// Puts what has gathered into its conversations.
    async fn settle(&mut self, tx: &mut Tx) -> Step<()> {
        self.waiting.clear();
        let mut groups = std::mem::take(&mut self.groups);
        if groups.is_empty() {
            return Ok(());
        }
        let ids: Vec<i64> = groups.keys().map(|id| int(id.0)).collect();
        let mut logs = Log::load_all(&tx.db, &ids).await?;
        let facts = messages::Facts::load(&tx.db, &groups, &logs).await?;
        let mut fresh = Vec::new();
        for (id, group) in &mut groups {
            let log = logs.get_mut(id).ok_or(Failure::Again)?;
            messages::place(tx, self, &facts, log, group).await?;
            fresh.extend(group.placed.iter().map(|(seq, message)| (*id, *seq, *message)));
        }
        messages::store(tx, self, fresh).await?;
        for (id, group) in &groups {
            let log = logs.get_mut(id).ok_or(Failure::Again)?;
            for (message, host, changed) in &group.known {
                if *changed {
                    amend::amend(tx, self, log, *message, host).await?;
                    self.report.changed += 1;
                } else {
                    self.report.known += 1;
                }
            }
        }
        marks::move_marks(tx, self, &mut logs, &groups).await?;
        for log in logs.values() {
            log.save(tx, self.options.epoch, &mut self.report).await?;
        }
        Ok(())
    }
}
