//! Conversations and their participants.

use std::sync::Arc;

use super::Context;
use crate::{
    command::{Actor, ConversationPatch, NewConversation, RoleChange},
    error::Result,
    ids::{ConversationId, UserId},
    model::{Conversation, ConversationSummary, Millis, Participant},
    port::BoxFuture,
};

/// A conversation that was made or found.
#[derive(Clone, PartialEq, Debug)]
pub struct CreatedConversation {
    /// As its maker sees it.
    pub summary: ConversationSummary,
    /// `false` when it stood already.
    pub created: bool,
}

/// Where a page of the conversation list begins: after this one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ListCursor {
    /// Its last activity.
    pub active_at: Millis,
    /// Its id.
    pub id: ConversationId,
}

/// Conversations and their participants.
pub trait ConversationStore: Send + Sync + 'static {
    /// Makes a conversation, or finds the one that stands (direct: same two users and subject; else same
    /// external id of which the actor is a participant). The caller has checked names and counts. The maker of a group owns it.
    ///
    /// # Errors
    /// [`crate::Code::NotFound`] when a participant is unknown and `create_users` is off,
    /// [`crate::Code::Blocked`] when a participant has blocked the actor or, where none stands yet between two,
    /// the other way round, [`crate::Code::Conflict`] when the external id belongs to a conversation that the
    /// actor is not in.
    fn create_conversation(
        &self,
        context: Context,
        new: NewConversation,
    ) -> BoxFuture<'_, Result<CreatedConversation>>;

    /// One conversation as the actor sees it. A server sees every conversation.
    ///
    /// # Errors
    /// [`crate::Code::NotFound`].
    fn conversation(
        &self,
        actor: Actor,
        id: ConversationId,
    ) -> BoxFuture<'_, Result<ConversationSummary>>;

    /// The direct conversation of two users that is about nothing; `None` where there is none. Makes nothing.
    fn direct_between(
        &self,
        one: UserId,
        other: UserId,
    ) -> BoxFuture<'_, Result<Option<ConversationId>>>;

    /// The user's conversations, most recent activity first. `query` keeps those whose title, or whose other
    /// participants' names, contain it (without regard to case).
    fn conversations(
        &self,
        user: UserId,
        after: Option<ListCursor>,
        limit: usize,
        query: Option<Arc<str>>,
    ) -> BoxFuture<'_, Result<Vec<ConversationSummary>>>;

    /// How many conversations the user is in.
    fn conversation_count(&self, user: UserId) -> BoxFuture<'_, Result<u64>>;

    /// The participants in the order of their ids, after `after`.
    ///
    /// # Errors
    /// [`crate::Code::NotFound`].
    fn participants(
        &self,
        actor: Actor,
        id: ConversationId,
        after: Option<UserId>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Participant>>>;

    /// Changes title, state or metadata (one Change; none when nothing differs).
    fn change_conversation(
        &self,
        context: Context,
        id: ConversationId,
        patch: ConversationPatch,
    ) -> BoxFuture<'_, Result<Conversation>>;

    /// Adds a user (a Change), at most `most` in all. Returns whether he was new. His own joining is the first
    /// that he sees, and he has read all before it; who enters an empty group owns it.
    ///
    /// # Errors
    /// [`crate::Code::Limit`] when full, [`crate::Code::Blocked`] when the user has blocked the actor, and
    /// those of [`Self::create_conversation`].
    fn add_participant(
        &self,
        context: Context,
        id: ConversationId,
        user: UserId,
        most: usize,
    ) -> BoxFuture<'_, Result<bool>>;

    /// Removes a user, or lets him leave (a Change). When the owner leaves, the longest-standing admin, else
    /// the longest-standing member, becomes owner in the same step (a Change of its own, first).
    ///
    /// # Errors
    /// [`crate::Code::NotFound`] when he is no participant.
    fn remove_participant(
        &self,
        context: Context,
        id: ConversationId,
        user: UserId,
    ) -> BoxFuture<'_, Result<()>>;

    /// Changes a role (a Change). Naming an owner makes the old owner an admin (a Change of its own, first).
    ///
    /// # Errors
    /// [`crate::Code::NotFound`] when he is no participant, [`crate::Code::Conflict`] for taking the role of the
    /// owner away without naming another.
    fn set_role(&self, context: Context, change: RoleChange) -> BoxFuture<'_, Result<()>>;
}
