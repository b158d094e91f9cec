//! Messages: a conversation's pages, sending, editing, taking back.

use axum::{Json as Answer, extract::State};
use http::{HeaderMap, StatusCode};
use parlour_core::{
    ClientId, Code, Error, MessageId, Seq,
    command::SendMessage,
    model::MessageKind,
    port::store::{MessagePage, Page},
};
use parlour_wire::native::object;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Api, cursor,
    error::Problem,
    extract::{Caller, InConversation, Json, OfMessage, Query},
    wire::{All, Wish, opaque},
};

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list, send))
        .routes(routes!(message, edit, delete))
        .routes(routes!(revisions))
}

/// Which page. At most one of `before`, `after` and `cursor`; none of them gives the newest messages.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct PagesQuery {
    /// The messages just before this seq.
    #[param(value_type = Option<u64>)]
    before: Option<String>,
    /// The messages just after this seq; 0 is the beginning.
    #[param(value_type = Option<u64>)]
    after: Option<String>,
    /// `next` or `previous` of another page.
    cursor: Option<String>,
    /// How many; 50 without it, at most 100.
    #[param(value_type = Option<u32>)]
    limit: Option<Wish>,
}

impl PagesQuery {
    fn page(&self) -> Result<Page, Error> {
        let wrong = |what| Error::new(Code::InvalidFrame, what);
        match (&self.before, &self.after, &self.cursor) {
            (None, None, None) => Ok(Page::Newest),
            (Some(at), None, None) => Self::place(at).map(Page::Before),
            (None, Some(at), None) => Self::place(at).map(Page::After),
            (None, None, Some(cursor)) => cursor::to_messages(cursor),
            _ => Err(wrong("give one of before, after and cursor")),
        }
    }

    /// A seq. A cursor stands for the seq that it names.
    fn place(at: &str) -> Result<Seq, Error> {
        if let Ok(seq) = at.parse() {
            return Ok(Seq(seq));
        }
        match cursor::to_messages(at)? {
            Page::Before(seq) | Page::After(seq) => Ok(seq),
            Page::Newest => Err(Error::new(Code::InvalidFrame, "this is no seq")),
        }
    }
}

/// A page of messages, oldest first.
#[derive(Serialize, ToSchema)]
struct Messages {
    /// The messages, tombstones included.
    results: Vec<object::Message>,
    /// The cursor of the page that follows in the direction that was asked for: to newer messages with `after`, else to
    /// older ones. Null at the end.
    next: Option<String>,
    /// The cursor of the page in the other direction; null at the end.
    previous: Option<String>,
}

impl Messages {
    fn new(asked: Page, page: &MessagePage) -> Self {
        let first = page.messages.first().map(|message| message.seq);
        let last = page.messages.last().map(|message| message.seq);
        let older =
            first.filter(|_| page.has_before).map(|seq| cursor::messages(Page::Before(seq)));
        let newer = last.filter(|_| page.has_after).map(|seq| cursor::messages(Page::After(seq)));
        let (next, previous) = match asked {
            Page::After(_) => (newer, older),
            Page::Before(_) | Page::Newest => (older, newer),
        };
        let results = page.messages.iter().map(|m| object::Message::from(&**m)).collect();
        Self { results, next, previous }
    }
}

/// Something to say.
#[derive(Deserialize, ToSchema)]
struct Send {
    /// Plain text, at most 16 KiB.
    #[schema(example = "Is the room still free?")]
    content: String,
    /// Your own name for this send (at most 64 characters): the same again gives the first message back, never a
    /// second one. `tempId` and `temp_id` are synonyms.
    #[serde(alias = "tempId", alias = "temp_id")]
    #[schema(example = "c0ffee")]
    client_id: Option<String>,
    /// The message that it answers, in the same conversation.
    reply_to: Option<u64>,
    /// Opaque JSON, at most 4 KiB.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Box<RawValue>>,
    /// Files; none in this version.
    #[schema(value_type = Option<Vec<Object>>)]
    attachments: Option<Vec<serde_json::Value>>,
    /// `system` is for the host application's server.
    #[serde(rename = "type")]
    kind: Option<Kind>,
}

/// Who speaks.
#[derive(Deserialize, ToSchema, Clone, Copy)]
#[serde(rename_all = "snake_case")]
#[schema(as = MessageType)]
enum Kind {
    /// The user.
    Text,
    /// The host application.
    System,
}

/// A new text.
#[derive(Deserialize, ToSchema)]
struct Edit {
    /// Plain text, at most 16 KiB.
    #[schema(example = "Is the room still free on Friday?")]
    content: String,
}

/// What a message said.
#[derive(Serialize, ToSchema)]
struct Revision {
    /// The seq of the Change that made this the text.
    seq: u64,
    /// The text.
    content: String,
    /// From when it stood.
    #[schema(value_type = String, format = DateTime)]
    at: object::Time,
}

/// A page of messages
///
/// The newest ones, or those just before or after a place. Within a page the oldest is first.
#[utoipa::path(get, operation_id = "list_messages", path = "/api/v1/conversations/{id}/messages", tag = "messages",
    params(("id" = u64, Path, description = "Of which conversation"), PagesQuery),
    responses((status = 200, body = Messages, description = "A page")))]
