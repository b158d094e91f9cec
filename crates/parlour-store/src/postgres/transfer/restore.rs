//! Records of another store's dump, stored as they were.

use std::collections::{BTreeSet, HashMap, HashSet};

use parlour_core::{
    ConversationId, UserId,
    model::{ConversationKind, Millis},
    port::store::transfer::{
        Dump, DumpedConversation, DumpedMessage, Fault, ImportOptions, ImportReport, Problem,
    },
};
use tokio_postgres::Row;

use super::restore_rows as write;
use crate::postgres::{
    batch::Tx,
    db::{Db, Sent, Step},
    rows::{int, integer, maybe_shared, number, read_conversation_kind, token, user_id},
    users,
};

/// What storing a record gives.
enum Stored {
    /// New, if the statement writes a row; else the same is here.
    Sent(Sent),
    /// The same is here.
    Known,
    Fault(Fault),
}

/// Stores a batch. What is at fault is left out and reported.
pub(super) async fn restore(
    tx: &mut Tx,
    options: &ImportOptions,
    records: &[Dump],
) -> Step<ImportReport> {
    let mut here = Here::load(&tx.db, records).await?;
    let mut all = Vec::with_capacity(records.len());
    for record in records {
        all.push(here.store(&tx.db, options, record).await?);
    }
    let mut report = ImportReport::default();
    // Conversations that got something: a client may have seen them without it.
    let mut touched = BTreeSet::new();
    let mut concerned = Vec::new();
    for (index, (record, stored)) in records.iter().zip(all).enumerate() {
        let written = match stored {
            Stored::Sent(sent) => sent.count().await?,
            Stored::Known => 0,
            Stored::Fault(fault) => {
                report.problems.push(Problem { index, fault });
                continue;
            }
        };
        if written == 0 {
            report.known += 1;
            continue;
        }
        count(&mut report, record);
        touched.extend(here.conversation_of(record));
        concerned.extend(concerns(record));
    }
    let touched: Vec<i64> = touched.into_iter().map(|id: ConversationId| int(id.0)).collect();
    tx.send(
        "UPDATE conversations SET epoch = $2 WHERE id = ANY($1)",
        &[&touched, &int(options.epoch.0)],
    )
    .await?;
    for (table, last) in
        [("conversations", here.last_conversation), ("messages", here.last_message)]
    {
        pass_over(tx, table, last).await?;
    }
    users::touch(tx, &concerned).await?;
    Ok(report)
}

/// Lets a table give ids after this one only. Zero: nothing was kept.
pub(super) async fn pass_over(tx: &mut Tx, table: &'static str, last: i64) -> Step<()> {
    if last == 0 {
        return Ok(());
    }
    let sql = match table {
        "messages" => {
            "SELECT setval('messages_id_seq', greatest($1, (SELECT last_value FROM messages_id_seq)))"
        }
        _ => {
            "SELECT setval('conversations_id_seq', \
               greatest($1, (SELECT last_value FROM conversations_id_seq)))"
        }
    };
    tx.send(sql, &[&last]).await
}

const fn count(report: &mut ImportReport, record: &Dump) {
    match record {
        Dump::User(_) => report.users += 1,
        Dump::Conversation(_) => report.conversations += 1,
        Dump::Message(_) => report.messages += 1,
        _ => report.others += 1,
    }
}

/// Of whom a record says what counts in his version.
fn concerns(record: &Dump) -> Vec<&UserId> {
    match record {
        Dump::User(user) => vec![&user.id],
        Dump::Block(block) => vec![&block.blocker, &block.blocked],
        Dump::Participant(row) => vec![&row.user],
        _ => Vec::new(),
    }
}

/// What identifies a conversation.
#[derive(PartialEq, Eq)]
struct Room {
    kind: ConversationKind,
    created_at: Millis,
    external_id: Option<String>,
    direct_key: Option<String>,
}

/// What identifies a message.
#[derive(PartialEq, Eq)]
struct Said {
    conversation: ConversationId,
    seq: u64,
    change_seq: u64,
    content_hash: [u8; 32],
}

/// What is here of that which the records name.
#[derive(Default)]
struct Here {
    users: HashSet<UserId>,
    conversations: HashMap<ConversationId, Room>,
    externals: HashSet<String>,
    directs: HashSet<String>,
    messages: HashMap<u64, Said>,
    seqs: HashSet<(ConversationId, u64)>,
    last_conversation: i64,
    last_message: i64,
}

