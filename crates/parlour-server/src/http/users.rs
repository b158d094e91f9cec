//! Other people: finding them, and what only the host application's server may do with them.

use axum::{Json as Answer, extract::State};
use http::StatusCode;
use parlour_core::{Code, Error, command::Authority};
use parlour_wire::native::object;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Api,
    error::Problem,
    extract::{Caller, HostServer, Json, OfUser, Query},
    me::ProfilePatch,
    wire::{All, Wish},
};

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(search))
        .routes(routes!(user, put_user))
        .routes(routes!(revoke))
        .routes(routes!(ban, readmit))
}

/// Whom to look for.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Search {
    /// How the name, the username or the id begins: 1 to 64 characters.
    #[serde(alias = "q")]
    query: String,
    /// How many; 20 without it, at most 100.
    #[param(value_type = Option<u32>)]
    limit: Option<Wish>,
}

/// Find people by name
///
/// By the beginning of name, username or id, in the order of names. Oneself and the banned are left out.
#[utoipa::path(get, operation_id = "search_users", path = "/api/v1/users", tag = "users", params(Search),
    responses((status = 200, body = All<object::Profile>, description = "Who was found")))]
async fn search(
    State(api): State<Api>,
    caller: Caller,
    Query(search): Query<Search>,
) -> Result<Answer<All<object::Profile>>, Problem> {
    let prefix = search.query.trim();
    if prefix.is_empty() {
        return Err(Error::new(Code::Empty, "say at least how the name begins").into());
    }
    if prefix.chars().count() > 64 {
        return Err(Error::new(Code::TooLong, "a query has at most 64 characters").into());
    }
    let limits = api.chat.limits();
    if limits.rates_enforced && caller.0.actor.authority == Authority::User {
        api.searches.take(&caller.user(), api.clock.monotonic())?;
    }
    let limit = search.limit.map_or(20, |wish| wish.0).clamp(1, limits.page_max);
    let found = api.chat.store().search_users(caller.user(), prefix.into(), limit).await?;
    let results = found.iter().map(|profile| object::Profile::from(&**profile)).collect();
    Ok(Answer(All { results }))
}

/// One user's profile
#[utoipa::path(get, operation_id = "get_user", path = "/api/v1/users/{user_id}", tag = "users",
    params(("user_id" = String, Path, description = "Whose")),
    responses((status = 200, body = object::Profile, description = "What others see of him")))]
async fn user(
    State(api): State<Api>,
    _caller: Caller,
    OfUser(id): OfUser,
) -> Result<Answer<object::Profile>, Problem> {
    let user = api.chat.store().user(id).await?.ok_or_else(Error::not_found)?;
    Ok(Answer(object::Profile::from(&*user.profile)))
}

/// Make a user, or change a profile
///
/// For the host application's server, with an API key. What is left out stays; null removes.
#[utoipa::path(put, operation_id = "put_user", path = "/api/v1/users/{user_id}", tag = "server", security(("api_key" = [])),
    params(("user_id" = String, Path, description = "Whose")), request_body = ProfilePatch,
    responses((status = 200, body = object::Profile, description = "As it stands now")))]
async fn put_user(
    State(api): State<Api>,
    _server: HostServer,
    OfUser(id): OfUser,
    Json(patch): Json<ProfilePatch>,
) -> Result<Answer<object::Profile>, Problem> {
    let update = patch.update(id, api.chat.limits())?;
    let user = api.chat.store().save_user(update, api.clock.now()).await?;
    Ok(Answer(object::Profile::from(&*user.profile)))
}

/// End every sign-in of a user
///
/// Tokens that were issued before, sessions and sockets end at once. For the host application's server.
#[utoipa::path(post, operation_id = "revoke_user", path = "/api/v1/users/{user_id}/revoke", tag = "server", security(("api_key" = [])),
    params(("user_id" = String, Path, description = "Whose")),
    responses((status = 204, description = "Revoked")))]
async fn revoke(
    State(api): State<Api>,
    _server: HostServer,
    OfUser(id): OfUser,
) -> Result<StatusCode, Problem> {
    api.auth.revoke(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ban a user
///
/// He is refused everywhere, and his sockets are closed; what he said stays. For the host application's server.
#[utoipa::path(post, operation_id = "ban_user", path = "/api/v1/users/{user_id}/ban", tag = "server", security(("api_key" = [])),
    params(("user_id" = String, Path, description = "Whom")),
    responses((status = 204, description = "Banned")))]
async fn ban(
    State(api): State<Api>,
    _server: HostServer,
    OfUser(id): OfUser,
) -> Result<StatusCode, Problem> {
    api.auth.set_banned(&id, true).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Readmit a banned user
///
/// For the host application's server.
#[utoipa::path(delete, operation_id = "readmit_user", path = "/api/v1/users/{user_id}/ban", tag = "server", security(("api_key" = [])),
    params(("user_id" = String, Path, description = "Whom")),
    responses((status = 204, description = "Readmitted")))]
async fn readmit(
    State(api): State<Api>,
    _server: HostServer,
    OfUser(id): OfUser,
) -> Result<StatusCode, Problem> {
    api.auth.set_banned(&id, false).await?;
    Ok(StatusCode::NO_CONTENT)
}
