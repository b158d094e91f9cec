//! Lines of an export: everything as it is kept.

use std::sync::Arc;

use parlour_core::{
    UserId,
    model::{ConversationKind, ConversationState, MessageKind, Millis, Role},
    port::store::transfer::{Dump, DumpedChangeKind, KeyKind},
};
use serde::{Deserialize, Serialize};

use super::fields::{Hex, Time};

/// A line with everything of one stored thing.
#[derive(Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Line {
    User {
        id: Arc<str>,
        username: Option<Arc<str>>,
        name: Option<Arc<str>>,
        email: Option<Arc<str>>,
        avatar: Option<Arc<str>>,
        banned: bool,
        revoked_before: Option<Time>,
        last_seen: Option<Time>,
        created_at: Time,
    },
    Block {
        blocker: Arc<str>,
        blocked: Arc<str>,
        at: Time,
    },
    Conversation {
        id: u64,
        kind: Kind,
        state: State,
        title: Option<Arc<str>>,
        subject: Option<Arc<str>>,
        external_id: Option<Arc<str>>,
        direct_key: Option<Arc<str>>,
        metadata: Option<Arc<str>>,
        last_seq: u64,
        receipts: u64,
        created_at: Time,
        active_at: Time,
        latest_at: Time,
    },
    Participant {
        conversation: u64,
        user: Arc<str>,
        role: Rank,
        joined_seq: u64,
        entered_seq: u64,
        delivered_seq: u64,
        read_seq: u64,
        receipt_version: u64,
        receipt_at: Option<Time>,
        joined_at: Time,
    },
    Membership {
        conversation: u64,
        user: Arc<str>,
        from_seq: u64,
        to_seq: u64,
    },
    Message {
        id: u64,
        conversation: u64,
        seq: u64,
        change_seq: u64,
        sender: Arc<str>,
        client_id: Option<Arc<str>>,
        kind: Speaker,
        content: Option<Arc<str>>,
        metadata: Option<Arc<str>>,
        reply_to: Option<u64>,
        created_at: Time,
        edited_at: Option<Time>,
        deleted_at: Option<Time>,
        content_hash: Hex<32>,
    },
    Revision {
        message: u64,
        seq: u64,
        content: Arc<str>,
        at: Time,
    },
    Change {
        conversation: u64,
        seq: u64,
        change: What,
        actor: Arc<str>,
        user: Option<Arc<str>>,
        role: Option<Rank>,
        title: Option<Arc<str>>,
        state: Option<State>,
        metadata: Option<Arc<str>>,
        at: Time,
    },
    Key {
        source: Arc<str>,
        of: Of,
        id: Arc<str>,
        target: u64,
        state: Hex<16>,
    },
}

/// An enum of the domain under the names of its lines.
macro_rules! named {
    ($name:ident, $domain:ty, $($variant:ident),+) => {
        #[derive(Serialize, Deserialize, Clone, Copy)]
        #[serde(rename_all = "snake_case")]
        pub(super) enum $name {
            $($variant),+
        }

        impl From<$domain> for $name {
            fn from(value: $domain) -> Self {
                match value {
                    $(<$domain>::$variant => Self::$variant),+
                }
            }
        }

        impl From<$name> for $domain {
            fn from(value: $name) -> Self {
                match value {
                    $($name::$variant => Self::$variant),+
                }
            }
        }
    };
}

named!(Kind, ConversationKind, Direct, Group);
named!(State, ConversationState, Open, ReadOnly, Closed);
named!(Rank, Role, Member, Admin, Owner);
named!(Speaker, MessageKind, Text, System);
named!(What, DumpedChangeKind, Joined, Left, Role, Settings);
named!(Of, KeyKind, User, Conversation, Message);

/// Zero stands for "never".
fn maybe(at: Millis) -> Option<Time> {
    (at != 0).then(|| Time::of(at))
}

fn text(id: &UserId) -> Arc<str> {
    id.as_str().into()
}

impl From<Dump> for Line {
    fn from(record: Dump) -> Self {
        match record {
            Dump::User(u) => Self::User {
                id: text(&u.id),
                username: u.username,
                name: u.name,
                email: u.email,
                avatar: u.avatar,
                banned: u.banned,
                revoked_before: maybe(u.revoked_before),
                last_seen: maybe(u.last_seen),
                created_at: Time::of(u.created_at),
            },
            Dump::Block(b) => Self::Block {
                blocker: text(&b.blocker),
                blocked: text(&b.blocked),
                at: Time::of(b.at),
            },
            Dump::Conversation(c) => Self::Conversation {
                id: c.id.0,
                kind: c.kind.into(),
                state: c.state.into(),
                title: c.title,
                subject: c.subject,
                external_id: c.external_id,
                direct_key: c.direct_key,
                metadata: c.metadata,
                last_seq: c.last_seq.0,
                receipts: c.receipts,
                created_at: Time::of(c.created_at),
                active_at: Time::of(c.active_at),
                latest_at: Time::of(c.latest_at),
            },
            Dump::Participant(p) => Self::Participant {
                conversation: p.conversation.0,
                user: text(&p.user),
                role: p.role.into(),
                joined_seq: p.joined_seq.0,
                entered_seq: p.entered_seq.0,
                delivered_seq: p.delivered_seq.0,
                read_seq: p.read_seq.0,
                receipt_version: p.receipt_version,
                receipt_at: maybe(p.receipt_at),
                joined_at: Time::of(p.joined_at),
            },
            Dump::Membership(m) => Self::Membership {
                conversation: m.conversation.0,
                user: text(&m.user),
                from_seq: m.from_seq.0,
                to_seq: m.to_seq.0,
            },
            Dump::Message(m) => Self::Message {
                id: m.id.0,
                conversation: m.conversation.0,
                seq: m.seq.0,
                change_seq: m.change_seq.0,
                sender: text(&m.sender),
                client_id: m.client_id.map(|id| id.as_str().into()),
                kind: m.kind.into(),
                content: m.text,
                metadata: m.metadata,
                reply_to: m.reply_to.map(|id| id.0),
                created_at: Time::of(m.created_at),
                edited_at: m.edited_at.map(Time::of),
                deleted_at: m.deleted_at.map(Time::of),
                content_hash: Hex(m.content_hash),
            },
            Dump::Revision(r) => Self::Revision {
                message: r.message.0,
                seq: r.seq.0,
                content: r.text,
                at: Time::of(r.at),
            },
            Dump::Change(c) => Self::Change {
                conversation: c.conversation.0,
                seq: c.seq.0,
                change: c.kind.into(),
                actor: text(&c.actor),
                user: c.user.as_ref().map(text),
                role: c.role.map(Into::into),
                title: c.title,
                state: c.state.map(Into::into),
                metadata: c.metadata,
                at: Time::of(c.at),
            },
            Dump::Key(k) => Self::Key {
                source: k.source,
                of: k.kind.into(),
                id: k.host_id,
                target: k.target,
                state: Hex(k.state),
            },
        }
    }
}
