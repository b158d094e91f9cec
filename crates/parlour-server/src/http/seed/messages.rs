//! A conversation's history and saying something, in the shape of `room`.

use axum::{Json as Answer, extract::State, routing::get};
use http::{HeaderMap, StatusCode};
use parlour_core::{
    Code, Error, Seq,
    command::SendMessage,
    model::{Message, MessageKind},
    port::store::{HistoryFrom, HistoryPage, Page as Place, Standing},
};
use parlour_wire::{room::ChatMessage, seed::Page};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    super::{
        Api, cursor,
        error::Problem,
        extract::{Caller, InConversation, Json, Query},
        messages::client_id,
        wire::Wish,
    },
    links::{Here, size},
};

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list, send))
        .route("/api/conversations/{id}/messages/", get(list).post(send))
}

/// Which page. At most one of `cursor`, `page` and `offset`; none of them gives the newest messages.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct HistoryQuery {
    /// How many; 50 without it, at most 100.
    #[param(value_type = Option<u32>)]
    page_size: Option<Wish>,
    /// The same as `page_size`.
    #[param(value_type = Option<u32>)]
    limit: Option<Wish>,
    /// Of `next` or `previous` of another page.
    cursor: Option<String>,
    /// The number of the page; 1 is the newest. Pages shift when something is said: `next` does not.
    #[param(value_type = Option<u32>)]
    page: Option<Wish>,
    /// How many newer messages are left out.
    #[param(value_type = Option<u32>)]
    offset: Option<Wish>,
}

impl HistoryQuery {
    fn from(&self, size: usize) -> Result<HistoryFrom, Error> {
        match (&self.cursor, self.page, self.offset) {
            (None, None, None) => Ok(HistoryFrom::Place(Place::Newest)),
            (Some(cursor), None, None) => cursor::to_messages(cursor).map(HistoryFrom::Place),
            (None, Some(page), None) => {
                Ok(HistoryFrom::Past(page.0.saturating_sub(1).saturating_mul(size)))
            }
            (None, None, Some(offset)) => Ok(HistoryFrom::Past(offset.0)),
            _ => Err(Error::new(Code::InvalidFrame, "give one of cursor, page and offset")),
        }
    }
}

/// Something to say.
#[derive(Deserialize, ToSchema)]
#[schema(as = ChatSend)]
struct Send {
    /// Plain text, at most 16 KiB.
    #[schema(example = "Is Tuesday at ten all right?")]
    content: String,
    /// Your own name for this send (at most 64 characters): the same again gives the first message back, never a
    /// second one. `tempId` and `temp_id` are synonyms.
    #[serde(alias = "tempId", alias = "temp_id")]
    #[schema(example = "c0ffee")]
    client_id: Option<String>,
    /// Files; none in this version.
    #[schema(value_type = Option<Vec<Object>>)]
    attachments: Option<Vec<serde_json::Value>>,
}

/// A message that was sent: as it stands, or that it has been deleted since.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = ChatSent)]
enum Sent {
    /// As it stands.
    Standing(ChatMessage),
    /// It has been deleted since it was first sent.
    Deleted(Deleted),
}

/// That a message has been deleted.
#[derive(Serialize, ToSchema)]
#[schema(as = ChatDeleted)]
struct Deleted {
    /// Always `message_deleted`.
    #[serde(rename = "type")]
    #[schema(example = "message_deleted")]
    kind: &'static str,
    /// Which.
    message_id: u64,
}

/// A conversation's history, in the shape of `room`
///
/// The newest page first, in each page the oldest message first; `next` is the page of older messages. Deleted messages
/// are left out. Each message is the `chat_message` frame of the conversation's sockets, to the letter, with `read_by`
/// as it is now. `count` stops at 100,000. The address may end with a slash.
#[utoipa::path(get, operation_id = "list_chat_messages", path = "/api/conversations/{id}/messages", tag = "dialects",
    params(("id" = u64, Path, description = "Of which conversation"), HistoryQuery),
    responses((status = 200, body = Page<ChatMessage>, description = "A page")))]
