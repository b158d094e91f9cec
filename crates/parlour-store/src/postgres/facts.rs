//! What every step in a conversation reads first: the conversation, the actor's place in it, and what he may see of it.

use parlour_core::{
    ConversationId, Epoch, Error, MessageId, Result, Seq, UserId,
    command::{Actor, Authority},
    event::{Envelope, Event, Origin},
    model::{ConversationKind, ConversationState, Message, Millis, Role, Watermark},
    policy::{self, Action, Facts},
};
use tokio_postgres::Row;

use super::{
    batch::Tx,
    db::{Db, Step},
    rows::{self, MESSAGE, MESSAGES, int, number, seq},
};
pub(super) use crate::stored::Sight;

/// A conversation with one actor's place in it, as of the running transaction.
pub(super) struct View {
    pub(super) conversation: ConversationId,
    pub(super) kind: ConversationKind,
    pub(super) state: ConversationState,
    pub(super) epoch: Epoch,
    pub(super) last_seq: Seq,
    /// The latest time that is stored in it.
    pub(super) latest_at: Millis,
    /// The actor's place; `None` when he is no participant.
    pub(super) mine: Option<Mine>,
    pub(super) authority: Authority,
    pub(super) user: UserId,
    pub(super) blocked: bool,
}

/// A participant's place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mine {
    pub(super) role: Role,
    pub(super) joined_seq: Seq,
    pub(super) watermark: Watermark,
}

/// What is read of a conversation and a place in it, `$2`.
const VIEW: &str = "SELECT c.id, c.kind, c.state, c.epoch, c.last_seq, c.latest_at, \
       p.role, p.joined_seq, p.delivered_seq, p.read_seq, \
       c.kind = 0 AND ( \
         EXISTS (SELECT 1 FROM participants o JOIN blocks b ON b.blocker = o.user_id AND b.blocked = $2 \
                 WHERE o.conversation = c.id) \
         OR EXISTS (SELECT 1 FROM participants o JOIN blocks b ON b.blocker = $2 AND b.blocked = o.user_id \
                    WHERE o.conversation = c.id)) \
     FROM conversations c LEFT JOIN participants p ON p.conversation = c.id AND p.user_id = $2 \
     WHERE c.id = ";

/// Where the conversation of a message is named by the message.
const OF_MESSAGE: &str = "(SELECT conversation FROM messages WHERE id = $1)";

/// Takes the row of one conversation: nobody else changes anything in it until the end of the transaction.
const LOCK: &str = "SELECT 1 FROM conversations WHERE id = ";

/// Takes the rows of several conversations, in ascending order.
pub(super) const LOCK_SEVERAL: &str =
    "SELECT id FROM conversations WHERE id = ANY ($1) ORDER BY id FOR NO KEY UPDATE";

/// Takes conversations' rows, in ascending order; the result waits until it has them all. Those that do not exist
/// are passed over.
pub(super) async fn lock(db: &Db, conversations: &[ConversationId]) -> Step<()> {
    let ids: Vec<i64> = conversations.iter().map(|id| int(id.0)).collect();
    db.run(LOCK_SEVERAL, &[&ids]).await?;
    Ok(())
}

impl View {
    /// Reads it; "not found" when there is no such conversation. For steps that write there is [`Self::lock`].
    pub(super) async fn load(db: &Db, conversation: ConversationId, actor: &Actor) -> Step<Self> {
        let sql = format!("{VIEW}$1");
        let params = (int(conversation.0), actor.user.as_str());
        let view = db.one(&sql, &[&params.0, &params.1], |row| view(row, actor)).await?;
        Ok(view.ok_or_else(Error::not_found)?)
    }

    /// Takes the conversation's row and reads it, in one round trip: the first thing that a step does which
    /// writes in a conversation.
    pub(super) async fn lock(db: &Db, conversation: ConversationId, actor: &Actor) -> Step<Self> {
        let id = int(conversation.0);
        let lock = db.send(&format!("{LOCK}$1 FOR NO KEY UPDATE"), &[&id]).await?;
        // A statement of its own, so that it sees what was committed while the lock was waited for.
        let found = db.send(&format!("{VIEW}$1"), &[&id, &actor.user.as_str()]).await?;
        lock.count().await?;
        Ok(found.one(|row| view(row, actor)).await?.ok_or_else(Error::not_found)?)
    }

    /// The same for the conversation of a message, with the message; "not found" unless the actor sees it.
    pub(super) async fn lock_message(
        db: &Db,
        message: MessageId,
        actor: &Actor,
    ) -> Step<(Self, Message)> {
        let id = int(message.0);
        let lock = db.send(&format!("{LOCK}{OF_MESSAGE} FOR NO KEY UPDATE"), &[&id]).await?;
        let sent = Self::send_message(db, message, actor).await?;
        lock.count().await?;
        Self::visible(db, sent, actor).await
    }

    /// A message with its conversation, to read; "not found" unless the actor sees it.
    pub(super) async fn with_message(
        db: &Db,
        message: MessageId,
        actor: &Actor,
    ) -> Step<(Self, Message)> {
        let sent = Self::send_message(db, message, actor).await?;
        Self::visible(db, sent, actor).await
    }

