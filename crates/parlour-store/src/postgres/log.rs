//! Reading the logs: what changed since a place, in its present state, and where the logs end.

use std::sync::Arc;

use parlour_core::{
    ConversationId, Epoch, Result, Seq, UserId,
    event::{Envelope, Event},
    model::{Membership, Message, Millis, Participant, Watermark},
    port::{
        BoxFuture,
        store::{Head, LogStore, Replay, Standing},
    },
};
use tokio_postgres::Row;

use super::{
    PostgresStore,
    db::{Db, Step},
    facts::{self, Sight},
    memberships,
    rows::{self, ChangeKind, MESSAGE, MESSAGE_COLUMNS, int, integer, limit, number, seq},
};
use crate::{mutant, replays::Range};

impl LogStore for PostgresStore {
    fn memberships(&self, user: UserId) -> BoxFuture<'_, Result<Vec<Membership>>> {
        Box::pin(self.gathered.memberships.read(&self.runner, user))
    }

    fn membership(
        &self,
        user: UserId,
        conversation: ConversationId,
    ) -> BoxFuture<'_, Result<Option<Membership>>> {
        Box::pin(self.gathered.membership.read(&self.runner, (user, conversation)))
    }

    fn replay(
        &self,
        viewer: Option<UserId>,
        conversation: ConversationId,
        after: Seq,
        up_to: Seq,
        limit: usize,
    ) -> BoxFuture<'_, Result<Replay>> {
        let asked = Asked { after: vec![(conversation, after)], up_to, most: limit };
        self.read((viewer, asked), |db, (viewer, asked)| {
            Box::pin(replay(db, viewer.as_ref(), asked))
        })
    }

    fn catch_up(
        &self,
        after: Vec<(ConversationId, Seq)>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<(ConversationId, Replay)>>> {
        let asked = Asked { after, up_to: Seq(u64::MAX), most: limit };
        self.read(asked, |db, asked| {
            Box::pin(async move {
                let replays = replays(db, asked, &Sight::of_everything()).await?;
                Ok(asked.after.iter().map(|(id, _)| *id).zip(replays).collect())
            })
        })
    }

    fn receipts(
        &self,
        conversation: ConversationId,
        since: u64,
    ) -> BoxFuture<'_, Result<Vec<Envelope>>> {
        self.read((conversation, since), |db, (conversation, since)| {
            Box::pin(receipts(db, *conversation, *since))
        })
    }

    fn heads(&self, conversations: Vec<ConversationId>) -> BoxFuture<'_, Result<Vec<Head>>> {
        self.read(conversations, |db, conversations| Box::pin(heads(db, conversations)))
    }

    fn participant_counts(
        &self,
        conversations: Vec<ConversationId>,
    ) -> BoxFuture<'_, Result<Vec<(ConversationId, usize)>>> {
        self.read(conversations, |db, conversations| {
            Box::pin(async move {
                let ids: Vec<i64> = conversations.iter().map(|id| int(id.0)).collect();
                let sql = "SELECT t.id, count(*) FROM unnest($1::bigint[]) WITH ORDINALITY t (id, place) \
                           JOIN participants p ON p.conversation = t.id GROUP BY t.place, t.id ORDER BY t.place";
                db.all(sql, &[&ids], |row| {
                    let count = usize::try_from(number(row, 1)?).unwrap_or(usize::MAX);
                    Ok((ConversationId(number(row, 0)?), count))
                })
                .await
            })
        })
    }

    fn members(&self, conversation: ConversationId) -> BoxFuture<'_, Result<Vec<Membership>>> {
        self.read(conversation, |db, conversation| Box::pin(memberships::within(db, *conversation)))
    }

    fn standings(&self, conversation: ConversationId) -> BoxFuture<'_, Result<Vec<Standing>>> {
        self.read(conversation, |db, conversation| {
            Box::pin(async move {
                let sql = "SELECT user_id, joined_seq, delivered_seq, read_seq FROM participants \
                           WHERE conversation = $1 ORDER BY user_id";
                db.all(sql, &[&int(conversation.0)], |row| {
                    Ok(Standing {
                        user: rows::user_id(row, 0)?,
                        joined_seq: seq(row, 1)?,
                        watermark: Watermark { delivered: seq(row, 2)?, read: seq(row, 3)? },
                    })
                })
                .await
            })
        })
    }
}

