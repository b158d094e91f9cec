//! What the caller has not read, in the shape of `inbox`: for clients that poll where their socket fails.

use axum::{Json as Answer, extract::State, routing::get};
use parlour_wire::{inbox::NewMessage, seed::Page};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    super::{
        Api, cursor,
        error::Problem,
        extract::{Caller, Query},
        wire::Wish,
    },
    links::{Here, no_number, size},
};

/// So many messages a page has at most, and without being asked: these clients do not go on at `next`.
const MOST: usize = 1_000;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(unread)).route("/api/v1/messages/unread/", get(unread))
}

/// Which page.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct UnreadQuery {
    /// How many; 1,000 without it, and at most.
    #[param(value_type = Option<u32>)]
    page_size: Option<Wish>,
    /// The same as `page_size`.
    #[param(value_type = Option<u32>)]
    limit: Option<Wish>,
    /// Of `next` of the page before.
    cursor: Option<String>,
    /// This list has no numbered pages.
    #[param(ignore)]
    page: Option<Wish>,
    /// This list has no numbered pages.
    #[param(ignore)]
    offset: Option<Wish>,
}

/// What one has not read, in the shape of `inbox`
///
/// What others have said in any of one's conversations after one's read mark, oldest first, without what was deleted.
/// Each is the `new_message` frame of one's sockets, to the letter. Looking at it reads nothing: send read receipts.
/// `count` is the length of the whole list, and stops at 10,000; `previous` is always null. The address may end with a
/// slash.
#[utoipa::path(get, operation_id = "list_unread_messages", path = "/api/v1/messages/unread", tag = "dialects", params(UnreadQuery),
    responses((status = 200, body = Page<NewMessage>, description = "A page")))]
async fn unread(
    State(api): State<Api>,
    caller: Caller,
    here: Here,
    Query(query): Query<UnreadQuery>,
) -> Result<Answer<Page<NewMessage>>, Problem> {
    no_number(query.page, query.offset)?;
    let wish = size(query.page_size, query.limit).map(|size| size.clamp(1, MOST));
    let after = query.cursor.as_deref().map(cursor::to_unread).transpose()?;
    let found = api.chat.store().unread(caller.user(), after, wish.unwrap_or(MOST)).await?;
    Ok(Answer(Page {
        count: found.count.into(),
        next: found.next.map(|last| here.page(&cursor::unread(last), wish)),
        previous: None,
        results: found.messages.iter().filter_map(|message| NewMessage::new(message)).collect(),
    }))
}
