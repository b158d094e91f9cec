//! Who is in a conversation, and what he may do there.

use std::sync::Arc;

use parlour_core::{
    ConversationId, Error, Seq, UserId,
    command::RoleChange,
    error::Code,
    event::{Envelope, Event},
    model::{Millis, Participant, Role, Watermark},
    policy::Action,
    port::store::Context,
};

use super::{
    batch::Tx,
    db::{Db, Failure, Step},
    facts::{self, View},
    rows::{self, ChangeKind, int, number, seq},
    users::{self, Known},
};

pub(super) fn blocked() -> Error {
    Error::new(Code::Blocked, "one of you has blocked the other")
}

/// As somebody is who has just come in by a Change, the first that he sees; zero for those who are there from the first.
pub(super) fn newcomer(known: Known, role: Role, entered: Seq) -> Participant {
    let joined = Seq(entered.0.saturating_sub(1));
    Participant {
        profile: known.profile,
        role,
        joined_seq: joined,
        watermark: Watermark { delivered: joined, read: joined },
        last_seen: known.last_seen,
    }
}

/// Puts known users into a conversation, all by the same Change.
pub(super) async fn insert(
    tx: &mut Tx,
    conversation: ConversationId,
    users: &[(&UserId, Role)],
    entered: Seq,
    at: Millis,
) -> Step<()> {
    let ids: Vec<&UserId> = users.iter().map(|(user, _)| *user).collect();
    let names: Vec<&str> = ids.iter().map(|user| user.as_str()).collect();
    let roles: Vec<i64> = users.iter().map(|(_, role)| rows::role(*role)).collect();
    let joined = int(entered.0.saturating_sub(1));
    tx.send(
        "INSERT INTO participants \
           (conversation, user_id, role, joined_seq, entered_seq, delivered_seq, read_seq, joined_at) \
         SELECT $1, t.id, t.role, $4, $5, $4, $4, $6 FROM unnest($2::text[], $3::bigint[]) t (id, role)",
        &[&int(conversation.0), &names, &roles, &joined, &int(entered.0), &at],
    )
    .await?;
    users::touch(tx, &ids).await
}

/// What adding somebody depends on.
struct Adding {
    is_in: bool,
    count: usize,
    has_blocked: bool,
}

async fn adding(db: &Db, id: ConversationId, user: &UserId, actor: &UserId) -> Step<Adding> {
    let found = db
        .one(
            "SELECT EXISTS (SELECT 1 FROM participants WHERE conversation = $1 AND user_id = $2), \
               (SELECT count(*) FROM participants WHERE conversation = $1), \
               EXISTS (SELECT 1 FROM blocks WHERE blocker = $2 AND blocked = $3)",
            &[&int(id.0), &user.as_str(), &actor.as_str()],
            |row| {
                Ok(Adding {
                    is_in: rows::boolean(row, 0)?,
                    count: usize::try_from(number(row, 1)?).unwrap_or(usize::MAX),
                    has_blocked: rows::boolean(row, 2)?,
                })
            },
        )
        .await?;
    found.ok_or(Failure::Again)
}

pub(super) async fn add(
    tx: &mut Tx,
    context: &Context,
    id: ConversationId,
    user: &UserId,
    most: usize,
) -> Step<bool> {
    let actor = &context.actor.user;
    let mut view = View::lock(&tx.db, id, &context.actor).await?;
    view.allow(Action::Add)?;
    let knowing = users::send_known(&tx.db, &[actor, user], context.create_users).await?;
    let Adding { is_in, count, has_blocked } = adding(&tx.db, id, user, actor).await?;
    if is_in {
        return Ok(false);
    }
    knowing.check().await?;
    if has_blocked {
        return Err(blocked().into());
    }
    if count >= most {
        let text = format!("a group has at most {most} participants");
        return Err(Error::new(Code::Limit, text).with_limit("group_participants").into());
    }

    let (seq, at) = view.next_change(tx, context.now).await?;
    let making = users::send_making(&tx.db, &[actor, user], context.now).await?;
    let past = facts::past(&tx.db, id, user).await?.into();
    let known = making.get().await?.into_iter().find(|known| known.profile.id == *user);
    // A group always has an owner: who enters an empty one is it.
    let role = if count == 0 { Role::Owner } else { Role::Member };
    let participant = newcomer(known.ok_or(Failure::Again)?, role, seq);
    insert(tx, id, &[(user, role)], seq, at).await?;
    record(tx, &view, context, ChangeKind::Joined, user, Some(role)).await?;
    let (participant, by) = (Arc::new(participant), actor.clone());
    let event = Event::ParticipantJoined { participant, past, by };
    tx.publish(view.envelope(Some(seq), at, context.origin, event));
    Ok(true)
}

