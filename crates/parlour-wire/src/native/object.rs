//! The JSON objects of the native protocol and of REST: one definition for both.

use std::sync::Arc;

use parlour_core::{
    ClientId,
    event::PresenceStatus,
    model::{self, Millis},
};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

/// A moment in milliseconds, written as RFC 3339 in UTC with three decimals.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Time(pub Millis);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let time = jiff::Timestamp::from_millisecond(self.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        serializer.collect_str(&format_args!("{time:.3}"))
    }
}

/// Opaque JSON that was checked when it came in.
#[derive(Clone, Debug)]
pub struct Metadata(pub Arc<str>);

impl Serialize for Metadata {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match serde_json::from_str::<&RawValue>(&self.0) {
            Ok(raw) => raw.serialize(serializer),
            Err(_) => serializer.serialize_none(),
        }
    }
}

/// What others see of a user.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Profile {
    /// The host application's id.
    #[cfg_attr(feature = "schema", schema(value_type = String, example = "1"))]
    pub id: Arc<str>,
    /// A short name.
    #[cfg_attr(feature = "schema", schema(value_type = String, example = "alice"))]
    pub username: Arc<str>,
    /// The name to show.
    #[cfg_attr(feature = "schema", schema(value_type = String, example = "Alice Archer"))]
    pub name: Arc<str>,
    /// Address of a picture.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>))]
    pub avatar: Option<Arc<str>>,
}

impl From<&model::Profile> for Profile {
    fn from(profile: &model::Profile) -> Self {
        Self {
            id: profile.id.to_shared(),
            username: profile.username.clone(),
            name: profile.name.clone(),
            avatar: profile.avatar.clone(),
        }
    }
}

/// A user as he sees himself.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Me {
    /// What others see.
    #[serde(flatten)]
    pub profile: Profile,
    /// The address for mail.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>))]
    pub email: Option<Arc<str>>,
    /// When the user became known.
    #[cfg_attr(feature = "schema", schema(value_type = String, format = DateTime))]
    pub created_at: Time,
}

impl From<&model::User> for Me {
    fn from(user: &model::User) -> Self {
        Self {
            profile: (&*user.profile).into(),
            email: user.email.clone(),
            created_at: Time(user.created_at),
        }
    }
}

/// A message in its present state.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Message {
    /// Its id, below 2^53, the same in every dialect.
    pub id: u64,
    /// Where it was said.
    pub conversation_id: u64,
    /// Its place in the conversation.
    pub seq: u64,
    /// The seq of its last change.
    pub change_seq: u64,
    /// Who said it.
    #[cfg_attr(feature = "schema", schema(value_type = String, example = "1"))]
    pub sender_id: Arc<str>,
    /// What is known of him.
    pub sender: Profile,
    /// The name that the sender's client gave the send.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>))]
    pub client_id: Option<Arc<str>>,
    /// `text`, or `system` for what the host application says.
    #[serde(rename = "type")]
    #[cfg_attr(feature = "schema", schema(value_type = String, example = "text"))]
    pub kind: &'static str,
    /// What it says; null once deleted.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>))]
    pub content: Option<Arc<str>>,
    /// Opaque JSON of the sending application.
    #[cfg_attr(feature = "schema", schema(value_type = Option<Object>))]
    pub metadata: Option<Metadata>,
    /// Files; none in this version.
    #[cfg_attr(feature = "schema", schema(value_type = Vec<Object>))]
    pub attachments: [(); 0],
    /// The message that it answers.
    pub reply_to: Option<u64>,
    /// When it was stored.
    #[cfg_attr(feature = "schema", schema(value_type = String, format = DateTime))]
    pub created_at: Time,
    /// When it was last edited.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>, format = DateTime))]
    pub edited_at: Option<Time>,
    /// When it was deleted.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>, format = DateTime))]
    pub deleted_at: Option<Time>,
}

impl From<&model::Message> for Message {
    fn from(message: &model::Message) -> Self {
        let (content, metadata) = match &message.content {
            Some(content) => (Some(content.text.clone()), content.metadata.clone().map(Metadata)),
            None => (None, None),
        };
        let sender = Profile::from(&*message.sender);
        Self {
            id: message.id.0,
            conversation_id: message.conversation.0,
            seq: message.seq.0,
            change_seq: message.change_seq.0,
            sender_id: sender.id.clone(),
            sender,
            client_id: message.client_id.as_ref().map(ClientId::to_shared),
            kind: match message.kind {
                model::MessageKind::Text => "text",
                model::MessageKind::System => "system",
            },
            content,
            metadata,
            attachments: [],
            reply_to: message.reply_to.map(|id| id.0),
            created_at: Time(message.created_at),
            edited_at: message.edited_at.map(Time),
            deleted_at: message.deleted_at.map(Time),
        }
    }
}

/// A user in a conversation.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Participant {
    /// Who.
    #[cfg_attr(feature = "schema", schema(value_type = String, example = "1"))]
    pub user_id: Arc<str>,
    /// What is known of him.
    pub user: Profile,
    /// `member`, `admin` or `owner`.
    #[cfg_attr(feature = "schema", schema(value_type = String, example = "member"))]
    pub role: &'static str,
    /// He sees Changes after this one.
    pub joined_seq: u64,
    /// Everything up to here has reached him.
    pub delivered_seq: u64,
    /// He has read everything up to here.
    pub read_seq: u64,
    /// `online`, `away` or `offline`.
    #[cfg_attr(feature = "schema", schema(value_type = String, example = "online"))]
    pub status: &'static str,
    /// When his last connection went.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>, format = DateTime))]
    pub last_seen: Option<Time>,
}

