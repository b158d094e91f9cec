//! Conversations in the shape of `room`: making and finding them, the caller's list.

use std::sync::Arc;

use axum::{
    Json as Answer,
    extract::State,
    response::{AppendHeaders, IntoResponse},
    routing::get,
};
use http::{StatusCode, header};
use parlour_core::{
    UserId,
    command::NewConversation,
    model::{self, ConversationKind, ConversationSummary},
    port::store::ListCursor,
};
use parlour_wire::{
    native::object,
    room::ChatMessage,
    seed::{Page, Time, WireUserId},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    super::{
        Api, cursor,
        error::Problem,
        extract::{Caller, InConversation, Json, Query},
        wire::{Sight, UserRef, Wish},
    },
    links::{Here, no_number, size},
};

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(conversation))
        .route("/api/conversations/", get(list).post(create))
        .route("/api/conversations/{id}/", get(conversation))
}

/// A conversation to make.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewChatConversation)]
struct Create {
    /// Direct or group. Without it: direct with one other and no title, else a group. `type` is a synonym.
    #[serde(alias = "type")]
    kind: Option<Kind>,
    /// Who is in it, beside the caller, who always is; numbers or texts. `participant_ids` is a synonym.
    #[serde(alias = "participant_ids", default)]
    #[schema(value_type = Vec<WireUserId>, example = json!([2]))]
    participants: Vec<UserRef>,
    /// A name to show, for groups. `name` is a synonym.
    #[serde(alias = "name")]
    title: Option<String>,
    /// The object of the host application that it is about.
    #[schema(example = "booking/42")]
    subject: Option<String>,
    /// The host application's own id for it. The same id gives the same conversation.
    external_id: Option<String>,
}

/// What a conversation is.
#[derive(Deserialize, ToSchema, Clone, Copy)]
#[serde(rename_all = "snake_case")]
#[schema(as = ChatKind)]
enum Kind {
    /// Between two users; there is one for each pair and subject. `private` is a synonym.
    #[serde(alias = "private")]
    Direct,
    /// Between any number of users, with roles.
    Group,
}

impl Create {
    fn into_new(self, caller: &UserId) -> NewConversation {
        let mut others: Vec<UserId> = self.participants.into_iter().map(|user| user.0).collect();
        others.retain(|user| user != caller);
        others.sort();
        others.dedup();
        let text = |given: Option<String>| given.filter(|text| !text.is_empty()).map(Arc::from);
        let title = text(self.title);
        let kind = match self.kind {
            Some(Kind::Direct) => ConversationKind::Direct,
            Some(Kind::Group) => ConversationKind::Group,
            None if others.len() == 1 && title.is_none() => ConversationKind::Direct,
            None => ConversationKind::Group,
        };
        NewConversation {
            kind,
            participants: others,
            title,
            subject: text(self.subject),
            external_id: text(self.external_id),
            metadata: None,
        }
    }
}

/// A conversation as one of its participants sees it.
#[derive(Serialize, ToSchema)]
#[schema(as = ChatConversation)]
struct Conversation {
    /// Its id, below 2^53.
    id: u64,
    /// `direct` or `group`.
    #[schema(example = "direct")]
    kind: &'static str,
    /// `open`, `read_only` or `closed`.
    #[schema(example = "open")]
    state: &'static str,
    /// A name to show; direct conversations have none.
    #[schema(value_type = Option<String>)]
    title: Option<Arc<str>>,
    /// The object of the host application that it is about.
    #[schema(value_type = Option<String>, example = "booking/42")]
    subject: Option<Arc<str>>,
    /// The host application's own id for it.
    #[schema(value_type = Option<String>)]
    external_id: Option<Arc<str>>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    /// When something was last said in it, else when it was made.
    #[schema(value_type = String, format = DateTime)]
    active_at: Time,
    /// Its participants; of a large group the first 50.
    participants: Vec<Participant>,
    /// How many participants there are.
    participant_count: usize,
    /// The newest message that still stands; its `read_by` knows the participants that are shown.
    last_message: Option<ChatMessage>,
    /// Messages of others that the viewer has not read; stops at 1,000.
    unread_count: u32,
}

/// A user in a conversation.
#[derive(Serialize, ToSchema)]
#[schema(as = ChatParticipant)]
struct Participant {
    /// Who: a number where the id is a plain decimal number, else a text.
    user_id: WireUserId,
    /// A short name.
    #[schema(value_type = String, example = "alice")]
    username: Arc<str>,
    /// The name to show.
    #[schema(value_type = String, example = "Alice Archer")]
    name: Arc<str>,
    /// Address of a picture.
    #[schema(value_type = Option<String>)]
    avatar: Option<Arc<str>>,
    /// `member`, `admin` or `owner`.
    #[schema(example = "member")]
    role: &'static str,
    /// `online`, `away` or `offline`.
    #[schema(example = "online")]
    status: &'static str,
    /// When his last connection went.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_seen: Option<Time>,
}