pub(super) async fn remove(
    tx: &mut Tx,
    context: &Context,
    id: ConversationId,
    user: &UserId,
) -> Step<()> {
    let actor = &context.actor.user;
    let mut view = View::lock(&tx.db, id, &context.actor).await?;
    view.allow(Action::Read)?;
    let knowing = users::send_known(&tx.db, &[actor], context.create_users).await?;
    let Some((role, joined)) = role_of(&tx.db, id, user).await? else {
        return Err(Error::not_found().into());
    };
    view.allow(if user == actor { Action::Leave } else { Action::Remove(role) })?;
    knowing.check().await?;

    let making = users::send_making(&tx.db, &[user, actor], context.now).await?;
    let heir = if role == Role::Owner { heir(&tx.db, id, user).await? } else { None };
    if let Some(heir) = heir {
        let promoted = change_role(tx, &mut view, context, &heir, Role::Owner).await?;
        tx.publish(promoted);
    }
    let (seq, at) = view.next_change(tx, context.now).await?;
    let (conversation, name) = (int(id.0), user.as_str());
    let sql = "DELETE FROM participants WHERE conversation = $1 AND user_id = $2";
    tx.send(sql, &[&conversation, &name]).await?;
    // His own leaving is the last that he sees.
    tx.send(
        "INSERT INTO past_memberships (conversation, user_id, from_seq, to_seq) VALUES ($1, $2, $3, $4)",
        &[&conversation, &name, &int(joined.0), &int(seq.0)],
    )
    .await?;
    users::touch(tx, &[user]).await?;
    record(tx, &view, context, ChangeKind::Left, user, None).await?;
    let known = making.get().await?.into_iter().find(|known| known.profile.id == *user);
    let profile = known.ok_or(Failure::Again)?.profile;
    let event = Event::ParticipantLeft { user: profile, by: actor.clone() };
    tx.publish(view.envelope(Some(seq), at, context.origin, event));
    Ok(())
}

pub(super) async fn set_role(tx: &mut Tx, context: &Context, change: &RoleChange) -> Step<()> {
    let (id, user, to) = (change.conversation, &change.user, change.role);
    let actor = &context.actor.user;
    let mut view = View::lock(&tx.db, id, &context.actor).await?;
    view.allow(Action::Read)?;
    let knowing = users::send_known(&tx.db, &[actor], context.create_users).await?;
    let Some((from, _)) = role_of(&tx.db, id, user).await? else {
        return Err(Error::not_found().into());
    };
    view.allow(Action::SetRole { from, to })?;
    if from == to {
        return Ok(());
    }
    if from == Role::Owner {
        let text = "a group has an owner: name another one instead";
        return Err(Error::new(Code::Conflict, text).into());
    }
    knowing.check().await?;

    users::ensure(tx, actor, context.now).await?;
    let owner = if to == Role::Owner { owner(&tx.db, id).await? } else { None };
    if let Some(owner) = owner {
        let demoted = change_role(tx, &mut view, context, &owner, Role::Admin).await?;
        tx.publish(demoted);
    }
    let changed = change_role(tx, &mut view, context, user, to).await?;
    // Of several Changes of one command the last is the one that answers it.
    tx.publish(Envelope { origin: context.origin, ..changed });
    Ok(())
}

/// Changes a role, which is a Change of its own.
async fn change_role(
    tx: &mut Tx,
    view: &mut View,
    context: &Context,
    user: &UserId,
    role: Role,
) -> Step<Envelope> {
    let (seq, at) = view.next_change(tx, context.now).await?;
    tx.send(
        "UPDATE participants SET role = $3 WHERE conversation = $1 AND user_id = $2",
        &[&int(view.conversation.0), &user.as_str(), &rows::role(role)],
    )
    .await?;
    record(tx, view, context, ChangeKind::Role, user, Some(role)).await?;
    let event = Event::RoleChanged { user: user.clone(), role, by: context.actor.user.clone() };
    Ok(view.envelope(Some(seq), at, None, event))
}

/// Writes the row of the Change that has just taken its seq and its time.
async fn record(
    tx: &mut Tx,
    view: &View,
    context: &Context,
    kind: ChangeKind,
    user: &UserId,
    role: Option<Role>,
) -> Step<()> {
    tx.send(
        "INSERT INTO changes (conversation, seq, kind, actor, user_id, role, at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        &[
            &int(view.conversation.0),
            &int(view.last_seq.0),
            &rows::change_kind(kind),
            &context.actor.user.as_str(),
            &user.as_str(),
            &role.map(rows::role),
            &view.latest_at,
        ],
    )
    .await
}

/// The role of a participant, and after what he joined.
async fn role_of(db: &Db, id: ConversationId, user: &UserId) -> Step<Option<(Role, Seq)>> {
    db.one(
        "SELECT role, joined_seq FROM participants WHERE conversation = $1 AND user_id = $2",
        &[&int(id.0), &user.as_str()],
        |row| Ok((rows::read_role(row, 0)?, seq(row, 1)?)),
    )
    .await
}

async fn owner(db: &Db, id: ConversationId) -> Step<Option<UserId>> {
    let sql = "SELECT user_id FROM participants WHERE conversation = $1 AND role = 2";
    db.one(sql, &[&int(id.0)], |row| rows::user_id(row, 0)).await
}

/// Who owns the group when its owner goes: the longest-standing admin, else the longest-standing member.
async fn heir(db: &Db, id: ConversationId, leaving: &UserId) -> Step<Option<UserId>> {
    db.one(
        "SELECT user_id FROM participants WHERE conversation = $1 AND user_id <> $2 \
         ORDER BY role DESC, entered_seq, user_id LIMIT 1",
        &[&int(id.0), &leaving.as_str()],
        |row| rows::user_id(row, 0),
    )
    .await
}
