//! Records of another store's dump, stored as they were.

use std::collections::BTreeSet;

use parlour_core::{
    ClientId, ConversationId, UserId,
    model::UserState,
    port::store::transfer::{
        Dump, DumpedChange, DumpedConversation, DumpedKey, DumpedMembership, DumpedMessage,
        DumpedParticipant, DumpedRevision, DumpedUser, Fault, ImportOptions, ImportReport, Problem,
    },
};

use super::keys;
use crate::sqlite::{
    batch::Tx,
    client_ids,
    db::{Db, Step},
    message_ids,
    rows::{self, int},
    users,
};
use crate::transfer::change_kind;

/// What storing a record gave.
enum Stored {
    New,
    /// The same is here.
    Known,
    Fault(Fault),
}

/// Stores a batch. What is at fault is left out and reported.
pub(super) fn restore(
    tx: &mut Tx<'_>,
    options: &ImportOptions,
    records: &[Dump],
) -> Step<ImportReport> {
    let mut report = ImportReport::default();
    // Conversations that got something: a client may have seen them without it.
    let mut touched = BTreeSet::new();
    for (index, record) in records.iter().enumerate() {
        let stored = match record {
            Dump::User(user) => user_row(tx, user)?,
            Dump::Block(block) => one(
                tx.db,
                [Who(&block.blocker), Who(&block.blocked)],
                "INSERT INTO blocks (blocker, blocked, at) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
                (block.blocker.as_str(), block.blocked.as_str(), block.at),
            )?,
            Dump::Conversation(row) => conversation(tx.db, options, row)?,
            Dump::Participant(row) => participant(tx.db, row)?,
            Dump::Membership(row) => membership(tx.db, row)?,
            Dump::Message(row) => message(tx.db, row)?,
            Dump::Revision(row) => revision(tx.db, row)?,
            Dump::Change(row) => change(tx.db, row)?,
            Dump::Key(row) => key(tx.db, row)?,
        };
        match stored {
            Stored::New => {
                count(&mut report, record);
                touched.extend(conversation_of(tx.db, record)?);
                users::touch(tx.db, &concerned(record))?;
            }
            Stored::Known => report.known += 1,
            Stored::Fault(fault) => report.problems.push(Problem { index, fault }),
        }
    }
    for id in touched {
        tx.db.run(
            "UPDATE conversations SET epoch = ?2 WHERE id = ?1",
            (int(id.0), int(options.epoch.0)),
        )?;
    }
    Ok(report)
}

/// Of whom a record says what counts in his version.
fn concerned(record: &Dump) -> Vec<&UserId> {
    match record {
        Dump::User(user) => vec![&user.id],
        Dump::Block(block) => vec![&block.blocker, &block.blocked],
        Dump::Participant(row) => vec![&row.user],
        _ => Vec::new(),
    }
}

const fn count(report: &mut ImportReport, record: &Dump) {
    match record {
        Dump::User(_) => report.users += 1,
        Dump::Conversation(_) => report.conversations += 1,
        Dump::Message(_) => report.messages += 1,
        _ => report.others += 1,
    }
}

fn conversation_of(db: &Db, record: &Dump) -> rusqlite::Result<Option<ConversationId>> {
    Ok(match record {
        Dump::User(_) | Dump::Block(_) | Dump::Key(_) => None,
        Dump::Conversation(row) => Some(row.id),
        Dump::Participant(row) => Some(row.conversation),
        Dump::Membership(row) => Some(row.conversation),
        Dump::Message(row) => Some(row.conversation),
        Dump::Change(row) => Some(row.conversation),
        Dump::Revision(row) => super::messages::conversation_of(db, row.message)?,
    })
}

/// Something that a record names, and that must be here.
#[derive(Clone, Copy)]
enum Named<'a> {
    Who(&'a UserId),
    Where(ConversationId),
    Said(u64),
}
use Named::{Said, Where, Who};

impl Named<'_> {
    fn missing(self, db: &Db) -> rusqlite::Result<Option<Fault>> {
        let (is_there, what) = match self {
            Who(user) => (db.profile(user.as_str())?.is_some(), format!("user {user}")),
            Where(id) => (
                db.exists("SELECT 1 FROM conversations WHERE id = ?1", [int(id.0)])?,
                format!("conversation {id}"),
            ),
            Said(id) => (
                db.exists("SELECT 1 FROM messages WHERE id = ?1", [int(id)])?,
                format!("message {id}"),
            ),
        };
        Ok((!is_there).then(|| Fault::Dangling(what.into())))
    }
}

