//! What somebody has read and received, and that he is writing.

use axum::extract::State;
use http::StatusCode;
use parlour_core::{Code, ConversationId, Error, MessageId, Seq, command::MarkTarget};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Api,
    error::Problem,
    extract::{Caller, InConversation, Json},
};

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(read)).routes(routes!(delivered)).routes(routes!(typing))
}

/// How far: one of the two.
#[derive(Deserialize, ToSchema)]
struct UpTo {
    /// Up to this message.
    message_id: Option<u64>,
    /// Up to this seq.
    #[schema(example = 45)]
    seq: Option<u64>,
}

impl UpTo {
    fn target(&self) -> Result<MarkTarget, Error> {
        match (self.message_id, self.seq) {
            (Some(id), None) => Ok(MarkTarget::Message(MessageId(id))),
            (None, Some(seq)) => Ok(MarkTarget::Seq(Seq(seq))),
            _ => Err(Error::new(Code::InvalidFrame, "give either message_id or seq")),
        }
    }
}

/// Whether one writes.
#[derive(Deserialize, ToSchema)]
struct Typing {
    /// `true` while one writes; repeat it every 3 s.
    active: bool,
}

/// Mark as read
///
/// Everything up to here has been read. It never goes back; a mark that changes nothing is no error.
#[utoipa::path(post, operation_id = "mark_read", path = "/api/v1/conversations/{id}/read", tag = "receipts", request_body = UpTo,
    params(("id" = u64, Path, description = "In which conversation")),
    responses((status = 204, description = "Marked")))]
async fn read(
    State(api): State<Api>,
    caller: Caller,
    InConversation(id): InConversation,
    Json(up_to): Json<UpTo>,
) -> Result<StatusCode, Problem> {
    mark(&api, &caller, id, &up_to, true).await
}

/// Mark as received
///
/// Everything up to here has reached one of one's devices. Reading implies it.
#[utoipa::path(post, operation_id = "mark_delivered", path = "/api/v1/conversations/{id}/delivered", tag = "receipts", request_body = UpTo,
    params(("id" = u64, Path, description = "In which conversation")),
    responses((status = 204, description = "Marked")))]
async fn delivered(
    State(api): State<Api>,
    caller: Caller,
    InConversation(id): InConversation,
    Json(up_to): Json<UpTo>,
) -> Result<StatusCode, Problem> {
    mark(&api, &caller, id, &up_to, false).await
}

async fn mark(
    api: &Api,
    caller: &Caller,
    id: ConversationId,
    up_to: &UpTo,
    read: bool,
) -> Result<StatusCode, Problem> {
    api.chat.mark(caller.actor(), None, id, up_to.target()?, read).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Show that one is writing
///
/// Others see it for 6 s. It may be lost, and is sent at most once a second.
#[utoipa::path(post, operation_id = "show_typing", path = "/api/v1/conversations/{id}/typing", tag = "receipts", request_body = Typing,
    params(("id" = u64, Path, description = "In which conversation")),
    responses((status = 204, description = "Shown to whoever is there")))]
async fn typing(
    State(api): State<Api>,
    caller: Caller,
    InConversation(id): InConversation,
    Json(typing): Json<Typing>,
) -> Result<StatusCode, Problem> {
    let membership = api.chat.store().membership(caller.user(), id).await?;
    membership.ok_or_else(Error::not_found)?;
    match api.live.typing(&caller.actor(), id, typing.active) {
        // Nobody of his is connected: then there is nobody to show as writing.
        Err(error) if error.code == Code::NotFound => {}
        other => other?,
    }
    Ok(StatusCode::NO_CONTENT)
}
