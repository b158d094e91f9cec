//! Users, and what they think of each other.

use std::sync::Arc;

use parlour_core::{
    ConversationId, Error, Result, UserId,
    model::{Millis, Profile, User, UserState},
    port::{
        BoxFuture,
        store::{Context, ProfileUpdate, UserStore},
    },
};
use rusqlite::Row;

use super::{
    SqliteStore,
    batch::Tx,
    db::{Db, Step},
    rows::{self, limit, maybe_shared},
};
use crate::fields::Fields;
pub(super) use crate::stored::fold;

impl UserStore for SqliteStore {
    fn save_user(&self, update: ProfileUpdate, now: Millis) -> BoxFuture<'_, Result<User>> {
        self.write(512, move |tx| save(tx, &update, now))
    }

    fn user(&self, id: UserId) -> BoxFuture<'_, Result<Option<User>>> {
        self.read(move |db| Ok(load(db, &id)?.map(|found| found.user)))
    }

    fn search_users(
        &self,
        viewer: UserId,
        prefix: Arc<str>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Arc<Profile>>>> {
        self.read(move |db| Ok(search(db, &viewer, &prefix, limit)?))
    }

    fn set_last_seen(&self, seen: Vec<(UserId, Millis)>) -> BoxFuture<'_, Result<()>> {
        self.write_seen(seen.len() * 64, move |tx| {
            for (user, at) in &seen {
                tx.db.run(
                    "UPDATE users SET last_seen = ?2 WHERE id = ?1 AND last_seen < ?2",
                    (user.as_str(), at),
                )?;
            }
            Ok(())
        })
    }

    fn set_user_state(&self, id: UserId, state: UserState) -> BoxFuture<'_, Result<()>> {
        self.write(0, move |tx| {
            let changed = tx.db.run(
                "UPDATE users SET state = ?2, version = version + 1 WHERE id = ?1",
                (id.as_str(), rows::user_state(state)),
            )?;
            if changed == 0 { Err(Error::not_found().into()) } else { Ok(()) }
        })
    }

    fn revoke_user(&self, id: UserId, before: Millis) -> BoxFuture<'_, Result<()>> {
        self.write(0, move |tx| {
            let changed = tx.db.run(
                "UPDATE users SET revoked_before = max(revoked_before, ?2), version = version + 1 \
                 WHERE id = ?1",
                (id.as_str(), before),
            )?;
            if changed == 0 {
                return Err(Error::not_found().into());
            }
            tx.db.run("DELETE FROM sessions WHERE user = ?1", [id.as_str()])?;
            Ok(())
        })
    }

    fn set_block(
        &self,
        context: Context,
        blocked: UserId,
        block: bool,
    ) -> BoxFuture<'_, Result<Vec<ConversationId>>> {
        self.write(0, move |tx| set_block(tx, &context, &blocked, block))
    }

    fn blocks(&self, user: UserId) -> BoxFuture<'_, Result<Vec<Arc<Profile>>>> {
        self.read(move |db| {
            Ok(db.all(
                "SELECT u.id, u.username, u.name, u.avatar FROM blocks b JOIN users u ON u.id = b.blocked \
                 WHERE b.blocker = ?1 ORDER BY u.id",
                [user.as_str()],
                rows::profile,
            )?)
        })
    }

    fn hidden_from(&self, user: UserId) -> BoxFuture<'_, Result<Vec<UserId>>> {
        self.read(move |db| {
            Ok(db.all(
                "SELECT blocked FROM blocks WHERE blocker = ?1 \
                 UNION SELECT blocker FROM blocks WHERE blocked = ?1 ORDER BY 1",
                [user.as_str()],
                |row| rows::user_id(row, 0),
            )?)
        })
    }
}

/// Refuses unknown users, unless they are to be made ([`ensure`]). Call it before anything is written.
pub(super) fn check_known(db: &Db, users: &[&UserId], create: bool) -> Step<()> {
    if !create {
        for user in users {
            if db.profile(user.as_str())?.is_none() {
                return Err(Error::not_found().into());
            }
        }
    }
    Ok(())
}

/// The profile of a user, who is made if he is unknown: see [`check_known`].
pub(super) fn ensure(tx: &Tx<'_>, user: &UserId, now: Millis) -> rusqlite::Result<Arc<Profile>> {
    if let Some(profile) = tx.db.profile(user.as_str())? {
        return Ok(profile);
    }
    insert(tx, user, &Fields::default(), now)?;
    tx.db.known_profile(user.as_str())
}

/// Whether `blocker` has blocked `blocked`.
pub(super) fn has_blocked(db: &Db, blocker: &UserId, blocked: &UserId) -> rusqlite::Result<bool> {
    db.exists(
        "SELECT 1 FROM blocks WHERE blocker = ?1 AND blocked = ?2",
        (blocker.as_str(), blocked.as_str()),
    )
}

