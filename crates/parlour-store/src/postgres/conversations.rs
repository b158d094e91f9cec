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
    PostgresStore,
    batch::Tx,
    blocks,
    db::{Db, Failure, Sent, Step},
    directs,
    facts::View,
    lists, participants,
    rows::{self, CONVERSATION, ChangeKind, int, number},
    users,
};
use crate::stored::{difference, fold};

impl ConversationStore for PostgresStore {
    fn create_conversation(
        &self,
        context: Context,
        new: NewConversation,
    ) -> BoxFuture<'_, Result<CreatedConversation>> {
        let bytes = new.participants.len() * 64 + new.metadata.as_deref().map_or(0, str::len);
        self.write(bytes + 512, (context, new), |tx, (context, new)| {
            Box::pin(create(tx, context, new))
        })
    }

    fn conversation(
        &self,
        actor: Actor,
        id: ConversationId,
    ) -> BoxFuture<'_, Result<ConversationSummary>> {
        self.read((actor, id), |db, (actor, id)| Box::pin(lists::summary(db, actor, *id)))
    }

    fn direct_between(
        &self,
        one: UserId,
        other: UserId,
    ) -> BoxFuture<'_, Result<Option<ConversationId>>> {
        let key = directs::key(&one, &other, None);
        self.read(key, |db, key| Box::pin(directs::named(db, key)))
    }

    fn conversations(
        &self,
        user: UserId,
        after: Option<ListCursor>,
        limit: usize,
        query: Option<Arc<str>>,
    ) -> BoxFuture<'_, Result<Vec<ConversationSummary>>> {
        self.read((user, after, limit, query), |db, (user, after, limit, query)| {
            Box::pin(lists::of_user(db, user, *after, *limit, query.as_deref()))
        })
    }

    fn conversation_count(&self, user: UserId) -> BoxFuture<'_, Result<u64>> {
        self.read(user, |db, user| Box::pin(lists::count(db, user)))
    }

    fn participants(
        &self,
        actor: Actor,
        id: ConversationId,
        after: Option<UserId>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Participant>>> {
        self.read((actor, id, after, limit), |db, (actor, id, after, limit)| {
            Box::pin(async move {
                View::readable(db, *id, actor).await?;
                lists::participants(db, *id, after.as_ref(), *limit).await
            })
        })
    }

    fn change_conversation(
        &self,
        context: Context,
        id: ConversationId,
        patch: ConversationPatch,
    ) -> BoxFuture<'_, Result<Conversation>> {
        let bytes = patch.metadata.as_deref().map_or(0, str::len);
        self.write(bytes + 256, (context, id, patch), |tx, (context, id, patch)| {
            Box::pin(change(tx, context, *id, patch))
        })
    }

    fn add_participant(
        &self,
        context: Context,
        id: ConversationId,
        user: UserId,
        most: usize,
    ) -> BoxFuture<'_, Result<bool>> {
        self.write(256, (context, id, user, most), |tx, (context, id, user, most)| {
            Box::pin(participants::add(tx, context, *id, user, *most))
        })
    }

    fn remove_participant(
        &self,
        context: Context,
        id: ConversationId,
        user: UserId,
    ) -> BoxFuture<'_, Result<()>> {
        self.write(256, (context, id, user), |tx, (context, id, user)| {
            Box::pin(participants::remove(tx, context, *id, user))
        })
    }

    fn set_role(&self, context: Context, change: RoleChange) -> BoxFuture<'_, Result<()>> {
        self.write(256, (context, change), |tx, (context, change)| {
            Box::pin(participants::set_role(tx, context, change))
        })
    }
}

/// A conversation as it is now.
pub(super) async fn load(db: &Db, id: ConversationId) -> Step<Option<Conversation>> {
    let sql = format!("SELECT {CONVERSATION} FROM conversations c WHERE c.id = $1");
    db.one(&sql, &[&int(id.0)], rows::conversation).await
}