    async fn send_message(
        db: &Db,
        message: MessageId,
        actor: &Actor,
    ) -> Step<(super::db::Sent, super::db::Sent)> {
        let id = int(message.0);
        let sql = format!("SELECT {MESSAGE} FROM {MESSAGES} WHERE m.id = $1");
        let message = db.send(&sql, &[&id]).await?;
        let found = db.send(&format!("{VIEW}{OF_MESSAGE}"), &[&id, &actor.user.as_str()]).await?;
        Ok((message, found))
    }

    async fn visible(
        db: &Db,
        (message, found): (super::db::Sent, super::db::Sent),
        actor: &Actor,
    ) -> Step<(Self, Message)> {
        let message = message.one(rows::message).await?.ok_or_else(Error::not_found)?;
        let view = found.one(|row| view(row, actor)).await?.ok_or_else(Error::not_found)?;
        view.allow(Action::Read)?;
        if !view.sight(db).await?.sees(message.seq) {
            return Err(Error::not_found().into());
        }
        Ok((view, message))
    }

    /// The same as [`Self::load`], for an actor who may read it.
    pub(super) async fn readable(
        db: &Db,
        conversation: ConversationId,
        actor: &Actor,
    ) -> Step<Self> {
        let view = Self::load(db, conversation, actor).await?;
        view.allow(Action::Read)?;
        Ok(view)
    }

    /// Asks the policy.
    pub(super) fn allow(&self, action: Action) -> Result<()> {
        let facts = Facts {
            authority: self.authority,
            role: self.mine.map(|mine| mine.role),
            kind: self.kind,
            state: self.state,
            blocked: self.blocked,
        };
        policy::decide(action, &facts)
    }

    /// What the actor may see of the log. Somebody who is in it sees his part, a server that is not sees all.
    pub(super) async fn sight(&self, db: &Db) -> Step<Sight> {
        match &self.mine {
            None => Ok(Sight::of_everything()),
            Some(mine) => sight(db, self.conversation, &self.user, mine.joined_seq).await,
        }
    }

    /// The time to store for something that happens now (guarantee G17).
    pub(super) fn time(&self, now: Millis) -> Millis {
        now.max(self.latest_at)
    }

    /// Takes the next seq for a Change that is no new message, and its time.
    pub(super) async fn next_change(&mut self, tx: &mut Tx, now: Millis) -> Step<(Seq, Millis)> {
        self.last_seq = self.last_seq.next();
        self.latest_at = self.time(now);
        tx.send(
            "UPDATE conversations SET last_seq = $2, latest_at = $3 WHERE id = $1",
            &[&int(self.conversation.0), &int(self.last_seq.0), &self.latest_at],
        )
        .await?;
        Ok((self.last_seq, self.latest_at))
    }

    /// Puts an event of this conversation into its envelope.
    pub(super) const fn envelope(
        &self,
        seq: Option<Seq>,
        at: Millis,
        origin: Option<Origin>,
        event: Event,
    ) -> Envelope {
        Envelope {
            conversation: Some(self.conversation),
            epoch: self.epoch,
            seq,
            at,
            origin,
            event,
        }
    }
}

fn view(row: &Row, actor: &Actor) -> Step<View> {
    let mine = match row.try_get::<_, Option<i16>>(6)? {
        Some(_) => Some(Mine {
            role: rows::read_role(row, 6)?,
            joined_seq: seq(row, 7)?,
            watermark: Watermark { delivered: seq(row, 8)?, read: seq(row, 9)? },
        }),
        None => None,
    };
    Ok(View {
        conversation: ConversationId(number(row, 0)?),
        kind: rows::read_conversation_kind(row, 1)?,
        state: rows::read_conversation_state(row, 2)?,
        epoch: Epoch(number(row, 3)?),
        last_seq: seq(row, 4)?,
        latest_at: rows::integer(row, 5)?,
        mine,
        authority: actor.authority,
        user: actor.user.clone(),
        blocked: rows::boolean(row, 10)?,
    })
}

/// What a participant sees who joined after `joined`, and perhaps was there before.
pub(super) async fn sight(
    db: &Db,
    conversation: ConversationId,
    user: &UserId,
    joined: Seq,
) -> Step<Sight> {
    if joined == Seq::ZERO {
        return Ok(Sight::of_everything());
    }
    Ok(Sight::of(past(db, conversation, user).await?, joined))
}

/// What somebody saw who has left: after the first seq, up to and with the second.
pub(super) async fn past(
    db: &Db,
    conversation: ConversationId,
    user: &UserId,
) -> Step<Vec<(Seq, Seq)>> {
    db.all(
        "SELECT from_seq, to_seq FROM past_memberships WHERE conversation = $1 AND user_id = $2 \
         ORDER BY from_seq",
        &[&int(conversation.0), &user.as_str()],
        |row| Ok((seq(row, 0)?, seq(row, 1)?)),
    )
    .await
}