/// Raises the versions of users, of whom something changed that other processes must look at
/// ([`parlour_core::port::store::ClusterStore::user_versions`]).
pub(super) fn touch(db: &Db, users: &[&UserId]) -> rusqlite::Result<()> {
    for user in users {
        db.run("UPDATE users SET version = version + 1 WHERE id = ?1", [user.as_str()])?;
    }
    Ok(())
}

struct Found {
    user: User,
    fields: Fields,
}

fn load(db: &Db, id: &UserId) -> rusqlite::Result<Option<Found>> {
    db.one(
        "SELECT id, username, name, avatar, email, state, revoked_before, last_seen, created_at \
         FROM users WHERE id = ?1",
        [id.as_str()],
        found,
    )
}

fn found(row: &Row<'_>) -> rusqlite::Result<Found> {
    let fields = Fields {
        username: maybe_shared(row, 1)?,
        name: maybe_shared(row, 2)?,
        avatar: maybe_shared(row, 3)?,
        email: maybe_shared(row, 4)?,
    };
    let user = User {
        profile: rows::profile(row)?,
        email: fields.email.clone(),
        state: rows::read_user_state(row, 5)?,
        revoked_before: row.get(6)?,
        last_seen: row.get(7)?,
        created_at: row.get(8)?,
    };
    Ok(Found { user, fields })
}

/// Makes a user or updates his profile.
pub(super) fn save(tx: &Tx<'_>, update: &ProfileUpdate, now: Millis) -> Step<User> {
    let id = &update.id;
    match load(tx.db, id)? {
        None => insert(tx, id, &Fields::default().updated(update), now)?,
        Some(Found { user, fields }) => {
            let newer = fields.updated(update);
            if newer == fields {
                return Ok(user);
            }
            let (username_fold, name_fold) = newer.folded(id);
            tx.db.forget_profile(id);
            tx.db.run(
                "UPDATE users SET username = ?2, name = ?3, email = ?4, avatar = ?5, \
                   username_fold = ?6, name_fold = ?7 WHERE id = ?1",
                (
                    id.as_str(),
                    newer.username,
                    newer.name,
                    newer.email,
                    newer.avatar,
                    username_fold,
                    name_fold,
                ),
            )?;
        }
    }
    let saved = load(tx.db, id)?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
    Ok(saved.user)
}

fn insert(tx: &Tx<'_>, id: &UserId, fields: &Fields, now: Millis) -> rusqlite::Result<()> {
    let (username_fold, name_fold) = fields.folded(id);
    tx.db.forget_profile(id);
    tx.db.run(
        "INSERT INTO users (id, username, name, email, avatar, created_at, id_fold, username_fold, name_fold) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        (
            id.as_str(),
            &fields.username,
            &fields.name,
            &fields.email,
            &fields.avatar,
            now,
            fold(id.as_str()),
            username_fold,
            name_fold,
        ),
    )?;
    Ok(())
}

fn search(
    db: &Db,
    viewer: &UserId,
    prefix: &str,
    most: usize,
) -> rusqlite::Result<Vec<Arc<Profile>>> {
    let from = fold(prefix);
    // No text that begins with the prefix sorts after this one.
    let to = format!("{from}\u{10ffff}");
    db.all(
        "SELECT u.id, u.username, u.name, u.avatar FROM ( \
           SELECT id FROM users WHERE name_fold BETWEEN ?1 AND ?2 \
           UNION SELECT id FROM users WHERE username_fold BETWEEN ?1 AND ?2 \
           UNION SELECT id FROM users WHERE id_fold BETWEEN ?1 AND ?2 \
         ) f JOIN users u ON u.id = f.id \
         WHERE u.state = 0 AND u.id <> ?3 ORDER BY u.name_fold, u.id LIMIT ?4",
        (from, to, viewer.as_str(), limit(most)),
        rows::profile,
    )
}

fn set_block(
    tx: &Tx<'_>,
    context: &Context,
    blocked: &UserId,
    block: bool,
) -> Step<Vec<ConversationId>> {
    let blocker = &context.actor.user;
    let changed = if block {
        check_known(tx.db, &[blocker, blocked], context.create_users)?;
        ensure(tx, blocker, context.now)?;
        ensure(tx, blocked, context.now)?;
        tx.db.run(
            "INSERT INTO blocks (blocker, blocked, at) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
            (blocker.as_str(), blocked.as_str(), context.now),
        )?
    } else {
        tx.db.run(
            "DELETE FROM blocks WHERE blocker = ?1 AND blocked = ?2",
            (blocker.as_str(), blocked.as_str()),
        )?
    };
    if changed > 0 {
        touch(tx.db, &[blocker, blocked])?;
    }
    let between = tx.db.all(
        "SELECT c.id FROM participants mine \
         JOIN participants his ON his.conversation = mine.conversation AND his.user = ?2 \
         JOIN conversations c ON c.id = mine.conversation \
         WHERE mine.user = ?1 AND c.kind = 0 ORDER BY c.id",
        (blocker.as_str(), blocked.as_str()),
        |row| rows::number(row, 0).map(ConversationId),
    )?;
    Ok(between)
}
