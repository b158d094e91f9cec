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
    db::{Db, Step},
    facts::{self, View},
    rows::{self, ChangeKind, int},
    users,
};

pub(super) fn blocked() -> Error {
    Error::new(Code::Blocked, "one of you has blocked the other")
}

/// Puts a user into a conversation; he is made if he is unknown. `entered` is the Change that does it, the
/// first that he sees; zero for those who are there from the first.
pub(super) fn insert(
    tx: &Tx<'_>,
    context: &Context,
    conversation: ConversationId,
    user: &UserId,
    role: Role,
    entered: Seq,
    at: Millis,
) -> rusqlite::Result<Participant> {
    let joined = Seq(entered.0.saturating_sub(1));
    let profile = users::ensure(tx, user, context.now)?;
    tx.db.run(
        "INSERT INTO participants \
           (conversation, user, role, joined_seq, entered_seq, delivered_seq, read_seq, joined_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?4, ?4, ?6)",
        (int(conversation.0), user.as_str(), rows::role(role), int(joined.0), int(entered.0), at),
    )?;
    users::touch(tx.db, &[user])?;
    let last_seen = tx
        .db
        .one("SELECT last_seen FROM users WHERE id = ?1", [user.as_str()], |row| row.get(0))?
        .unwrap_or_default();
    let watermark = Watermark { delivered: joined, read: joined };
    Ok(Participant { profile, role, joined_seq: joined, watermark, last_seen })
}

pub(super) fn add(
    tx: &mut Tx<'_>,
    context: &Context,
    id: ConversationId,
    user: &UserId,
    most: usize,
) -> Step<bool> {
    let actor = &context.actor.user;
    let mut view = View::load(tx.db, id, &context.actor)?;
    view.allow(Action::Add)?;
    if role_of(tx.db, id, user)?.is_some() {
        return Ok(false);
    }
    users::check_known(tx.db, &[actor, user], context.create_users)?;
    if users::has_blocked(tx.db, user, actor)? {
        return Err(blocked().into());
    }
    let count = count(tx.db, id)?;
    if count >= most {
        let text = format!("a group has at most {most} participants");
        return Err(Error::new(Code::Limit, text).with_limit("group_participants").into());
    }

    users::ensure(tx, actor, context.now)?;
    let (seq, at) = view.next_change(tx, context.now)?;
    // A group always has an owner: who enters an empty one is it.
    let role = if count == 0 { Role::Owner } else { Role::Member };
    let participant = insert(tx, context, id, user, role, seq, at)?;
    record(tx, &view, context, ChangeKind::Joined, user, Some(role), at)?;
    let past = facts::past(tx.db, id, user)?.into();
    let (participant, by) = (Arc::new(participant), actor.clone());
    let event = Event::ParticipantJoined { participant, past, by };
    tx.publish(view.envelope(Some(seq), at, context.origin, event));
    Ok(true)
}

pub(super) fn remove(
    tx: &mut Tx<'_>,
    context: &Context,
    id: ConversationId,
    user: &UserId,
) -> Step<()> {
    let actor = &context.actor.user;
    let mut view = View::readable(tx.db, id, &context.actor)?;
    let Some((role, joined)) = role_of(tx.db, id, user)? else {
        return Err(Error::not_found().into());
    };
    view.allow(if user == actor { Action::Leave } else { Action::Remove(role) })?;
    users::check_known(tx.db, &[actor], context.create_users)?;

    let profile = users::ensure(tx, user, context.now)?;
    users::ensure(tx, actor, context.now)?;
    if role == Role::Owner
        && let Some(heir) = heir(tx.db, id, user)?
    {
        let promoted = change_role(tx, &mut view, context, &heir, Role::Owner)?;
        tx.publish(promoted);
    }
    let (seq, at) = view.next_change(tx, context.now)?;
    tx.db.run(
        "DELETE FROM participants WHERE conversation = ?1 AND user = ?2",
        (int(id.0), user.as_str()),
    )?;
    users::touch(tx.db, &[user])?;
    // His own leaving is the last that he sees.
    tx.db.run(
        "INSERT INTO past_memberships (conversation, user, from_seq, to_seq) VALUES (?1, ?2, ?3, ?4)",
        (int(id.0), user.as_str(), int(joined.0), int(seq.0)),
    )?;
    record(tx, &view, context, ChangeKind::Left, user, None, at)?;
    let event = Event::ParticipantLeft { user: profile, by: actor.clone() };
    tx.publish(view.envelope(Some(seq), at, context.origin, event));
    Ok(())
}

