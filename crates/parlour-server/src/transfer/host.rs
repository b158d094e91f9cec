//! Lines of a host application's history.

use std::sync::Arc;

use parlour_core::{
    ClientId, Error, UserId,
    error::Code,
    ids::is_forbidden_in_names,
    limits::Limits,
    model::{ConversationKind, ConversationState, MessageKind, Role},
    port::store::{
        ProfileUpdate,
        transfer::{
            History, HostConversation, HostMessage, HostRead, HostUser, Place, ReadBy, ReadUpTo,
        },
    },
};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::value::RawValue;

use super::fields::{Flag, HostId, HostUserId, Time};

/// A user.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct User {
    #[serde(rename = "type")]
    _type: IgnoredAny,
    id: HostUserId,
    username: Option<Arc<str>>,
    name: Option<Arc<str>>,
    email: Option<Arc<str>>,
    avatar: Option<Arc<str>>,
    created_at: Option<Time>,
}

/// A conversation.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Conversation<'a> {
    #[serde(rename = "type")]
    _type: IgnoredAny,
    id: HostId,
    kind: Option<Kind>,
    state: Option<State>,
    subject: Option<HostId>,
    title: Option<Arc<str>>,
    #[serde(borrow)]
    metadata: Option<&'a RawValue>,
    created_at: Option<Time>,
    participants: Vec<Member>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Direct,
    Group,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum State {
    Open,
    ReadOnly,
    Closed,
}

/// Somebody in it: an id, or an id with a role.
#[derive(Deserialize)]
#[serde(untagged, expecting = "a participant is an id or {\"user\": id, \"role\": role}")]
enum Member {
    Bare(HostUserId),
    WithRole(Listed),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    user: HostUserId,
    #[serde(default)]
    role: Rank,
}

#[derive(Deserialize, Clone, Copy, Default)]
#[serde(rename_all = "snake_case")]
enum Rank {
    #[default]
    Member,
    Admin,
    Owner,
}

/// A message.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Message<'a> {
    #[serde(rename = "type")]
    _type: IgnoredAny,
    id: HostId,
    conversation: Option<HostId>,
    recipient: Option<HostUserId>,
    subject: Option<HostId>,
    sender: HostUserId,
    kind: Option<Speaker>,
    content: Option<Arc<str>>,
    #[serde(borrow)]
    metadata: Option<&'a RawValue>,
    client_id: Option<Arc<str>>,
    reply_to: Option<HostId>,
    created_at: Time,
    edited_at: Option<Time>,
    deleted: Option<Flag>,
    deleted_at: Option<Time>,
    is_read: Option<Flag>,
    read_by: Option<Vec<HostUserId>>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum Speaker {
    Text,
    System,
}

/// A read mark.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Read {
    #[serde(rename = "type")]
    _type: IgnoredAny,
    conversation: Option<HostId>,
    between: Option<(HostUserId, HostUserId)>,
    subject: Option<HostId>,
    user: HostUserId,
    message: Option<HostId>,
    at: Option<Time>,
}

/// A line that does not make sense.
pub(super) fn wrong(text: &'static str) -> Error {
    Error::new(Code::InvalidFrame, text)
}

/// A name as the sign-in keeps it: without what must not be in it, cut at the limit.
fn name(text: &str, limits: &Limits) -> Option<Arc<str>> {
    let clean: String = text.chars().filter(|c| !is_forbidden_in_names(*c)).collect();
    let cut: String = clean.trim().chars().take(limits.name_chars).collect();
    let cut = cut.trim_end();
    (!cut.is_empty()).then(|| cut.into())
}

/// An address for mail or of a picture: what cannot be one is left out, as at the sign-in.
fn address(text: &str) -> Option<Arc<str>> {
    let plain = !text.chars().any(|c| c.is_control() || c.is_whitespace());
    (plain && !text.is_empty() && text.len() <= 2_048).then(|| text.into())
}

fn metadata(json: Option<&RawValue>, limits: &Limits) -> Result<Option<Arc<str>>, Error> {
    let json = json.map(RawValue::get).filter(|json| *json != "null");
    limits.check_metadata(json)?;
    Ok(json.map(Into::into))
}

fn short(what: &'static str, text: Option<&str>, limits: &Limits) -> Result<(), Error> {
    text.map_or(Ok(()), |text| Limits::check_name(what, text, limits.title_chars))
}

impl User {
    pub(super) fn record(self, limits: &Limits) -> History {
        let profile = ProfileUpdate {
            id: self.id.0,
            username: self.username.and_then(|text| name(&text, limits)),
            name: self.name.and_then(|text| name(&text, limits)),
            email: self.email.and_then(|text| address(&text)),
            avatar: self.avatar.and_then(|text| address(&text)),
        };
        History::User(HostUser { profile, created_at: self.created_at.map(Time::millis) })
    }
}

