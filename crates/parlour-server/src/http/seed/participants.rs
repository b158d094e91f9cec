//! Who is in a conversation: adding and removing, the user named in the body.

use axum::{
    Json as Answer,
    extract::State,
    routing::{delete, post},
};
use http::StatusCode;
use parlour_wire::seed::WireUserId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::super::{
    Api,
    error::Problem,
    extract::{Caller, InConversation, Json, OfUser},
    wire::UserRef,
};

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(add, remove))
        .routes(routes!(remove_named))
        .route("/api/conversations/{id}/participants/", post(add).delete(remove))
        .route("/api/conversations/{id}/participants/{user_id}/", delete(remove_named))
}

/// Whom.
#[derive(Deserialize, ToSchema)]
#[schema(as = ChatPerson)]
struct Person {
    /// The user, as a number or a text.
    #[schema(value_type = WireUserId)]
    user_id: UserRef,
}

/// Who was added.
#[derive(Serialize, ToSchema)]
#[schema(as = ChatAdded)]
struct Added {
    /// The user: a number where the id is a plain decimal number, else a text.
    user_id: WireUserId,
    /// `false` when he was there already.
    added: bool,
}

/// Add somebody to a group, in the shape of `room`
///
/// For owners and admins. Adding who is there already changes nothing (200). The address may end with a slash.
#[utoipa::path(post, operation_id = "add_chat_participant", path = "/api/conversations/{id}/participants", tag = "dialects", request_body = Person,
    params(("id" = u64, Path, description = "To which conversation")),
    responses((status = 201, body = Added, description = "Added"),
        (status = 200, body = Added, description = "He was there already")))]
async fn add(
    State(api): State<Api>,
    caller: Caller,
    InConversation(id): InConversation,
    Json(person): Json<Person>,
) -> Result<(StatusCode, Answer<Added>), Problem> {
    let user = person.user_id.0;
    let added = api.chat.add_participant(caller.actor(), None, id, user.clone()).await?;
    let status = if added { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Answer(Added { user_id: WireUserId(user), added })))
}

/// Remove somebody, or leave, the user named in the body
///
/// Owners and admins remove whose role is below theirs; everybody may leave a group. The address may end with a
/// slash. Where something on the way drops the body of a DELETE, name the user in the address.
#[utoipa::path(delete, operation_id = "remove_chat_participant", path = "/api/conversations/{id}/participants", tag = "dialects", request_body = Person,
    params(("id" = u64, Path, description = "From which conversation")),
    responses((status = 204, description = "Removed")))]
async fn remove(
    State(api): State<Api>,
    caller: Caller,
    InConversation(conversation): InConversation,
    Json(person): Json<Person>,
) -> Result<StatusCode, Problem> {
    api.chat.remove_participant(caller.actor(), None, conversation, person.user_id.0).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Remove somebody, or leave, the user named in the address
///
/// The same. The address may end with a slash.
#[utoipa::path(delete, operation_id = "remove_named_chat_participant", path = "/api/conversations/{id}/participants/{user_id}", tag = "dialects",
    params(("id" = u64, Path, description = "From which conversation"), ("user_id" = String, Path, description = "Whom")),
    responses((status = 204, description = "Removed")))]
async fn remove_named(
    State(api): State<Api>,
    caller: Caller,
    InConversation(conversation): InConversation,
    OfUser(user): OfUser,
) -> Result<StatusCode, Problem> {
    api.chat.remove_participant(caller.actor(), None, conversation, user).await?;
    Ok(StatusCode::NO_CONTENT)
}
