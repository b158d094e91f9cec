//! What is known of a user's profile, as every store keeps it: what is not given has no value.

use std::sync::Arc;

use parlour_core::{UserId, port::store::ProfileUpdate};

use crate::stored::fold;

/// The fields of a profile as they are stored: what is not given is NULL.
#[derive(Clone, PartialEq, Eq, Default)]
pub(crate) struct Fields {
    pub(crate) username: Option<Arc<str>>,
    pub(crate) name: Option<Arc<str>>,
    pub(crate) email: Option<Arc<str>>,
    pub(crate) avatar: Option<Arc<str>>,
}

impl Fields {
    /// Puts what is known now in the place of what was known.
    pub(crate) fn updated(&self, update: &ProfileUpdate) -> Self {
        let newer = |old: &Option<Arc<str>>, new: &Option<Arc<str>>| match new {
            None => old.clone(),
            Some(text) if text.is_empty() => None,
            Some(text) => Some(text.clone()),
        };
        Self {
            username: newer(&self.username, &update.username),
            name: newer(&self.name, &update.name),
            email: newer(&self.email, &update.email),
            avatar: newer(&self.avatar, &update.avatar),
        }
    }

    /// Username and name in the form in which they are searched.
    pub(crate) fn folded(&self, id: &UserId) -> (String, String) {
        let username = self.username.as_deref().unwrap_or(id.as_str());
        (fold(username), fold(self.name.as_deref().unwrap_or(username)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_field_falls_back_to_its_default() {
        let id = UserId::new("Ann").unwrap();
        let update = ProfileUpdate {
            id: id.clone(),
            username: Some("".into()),
            name: None,
            email: None,
            avatar: None,
        };
        let fields = Fields { username: Some("Old".into()), ..Fields::default() };
        let newer = fields.updated(&update);
        assert!(newer == Fields::default());
        assert_eq!(newer.folded(&id), ("ann".to_owned(), "ann".to_owned()));
    }
}
