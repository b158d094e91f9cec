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
use tokio_postgres::Row;

use super::{
    PostgresStore,
    batch::Tx,
    db::Step,
    rows::{integer, maybe_token, shared, user_id},
};

impl SessionStore for PostgresStore {
    fn create_session(&self, session: Session) -> BoxFuture<'_, Result<()>> {
        self.write(256, session, |tx, session| Box::pin(create(tx, session)))
    }

    fn session(&self, id: SessionId, now: Millis) -> BoxFuture<'_, Result<Option<Session>>> {
        self.read((id, now), |db, (id, now)| {
            Box::pin(async move {
                let sql = "SELECT id, user_id, refresh, cookie, created_at, expires_at FROM sessions \
                           WHERE id = $1 AND expires_at > $2";
                db.one(sql, &[&&*id.0, now], session).await
            })
        })
    }

    fn session_by_cookie(
        &self,
        cookie: TokenHash,
        now: Millis,
    ) -> BoxFuture<'_, Result<Option<Session>>> {
        self.read((cookie, now), |db, (cookie, now)| {
            Box::pin(async move {
                let sql = "SELECT id, user_id, refresh, cookie, created_at, expires_at FROM sessions \
                           WHERE cookie = $1 AND expires_at > $2";
                db.one(sql, &[&cookie.0, now], session).await
            })
        })
    }

    fn rotate_refresh(
        &self,
        used: TokenHash,
        successor: TokenHash,
        now: Millis,
    ) -> BoxFuture<'_, Result<Rotation>> {
        self.write(128, (used, successor, now), |tx, (used, successor, now)| {
            Box::pin(rotate(tx, *used, *successor, *now))
        })
    }

    fn end_session(&self, id: SessionId) -> BoxFuture<'_, Result<bool>> {
        self.write(0, id, |tx, id| Box::pin(end(tx, id)))
    }

    fn create_ticket(
        &self,
        ticket: TokenHash,
        identity: Arc<str>,
        expires_at: Millis,
    ) -> BoxFuture<'_, Result<()>> {
        let bytes = identity.len();
        self.write(bytes, (ticket, identity, expires_at), |tx, (ticket, identity, expires_at)| {
            Box::pin(async move {
                let sql = "INSERT INTO tickets (hash, identity, expires_at) VALUES ($1, $2, $3)";
                tx.db.run(sql, &[&ticket.0, &&**identity, expires_at]).await?;
                Ok(())
            })
        })
    }

    fn take_ticket(
        &self,
        ticket: TokenHash,
        now: Millis,
    ) -> BoxFuture<'_, Result<Option<Arc<str>>>> {
        self.write(0, (ticket, now), |tx, (ticket, now)| {
            Box::pin(async move {
                let sql = "DELETE FROM tickets WHERE hash = $1 RETURNING identity, expires_at";
                let read = |row: &Row| Ok((shared(row, 0)?, integer(row, 1)?));
                let taken = tx.db.one(sql, &[&ticket.0], read).await?;
                Ok(taken.filter(|(_, until)| until > now).map(|(identity, _)| identity))
            })
        })
    }

    fn sweep_sessions(&self, now: Millis) -> BoxFuture<'_, Result<u64>> {
        self.write(0, now, |tx, now| {
            Box::pin(async move {
                let sessions =
                    tx.db.send("DELETE FROM sessions WHERE expires_at <= $1", &[now]).await?;
                let tickets =
                    tx.db.send("DELETE FROM tickets WHERE expires_at <= $1", &[now]).await?;
                Ok(sessions.count().await? + tickets.count().await?)
            })
        })
    }
}

/// From `id, user_id, refresh, cookie, created_at, expires_at`.
fn session(row: &Row) -> Step<Session> {
    Ok(Session {
        id: SessionId(shared(row, 0)?),
        user: user_id(row, 1)?,
        refresh: maybe_token(row, 2)?,
        cookie: maybe_token(row, 3)?,
        created_at: integer(row, 4)?,
        expires_at: integer(row, 5)?,
    })
}

async fn create(tx: &mut Tx, session: &Session) -> Step<()> {
    // Nothing where the user is unknown.
    let made = tx
        .db
        .run(
            "INSERT INTO sessions (id, user_id, refresh, cookie, created_at, expires_at) \
             SELECT $1, id, $3, $4, $5, $6 FROM users WHERE id = $2",
            &[
                &&*session.id.0,
                &session.user.as_str(),
                &session.refresh.map(|token| token.0),
                &session.cookie.map(|token| token.0),
                &session.created_at,
                &session.expires_at,
            ],
        )
        .await?;
    if made == 0 { Err(Error::not_found().into()) } else { Ok(()) }
}

/// Ends a session, and lets other processes look at its user; whether it stood.
async fn end(tx: &mut Tx, id: &SessionId) -> Step<bool> {
    let ended = tx
        .db
        .run(
            "WITH ended AS (DELETE FROM sessions WHERE id = $1 RETURNING user_id) \
             UPDATE users SET version = version + 1 FROM ended WHERE users.id = ended.user_id",
            &[&&*id.0],
        )
        .await?;
    Ok(ended > 0)
}

async fn rotate(tx: &mut Tx, used: TokenHash, successor: TokenHash, now: Millis) -> Step<Rotation> {
    // Of several at once the first has its row; for the others the token is a used one then.
    let current = tx
        .db
        .one(
            "UPDATE sessions SET refresh = $2 WHERE refresh = $1 AND expires_at > $3 \
             RETURNING id, user_id, refresh, cookie, created_at, expires_at",
            &[&used.0, &successor.0, &now],
            session,
        )
        .await?;
    if let Some(current) = current {
        let sql = "INSERT INTO used_refresh_tokens (hash, session) VALUES ($1, $2)";
        tx.db.run(sql, &[&used.0, &&*current.id.0]).await?;
        return Ok(Rotation::Rotated(current));
    }
    let stolen = tx
        .db
        .one(
            "SELECT s.id, s.user_id, s.refresh, s.cookie, s.created_at, s.expires_at \
             FROM used_refresh_tokens t JOIN sessions s ON s.id = t.session \
             WHERE t.hash = $1 AND s.expires_at > $2",
            &[&used.0, &now],
            session,
        )
        .await?;
    if let Some(stolen) = stolen {
        end(tx, &stolen.id).await?;
        return Ok(Rotation::Reused(stolen));
    }
    Ok(Rotation::Unknown)
}
