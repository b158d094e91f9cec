//! Who is in a conversation.

use axum::{Json as Answer, extract::State};
use http::StatusCode;
use parlour_core::{command::RoleChange, model::Role};
use parlour_wire::native::object;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Api, cursor,
    error::Problem,
    extract::{Caller, InConversation, Json, OfUser, Query},
    wire::{Listed, PageQuery, Sight, UserRef},
};

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(list, add)).routes(routes!(set_role, remove))
}

/// Whom to add.
#[derive(Deserialize, ToSchema)]
struct Add {
    /// The user.
    #[schema(value_type = String, example = "3")]
    user_id: UserRef,
}

/// Who was added.
#[derive(Serialize, ToSchema)]
struct Added {
    /// The user.
    #[schema(example = "3")]
    user_id: String,
    /// `false` when he was there already.
    added: bool,
}

/// A role to give.
#[derive(Deserialize, ToSchema)]
struct NewRole {
    /// The role. Naming an owner hands the ownership over.
    role: RoleName,
}

/// What a participant may do.
#[derive(Deserialize, ToSchema, Clone, Copy)]
#[serde(rename_all = "snake_case")]
#[schema(as = Role)]
enum RoleName {
    /// Reads and writes.
    Member,
    /// Also manages participants, settings and other people's messages.
    Admin,
    /// Also names admins.
    Owner,
}

/// The participants
///
/// In the order of their ids.
#[utoipa::path(get, operation_id = "list_participants", path = "/api/v1/conversations/{id}/participants", tag = "participants",
    params(("id" = u64, Path, description = "Of which conversation"), PageQuery),
    responses((status = 200, body = Listed<object::Participant>, description = "A page of them")))]
async fn list(
    State(api): State<Api>,
    caller: Caller,
    InConversation(id): InConversation,
    Query(page): Query<PageQuery>,
) -> Result<Answer<Listed<object::Participant>>, Problem> {
    let limit = api.chat.limits().page_size(page.limit.map(|wish| wish.0));
    let after = page.cursor.as_deref().map(cursor::to_participants).transpose()?;
    let store = api.chat.store();
    let mut found = store.participants(caller.actor(), id, after, limit + 1).await?;
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|last| cursor::participants(&last.profile.id));
    let sight = Sight::of(&api, &caller).await?;
    let results = found.iter().map(|participant| sight.participant(participant)).collect();
    Ok(Answer(Listed { results, next }))
}

/// Add somebody to a group
///
/// For owners and admins. Adding who is there already changes nothing (200).
#[utoipa::path(post, operation_id = "add_participant", path = "/api/v1/conversations/{id}/participants", tag = "participants", request_body = Add,
    params(("id" = u64, Path, description = "To which conversation")),
    responses((status = 201, body = Added, description = "Added"),
        (status = 200, body = Added, description = "He was there already")))]
async fn add(
    State(api): State<Api>,
    caller: Caller,
    InConversation(id): InConversation,
    Json(add): Json<Add>,
) -> Result<(StatusCode, Answer<Added>), Problem> {
    let user = add.user_id.0;
    let added = api.chat.add_participant(caller.actor(), None, id, user.clone()).await?;
    let status = if added { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Answer(Added { user_id: user.as_str().to_owned(), added })))
}

/// Give a role
///
/// For the owner.
#[utoipa::path(patch, operation_id = "set_role", path = "/api/v1/conversations/{id}/participants/{user_id}", tag = "participants",
    request_body = NewRole,
    params(("id" = u64, Path, description = "In which conversation"), ("user_id" = String, Path, description = "To whom")),
    responses((status = 204, description = "Given")))]
async fn set_role(
    State(api): State<Api>,
    caller: Caller,
    InConversation(conversation): InConversation,
    OfUser(user): OfUser,
    Json(new): Json<NewRole>,
) -> Result<StatusCode, Problem> {
    let role = match new.role {
        RoleName::Member => Role::Member,
        RoleName::Admin => Role::Admin,
        RoleName::Owner => Role::Owner,
    };
    api.chat.set_role(caller.actor(), RoleChange { conversation, user, role }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Remove somebody, or leave
///
/// Owners and admins remove whose role is below theirs; everybody may leave a group.
#[utoipa::path(delete, operation_id = "remove_participant", path = "/api/v1/conversations/{id}/participants/{user_id}", tag = "participants",
    params(("id" = u64, Path, description = "From which conversation"), ("user_id" = String, Path, description = "Whom")),
    responses((status = 204, description = "Removed")))]
async fn remove(
    State(api): State<Api>,
    caller: Caller,
    InConversation(conversation): InConversation,
    OfUser(user): OfUser,
) -> Result<StatusCode, Problem> {
    api.chat.remove_participant(caller.actor(), None, conversation, user).await?;
    Ok(StatusCode::NO_CONTENT)
}
