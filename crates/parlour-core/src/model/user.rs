//! Users of the host application and what others see of them.

use std::sync::Arc;

use super::Millis;
use crate::ids::UserId;

/// What others see of a user. Shared, because every message carries its sender's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Profile {
    /// The host application's id.
    pub id: UserId,
    /// A short name, unique by the host application's word; defaults to the id.
    pub username: Arc<str>,
    /// The name to show; defaults to the username.
    pub name: Arc<str>,
    /// Address of a picture, if there is one.
    pub avatar: Option<Arc<str>>,
}

impl Profile {
    /// A profile of which only the id is known.
    #[must_use]
    pub fn bare(id: UserId) -> Self {
        let username: Arc<str> = id.as_str().into();
        Self { id, name: username.clone(), username, avatar: None }
    }
}

/// A user with all that he himself may see.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct User {
    /// What others see.
    pub profile: Arc<Profile>,
    /// The address for mail, seen by the user alone.
    pub email: Option<Arc<str>>,
    /// Whether the user may sign in.
    pub state: UserState,
    /// Tokens issued before this moment are refused. Zero: none are.
    pub revoked_before: Millis,
    /// When the last socket of the user went away; zero when none ever did.
    pub last_seen: Millis,
    /// When the user became known.
    pub created_at: Millis,
}

/// Whether a user may sign in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UserState {
    /// May sign in.
    Active,
    /// Is refused everywhere; what he said stays.
    Banned,
}