async fn list(
    State(api): State<Api>,
    caller: Caller,
    InConversation(id): InConversation,
    here: Here,
    Query(query): Query<HistoryQuery>,
) -> Result<Answer<Page<ChatMessage>>, Problem> {
    let wish = size(query.page_size, query.limit);
    let most = api.chat.limits().page_size(wish);
    let from = query.from(most)?;
    let found = api.chat.store().history(caller.actor(), id, from, most).await?;
    let standings = api.chat.store().standings(id).await?;
    let (older, newer) = neighbours(from, &found);
    let link = |place| here.page(&cursor::messages(place), wish.map(|_| most));
    let messages = found.page.messages.iter();
    Ok(Answer(Page {
        count: found.count.into(),
        next: older.map(link),
        previous: newer.map(link),
        results: messages.filter_map(|message| shown(message, &standings)).collect(),
    }))
}

/// The pages of older and of newer messages.
fn neighbours(from: HistoryFrom, found: &HistoryPage) -> (Option<Place>, Option<Place>) {
    let seqs = (found.page.messages.first(), found.page.messages.last());
    let (older, newer) = match (seqs, from) {
        ((Some(first), Some(last)), _) => (first.seq, last.seq),
        // An empty page stands where it was asked for.
        (_, HistoryFrom::Place(Place::After(seq))) => (Seq(seq.0.saturating_add(1)), seq),
        (_, HistoryFrom::Place(Place::Before(seq))) => (seq, Seq(seq.0.saturating_sub(1))),
        (_, HistoryFrom::Place(Place::Newest) | HistoryFrom::Past(_)) => (Seq::ZERO, Seq::ZERO),
    };
    (
        found.page.has_before.then_some(Place::Before(older)),
        found.page.has_after.then_some(Place::After(newer)),
    )
}

/// A message with who has read it; `None` when it is deleted.
fn shown(message: &Message, standings: &[Standing]) -> Option<ChatMessage> {
    let readers = standings.iter().filter(|standing| standing.has_read(message.seq));
    let read: Vec<_> =
        readers.map(|standing| (standing.user.clone(), standing.watermark.read)).collect();
    ChatMessage::new(message, &read)
}

/// Say something, in the shape of `room`
///
/// As a send over a socket: with a `client_id` (or the header `Idempotency-Key`) it is stored once, however often it is
/// repeated. The address may end with a slash.
#[utoipa::path(post, operation_id = "send_chat_message", path = "/api/conversations/{id}/messages", tag = "dialects", request_body = Send,
    params(("id" = u64, Path, description = "In which conversation"),
        ("Idempotency-Key" = Option<String>, Header, description = "A synonym of `client_id`")),
    responses((status = 201, body = ChatMessage, description = "Stored"),
        (status = 200, body = Sent, description = "It was stored before: the first message, or that it was deleted")))]
async fn send(
    State(api): State<Api>,
    caller: Caller,
    InConversation(conversation): InConversation,
    headers: HeaderMap,
    Json(send): Json<Send>,
) -> Result<(StatusCode, Answer<Sent>), Problem> {
    if send.attachments.is_some_and(|files| !files.is_empty()) {
        let text =
            "attachments are not taken here yet; send the text, and a link to the file in it";
        return Err(Error::new(Code::InvalidFrame, text).into());
    }
    let message = SendMessage {
        conversation,
        client_id: client_id(send.client_id.as_deref(), &headers)?,
        text: send.content.into(),
        metadata: None,
        reply_to: None,
        kind: MessageKind::Text,
        recipient: None,
        subject: None,
    };
    let sent = api.chat.send_message(caller.actor(), None, message).await?;
    let message = &sent.message;
    // Nobody has read yet what is new.
    let (status, standings) = match sent.duplicate {
        true => (StatusCode::OK, api.chat.store().standings(conversation).await?),
        false => (StatusCode::CREATED, Vec::new()),
    };
    let deleted = || Deleted { kind: "message_deleted", message_id: message.id.0 };
    let body = shown(message, &standings).map_or_else(|| Sent::Deleted(deleted()), Sent::Standing);
    Ok((status, Answer(body)))
}
