//! The durable truth, as a few small traits. Every method is one atomic business step.
//!
//! # Contract for every implementation
//! - A method that writes answers only after its transaction is flushed to disk (guarantee G1). Concurrent
//!   writes may share a transaction, in the order in which they were called by one task.
//! - A Change takes the conversation's next seq inside the transaction that stores it (G4).
//! - The facts of a decision are read in the same transaction, and [`crate::policy::decide`] is asked there;
//!   when it refuses, nothing is stored.
//! - After a commit and before its callers are answered, the [`CommitSink`] gets the envelopes of the
//!   transaction, those of one conversation in the order of their seqs. Of a step's envelopes exactly one carries
//!   the command's origin: the one that the reply stands for.
//! - Stored times are `max(now, the conversation's latest)`, so that they never go back in a conversation (G17).
//! - A read sees every write that was answered before it began, and never waits for a writer.
//! - Errors: a refusal carries its own code; [`crate::Code::Unavailable`] means that nothing was stored,
//!   [`crate::Code::Unknown`] that it cannot be told (a connection lost in COMMIT).
//! - A user sees a Change when he is a participant now, and was one as of the message's creation (its own
//!   seq for other Changes). His own leaving is the last that he sees.

use std::sync::Arc;

use super::BoxFuture;
use crate::{
    command::{Actor, ConversationPatch, MarkTarget, NewConversation, RoleChange, SendMessage},
    error::Result,
    event::{Envelope, Event, Origin},
    ids::{ConversationId, Epoch, MessageId, Seq, UserId},
    model::{
        ApiKey, Conversation, ConversationSummary, Credential, Membership, Message, Millis,
        Participant, Profile, Revision, Session, SessionId, TokenHash, User, UserState, Watermark,
    },
};

/// Everything that is kept.
pub trait Store:
    UserStore + ConversationStore + MessageStore + LogStore + AccountStore + SessionStore
{
    /// Whether the store answers and can write.
    ///
    /// # Errors
    /// What is wrong.
    fn check(&self) -> BoxFuture<'_, Result<()>>;

    /// Commits what is queued, checkpoints and ends. Later calls answer [`crate::Code::Unavailable`].
    fn close(&self) -> BoxFuture<'_, ()>;

    /// Figures for the metrics page.
    fn stats(&self) -> StoreStats;
}

/// What a store tells of itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct StoreStats {
    /// Transactions committed since the start.
    pub commits: u64,
    /// Writing steps in them.
    pub writes: u64,
    /// Writing steps that wait at this moment.
    pub queued: u64,
    /// Sends whose client id was already known.
    pub duplicates: u64,
}

/// Gets what was committed. Called on the store's writer: it must only hand on.
pub trait CommitSink: Send + Sync + 'static {
    /// These envelopes are durable now.
    fn committed(&self, envelopes: Vec<Envelope>);
}

/// Who asks, when, and over which connection: what every writing step needs to know.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Context {
    /// On whose behalf.
    pub actor: Actor,
    /// The wall clock.
    pub now: Millis,
    /// The command that asks, if it came over a connection.
    pub origin: Option<Origin>,
    /// Whether users unknown so far are made as bare ones (`auth.trust_host_users`).
    pub create_users: bool,
}

/// What is known of a user from a sign-in or from the host application. `None` leaves a field as it is, an
/// empty text returns it to its default.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProfileUpdate {
    /// Who.
    pub id: UserId,
    /// A short name.
    pub username: Option<Arc<str>>,
    /// The name to show.
    pub name: Option<Arc<str>>,
    /// The address for mail.
    pub email: Option<Arc<str>>,
    /// Address of a picture.
    pub avatar: Option<Arc<str>>,
}

/// Users and what they think of each other.
pub trait UserStore: Send + Sync + 'static {
    /// Makes the user or updates its profile; writes nothing when nothing differs.
    fn save_user(&self, update: ProfileUpdate, now: Millis) -> BoxFuture<'_, Result<User>>;

    /// One user; `None` when unknown.
    fn user(&self, id: UserId) -> BoxFuture<'_, Result<Option<User>>>;

    /// Users whose name, username or id begins with `prefix` (without regard to case), the viewer and banned
    /// users left out, in the order of names.
    fn search_users(
        &self,
        viewer: UserId,
        prefix: Arc<str>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Arc<Profile>>>>;

    /// Remembers when users were last there. A lost one is harmless.
    fn set_last_seen(&self, seen: Vec<(UserId, Millis)>) -> BoxFuture<'_, Result<()>>;

    /// Bans or readmits.
    ///
    /// # Errors
    /// [`crate::Code::NotFound`] for an unknown user.
    fn set_user_state(&self, id: UserId, state: UserState) -> BoxFuture<'_, Result<()>>;

    /// Refuses tokens issued before `before` from now on, and ends all sessions of the user.
    ///
    /// # Errors
    /// [`crate::Code::NotFound`] for an unknown user.
    fn revoke_user(&self, id: UserId, before: Millis) -> BoxFuture<'_, Result<()>>;

    /// Blocks or unblocks; repeating it changes nothing. Returns the direct conversations of the two.
    ///
    /// # Errors
    /// [`crate::Code::NotFound`] when a user to be blocked is unknown and `create_users` is off.
    fn set_block(
        &self,
        context: Context,
        blocked: UserId,
        block: bool,
    ) -> BoxFuture<'_, Result<Vec<ConversationId>>>;

    /// Whom a user has blocked, in the order of ids.
    fn blocks(&self, user: UserId) -> BoxFuture<'_, Result<Vec<Arc<Profile>>>>;

    /// Those whom the user has blocked and those who have blocked him: they do not see each other's presence.
    fn hidden_from(&self, user: UserId) -> BoxFuture<'_, Result<Vec<UserId>>>;
}

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

    /// The user's conversations, most recent activity first. `query` keeps those whose title, or whose other
    /// participants' names, contain it (without regard to case).
    fn conversations(
        &self,
        user: UserId,
        after: Option<ListCursor>,
        limit: usize,
        query: Option<Arc<str>>,
    ) -> BoxFuture<'_, Result<Vec<ConversationSummary>>>;

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