/// Something that a record names, and that must be here.
#[derive(Clone, Copy)]
enum Named<'a> {
    Who(&'a UserId),
    Where(ConversationId),
    What(u64),
}
use Named::{What, Where, Who};

/// What a record names.
fn names(record: &Dump) -> Vec<Named<'_>> {
    match record {
        Dump::User(_) | Dump::Conversation(_) | Dump::Key(_) => Vec::new(),
        Dump::Block(row) => vec![Who(&row.blocker), Who(&row.blocked)],
        Dump::Participant(row) => vec![Where(row.conversation), Who(&row.user)],
        Dump::Membership(row) => vec![Where(row.conversation), Who(&row.user)],
        Dump::Message(row) => {
            let reply = row.reply_to.map(|id| What(id.0));
            [Where(row.conversation), Who(&row.sender)].into_iter().chain(reply).collect()
        }
        Dump::Revision(row) => vec![What(row.message.0)],
        Dump::Change(row) => {
            let user = row.user.as_ref().map(Who);
            [Where(row.conversation), Who(&row.actor)].into_iter().chain(user).collect()
        }
    }
}

impl Here {
    async fn load(db: &Db, records: &[Dump]) -> Step<Self> {
        let (mut users, mut rooms, mut said) = (HashSet::new(), Vec::new(), Vec::new());
        let (mut externals, mut directs) = (Vec::new(), Vec::new());
        let (mut places, mut seqs, mut changes) = (Vec::new(), Vec::new(), Vec::new());
        for record in records {
            for name in names(record) {
                match name {
                    Who(user) => drop(users.insert(user.as_str())),
                    Where(id) => rooms.push(int(id.0)),
                    What(id) => said.push(int(id)),
                }
            }
            match record {
                Dump::Conversation(row) => {
                    rooms.push(int(row.id.0));
                    externals.extend(row.external_id.as_deref());
                    directs.extend(row.direct_key.as_deref());
                }
                Dump::Message(row) => {
                    said.push(int(row.id.0));
                    places.push(int(row.conversation.0));
                    seqs.push(int(row.seq.0));
                    changes.push(int(row.change_seq.0));
                }
                _ => {}
            }
        }
        let users: Vec<&str> = users.into_iter().collect();
        let sql = "SELECT id FROM users WHERE id = ANY($1)";
        let users = db.send(sql, &[&users]).await?;
        let sql = "SELECT id, kind, created_at, external_id, direct_key FROM conversations \
                   WHERE id = ANY($1) OR external_id = ANY($2) OR direct_key = ANY($3)";
        let rooms = db.send(sql, &[&rooms, &externals, &directs]).await?;
        let sql = "SELECT id, conversation, seq, change_seq, content_hash FROM messages WHERE id = ANY($1) \
                   UNION SELECT m.id, m.conversation, m.seq, m.change_seq, m.content_hash \
                   FROM unnest($2::bigint[], $3::bigint[], $4::bigint[]) AS w (conversation, seq, change_seq) \
                   JOIN messages m ON m.conversation = w.conversation AND m.seq = w.seq \
                   UNION SELECT m.id, m.conversation, m.seq, m.change_seq, m.content_hash \
                   FROM unnest($2::bigint[], $3::bigint[], $4::bigint[]) AS w (conversation, seq, change_seq) \
                   JOIN messages m ON m.conversation = w.conversation AND m.change_seq = w.change_seq";
        let said = db.send(sql, &[&said, &places, &seqs, &changes]).await?;
        let mut here = Self {
            users: users.all(|row| user_id(row, 0)).await?.into_iter().collect(),
            ..Self::default()
        };
        for (id, room) in rooms.all(room).await? {
            here.add_room(id, room);
        }
        for (id, message) in said.all(message).await? {
            here.add_message(id, message);
        }
        Ok(here)
    }

    fn add_room(&mut self, id: ConversationId, room: Room) {
        self.externals.extend(room.external_id.clone());
        self.directs.extend(room.direct_key.clone());
        self.conversations.insert(id, room);
    }

    fn add_message(&mut self, id: u64, message: Said) {
        self.seqs.insert((message.conversation, message.seq));
        self.seqs.insert((message.conversation, message.change_seq));
        self.messages.insert(id, message);
    }

