//! What is read for a group of steps before anything is decided: one round trip.

use std::collections::{BTreeMap, HashMap, VecDeque};

use parlour_core::{
    ClientId, ConversationId, Epoch, MessageId, Seq, UserId,
    command::MarkTarget,
    event::Covered,
    model::{ConversationKind, ConversationState, Message, Millis, Profile, Watermark},
};
use std::sync::Arc;
use tokio_postgres::Row;

use super::{
    db::{Db, Sent, Step},
    facts::{Mine, Sight},
    group::{Item, Unread, What},
    rows::{self, MESSAGE, MESSAGE_COLUMNS, int, number, seq},
};

/// Takes the rows of the conversations, in ascending order.
const LOCK: &str = "SELECT id, kind, state, epoch, last_seq, receipts, latest_at FROM conversations \
     WHERE id = ANY ($1) ORDER BY id FOR NO KEY UPDATE";

/// Who is asked about, and his place in the conversation. The first row brings the ids of so many new messages (`$3`):
/// they are taken while the conversations are held, so they ascend with the seqs of each.
const PLACES: &str = "SELECT k.n, p.role, p.joined_seq, p.delivered_seq, p.read_seq, \
       u.id, u.username, u.name, u.avatar, \
       CASE WHEN c.kind = 0 THEN \
         EXISTS (SELECT 1 FROM participants o JOIN blocks b ON b.blocker = o.user_id AND b.blocked = k.user_id \
                 WHERE o.conversation = k.conversation) \
         OR EXISTS (SELECT 1 FROM participants o JOIN blocks b ON b.blocker = k.user_id AND b.blocked = o.user_id \
                    WHERE o.conversation = k.conversation) \
       ELSE FALSE END, \
       CASE WHEN k.n = 1 THEN \
         ARRAY(SELECT nextval('messages_id_seq') FROM generate_series(1, $3)) \
       END \
     FROM unnest($1::bigint[], $2::text[]) WITH ORDINALITY AS k (conversation, user_id, n) \
     LEFT JOIN conversations c ON c.id = k.conversation \
     LEFT JOIN users u ON u.id = k.user_id \
     LEFT JOIN participants p ON p.conversation = k.conversation AND p.user_id = k.user_id";

const TARGETS: &str = "SELECT id, conversation, seq, sender FROM messages WHERE id = ANY ($1)";

const PAST: &str = "SELECT m.conversation, m.user_id, m.from_seq, m.to_seq \
     FROM unnest($1::bigint[], $2::text[]) AS k (conversation, user_id) \
     JOIN past_memberships m ON m.conversation = k.conversation AND m.user_id = k.user_id \
     ORDER BY m.from_seq";

/// What each reads newly: the newest first, so many that a receipt can name (`$5`).
const UNREAD: &str = "SELECT k.n, m.seq, m.id, m.sender \
     FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[]) WITH ORDINALITY \
       AS k (conversation, user_id, up_to, message, n) \
     JOIN participants p ON p.conversation = k.conversation AND p.user_id = k.user_id \
     LEFT JOIN messages t ON t.id = k.message AND t.conversation = k.conversation \
     CROSS JOIN LATERAL ( \
       SELECT seq, id, sender FROM messages \
       WHERE conversation = k.conversation AND seq > p.read_seq \
         AND seq <= coalesce(k.up_to, t.seq, 9223372036854775807) \
         AND sender <> k.user_id AND deleted_at IS NULL \
       ORDER BY seq DESC LIMIT $5) m \
     ORDER BY k.n, m.seq DESC";

/// A user's part in a conversation.
pub(super) type Pair = (ConversationId, UserId);

/// How far unread messages are looked for: of whom, and up to what.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct Probe {
    pub(super) pair: Pair,
    pub(super) up_to: Option<Seq>,
    pub(super) message: Option<MessageId>,
}

impl Probe {
    /// What an item needs; `None` for what reads nothing.
    pub(super) fn of(item: &Item) -> Option<Self> {
        let (up_to, message) = match &item.what {
            What::Say { .. } => (None, None),
            What::Mark { up_to: MarkTarget::Seq(seq), read: true, .. }
            | What::Follow { up_to: seq, read: true, .. } => (Some(*seq), None),
            What::Mark { up_to: MarkTarget::Message(id), read: true, .. } => (None, Some(*id)),
            What::Mark { .. } | What::Follow { .. } => return None,
        };
        Some(Self { pair: (item.conversation(), item.user().clone()), up_to, message })
    }
}

/// A conversation, as it is while the group is decided.
pub(super) struct Conversation {
    pub(super) kind: ConversationKind,
    pub(super) state: ConversationState,
    pub(super) epoch: Epoch,
    pub(super) last_seq: Seq,
    pub(super) receipts: u64,
    pub(super) latest_at: Millis,
    /// When something was last said in it, if that was in this group.
    pub(super) active_at: Option<Millis>,
    pub(super) is_changed: bool,
}

/// A user and his place in a conversation, as it is while the group is decided.
pub(super) struct Place {
    pub(super) mine: Option<Mine>,
    pub(super) blocked: bool,
    /// `None`: the user is unknown.
    pub(super) profile: Option<Arc<Profile>>,
}

