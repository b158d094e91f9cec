//! The host's conversations are found or made.

use std::sync::Arc;

use parlour_core::{
    ConversationId, Seq, UserId,
    model::{ConversationKind, ConversationState, Millis, Role},
    port::store::transfer::{Fault, HostConversation, ImportOptions, ImportReport, KeyKind},
};

use super::{keys, log::Log};
use crate::sqlite::{
    batch::Tx,
    db::{Db, Step},
    directs,
    rows::{self, int, number},
    users,
};
use crate::transfer::{conversation_state as state, kept_number};

/// The conversation under the host's id: imported, or made by the host over the API.
pub(super) fn find(
    db: &Db,
    source: &str,
    host_id: &str,
) -> rusqlite::Result<Option<ConversationId>> {
    if let Some((id, _)) = keys::find(db, source, KeyKind::Conversation, host_id)? {
        return Ok(Some(ConversationId(id)));
    }
    db.one("SELECT id FROM conversations WHERE external_id = ?1", [host_id], |row| {
        number(row, 0).map(ConversationId)
    })
}

/// A conversation to be made.
#[derive(Default)]
struct New<'a> {
    id: Option<u64>,
    external_id: Option<&'a Arc<str>>,
    direct_key: Option<String>,
    subject: Option<Arc<str>>,
    host: Option<&'a HostConversation>,
    created_at: Millis,
}

/// The direct conversation of two and a subject, made if there is none.
pub(super) fn direct(
    tx: &mut Tx<'_>,
    options: &ImportOptions,
    (one, other): (&UserId, &UserId),
    subject: Option<&Arc<str>>,
    report: &mut ImportReport,
) -> Step<ConversationId> {
    let key = directs::key(one, other, subject.map(|subject| &**subject));
    if let Some(id) = directs::named(tx.db, &key)? {
        return Ok(id);
    }
    let new = New {
        direct_key: Some(key),
        subject: subject.cloned(),
        created_at: options.now,
        ..New::default()
    };
    let id = make(tx, &new, ConversationKind::Direct)?;
    for user in [one, other] {
        enter(tx, id, user, Role::Member, options.now)?;
    }
    report.conversations += 1;
    Ok(id)
}

/// Finds, makes or changes the conversation that a record tells of.
pub(super) fn take_in(
    tx: &mut Tx<'_>,
    options: &ImportOptions,
    host: &HostConversation,
    report: &mut ImportReport,
) -> Step<Result<(), Fault>> {
    let state = state(host);
    let source = &*options.source;
    let known = keys::find(tx.db, source, KeyKind::Conversation, &host.host_id)?;
    if known.is_some_and(|(_, before)| before == state) {
        report.known += 1;
        return Ok(Ok(()));
    }
    let two = match (host.kind, host.participants.as_slice()) {
        (ConversationKind::Group, _) => None,
        (ConversationKind::Direct, [(one, _), (other, _)]) if one != other => Some((one, other)),
        (ConversationKind::Direct, _) => return Ok(Err(Fault::NotTwo)),
    };
    let found = match (find(tx.db, source, &host.host_id)?, two) {
        (Some(id), _) => Some(id),
        (None, Some(two)) => unnamed_direct(tx.db, two, host.subject.as_deref())?,
        (None, None) => None,
    };
    let id = match found {
        Some(id) if fits(tx.db, id, host)? => {
            change(tx, options, id, host, report)?;
            id
        }
        Some(_) => return Ok(Err(Fault::OtherConversation(host.host_id.clone()))),
        None => found_new(tx, options, host, two, report)?,
    };
    keys::keep(tx.db, source, KeyKind::Conversation, &host.host_id, id.0, &state)?;
    report.conversations += 1;
    Ok(Ok(()))
}

/// The direct conversation of the two that no host has named yet.
fn unnamed_direct(
    db: &Db,
    (one, other): (&UserId, &UserId),
    subject: Option<&str>,
) -> rusqlite::Result<Option<ConversationId>> {
    db.one(
        "SELECT id FROM conversations WHERE direct_key = ?1 AND external_id IS NULL",
        [directs::key(one, other, subject)],
        |row| number(row, 0).map(ConversationId),
    )
}

