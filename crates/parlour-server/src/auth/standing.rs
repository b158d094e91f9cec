//! Whether a sign-in that was good a while ago still is, and whom the host application vouches for itself.

use parlour_core::{Error, UserId, command::Identity};

use super::{Auth, claims::Refusal, people::Described, refused};

impl Auth {
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