/// A message that an item names.
pub(super) struct Target {
    pub(super) conversation: ConversationId,
    pub(super) seq: Seq,
    pub(super) sender: UserId,
}

/// Whose message it is, by the client's own name for it.
pub(super) type Repeat = (ConversationId, UserId, ClientId);

/// A message that was sent before, with the hash of what was sent.
pub(super) type First = (Arc<Message>, Vec<u8>);

/// Everything that was read.
pub(super) struct Known {
    pub(super) conversations: BTreeMap<ConversationId, Conversation>,
    pub(super) places: HashMap<Pair, Place>,
    /// What client ids stand for already.
    pub(super) repeats: HashMap<Repeat, First>,
    pub(super) targets: HashMap<MessageId, Target>,
    past: HashMap<Pair, Vec<(Seq, Seq)>>,
    /// Newest first.
    pub(super) unread: HashMap<Probe, Vec<Unread>>,
    pub(super) ids: VecDeque<MessageId>,
}

impl Known {
    /// Reads everything that these items need.
    pub(super) async fn read(db: &Db, items: &[Item]) -> Step<Self> {
        let asked = Asked::of(items);
        let ids: Vec<i64> = asked.conversations.iter().map(|id| int(id.0)).collect();
        let lock = db.send(LOCK, &[&ids]).await?;
        // Statements of their own, so that they see what was committed while the locks were waited for.
        let places = asked.send_places(db).await?;
        let repeats = asked.send_repeats(db).await?;
        let targets = asked.send_targets(db).await?;
        let unread = asked.send_unread(db).await?;
        let conversations = lock.all(conversation).await?.into_iter().collect();
        let (places, ids) = asked.places(places).await?;
        let mut known = Self {
            conversations,
            places,
            repeats: HashMap::new(),
            targets: HashMap::new(),
            past: HashMap::new(),
            unread: HashMap::new(),
            ids,
        };
        if let Some(sent) = repeats {
            known.repeats = sent.all(repeat).await?.into_iter().flatten().collect();
        }
        if let Some((targets, past)) = targets {
            known.targets = targets.all(target).await?.into_iter().collect();
            for (pair, range) in past.all(past_range).await? {
                known.past.entry(pair).or_default().push(range);
            }
        }
        if let Some(sent) = unread {
            asked.unread(sent, &mut known.unread).await?;
        }
        Ok(known)
    }

    /// The conversations whose rows are held.
    pub(super) fn conversations(&self) -> Vec<ConversationId> {
        self.conversations.keys().copied().collect()
    }

    /// What somebody sees of a conversation who joined it after a seq.
    pub(super) fn sight(&self, pair: &Pair, joined: Seq) -> Sight {
        if joined == Seq::ZERO {
            return Sight::of_everything();
        }
        Sight::of(self.past.get(pair).cloned().unwrap_or_default(), joined)
    }
}

/// What is asked for.
struct Asked {
    conversations: Vec<ConversationId>,
    pairs: Vec<Pair>,
    repeats: Vec<Repeat>,
    targets: Vec<i64>,
    probes: Vec<Probe>,
    says: i64,
}

fn distinct<T: Ord>(mut all: Vec<T>) -> Vec<T> {
    all.sort_unstable();
    all.dedup();
    all
}

impl Asked {
    fn of(items: &[Item]) -> Self {
        let mut pairs = Vec::with_capacity(items.len());
        let (mut repeats, mut says) = (Vec::new(), 0);
        for item in items {
            pairs.push((item.conversation(), item.user().clone()));
            let What::Say { message, .. } = &item.what else { continue };
            says += 1;
            if let Some(client_id) = &message.client_id {
                repeats.push((message.conversation, item.user().clone(), client_id.clone()));
            }
            if let Some(recipient) = &message.recipient {
                pairs.push((message.conversation, recipient.clone()));
            }
        }
        let targets = items.iter().filter_map(Item::target).map(|id| int(id.0)).collect();
        Self {
            conversations: distinct(items.iter().map(Item::conversation).collect()),
            pairs: distinct(pairs),
            repeats,
            targets: distinct(targets),
            probes: distinct(items.iter().filter_map(Probe::of).collect()),
            says,
        }
    }

