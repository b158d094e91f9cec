//! Frames of native clients into requests.

use std::{borrow::Cow, sync::Arc};

use parlour_core::{
    ClientId, Code, ConversationId, Epoch, Error, MessageId, Position, Seq, UserId,
    command::{Command, MarkTarget, NewConversation, ResumeFrom, SendMessage},
    ids::MAX_INTEGER,
    limits::Limits,
    model::{ConversationKind, MessageKind},
};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    Request, Tag,
    json::{self, WireUserId},
};

/// Every field of every command. One flat struct is read without an intermediate tree; what a command needs is
/// checked afterwards.
#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(rename = "type", borrow)]
    command: Cow<'a, str>,
    id: Option<u64>,
    conversation_id: Option<u64>,
    message_id: Option<u64>,
    #[serde(borrow)]
    client_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    content: Option<Cow<'a, str>>,
    reply_to: Option<u64>,
    #[serde(borrow)]
    metadata: Option<&'a RawValue>,
    seq: Option<u64>,
    active: Option<bool>,
    #[serde(borrow)]
    status: Option<Cow<'a, str>>,
    #[serde(borrow)]
    token: Option<Cow<'a, str>>,
    positions: Option<Vec<Place>>,
    #[serde(borrow)]
    kind: Option<Cow<'a, str>>,
    participants: Option<Vec<WireUserId>>,
    user_id: Option<WireUserId>,
    #[serde(borrow)]
    title: Option<Cow<'a, str>>,
    #[serde(borrow)]
    subject: Option<Cow<'a, str>>,
    #[serde(borrow)]
    external_id: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Place {
    conversation_id: u64,
    epoch: u64,
    seq: u64,
    #[serde(default)]
    receipts: u64,
}

/// Just the number of a command that does not fit, so that its answer can name it.
#[derive(Deserialize)]
struct IdOnly {
    id: Option<u64>,
}

/// Reads one frame: a command, or an array of them.
pub fn frame(text: &str, limits: &Limits, out: &mut Vec<Request>) {
    if text.trim_start().starts_with('[') {
        match json::parse::<Vec<&RawValue>>(text, limits.json_depth) {
            Ok(commands) if commands.is_empty() => {
                out.push(refused(Error::new(Code::InvalidFrame, "the list holds no command")));
            }
            Ok(commands) if commands.len() > limits.batch_commands => {
                let text = format!("a frame has at most {} commands", limits.batch_commands);
                out.push(refused(Error::new(Code::Limit, text).with_limit("batch_commands")));
            }
            Ok(commands) => {
                out.extend(commands.iter().map(|command| one(command.get(), limits)));
            }
            Err(error) => out.push(refused(error)),
        }
    } else {
        out.push(one(text, limits));
    }
}

fn refused(error: Error) -> Request {
    Request { tag: Tag::default(), command: Err(error) }
}

fn one(text: &str, limits: &Limits) -> Request {
    match json::parse::<Fields<'_>>(text, limits.json_depth) {
        Ok(fields) => match checked_id(fields.id) {
            Ok(id) => Request { tag: Tag::numbered(id), command: command(fields, limits) },
            Err(error) => refused(error),
        },
        Err(error) => {
            let id = serde_json::from_str::<IdOnly>(text).ok().and_then(|only| only.id);
            let tag = Tag::numbered(checked_id(id).unwrap_or_default());
            Request { tag, command: Err(error) }
        }
    }
}

fn checked_id(id: Option<u64>) -> Result<Option<u64>, Error> {
    match id {
        Some(0) => Err(Error::new(Code::InvalidFrame, "an id is a number from 1 to 2^53-1")),
        Some(id) if id > MAX_INTEGER => {
            Err(Error::new(Code::InvalidFrame, "an id is a number from 1 to 2^53-1"))
        }
        id => Ok(id),
    }
}

