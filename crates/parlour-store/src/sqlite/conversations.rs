//! Conversations: making, finding and changing them. Who is in them is in `participants`, reading in `lists`.

use std::sync::Arc;

use parlour_core::{
    ConversationId, Epoch, Error, Result, Seq, UserId,
    command::{Actor, ConversationPatch, NewConversation, RoleChange},
    error::Code,
    event::{Envelope, Event},
    model::{
        Conversation, ConversationKind, ConversationState, ConversationSummary, Participant, Role,
        Watermark,
    },
    policy::Action,
    port::{
        BoxFuture,
        store::{Context, ConversationStore, CreatedConversation, ListCursor},
    },
};

use super::{
    SqliteStore,
    batch::Tx,
    db::{Db, Step},
    directs,
    facts::View,
    lists, participants,
    rows::{self, CONVERSATION, ChangeKind, int},
    users,
};
use crate::stored::difference;

impl ConversationStore for SqliteStore {
    fn create_conversation(
        &self,
        context: Context,
        new: NewConversation,
    ) -> BoxFuture<'_, Result<CreatedConversation>> {
        let bytes = new.participants.len() * 64 + new.metadata.as_deref().map_or(0, str::len);
        self.write(bytes + 512, move |tx| create(tx, &context, &new))
    }

    fn conversation(
        &self,
        actor: Actor,
        id: ConversationId,
    ) -> BoxFuture<'_, Result<ConversationSummary>> {
        self.read(move |db| lists::summary(db, &actor, id))
    }

    fn direct_between(
        &self,
        one: UserId,
        other: UserId,
    ) -> BoxFuture<'_, Result<Option<ConversationId>>> {
        self.read(move |db| Ok(directs::named(db, &directs::key(&one, &other, None))?))
    }

    fn conversations(
        &self,
        user: UserId,
        after: Option<ListCursor>,
        limit: usize,
        query: Option<Arc<str>>,
    ) -> BoxFuture<'_, Result<Vec<ConversationSummary>>> {
        self.read(move |db| lists::of_user(db, &user, after, limit, query.as_deref()))
    }

    fn conversation_count(&self, user: UserId) -> BoxFuture<'_, Result<u64>> {
        self.read(move |db| Ok(lists::count(db, &user)?))
    }

    fn participants(
        &self,
        actor: Actor,
        id: ConversationId,
        after: Option<UserId>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Participant>>> {
        self.read(move |db| {
            View::readable(db, id, &actor)?;
            Ok(lists::participants(db, id, after.as_ref(), limit)?)
        })
    }

    fn change_conversation(
        &self,
        context: Context,
        id: ConversationId,
        patch: ConversationPatch,
    ) -> BoxFuture<'_, Result<Conversation>> {
        let bytes = patch.metadata.as_deref().map_or(0, str::len);
        self.write(bytes + 256, move |tx| change(tx, &context, id, &patch))
    }

    fn add_participant(
        &self,
        context: Context,
        id: ConversationId,
        user: UserId,
        most: usize,
    ) -> BoxFuture<'_, Result<bool>> {
        self.write(256, move |tx| participants::add(tx, &context, id, &user, most))
    }

    fn remove_participant(
        &self,
        context: Context,
        id: ConversationId,
        user: UserId,
    ) -> BoxFuture<'_, Result<()>> {
        self.write(256, move |tx| participants::remove(tx, &context, id, &user))
    }

    fn set_role(&self, context: Context, change: RoleChange) -> BoxFuture<'_, Result<()>> {
        self.write(256, move |tx| participants::set_role(tx, &context, &change))
    }
}

/// A conversation as it is now.
pub(super) fn load(db: &Db, id: ConversationId) -> rusqlite::Result<Option<Conversation>> {
    db.one(
        &format!("SELECT {CONVERSATION} FROM conversations c WHERE c.id = ?1"),
        [int(id.0)],
        rows::conversation,
    )
}

fn create(tx: &mut Tx<'_>, context: &Context, new: &NewConversation) -> Step<CreatedConversation> {
    let actor = &context.actor.user;
    let mut others: Vec<&UserId> = new.participants.iter().filter(|user| *user != actor).collect();
    others.sort();
    others.dedup();
    let subject = new.subject.as_deref();
    let (direct_key, direct) = match (new.kind, others.as_slice()) {
        (ConversationKind::Group, _) => (None, None),
        (ConversationKind::Direct, [other]) => (
            Some(directs::key(actor, other, subject)),
            directs::about(tx.db, actor, other, subject)?,
        ),
        (ConversationKind::Direct, _) => {
            let text = "a direct conversation is between you and exactly one other";
            return Err(Error::new(Code::InvalidFrame, text).into());
        }
    };
    if let Some(id) = standing(tx.db, actor, direct, new.external_id.as_deref())? {
        let summary = lists::summary(tx.db, &context.actor, id)?;
        return Ok(CreatedConversation { summary, created: false });
    }
    check_members(tx.db, context, new.kind, &others)?;
    let epoch: u64 = tx
        .db
        .one("SELECT value FROM meta WHERE key = 'epoch'", [], |row| rows::number(row, 0))?
        .ok_or(rusqlite::Error::QueryReturnedNoRows)?;

    let now = context.now;
    tx.db.run(
        "INSERT INTO conversations \
           (kind, title, title_fold, subject, external_id, direct_key, metadata, epoch, created_at, active_at, latest_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9, ?9)",
        (
            rows::conversation_kind(new.kind),
            &new.title,
            new.title.as_deref().map(users::fold),
            &new.subject,
            &new.external_id,
            &direct_key,
            &new.metadata,
            int(epoch),
            now,
        ),
    )?;
    let id = tx.db.last_id();
    let conversation = Conversation {
        id: ConversationId(id),
        kind: new.kind,
        state: ConversationState::Open,
        title: new.title.clone(),
        subject: new.subject.clone(),
        external_id: new.external_id.clone(),
        metadata: new.metadata.clone(),
        epoch: Epoch(epoch),
        last_seq: Seq::ZERO,
        receipts: 0,
        created_at: now,
        active_at: now,
    };
    let owner = match new.kind {
        ConversationKind::Group => Role::Owner,
        ConversationKind::Direct => Role::Member,
    };
    participants::insert(tx, context, conversation.id, actor, owner, Seq::ZERO, now)?;
    for other in others {
        participants::insert(tx, context, conversation.id, other, Role::Member, Seq::ZERO, now)?;
    }
    let all = lists::participants(tx.db, conversation.id, None, usize::MAX)?;
    let summary = ConversationSummary {
        conversation: conversation.clone(),
        participant_count: all.len(),
        participants: all.iter().take(ConversationSummary::SHOWN_PARTICIPANTS).cloned().collect(),
        last_message: None,
        unread: 0,
        watermark: Watermark::default(),
        joined_seq: Seq::ZERO,
    };
    tx.publish(Envelope {
        conversation: Some(conversation.id),
        epoch: conversation.epoch,
        seq: None,
        at: now,
        origin: context.origin,
        event: Event::ConversationCreated {
            conversation: Arc::new(conversation),
            participants: all.into(),
        },
    });
    Ok(CreatedConversation { summary, created: true })
}

