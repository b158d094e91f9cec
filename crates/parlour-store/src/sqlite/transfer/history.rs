//! One batch of a host application's history: who goes where, then each conversation at once.

use std::collections::{BTreeMap, HashMap, HashSet};

use parlour_core::{
    ConversationId, MessageId, Seq,
    port::store::transfer::{
        Fault, History, HostMessage, HostRead, HostUser, ImportOptions, ImportReport, KeyKind,
        Place, Problem,
    },
};

use super::{amend, conversations, keys, log::Log, marks, messages};
use crate::{
    sqlite::{batch::Tx, db::Step, users},
    transfer::SKEW,
};

/// Takes a batch in. What is at fault is left out and reported.
pub(super) fn import(
    tx: &mut Tx<'_>,
    options: &ImportOptions,
    records: &[History],
) -> Step<ImportReport> {
    let mut batch = Batch {
        options,
        report: ImportReport::default(),
        places: HashMap::new(),
        groups: BTreeMap::new(),
        waiting: HashSet::new(),
    };
    for (index, record) in records.iter().enumerate() {
        match record {
            History::User(user) => batch.user(tx, user)?,
            History::Conversation(host) => {
                if let Err(fault) = conversations::take_in(tx, options, host, &mut batch.report)? {
                    batch.fault(index, fault);
                }
            }
            History::Message(message) => batch.message(tx, index, message)?,
            History::Read(read) => batch.read(tx, index, read)?,
        }
    }
    batch.settle(tx)?;
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

/// A batch on its way in.
pub(super) struct Batch<'a> {
    pub(super) options: &'a ImportOptions,
    pub(super) report: ImportReport,
    /// Conversations that were looked up in this batch.
    places: HashMap<&'a Place, ConversationId>,
    groups: BTreeMap<ConversationId, Group<'a>>,
    /// The host's ids of messages in `groups`.
    waiting: HashSet<&'a str>,
}

impl<'a> Batch<'a> {
    pub(super) fn fault(&mut self, index: usize, fault: Fault) {
        self.report.problems.push(Problem { index, fault });
    }

    fn user(&mut self, tx: &Tx<'_>, user: &HostUser) -> Step<()> {
        let profile = &user.profile;
        let state = keys::state(&[
            profile.username.as_deref(),
            profile.name.as_deref(),
            profile.email.as_deref(),
            profile.avatar.as_deref(),
        ]);
        let (source, id) = (&*self.options.source, profile.id.as_str());
        if keys::find(tx.db, source, KeyKind::User, id)?.is_some_and(|(_, known)| known == state) {
            self.report.known += 1;
            return Ok(());
        }
        users::save(tx, profile, user.created_at.unwrap_or(self.options.now))?;
        keys::keep(tx.db, source, KeyKind::User, id, 0, &state)?;
        self.report.users += 1;
        Ok(())
    }

    fn message(&mut self, tx: &mut Tx<'_>, index: usize, message: &'a HostMessage) -> Step<()> {
        if self.waiting.contains(&*message.host_id) {
            // The second of one id is a repetition of the first, which must be here before.
            self.settle(tx)?;
        }
        let times = [Some(message.created_at()), message.edited_at, message.deleted_at];
        if times.into_iter().flatten().any(|time| time > self.options.now + SKEW) {
            self.fault(index, Fault::InFuture);
            return Ok(());
        }
        let found = keys::find(tx.db, &self.options.source, KeyKind::Message, &message.host_id)?;
        if let Some((target, state)) = found {
            let Some(conversation) = messages::conversation_of(tx.db, MessageId(target))? else {
                self.fault(index, Fault::NoMessage(message.host_id.clone()));
                return Ok(());
            };
            let changed = state != messages::state(message);
            let group = self.groups.entry(conversation).or_default();
            group.known.push((MessageId(target), message, changed));
        } else {
            let conversation = match self.place(tx, &message.place)? {
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

    fn read(&mut self, tx: &mut Tx<'_>, index: usize, read: &'a HostRead) -> Step<()> {
        match self.place(tx, &read.place)? {
            Ok(conversation) => {
                self.groups.entry(conversation).or_default().reads.push((index, read));
            }
            Err(fault) => self.fault(index, fault),
        }
        Ok(())
    }

    /// The conversation of a place. A direct one is made if need be.
    fn place(&mut self, tx: &mut Tx<'_>, place: &'a Place) -> Step<Result<ConversationId, Fault>> {
        if let Some(id) = self.places.get(place) {
            return Ok(Ok(*id));
        }
        let found = match place {
            Place::Conversation(host_id) => {
                conversations::find(tx.db, &self.options.source, host_id)?
                    .ok_or_else(|| Fault::NoConversation(host_id.clone()))
            }
            Place::Direct(one, other, _) if one == other => Err(Fault::NotTwo),
            Place::Direct(one, other, subject) => {
                let two = (one, other);
                let report = &mut self.report;
                Ok(conversations::direct(tx, self.options, two, subject.as_ref(), report)?)
            }
        };
        if let Ok(id) = found {
            self.places.insert(place, id);
        }
        Ok(found)
    }

    /// Puts what has gathered into its conversations.
    fn settle(&mut self, tx: &mut Tx<'_>) -> Step<()> {
        self.waiting.clear();
        for (id, mut group) in std::mem::take(&mut self.groups) {
            let mut log = Log::load(tx.db, id)?;
            messages::place(tx, self, &mut log, &mut group)?;
            for (message, host, changed) in &group.known {
                if *changed {
                    amend::amend(tx, self.options, &mut log, *message, host)?;
                    self.report.changed += 1;
                } else {
                    self.report.known += 1;
                }
            }
            marks::move_marks(tx.db, self, &mut log, &group)?;
            log.save(tx.db, self.options.epoch, &mut self.report)?;
        }
        Ok(())
    }
}