/// Inserts a row, if what it names is here. A row that is there already stays.
fn one<'a>(
    db: &Db,
    names: impl IntoIterator<Item = Named<'a>>,
    sql: &str,
    params: impl rusqlite::Params,
) -> rusqlite::Result<Stored> {
    for name in names {
        if let Some(fault) = name.missing(db)? {
            return Ok(Stored::Fault(fault));
        }
    }
    Ok(if db.run(sql, params)? > 0 { Stored::New } else { Stored::Known })
}

/// A user who is here with other fields was here before: the dump knows him better, but nobody is let in again.
fn user_row(tx: &Tx<'_>, user: &DumpedUser) -> rusqlite::Result<Stored> {
    let username = user.username.as_deref().unwrap_or(user.id.as_str());
    let name = user.name.as_deref().unwrap_or(username);
    let state = if user.banned { UserState::Banned } else { UserState::Active };
    tx.db.forget_profile(&user.id);
    let changed = tx.db.run(
        "INSERT INTO users (id, username, name, email, avatar, state, revoked_before, last_seen, created_at, \
           id_fold, username_fold, name_fold) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) \
         ON CONFLICT DO UPDATE SET username = excluded.username, name = excluded.name, \
           email = excluded.email, avatar = excluded.avatar, state = max(state, excluded.state), \
           revoked_before = max(revoked_before, excluded.revoked_before), \
           last_seen = max(last_seen, excluded.last_seen), created_at = min(created_at, excluded.created_at), \
           username_fold = excluded.username_fold, name_fold = excluded.name_fold \
         WHERE username IS NOT excluded.username OR name IS NOT excluded.name \
           OR email IS NOT excluded.email OR avatar IS NOT excluded.avatar OR state < excluded.state \
           OR revoked_before < excluded.revoked_before OR last_seen < excluded.last_seen \
           OR created_at > excluded.created_at",
        (
            user.id.as_str(),
            &user.username,
            &user.name,
            &user.email,
            &user.avatar,
            rows::user_state(state),
            user.revoked_before,
            user.last_seen,
            user.created_at,
            users::fold(user.id.as_str()),
            users::fold(username),
            users::fold(name),
        ),
    )?;
    Ok(if changed > 0 { Stored::New } else { Stored::Known })
}

fn taken(what: String) -> Stored {
    Stored::Fault(Fault::Taken(what.into()))
}

fn conversation(
    db: &Db,
    options: &ImportOptions,
    row: &DumpedConversation,
) -> rusqlite::Result<Stored> {
    let kind = rows::conversation_kind(row.kind);
    let same: Option<bool> = db.one(
        "SELECT kind = ?2 AND created_at = ?3 AND external_id IS ?4 AND direct_key IS ?5 \
         FROM conversations WHERE id = ?1",
        (int(row.id.0), kind, row.created_at, &row.external_id, &row.direct_key),
        |row| row.get(0),
    )?;
    match same {
        Some(true) => return Ok(Stored::Known),
        Some(false) => return Ok(taken(format!("conversation {}", row.id))),
        None => {}
    }
    let clash = db.exists(
        "SELECT 1 FROM conversations WHERE external_id = ?1 OR direct_key = ?2",
        (&row.external_id, &row.direct_key),
    )?;
    if clash {
        return Ok(taken(format!("the external id or the two people of conversation {}", row.id)));
    }
    db.run(
        "INSERT INTO conversations (id, kind, state, title, title_fold, subject, external_id, direct_key, \
           metadata, epoch, last_seq, receipts, created_at, active_at, latest_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
        (
            int(row.id.0),
            kind,
            rows::conversation_state(row.state),
            &row.title,
            row.title.as_deref().map(users::fold),
            &row.subject,
            &row.external_id,
            &row.direct_key,
            &row.metadata,
            int(options.epoch.0),
            int(row.last_seq.0),
            int(row.receipts),
            row.created_at,
            row.active_at,
            row.latest_at,
        ),
    )?;
    Ok(Stored::New)
}