impl Conversation<'_> {
    pub(super) fn record(self, limits: &Limits) -> Result<History, Error> {
        let mut participants: Vec<(UserId, Role)> = Vec::with_capacity(self.participants.len());
        for member in self.participants {
            participants.push(match member {
                Member::Bare(user) => (user.0, Role::Member),
                Member::WithRole(Listed { user, role }) => (
                    user.0,
                    match role {
                        Rank::Member => Role::Member,
                        Rank::Admin => Role::Admin,
                        Rank::Owner => Role::Owner,
                    },
                ),
            });
        }
        let most = limits.group_participants;
        if participants.len() > most {
            let text =
                format!("a group has at most {most} participants (limits.group_participants)");
            return Err(Error::new(Code::Limit, text));
        }
        let title = self.title.filter(|title| !title.is_empty());
        let kind = self.kind.unwrap_or(match (participants.len(), &title) {
            (2, None) => Kind::Direct,
            _ => Kind::Group,
        });
        if kind == Kind::Direct && title.is_some() {
            return Err(wrong(
                "a direct conversation has no title: make it a group, or leave it out",
            ));
        }
        short("title", title.as_deref(), limits)?;
        short("subject", self.subject.as_ref().map(|subject| &*subject.0), limits)?;
        short("external_id", Some(&self.id.0), limits)?;
        Ok(History::Conversation(HostConversation {
            host_id: self.id.0,
            kind: match kind {
                Kind::Direct => ConversationKind::Direct,
                Kind::Group => ConversationKind::Group,
            },
            state: match self.state.unwrap_or(State::Open) {
                State::Open => ConversationState::Open,
                State::ReadOnly => ConversationState::ReadOnly,
                State::Closed => ConversationState::Closed,
            },
            subject: self.subject.map(|subject| subject.0),
            title,
            metadata: metadata(self.metadata, limits)?,
            created_at: self.created_at.map(Time::millis),
            participants,
        }))
    }
}

impl Message<'_> {
    pub(super) fn record(self, limits: &Limits) -> Result<History, Error> {
        let deleted = self.deleted.is_some_and(|flag| flag.0) || self.deleted_at.is_some();
        let metadata = metadata(self.metadata, limits)?;
        let text = if deleted { None } else { self.content };
        match (&text, deleted) {
            (Some(text), _) => match limits.check_text(text) {
                // A picture without a word: what it is, is in the metadata.
                Err(error) if error.code == Code::Empty && metadata.is_some() => {}
                checked => checked?,
            },
            (None, true) => {}
            (None, false) => {
                return Err(wrong("a message that is not deleted has `content`"));
            }
        }
        short("subject", self.subject.as_ref().map(|subject| &*subject.0), limits)?;
        let place = match (self.conversation, self.recipient) {
            (Some(id), None) => Place::Conversation(id.0),
            (None, Some(recipient)) => {
                let subject = self.subject.map(|subject| subject.0);
                Place::Direct(self.sender.0.clone(), recipient.0, subject)
            }
            _ => return Err(wrong("a message has either `conversation` or `recipient`")),
        };
        let read_by = match (self.read_by, self.is_read) {
            (Some(users), _) => ReadBy::Only(users.into_iter().map(|user| user.0).collect()),
            (None, Some(Flag(false))) => ReadBy::Only(Vec::new()),
            (None, Some(Flag(true)) | None) => ReadBy::Everybody,
        };
        Ok(History::Message(HostMessage {
            host_id: self.id.0,
            place,
            sender: self.sender.0,
            kind: match self.kind.unwrap_or(Speaker::Text) {
                Speaker::Text => MessageKind::Text,
                Speaker::System => MessageKind::System,
            },
            text,
            metadata: metadata.filter(|_| !deleted),
            client_id: self.client_id.map(|id| ClientId::new(&id)).transpose()?,
            reply_to: self.reply_to.map(|id| id.0),
            created_micros: self.created_at.micros,
            edited_at: self.edited_at.map(Time::millis),
            deleted_at: deleted.then(|| self.deleted_at.unwrap_or(self.created_at).millis()),
            read_by,
        }))
    }
}

impl Read {
    pub(super) fn record(self) -> Result<History, Error> {
        let place = match (self.conversation, self.between) {
            (Some(id), None) => Place::Conversation(id.0),
            (None, Some((one, other))) => {
                Place::Direct(one.0, other.0, self.subject.map(|subject| subject.0))
            }
            _ => return Err(wrong("a read mark has either `conversation` or `between`")),
        };
        let up_to = match (self.message, self.at) {
            (Some(id), None) => ReadUpTo::Message(id.0),
            (None, Some(time)) => ReadUpTo::Time(time.millis()),
            _ => return Err(wrong("a read mark has either `message` or `at`")),
        };
        Ok(History::Read(HostRead { place, user: self.user.0, up_to }))
    }
}
