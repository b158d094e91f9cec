//! Sessions with their refresh tokens, and tickets.

use std::sync::Arc;

use parlour_core::{
    Error, Result,
    model::{Millis, Session, SessionId, TokenHash},
    port::{
        BoxFuture,
        store::{Rotation, SessionStore},
    },
};
use rusqlite::Row;

use super::{
    SqliteStore,
    batch::Tx,
    db::{Db, Step},
    rows::{self, shared},
    users,
};

impl SessionStore for SqliteStore {
    fn create_session(&self, session: Session) -> BoxFuture<'_, Result<()>> {
        self.write(256, move |tx| {
            if tx.db.profile(session.user.as_str())?.is_none() {
                return Err(Error::not_found().into());
            }
            tx.db.run(
                "INSERT INTO sessions (id, user, refresh, cookie, created_at, expires_at) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                (
                    &session.id.0,
                    session.user.as_str(),
                    session.refresh.map(|token| token.0),
                    session.cookie.map(|token| token.0),
                    session.created_at,
                    session.expires_at,
                ),
            )?;
            Ok(())
        })
    }

    fn session(&self, id: SessionId, now: Millis) -> BoxFuture<'_, Result<Option<Session>>> {
        self.read(move |db| {
            let sql = format!("{SESSION} WHERE s.id = ?1 AND s.expires_at > ?2");
            Ok(db.one(&sql, (&id.0, now), session)?)
        })
    }

    fn session_by_cookie(
        &self,
        cookie: TokenHash,
        now: Millis,
    ) -> BoxFuture<'_, Result<Option<Session>>> {
        self.read(move |db| {
            let sql = format!("{SESSION} WHERE s.cookie = ?1 AND s.expires_at > ?2");
            Ok(db.one(&sql, (cookie.0, now), session)?)
        })
    }

    fn rotate_refresh(
        &self,
        used: TokenHash,
        successor: TokenHash,
        now: Millis,
    ) -> BoxFuture<'_, Result<Rotation>> {
        self.write(128, move |tx| rotate(tx, used, successor, now))
    }

    fn end_session(&self, id: SessionId) -> BoxFuture<'_, Result<bool>> {
        self.write(0, move |tx| Ok(end(tx, &id)?))
    }

    fn create_ticket(
        &self,
        ticket: TokenHash,
        identity: Arc<str>,
        expires_at: Millis,
    ) -> BoxFuture<'_, Result<()>> {
        self.write(identity.len(), move |tx| {
            tx.db.run(
                "INSERT INTO tickets (hash, identity, expires_at) VALUES (?1, ?2, ?3)",
                (ticket.0, &identity, expires_at),
            )?;
            Ok(())
        })
    }

    fn take_ticket(
        &self,
        ticket: TokenHash,
        now: Millis,
    ) -> BoxFuture<'_, Result<Option<Arc<str>>>> {
        self.write(0, move |tx| {
            let taken = tx.db.one(
                "DELETE FROM tickets WHERE hash = ?1 RETURNING identity, expires_at",
                [ticket.0],
                |row| Ok((shared(row, 0)?, row.get::<_, Millis>(1)?)),
            )?;
            Ok(taken.filter(|(_, expires_at)| *expires_at > now).map(|(identity, _)| identity))
        })
    }

    fn sweep_sessions(&self, now: Millis) -> BoxFuture<'_, Result<u64>> {
        self.write(0, move |tx| {
            let sessions = tx.db.run("DELETE FROM sessions WHERE expires_at <= ?1", [now])?;
            let tickets = tx.db.run("DELETE FROM tickets WHERE expires_at <= ?1", [now])?;
            Ok((sessions + tickets) as u64)
        })
    }
}

const SESSION: &str =
    "SELECT s.id, s.user, s.refresh, s.cookie, s.created_at, s.expires_at FROM sessions s";

fn session(row: &Row<'_>) -> rusqlite::Result<Session> {
    Ok(Session {
        id: SessionId(shared(row, 0)?),
        user: rows::user_id(row, 1)?,
        refresh: row.get::<_, Option<[u8; 32]>>(2)?.map(TokenHash),
        cookie: row.get::<_, Option<[u8; 32]>>(3)?.map(TokenHash),
        created_at: row.get(4)?,
        expires_at: row.get(5)?,
    })
}

/// Ends a session before its time, if it stands; its user has lost one.
fn end(tx: &Tx<'_>, id: &SessionId) -> rusqlite::Result<bool> {
    let user = tx.db.one("DELETE FROM sessions WHERE id = ?1 RETURNING user", [&id.0], |row| {
        rows::user_id(row, 0)
    })?;
    if let Some(user) = &user {
        users::touch(tx.db, &[user])?;
    }
    Ok(user.is_some())
}

fn rotate(tx: &Tx<'_>, used: TokenHash, successor: TokenHash, now: Millis) -> Step<Rotation> {
    if let Some(mut current) = standing(tx.db, "s.refresh = ?1", used, now)? {
        tx.db.run(
            "INSERT INTO used_refresh_tokens (hash, session) VALUES (?1, ?2)",
            (used.0, &current.id.0),
        )?;
        tx.db
            .run("UPDATE sessions SET refresh = ?2 WHERE id = ?1", (&current.id.0, successor.0))?;
        current.refresh = Some(successor);
        return Ok(Rotation::Rotated(current));
    }
    let of_used = "s.id = (SELECT session FROM used_refresh_tokens WHERE hash = ?1)";
    if let Some(stolen) = standing(tx.db, of_used, used, now)? {
        end(tx, &stolen.id)?;
        return Ok(Rotation::Reused(stolen));
    }
    Ok(Rotation::Unknown)
}

/// The session that a refresh token leads to, if it still stands.
fn standing(
    db: &Db,
    condition: &str,
    token: TokenHash,
    now: Millis,
) -> rusqlite::Result<Option<Session>> {
    let sql = format!("{SESSION} WHERE {condition} AND s.expires_at > ?2");
    db.one(&sql, (token.0, now), session)
}
