//! Users.
//!
//! Rows of users are taken last in a transaction (after those of conversations, sessions and blocks), and in the
//! order of their ids, so that no two steps wait for each other.

use std::{borrow::Borrow, collections::BTreeMap, sync::Arc};

use parlour_core::{
    ConversationId, Error, Result, UserId,
    model::{Millis, Profile, User, UserState},
    port::{
        BoxFuture,
        store::{Context, ProfileUpdate, UserStore},
    },
};
use tokio_postgres::Row;

use super::{
    PostgresStore,
    batch::Tx,
    blocks,
    db::{Db, Failure, Sent, Step},
    rows::{self, PROFILE, integer, limit, maybe_shared},
};
use crate::{fields::Fields, stored::fold};

impl UserStore for PostgresStore {
    fn save_user(&self, update: ProfileUpdate, now: Millis) -> BoxFuture<'_, Result<User>> {
        self.write(512, (update, now), |tx, (update, now)| Box::pin(save(tx, update, *now)))
    }

    fn user(&self, id: UserId) -> BoxFuture<'_, Result<Option<User>>> {
        Box::pin(self.gathered.users.read(&self.runner, id))
    }

    fn search_users(
        &self,
        viewer: UserId,
        prefix: Arc<str>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Arc<Profile>>>> {
        self.read((viewer, prefix, limit), |db, (viewer, prefix, limit)| {
            Box::pin(search(db, viewer, prefix, *limit))
        })
    }

    fn set_last_seen(&self, seen: Vec<(UserId, Millis)>) -> BoxFuture<'_, Result<()>> {
        let mut latest: BTreeMap<UserId, Millis> = BTreeMap::new();
        for (user, at) in seen {
            let known = latest.entry(user).or_insert(at);
            *known = at.max(*known);
        }
        self.write(latest.len() * 64, latest, |tx, seen| Box::pin(set_last_seen(tx, seen)))
    }

    fn set_user_state(&self, id: UserId, state: UserState) -> BoxFuture<'_, Result<()>> {
        self.write(0, (id, state), |tx, (id, state)| Box::pin(set_state(tx, id, *state)))
    }

    fn revoke_user(&self, id: UserId, before: Millis) -> BoxFuture<'_, Result<()>> {
        self.write(0, (id, before), |tx, (id, before)| Box::pin(revoke(tx, id, *before)))
    }

    fn set_block(
        &self,
        context: Context,
        blocked: UserId,
        block: bool,
    ) -> BoxFuture<'_, Result<Vec<ConversationId>>> {
        self.write(0, (context, blocked, block), |tx, (context, blocked, block)| {
            Box::pin(blocks::set(tx, context, blocked, *block))
        })
    }

    fn blocks(&self, user: UserId) -> BoxFuture<'_, Result<Vec<Arc<Profile>>>> {
        self.read(user, |db, user| Box::pin(blocks::of(db, user)))
    }

    fn hidden_from(&self, user: UserId) -> BoxFuture<'_, Result<Vec<UserId>>> {
        Box::pin(self.gathered.hidden.read(&self.runner, user))
    }
}

/// The question whether users are known, on its way.
pub(super) struct Knowing {
    missing: Option<Sent>,
}

impl Knowing {
    /// Refuses unknown users, unless they are to be made ([`known`]).
    pub(super) async fn check(self) -> Step<()> {
        let Some(missing) = self.missing else { return Ok(()) };
        if missing.rows().await?.is_empty() { Ok(()) } else { Err(Error::not_found().into()) }
    }
}

/// Asks whether users are known, unless they are to be made.
pub(super) async fn send_known(db: &Db, users: &[&UserId], create: bool) -> Step<Knowing> {
    if create {
        return Ok(Knowing { missing: None });
    }
    let missing = db
        .send(
            "SELECT 1 FROM unnest($1::text[]) t (id) \
         WHERE NOT EXISTS (SELECT 1 FROM users u WHERE u.id = t.id) LIMIT 1",
            &[&ids(users)],
        )
        .await?;
    Ok(Knowing { missing: Some(missing) })
}

/// What others see of somebody, and when he was last there.
pub(super) struct Known {
    pub(super) profile: Arc<Profile>,
    pub(super) last_seen: Millis,
}

/// Users, in the order of their ids. Those who are unknown are made, which [`Knowing::check`] has allowed.
pub(super) async fn known(db: &Db, users: &[&UserId], now: Millis) -> Step<Vec<Known>> {
    send_making(db, users, now).await?.get().await
}

/// [`known`] on its way.
pub(super) struct Making {
    made: Sent,
    found: Sent,
    count: usize,
}