fn command(mut fields: Fields<'_>, limits: &Limits) -> Result<Command, Error> {
    Ok(match &*fields.command {
        "message.send" => Command::SendMessage(SendMessage {
            conversation: fields.conversation()?,
            client_id: fields.client_id.as_deref().map(ClientId::new).transpose()?,
            text: fields.content()?,
            metadata: fields.metadata()?,
            reply_to: fields.reply_to.map(number).transpose()?.map(MessageId),
            kind: MessageKind::Text,
            recipient: None,
            subject: None,
        }),
        "message.edit" => {
            Command::EditMessage { message: fields.message()?, text: fields.content()? }
        }
        "message.delete" => Command::DeleteMessage { message: fields.message()? },
        "read" => fields.mark(true)?,
        "delivered" => fields.mark(false)?,
        "typing" => Command::Typing {
            conversation: fields.conversation()?,
            active: needed("active", fields.active)?,
        },
        "presence" => match fields.status.as_deref() {
            Some("online") => Command::SetAway { away: false },
            Some("away") => Command::SetAway { away: true },
            _ => return Err(Error::new(Code::InvalidFrame, "status is online or away")),
        },
        "conversation.create" => Command::CreateConversation(fields.new_conversation()?),
        "participant.add" => {
            Command::AddParticipant { conversation: fields.conversation()?, user: fields.user()? }
        }
        "participant.remove" => Command::RemoveParticipant {
            conversation: fields.conversation()?,
            user: fields.user()?,
        },
        "resume" => Command::Resume(fields.positions(limits)?),
        "auth" => Command::Authenticate { token: needed("token", fields.token)?.into() },
        "ping" => Command::Ping,
        _ => return Err(Error::new(Code::UnknownType, "there is no command of this type")),
    })
}

fn needed<T>(name: &'static str, field: Option<T>) -> Result<T, Error> {
    field.ok_or_else(|| Error::new(Code::InvalidFrame, format!("missing field `{name}`")))
}

/// A number that every client can hold.
fn number(number: u64) -> Result<u64, Error> {
    if number <= MAX_INTEGER {
        return Ok(number);
    }
    Err(Error::new(Code::InvalidFrame, "a number is larger than 2^53-1"))
}

