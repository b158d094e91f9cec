//! Messages and how far they are read.

use std::sync::Arc;

use super::Context;
use crate::{
    command::{Actor, MarkTarget, SendMessage},
    error::Result,
    ids::{ConversationId, Epoch, MessageId, Seq, UserId},
    model::{Message, Revision, Watermark},
    port::BoxFuture,
};

/// What sending, editing or deleting gave.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Appended {
    /// The message in its present state.
    pub message: Arc<Message>,
    /// The life of the log.
    pub epoch: Epoch,
    /// Nothing was changed or published: the client id was known and this is the first one's message, the
    /// text was already this one, or the message was already deleted. Else the Change is `message.change_seq`.
    pub duplicate: bool,
}

/// Which page of a conversation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Page {
    /// The newest.
    Newest,
    /// The messages just before this seq.
    Before(Seq),
    /// The messages just after this seq.
    After(Seq),
}

/// A page of messages, oldest first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MessagePage {
    /// The messages, tombstones included.
    pub messages: Vec<Arc<Message>>,
    /// Whether the viewer may see older ones than the first.
    pub has_before: bool,
    /// Whether there are newer ones than the last.
    pub has_after: bool,
}

/// Which page of what stands in a conversation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HistoryFrom {
    /// The one at a place in the log.
    Place(Page),
    /// The newest, but for so many that are newer; past [`HistoryPage::COUNT_CAP`] there is nothing.
    Past(usize),
}

/// A page of what stands in a conversation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HistoryPage {
    /// The messages, without tombstones; `has_before` and `has_after` do not mean tombstones either.
    pub page: MessagePage,
    /// How many messages stand that the viewer may see, on whatever page; counted up to [`Self::COUNT_CAP`].
    pub count: u32,
}

impl HistoryPage {
    /// The count stops here.
    pub const COUNT_CAP: u32 = 100_000;
}

/// A page of what a user has not read, oldest first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnreadPage {
    /// The messages.
    pub messages: Vec<Arc<Message>>,
    /// How many he has not read in all, on whatever page; counted up to [`Self::COUNT_CAP`].
    pub count: u32,
    /// Where the next page begins, if there is one: after this message.
    pub next: Option<MessageId>,
}

impl UnreadPage {
    /// The count stops here.
    pub const COUNT_CAP: u32 = 10_000;
}

/// Messages.
pub trait MessageStore: Send + Sync + 'static {
    /// Stores a message (a Change). The same sender, conversation and client id give the first message back for
    /// ever, if text, metadata, kind and `reply_to` are the same; also to a sender who could not send it now.
    ///
    /// A participant who says something (what the system says does not count) has read what was said before: his
    /// watermark moves to his message. It moves silently, because the message tells it, unless it thereby covers
    /// messages of others: then an [`crate::event::Event::Receipt`] is published as by [`Self::mark`].
    ///
    /// A `subject` becomes the conversation's in the same step, where it has none; silently not, where another
    /// direct conversation of the same two has it.
    ///
    /// # Errors
    /// [`crate::Code::Conflict`] for a known client id with other content; [`crate::Code::NotFound`] for a
    /// `reply_to` that the sender cannot see, and for a `recipient` who is the sender or no participant.
    fn append_message(
        &self,
        context: Context,
        message: SendMessage,
    ) -> BoxFuture<'_, Result<Appended>>;

    /// Changes what a message says (a Change; none when the text is the same). The old text is kept as a revision.
    ///
    /// # Errors
    /// [`crate::Code::NotFound`] also when it is deleted.
    fn edit_message(
        &self,
        context: Context,
        id: MessageId,
        text: Arc<str>,
    ) -> BoxFuture<'_, Result<Appended>>;

    /// Makes a message a tombstone (a Change); its content and revisions are gone from the store when this
    /// answers (guarantee G21). Repeating it changes nothing.
    fn delete_message(&self, context: Context, id: MessageId) -> BoxFuture<'_, Result<Appended>>;

    /// One message.
    ///
    /// # Errors
    /// [`crate::Code::NotFound`].
    fn message(&self, actor: Actor, id: MessageId) -> BoxFuture<'_, Result<Arc<Message>>>;

    /// A page of a conversation.
    ///
    /// # Errors
    /// [`crate::Code::NotFound`].
    fn messages(
        &self,
        actor: Actor,
        conversation: ConversationId,
        page: Page,
        limit: usize,
    ) -> BoxFuture<'_, Result<MessagePage>>;

    /// A page of what stands in a conversation: as [`Self::messages`], for lists that show no tombstones. Deletions
    /// make no page shorter.
    ///
    /// # Errors
    /// [`crate::Code::NotFound`].
    fn history(
        &self,
        actor: Actor,
        conversation: ConversationId,
        from: HistoryFrom,
        limit: usize,
    ) -> BoxFuture<'_, Result<HistoryPage>>;

    /// What a message said before, oldest first, the present text last; nothing of a deleted one.
    ///
    /// # Errors
    /// [`crate::Code::NotFound`].
    fn revisions(&self, actor: Actor, id: MessageId) -> BoxFuture<'_, Result<Vec<Revision>>>;

    /// Moves the actor's watermark forward; never back, never past the end. Reading implies receiving. Publishes
    /// an [`crate::event::Event::Receipt`] when it moved. Returns where it stands. A message of his own as the
    /// target moves nothing.
    ///
    /// # Errors
    /// [`crate::Code::NotFound`], also for a message of another conversation.
    fn mark(
        &self,
        context: Context,
        conversation: ConversationId,
        up_to: MarkTarget,
        read: bool,
    ) -> BoxFuture<'_, Result<Watermark>>;

    /// "I have read up to each of these": in each of the actor's conversations that they are of, moves his read mark
    /// to the newest message of others among them, as [`Self::mark`] does. Only those of `conversation` count,
    /// where one is given. Messages that are unknown, not his to see, his own, or read already change nothing and
    /// are no error.
    ///
    /// It is cheap where nothing moves: it looks before it queues a writing step. All Receipts of the call carry the
    /// command's origin. How many messages it takes is the caller's to bound.
    fn mark_messages(
        &self,
        context: Context,
        conversation: Option<ConversationId>,
        messages: Vec<MessageId>,
    ) -> BoxFuture<'_, Result<()>>;

    /// What others have said in all conversations of a user above his read mark and that still stands: the first
    /// `limit` after a message, in the order of ids, which is that of their coming.
    fn unread(
        &self,
        user: UserId,
        after: Option<MessageId>,
        limit: usize,
    ) -> BoxFuture<'_, Result<UnreadPage>>;
}