/// Messages.
pub trait MessageStore: Send + Sync + 'static {
    /// Stores a message (a Change). The same sender, conversation and client id give the first message back for
    /// ever, if text, metadata, kind and `reply_to` are the same; also to a sender who could not send it now.
    ///
    /// A participant who says something (what the system says does not count) has read what was said before: his
    /// watermark moves to his message. It moves silently, because the message tells it, unless it thereby covers
    /// messages of others: then an [`crate::event::Event::Receipt`] is published as by [`Self::mark`].
    ///
    /// # Errors
    /// [`crate::Code::Conflict`] for a known client id with other content; [`crate::Code::NotFound`] for a
    /// `reply_to` that the sender cannot see.
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
}

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

    /// Everybody who is in a conversation, with the seq after which each sees it.
    fn members(&self, conversation: ConversationId) -> BoxFuture<'_, Result<Vec<Membership>>>;
}

/// Built-in accounts and API keys.
pub trait AccountStore: Send + Sync + 'static {
    /// Makes the password of a user, or replaces it. The user exists.
    ///
    /// # Errors
    /// [`crate::Code::Conflict`] when another user signs in with that name.
    fn set_credential(&self, credential: Credential, now: Millis) -> BoxFuture<'_, Result<()>>;

    /// The credential of a sign-in name, compared without regard to case.
    fn credential(&self, username: Arc<str>) -> BoxFuture<'_, Result<Option<Credential>>>;

    /// Adds an API key.
    ///
    /// # Errors
    /// [`crate::Code::Conflict`] when the name is taken.
    fn add_api_key(&self, key: ApiKey) -> BoxFuture<'_, Result<()>>;

    /// Removes an API key; whether there was one.
    fn remove_api_key(&self, name: Arc<str>) -> BoxFuture<'_, Result<bool>>;

    /// The API key of a secret.
    fn api_key(&self, secret: TokenHash) -> BoxFuture<'_, Result<Option<ApiKey>>>;

    /// All API keys, in the order of names.
    fn api_keys(&self) -> BoxFuture<'_, Result<Vec<ApiKey>>>;
}

/// What presenting a refresh token gave.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Rotation {
    /// It was the current one; the new one is in its place.
    Rotated(Session),
    /// It was used before: the session is revoked, because somebody has stolen it (J5).
    Reused(Session),
    /// There is no such token, or its session has ended.
    Unknown,
}

/// Sessions and tickets.
pub trait SessionStore: Send + Sync + 'static {
    /// Keeps a new session.
    fn create_session(&self, session: Session) -> BoxFuture<'_, Result<()>>;

    /// The session that stands under an id at `now`.
    fn session(&self, id: SessionId, now: Millis) -> BoxFuture<'_, Result<Option<Session>>>;

    /// The session that a cookie stands for at `now`.
    fn session_by_cookie(
        &self,
        cookie: TokenHash,
        now: Millis,
    ) -> BoxFuture<'_, Result<Option<Session>>>;

    /// Replaces a refresh token by its successor, once.
    fn rotate_refresh(
        &self,
        used: TokenHash,
        successor: TokenHash,
        now: Millis,
    ) -> BoxFuture<'_, Result<Rotation>>;

    /// Ends a session; whether it stood.
    fn end_session(&self, id: SessionId) -> BoxFuture<'_, Result<bool>>;

    /// Keeps a ticket: who may open one socket with it, until when. `identity` is the holder's own encoding.
    fn create_ticket(
        &self,
        ticket: TokenHash,
        identity: Arc<str>,
        expires_at: Millis,
    ) -> BoxFuture<'_, Result<()>>;

    /// Takes a ticket: of several takers exactly one gets it, if it has not expired.
    fn take_ticket(
        &self,
        ticket: TokenHash,
        now: Millis,
    ) -> BoxFuture<'_, Result<Option<Arc<str>>>>;

    /// Forgets sessions and tickets that ended before `now`.
    fn sweep_sessions(&self, now: Millis) -> BoxFuture<'_, Result<u64>>;
}
