//! Messages: saying, editing and taking back. Reading them is in `pages`.

use std::sync::Arc;

use parlour_core::{
    ClientId, ConversationId, Epoch, Error, MessageId, Result, UserId,
    command::{Actor, MarkTarget, SendMessage},
    error::Code,
    event::Event,
    model::{Content, Message, MessageKind, Revision, Watermark},
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
    SqliteStore,
    batch::{Kind, Tx},
    client_ids,
    db::{Db, Step},
    directs,
    facts::View,
    marks, message_ids, pages,
    rows::{self, MESSAGE, int},
    users,
};
use crate::mutant;
pub(super) use crate::stored::hash_of;

impl MessageStore for SqliteStore {
    fn append_message(
        &self,
        context: Context,
        message: SendMessage,
    ) -> BoxFuture<'_, Result<Appended>> {
        let bytes = message.text.len() + message.metadata.as_deref().map_or(0, str::len);
        let hash = content_hash(&message);
        self.write_as(Kind::Append, bytes + 256, move |tx| append(tx, &context, &message, &hash))
    }

    fn edit_message(
        &self,
        context: Context,
        id: MessageId,
        text: Arc<str>,
    ) -> BoxFuture<'_, Result<Appended>> {
        self.write_seen(text.len() + 256, move |tx| edit(tx, &context, id, &text))
    }

    fn delete_message(&self, context: Context, id: MessageId) -> BoxFuture<'_, Result<Appended>> {
        self.write_seen(256, move |tx| delete(tx, &context, id))
    }

    fn message(&self, actor: Actor, id: MessageId) -> BoxFuture<'_, Result<Arc<Message>>> {
        self.read(move |db| visible(db, &actor, id).map(|(_, message)| Arc::new(message)))
    }

    fn messages(
        &self,
        actor: Actor,
        conversation: ConversationId,
        page: Page,
        limit: usize,
    ) -> BoxFuture<'_, Result<MessagePage>> {
        self.read(move |db| pages::page(db, &actor, conversation, page, limit))
    }

    fn history(
        &self,
        actor: Actor,
        conversation: ConversationId,
        from: HistoryFrom,
        limit: usize,
    ) -> BoxFuture<'_, Result<HistoryPage>> {
        self.read(move |db| pages::history(db, &actor, conversation, from, limit))
    }

    fn revisions(&self, actor: Actor, id: MessageId) -> BoxFuture<'_, Result<Vec<Revision>>> {
        self.read(move |db| {
            let (_, message) = visible(db, &actor, id)?;
            Ok(pages::revisions(db, &message)?)
        })
    }

    fn mark(
        &self,
        context: Context,
        conversation: ConversationId,
        up_to: MarkTarget,
        read: bool,
    ) -> BoxFuture<'_, Result<Watermark>> {
        self.write_seen(64, move |tx| marks::mark(tx, &context, conversation, up_to, read))
    }

    fn mark_messages(
        &self,
        context: Context,
        conversation: Option<ConversationId>,
        messages: Vec<MessageId>,
    ) -> BoxFuture<'_, Result<()>> {
        let user = context.actor.user.clone();
        let look = self.read(move |db| Ok(marks::newly_read(db, &user, conversation, messages)?));
        Box::pin(async move {
            let marks = look.await?;
            if marks.is_empty() {
                return Ok(());
            }
            let bytes = marks.len() * 64;
            self.write_seen(bytes, move |tx| marks::mark_read(tx, &context, &marks)).await
        })
    }

    fn unread(
        &self,
        user: UserId,
        after: Option<MessageId>,
        limit: usize,
    ) -> BoxFuture<'_, Result<UnreadPage>> {
        self.read(move |db| Ok(pages::unread(db, &user, after, limit)?))
    }
}

/// A message that the actor may see, with his view of its conversation; else "not found".
pub(super) fn visible(db: &Db, actor: &Actor, id: MessageId) -> Step<(View, Message)> {
    let message = load(db, id)?.ok_or_else(Error::not_found)?;
    let view = View::readable(db, message.conversation, actor)?;
    if !view.sight(db)?.sees(message.seq) {
        return Err(Error::not_found().into());
    }
    Ok((view, message))
}