impl Making {
    pub(super) async fn get(self) -> Step<Vec<Known>> {
        self.made.count().await?;
        let known = self
            .found
            .all(|row| Ok(Known { profile: rows::profile(row, 0)?, last_seen: integer(row, 4)? }));
        let mut known = known.await?;
        known.sort_unstable_by(|one, other| one.profile.id.cmp(&other.profile.id));
        // Nobody is ever removed, so who is not there now was never there.
        if known.len() == self.count { Ok(known) } else { Err(Failure::Again) }
    }
}

/// Sends what [`known`] asks.
pub(super) async fn send_making(db: &Db, users: &[&UserId], now: Millis) -> Step<Making> {
    let mut ids = ids(users);
    ids.sort_unstable();
    ids.dedup();
    let folded: Vec<String> = ids.iter().map(|id| fold(id)).collect();
    // Whoever is made by somebody else at the same time is waited for. OFFSET keeps it a look for each, and ordering below is
    // not the server's: a plan from when users were few goes through all of them otherwise.
    let made = db.send(
        "INSERT INTO users (id, created_at, id_fold, username_fold, name_fold) \
         SELECT t.id, $3, t.folded, t.folded, t.folded FROM unnest($1::text[], $2::text[]) t (id, folded) \
         WHERE NOT EXISTS (SELECT 1 FROM users u WHERE u.id = t.id OFFSET 0) \
         ORDER BY t.id COLLATE \"C\" ON CONFLICT DO NOTHING",
        &[&ids, &folded, &now],
    )
    .await?;
    let sql = format!("SELECT {PROFILE}, u.last_seen FROM users u WHERE u.id = ANY ($1)");
    let found = db.send(&sql, &[&ids]).await?;
    Ok(Making { made, found, count: ids.len() })
}

/// The profile of a user, who is made if he is unknown: see [`Knowing::check`].
pub(super) async fn ensure(tx: &mut Tx, user: &UserId, now: Millis) -> Step<Arc<Profile>> {
    let known = known(&tx.db, &[user], now).await?;
    known.into_iter().next().map(|known| known.profile).ok_or(Failure::Again)
}

/// Raises the versions of users, of whom something changed that other processes must look at
/// ([`parlour_core::port::store::ClusterStore::user_versions`]). Takes their rows until the end of the transaction.
pub(super) async fn touch(tx: &mut Tx, users: &[&UserId]) -> Step<()> {
    tx.send(
        "UPDATE users SET version = version + 1 WHERE id IN \
           (SELECT id FROM users WHERE id = ANY ($1) ORDER BY id FOR NO KEY UPDATE)",
        &[&ids(users)],
    )
    .await
}

pub(super) fn ids<U: Borrow<UserId>>(users: &[U]) -> Vec<&str> {
    users.iter().map(|user| user.borrow().as_str()).collect()
}

/// What [`found`] reads, of a `users u`; it begins with [`PROFILE`].
const FOUND: &str = "u.id, u.username, u.name, u.avatar, \
     u.email, u.state, u.revoked_before, u.last_seen, u.created_at";
const FOUND_COLUMNS: usize = 9;

struct Found {
    user: User,
    fields: Fields,
}

async fn load(db: &Db, id: &UserId, lock: &str) -> Step<Option<Found>> {
    let sql = format!("SELECT {FOUND} FROM users u WHERE u.id = $1 {lock}");
    db.one(&sql, &[&id.as_str()], found).await
}

/// Users who are asked for, in that order; `None` for who is unknown.
pub(super) async fn all(db: &Db, users: &[UserId]) -> Step<Vec<Option<User>>> {
    let sql = format!(
        "SELECT {FOUND}, t.place FROM unnest($1::text[]) WITH ORDINALITY t (id, place) \
         JOIN users u ON u.id = t.id"
    );
    let rows = db.send(&sql, &[&ids(users)]).await?.rows().await?;
    rows::one_each(&rows, users.len(), FOUND_COLUMNS, |row| Ok(found(row)?.user))
}

fn found(row: &Row) -> Step<Found> {
    let fields = Fields {
        username: maybe_shared(row, 1)?,
        name: maybe_shared(row, 2)?,
        avatar: maybe_shared(row, 3)?,
        email: maybe_shared(row, 4)?,
    };
    let user = User {
        profile: rows::profile(row, 0)?,
        email: fields.email.clone(),
        state: rows::read_user_state(row, 5)?,
        revoked_before: integer(row, 6)?,
        last_seen: integer(row, 7)?,
        created_at: integer(row, 8)?,
    };
    Ok(Found { user, fields })
}

