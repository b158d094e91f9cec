//! The signed-in user, and whom he has blocked.

use std::sync::Arc;

use axum::{Json as Answer, extract::State};
use http::StatusCode;
use parlour_core::{Code, Error, UserId, limits::Limits, port::store::ProfileUpdate};
use parlour_wire::native::object;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Api,
    error::Problem,
    extract::{Caller, Json, OfUser},
    wire::{All, given},
};

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(me, change_me))
        .routes(routes!(blocks))
        .routes(routes!(block, unblock))
}

/// What may be changed of a profile. What is left out stays; null removes (a username is then the id,
/// a name the username).
#[derive(Deserialize, ToSchema)]
pub(super) struct ProfilePatch {
    /// A short name.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    username: Option<Option<String>>,
    /// The name to show.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, example = "Alice Archer")]
    name: Option<Option<String>>,
    /// The address for mail.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    email: Option<Option<String>>,
    /// Address of a picture, `https://` or `http://`.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    avatar: Option<Option<String>>,
}

impl ProfilePatch {
    /// The change of a user's profile, checked.
    pub(super) fn update(self, id: UserId, limits: &Limits) -> Result<ProfileUpdate, Error> {
        let name = |what, text: &str| {
            let text = text.trim();
            if text.is_empty() {
                return Err(Error::new(Code::Empty, format!("the {what} is empty")));
            }
            Limits::check_name(what, text, limits.name_chars)?;
            Ok(Arc::from(text))
        };
        let address = |what, text: &str, looks_right: fn(&str) -> bool| {
            let is_clean = !text.chars().any(|c| c.is_control() || c.is_whitespace());
            match text.len() <= 2_048 && is_clean && looks_right(text) {
                true => Ok(Arc::from(text)),
                false => Err(Error::new(Code::InvalidFrame, format!("this is no valid {what}"))),
            }
        };
        let web = |url: &str| url.starts_with("https://") || url.starts_with("http://");
        Ok(ProfileUpdate {
            id,
            username: field(self.username, |text| name("username", text))?,
            name: field(self.name, |text| name("name", text))?,
            email: field(self.email, |text| address("email", text, |mail| mail.contains('@')))?,
            avatar: field(self.avatar, |text| address("avatar", text, web))?,
        })
    }
}

/// A field of an update: an empty text returns it to its default.
fn field(
    patch: Option<Option<String>>,
    check: impl FnOnce(&str) -> Result<Arc<str>, Error>,
) -> Result<Option<Arc<str>>, Error> {
    match patch {
        None => Ok(None),
        Some(None) => Ok(Some(Arc::default())),
        Some(Some(text)) => check(&text).map(Some),
    }
}

/// The signed-in user
#[utoipa::path(get, operation_id = "get_me", path = "/api/v1/me", tag = "me",
    responses((status = 200, body = object::Me, description = "Oneself")))]
async fn me(State(api): State<Api>, caller: Caller) -> Result<Answer<object::Me>, Problem> {
    let user = api.chat.store().user(caller.user()).await?.ok_or_else(Error::not_found)?;
    Ok(Answer(object::Me::from(&user)))
}

/// Change one's profile
///
/// With tokens of a host application the next token that says otherwise changes it back.
#[utoipa::path(patch, operation_id = "change_me", path = "/api/v1/me", tag = "me", request_body = ProfilePatch,
    responses((status = 200, body = object::Me, description = "Oneself, changed")))]
async fn change_me(
    State(api): State<Api>,
    caller: Caller,
    Json(patch): Json<ProfilePatch>,
) -> Result<Answer<object::Me>, Problem> {
    if patch.username.is_some() {
        let message = "the username is the host application's to change";
        return Err(Error::new(Code::Forbidden, message).into());
    }
    let update = patch.update(caller.user(), api.chat.limits())?;
    let user = api.chat.store().save_user(update, api.clock.now()).await?;
    Ok(Answer(object::Me::from(&user)))
}

/// Whom one has blocked
#[utoipa::path(get, operation_id = "list_blocks", path = "/api/v1/me/blocks", tag = "me",
    responses((status = 200, body = All<object::Profile>, description = "The blocked, by id")))]
async fn blocks(
    State(api): State<Api>,
    caller: Caller,
) -> Result<Answer<All<object::Profile>>, Problem> {
    let blocked = api.chat.store().blocks(caller.user()).await?;
    let results = blocked.iter().map(|profile| object::Profile::from(&**profile)).collect();
    Ok(Answer(All { results }))
}

/// Block somebody
///
/// The two can no longer write to each other directly, and do not see each other's presence. Repeating it changes nothing.
#[utoipa::path(put, operation_id = "block_user", path = "/api/v1/me/blocks/{user_id}", tag = "me",
    params(("user_id" = String, Path, description = "Whom")),
    responses((status = 204, description = "Blocked")))]
async fn block(
    State(api): State<Api>,
    caller: Caller,
    OfUser(other): OfUser,
) -> Result<StatusCode, Problem> {
    set_block(&api, &caller, other, true).await
}

/// Unblock somebody
#[utoipa::path(delete, operation_id = "unblock_user", path = "/api/v1/me/blocks/{user_id}", tag = "me",
    params(("user_id" = String, Path, description = "Whom")),
    responses((status = 204, description = "Not blocked any more")))]
async fn unblock(
    State(api): State<Api>,
    caller: Caller,
    OfUser(other): OfUser,
) -> Result<StatusCode, Problem> {
    set_block(&api, &caller, other, false).await
}

async fn set_block(
    api: &Api,
    caller: &Caller,
    other: UserId,
    block: bool,
) -> Result<StatusCode, Problem> {
    api.chat.set_block(caller.actor(), other.clone(), block).await?;
    let hidden = api.chat.store().hidden_from(caller.user()).await?;
    api.live.set_hidden(&caller.user(), &other, hidden.contains(&other));
    Ok(StatusCode::NO_CONTENT)
}
