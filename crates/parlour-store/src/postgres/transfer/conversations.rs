//! The host's conversations are found or made.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use parlour_core::{
    ConversationId, Seq, UserId,
    model::{ConversationKind, ConversationState, Millis, Role},
    port::store::transfer::{Fault, HostConversation, ImportOptions, ImportReport, KeyKind},
};

use super::{history::Batch, log::Log, restore::pass_over};
use crate::{
    postgres::{
        batch::Tx,
        db::{Db, Failure, Step},
        directs,
        rows::{self, int, number, read_role, user_id},
        users,
    },
    stored::fold,
    transfer::{conversation_state, kept_number},
};

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
pub(super) async fn direct(
    tx: &mut Tx,
    options: &ImportOptions,
    (one, other): (&UserId, &UserId),
    subject: Option<&Arc<str>>,
    report: &mut ImportReport,
) -> Step<ConversationId> {
    let key = directs::key(one, other, subject.map(|subject| &**subject));
    if let Some(id) = directs::named(&tx.db, &key).await? {
        return Ok(id);
    }
    let new = New {
        direct_key: Some(key),
        subject: subject.cloned(),
        created_at: options.now,
        ..New::default()
    };
    let id = make(tx, &new, ConversationKind::Direct).await?;
    enter(tx, id, &[(one, Role::Member), (other, Role::Member)], options.now).await?;
    report.conversations += 1;
    Ok(id)
}

/// Finds, makes or changes the conversation that a record tells of.
pub(super) async fn take_in(
    tx: &mut Tx,
    batch: &mut Batch<'_>,
    host: &HostConversation,
) -> Step<Result<(), Fault>> {
    let state = conversation_state(host);
    let imported = batch.known.find(KeyKind::Conversation, &host.host_id);
    if imported.is_some_and(|(_, before)| before == state) {
        batch.report.known += 1;
        return Ok(Ok(()));
    }
    let two = match (host.kind, host.participants.as_slice()) {
        (ConversationKind::Group, _) => None,
        (ConversationKind::Direct, [(one, _), (other, _)]) if one != other => Some((one, other)),
        (ConversationKind::Direct, _) => return Ok(Err(Fault::NotTwo)),
    };
    let found = match (batch.known.conversation(&host.host_id), two) {
        (Some(id), _) => Some(id),
        (None, Some(two)) => unnamed_direct(&tx.db, two, host.subject.as_deref()).await?,
        (None, None) => None,
    };
    let id = match found {
        Some(id) => {
            let log = Log::load(&tx.db, id).await?;
            let members = members(&tx.db, id).await?;
            if !fits(&log, &members, host) {
                return Ok(Err(Fault::OtherConversation(host.host_id.clone())));
            }
            change(tx, batch, log, &members, host).await?;
            id
        }
        None => found_new(tx, batch, host, two).await?,
    };
    batch.known.name_conversation(&host.host_id, id);
    batch.known.keep(KeyKind::Conversation, &host.host_id, id.0, state);
    batch.report.conversations += 1;
    Ok(Ok(()))
}

/// The direct conversation of the two that no host has named yet.
async fn unnamed_direct(
    db: &Db,
    (one, other): (&UserId, &UserId),
    subject: Option<&str>,
) -> Step<Option<ConversationId>> {
    let sql = "SELECT id FROM conversations WHERE direct_key = $1 AND external_id IS NULL";
    let key = directs::key(one, other, subject);
    db.one(sql, &[&key], |row| number(row, 0).map(ConversationId)).await
}

/// Who is in a conversation.
type Members = BTreeMap<UserId, Role>;

async fn members(db: &Db, id: ConversationId) -> Step<Members> {
    let sql = "SELECT user_id, role FROM participants WHERE conversation = $1";
    let found =
        db.all(sql, &[&int(id.0)], |row| Ok((user_id(row, 0)?, read_role(row, 1)?))).await?;
    Ok(found.into_iter().collect())
}

/// Whether the conversation that stands can be the host's: of the same kind, and a direct one of the same two.
fn fits(log: &Log, members: &Members, host: &HostConversation) -> bool {
    log.kind == host.kind
        && (host.kind == ConversationKind::Group
            || host.participants.iter().all(|(user, _)| members.contains_key(user)))
}

async fn found_new(
    tx: &mut Tx,
    batch: &mut Batch<'_>,
    host: &HostConversation,
    two: Option<(&UserId, &UserId)>,
) -> Step<ConversationId> {
    let options = batch.options;
    let mut subject = host.subject.clone();
    let mut direct_key = None;
    if let Some((one, other)) = two {
        let mut key = directs::key(one, other, subject.as_deref());
        if directs::named(&tx.db, &key).await?.is_some() {
            // The host keeps several for the same two. Each stays a conversation of its own.
            subject = Some(format!("conversation/{}", host.host_id).into());
            key = directs::key(one, other, subject.as_deref());
            batch.report.split += 1;
        }
        direct_key = Some(key);
    }
    let wanted = kept_number(options, &host.host_id);
    let taken = match wanted {
        Some(id) => tx.db.exists("SELECT 1 FROM conversations WHERE id = $1", &[&int(id)]).await?,
        None => false,
    };
    batch.report.renumbered += u64::from(taken);
    let created_at = host.created_at.unwrap_or(options.now).min(options.now);
    let new = New {
        id: wanted.filter(|_| !taken),
        external_id: Some(&host.host_id),
        direct_key,
        subject,
        host: Some(host),
        created_at,
    };
    let id = make(tx, &new, host.kind).await?;
    enter_all(tx, id, host, &Members::new(), created_at).await?;
    Ok(id)
}