fn load(db: &Db, id: MessageId) -> rusqlite::Result<Option<Message>> {
    db.one(&format!("SELECT {MESSAGE} FROM messages m WHERE m.id = ?1"), [int(id.0)], |row| {
        rows::message(db, row)
    })
}

/// What must be the same for a repetition to be one.
fn content_hash(message: &SendMessage) -> [u8; 32] {
    hash_of(&message.text, message.metadata.as_deref(), message.kind, message.reply_to)
}

fn append(
    tx: &mut Tx<'_>,
    context: &Context,
    new: &SendMessage,
    hash: &[u8; 32],
) -> Step<Appended> {
    let actor = &context.actor;
    if mutant("dedup_by_window") {
        client_ids::forget_all_before(tx.db, context.now - 1_000)?;
    }
    // Who has sent it gets it for ever, also when he could not send it any more (guarantees G2 and G3).
    let key = client_ids::key(new.conversation, &actor.user, &new.client_id);
    if let Some(key) = &key
        && let Some(known) = repeated(tx, key, hash)?
    {
        return Ok(known);
    }
    let mut view = admit(tx, context, new)?;
    let covered = match new.kind {
        MessageKind::Text => marks::unread(tx.db, &view, &actor.user)?,
        MessageKind::System => Arc::default(),
    };

    let sender = users::ensure(tx, &actor.user, context.now)?;
    let before = view.head.last_seq;
    view.head.last_seq = view.head.last_seq.next();
    if mutant("skip_seq") && view.head.last_seq.0.is_multiple_of(50) {
        view.head.last_seq = view.head.last_seq.next();
    }
    view.head.latest_at = view.time(context.now);
    let (seq, at) = (view.head.last_seq, view.head.latest_at);
    let id = message_ids::next(tx.db)?;
    tx.db.run(
        "INSERT INTO messages (id, conversation, seq, change_seq, sender, client_id, content_hash, kind, text, \
           metadata, reply_to, created_at) \
         VALUES (?1, ?2, ?3, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        (
            int(id.0),
            int(new.conversation.0),
            int(seq.0),
            actor.user.as_str(),
            new.client_id.as_ref().map(ClientId::as_str),
            hash,
            rows::message_kind(new.kind),
            &new.text,
            &new.metadata,
            new.reply_to.map(|id| int(id.0)),
            at,
        ),
    )?;
    client_ids::add(tx.db, id, key)?;
    tx.db.unwritten().append(new.conversation, &view.head, before)?;
    let message = Arc::new(Message {
        id,
        conversation: new.conversation,
        seq,
        change_seq: seq,
        sender,
        client_id: new.client_id.clone(),
        kind: new.kind,
        content: Some(Content { text: new.text.clone(), metadata: new.metadata.clone() }),
        reply_to: new.reply_to,
        created_at: at,
        edited_at: None,
        deleted_at: None,
    });
    let created = Event::MessageCreated(message.clone());
    tx.publish(view.envelope(Some(seq), at, context.origin, created));
    if let Some(subject) = new.subject.as_deref().filter(|subject| !subject.is_empty()) {
        directs::adopt_subject(tx, &view, subject)?;
    }
    if new.kind == MessageKind::Text {
        marks::follow_own_message(tx, &mut view, covered)?;
    }
    tx.db.views().keep(&view);
    Ok(Appended { message, epoch: view.head.epoch, duplicate: false })
}

/// Whether the actor may say this there: his view of the conversation.
fn admit(tx: &Tx<'_>, context: &Context, new: &SendMessage) -> Step<View> {
    let actor = &context.actor;
    let view = View::known(tx.db, new.conversation, actor)?;
    view.allow(match new.kind {
        MessageKind::Text => Action::Send,
        MessageKind::System => Action::SendAsSystem,
    })?;
    if let Some(target) = new.reply_to {
        check_reply(tx.db, &view, target)?;
    }
    if let Some(recipient) = &new.recipient
        && (*recipient == actor.user || !directs::is_in(tx.db, new.conversation, recipient)?)
    {
        return Err(Error::not_found().into());
    }
    users::check_known(tx.db, &[&actor.user], context.create_users)?;
    Ok(view)
}