async fn list(
    State(api): State<Api>,
    caller: Caller,
    InConversation(id): InConversation,
    Query(query): Query<PagesQuery>,
) -> Result<Answer<Messages>, Problem> {
    let asked = query.page()?;
    let limit = api.chat.limits().page_size(query.limit.map(|wish| wish.0));
    let page = api.chat.store().messages(caller.actor(), id, asked, limit).await?;
    Ok(Answer(Messages::new(asked, &page)))
}

/// Say something
///
/// With a `client_id` (or the header `Idempotency-Key`) a send may be repeated as often as one likes, for ever: it is
/// stored once, and the first message comes back (200). The same `client_id` with other content is a `conflict`.
#[utoipa::path(post, operation_id = "send_message", path = "/api/v1/conversations/{id}/messages", tag = "messages", request_body = Send,
    params(("id" = u64, Path, description = "In which conversation"),
        ("Idempotency-Key" = Option<String>, Header, description = "A synonym of `client_id`")),
    responses((status = 201, body = object::Message, description = "Stored"),
        (status = 200, body = object::Message, description = "It was stored before: the first message")))]
async fn send(
    State(api): State<Api>,
    caller: Caller,
    InConversation(conversation): InConversation,
    headers: HeaderMap,
    Json(send): Json<Send>,
) -> Result<(StatusCode, Answer<object::Message>), Problem> {
    if send.attachments.is_some_and(|files| !files.is_empty()) {
        return Err(Error::new(Code::InvalidFrame, "attachments are not supported yet").into());
    }
    let message = SendMessage {
        conversation,
        client_id: client_id(send.client_id.as_deref(), &headers)?,
        text: send.content.into(),
        metadata: send.metadata.as_deref().and_then(opaque),
        reply_to: send.reply_to.map(MessageId),
        kind: match send.kind {
            Some(Kind::System) => MessageKind::System,
            Some(Kind::Text) | None => MessageKind::Text,
        },
        recipient: None,
        subject: None,
    };
    let sent = api.chat.send_message(caller.actor(), None, message).await?;
    let status = if sent.duplicate { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, Answer(object::Message::from(&*sent.message))))
}

/// The name of a send, of its body or its header.
pub(super) fn client_id(
    given: Option<&str>,
    headers: &HeaderMap,
) -> Result<Option<ClientId>, Error> {
    let wrong = |what| Error::new(Code::InvalidFrame, what);
    let header = match headers.get("idempotency-key") {
        Some(key) => Some(key.to_str().map_err(|_| wrong("Idempotency-Key is no plain text"))?),
        None => None,
    };
    match (given, header) {
        (Some(given), Some(header)) if given != header => {
            Err(wrong("client_id and Idempotency-Key differ"))
        }
        (Some(id), _) | (None, Some(id)) => ClientId::new(id).map(Some),
        (None, None) => Ok(None),
    }
}

/// One message
#[utoipa::path(get, operation_id = "get_message", path = "/api/v1/messages/{id}", tag = "messages",
    params(("id" = u64, Path, description = "Which")),
    responses((status = 200, body = object::Message, description = "In its present state")))]
async fn message(
    State(api): State<Api>,
    caller: Caller,
    OfMessage(id): OfMessage,
) -> Result<Answer<object::Message>, Problem> {
    let message = api.chat.store().message(caller.actor(), id).await?;
    Ok(Answer(object::Message::from(&*message)))
}

/// Change what one's message says
#[utoipa::path(patch, operation_id = "edit_message", path = "/api/v1/messages/{id}", tag = "messages", request_body = Edit,
    params(("id" = u64, Path, description = "Which")),
    responses((status = 200, body = object::Message, description = "As it stands now")))]
async fn edit(
    State(api): State<Api>,
    caller: Caller,
    OfMessage(id): OfMessage,
    Json(edit): Json<Edit>,
) -> Result<Answer<object::Message>, Problem> {
    let edited = api.chat.edit_message(caller.actor(), None, id, edit.content.into()).await?;
    Ok(Answer(object::Message::from(&*edited.message)))
}

/// Take a message back
///
/// Its content is gone everywhere, for ever; a tombstone stays. One's own, or as owner or admin of a group anybody's.
#[utoipa::path(delete, operation_id = "delete_message", path = "/api/v1/messages/{id}", tag = "messages",
    params(("id" = u64, Path, description = "Which")),
    responses((status = 204, description = "Gone")))]
async fn delete(
    State(api): State<Api>,
    caller: Caller,
    OfMessage(id): OfMessage,
) -> Result<StatusCode, Problem> {
    api.chat.delete_message(caller.actor(), None, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What a message said before
///
/// Oldest first, the present text last.
#[utoipa::path(get, operation_id = "list_revisions", path = "/api/v1/messages/{id}/revisions", tag = "messages",
    params(("id" = u64, Path, description = "Which")),
    responses((status = 200, body = All<Revision>, description = "Every text that it had")))]
async fn revisions(
    State(api): State<Api>,
    caller: Caller,
    OfMessage(id): OfMessage,
) -> Result<Answer<All<Revision>>, Problem> {
    let revisions = api.chat.store().revisions(caller.actor(), id).await?;
    let shown = |revision: parlour_core::model::Revision| Revision {
        seq: revision.seq.0,
        content: revision.text.to_string(),
        at: object::Time(revision.at),
    };
    Ok(Answer(All { results: revisions.into_iter().map(shown).collect() }))
}