/// The conversation that stands already: the direct one of the two, else that with the external id.
fn standing(
    db: &Db,
    actor: &UserId,
    direct: Option<ConversationId>,
    external_id: Option<&str>,
) -> Step<Option<ConversationId>> {
    if direct.is_some() {
        return Ok(direct);
    }
    let Some(external_id) = external_id else {
        return Ok(None);
    };
    let found = db.one(
        "SELECT c.id, EXISTS (SELECT 1 FROM participants p WHERE p.conversation = c.id AND p.user = ?2) \
         FROM conversations c WHERE c.external_id = ?1",
        (external_id, actor.as_str()),
        |row| Ok((rows::number(row, 0)?, row.get(1)?)),
    )?;
    match found {
        None => Ok(None),
        Some((id, true)) => Ok(Some(ConversationId(id))),
        Some((_, false)) => Err(Error::new(Code::Conflict, "this external_id is taken").into()),
    }
}

/// Everybody is known or may be made, and nobody is brought together with somebody whom he has blocked.
fn check_members(
    db: &Db,
    context: &Context,
    kind: ConversationKind,
    others: &[&UserId],
) -> Step<()> {
    let actor = &context.actor.user;
    users::check_known(db, &[actor], context.create_users)?;
    users::check_known(db, others, context.create_users)?;
    for other in others {
        let blocked = users::has_blocked(db, other, actor)?
            || (kind == ConversationKind::Direct && users::has_blocked(db, actor, other)?);
        if blocked {
            return Err(participants::blocked().into());
        }
    }
    Ok(())
}

fn change(
    tx: &mut Tx<'_>,
    context: &Context,
    id: ConversationId,
    patch: &ConversationPatch,
) -> Step<Conversation> {
    let mut view = View::load(tx.db, id, &context.actor)?;
    if patch.title.is_some() || patch.metadata.is_some() || patch.state.is_none() {
        view.allow(Action::ChangeSettings)?;
    }
    if patch.state.is_some() {
        view.allow(Action::ChangeState)?;
    }
    let mut conversation = load(tx.db, id)?.ok_or_else(Error::not_found)?;
    let title = difference(patch.title.as_ref(), conversation.title.as_ref());
    let metadata = difference(patch.metadata.as_ref(), conversation.metadata.as_ref());
    let state = patch.state.filter(|state| *state != conversation.state);
    if title.is_none() && metadata.is_none() && state.is_none() {
        return Ok(conversation);
    }
    // The actor may be a server's user who is in no conversation yet.
    users::check_known(tx.db, &[&context.actor.user], context.create_users)?;
    users::ensure(tx, &context.actor.user, context.now)?;
    let (seq, at) = view.next_change(tx, context.now)?;
    if let Some(title) = &title {
        conversation.title = Some(title.clone()).filter(|title| !title.is_empty());
    }
    if let Some(metadata) = &metadata {
        conversation.metadata = Some(metadata.clone()).filter(|metadata| !metadata.is_empty());
    }
    conversation.state = state.unwrap_or(conversation.state);
    conversation.last_seq = seq;
    tx.db.run(
        "UPDATE conversations SET title = ?2, title_fold = ?3, metadata = ?4, state = ?5 WHERE id = ?1",
        (
            int(id.0),
            &conversation.title,
            conversation.title.as_deref().map(users::fold),
            &conversation.metadata,
            rows::conversation_state(conversation.state),
        ),
    )?;
    tx.db.run(
        "INSERT INTO changes (conversation, seq, kind, actor, title, state, metadata, at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        (
            int(id.0),
            int(seq.0),
            rows::change_kind(ChangeKind::Settings),
            context.actor.user.as_str(),
            &title,
            state.map(rows::conversation_state),
            &metadata,
            at,
        ),
    )?;
    let by = context.actor.user.clone();
    let changed = Event::ConversationChanged { title, state, metadata, by };
    tx.publish(view.envelope(Some(seq), at, context.origin, changed));
    Ok(conversation)
}
