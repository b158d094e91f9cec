//! Whether a sign-in that was good a while ago still is, and whom the host application vouches for itself.

use std::time::Duration;

use parlour_core::{
    Error, UserId,
    command::Identity,
    model::{SessionId, User},
};

use super::{Auth, claims::Refusal, people::Described, refused};

/// What the store says of somebody at this moment.
pub(crate) struct Standing {
    /// He himself, if he is known.
    pub(crate) user: Option<User>,
    /// Which of the sessions that were asked for have ended.
    pub(crate) ended: Vec<SessionId>,
}

impl Auth {
    /// Forgets what is believed of a user, because another process may have changed it.
    pub(crate) fn forget_beliefs(&self, user: &UserId) {
        self.people.forget(user);
        self.sessions.forget_user(user);
    }

    /// Asks the store how a user and sessions of his stand, whatever is believed of them.
    ///
    /// # Errors
    /// Those of the store.
    pub(crate) async fn look_again(
        &self,
        user: &UserId,
        sessions: &[SessionId],
    ) -> Result<Standing, Error> {
        self.forget_beliefs(user);
        let found = self.store.user(user.clone()).await?;
        let mut ended = Vec::new();
        for session in sessions {
            if self.store.session(session.clone(), self.clock.now()).await?.is_none() {
                ended.push(session.clone());
            }
        }
        Ok(Standing { user: found, ended })
    }

    /// A user as the store has him, read at a moment of process time or later: who has just signed in need not be read again.
    ///
    /// # Errors
    /// Those of the store.
    pub(crate) async fn user_since(
        &self,
        user: &UserId,
        moment: Duration,
    ) -> Result<Option<User>, Error> {
        match self.people.read_since(user, moment) {
            Some(user) => Ok(Some(user)),
            None => self.store.user(user.clone()).await,
        }
    }

    /// Whether a sign-in still stands: its end has not come, and it was not revoked.
    ///
    /// # Errors
    /// [`parlour_core::Code::NotAuthenticated`] when it does not.
    pub(crate) async fn still_stands(&self, identity: &Identity) -> Result<(), Error> {
        if identity.expires_at.is_some_and(|end| end <= self.clock.now()) {
            return Err(refused(Refusal::Expired));
        }
        if let Some(session) = &identity.session {
            self.sessions.by_id(session).await?;
        }
        let user = &identity.actor.user;
        self.people.admit(user, Described::default(), identity.issued_at).await
    }

    /// Admits a user for whom the host application has signed just now. One who is not known yet becomes known where
    /// the host application is trusted with that.
    ///
    /// # Errors
    /// [`parlour_core::Code::NotAuthenticated`] when he is banned, or unknown.
    pub(crate) async fn vouched_for(&self, user: &UserId) -> Result<(), Error> {
        self.people.admit(user, Described::default(), self.clock.now()).await
    }
}