fn participant(db: &Db, row: &DumpedParticipant) -> rusqlite::Result<Stored> {
    one(
        db,
        [Where(row.conversation), Who(&row.user)],
        "INSERT INTO participants (conversation, user, role, joined_seq, entered_seq, delivered_seq, read_seq, \
           receipt_version, receipt_at, joined_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) \
         ON CONFLICT DO NOTHING",
        (
            int(row.conversation.0),
            row.user.as_str(),
            rows::role(row.role),
            int(row.joined_seq.0),
            int(row.entered_seq.0),
            int(row.delivered_seq.0.max(row.read_seq.0)),
            int(row.read_seq.0),
            int(row.receipt_version),
            row.receipt_at,
            row.joined_at,
        ),
    )
}

fn membership(db: &Db, row: &DumpedMembership) -> rusqlite::Result<Stored> {
    one(
        db,
        [Where(row.conversation), Who(&row.user)],
        "INSERT INTO past_memberships (conversation, user, from_seq, to_seq) VALUES (?1, ?2, ?3, ?4) \
         ON CONFLICT DO NOTHING",
        (int(row.conversation.0), row.user.as_str(), int(row.from_seq.0), int(row.to_seq.0)),
    )
}

fn message(db: &Db, row: &DumpedMessage) -> rusqlite::Result<Stored> {
    let same: Option<bool> = db.one(
        "SELECT conversation = ?2 AND seq = ?3 AND change_seq = ?4 AND content_hash = ?5 \
         FROM messages WHERE id = ?1",
        (
            int(row.id.0),
            int(row.conversation.0),
            int(row.seq.0),
            int(row.change_seq.0),
            row.content_hash,
        ),
        |row| row.get(0),
    )?;
    match same {
        Some(true) => return Ok(Stored::Known),
        Some(false) => return Ok(taken(format!("message {}", row.id))),
        None => {}
    }
    let clash = db.exists(
        "SELECT 1 FROM messages \
         WHERE conversation = ?1 AND (seq IN (?2, ?3) OR (change_seq = ?2 AND change_seq > seq))",
        (int(row.conversation.0), int(row.change_seq.0), int(row.seq.0)),
    )?;
    if clash {
        return Ok(taken(format!("seq {} of conversation {}", row.seq, row.conversation)));
    }
    let reply = row.reply_to.map(|id| Said(id.0));
    let stored = one(
        db,
        [Where(row.conversation), Who(&row.sender)].into_iter().chain(reply),
        "INSERT INTO messages (id, conversation, seq, change_seq, sender, client_id, content_hash, kind, text, \
           metadata, reply_to, created_at, edited_at, deleted_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        (
            int(row.id.0),
            int(row.conversation.0),
            int(row.seq.0),
            int(row.change_seq.0.max(row.seq.0)),
            row.sender.as_str(),
            row.client_id.as_ref().map(ClientId::as_str),
            row.content_hash,
            rows::message_kind(row.kind),
            &row.text,
            &row.metadata,
            row.reply_to.map(|id| int(id.0)),
            row.created_at,
            row.edited_at,
            row.deleted_at,
        ),
    )?;
    if let Stored::New = stored {
        let key = client_ids::key(row.conversation, &row.sender, &row.client_id);
        client_ids::add_imported(db, row.id, key)?;
        message_ids::keep(db, row.id);
    }
    Ok(stored)
}

fn revision(db: &Db, row: &DumpedRevision) -> rusqlite::Result<Stored> {
    one(
        db,
        [Said(row.message.0)],
        "INSERT INTO revisions (message, seq, text, at) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
        (int(row.message.0), int(row.seq.0), &row.text, row.at),
    )
}

fn change(db: &Db, row: &DumpedChange) -> rusqlite::Result<Stored> {
    one(
        db,
        [Where(row.conversation), Who(&row.actor)].into_iter().chain(row.user.as_ref().map(Who)),
        "INSERT INTO changes (conversation, seq, kind, actor, user, role, title, state, metadata, at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT DO NOTHING",
        (
            int(row.conversation.0),
            int(row.seq.0),
            change_kind(row.kind),
            row.actor.as_str(),
            row.user.as_ref().map(UserId::as_str),
            row.role.map(rows::role),
            &row.title,
            row.state.map(rows::conversation_state),
            &row.metadata,
            row.at,
        ),
    )
}

fn key(db: &Db, row: &DumpedKey) -> rusqlite::Result<Stored> {
    one(
        db,
        [],
        "INSERT INTO import_keys (source, kind, host_id, target, state) VALUES (?1, ?2, ?3, ?4, ?5) \
         ON CONFLICT DO NOTHING",
        (&row.source, keys::key_kind(row.kind), &row.host_id, int(row.target), row.state),
    )
}