impl Fields<'_> {
    fn conversation(&self) -> Result<ConversationId, Error> {
        number(needed("conversation_id", self.conversation_id)?).map(ConversationId)
    }

    fn message(&self) -> Result<MessageId, Error> {
        number(needed("message_id", self.message_id)?).map(MessageId)
    }

    fn user(&mut self) -> Result<UserId, Error> {
        Ok(needed("user_id", self.user_id.take())?.0)
    }

    fn content(&mut self) -> Result<Arc<str>, Error> {
        Ok(needed("content", self.content.take())?.into())
    }

    fn metadata(&self) -> Result<Option<Arc<str>>, Error> {
        let Some(raw) = self.metadata.filter(|raw| raw.get() != "null") else { return Ok(None) };
        if !raw.get().starts_with('{') {
            return Err(Error::new(Code::InvalidFrame, "metadata is an object"));
        }
        Ok(Some(raw.get().into()))
    }

    fn mark(&self, read: bool) -> Result<Command, Error> {
        let up_to = match (self.seq, self.message_id) {
            (Some(seq), None) => MarkTarget::Seq(Seq(number(seq)?)),
            (None, Some(message)) => MarkTarget::Message(MessageId(number(message)?)),
            _ => return Err(Error::new(Code::InvalidFrame, "name either a seq or a message_id")),
        };
        Ok(Command::Mark { conversation: self.conversation()?, up_to, read })
    }

    fn positions(&mut self, limits: &Limits) -> Result<Vec<ResumeFrom>, Error> {
        let places = needed("positions", self.positions.take())?;
        if places.len() > limits.conversations_per_connection {
            return Err(Error::new(Code::Limit, "too many positions")
                .with_limit("conversations_per_connection"));
        }
        let place = |place: Place| {
            Ok(ResumeFrom {
                conversation: ConversationId(number(place.conversation_id)?),
                position: Position {
                    epoch: Epoch(number(place.epoch)?),
                    seq: Seq(number(place.seq)?),
                },
                receipts: number(place.receipts)?,
            })
        };
        places.into_iter().map(place).collect()
    }

    fn new_conversation(&mut self) -> Result<NewConversation, Error> {
        let kind = match self.kind.as_deref() {
            Some("direct") => ConversationKind::Direct,
            Some("group") => ConversationKind::Group,
            _ => return Err(Error::new(Code::InvalidFrame, "kind is direct or group")),
        };
        let participants = needed("participants", self.participants.take())?;
        let text = |text: Option<Cow<'_, str>>| text.filter(|t| !t.is_empty()).map(Into::into);
        Ok(NewConversation {
            kind,
            participants: participants.into_iter().map(|user| user.0).collect(),
            title: text(self.title.take()),
            subject: text(self.subject.take()),
            external_id: text(self.external_id.take()),
            metadata: self.metadata()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(text: &str) -> Vec<(Option<u64>, Result<Command, Code>)> {
        let mut out = Vec::new();
        frame(text, &Limits::default(), &mut out);
        out.into_iter().map(|r| (r.tag.id, r.command.map_err(|e| e.code))).collect()
    }

    #[test]
    fn a_send_with_everything() {
        let text = r#"{"type":"message.send","id":7,"conversation_id":1,"client_id":"c","content":"a\nb","reply_to":3,"metadata":{"x":[1]},"sender_id":"9"}"#;
        let [(Some(7), Ok(Command::SendMessage(send)))] = &decode(text)[..] else {
            panic!("{:?}", decode(text));
        };
        assert_eq!((send.conversation, &*send.text), (ConversationId(1), "a\nb"));
        assert_eq!(send.metadata.as_deref(), Some(r#"{"x":[1]}"#));
        assert_eq!(send.reply_to, Some(MessageId(3)));
    }

    #[test]
    fn refusals_keep_the_number_of_their_command() {
        let check = |text: &str, id, code| assert_eq!(decode(text), [(id, Err(code))], "{text}");
        check(r#"{"type":"ping","id":5,"seq":"x"}"#, Some(5), Code::InvalidFrame);
        check(r#"{"type":"nonsense","id":5}"#, Some(5), Code::UnknownType);
        check(r#"{"type":"typing","id":5,"conversation_id":1}"#, Some(5), Code::InvalidFrame);
        check(
            r#"{"type":"message.send","id":5,"conversation_id":9007199254740992,"content":"x"}"#,
            Some(5),
            Code::InvalidFrame,
        );
        check(r#"{"type":"ping","id":0}"#, None, Code::InvalidFrame);
        check(r#"{"id":5}"#, Some(5), Code::InvalidFrame);
        check("[]", None, Code::InvalidFrame);
        check("hello", None, Code::InvalidJson);
        check(&format!("[{}]", [r#"{"type":"ping"}"#; 51].join(",")), None, Code::Limit);
    }

    #[test]
    fn a_batch_is_read_in_order_and_a_bad_one_spoils_no_other() {
        let text = r#"[{"type":"ping","id":1},{"type":"x","id":2},{"type":"presence","id":3,"status":"away"}]"#;
        let batch = decode(text);
        assert_eq!(
            batch.iter().map(|(id, _)| *id).collect::<Vec<_>>(),
            [Some(1), Some(2), Some(3)]
        );
        assert_eq!(batch[0].1, Ok(Command::Ping));
        assert_eq!(batch[1].1, Err(Code::UnknownType));
        assert_eq!(batch[2].1, Ok(Command::SetAway { away: true }));
    }

    #[test]
    fn the_fields_of_a_new_conversation() {
        let text = r#"{"type":"conversation.create","id":1,"kind":"group","participants":["2",3],"title":"T"}"#;
        let [(_, Ok(Command::CreateConversation(new)))] = &decode(text)[..] else {
            panic!("{:?}", decode(text));
        };
        assert_eq!(new.participants.len(), 2);
        assert_eq!(new.title.as_deref(), Some("T"));
    }
}