    /// Sends what stores a record, if what it names is here.
    async fn store(&mut self, db: &Db, options: &ImportOptions, record: &Dump) -> Step<Stored> {
        match record {
            Dump::Conversation(row) => {
                if let Some(stored) = self.enter_room(row) {
                    return Ok(stored);
                }
            }
            Dump::Message(row) => {
                if let Some(stored) = self.is_taken(row) {
                    return Ok(stored);
                }
            }
            Dump::User(row) => drop(self.users.insert(row.id.clone())),
            _ => {}
        }
        if let Some(fault) = names(record).into_iter().find_map(|name| self.missing(name)) {
            return Ok(Stored::Fault(fault));
        }
        if let Dump::Message(row) = record {
            self.last_message = self.last_message.max(int(row.id.0));
            self.add_message(row.id.0, said_of(row));
        }
        Ok(Stored::Sent(write::send(db, options, record).await?))
    }

    /// Takes a conversation in, unless something is here in its place.
    fn enter_room(&mut self, row: &DumpedConversation) -> Option<Stored> {
        let room = Room {
            kind: row.kind,
            created_at: row.created_at,
            external_id: row.external_id.as_deref().map(str::to_owned),
            direct_key: row.direct_key.as_deref().map(str::to_owned),
        };
        match self.conversations.get(&row.id) {
            Some(same) if *same == room => return Some(Stored::Known),
            Some(_) => return Some(taken(format!("conversation {}", row.id))),
            None => {}
        }
        let is_known = |set: &HashSet<String>, key: &Option<String>| {
            key.as_ref().is_some_and(|key| set.contains(key))
        };
        if is_known(&self.externals, &room.external_id) || is_known(&self.directs, &room.direct_key)
        {
            let what = format!("the external id or the two people of conversation {}", row.id);
            return Some(taken(what));
        }
        self.last_conversation = self.last_conversation.max(int(row.id.0));
        self.add_room(row.id, room);
        None
    }

    /// Whether something is here in the place of a message.
    fn is_taken(&self, row: &DumpedMessage) -> Option<Stored> {
        match self.messages.get(&row.id.0) {
            Some(same) if *same == said_of(row) => return Some(Stored::Known),
            Some(_) => return Some(taken(format!("message {}", row.id))),
            None => {}
        }
        let places = [row.seq.0, row.change_seq.0];
        places
            .iter()
            .any(|seq| self.seqs.contains(&(row.conversation, *seq)))
            .then(|| taken(format!("seq {} of conversation {}", row.seq, row.conversation)))
    }

    fn missing(&self, name: Named<'_>) -> Option<Fault> {
        let (is_there, what) = match name {
            Who(user) => (self.users.contains(user), format!("user {user}")),
            Where(id) => (self.conversations.contains_key(&id), format!("conversation {id}")),
            What(id) => (self.messages.contains_key(&id), format!("message {id}")),
        };
        (!is_there).then(|| Fault::Dangling(what.into()))
    }

    fn conversation_of(&self, record: &Dump) -> Option<ConversationId> {
        match record {
            Dump::User(_) | Dump::Block(_) | Dump::Key(_) => None,
            Dump::Conversation(row) => Some(row.id),
            Dump::Participant(row) => Some(row.conversation),
            Dump::Membership(row) => Some(row.conversation),
            Dump::Message(row) => Some(row.conversation),
            Dump::Change(row) => Some(row.conversation),
            Dump::Revision(row) => self.messages.get(&row.message.0).map(|said| said.conversation),
        }
    }
}

fn taken(what: String) -> Stored {
    Stored::Fault(Fault::Taken(what.into()))
}

fn said_of(row: &DumpedMessage) -> Said {
    Said {
        conversation: row.conversation,
        seq: row.seq.0,
        change_seq: row.change_seq.0.max(row.seq.0),
        content_hash: row.content_hash,
    }
}

fn room(row: &Row) -> Step<(ConversationId, Room)> {
    let text = |column| {
        Ok::<_, crate::postgres::db::Failure>(
            maybe_shared(row, column)?.map(|text| text.to_string()),
        )
    };
    let room = Room {
        kind: read_conversation_kind(row, 1)?,
        created_at: integer(row, 2)?,
        external_id: text(3)?,
        direct_key: text(4)?,
    };
    Ok((ConversationId(number(row, 0)?), room))
}

fn message(row: &Row) -> Step<(u64, Said)> {
    let said = Said {
        conversation: ConversationId(number(row, 1)?),
        seq: number(row, 2)?,
        change_seq: number(row, 3)?,
        content_hash: token(row, 4)?.0,
    };
    Ok((number(row, 0)?, said))
}
