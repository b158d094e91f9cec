//! Sessions, refresh tokens and tickets.

use std::sync::Arc;

use crate::{
    error::Result,
    model::{Millis, Session, SessionId, TokenHash},
    port::BoxFuture,
};

/// What presenting a refresh token gave.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Rotation {
    /// It was the current one; the new one is in its place.
    Rotated(Session),
    /// It was used before: the session is revoked, because somebody has stolen it (J5).
    Reused(Session),
    /// There is no such token, or its session has ended.
    Unknown,
}

/// Sessions and tickets.
pub trait SessionStore: Send + Sync + 'static {
    /// Keeps a new session.
    fn create_session(&self, session: Session) -> BoxFuture<'_, Result<()>>;

    /// The session that stands under an id at `now`.
    fn session(&self, id: SessionId, now: Millis) -> BoxFuture<'_, Result<Option<Session>>>;

    /// The session that a cookie stands for at `now`.
    fn session_by_cookie(
        &self,
        cookie: TokenHash,
        now: Millis,
    ) -> BoxFuture<'_, Result<Option<Session>>>;

    /// Replaces a refresh token by its successor, once.
    fn rotate_refresh(
        &self,
        used: TokenHash,
        successor: TokenHash,
        now: Millis,
    ) -> BoxFuture<'_, Result<Rotation>>;

    /// Ends a session; whether it stood.
    fn end_session(&self, id: SessionId) -> BoxFuture<'_, Result<bool>>;

    /// Keeps a ticket: who may open one socket with it, until when. `identity` is the holder's own encoding.
    fn create_ticket(
        &self,
        ticket: TokenHash,
        identity: Arc<str>,
        expires_at: Millis,
    ) -> BoxFuture<'_, Result<()>>;

    /// Takes a ticket: of several takers exactly one gets it, if it has not expired.
    fn take_ticket(
        &self,
        ticket: TokenHash,
        now: Millis,
    ) -> BoxFuture<'_, Result<Option<Arc<str>>>>;

    /// Forgets sessions and tickets that ended before `now`.
    fn sweep_sessions(&self, now: Millis) -> BoxFuture<'_, Result<u64>>;
}
