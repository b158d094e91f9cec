//! What is said and marked in conversations, many steps in one transaction: the facts of all of them are read in one
//! round trip, everything is decided here, and all rows are written in another one, with the commit.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use parlour_core::{
    ConversationId, Error, MessageId, Result, Seq, UserId,
    command::{MarkTarget, SendMessage},
    model::{Message, Watermark},
    port::store::{Appended, Context},
};

use super::{batch::Tx, db::Step, decisions::Decisions, facts, group_facts::Known, rows::int};
use crate::mutant;

/// A step that goes in a group.
pub(super) struct Item {
    pub(super) context: Context,
    pub(super) what: What,
}

/// What a step asks for.
pub(super) enum What {
    /// To say something.
    Say {
        message: SendMessage,
        /// Of its content.
        hash: [u8; 32],
    },
    /// To move the actor's watermark forward.
    Mark { conversation: ConversationId, up_to: MarkTarget, read: bool },
    /// The same; nothing happens where he is no participant, or has moved past it.
    Follow { conversation: ConversationId, up_to: Seq, read: bool },
}

/// What a step has given.
#[derive(Clone, Debug)]
pub(super) enum Done {
    Said(Appended),
    Marked(Watermark),
    Followed,
}

impl Item {
    /// The conversation that it is about.
    pub(super) const fn conversation(&self) -> ConversationId {
        match &self.what {
            What::Say { message, .. } => message.conversation,
            What::Mark { conversation, .. } | What::Follow { conversation, .. } => *conversation,
        }
    }

    pub(super) const fn user(&self) -> &UserId {
        &self.context.actor.user
    }

    /// The message that it names, if it names one.
    pub(super) const fn target(&self) -> Option<MessageId> {
        match &self.what {
            What::Say { message, .. } => message.reply_to,
            What::Mark { up_to: MarkTarget::Message(id), .. } => Some(*id),
            What::Mark { .. } | What::Follow { .. } => None,
        }
    }
}

/// What a group has written: how to find out whether it was committed.
#[derive(Clone, Debug)]
pub(super) enum Trace {
    /// Nothing.
    Nothing,
    /// This message, among others.
    Message(MessageId),
    /// That this user's watermark stands there, in its version, among others.
    Mark { conversation: ConversationId, user: UserId, to: Watermark, version: u64 },
}

/// What running a group has given.
pub(super) struct Outcome {
    /// Each item's answer, if the transaction is committed.
    pub(super) answers: Vec<Result<Done>>,
    pub(super) trace: Trace,
    /// Those whose rows the transaction holds.
    pub(super) conversations: Vec<ConversationId>,
}

/// Runs a group in a transaction. Its last statements are on their way when this returns.
pub(super) async fn run(tx: &mut Tx, items: &[Item]) -> Step<Outcome> {
    if mutant("dedup_by_window")
        && let Some(item) = items.first()
    {
        let sql = "UPDATE messages SET client_id = NULL WHERE created_at < $1";
        tx.db.run(sql, &[&(item.context.now - 1_000)]).await?;
    }
    let known = Known::read(&tx.db, items).await?;
    let conversations = known.conversations();
    let mut decisions = Decisions::new(known);
    let mut answers = Vec::with_capacity(items.len());
    for item in items {
        answers.push(decisions.take(tx, item));
    }
    let trace = decisions.trace();
    decisions.write(tx).await?;
    Ok(Outcome { answers, trace, conversations })
}

impl Outcome {
    /// Whether this was committed, seen from another transaction. It takes the rows of the conversations, which the lost one
    /// had: so that one has ended.
    pub(super) fn is_there<'t>(&self, tx: &'t mut Tx) -> BoxFuture<'t, Step<bool>> {
        let (conversations, trace) = (self.conversations.clone(), self.trace.clone());
        Box::pin(async move {
            facts::lock(&tx.db, &conversations).await?;
            trace.is_there(tx).await
        })
    }
}

impl Trace {
    /// Whether it is there.
    async fn is_there(&self, tx: &Tx) -> Step<bool> {
        match self {
            Self::Nothing => Ok(true),
            Self::Message(id) => {
                tx.db.exists("SELECT 1 FROM messages WHERE id = $1", &[&int(id.0)]).await
            }
            Self::Mark { conversation, user, to, version } => {
                let sql = "SELECT 1 FROM participants WHERE conversation = $1 AND user_id = $2 \
                     AND delivered_seq >= $3 AND read_seq >= $4 AND receipt_version >= $5";
                tx.db
                    .exists(
                        sql,
                        &[
                            &int(conversation.0),
                            &user.as_str(),
                            &int(to.delivered.0),
                            &int(to.read.0),
                            &int(*version),
                        ],
                    )
                    .await
            }
        }
    }
}

/// "This answer is of another kind": never happens, and is no reason to panic.
fn mixed_up() -> Error {
    Error::internal("a step was answered with something else")
}

impl Done {
    pub(super) fn said(self) -> Result<Appended> {
        if let Self::Said(appended) = self { Ok(appended) } else { Err(mixed_up()) }
    }

    pub(super) fn marked(self) -> Result<Watermark> {
        if let Self::Marked(watermark) = self { Ok(watermark) } else { Err(mixed_up()) }
    }
}

/// A message that stands above somebody's read mark.
#[derive(Clone, Debug)]
pub(super) struct Unread {
    pub(super) seq: Seq,
    pub(super) id: MessageId,
    pub(super) sender: UserId,
}

/// A message to be written.
pub(super) struct NewMessage {
    pub(super) message: Arc<Message>,
    pub(super) hash: [u8; 32],
}
