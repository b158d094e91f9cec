//! Messages: saying, editing and taking back. Reading them is in `pages`.

use std::sync::Arc;

use futures_util::future::try_join_all;
use parlour_core::{
    ConversationId, Error, MessageId, Result, UserId,
    command::{Actor, MarkTarget, SendMessage},
    event::Event,
    model::{Content, Message, Revision, Watermark},
    policy::Action,
    port::{
        BoxFuture,
        store::{
            Appended, Context, HistoryFrom, HistoryPage, MessagePage, MessageStore, Page,
            UnreadPage,
        },
    },
};

use super::{
    PostgresStore,
    batch::Tx,
    db::Step,
    facts::View,
    group::{Done, Item, What},
    marks, pages,
    rows::int,
};
use crate::stored::hash_of;

impl MessageStore for PostgresStore {
    fn append_message(
        &self,
        context: Context,
        message: SendMessage,
    ) -> BoxFuture<'_, Result<Appended>> {
        let metadata = message.metadata.as_deref();
        let bytes = message.text.len() + metadata.map_or(0, str::len) + 256;
        let hash = hash_of(&message.text, metadata, message.kind, message.reply_to);
        let said = self.group(bytes, Item { context, what: What::Say { message, hash } });
        Box::pin(async move { said.await.and_then(Done::said) })
    }

    fn edit_message(
        &self,
        context: Context,
        id: MessageId,
        text: Arc<str>,
    ) -> BoxFuture<'_, Result<Appended>> {
        self.write(text.len() + 256, (context, id, text), |tx, (context, id, text)| {
            Box::pin(edit(tx, context, *id, text))
        })
    }

    fn delete_message(&self, context: Context, id: MessageId) -> BoxFuture<'_, Result<Appended>> {
        self.write(256, (context, id), |tx, (context, id)| Box::pin(delete(tx, context, *id)))
    }

    fn message(&self, actor: Actor, id: MessageId) -> BoxFuture<'_, Result<Arc<Message>>> {
        self.read((actor, id), |db, (actor, id)| {
            Box::pin(async move {
                View::with_message(db, *id, actor).await.map(|(_, message)| Arc::new(message))
            })
        })
    }

    fn messages(
        &self,
        actor: Actor,
        conversation: ConversationId,
        page: Page,
        limit: usize,
    ) -> BoxFuture<'_, Result<MessagePage>> {
        self.read((actor, conversation, page, limit), |db, (actor, conversation, page, limit)| {
            Box::pin(pages::page(db, actor, *conversation, *page, *limit))
        })
    }

    fn history(
        &self,
        actor: Actor,
        conversation: ConversationId,
        from: HistoryFrom,
        limit: usize,
    ) -> BoxFuture<'_, Result<HistoryPage>> {
        self.read((actor, conversation, from, limit), |db, (actor, conversation, from, limit)| {
            Box::pin(pages::history(db, actor, *conversation, *from, *limit))
        })
    }

    fn revisions(&self, actor: Actor, id: MessageId) -> BoxFuture<'_, Result<Vec<Revision>>> {
        self.read((actor, id), |db, (actor, id)| {
            Box::pin(async move {
                let (_, message) = View::with_message(db, *id, actor).await?;
                pages::revisions(db, &message).await
            })
        })
    }

    fn mark(
        &self,
        context: Context,
        conversation: ConversationId,
        up_to: MarkTarget,
        read: bool,
    ) -> BoxFuture<'_, Result<Watermark>> {
        let what = What::Mark { conversation, up_to, read };
        let marked = self.group(128, Item { context, what });
        Box::pin(async move { marked.await.and_then(Done::marked) })
    }

    fn mark_messages(
        &self,
        context: Context,
        conversation: Option<ConversationId>,
        messages: Vec<MessageId>,
    ) -> BoxFuture<'_, Result<()>> {
        let user = context.actor.user.clone();
        let look = self.read((user, conversation, messages), |db, (user, only, messages)| {
            Box::pin(marks::newly_read(db, user, *only, messages))
        });
        Box::pin(async move {
            let moves = look.await?.into_iter().map(|(conversation, up_to)| {
                let what = What::Follow { conversation, up_to, read: true };
                self.group(128, Item { context: context.clone(), what })
            });
            try_join_all(moves).await.map(drop)
        })
    }

    fn unread(
        &self,
        user: UserId,
        after: Option<MessageId>,
        limit: usize,
    ) -> BoxFuture<'_, Result<UnreadPage>> {
        self.read((user, after, limit), |db, (user, after, limit)| {
            Box::pin(pages::unread(db, user, *after, *limit))
        })
    }
}

async fn edit(tx: &mut Tx, context: &Context, id: MessageId, text: &Arc<str>) -> Step<Appended> {
    let (mut view, mut message) = View::lock_message(&tx.db, id, &context.actor).await?;
    let Some(content) = message.content.take() else {
        return Err(Error::not_found().into());
    };
    view.allow(Action::Edit { own: message.sender.id == context.actor.user })?;
    if content.text == *text {
        message.content = Some(content);
        return Ok(Appended { message: Arc::new(message), epoch: view.epoch, duplicate: true });
    }
    tx.send(
        "INSERT INTO revisions (message, seq, text, at) VALUES ($1, $2, $3, $4)",
        &[
            &int(id.0),
            &int(message.change_seq.0),
            &&*content.text,
            &message.edited_at.unwrap_or(message.created_at),
        ],
    )
    .await?;
    let (seq, at) = view.next_change(tx, context.now).await?;
    tx.send(
        "UPDATE messages SET text = $2, change_seq = $3, edited_at = $4 WHERE id = $1",
        &[&int(id.0), &&**text, &int(seq.0), &at],
    )
    .await?;
    message.content = Some(Content { text: text.clone(), metadata: content.metadata });
    message.change_seq = seq;
    message.edited_at = Some(at);
    let message = Arc::new(message);
    let edited = Event::MessageEdited(message.clone());
    tx.publish(view.envelope(Some(seq), at, context.origin, edited));
    Ok(Appended { message, epoch: view.epoch, duplicate: false })
}

async fn delete(tx: &mut Tx, context: &Context, id: MessageId) -> Step<Appended> {
    let (mut view, mut message) = View::lock_message(&tx.db, id, &context.actor).await?;
    view.allow(Action::Delete { own: message.sender.id == context.actor.user })?;
    if message.deleted_at.is_some() {
        return Ok(Appended { message: Arc::new(message), epoch: view.epoch, duplicate: true });
    }
    let (seq, at) = view.next_change(tx, context.now).await?;
    tx.send("DELETE FROM revisions WHERE message = $1", &[&int(id.0)]).await?;
    tx.send(
        "UPDATE messages SET text = NULL, metadata = NULL, change_seq = $2, deleted_at = $3 WHERE id = $1",
        &[&int(id.0), &int(seq.0), &at],
    )
    .await?;
    message.content = None;
    message.change_seq = seq;
    message.deleted_at = Some(at);
    let message = Arc::new(message);
    let deleted = Event::MessageDeleted(message.clone());
    tx.publish(view.envelope(Some(seq), at, context.origin, deleted));
    Ok(Appended { message, epoch: view.epoch, duplicate: false })
}
