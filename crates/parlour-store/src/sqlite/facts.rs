//! What every step in a conversation reads first: the conversation, the actor's place in it, and what he may see of it.

use parlour_core::{
    ConversationId, Epoch, Error, Result, Seq, UserId,
    command::{Actor, Authority},
    event::{Envelope, Event, Origin},
    model::{ConversationKind, ConversationState, Millis, Role, Watermark},
    policy::{self, Action, Facts},
};

use super::{
    batch::Tx,
    db::{Db, Step},
    rows::{self, int, number, seq},
};
pub(super) use crate::stored::Sight;

/// A conversation with one actor's place in it, as of the running transaction.
pub(super) struct View {
    pub(super) conversation: ConversationId,
    pub(super) head: Head,
    pub(super) place: Place,
    pub(super) user: UserId,
    pub(super) authority: Authority,
}

/// The conversation itself.
#[derive(Clone, Copy)]
pub(super) struct Head {
    pub(super) kind: ConversationKind,
    pub(super) state: ConversationState,
    pub(super) epoch: Epoch,
    pub(super) last_seq: Seq,
    pub(super) receipts: u64,
    /// The latest time that is stored in it.
    pub(super) latest_at: Millis,
}

/// What it is to one user.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// `None` when he is no participant.
    pub(super) mine: Option<Mine>,
    pub(super) blocked: bool,
}

/// A participant's place.
#[derive(Clone, Copy)]
pub(super) struct Mine {
    pub(super) role: Role,
    pub(super) joined_seq: Seq,
    pub(super) watermark: Watermark,
}

/// What is read of a conversation and a place in it.
const VIEW: &str = "SELECT c.kind, c.state, c.epoch, c.last_seq, c.receipts, c.latest_at, \
       p.role, p.joined_seq, p.delivered_seq, p.read_seq, \
       c.kind = 0 AND ( \
         EXISTS (SELECT 1 FROM participants o JOIN blocks b ON b.blocker = o.user AND b.blocked = ?2 \
                 WHERE o.conversation = c.id) \
         OR EXISTS (SELECT 1 FROM participants o JOIN blocks b ON b.blocker = ?2 AND b.blocked = o.user \
                    WHERE o.conversation = c.id)) \
     FROM conversations c LEFT JOIN participants p ON p.conversation = c.id AND p.user = ?2 \
     WHERE c.id = ?1";

impl View {
    /// Reads it; "not found" when there is no such conversation.
    pub(super) fn load(db: &Db, conversation: ConversationId, actor: &Actor) -> Step<Self> {
        let found = db.one(VIEW, (int(conversation.0), actor.user.as_str()), |row| {
            let mine = match row.get::<_, Option<i64>>(6)? {
                Some(_) => Some(Mine {
                    role: rows::read_role(row, 6)?,
                    joined_seq: seq(row, 7)?,
                    watermark: Watermark { delivered: seq(row, 8)?, read: seq(row, 9)? },
                }),
                None => None,
            };
            let head = Head {
                kind: rows::read_conversation_kind(row, 0)?,
                state: rows::read_conversation_state(row, 1)?,
                epoch: Epoch(number(row, 2)?),
                last_seq: seq(row, 3)?,
                receipts: number(row, 4)?,
                latest_at: row.get(5)?,
            };
            Ok((head, Place { mine, blocked: row.get(10)? }))
        })?;
        let (head, place) = found.ok_or_else(Error::not_found)?;
        Ok(Self::new(conversation, actor, head, place))
    }

    /// What is known of it, for an actor.
    pub(super) fn new(
        conversation: ConversationId,
        actor: &Actor,
        head: Head,
        place: Place,
    ) -> Self {
        let (user, authority) = (actor.user.clone(), actor.authority);
        Self { conversation, head, place, user, authority }
    }

    /// The same in a writing step, which may remember it from an earlier one.
    pub(super) fn known(db: &Db, conversation: ConversationId, actor: &Actor) -> Step<Self> {
        if let Some(view) = db.views().get(conversation, actor) {
            return Ok(view);
        }
        let mut view = Self::load(db, conversation, actor)?;
        db.unwritten().apply(&mut view);
        db.views().keep(&view);
        Ok(view)
    }

    /// The same, for an actor who may read it.
    pub(super) fn readable(db: &Db, conversation: ConversationId, actor: &Actor) -> Step<Self> {
        let view = Self::load(db, conversation, actor)?;
        view.allow(Action::Read)?;
        Ok(view)
    }

    /// Asks the policy.
    pub(super) fn allow(&self, action: Action) -> Result<()> {
        let facts = Facts {
            authority: self.authority,
            role: self.place.mine.map(|mine| mine.role),
            kind: self.head.kind,
            state: self.head.state,
            blocked: self.place.blocked,
        };
        policy::decide(action, &facts)
    }

    /// What the actor may see of the log. Somebody who is in it sees his part, a server that is not sees all.
    pub(super) fn sight(&self, db: &Db) -> rusqlite::Result<Sight> {
        match &self.place.mine {
            None => Ok(Sight::of_everything()),
            Some(mine) => sight(db, self.conversation, &self.user, mine.joined_seq),
        }
    }

    /// The time to store for something that happens now (guarantee G17).
    pub(super) fn time(&self, now: Millis) -> Millis {
        now.max(self.head.latest_at)
    }

    /// Takes the next seq for a Change that is no new message, and its time.
    pub(super) fn next_change(
        &mut self,
        tx: &Tx<'_>,
        now: Millis,
    ) -> rusqlite::Result<(Seq, Millis)> {
        self.head.last_seq = self.head.last_seq.next();
        self.head.latest_at = self.time(now);
        tx.db.run(
            "UPDATE conversations SET last_seq = ?2, latest_at = ?3 WHERE id = ?1",
            (int(self.conversation.0), int(self.head.last_seq.0), self.head.latest_at),
        )?;
        tx.db.views().keep(self);
        Ok((self.head.last_seq, self.head.latest_at))
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
            epoch: self.head.epoch,
            seq,
            at,
            origin,
            event,
        }
    }
}

/// What a participant sees who joined after `joined`, and perhaps was there before.
pub(super) fn sight(
    db: &Db,
    conversation: ConversationId,
    user: &UserId,
    joined: Seq,
) -> rusqlite::Result<Sight> {
    if joined == Seq::ZERO {
        return Ok(Sight::of_everything());
    }
    Ok(Sight::of(past(db, conversation, user)?, joined))
}

/// What somebody saw who has left: after the first seq, up to and with the second.
pub(super) fn past(
    db: &Db,
    conversation: ConversationId,
    user: &UserId,
) -> rusqlite::Result<Vec<(Seq, Seq)>> {
    db.all(
        "SELECT from_seq, to_seq FROM past_memberships WHERE conversation = ?1 AND user = ?2 \
         ORDER BY from_seq",
        (int(conversation.0), user.as_str()),
        |row| Ok((seq(row, 0)?, seq(row, 1)?)),
    )
}