    fn pair_columns<'a>(pairs: impl Iterator<Item = &'a Pair>) -> (Vec<i64>, Vec<&'a str>) {
        pairs.map(|(conversation, user)| (int(conversation.0), user.as_str())).unzip()
    }

    async fn send_places(&self, db: &Db) -> Step<Sent> {
        let (conversations, users) = Self::pair_columns(self.pairs.iter());
        db.send(PLACES, &[&conversations, &users, &self.says]).await
    }

    /// With the ids of new messages.
    async fn places(&self, sent: Sent) -> Step<(HashMap<Pair, Place>, VecDeque<MessageId>)> {
        let (mut places, mut ids) = (HashMap::new(), VecDeque::new());
        for row in sent.rows().await? {
            if let Some(pair) = self.pairs.get(rows::place(&row, 0)?) {
                places.insert(pair.clone(), place(&row)?);
            }
            ids.extend(rows::numbers(&row, 10)?.into_iter().map(MessageId));
        }
        Ok((places, ids))
    }

    async fn send_repeats(&self, db: &Db) -> Step<Option<Sent>> {
        if self.repeats.is_empty() {
            return Ok(None);
        }
        let sql = format!(
            "SELECT {MESSAGE}, m.content_hash \
             FROM unnest($1::bigint[], $2::text[], $3::text[]) AS k (conversation, sender, client_id) \
             JOIN messages m ON m.conversation = k.conversation AND m.sender = k.sender \
               AND m.client_id = k.client_id \
             JOIN users u ON u.id = m.sender"
        );
        let conversations: Vec<i64> = self.repeats.iter().map(|repeat| int(repeat.0.0)).collect();
        let senders: Vec<&str> = self.repeats.iter().map(|repeat| repeat.1.as_str()).collect();
        let client_ids: Vec<&str> = self.repeats.iter().map(|repeat| repeat.2.as_str()).collect();
        db.send(&sql, &[&conversations, &senders, &client_ids]).await.map(Some)
    }

    /// The messages that are named, and what those saw before who have come back.
    async fn send_targets(&self, db: &Db) -> Step<Option<(Sent, Sent)>> {
        if self.targets.is_empty() {
            return Ok(None);
        }
        let targets = db.send(TARGETS, &[&self.targets]).await?;
        let (conversations, users) = Self::pair_columns(self.pairs.iter());
        Ok(Some((targets, db.send(PAST, &[&conversations, &users]).await?)))
    }

    async fn send_unread(&self, db: &Db) -> Step<Option<Sent>> {
        if self.probes.is_empty() {
            return Ok(None);
        }
        let (conversations, users) =
            Self::pair_columns(self.probes.iter().map(|probe| &probe.pair));
        let up_to: Vec<_> =
            self.probes.iter().map(|probe| probe.up_to.map(|seq| int(seq.0))).collect();
        let messages: Vec<_> =
            self.probes.iter().map(|probe| probe.message.map(|id| int(id.0))).collect();
        let most = rows::limit(Covered::MOST);
        let sent = db.send(UNREAD, &[&conversations, &users, &up_to, &messages, &most]).await?;
        Ok(Some(sent))
    }

    async fn unread(&self, sent: Sent, found: &mut HashMap<Probe, Vec<Unread>>) -> Step<()> {
        let rows = sent.all(|row| Ok((rows::place(row, 0)?, unread(row)?))).await?;
        for (n, unread) in rows {
            if let Some(probe) = self.probes.get(n) {
                found.entry(probe.clone()).or_default().push(unread);
            }
        }
        Ok(())
    }
}

fn conversation(row: &Row) -> Step<(ConversationId, Conversation)> {
    let conversation = Conversation {
        kind: rows::read_conversation_kind(row, 1)?,
        state: rows::read_conversation_state(row, 2)?,
        epoch: Epoch(number(row, 3)?),
        last_seq: seq(row, 4)?,
        receipts: number(row, 5)?,
        latest_at: rows::integer(row, 6)?,
        active_at: None,
        is_changed: false,
    };
    Ok((ConversationId(number(row, 0)?), conversation))
}

fn place(row: &Row) -> Step<Place> {
    let mine = match row.try_get::<_, Option<i16>>(1)? {
        Some(_) => Some(Mine {
            role: rows::read_role(row, 1)?,
            joined_seq: seq(row, 2)?,
            watermark: Watermark { delivered: seq(row, 3)?, read: seq(row, 4)? },
        }),
        None => None,
    };
    let profile = match row.try_get::<_, Option<&str>>(5)? {
        Some(_) => Some(rows::profile(row, 5)?),
        None => None,
    };
    Ok(Place { mine, blocked: rows::boolean(row, 9)?, profile })
}

/// A message with the client id that it was sent under.
fn repeat(row: &Row) -> Step<Option<(Repeat, First)>> {
    let message = Arc::new(rows::message(row)?);
    let hash: Vec<u8> = row.try_get(MESSAGE_COLUMNS)?;
    Ok(message.client_id.clone().map(|client_id| {
        let of = (message.conversation, message.sender.id.clone(), client_id);
        (of, (message.clone(), hash))
    }))
}

fn target(row: &Row) -> Step<(MessageId, Target)> {
    let target = Target {
        conversation: ConversationId(number(row, 1)?),
        seq: seq(row, 2)?,
        sender: rows::user_id(row, 3)?,
    };
    Ok((MessageId(number(row, 0)?), target))
}

fn past_range(row: &Row) -> Step<(Pair, (Seq, Seq))> {
    let pair = (ConversationId(number(row, 0)?), rows::user_id(row, 1)?);
    Ok((pair, (seq(row, 2)?, seq(row, 3)?)))
}

fn unread(row: &Row) -> Step<Unread> {
    Ok(Unread { seq: seq(row, 1)?, id: MessageId(number(row, 2)?), sender: rows::user_id(row, 3)? })
}