/// The parts of logs that are asked for.
struct Asked {
    /// Which, and after which seq.
    after: Vec<(ConversationId, Seq)>,
    up_to: Seq,
    /// Most Changes of each.
    most: usize,
}

async fn heads(db: &Db, conversations: &[ConversationId]) -> Step<Vec<Head>> {
    let ids: Vec<i64> = conversations.iter().map(|id| int(id.0)).collect();
    db.all(
        "SELECT c.id, c.epoch, c.last_seq, c.receipts \
         FROM unnest($1::bigint[]) WITH ORDINALITY t (id, place) JOIN conversations c ON c.id = t.id \
         ORDER BY t.place",
        &[&ids],
        |row| {
            Ok(Head {
                conversation: ConversationId(number(row, 0)?),
                epoch: Epoch(number(row, 1)?),
                last_seq: seq(row, 2)?,
                receipts: number(row, 3)?,
            })
        },
    )
    .await
}

async fn replay(db: &Db, viewer: Option<&UserId>, asked: &Asked) -> Step<Replay> {
    let sight = match (viewer, asked.after.first()) {
        (Some(viewer), Some((conversation, _))) => sight(db, viewer, *conversation).await?,
        _ => Some(Sight::of_everything()),
    };
    let Some(sight) = sight else { return Ok(Replay::default()) };
    Ok(replays(db, asked, &sight).await?.pop().unwrap_or_default())
}

/// What the viewer may see; `None` when he is no participant.
async fn sight(db: &Db, viewer: &UserId, conversation: ConversationId) -> Step<Option<Sight>> {
    let joined = db
        .one(
            "SELECT joined_seq FROM participants WHERE conversation = $1 AND user_id = $2",
            &[&int(conversation.0), &viewer.as_str()],
            |row| seq(row, 0),
        )
        .await?;
    match joined {
        Some(joined) => facts::sight(db, conversation, viewer, joined).await.map(Some),
        None => Ok(None),
    }
}

/// The parts of logs in the given order, all in one round trip. All statements see one snapshot, so that nothing is
/// found after a log's end.
async fn replays(db: &Db, asked: &Asked, sight: &Sight) -> Step<Vec<Replay>> {
    if asked.after.is_empty() {
        return Ok(Vec::new());
    }
    let conversations: Vec<i64> = asked.after.iter().map(|(id, _)| int(id.0)).collect();
    // Nothing up to the beginning of one's sight has changed what one sees.
    let begin = |after: Seq| int(after.max(sight.begin()).0);
    let after: Vec<i64> = asked.after.iter().map(|(_, after)| begin(*after)).collect();
    let (from, to): (Vec<i64>, Vec<i64>) =
        sight.ranges().iter().map(|(from, to)| (int(from.0), int(to.0))).unzip();
    // One more than asked for tells whether that is all.
    let most = limit(asked.most).saturating_add(1);
    let up_to = int(asked.up_to.0);

    let heads = db
        .send(
            "SELECT t.place, c.epoch, c.last_seq FROM unnest($1::bigint[]) WITH ORDINALITY t (id, place) \
             JOIN conversations c ON c.id = t.id",
            &[&conversations],
        )
        .await?;
    let in_sight = if sight.is_everything() { "" } else { IN_SIGHT };
    let messages = db
        .send(&changed_messages(in_sight), &[&conversations, &after, &up_to, &most, &from, &to])
        .await?;
    let others = db
        .send(&other_changes(in_sight), &[&conversations, &after, &up_to, &most, &from, &to])
        .await?;
    let mut parts: Vec<Part> = asked.after.iter().map(|_| Part::default()).collect();
    for row in heads.rows().await? {
        rows::placed(&mut parts, &row, 0)?.head = Some((Epoch(number(&row, 1)?), seq(&row, 2)?));
    }
    for row in messages.rows().await? {
        rows::placed(&mut parts, &row, MESSAGE_COLUMNS)?.messages.push(rows::message(&row)?);
    }
    for row in others.rows().await? {
        rows::placed(&mut parts, &row, 0)?.others.push(change(&row)?);
    }
    Ok(asked.after.iter().zip(parts).map(|(place, part)| part.replay(asked, *place)).collect())
}

/// What was read of one log.
#[derive(Default)]
struct Part {
    head: Option<(Epoch, Seq)>,
    messages: Vec<Message>,
    others: Vec<(Seq, Millis, Event)>,
}