impl Participant {
    fn new(person: &model::Participant, sight: &Sight<'_>) -> Self {
        let profile = &person.profile;
        let (status, last_seen) = sight.presence(person);
        Self {
            user_id: WireUserId(profile.id.clone()),
            username: profile.username.clone(),
            name: profile.name.clone(),
            avatar: profile.avatar.clone(),
            role: object::role(person.role),
            status: status.as_str(),
            last_seen,
        }
    }
}

impl Conversation {
    fn new(summary: &ConversationSummary, sight: &Sight<'_>) -> Self {
        let conversation = &summary.conversation;
        let last_message = summary.last_message.as_ref().and_then(|message| {
            let people = summary.participants.iter();
            let readers = people.filter(|person| person.joined_seq < message.seq);
            let read: Vec<_> =
                readers.map(|person| (person.profile.id.clone(), person.watermark.read)).collect();
            ChatMessage::new(message, &read)
        });
        Self {
            id: conversation.id.0,
            kind: match conversation.kind {
                ConversationKind::Direct => "direct",
                ConversationKind::Group => "group",
            },
            state: object::state(conversation.state),
            title: conversation.title.clone(),
            subject: conversation.subject.clone(),
            external_id: conversation.external_id.clone(),
            created_at: Time(conversation.created_at),
            active_at: Time(conversation.active_at),
            participants: summary.participants.iter().map(|p| Participant::new(p, sight)).collect(),
            participant_count: summary.participant_count,
            last_message,
            unread_count: summary.unread,
        }
    }
}

/// Which part of the list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// How many; 50 without it, at most 100.
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

/// One's conversations, in the shape of `room`
///
/// Most recent activity first. `previous` is always null: this list goes on one way. The address may end with a slash.
#[utoipa::path(get, operation_id = "list_chat_conversations", path = "/api/conversations", tag = "dialects", params(ListQuery),
    responses((status = 200, body = Page<Conversation>, description = "A page of the list")))]
async fn list(
    State(api): State<Api>,
    caller: Caller,
    here: Here,
    Query(query): Query<ListQuery>,
) -> Result<Answer<Page<Conversation>>, Problem> {
    no_number(query.page, query.offset)?;
    let wish = size(query.page_size, query.limit);
    let most = api.chat.limits().page_size(wish);
    let after = query.cursor.as_deref().map(cursor::to_conversations).transpose()?;
    let store = api.chat.store();
    let mut found = store.conversations(caller.user(), after, most + 1, None).await?;
    let more = found.len() > most;
    found.truncate(most);
    let next = found.last().filter(|_| more).map(|last| {
        let last = &last.conversation;
        let place = ListCursor { active_at: last.active_at, id: last.id };
        here.page(&cursor::conversations(place), wish.map(|_| most))
    });
    let sight = Sight::of(&api, &caller).await?;
    Ok(Answer(Page {
        count: store.conversation_count(caller.user()).await?,
        next,
        previous: None,
        results: found.iter().map(|summary| Conversation::new(summary, &sight)).collect(),
    }))
}

/// Make a conversation, or find the one that stands, in the shape of `room`
///
/// A direct conversation of the same two and subject, and one with the same `external_id`, is given back as it stands
/// (200). The address may end with a slash.
#[utoipa::path(post, operation_id = "create_chat_conversation", path = "/api/conversations", tag = "dialects", request_body = Create,
    responses((status = 201, body = Conversation, description = "Made"),
        (status = 200, body = Conversation, description = "It stood already")))]
async fn create(
    State(api): State<Api>,
    caller: Caller,
    Json(create): Json<Create>,
) -> Result<impl IntoResponse, Problem> {
    let new = create.into_new(&caller.user());
    let made = api.chat.create_conversation(caller.actor(), None, new).await?;
    let status = if made.created { StatusCode::CREATED } else { StatusCode::OK };
    let place = format!("/api/conversations/{}", made.summary.conversation.id);
    let body = Conversation::new(&made.summary, &Sight::of(&api, &caller).await?);
    Ok((status, AppendHeaders([(header::LOCATION, place)]), Answer(body)))
}

/// One conversation, in the shape of `room`
///
/// The address may end with a slash.
#[utoipa::path(get, operation_id = "get_chat_conversation", path = "/api/conversations/{id}", tag = "dialects",
    params(("id" = u64, Path, description = "Which")),
    responses((status = 200, body = Conversation, description = "As the caller sees it")))]
async fn conversation(
    State(api): State<Api>,
    caller: Caller,
    InConversation(id): InConversation,
) -> Result<Answer<Conversation>, Problem> {
    let summary = api.chat.store().conversation(caller.actor(), id).await?;
    Ok(Answer(Conversation::new(&summary, &Sight::of(&api, &caller).await?)))
}