impl Participant {
    /// With the status that the hub knows.
    #[must_use]
    pub fn new(participant: &model::Participant, status: PresenceStatus) -> Self {
        let user = Profile::from(&*participant.profile);
        Self {
            user_id: user.id.clone(),
            user,
            role: role(participant.role),
            joined_seq: participant.joined_seq.0,
            delivered_seq: participant.watermark.delivered.0,
            read_seq: participant.watermark.read.0,
            status: status.as_str(),
            last_seen: seen(participant.last_seen),
        }
    }
}

/// A conversation as one of its participants sees it.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Conversation {
    /// Its id, below 2^53.
    pub id: u64,
    /// `direct` or `group`.
    #[cfg_attr(feature = "schema", schema(value_type = String, example = "direct"))]
    pub kind: &'static str,
    /// `open`, `read_only` or `closed`.
    #[cfg_attr(feature = "schema", schema(value_type = String, example = "open"))]
    pub state: &'static str,
    /// A name to show; direct conversations have none.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>))]
    pub title: Option<Arc<str>>,
    /// The object of the host application that it is about.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>, example = "booking/42"))]
    pub subject: Option<Arc<str>>,
    /// The host application's own id for it.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>))]
    pub external_id: Option<Arc<str>>,
    /// Opaque JSON of the host application.
    #[cfg_attr(feature = "schema", schema(value_type = Option<Object>))]
    pub metadata: Option<Metadata>,
    /// The life of its log.
    pub epoch: u64,
    /// The seq of its last Change.
    pub last_seq: u64,
    /// The version of its receipts.
    pub receipts: u64,
    /// When it was made.
    #[cfg_attr(feature = "schema", schema(value_type = String, format = DateTime))]
    pub created_at: Time,
    /// When something was last said in it, else when it was made.
    #[cfg_attr(feature = "schema", schema(value_type = String, format = DateTime))]
    pub active_at: Time,
    /// Its participants; of a large group the first 50.
    pub participants: Vec<Participant>,
    /// How many participants there are.
    pub participant_count: usize,
    /// The newest message that still stands.
    pub last_message: Option<Message>,
    /// Messages of others that the viewer has not read; stops at 1,000.
    pub unread_count: u32,
    /// The viewer has read everything up to here.
    pub read_seq: u64,
    /// Everything up to here has reached the viewer.
    pub delivered_seq: u64,
    /// The viewer sees Changes after this one.
    pub joined_seq: u64,
}

impl Conversation {
    /// As its viewer sees it; `status` tells who is there.
    pub fn new(
        summary: &model::ConversationSummary,
        status: impl Fn(&parlour_core::UserId) -> PresenceStatus,
    ) -> Self {
        Self {
            participants: participants(&summary.participants, status),
            participant_count: summary.participant_count,
            last_message: summary.last_message.as_ref().map(Message::from),
            unread_count: summary.unread,
            read_seq: summary.watermark.read.0,
            delivered_seq: summary.watermark.delivered.0,
            joined_seq: summary.joined_seq.0,
            ..Self::bare(&summary.conversation)
        }
    }

    /// As it was made, without a viewer.
    #[must_use]
    pub fn made(conversation: &model::Conversation, people: &[model::Participant]) -> Self {
        let shown = people.len().min(model::ConversationSummary::SHOWN_PARTICIPANTS);
        let first = people.get(..shown).unwrap_or(people);
        Self {
            participants: participants(first, |_| PresenceStatus::Offline),
            participant_count: people.len(),
            ..Self::bare(conversation)
        }
    }

    fn bare(conversation: &model::Conversation) -> Self {
        Self {
            id: conversation.id.0,
            kind: match conversation.kind {
                model::ConversationKind::Direct => "direct",
                model::ConversationKind::Group => "group",
            },
            state: state(conversation.state),
            title: conversation.title.clone(),
            subject: conversation.subject.clone(),
            external_id: conversation.external_id.clone(),
            metadata: conversation.metadata.clone().map(Metadata),
            epoch: conversation.epoch.0,
            last_seq: conversation.last_seq.0,
            receipts: conversation.receipts,
            created_at: Time(conversation.created_at),
            active_at: Time(conversation.active_at),
            participants: Vec::new(),
            participant_count: 0,
            last_message: None,
            unread_count: 0,
            read_seq: 0,
            delivered_seq: 0,
            joined_seq: 0,
        }
    }
}

fn participants(
    people: &[model::Participant],
    status: impl Fn(&parlour_core::UserId) -> PresenceStatus,
) -> Vec<Participant> {
    people.iter().map(|person| Participant::new(person, status(&person.profile.id))).collect()
}

/// The word for a role.
#[must_use]
pub const fn role(role: model::Role) -> &'static str {
    match role {
        model::Role::Member => "member",
        model::Role::Admin => "admin",
        model::Role::Owner => "owner",
    }
}

/// The word for a state.
#[must_use]
pub const fn state(state: model::ConversationState) -> &'static str {
    match state {
        model::ConversationState::Open => "open",
        model::ConversationState::ReadOnly => "read_only",
        model::ConversationState::Closed => "closed",
    }
}

/// A moment that may never have been.
#[must_use]
pub fn seen(millis: Millis) -> Option<Time> {
    (millis > 0).then_some(Time(millis))
}