impl Part {
    fn replay(mut self, asked: &Asked, (conversation, after): (ConversationId, Seq)) -> Replay {
        let Some((epoch, last_seq)) = self.head else { return Replay::default() };
        if mutant("forget_edit_on_resume") {
            self.messages.retain(|message| message.edited_at.is_none());
        }
        let end = asked.up_to.min(last_seq);
        let range = Range { conversation, epoch, after, end, most: asked.most };
        range.replay(self.messages, self.others)
    }
}

/// Keeps what is in one of the viewer's parts of a log.
const IN_SIGHT: &str = "AND EXISTS (SELECT 1 FROM unnest($5::bigint[], $6::bigint[]) seen (after, up_to) \
       WHERE x.seq > seen.after AND x.seq <= seen.up_to)";

/// The messages whose last change lies in a range, of several logs.
fn changed_messages(in_sight: &str) -> String {
    format!(
        "SELECT {MESSAGE}, t.place \
         FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY t (conversation, after, place) \
         CROSS JOIN LATERAL (SELECT * FROM messages x \
           WHERE x.conversation = t.conversation AND x.change_seq > t.after AND x.change_seq <= $3 {in_sight} \
           ORDER BY x.change_seq LIMIT $4) m \
         JOIN users u ON u.id = m.sender ORDER BY t.place, m.change_seq"
    )
}

/// The other Changes in a range, of several logs.
fn other_changes(in_sight: &str) -> String {
    format!(
        "SELECT t.place, h.seq, h.at, h.kind, h.actor, h.role, h.title, h.state, h.metadata, \
       h.user_id, u.last_seen, u.id, u.username, u.name, u.avatar \
     FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY t (conversation, after, place) \
     CROSS JOIN LATERAL (SELECT * FROM changes x \
       WHERE x.conversation = t.conversation AND x.seq > t.after AND x.seq <= $3 {in_sight} \
       ORDER BY x.seq LIMIT $4) h \
     LEFT JOIN users u ON u.id = h.user_id ORDER BY t.place, h.seq"
    )
}

fn change(row: &Row) -> Step<(Seq, Millis, Event)> {
    let (seq, by) = (seq(row, 1)?, rows::user_id(row, 4)?);
    let event = match rows::read_change_kind(row, 3)? {
        ChangeKind::Joined => {
            // As he was when he joined: what came after has Changes and receipts of its own.
            let joined = Seq(seq.0.saturating_sub(1));
            let participant = Participant {
                profile: rows::profile(row, 11)?,
                role: rows::read_role(row, 5)?,
                joined_seq: joined,
                watermark: Watermark { delivered: joined, read: joined },
                last_seen: integer(row, 10)?,
            };
            Event::ParticipantJoined {
                participant: Arc::new(participant),
                past: Arc::default(),
                by,
            }
        }
        ChangeKind::Left => Event::ParticipantLeft { user: rows::profile(row, 11)?, by },
        ChangeKind::Role => {
            Event::RoleChanged { user: rows::user_id(row, 9)?, role: rows::read_role(row, 5)?, by }
        }
        ChangeKind::Settings => Event::ConversationChanged {
            title: rows::maybe_shared(row, 6)?,
            state: match row.try_get::<_, Option<i16>>(7)? {
                Some(_) => Some(rows::read_conversation_state(row, 7)?),
                None => None,
            },
            metadata: rows::maybe_shared(row, 8)?,
            by,
        },
    };
    Ok((seq, integer(row, 2)?, event))
}

/// The watermarks that moved after a version. Where each stood before is not kept.
async fn receipts(db: &Db, conversation: ConversationId, since: u64) -> Step<Vec<Envelope>> {
    db.all(
        "SELECT p.user_id, p.delivered_seq, p.read_seq, p.receipt_version, p.receipt_at, c.epoch \
         FROM participants p JOIN conversations c ON c.id = p.conversation \
         WHERE p.conversation = $1 AND p.receipt_version > $2 ORDER BY p.receipt_version",
        &[&int(conversation.0), &int(since)],
        |row| {
            Ok(Envelope {
                conversation: Some(conversation),
                epoch: Epoch(number(row, 5)?),
                seq: None,
                at: integer(row, 4)?,
                origin: None,
                event: Event::Receipt {
                    user: rows::user_id(row, 0)?,
                    from: Watermark::default(),
                    to: Watermark { delivered: seq(row, 1)?, read: seq(row, 2)? },
                    version: number(row, 3)?,
                    covered: Arc::default(),
                },
            })
        },
    )
    .await
}
