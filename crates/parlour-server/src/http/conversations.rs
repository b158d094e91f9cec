//! Conversations: making and finding them, the caller's list, settings.

use axum::{
    Json as Answer,
    extract::State,
    response::{AppendHeaders, IntoResponse},
};
use http::{StatusCode, header};
use parlour_core::{
    command::{ConversationPatch, NewConversation},
    model::{ConversationKind, ConversationState},
    port::store::ListCursor,
};
use parlour_wire::native::object;
use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Api, cursor,
    error::Problem,
    extract::{Caller, InConversation, Json, Query},
    wire::{Listed, Sight, UserRef, Wish, given, opaque},
};

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(conversation, change))
}

/// A conversation to make.
#[derive(Deserialize, ToSchema)]
struct Create {
    /// Direct or group.
    kind: Kind,
    /// Who is in it, beside the caller, who always is.
    #[schema(value_type = Vec<String>, example = json!(["2"]))]
    participants: Vec<UserRef>,
    /// A name to show, for groups.
    title: Option<String>,
    /// The object of the host application that it is about.
    #[schema(example = "booking/42")]
    subject: Option<String>,
    /// The host application's own id for it. The same id gives the same conversation.
    external_id: Option<String>,
    /// Opaque JSON, at most 4 KiB.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Box<RawValue>>,
}

/// What a conversation is.
#[derive(Deserialize, ToSchema, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum Kind {
    /// Between two users; there is one for each pair and subject.
    Direct,
    /// Between any number of users, with roles.
    Group,
}

/// What may be changed. What is left out stays; null removes.
#[derive(Deserialize, ToSchema)]
struct Change {
    /// A name to show.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, example = "Trip to Lisbon")]
    title: Option<Option<String>>,
    /// What may still be done in it.
    state: Option<Openness>,
    /// Opaque JSON, at most 4 KiB.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Object>)]
    metadata: Option<Option<Box<RawValue>>>,
}

/// What may still be done in a conversation.
#[derive(Deserialize, ToSchema, Clone, Copy)]
#[serde(rename_all = "snake_case")]
#[schema(as = ConversationState)]
enum Openness {
    /// Everybody writes.
    Open,
    /// Owners and admins write, others read.
    ReadOnly,
    /// Nobody writes.
    Closed,
}

/// Which part of the list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// How many; 50 without it, at most 100.
    #[param(value_type = Option<u32>)]
    limit: Option<Wish>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Keeps those whose title or whose other participants' names contain this.
    #[serde(alias = "q")]
    query: Option<String>,
}

/// One's conversations
///
/// Most recent activity first, each with its participants, last message and unread count.
#[utoipa::path(get, operation_id = "list_conversations", path = "/api/v1/conversations", tag = "conversations", params(ListQuery),
    responses((status = 200, body = Listed<object::Conversation>, description = "A page of the list")))]
async fn list(
    State(api): State<Api>,
    caller: Caller,
    Query(query): Query<ListQuery>,
) -> Result<Answer<Listed<object::Conversation>>, Problem> {
    let limit = api.chat.limits().page_size(query.limit.map(|wish| wish.0));
    let after = query.cursor.as_deref().map(cursor::to_conversations).transpose()?;
    let search = query.query.as_deref().map(str::trim).filter(|text| !text.is_empty());
    let search = search.map(|text| text.chars().take(128).collect::<String>().into());
    let store = api.chat.store();
    let mut found = store.conversations(caller.user(), after, limit + 1, search).await?;
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|last| {
        let conversation = &last.conversation;
        cursor::conversations(ListCursor { active_at: conversation.active_at, id: conversation.id })
    });
    let sight = Sight::of(&api, &caller).await?;
    let results = found.iter().map(|summary| sight.conversation(summary)).collect();
    Ok(Answer(Listed { results, next }))
}

/// Make a conversation, or find the one that stands
///
/// A direct conversation of the same two and subject, and one with the same `external_id`, is given back as it stands (200).
#[utoipa::path(post, operation_id = "create_conversation", path = "/api/v1/conversations", tag = "conversations", request_body = Create,
    responses((status = 201, body = object::Conversation, description = "Made"),
        (status = 200, body = object::Conversation, description = "It stood already")))]
async fn create(
    State(api): State<Api>,
    caller: Caller,
    Json(create): Json<Create>,
) -> Result<impl IntoResponse, Problem> {
    let new = NewConversation {
        kind: match create.kind {
            Kind::Direct => ConversationKind::Direct,
            Kind::Group => ConversationKind::Group,
        },
        participants: create.participants.into_iter().map(|user| user.0).collect(),
        title: create.title.filter(|title| !title.is_empty()).map(Into::into),
        subject: create.subject.filter(|subject| !subject.is_empty()).map(Into::into),
        external_id: create.external_id.filter(|id| !id.is_empty()).map(Into::into),
        metadata: create.metadata.as_deref().and_then(opaque),
    };
    let made = api.chat.create_conversation(caller.actor(), None, new).await?;
    let status = if made.created { StatusCode::CREATED } else { StatusCode::OK };
    let place = format!("/api/v1/conversations/{}", made.summary.conversation.id);
    let body = Sight::of(&api, &caller).await?.conversation(&made.summary);
    Ok((status, AppendHeaders([(header::LOCATION, place)]), Answer(body)))
}

/// One conversation
#[utoipa::path(get, operation_id = "get_conversation", path = "/api/v1/conversations/{id}", tag = "conversations",
    params(("id" = u64, Path, description = "Which")),
    responses((status = 200, body = object::Conversation, description = "As the caller sees it")))]
async fn conversation(
    State(api): State<Api>,
    caller: Caller,
    InConversation(id): InConversation,
) -> Result<Answer<object::Conversation>, Problem> {
    let summary = api.chat.store().conversation(caller.actor(), id).await?;
    Ok(Answer(Sight::of(&api, &caller).await?.conversation(&summary)))
}

/// Change title, state or metadata
///
/// For owners and admins of a group, and the host application's server.
#[utoipa::path(patch, operation_id = "change_conversation", path = "/api/v1/conversations/{id}", tag = "conversations", request_body = Change,
    params(("id" = u64, Path, description = "Which")),
    responses((status = 200, body = object::Conversation, description = "As it stands now")))]
async fn change(
    State(api): State<Api>,
    caller: Caller,
    InConversation(id): InConversation,
    Json(change): Json<Change>,
) -> Result<Answer<object::Conversation>, Problem> {
    let patch = ConversationPatch {
        title: change.title.map(|title| title.unwrap_or_default().into()),
        state: change.state.map(|state| match state {
            Openness::Open => ConversationState::Open,
            Openness::ReadOnly => ConversationState::ReadOnly,
            Openness::Closed => ConversationState::Closed,
        }),
        metadata: change.metadata.map(|m| m.as_deref().and_then(opaque).unwrap_or_default()),
    };
    api.chat.change_conversation(caller.actor(), id, patch).await?;
    let summary = api.chat.store().conversation(caller.actor(), id).await?;
    Ok(Answer(Sight::of(&api, &caller).await?.conversation(&summary)))
}
