//! Lines of an export become records again, if they are sound.

use parlour_core::{
    ClientId, ConversationId, Error, MessageId, Seq, UserId,
    error::Code,
    ids::MAX_INTEGER,
    model::{ConversationKind, Millis},
    port::store::transfer::{
        Dump, DumpedBlock, DumpedChange, DumpedChangeKind, DumpedConversation, DumpedKey,
        DumpedMembership, DumpedMessage, DumpedParticipant, DumpedRevision, DumpedUser,
    },
};

use super::{exact::Line, fields::Time};

fn or_never(at: Option<Time>) -> Millis {
    at.map_or(0, Time::millis)
}

/// Whether what is kept may be so: a row that contradicts itself could not be read any more.
fn check(record: &Dump) -> Result<(), Error> {
    let is_number = |number: u64| (1..=MAX_INTEGER).contains(&number);
    let is_json = |text: Option<&str>| {
        text.is_none_or(|text| {
            text.is_empty() || serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
        })
    };
    let is_sound = match record {
        Dump::User(_) | Dump::Block(_) | Dump::Key(_) => true,
        Dump::Conversation(row) => {
            is_number(row.id.0)
                && row.last_seq.0 <= MAX_INTEGER
                && row.receipts <= MAX_INTEGER
                && (row.kind == ConversationKind::Direct) == row.direct_key.is_some()
                && is_json(row.metadata.as_deref())
        }
        Dump::Participant(row) => {
            row.read_seq <= row.delivered_seq && row.delivered_seq.0 <= MAX_INTEGER
        }
        Dump::Membership(row) => row.from_seq <= row.to_seq && row.to_seq.0 <= MAX_INTEGER,
        Dump::Message(row) => {
            is_number(row.id.0)
                && is_number(row.seq.0)
                && is_number(row.change_seq.0)
                && row.seq <= row.change_seq
                && row.text.is_none() == row.deleted_at.is_some()
                && is_json(row.metadata.as_deref())
        }
        Dump::Revision(row) => is_number(row.seq.0),
        Dump::Change(row) => {
            is_number(row.seq.0)
                && is_json(row.metadata.as_deref())
                && match row.kind {
                    DumpedChangeKind::Joined | DumpedChangeKind::Role => {
                        row.user.is_some() && row.role.is_some()
                    }
                    DumpedChangeKind::Left => row.user.is_some(),
                    DumpedChangeKind::Settings => true,
                }
        }
    };
    if is_sound {
        return Ok(());
    }
    Err(Error::new(Code::InvalidFrame, "the fields of this line contradict each other"))
}

impl Line {
    /// The record of a line.
    pub(super) fn record(self) -> Result<Dump, Error> {
        let record = self.dumped()?;
        check(&record)?;
        Ok(record)
    }

    #[expect(clippy::too_many_lines, reason = "one arm a kind of line, and nothing else")]
    fn dumped(self) -> Result<Dump, Error> {
        Ok(match self {
            Self::User {
                id,
                username,
                name,
                email,
                avatar,
                banned,
                revoked_before,
                last_seen,
                created_at,
            } => Dump::User(DumpedUser {
                id: UserId::new(&id)?,
                username,
                name,
                email,
                avatar,
                banned,
                revoked_before: or_never(revoked_before),
                last_seen: or_never(last_seen),
                created_at: created_at.millis(),
            }),
            Self::Block { blocker, blocked, at } => Dump::Block(DumpedBlock {
                blocker: UserId::new(&blocker)?,
                blocked: UserId::new(&blocked)?,
                at: at.millis(),
            }),
            Self::Conversation {
                id,
                kind,
                state,
                title,
                subject,
                external_id,
                direct_key,
                metadata,
                last_seq,
                receipts,
                created_at,
                active_at,
                latest_at,
            } => Dump::Conversation(DumpedConversation {
                id: ConversationId(id),
                kind: kind.into(),
                state: state.into(),
                title,
                subject,
                external_id,
                direct_key,
                metadata,
                last_seq: Seq(last_seq),
                receipts,
                created_at: created_at.millis(),
                active_at: active_at.millis(),
                latest_at: latest_at.millis(),
            }),
            Self::Participant {
                conversation,
                user,
                role,
                joined_seq,
                entered_seq,
                delivered_seq,
                read_seq,
                receipt_version,
                receipt_at,
                joined_at,
            } => Dump::Participant(DumpedParticipant {
                conversation: ConversationId(conversation),
                user: UserId::new(&user)?,
                role: role.into(),
                joined_seq: Seq(joined_seq),
                entered_seq: Seq(entered_seq),
                delivered_seq: Seq(delivered_seq),
                read_seq: Seq(read_seq),
                receipt_version,
                receipt_at: or_never(receipt_at),
                joined_at: joined_at.millis(),
            }),
            Self::Membership { conversation, user, from_seq, to_seq } => {
                Dump::Membership(DumpedMembership {
                    conversation: ConversationId(conversation),
                    user: UserId::new(&user)?,
                    from_seq: Seq(from_seq),
                    to_seq: Seq(to_seq),
                })
            }
            Self::Message {
                id,
                conversation,
                seq,
                change_seq,
                sender,
                client_id,
                kind,
                content,
                metadata,
                reply_to,
                created_at,
                edited_at,
                deleted_at,
                content_hash,
            } => Dump::Message(DumpedMessage {
                id: MessageId(id),
                conversation: ConversationId(conversation),
                seq: Seq(seq),
                change_seq: Seq(change_seq),
                sender: UserId::new(&sender)?,
                client_id: client_id.map(|id| ClientId::new(&id)).transpose()?,
                content_hash: content_hash.0,
                kind: kind.into(),
                text: content,
                metadata,
                reply_to: reply_to.map(MessageId),
                created_at: created_at.millis(),
                edited_at: edited_at.map(Time::millis),
                deleted_at: deleted_at.map(Time::millis),
            }),
            Self::Revision { message, seq, content, at } => Dump::Revision(DumpedRevision {
                message: MessageId(message),
                seq: Seq(seq),
                text: content,
                at: at.millis(),
            }),
            Self::Change {
                conversation,
                seq,
                change,
                actor,
                user,
                role,
                title,
                state,
                metadata,
                at,
            } => Dump::Change(DumpedChange {
                conversation: ConversationId(conversation),
                seq: Seq(seq),
                kind: change.into(),
                actor: UserId::new(&actor)?,
                user: user.map(|user| UserId::new(&user)).transpose()?,
                role: role.map(Into::into),
                title,
                state: state.map(Into::into),
                metadata,
                at: at.millis(),
            }),
            Self::Key { source, of, id, target, state } => Dump::Key(DumpedKey {
                source,
                kind: of.into(),
                host_id: id,
                target,
                state: state.0,
            }),
        })
    }
}
