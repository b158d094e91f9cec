//! Reading the logs.

use crate::{
    error::Result,
    event::{Envelope, Event},
    ids::{ConversationId, Epoch, Seq, UserId},
    model::{Membership, Watermark},
    port::BoxFuture,
};

/// A part of a conversation's log, in the present state of what changed.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Replay {
    /// The Changes in the order of their seqs. What later Changes have superseded is not there.
    pub envelopes: Vec<Envelope>,
    /// Every Change up to here is covered: `up_to`, the end of the log, or the last one that fitted. Zero when
    /// the conversation does not exist or the viewer is not in it.
    pub covered: Seq,
}

impl Replay {
    /// The same for somebody who had seen everything up to `start`, and reads on in several pages.
    ///
    /// A message that was created after `start`, and edited, lies in the page of the edit, so that page tells
    /// of an edit of something unknown. Here it is created. (When it was edited between the reading of two pages,
    /// it is created twice; the second one is its newer state.)
    #[must_use]
    pub fn seen_from(mut self, start: Seq) -> Self {
        for envelope in &mut self.envelopes {
            if let Event::MessageEdited(message) = &envelope.event
                && message.seq > start
            {
                envelope.event = Event::MessageCreated(message.clone());
            }
        }
        self
    }
}

/// Where a conversation's log ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Head {
    /// Which.
    pub conversation: ConversationId,
    /// The life of its log.
    pub epoch: Epoch,
    /// The seq of its last Change.
    pub last_seq: Seq,
    /// The version of its watermarks.
    pub receipts: u64,
}

/// Where a participant stands in a conversation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Standing {
    /// Who.
    pub user: UserId,
    /// He sees Changes after this one.
    pub joined_seq: Seq,
    /// How far he has received and read.
    pub watermark: Watermark,
}

impl Standing {
    /// Whether he has read what was said at a seq. What was said before he came he has not, though his mark is past it.
    #[must_use]
    pub fn has_read(&self, seq: Seq) -> bool {
        self.joined_seq < seq && seq <= self.watermark.read
    }
}

/// Reading the logs.
pub trait LogStore: Send + Sync + 'static {
    /// All conversations that the user is in, in the order of ids.
    fn memberships(&self, user: UserId) -> BoxFuture<'_, Result<Vec<Membership>>>;

    /// One user's membership; `None` when he is not in it.
    fn membership(
        &self,
        user: UserId,
        conversation: ConversationId,
    ) -> BoxFuture<'_, Result<Option<Membership>>>;

    /// What changed after `after`, up to and with `up_to`, at most `limit` Changes. With a viewer, only what
    /// he may see (nothing when he is no participant); without, everything (for the hub, which knows who may see it).
    ///
    /// A message whose last change lies in the range comes once: created (perhaps already edited) when its
    /// creation lies in the range too, else edited; or deleted. Who reads several pages: [`Replay::seen_from`].
    fn replay(
        &self,
        viewer: Option<UserId>,
        conversation: ConversationId,
        after: Seq,
        up_to: Seq,
        limit: usize,
    ) -> BoxFuture<'_, Result<Replay>>;

    /// What changed in several conversations after a seq each, as [`Self::replay`] without a viewer gives it up to
    /// the end of the log, at most `limit` Changes of each: in the given order. For a process that was told that logs
    /// have grown: one look for all of them.
    fn catch_up(
        &self,
        after: Vec<(ConversationId, Seq)>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<(ConversationId, Replay)>>>;

    /// The watermarks that moved after version `since`, with the version of each, as
    /// [`crate::event::Event::Receipt`] envelopes, oldest version first. Where each stood before is not kept:
    /// `from` is zero.
    fn receipts(
        &self,
        conversation: ConversationId,
        since: u64,
    ) -> BoxFuture<'_, Result<Vec<Envelope>>>;

    /// Where the logs of conversations end, in the given order, those that do not exist left out.
    fn heads(&self, conversations: Vec<ConversationId>) -> BoxFuture<'_, Result<Vec<Head>>>;

    /// How many are in conversations, in the given order, those that do not exist left out.
    fn participant_counts(
        &self,
        conversations: Vec<ConversationId>,
    ) -> BoxFuture<'_, Result<Vec<(ConversationId, usize)>>>;

    /// Everybody who is in a conversation, with the seq after which each sees it.
    fn members(&self, conversation: ConversationId) -> BoxFuture<'_, Result<Vec<Membership>>>;

    /// How far everybody in a conversation has read, in the order of their ids: at most as many as a group may have.
    fn standings(&self, conversation: ConversationId) -> BoxFuture<'_, Result<Vec<Standing>>>;
}