async fn make(tx: &mut Tx, new: &New<'_>, kind: ConversationKind) -> Step<ConversationId> {
    let title = new.host.and_then(|host| host.title.as_deref());
    let state = new.host.map_or(ConversationState::Open, |host| host.state);
    let made = tx
        .db
        .one(
            "INSERT INTO conversations (id, kind, state, title, title_fold, subject, external_id, direct_key, \
               metadata, epoch, created_at, active_at, latest_at) \
             SELECT coalesce($1, nextval('conversations_id_seq')), $2::bigint, $3::bigint, $4, $5, $6, $7, $8, \
               $9, value, $10, $10, $10 FROM meta WHERE key = 'epoch' RETURNING id",
            &[
                &new.id.map(int),
                &rows::conversation_kind(kind),
                &rows::conversation_state(state),
                &title,
                &title.map(fold),
                &new.subject.as_deref(),
                &new.external_id.map(|id| &**id),
                &new.direct_key,
                &new.host.and_then(|host| host.metadata.as_deref()),
                &new.created_at,
            ],
            |row| number(row, 0),
        )
        .await?;
    pass_over(tx, "conversations", new.id.map_or(0, int)).await?;
    made.map(ConversationId).ok_or(Failure::Again)
}

/// Brings what stands to what the host tells. Nobody is removed: who has left the host's is taken out over the API.
async fn change(
    tx: &mut Tx,
    batch: &mut Batch<'_>,
    mut log: Log,
    members: &Members,
    host: &HostConversation,
) -> Step<()> {
    let changed = tx
        .db
        .run(
            "UPDATE conversations SET external_id = coalesce(external_id, $2), title = $3, title_fold = $4, \
               metadata = $5, state = $6::bigint WHERE id = $1 AND (external_id IS NULL \
               OR title IS DISTINCT FROM $3 OR metadata IS DISTINCT FROM $5 OR state <> $6::bigint)",
            &[
                &int(log.id.0),
                &&*host.host_id,
                &host.title.as_deref(),
                &host.title.as_deref().map(fold),
                &host.metadata.as_deref(),
                &rows::conversation_state(host.state),
            ],
        )
        .await?;
    let entered = enter_all(tx, log.id, host, members, batch.options.now).await?;
    // No Change tells of it: who has seen the log must load it anew.
    log.relived = (changed > 0 || entered > 0) && log.last_seq > Seq::ZERO;
    log.save(tx, batch.options.epoch, &mut batch.report).await
}

/// Puts those in who are not in it; how many. A group has exactly one owner.
async fn enter_all(
    tx: &mut Tx,
    id: ConversationId,
    host: &HostConversation,
    members: &Members,
    at: Millis,
) -> Step<usize> {
    let mut owned = members.values().any(|role| *role == Role::Owner);
    let names_owner = host.participants.iter().any(|(_, role)| *role == Role::Owner);
    let (mut entering, mut seen) = (Vec::new(), HashSet::new());
    for (user, role) in &host.participants {
        if members.contains_key(user) || !seen.insert(user) {
            continue;
        }
        let role = match (host.kind, role) {
            (ConversationKind::Direct, _) => Role::Member,
            (ConversationKind::Group, Role::Owner) if owned => Role::Admin,
            (ConversationKind::Group, _) if !owned && !names_owner => Role::Owner,
            (ConversationKind::Group, role) => *role,
        };
        owned |= role == Role::Owner;
        entering.push((user, role));
    }
    enter(tx, id, &entering, at).await?;
    Ok(entering.len())
}

/// Puts people in who see everything.
async fn enter(
    tx: &mut Tx,
    id: ConversationId,
    entering: &[(&UserId, Role)],
    at: Millis,
) -> Step<()> {
    if entering.is_empty() {
        return Ok(());
    }
    let people: Vec<&UserId> = entering.iter().map(|(user, _)| *user).collect();
    users::known(&tx.db, &people, at).await?;
    let ids: Vec<&str> = people.iter().map(|user| user.as_str()).collect();
    let roles: Vec<i64> = entering.iter().map(|(_, role)| rows::role(*role)).collect();
    tx.send(
        "INSERT INTO participants \
           (conversation, user_id, role, joined_seq, entered_seq, delivered_seq, read_seq, joined_at) \
         SELECT $1, e.id, e.role, 0, 0, 0, 0, $4 FROM unnest($2::text[], $3::bigint[]) AS e (id, role)",
        &[&int(id.0), &ids, &roles, &at],
    )
    .await?;
    users::touch(tx, &people).await
}
