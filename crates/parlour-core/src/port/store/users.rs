//! Users and what they think of each other.

use std::sync::Arc;

use super::Context;
use crate::{
    error::Result,
    ids::{ConversationId, UserId},
    model::{Millis, Profile, User, UserState},
    port::BoxFuture,
};

/// What is known of a user from a sign-in or from the host application. `None` leaves a field as it is, an
/// empty text returns it to its default.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProfileUpdate {
    /// Who.
    pub id: UserId,
    /// A short name.
    pub username: Option<Arc<str>>,
    /// The name to show.
    pub name: Option<Arc<str>>,
    /// The address for mail.
    pub email: Option<Arc<str>>,
    /// Address of a picture.
    pub avatar: Option<Arc<str>>,
}

/// Users and what they think of each other.
pub trait UserStore: Send + Sync + 'static {
    /// Makes the user or updates its profile; writes nothing when nothing differs.
    fn save_user(&self, update: ProfileUpdate, now: Millis) -> BoxFuture<'_, Result<User>>;

    /// One user; `None` when unknown.
    fn user(&self, id: UserId) -> BoxFuture<'_, Result<Option<User>>>;

    /// Users whose name, username or id begins with `prefix` (without regard to case), the viewer and banned
    /// users left out, in the order of names.
    fn search_users(
        &self,
        viewer: UserId,
        prefix: Arc<str>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Arc<Profile>>>>;

    /// Remembers when users were last there. A lost one is harmless.
    fn set_last_seen(&self, seen: Vec<(UserId, Millis)>) -> BoxFuture<'_, Result<()>>;

    /// Bans or readmits.
    ///
    /// # Errors
    /// [`crate::Code::NotFound`] for an unknown user.
    fn set_user_state(&self, id: UserId, state: UserState) -> BoxFuture<'_, Result<()>>;

    /// Refuses tokens issued before `before` from now on, and ends all sessions of the user.
    ///
    /// # Errors
    /// [`crate::Code::NotFound`] for an unknown user.
    fn revoke_user(&self, id: UserId, before: Millis) -> BoxFuture<'_, Result<()>>;

    /// Blocks or unblocks; repeating it changes nothing. Returns the direct conversations of the two.
    ///
    /// # Errors
    /// [`crate::Code::NotFound`] when a user to be blocked is unknown and `create_users` is off.
    fn set_block(
        &self,
        context: Context,
        blocked: UserId,
        block: bool,
    ) -> BoxFuture<'_, Result<Vec<ConversationId>>>;

    /// Whom a user has blocked, in the order of ids.
    fn blocks(&self, user: UserId) -> BoxFuture<'_, Result<Vec<Arc<Profile>>>>;

    /// Those whom the user has blocked and those who have blocked him: they do not see each other's presence.
    fn hidden_from(&self, user: UserId) -> BoxFuture<'_, Result<Vec<UserId>>>;
}
