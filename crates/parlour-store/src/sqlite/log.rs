//! Reading the logs: what changed since a place, in its present state, and where the logs end.

use std::sync::Arc;

use parlour_core::{
    ConversationId, Epoch, Result, Seq, UserId,
    event::{Envelope, Event},
    model::{Membership, Message, Participant, Peer, Watermark},
    port::{
        BoxFuture,
        store::{Head, LogStore, Replay, Standing},
    },
};
use rusqlite::Row;

use super::{
    SqliteStore,
    db::Db,
    facts::{self, Sight},
    rows::{self, ChangeKind, MESSAGE, int, maybe_shared, number, seq, text},
};
use crate::{mutant, replays};

impl LogStore for SqliteStore {
    fn memberships(&self, user: UserId) -> BoxFuture<'_, Result<Vec<Membership>>> {
        self.read(move |db| {
            let sql = format!("{MEMBERSHIP} WHERE p.user = ?1 ORDER BY p.conversation");
            let mut all = db.all(&sql, [user.as_str()], |row| membership(db, row))?;
            for membership in &mut all {
                add_past(db, membership)?;
            }
            Ok(all)
        })
    }

    fn membership(
        &self,
        user: UserId,
        conversation: ConversationId,
    ) -> BoxFuture<'_, Result<Option<Membership>>> {
        self.read(move |db| {
            let sql = format!("{MEMBERSHIP} WHERE p.user = ?1 AND p.conversation = ?2");
            let params = (user.as_str(), int(conversation.0));
            let mut one = db.one(&sql, params, |row| membership(db, row))?;
            if let Some(membership) = &mut one {
                add_past(db, membership)?;
            }
            Ok(one)
        })
    }

    fn replay(
        &self,
        viewer: Option<UserId>,
        conversation: ConversationId,
        after: Seq,
        up_to: Seq,
        limit: usize,
    ) -> BoxFuture<'_, Result<Replay>> {
        self.read(move |db| {
            let range = Range { conversation, after, up_to, most: limit };
            Ok(replay(db, viewer.as_ref(), &range)?)
        })
    }

    fn catch_up(
        &self,
        after: Vec<(ConversationId, Seq)>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<(ConversationId, Replay)>>> {
        self.read(move |db| {
            let mut found = Vec::with_capacity(after.len());
            for (conversation, after) in after {
                let range = Range { conversation, after, up_to: Seq(u64::MAX), most: limit };
                found.push((conversation, replay(db, None, &range)?));
            }
            Ok(found)
        })
    }

    fn receipts(
        &self,
        conversation: ConversationId,
        since: u64,
    ) -> BoxFuture<'_, Result<Vec<Envelope>>> {
        self.read(move |db| Ok(receipts(db, conversation, since)?))
    }

    fn heads(&self, conversations: Vec<ConversationId>) -> BoxFuture<'_, Result<Vec<Head>>> {
        self.read(move |db| {
            let mut heads = Vec::with_capacity(conversations.len());
            for conversation in conversations {
                heads.extend(head(db, conversation)?);
            }
            Ok(heads)
        })
    }

    fn participant_counts(
        &self,
        conversations: Vec<ConversationId>,
    ) -> BoxFuture<'_, Result<Vec<(ConversationId, usize)>>> {
        self.read(move |db| {
            let sql =
                "SELECT count(*) FROM participants WHERE conversation = ?1 HAVING count(*) > 0";
            let mut counts = Vec::with_capacity(conversations.len());
            for id in conversations {
                let count = db.one(sql, [int(id.0)], |row| number(row, 0))?;
                counts
                    .extend(count.map(|count| (id, usize::try_from(count).unwrap_or(usize::MAX))));
            }
            Ok(counts)
        })
    }

    fn members(&self, conversation: ConversationId) -> BoxFuture<'_, Result<Vec<Membership>>> {
        self.read(move |db| {
            let sql = format!("{MEMBERSHIP} WHERE p.conversation = ?1 ORDER BY p.user");
            Ok(db.all(&sql, [int(conversation.0)], |row| membership(db, row))?)
        })
    }

    fn standings(&self, conversation: ConversationId) -> BoxFuture<'_, Result<Vec<Standing>>> {
        self.read(move |db| {
            let standings = db.all(
                "SELECT user, joined_seq, delivered_seq, read_seq FROM participants \
                 WHERE conversation = ?1 ORDER BY user",
                [int(conversation.0)],
                |row| {
                    Ok(Standing {
                        user: rows::user_id(row, 0)?,
                        joined_seq: seq(row, 1)?,
                        watermark: Watermark { delivered: seq(row, 2)?, read: seq(row, 3)? },
                    })
                },
            )?;
            Ok(standings)
        })
    }
}

