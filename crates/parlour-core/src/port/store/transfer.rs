//! Taking in a host application's history, and moving everything from one store to another.

mod dump;
mod history;

use std::sync::Arc;

pub use self::{
    dump::{
        Dump, DumpCursor, DumpedBlock, DumpedChange, DumpedChangeKind, DumpedConversation,
        DumpedKey, DumpedKind, DumpedMembership, DumpedMessage, DumpedParticipant, DumpedRevision,
        DumpedUser, KeyKind,
    },
    history::{
        Fault, History, HostConversation, HostMessage, HostRead, HostUser, Place, Problem, ReadBy,
        ReadUpTo,
    },
};
use crate::{
    error::Result,
    ids::{Epoch, MAX_INTEGER},
    model::Millis,
    port::BoxFuture,
};

/// Numbers of a host application that are kept as ids end here, so that enough are left for what comes after.
pub const LARGEST_KEPT_ID: u64 = MAX_INTEGER / 2;

/// How to take a batch in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ImportOptions {
    /// The name of the host application. Its ids are known under it for ever, so that nothing comes in twice.
    pub source: Arc<str>,
    /// The wall clock.
    pub now: Millis,
    /// The life that a log gets which is not merely appended to. Fresh for every run, so that a client which saw
    /// the state between two runs is told to load anew.
    pub epoch: Epoch,
    /// Keep the host's ids of conversations and messages where they are whole numbers up to
    /// [`LARGEST_KEPT_ID`] that are free here.
    pub keep_ids: bool,
    /// Put messages that are older than what their conversation has into their places, which renumbers it and
    /// gives it a new life. Without it they are a [`Fault::Older`].
    pub merge: bool,
    /// Take in what can be, and leave out what is at fault. Without it a batch with a fault changes nothing.
    pub leave_out: bool,
}

/// What a batch gave. Counts are of records.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ImportReport {
    /// Users made or changed.
    pub users: u64,
    /// Conversations made or changed.
    pub conversations: u64,
    /// Messages that are new here.
    pub messages: u64,
    /// Messages that were known, and that the host has edited or deleted since.
    pub changed: u64,
    /// Records of another kind that were stored (a restored dump has them).
    pub others: u64,
    /// Records that were here already, and changed nothing.
    pub known: u64,
    /// Conversations and messages with a number of the host that could not be kept, because another has it.
    pub renumbered: u64,
    /// Replies to a message that is not here; they are kept without what they answer.
    pub lost_replies: u64,
    /// Direct conversations that got the subject `conversation/ID`, because the same two have another one.
    pub split: u64,
    /// Logs that were renumbered or changed otherwise than at their end, and so have a new life.
    pub relived: u64,
    /// What is at fault, in the order of the records.
    pub problems: Vec<Problem>,
}

impl ImportReport {
    /// Adds what a later batch gave; the problems stay with the batch.
    pub fn add(&mut self, batch: &Self) {
        self.users += batch.users;
        self.conversations += batch.conversations;
        self.messages += batch.messages;
        self.changed += batch.changed;
        self.others += batch.others;
        self.known += batch.known;
        self.renumbered += batch.renumbered;
        self.lost_replies += batch.lost_replies;
        self.split += batch.split;
        self.relived += batch.relived;
    }
}

/// Moving data in and out. Only for a store that nobody else uses: **nothing is published**, and no policy is asked.
///
/// Every batch is one transaction. Batches of one file come in its order, one after the other; a run that was cut is
/// repeated from the beginning, and what is here already changes nothing.
pub trait TransferStore: Send + Sync + 'static {
    /// Takes in what a host application kept: users, conversations, messages, read marks.
    ///
    /// - Users and conversations come before what names them; unknown users are made as bare ones.
    /// - The messages of one batch are put into their conversations in the order of (time, host's id) and take
    ///   the next seqs. A message that is older than its conversation's latest Change needs [`ImportOptions::merge`].
    /// - The same record again changes nothing. A message whose text, metadata or deletion differs from what its last
    ///   import brought is edited or deleted by a Change at the end of the log; a conversation's
    ///   title, state, metadata and newcomers are changed in place.
    /// - A participant has read everything up to the newest message that he wrote, or that is said to be read by
    ///   him. Marks never go back.
    ///
    /// With a fault and without [`ImportOptions::leave_out`] nothing of the batch is stored.
    fn import_history(
        &self,
        options: ImportOptions,
        records: Vec<History>,
    ) -> BoxFuture<'_, Result<ImportReport>>;

    /// Stores records of [`Self::dump`] of another store, every id, seq and time as it was. Each conversation gets
    /// the life [`ImportOptions::epoch`]: clients of the other store may have seen what the dump does not hold.
    ///
    /// A record that is here with the same identity changes nothing; one that contradicts what is here is a
    /// [`Fault::Taken`].
    fn restore(
        &self,
        options: ImportOptions,
        records: Vec<Dump>,
    ) -> BoxFuture<'_, Result<ImportReport>>;

    /// The next records after a place, at most `limit`, in an order in which [`Self::restore`] takes them; the
    /// place to go on from is with the last. Empty at the end. Sign-ins (passwords, keys, sessions) are no part of it.
    fn dump(
        &self,
        after: Option<DumpCursor>,
        limit: usize,
    ) -> BoxFuture<'_, Result<(Vec<Dump>, Option<DumpCursor>)>>;
}