/// Makes a user or updates his profile.
pub(super) async fn save(tx: &mut Tx, update: &ProfileUpdate, now: Millis) -> Step<User> {
    let (db, id) = (&tx.db, &update.id);
    if let Some(Found { user, fields }) = load(db, id, "").await?
        && fields.updated(update) == fields
    {
        return Ok(user);
    }
    if insert(db, id, &Fields::default().updated(update), now).await? == 0 {
        let known = load(db, id, "FOR NO KEY UPDATE").await?.ok_or(Failure::Again)?;
        let newer = known.fields.updated(update);
        let (username_fold, name_fold) = newer.folded(id);
        db.run(
            "UPDATE users SET username = $2, name = $3, email = $4, avatar = $5, \
               username_fold = $6, name_fold = $7 WHERE id = $1",
            &[
                &id.as_str(),
                &newer.username.as_deref(),
                &newer.name.as_deref(),
                &newer.email.as_deref(),
                &newer.avatar.as_deref(),
                &username_fold,
                &name_fold,
            ],
        )
        .await?;
    }
    let saved = load(db, id, "").await?.ok_or(Failure::Again)?;
    Ok(saved.user)
}

/// Makes a user, unless he is there: how many were made.
async fn insert(db: &Db, id: &UserId, fields: &Fields, now: Millis) -> Step<u64> {
    let (username_fold, name_fold) = fields.folded(id);
    db.run(
        "INSERT INTO users (id, username, name, email, avatar, created_at, id_fold, username_fold, name_fold) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING",
        &[
            &id.as_str(),
            &fields.username.as_deref(),
            &fields.name.as_deref(),
            &fields.email.as_deref(),
            &fields.avatar.as_deref(),
            &now,
            &fold(id.as_str()),
            &username_fold,
            &name_fold,
        ],
    )
    .await
}

async fn search(db: &Db, viewer: &UserId, prefix: &str, most: usize) -> Step<Vec<Arc<Profile>>> {
    if prefix.contains('\0') {
        // No stored text has one.
        return Ok(Vec::new());
    }
    let from = fold(prefix);
    // No text that begins with the prefix sorts after this one.
    let to = format!("{from}\u{10ffff}");
    let sql = format!(
        "SELECT {PROFILE} FROM ( \
           SELECT id FROM users WHERE name_fold BETWEEN $1 AND $2 \
           UNION SELECT id FROM users WHERE username_fold BETWEEN $1 AND $2 \
           UNION SELECT id FROM users WHERE id_fold BETWEEN $1 AND $2 \
         ) f JOIN users u ON u.id = f.id \
         WHERE u.state = 0 AND u.id <> $3 ORDER BY u.name_fold, u.id LIMIT $4"
    );
    let params: (_, _, _, i64) = (from, to, viewer.as_str(), limit(most));
    db.all(&sql, &[&params.0, &params.1, &params.2, &params.3], |row| rows::profile(row, 0)).await
}

async fn set_last_seen(tx: &mut Tx, seen: &BTreeMap<UserId, Millis>) -> Step<()> {
    let users: Vec<&str> = seen.keys().map(UserId::as_str).collect();
    let at: Vec<i64> = seen.values().copied().collect();
    tx.send(
        "UPDATE users u SET last_seen = t.at FROM ( \
           SELECT l.id, t.at FROM unnest($1::text[], $2::bigint[]) t (id, at) JOIN users l ON l.id = t.id \
           WHERE l.last_seen < t.at ORDER BY l.id FOR NO KEY UPDATE OF l) t \
         WHERE u.id = t.id AND u.last_seen < t.at",
        &[&users, &at],
    )
    .await
}

async fn set_state(tx: &mut Tx, id: &UserId, state: UserState) -> Step<()> {
    let sql = "UPDATE users SET state = $2, version = version + 1 WHERE id = $1";
    let changed = tx.db.run(sql, &[&id.as_str(), &rows::user_state(state)]).await?;
    if changed == 0 { Err(Error::not_found().into()) } else { Ok(()) }
}

async fn revoke(tx: &mut Tx, id: &UserId, before: Millis) -> Step<()> {
    // Sessions come before users.
    tx.send("DELETE FROM sessions WHERE user_id = $1", &[&id.as_str()]).await?;
    let sql = "UPDATE users SET revoked_before = greatest(revoked_before, $2), version = version + 1 \
               WHERE id = $1";
    let changed = tx.db.run(sql, &[&id.as_str(), &before]).await?;
    if changed == 0 { Err(Error::not_found().into()) } else { Ok(()) }
}