pub(super) fn set_role(tx: &mut Tx<'_>, context: &Context, change: &RoleChange) -> Step<()> {
    let (id, user, to) = (change.conversation, &change.user, change.role);
    let mut view = View::readable(tx.db, id, &context.actor)?;
    let Some((from, _)) = role_of(tx.db, id, user)? else {
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
    users::check_known(tx.db, &[&context.actor.user], context.create_users)?;

    users::ensure(tx, &context.actor.user, context.now)?;
    if to == Role::Owner
        && let Some(owner) = owner(tx.db, id)?
    {
        let demoted = change_role(tx, &mut view, context, &owner, Role::Admin)?;
        tx.publish(demoted);
    }
    let changed = change_role(tx, &mut view, context, user, to)?;
    // Of several Changes of one command the last is the one that answers it.
    tx.publish(Envelope { origin: context.origin, ..changed });
    Ok(())
}

/// Changes a role, which is a Change of its own.
fn change_role(
    tx: &Tx<'_>,
    view: &mut View,
    context: &Context,
    user: &UserId,
    role: Role,
) -> rusqlite::Result<Envelope> {
    let (seq, at) = view.next_change(tx, context.now)?;
    tx.db.run(
        "UPDATE participants SET role = ?3 WHERE conversation = ?1 AND user = ?2",
        (int(view.conversation.0), user.as_str(), rows::role(role)),
    )?;
    record(tx, view, context, ChangeKind::Role, user, Some(role), at)?;
    let event = Event::RoleChanged { user: user.clone(), role, by: context.actor.user.clone() };
    Ok(view.envelope(Some(seq), at, None, event))
}

/// Writes the row of the Change that has just taken its seq.
fn record(
    tx: &Tx<'_>,
    view: &View,
    context: &Context,
    kind: ChangeKind,
    user: &UserId,
    role: Option<Role>,
    at: Millis,
) -> rusqlite::Result<()> {
    tx.db.run(
        "INSERT INTO changes (conversation, seq, kind, actor, user, role, at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        (
            int(view.conversation.0),
            int(view.head.last_seq.0),
            rows::change_kind(kind),
            context.actor.user.as_str(),
            user.as_str(),
            role.map(rows::role),
            at,
        ),
    )?;
    Ok(())
}

/// The role of a participant, and after what he joined.
fn role_of(db: &Db, id: ConversationId, user: &UserId) -> rusqlite::Result<Option<(Role, Seq)>> {
    db.one(
        "SELECT role, joined_seq FROM participants WHERE conversation = ?1 AND user = ?2",
        (int(id.0), user.as_str()),
        |row| Ok((rows::read_role(row, 0)?, rows::seq(row, 1)?)),
    )
}

fn count(db: &Db, id: ConversationId) -> rusqlite::Result<usize> {
    let sql = "SELECT count(*) FROM participants WHERE conversation = ?1";
    let count = db.one(sql, [int(id.0)], |row| rows::number(row, 0))?;
    Ok(usize::try_from(count.unwrap_or_default()).unwrap_or(usize::MAX))
}

fn owner(db: &Db, id: ConversationId) -> rusqlite::Result<Option<UserId>> {
    db.one(
        "SELECT user FROM participants WHERE conversation = ?1 AND role = 2",
        [int(id.0)],
        |row| rows::user_id(row, 0),
    )
}

/// Who owns the group when its owner goes: the longest-standing admin, else the longest-standing member.
fn heir(db: &Db, id: ConversationId, leaving: &UserId) -> rusqlite::Result<Option<UserId>> {
    db.one(
        "SELECT user FROM participants WHERE conversation = ?1 AND user <> ?2 \
         ORDER BY role DESC, entered_seq, user LIMIT 1",
        (int(id.0), leaving.as_str()),
        |row| rows::user_id(row, 0),
    )
}
