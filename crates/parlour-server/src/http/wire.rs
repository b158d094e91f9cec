//! Small forms that several resources share.

use std::{fmt, sync::Arc};

use parlour_core::{Error, UserId, event::PresenceStatus, model};
use parlour_wire::native::object;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error as _, Visitor},
};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use super::{Api, extract::Caller};

/// A user's id in a body: the host application's, as a text or a number.
#[derive(Clone)]
pub(crate) struct UserRef(pub(crate) UserId);

impl<'de> Deserialize<'de> for UserRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Id;
        impl Visitor<'_> for Id {
            type Value = UserId;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a user id")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<UserId, E> {
                UserId::new(text).map_err(E::custom)
            }

            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<UserId, E> {
                UserId::new(&number.to_string()).map_err(E::custom)
            }

            fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<UserId, E> {
                UserId::new(&number.to_string()).map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Id).map(Self)
    }
}

/// A field that may be left out (unchanged), be null (removed) or have a value.
pub(crate) fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(deserializer).map(Some)
}

/// Opaque JSON of a body, as it was written.
pub(crate) fn opaque(json: &RawValue) -> Option<Arc<str>> {
    (json.get() != "null").then(|| json.get().into())
}

/// Where a page of a list begins, and how long it is.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// How many; 50 without it, at most 100.
    #[serde(default)]
    #[param(value_type = Option<u32>)]
    pub(crate) limit: Option<Wish>,
    /// `next` of the page before.
    pub(crate) cursor: Option<String>,
}

/// A wished page size: any whole number; it is clamped, not refused.
#[derive(Clone, Copy)]
pub(crate) struct Wish(pub(crate) usize);

impl<'de> Deserialize<'de> for Wish {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digits = text.strip_prefix('-').unwrap_or(&text);
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(D::Error::custom("limit is no whole number"));
        }
        let size = if digits.len() < text.len() { 0 } else { digits.parse().unwrap_or(usize::MAX) };
        Ok(Self(size))
    }
}

/// A page of a list.
#[derive(Serialize, ToSchema)]
pub(crate) struct Listed<T> {
    /// The items of this page.
    pub(crate) results: Vec<T>,
    /// The cursor of the next page; null at the end.
    pub(crate) next: Option<String>,
}

/// A list that has no pages.
#[derive(Serialize, ToSchema)]
pub(crate) struct All<T> {
    /// The items.
    pub(crate) results: Vec<T>,
}

/// Who may be seen: presence of those who have blocked each other is not shown.
pub(crate) struct Sight<'a> {
    api: &'a Api,
    hidden: Vec<UserId>,
}

impl<'a> Sight<'a> {
    /// What the caller may see of other people.
    pub(crate) async fn of(api: &'a Api, caller: &Caller) -> Result<Self, Error> {
        let hidden = api.chat.store().hidden_from(caller.user()).await?;
        Ok(Self { api, hidden })
    }

    fn status(&self, user: &UserId) -> PresenceStatus {
        if self.hidden.contains(user) {
            PresenceStatus::Offline
        } else {
            self.api.live.presence(user)
        }
    }

    /// Whether somebody is there, and when he last was.
    pub(crate) fn presence(
        &self,
        participant: &model::Participant,
    ) -> (PresenceStatus, Option<object::Time>) {
        let id = &participant.profile.id;
        let is_hidden = self.hidden.contains(id);
        (self.status(id), object::seen(participant.last_seen).filter(|_| !is_hidden))
    }

    /// A participant.
    pub(crate) fn participant(&self, participant: &model::Participant) -> object::Participant {
        let (status, last_seen) = self.presence(participant);
        object::Participant { last_seen, ..object::Participant::new(participant, status) }
    }

    /// A conversation.
    pub(crate) fn conversation(
        &self,
        summary: &model::ConversationSummary,
    ) -> object::Conversation {
        let mut shown = object::Conversation::new(summary, |user| self.status(user));
        for participant in &mut shown.participants {
            if self.hidden.iter().any(|user| user.as_str() == &*participant.user_id) {
                participant.last_seen = None;
            }
        }
        shown
    }
}
