//! Sessions: what a login gave, until it ends by itself, by logout or by revocation.

use std::{sync::Arc, time::Duration};

use parlour_core::{
    Error,
    model::{Millis, Session, SessionId, TokenHash},
    port::{
        BoxFuture,
        clock::{Clock, Random},
        store::{Rotation, Store},
    },
};

use super::{claims::Refusal, opaque, recent::Recent, refused};

/// How long a session is believed to stand without asking again (G10: 10 s at most).
const BELIEVED: Duration = Duration::from_secs(5);

/// Sessions, read through a cache of a few seconds.
pub(super) struct Sessions {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    by_id: Recent<SessionId, Session>,
    by_cookie: Recent<TokenHash, Session>,
}

/// A session that was just made, with the secrets that only its holder gets.
pub(super) struct Opened {
    pub(super) session: Session,
    pub(super) refresh: Option<String>,
    pub(super) cookie: String,
}

impl Sessions {
    pub(super) fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Self {
        let (by_id, by_cookie) = (Recent::new(BELIEVED), Recent::new(BELIEVED));
        Self { store, clock, random, by_id, by_cookie }
    }

    /// Opens a session until `expires_at`; with a refresh token for a login of our own.
    pub(super) async fn open(
        &self,
        user: parlour_core::UserId,
        expires_at: Millis,
        refreshable: bool,
    ) -> Result<Opened, Error> {
        let (id, _) = opaque::make(&*self.random, "");
        let (cookie, cookie_hash) = opaque::make(&*self.random, "");
        let (refresh, refresh_hash) = opaque::make(&*self.random, "");
        let session = Session {
            id: SessionId(id.get(..22).unwrap_or(&id).into()),
            user,
            refresh: refreshable.then_some(refresh_hash),
            cookie: Some(cookie_hash),
            created_at: self.clock.now(),
            expires_at,
        };
        self.store.create_session(session.clone()).await?;
        Ok(Opened { session, refresh: refreshable.then_some(refresh), cookie })
    }

    /// The session of an id, if it stands.
    pub(super) async fn by_id(&self, id: &SessionId) -> Result<Session, Error> {
        let read = || self.store.session(id.clone(), self.clock.now());
        Self::through(&self.by_id, &*self.clock, id.clone(), read).await
    }

    /// The session of a cookie, if it stands.
    pub(super) async fn by_cookie(&self, cookie: &str) -> Result<Session, Error> {
        let hash = opaque::hash(cookie);
        let read = || self.store.session_by_cookie(hash, self.clock.now());
        Self::through(&self.by_cookie, &*self.clock, hash, read).await
    }

    async fn through<'a, K: std::hash::Hash + Eq>(
        cache: &Recent<K, Session>,
        clock: &dyn Clock,
        key: K,
        read: impl FnOnce() -> BoxFuture<'a, Result<Option<Session>, Error>>,
    ) -> Result<Session, Error> {
        let now = clock.monotonic();
        if let Some(session) = cache.get(&key, now)
            && clock.now() < session.expires_at
        {
            return Ok(session);
        }
        let began = cache.begin();
        let session = read().await?.ok_or_else(|| refused(Refusal::Revoked))?;
        cache.put(began, key, session.clone(), now);
        Ok(session)
    }

    /// Gives a new refresh token for the current one. One that was used before ends its session (J5).
    pub(super) async fn rotate(&self, refresh: &str) -> Result<Rotated, Error> {
        let (successor, hash) = opaque::make(&*self.random, "");
        let used = opaque::hash(refresh);
        match self.store.rotate_refresh(used, hash, self.clock.now()).await? {
            Rotation::Rotated(session) => Ok(Rotated::Fresh(session, successor)),
            Rotation::Reused(session) => {
                self.forget(&session.id);
                Ok(Rotated::Stolen(session))
            }
            Rotation::Unknown => Err(refused(Refusal::Revoked)),
        }
    }

    /// Ends a session.
    pub(super) async fn end(&self, id: &SessionId) -> Result<(), Error> {
        let ended = self.store.end_session(id.clone()).await;
        self.forget(id);
        ended.map(drop)
    }

    /// Forgets every session of a user, because they were just ended.
    pub(super) fn forget_user(&self, user: &parlour_core::UserId) {
        self.by_id.forget(|_, session| session.user == *user);
        self.by_cookie.forget(|_, session| session.user == *user);
    }

    pub(super) fn sweep(&self) {
        let now = self.clock.monotonic();
        self.by_id.sweep(now);
        self.by_cookie.sweep(now);
    }

    fn forget(&self, id: &SessionId) {
        self.by_id.forget(|known, _| known == id);
        self.by_cookie.forget(|_, session| session.id == *id);
    }
}

/// What presenting a refresh token gave.
pub(super) enum Rotated {
    /// The session, and the successor of the token.
    Fresh(Session, String),
    /// It was used before: this session is over.
    Stolen(Session),
}
