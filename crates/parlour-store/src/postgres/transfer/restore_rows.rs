//! The statements that store the records of a dump.

use parlour_core::{
    ClientId, UserId,
    model::UserState,
    port::store::transfer::{
        Dump, DumpedChange, DumpedConversation, DumpedMessage, DumpedParticipant, DumpedUser,
        ImportOptions,
    },
};

use crate::{
    postgres::{
        db::{Db, Sent, Step},
        rows::{self, int},
    },
    stored::fold,
    transfer::{change_kind, key_kind},
};

/// Sends the statement of a record. It writes a row when the record is new.
pub(super) async fn send(db: &Db, options: &ImportOptions, record: &Dump) -> Step<Sent> {
    match record {
        Dump::User(row) => user(db, row).await,
        Dump::Block(row) => {
            db.send(
                "INSERT INTO blocks (blocker, blocked, at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
                &[&row.blocker.as_str(), &row.blocked.as_str(), &row.at],
            )
            .await
        }
        Dump::Conversation(row) => conversation(db, options, row).await,
        Dump::Participant(row) => participant(db, row).await,
        Dump::Membership(row) => {
            let (from, to) = (int(row.from_seq.0), int(row.to_seq.0));
            db.send(
                "INSERT INTO past_memberships (conversation, user_id, from_seq, to_seq) \
                 VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
                &[&int(row.conversation.0), &row.user.as_str(), &from, &to],
            )
            .await
        }
        Dump::Message(row) => message(db, row).await,
        Dump::Revision(row) => {
            db.send(
                "INSERT INTO revisions (message, seq, text, at) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT DO NOTHING",
                &[&int(row.message.0), &int(row.seq.0), &&*row.text, &row.at],
            )
            .await
        }
        Dump::Change(row) => change(db, row).await,
        Dump::Key(row) => {
            let (kind, state) = (key_kind(row.kind), row.state.as_slice());
            db.send(
                "INSERT INTO import_keys (source, kind, host_id, target, state) \
                 VALUES ($1, $2::bigint, $3, $4, $5) ON CONFLICT DO NOTHING",
                &[&&*row.source, &kind, &&*row.host_id, &int(row.target), &state],
            )
            .await
        }
    }
}

/// A user who is here with other fields was here before: the dump knows him better, but nobody is let in again.
async fn user(db: &Db, user: &DumpedUser) -> Step<Sent> {
    let username = user.username.as_deref().unwrap_or(user.id.as_str());
    let name = user.name.as_deref().unwrap_or(username);
    let state = if user.banned { UserState::Banned } else { UserState::Active };
    db.send(
        "INSERT INTO users AS u (id, username, name, email, avatar, state, revoked_before, last_seen, \
           created_at, id_fold, username_fold, name_fold) \
         VALUES ($1, $2, $3, $4, $5, $6::bigint, $7, $8, $9, $10, $11, $12) \
         ON CONFLICT (id) DO UPDATE SET username = excluded.username, name = excluded.name, \
           email = excluded.email, avatar = excluded.avatar, state = greatest(u.state, excluded.state), \
           revoked_before = greatest(u.revoked_before, excluded.revoked_before), \
           last_seen = greatest(u.last_seen, excluded.last_seen), \
           created_at = least(u.created_at, excluded.created_at), \
           username_fold = excluded.username_fold, name_fold = excluded.name_fold \
         WHERE u.username IS DISTINCT FROM excluded.username OR u.name IS DISTINCT FROM excluded.name \
           OR u.email IS DISTINCT FROM excluded.email OR u.avatar IS DISTINCT FROM excluded.avatar \
           OR u.state < excluded.state OR u.revoked_before < excluded.revoked_before \
           OR u.last_seen < excluded.last_seen OR u.created_at > excluded.created_at",
        &[
            &user.id.as_str(),
            &user.username.as_deref(),
            &user.name.as_deref(),
            &user.email.as_deref(),
            &user.avatar.as_deref(),
            &rows::user_state(state),
            &user.revoked_before,
            &user.last_seen,
            &user.created_at,
            &fold(user.id.as_str()),
            &fold(username),
            &fold(name),
        ],
    )
    .await
}

async fn conversation(db: &Db, options: &ImportOptions, row: &DumpedConversation) -> Step<Sent> {
    db.send(
        "INSERT INTO conversations (id, kind, state, title, title_fold, subject, external_id, direct_key, \
           metadata, epoch, last_seq, receipts, created_at, active_at, latest_at) \
         VALUES ($1, $2::bigint, $3::bigint, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
        &[
            &int(row.id.0),
            &rows::conversation_kind(row.kind),
            &rows::conversation_state(row.state),
            &row.title.as_deref(),
            &row.title.as_deref().map(fold),
            &row.subject.as_deref(),
            &row.external_id.as_deref(),
            &row.direct_key.as_deref(),
            &row.metadata.as_deref(),
            &int(options.epoch.0),
            &int(row.last_seq.0),
            &int(row.receipts),
            &row.created_at,
            &row.active_at,
            &row.latest_at,
        ],
    )
    .await
}

async fn participant(db: &Db, row: &DumpedParticipant) -> Step<Sent> {
    db.send(
        "INSERT INTO participants (conversation, user_id, role, joined_seq, entered_seq, delivered_seq, \
           read_seq, receipt_version, receipt_at, joined_at) \
         VALUES ($1, $2, $3::bigint, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING",
        &[
            &int(row.conversation.0),
            &row.user.as_str(),
            &rows::role(row.role),
            &int(row.joined_seq.0),
            &int(row.entered_seq.0),
            &int(row.delivered_seq.0.max(row.read_seq.0)),
            &int(row.read_seq.0),
            &int(row.receipt_version),
            &row.receipt_at,
            &row.joined_at,
        ],
    )
    .await
}

async fn message(db: &Db, row: &DumpedMessage) -> Step<Sent> {
    db.send(
        "INSERT INTO messages (id, conversation, seq, change_seq, sender, client_id, content_hash, kind, \
           text, metadata, reply_to, created_at, edited_at, deleted_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8::bigint, $9, $10, $11, $12, $13, $14)",
        &[
            &int(row.id.0),
            &int(row.conversation.0),
            &int(row.seq.0),
            &int(row.change_seq.0.max(row.seq.0)),
            &row.sender.as_str(),
            &row.client_id.as_ref().map(ClientId::as_str),
            &row.content_hash,
            &rows::message_kind(row.kind),
            &row.text.as_deref(),
            &row.metadata.as_deref(),
            &row.reply_to.map(|id| int(id.0)),
            &row.created_at,
            &row.edited_at,
            &row.deleted_at,
        ],
    )
    .await
}

async fn change(db: &Db, row: &DumpedChange) -> Step<Sent> {
    db.send(
        "INSERT INTO changes (conversation, seq, kind, actor, user_id, role, title, state, metadata, at) \
         VALUES ($1, $2, $3::bigint, $4, $5, $6::bigint, $7, $8::bigint, $9, $10) ON CONFLICT DO NOTHING",
        &[
            &int(row.conversation.0),
            &int(row.seq.0),
            &change_kind(row.kind),
            &row.actor.as_str(),
            &row.user.as_ref().map(UserId::as_str),
            &row.role.map(rows::role),
            &row.title.as_deref(),
            &row.state.map(rows::conversation_state),
            &row.metadata.as_deref(),
            &row.at,
        ],
    )
    .await
}
