//! The chat itself: every command that changes or reads conversations passes here.

use std::sync::Arc;

use super::Rates;
use crate::{
    command::{
        Actor, Authority, ConversationPatch, MarkTarget, NewConversation, RoleChange, SendMessage,
    },
    error::{Code, Error, Result},
    event::Origin,
    ids::{ConversationId, MessageId, Seq, UserId},
    limits::Limits,
    model::{Conversation, ConversationKind, MessageKind, Watermark},
    port::{
        clock::Clock,
        store::{Appended, Context, CreatedConversation, SocketId, Store},
    },
};

/// The chat service. Cheap to share; the gateway and REST use the same one.
pub struct Chat {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    limits: Arc<Limits>,
    trust_host_users: bool,
    sends: Rates,
    edits: Rates,
}

impl Chat {
    /// `trust_host_users`: make unknown participants as bare users, because the host application knows them.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        limits: Arc<Limits>,
        trust_host_users: bool,
    ) -> Self {
        let (sends, edits) = (Rates::new("sends", limits.sends), Rates::new("edits", limits.edits));
        Self { store, clock, limits, trust_host_users, sends, edits }
    }

    /// The store, for reads that need no check but the store's own.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// The limits in force.
    #[must_use]
    pub fn limits(&self) -> &Arc<Limits> {
        &self.limits
    }

    /// Says something.
    ///
    /// # Errors
    /// Those of the limits, the policy and [`crate::port::store::MessageStore::append_message`].
    pub async fn send_message(
        &self,
        actor: Actor,
        origin: Option<Origin>,
        message: SendMessage,
    ) -> Result<Appended> {
        self.limits.check_text(&message.text)?;
        self.limits.check_metadata(message.metadata.as_deref())?;
        self.check_names(None, message.subject.as_deref(), None)?;
        if message.kind == MessageKind::System && actor.authority != Authority::Server {
            return Err(Error::new(
                Code::Forbidden,
                "only the host application speaks as the system",
            ));
        }
        self.limit(&self.sends, &actor)?;
        self.store.append_message(self.context(actor, origin), message).await
    }

    /// Changes what one's message says.
    ///
    /// # Errors
    /// Those of the limits, the policy and the store.
    pub async fn edit_message(
        &self,
        actor: Actor,
        origin: Option<Origin>,
        message: MessageId,
        text: Arc<str>,
    ) -> Result<Appended> {
        self.limits.check_text(&text)?;
        self.limit(&self.edits, &actor)?;
        self.store.edit_message(self.context(actor, origin), message, text).await
    }

    /// Takes a message back.
    ///
    /// # Errors
    /// Those of the limits, the policy and the store.
    pub async fn delete_message(
        &self,
        actor: Actor,
        origin: Option<Origin>,
        message: MessageId,
    ) -> Result<Appended> {
        self.limit(&self.edits, &actor)?;
        self.store.delete_message(self.context(actor, origin), message).await
    }

    /// Moves a watermark.
    ///
    /// # Errors
    /// Those of the policy and the store.
    pub async fn mark(
        &self,
        actor: Actor,
        origin: Option<Origin>,
        conversation: ConversationId,
        up_to: MarkTarget,
        read: bool,
    ) -> Result<Watermark> {
        self.store.mark(self.context(actor, origin), conversation, up_to, read).await
    }

    /// Marks messages read. Not limited: clients send hundreds of receipts that change nothing.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn mark_messages(
        &self,
        actor: Actor,
        origin: Option<Origin>,
        conversation: Option<ConversationId>,
        messages: Vec<MessageId>,
    ) -> Result<()> {
        self.store.mark_messages(self.context(actor, origin), conversation, messages).await
    }

    /// A client of the actor has certainly received what its socket was sent, up to these places.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn acknowledge_socket(
        &self,
        actor: Actor,
        socket: SocketId,
        received: Vec<(ConversationId, Seq)>,
    ) -> Result<()> {
        self.store.acknowledge_socket(self.context(actor, None), socket, received).await
    }

    /// Makes a conversation, or finds the one that stands.
    ///
    /// # Errors
    /// Those of the limits, the policy and the store; [`Code::InvalidFrame`] when the participants do not fit the kind.
    pub async fn create_conversation(
        &self,
        actor: Actor,
        origin: Option<Origin>,
        mut new: NewConversation,
    ) -> Result<CreatedConversation> {
        self.check_names(new.title.as_deref(), new.subject.as_deref(), new.external_id.as_deref())?;
        self.limits.check_metadata(new.metadata.as_deref())?;
        new.participants.retain(|user| *user != actor.user);
        new.participants.sort();
        new.participants.dedup();
        match new.kind {
            ConversationKind::Direct if new.participants.len() != 1 => {
                return Err(Error::new(
                    Code::InvalidFrame,
                    "a direct conversation is between you and exactly one other",
                ));
            }
            ConversationKind::Group if new.participants.len() >= self.limits.group_participants => {
                return Err(self.too_many_participants());
            }
            ConversationKind::Direct | ConversationKind::Group => {}
        }
        self.limit(&self.edits, &actor)?;
        self.store.create_conversation(self.context(actor, origin), new).await
    }

    /// Changes title, state or metadata.
    ///
    /// # Errors
    /// Those of the limits, the policy and the store.
    pub async fn change_conversation(
        &self,
        actor: Actor,
        id: ConversationId,
        patch: ConversationPatch,
    ) -> Result<Conversation> {
        self.check_names(patch.title.as_deref(), None, None)?;
        self.limits.check_metadata(patch.metadata.as_deref())?;
        self.limit(&self.edits, &actor)?;
        self.store.change_conversation(self.context(actor, None), id, patch).await
    }

    /// Adds somebody; whether he was new.
    ///
    /// # Errors
    /// Those of the limits, the policy and the store.
    pub async fn add_participant(
        &self,
        actor: Actor,
        origin: Option<Origin>,
        conversation: ConversationId,
        user: UserId,
    ) -> Result<bool> {
        self.limit(&self.edits, &actor)?;
        let most = self.limits.group_participants;
        self.store.add_participant(self.context(actor, origin), conversation, user, most).await
    }

    /// Removes somebody, or leaves.
    ///
    /// # Errors
    /// Those of the limits, the policy and the store.
    pub async fn remove_participant(
        &self,
        actor: Actor,
        origin: Option<Origin>,
        conversation: ConversationId,
        user: UserId,
    ) -> Result<()> {
        self.limit(&self.edits, &actor)?;
        self.store.remove_participant(self.context(actor, origin), conversation, user).await
    }

    /// Changes a role.
    ///
    /// # Errors
    /// Those of the limits, the policy and the store.
    pub async fn set_role(&self, actor: Actor, change: RoleChange) -> Result<()> {
        self.limit(&self.edits, &actor)?;
        self.store.set_role(self.context(actor, None), change).await
    }

    /// Blocks or unblocks; gives the direct conversations of the two.
    ///
    /// # Errors
    /// [`Code::InvalidFrame`] for oneself, and those of the store.
    pub async fn set_block(
        &self,
        actor: Actor,
        other: UserId,
        block: bool,
    ) -> Result<Vec<ConversationId>> {
        if actor.user == other {
            return Err(Error::new(Code::InvalidFrame, "you cannot block yourself"));
        }
        self.limit(&self.edits, &actor)?;
        self.store.set_block(self.context(actor, None), other, block).await
    }

    /// Forgets rate buckets that are full again. Called by the housekeeping job.
    pub fn sweep(&self) {
        let now = self.clock.monotonic();
        self.sends.sweep(now);
        self.edits.sweep(now);
    }

    fn context(&self, actor: Actor, origin: Option<Origin>) -> Context {
        let create_users = self.trust_host_users || actor.authority == Authority::Server;
        Context { actor, now: self.clock.now(), origin, create_users }
    }

    /// A server's own calls are not limited: it speaks for everybody.
    fn limit(&self, rates: &Rates, actor: &Actor) -> Result<()> {
        if !self.limits.rates_enforced || actor.authority == Authority::Server {
            return Ok(());
        }
        rates.take(&actor.user, self.clock.monotonic())
    }

    fn check_names(
        &self,
        title: Option<&str>,
        subject: Option<&str>,
        external_id: Option<&str>,
    ) -> Result<()> {
        for (what, text) in [("title", title), ("subject", subject), ("external_id", external_id)] {
            if let Some(text) = text {
                Limits::check_name(what, text, self.limits.title_chars)?;
            }
        }
        Ok(())
    }

    fn too_many_participants(&self) -> Error {
        Error::new(
            Code::Limit,
            format!("a group has at most {} participants", self.limits.group_participants),
        )
        .with_limit("group_participants")
    }
}