const MEMBERSHIP: &str = "SELECT p.conversation, p.user, p.joined_seq, p.role, c.kind, c.state, \
       c.epoch, c.last_seq, c.receipts, c.subject, p.delivered_seq, p.read_seq, o.user, o.read_seq \
     FROM participants p JOIN conversations c ON c.id = p.conversation \
     LEFT JOIN participants o ON c.kind = 0 AND o.conversation = p.conversation AND o.user <> p.user";

fn membership(db: &Db, row: &Row<'_>) -> rusqlite::Result<Membership> {
    Ok(Membership {
        conversation: ConversationId(number(row, 0)?),
        user: rows::user_id(row, 1)?,
        joined_seq: seq(row, 2)?,
        past: Arc::default(),
        role: rows::read_role(row, 3)?,
        kind: rows::read_conversation_kind(row, 4)?,
        state: rows::read_conversation_state(row, 5)?,
        epoch: Epoch(number(row, 6)?),
        last_seq: seq(row, 7)?,
        receipts: number(row, 8)?,
        subject: maybe_shared(row, 9)?,
        watermark: Watermark { delivered: seq(row, 10)?, read: seq(row, 11)? },
        peer: match row.get_ref(12)?.as_str_or_null()? {
            Some(id) => Some(Peer { profile: db.known_profile(id)?, read: seq(row, 13)? }),
            None => None,
        },
    })
}

/// Only who joined later can have been there before.
fn add_past(db: &Db, membership: &mut Membership) -> rusqlite::Result<()> {
    if membership.joined_seq > Seq::ZERO {
        membership.past = facts::past(db, membership.conversation, &membership.user)?.into();
    }
    Ok(())
}

fn head(db: &Db, conversation: ConversationId) -> rusqlite::Result<Option<Head>> {
    db.one(
        "SELECT epoch, last_seq, receipts FROM conversations WHERE id = ?1",
        [int(conversation.0)],
        |row| {
            Ok(Head {
                conversation,
                epoch: Epoch(number(row, 0)?),
                last_seq: seq(row, 1)?,
                receipts: number(row, 2)?,
            })
        },
    )
}

/// The part of a log that is asked for.
struct Range {
    conversation: ConversationId,
    after: Seq,
    up_to: Seq,
    most: usize,
}

fn replay(db: &Db, viewer: Option<&UserId>, range: &Range) -> rusqlite::Result<Replay> {
    let Some(head) = head(db, range.conversation)? else {
        return Ok(Replay::default());
    };
    let Some(sight) = sight(db, viewer, range.conversation)? else {
        return Ok(Replay::default());
    };
    let end = range.up_to.min(head.last_seq);
    // Nothing up to the beginning of one's sight has changed what one sees.
    let begin = range.after.max(sight.begin());
    let messages = changed_messages(db, range, (begin, end), &sight)?;
    let others = other_changes(db, range, (begin, end), &sight)?;
    let &Range { conversation, after, most, .. } = range;
    let part = replays::Range { conversation, epoch: head.epoch, after, end, most };
    Ok(part.replay(messages, others))
}

/// What the viewer may see; `None` when he is no participant.
fn sight(
    db: &Db,
    viewer: Option<&UserId>,
    conversation: ConversationId,
) -> rusqlite::Result<Option<Sight>> {
    let Some(viewer) = viewer else {
        return Ok(Some(Sight::of_everything()));
    };
    let joined = db.one(
        "SELECT joined_seq FROM participants WHERE conversation = ?1 AND user = ?2",
        (int(conversation.0), viewer.as_str()),
        |row| seq(row, 0),
    )?;
    joined.map(|joined| facts::sight(db, conversation, viewer, joined)).transpose()
}