async fn create(
    tx: &mut Tx,
    context: &Context,
    new: &NewConversation,
) -> Step<CreatedConversation> {
    let actor = &context.actor.user;
    let mut others: Vec<&UserId> = new.participants.iter().filter(|user| *user != actor).collect();
    others.sort();
    others.dedup();
    if new.kind == ConversationKind::Direct && others.len() != 1 {
        let text = "a direct conversation is between you and exactly one other";
        return Err(Error::new(Code::InvalidFrame, text).into());
    }
    let looking = Looking::send(&tx.db, actor, &others, new).await?;
    let epoch = tx.db.send("SELECT value FROM meta WHERE key = 'epoch'", &[]).await?;
    let everybody: Vec<&UserId> = [actor].into_iter().chain(others.iter().copied()).collect();
    let knowing = users::send_known(&tx.db, &everybody, context.create_users).await?;
    let blocking = blocks::send_between(&tx.db, actor, &others, new.kind).await?;
    if let Some(id) = looking.standing().await? {
        return found(&tx.db, context, id).await;
    }
    let epoch = epoch.one(|row| number(row, 0)).await?.ok_or(Failure::Again)?;
    knowing.check().await?;
    if !blocking.rows().await?.is_empty() {
        return Err(participants::blocked().into());
    }
    let Some(conversation) = insert(&tx.db, context, new, &others, Epoch(epoch)).await? else {
        // Somebody has made it meanwhile, and is done with it.
        let looking = Looking::send(&tx.db, actor, &others, new).await?;
        let id = looking.standing().await?.ok_or(Failure::Again)?;
        return found(&tx.db, context, id).await;
    };
    fill(tx, context, conversation, &everybody).await
}

async fn found(db: &Db, context: &Context, id: ConversationId) -> Step<CreatedConversation> {
    let summary = lists::summary(db, &context.actor, id).await?;
    Ok(CreatedConversation { summary, created: false })
}

/// Questions for the conversation that stands already, on their way.
struct Looking {
    direct: Option<Sent>,
    external: Option<Sent>,
}

impl Looking {
    async fn send(
        db: &Db,
        actor: &UserId,
        others: &[&UserId],
        new: &NewConversation,
    ) -> Step<Self> {
        let mut looking = Self { direct: None, external: None };
        if let (ConversationKind::Direct, [other]) = (new.kind, others) {
            let sent = directs::send_about(db, actor, other, new.subject.as_deref()).await?;
            looking.direct = Some(sent);
        }
        if let Some(external_id) = new.external_id.as_deref() {
            let sent = db
                .send(
                    "SELECT c.id, EXISTS (SELECT 1 FROM participants p \
                       WHERE p.conversation = c.id AND p.user_id = $2) \
                     FROM conversations c WHERE c.external_id = $1",
                    &[&external_id, &actor.as_str()],
                )
                .await?;
            looking.external = Some(sent);
        }
        Ok(looking)
    }

    /// The direct one of the two, else that with the external id.
    async fn standing(self) -> Step<Option<ConversationId>> {
        if let Some(direct) = self.direct
            && let Some(id) = directs::about(direct).await?
        {
            return Ok(Some(id));
        }
        let Some(external) = self.external else { return Ok(None) };
        match external.one(|row| Ok((number(row, 0)?, rows::boolean(row, 1)?))).await? {
            None => Ok(None),
            Some((id, true)) => Ok(Some(ConversationId(id))),
            Some((_, false)) => Err(Error::new(Code::Conflict, "this external_id is taken").into()),
        }
    }
}

/// Writes the row of the conversation; `None` when one stands that it would be.
async fn insert(
    db: &Db,
    context: &Context,
    new: &NewConversation,
    others: &[&UserId],
    epoch: Epoch,
) -> Step<Option<Conversation>> {
    let subject = new.subject.as_deref();
    let direct_key = match (new.kind, others) {
        (ConversationKind::Direct, [other]) => {
            Some(directs::key(&context.actor.user, other, subject))
        }
        _ => None,
    };
    let id = db
        .one(
            "INSERT INTO conversations \
               (kind, title, title_fold, subject, external_id, direct_key, metadata, epoch, \
                created_at, active_at, latest_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $9) ON CONFLICT DO NOTHING RETURNING id",
            &[
                &rows::conversation_kind(new.kind),
                &new.title.as_deref(),
                &new.title.as_deref().map(fold),
                &subject,
                &new.external_id.as_deref(),
                &direct_key,
                &new.metadata.as_deref(),
                &int(epoch.0),
                &context.now,
            ],
            |row| number(row, 0),
        )
        .await?;
    Ok(id.map(|id| Conversation {
        id: ConversationId(id),
        kind: new.kind,
        state: ConversationState::Open,
        title: new.title.clone(),
        subject: new.subject.clone(),
        external_id: new.external_id.clone(),
        metadata: new.metadata.clone(),
        epoch,
        last_seq: Seq::ZERO,
        receipts: 0,
        created_at: context.now,
        active_at: context.now,
    }))
}