/// Whether the conversation that stands can be the host's: of the same kind, and a direct one of the same two.
fn fits(db: &Db, id: ConversationId, host: &HostConversation) -> rusqlite::Result<bool> {
    if Log::load(db, id)?.kind != host.kind {
        return Ok(false);
    }
    if host.kind == ConversationKind::Direct {
        for (user, _) in &host.participants {
            if !directs::is_in(db, id, user)? {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

fn found_new(
    tx: &mut Tx<'_>,
    options: &ImportOptions,
    host: &HostConversation,
    two: Option<(&UserId, &UserId)>,
    report: &mut ImportReport,
) -> Step<ConversationId> {
    let mut subject = host.subject.clone();
    let mut direct_key = None;
    if let Some((one, other)) = two {
        let mut key = directs::key(one, other, subject.as_deref());
        if directs::named(tx.db, &key)?.is_some() {
            // The host keeps several for the same two. Each stays a conversation of its own.
            subject = Some(format!("conversation/{}", host.host_id).into());
            key = directs::key(one, other, subject.as_deref());
            report.split += 1;
        }
        direct_key = Some(key);
    }
    let wanted = kept_number(options, &host.host_id);
    let taken = match wanted {
        Some(id) => tx.db.exists("SELECT 1 FROM conversations WHERE id = ?1", [int(id)])?,
        None => false,
    };
    report.renumbered += u64::from(taken);
    let created_at = host.created_at.unwrap_or(options.now).min(options.now);
    let new = New {
        id: wanted.filter(|_| !taken),
        external_id: Some(&host.host_id),
        direct_key,
        subject,
        host: Some(host),
        created_at,
    };
    let id = make(tx, &new, host.kind)?;
    enter_all(tx, id, host, created_at)?;
    Ok(id)
}

fn make(tx: &Tx<'_>, new: &New<'_>, kind: ConversationKind) -> Step<ConversationId> {
    let title = new.host.and_then(|host| host.title.as_deref());
    tx.db.run(
        "INSERT INTO conversations (id, kind, state, title, title_fold, subject, external_id, direct_key, \
           metadata, epoch, created_at, active_at, latest_at) \
         SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, value, ?10, ?10, ?10 FROM meta WHERE key = 'epoch'",
        (
            new.id.map(int),
            rows::conversation_kind(kind),
            rows::conversation_state(new.host.map_or(ConversationState::Open, |host| host.state)),
            title,
            title.map(users::fold),
            &new.subject,
            new.external_id,
            &new.direct_key,
            new.host.and_then(|host| host.metadata.as_deref()),
            new.created_at,
        ),
    )?;
    let id = tx.db.last_id();
    Ok(ConversationId(id))
}

/// Brings what stands to what the host tells. Nobody is removed: who has left the host's is taken out over the API.
fn change(
    tx: &mut Tx<'_>,
    options: &ImportOptions,
    id: ConversationId,
    host: &HostConversation,
    report: &mut ImportReport,
) -> Step<()> {
    let changed = tx.db.run(
        "UPDATE conversations SET external_id = coalesce(external_id, ?2), title = ?3, title_fold = ?4, \
           metadata = ?5, state = ?6 WHERE id = ?1 AND (external_id IS NULL OR title IS NOT ?3 \
           OR metadata IS NOT ?5 OR state <> ?6)",
        (
            int(id.0),
            &host.host_id,
            &host.title,
            host.title.as_deref().map(users::fold),
            &host.metadata,
            rows::conversation_state(host.state),
        ),
    )?;
    let entered = enter_all(tx, id, host, options.now)?;
    let mut log = Log::load(tx.db, id)?;
    // No Change tells of it: who has seen the log must load it anew.
    log.relived = (changed > 0 || entered > 0) && log.last_seq > Seq::ZERO;
    log.save(tx.db, options.epoch, report)?;
    Ok(())
}

/// Puts those in who are not in it; how many. A group has exactly one owner.
fn enter_all(
    tx: &mut Tx<'_>,
    id: ConversationId,
    host: &HostConversation,
    at: Millis,
) -> Step<usize> {
    let mut owned = tx.db.exists(
        "SELECT 1 FROM participants WHERE conversation = ?1 AND role = ?2",
        (int(id.0), rows::role(Role::Owner)),
    )?;
    let names_owner = host.participants.iter().any(|(_, role)| *role == Role::Owner);
    let mut entered = 0;
    for (user, role) in &host.participants {
        if directs::is_in(tx.db, id, user)? {
            continue;
        }
        let role = match (host.kind, role) {
            (ConversationKind::Direct, _) => Role::Member,
            (ConversationKind::Group, Role::Owner) if owned => Role::Admin,
            (ConversationKind::Group, _) if !owned && !names_owner => Role::Owner,
            (ConversationKind::Group, role) => *role,
        };
        owned |= role == Role::Owner;
        enter(tx, id, user, role, at)?;
        entered += 1;
    }
    Ok(entered)
}

/// Puts somebody in who sees everything.
fn enter(
    tx: &Tx<'_>,
    id: ConversationId,
    user: &UserId,
    role: Role,
    at: Millis,
) -> rusqlite::Result<()> {
    users::ensure(tx, user, at)?;
    tx.db.run(
        "INSERT INTO participants \
           (conversation, user, role, joined_seq, entered_seq, delivered_seq, read_seq, joined_at) \
         VALUES (?1, ?2, ?3, 0, 0, 0, 0, ?4)",
        (int(id.0), user.as_str(), rows::role(role), at),
    )?;
    users::touch(tx.db, &[user])
}