/// The message that the client id of a new one stands for already.
fn repeated(tx: &mut Tx<'_>, key: &client_ids::Key, hash: &[u8; 32]) -> Step<Option<Appended>> {
    let Some(id) = client_ids::find(tx.db, key)? else { return Ok(None) };
    let known = tx.db.one(
        &format!(
            "SELECT {MESSAGE}, m.content_hash = ?2, c.epoch \
             FROM messages m JOIN conversations c ON c.id = m.conversation WHERE m.id = ?1"
        ),
        (int(id.0), hash),
        |row| {
            let message = Arc::new(rows::message(tx.db, row)?);
            Ok((message, row.get(13)?, Epoch(rows::number(row, 14)?)))
        },
    )?;
    match known {
        None => Ok(None),
        Some((_, false, _)) => {
            Err(Error::new(Code::Conflict, "this client_id was used for another message").into())
        }
        Some((message, true, epoch)) => {
            tx.count_duplicate();
            Ok(Some(Appended { message, epoch, duplicate: true }))
        }
    }
}

/// Only a message of the same conversation that the sender can see can be answered.
fn check_reply(db: &Db, view: &View, target: MessageId) -> Step<()> {
    let seq = db.one(
        "SELECT seq FROM messages WHERE id = ?1 AND conversation = ?2",
        (int(target.0), int(view.conversation.0)),
        |row| rows::seq(row, 0),
    )?;
    match seq {
        Some(seq) if view.sight(db)?.sees(seq) => Ok(()),
        _ => Err(Error::not_found().into()),
    }
}

fn edit(tx: &mut Tx<'_>, context: &Context, id: MessageId, text: &Arc<str>) -> Step<Appended> {
    let (mut view, mut message) = visible(tx.db, &context.actor, id)?;
    let Some(content) = message.content.take() else {
        return Err(Error::not_found().into());
    };
    view.allow(Action::Edit { own: message.sender.id == context.actor.user })?;
    if content.text == *text {
        message.content = Some(content);
        return Ok(Appended {
            message: Arc::new(message),
            epoch: view.head.epoch,
            duplicate: true,
        });
    }
    tx.db.run(
        "INSERT INTO revisions (message, seq, text, at) VALUES (?1, ?2, ?3, ?4)",
        (
            int(id.0),
            int(message.change_seq.0),
            &content.text,
            message.edited_at.unwrap_or(message.created_at),
        ),
    )?;
    let (seq, at) = view.next_change(tx, context.now)?;
    tx.db.run(
        "UPDATE messages SET text = ?2, change_seq = ?3, edited_at = ?4 WHERE id = ?1",
        (int(id.0), text, int(seq.0), at),
    )?;
    // The old text may still lie in the WAL; it is not secret before the message is deleted.
    message.content = Some(Content { text: text.clone(), metadata: content.metadata });
    message.change_seq = seq;
    message.edited_at = Some(at);
    let message = Arc::new(message);
    let edited = Event::MessageEdited(message.clone());
    tx.publish(view.envelope(Some(seq), at, context.origin, edited));
    Ok(Appended { message, epoch: view.head.epoch, duplicate: false })
}

fn delete(tx: &mut Tx<'_>, context: &Context, id: MessageId) -> Step<Appended> {
    let (mut view, mut message) = visible(tx.db, &context.actor, id)?;
    view.allow(Action::Delete { own: message.sender.id == context.actor.user })?;
    if message.deleted_at.is_some() {
        return Ok(Appended {
            message: Arc::new(message),
            epoch: view.head.epoch,
            duplicate: true,
        });
    }
    let (seq, at) = view.next_change(tx, context.now)?;
    tx.db.run("DELETE FROM revisions WHERE message = ?1", [int(id.0)])?;
    tx.db.run(
        "UPDATE messages SET text = NULL, metadata = NULL, change_seq = ?2, deleted_at = ?3 WHERE id = ?1",
        (int(id.0), int(seq.0), at),
    )?;
    tx.note_erasure();
    message.content = None;
    message.change_seq = seq;
    message.deleted_at = Some(at);
    let message = Arc::new(message);
    let deleted = Event::MessageDeleted(message.clone());
    tx.publish(view.envelope(Some(seq), at, context.origin, deleted));
    Ok(Appended { message, epoch: view.head.epoch, duplicate: false })
}