/// Brings everybody into a conversation that was just made.
async fn fill(
    tx: &mut Tx,
    context: &Context,
    conversation: Conversation,
    everybody: &[&UserId],
) -> Step<CreatedConversation> {
    let now = context.now;
    let role = |user: &UserId| match conversation.kind {
        ConversationKind::Group if *user == context.actor.user => Role::Owner,
        _ => Role::Member,
    };
    let making = users::send_making(&tx.db, everybody, now).await?;
    let entering: Vec<(&UserId, Role)> = everybody.iter().map(|user| (*user, role(user))).collect();
    participants::insert(tx, conversation.id, &entering, Seq::ZERO, now).await?;
    let known = making.get().await?;
    let all: Vec<Participant> = known
        .into_iter()
        .map(|known| {
            let role = role(&known.profile.id);
            participants::newcomer(known, role, Seq::ZERO)
        })
        .collect();
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

async fn change(
    tx: &mut Tx,
    context: &Context,
    id: ConversationId,
    patch: &ConversationPatch,
) -> Step<Conversation> {
    let actor = &context.actor.user;
    let mut view = View::lock(&tx.db, id, &context.actor).await?;
    if patch.title.is_some() || patch.metadata.is_some() || patch.state.is_none() {
        view.allow(Action::ChangeSettings)?;
    }
    if patch.state.is_some() {
        view.allow(Action::ChangeState)?;
    }
    // The actor may be a server's user who is in no conversation yet.
    let knowing = users::send_known(&tx.db, &[actor], context.create_users).await?;
    let mut conversation = load(&tx.db, id).await?.ok_or_else(Error::not_found)?;
    let title = difference(patch.title.as_ref(), conversation.title.as_ref());
    let metadata = difference(patch.metadata.as_ref(), conversation.metadata.as_ref());
    let state = patch.state.filter(|state| *state != conversation.state);
    if title.is_none() && metadata.is_none() && state.is_none() {
        return Ok(conversation);
    }
    knowing.check().await?;
    let making = users::send_making(&tx.db, &[actor], context.now).await?;
    let (seq, at) = view.next_change(tx, context.now).await?;
    if let Some(title) = &title {
        conversation.title = Some(title.clone()).filter(|title| !title.is_empty());
    }
    if let Some(metadata) = &metadata {
        conversation.metadata = Some(metadata.clone()).filter(|metadata| !metadata.is_empty());
    }
    conversation.state = state.unwrap_or(conversation.state);
    conversation.last_seq = seq;
    tx.send(
        "UPDATE conversations SET title = $2, title_fold = $3, metadata = $4, state = $5 WHERE id = $1",
        &[
            &int(id.0),
            &conversation.title.as_deref(),
            &conversation.title.as_deref().map(fold),
            &conversation.metadata.as_deref(),
            &rows::conversation_state(conversation.state),
        ],
    )
    .await?;
    tx.send(
        "INSERT INTO changes (conversation, seq, kind, actor, title, state, metadata, at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        &[
            &int(id.0),
            &int(seq.0),
            &rows::change_kind(ChangeKind::Settings),
            &actor.as_str(),
            &title.as_deref(),
            &state.map(rows::conversation_state),
            &metadata.as_deref(),
            &at,
        ],
    )
    .await?;
    making.get().await?;
    let by = actor.clone();
    let changed = Event::ConversationChanged { title, state, metadata, by };
    tx.publish(view.envelope(Some(seq), at, context.origin, changed));
    Ok(conversation)
}