/// The messages whose last change lies in the range, in that order: one more than asked for, to tell whether that is all.
fn changed_messages(
    db: &Db,
    range: &Range,
    within: (Seq, Seq),
    sight: &Sight,
) -> rusqlite::Result<Vec<Message>> {
    // Each kind has an index of its own.
    let unchanged = "m.seq > ?2 AND m.seq <= ?3 AND m.change_seq = m.seq ORDER BY m.seq";
    let changed =
        "m.change_seq > ?2 AND m.change_seq <= ?3 AND m.change_seq > m.seq ORDER BY m.change_seq";
    let mut messages = messages_where(db, unchanged, range, within, sight)?;
    let others = messages_where(db, changed, range, within, sight)?;
    if !others.is_empty() {
        messages.extend(others);
        messages.sort_unstable_by_key(|message| message.change_seq);
        messages.truncate(range.most.saturating_add(1));
    }
    if mutant("forget_edit_on_resume") {
        messages.retain(|message| message.edited_at.is_none());
    }
    Ok(messages)
}

fn messages_where(
    db: &Db,
    which: &str,
    range: &Range,
    (begin, end): (Seq, Seq),
    sight: &Sight,
) -> rusqlite::Result<Vec<Message>> {
    let sql = format!("SELECT {MESSAGE} FROM messages m WHERE m.conversation = ?1 AND {which}");
    let mut statement = db.connection().prepare_cached(&sql)?;
    let mut rows = statement.query((int(range.conversation.0), int(begin.0), int(end.0)))?;
    let mut messages = Vec::new();
    while messages.len() <= range.most
        && let Some(row) = rows.next()?
    {
        if sight.sees(seq(row, 2)?) {
            messages.push(rows::message(db, row)?);
        }
    }
    Ok(messages)
}

/// The other Changes in the range, again one more than asked for.
fn other_changes(
    db: &Db,
    range: &Range,
    (begin, end): (Seq, Seq),
    sight: &Sight,
) -> rusqlite::Result<Vec<(Seq, i64, Event)>> {
    let mut statement = db.connection().prepare_cached(
        "SELECT h.seq, h.at, h.kind, h.actor, h.user, h.role, h.title, h.state, h.metadata, u.last_seen \
         FROM changes h LEFT JOIN users u ON u.id = h.user \
         WHERE h.conversation = ?1 AND h.seq > ?2 AND h.seq <= ?3 ORDER BY h.seq",
    )?;
    let mut rows = statement.query((int(range.conversation.0), int(begin.0), int(end.0)))?;
    let mut changes = Vec::new();
    while changes.len() <= range.most
        && let Some(row) = rows.next()?
    {
        let seq = seq(row, 0)?;
        if sight.sees(seq) {
            changes.push((seq, row.get(1)?, change(db, row, seq)?));
        }
    }
    Ok(changes)
}

fn change(db: &Db, row: &Row<'_>, seq: Seq) -> rusqlite::Result<Event> {
    let by = rows::user_id(row, 3)?;
    Ok(match rows::read_change_kind(row, 2)? {
        ChangeKind::Joined => {
            // As he was when he joined: what came after has Changes and receipts of its own.
            let joined = Seq(seq.0.saturating_sub(1));
            let participant = Participant {
                profile: db.known_profile(text(row, 4)?)?,
                role: rows::read_role(row, 5)?,
                joined_seq: joined,
                watermark: Watermark { delivered: joined, read: joined },
                last_seen: row.get(9)?,
            };
            Event::ParticipantJoined {
                participant: Arc::new(participant),
                past: Arc::default(),
                by,
            }
        }
        ChangeKind::Left => Event::ParticipantLeft { user: db.known_profile(text(row, 4)?)?, by },
        ChangeKind::Role => {
            Event::RoleChanged { user: rows::user_id(row, 4)?, role: rows::read_role(row, 5)?, by }
        }
        ChangeKind::Settings => Event::ConversationChanged {
            title: maybe_shared(row, 6)?,
            state: match row.get::<_, Option<i64>>(7)? {
                Some(_) => Some(rows::read_conversation_state(row, 7)?),
                None => None,
            },
            metadata: maybe_shared(row, 8)?,
            by,
        },
    })
}

/// The watermarks that moved after a version. Where each stood before is not kept.
fn receipts(db: &Db, conversation: ConversationId, since: u64) -> rusqlite::Result<Vec<Envelope>> {
    db.all(
        "SELECT p.user, p.delivered_seq, p.read_seq, p.receipt_version, p.receipt_at, c.epoch \
         FROM participants p JOIN conversations c ON c.id = p.conversation \
         WHERE p.conversation = ?1 AND p.receipt_version > ?2 ORDER BY p.receipt_version",
        (int(conversation.0), int(since)),
        |row| {
            Ok(Envelope {
                conversation: Some(conversation),
                epoch: Epoch(number(row, 5)?),
                seq: None,
                at: row.get(4)?,
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
}
