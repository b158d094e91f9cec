//! A store under test, what it has published, and the shortest way to say what people do.

use std::{
    collections::HashMap,
    future::{Future, poll_fn},
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
};

use crate::{
    ClientId, Code, ConversationId, MessageId, Result, Seq, UserId,
    command::{Actor, MarkTarget, NewConversation, SendMessage},
    event::{Envelope, Event},
    model::{ConversationKind, ConversationSummary, Message, MessageKind, Millis, Watermark},
    port::{
        clock::Clock,
        store::{Appended, CommitSink, Context, ProfileUpdate, Replay, Store},
    },
    testing::{FakeClock, alice, bob, user},
};

/// Remembers what was published, in the order of its coming.
#[derive(Default)]
pub struct Recorder {
    envelopes: Mutex<Vec<Envelope>>,
}

impl Recorder {
    /// Everything so far.
    #[must_use]
    pub fn all(&self) -> Vec<Envelope> {
        self.lock().clone()
    }

    /// How many so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether nothing was published yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// What came after the first `count`.
    #[must_use]
    pub fn since(&self, count: usize) -> Vec<Envelope> {
        self.lock().iter().skip(count).cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Envelope>> {
        self.envelopes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CommitSink for Recorder {
    fn committed(&self, envelopes: Vec<Envelope>) {
        assert!(!envelopes.is_empty(), "nothing was published");
        self.lock().extend(envelopes);
    }
}

/// A store with nothing in it but alice, bob and mallory, what it publishes, and a clock.
pub struct Bench {
    /// The store under test.
    pub store: Arc<dyn Store>,
    /// What it has published.
    pub sink: Arc<Recorder>,
    /// The time that contexts carry.
    pub clock: FakeClock,
    /// Something came into logs that was not published.
    pub(super) imported: AtomicBool,
}

impl Bench {
    /// Around the store that `open` makes for a sink.
    pub async fn new(open: impl AsyncFnOnce(Arc<dyn CommitSink>) -> Arc<dyn Store>) -> Self {
        let sink = Arc::new(Recorder::default());
        Self {
            store: open(sink.clone()).await,
            sink,
            clock: FakeClock::default(),
            imported: AtomicBool::new(false),
        }
    }

    /// What holds after every case: Changes were published in order without a hole, receipts too, and the log
    /// holds what was published. After an import it holds more.
    pub async fn finish(&self) {
        if self.imported.load(Ordering::Relaxed) {
            return;
        }
        let mut seqs: HashMap<ConversationId, u64> = HashMap::new();
        let mut versions: HashMap<ConversationId, u64> = HashMap::new();
        for envelope in self.sink.all() {
            let id = envelope.conversation.expect("a store publishes what is in a conversation");
            if let Some(seq) = envelope.seq {
                let last = seqs.entry(id).or_default();
                *last += 1;
                assert_eq!(seq, Seq(*last), "published out of order in {id}");
            }
            if let Event::Receipt { from, to, version, ref covered, .. } = envelope.event {
                let last = versions.entry(id).or_default();
                *last += 1;
                assert_eq!(version, *last, "a receipt out of order in {id}");
                assert!(to != from && to.read >= from.read && to.delivered >= from.delivered);
                assert!(to.read <= to.delivered);
                assert!(covered.is_empty() || to.read > from.read, "nothing was read in {id}");
                assert!(covered.windows(2).all(|pair| pair[0].message < pair[1].message));
            }
        }
        for (id, last) in seqs {
            // A closed store has no more to say.
            let Ok(heads) = self.store.heads(vec![id]).await else { return };
            assert_eq!(heads.first().map(|head| head.last_seq), Some(Seq(last)), "head of {id}");
        }
    }

    /// The wall clock.
    pub fn now(&self) -> Millis {
        self.clock.now()
    }

    /// What a writing step of this actor carries; unknown users are made.
    pub fn context(&self, actor: &Actor) -> Context {
        Context { actor: actor.clone(), now: self.now(), origin: None, create_users: true }
    }

    /// A user with that name.
    pub async fn name(&self, id: &UserId, name: &str) {
        let update = ProfileUpdate {
            id: id.clone(),
            username: None,
            name: Some(name.into()),
            email: None,
            avatar: None,
        };
        self.store.save_user(update, self.now()).await.unwrap();
    }

    /// The direct conversation of alice and bob.
    pub async fn direct(&self) -> ConversationId {
        self.direct_of(&alice(), &bob()).await
    }

    /// The direct conversation of two.
    pub async fn direct_of(&self, one: &Actor, other: &Actor) -> ConversationId {
        let new = direct_with(other.user.clone());
        let made = self.store.create_conversation(self.context(one), new).await.unwrap();
        made.summary.conversation.id
    }

    /// A group that `owner` makes with the others.
    pub async fn group(&self, owner: &Actor, others: &[&str]) -> ConversationId {
        let new = NewConversation {
            kind: ConversationKind::Group,
            participants: others.iter().map(|id| user(id)).collect(),
            title: Some("Group".into()),
            ..direct_with(owner.user.clone())
        };
        let made = self.store.create_conversation(self.context(owner), new).await.unwrap();
        made.summary.conversation.id
    }

    /// Tries to say something.
    pub async fn try_send(
        &self,
        actor: &Actor,
        conversation: ConversationId,
        text: &str,
    ) -> Result<Appended> {
        self.store.append_message(self.context(actor), say(conversation, text)).await
    }

    /// Says something.
    pub async fn send(
        &self,
        actor: &Actor,
        conversation: ConversationId,
        text: &str,
    ) -> Arc<Message> {
        self.try_send(actor, conversation, text).await.unwrap().message
    }

    /// Says something under a client id.
    pub async fn send_as(
        &self,
        actor: &Actor,
        conversation: ConversationId,
        client_id: &str,
        text: &str,
    ) -> Result<Appended> {
        let message = SendMessage { client_id: Some(client(client_id)), ..say(conversation, text) };
        self.store.append_message(self.context(actor), message).await
    }

    /// Edits.
    pub async fn edit(&self, actor: &Actor, id: MessageId, text: &str) -> Result<Appended> {
        self.store.edit_message(self.context(actor), id, text.into()).await
    }

    /// Deletes.
    pub async fn delete(&self, actor: &Actor, id: MessageId) -> Result<Appended> {
        self.store.delete_message(self.context(actor), id).await
    }

    /// Marks read up to a seq.
    pub async fn read(&self, actor: &Actor, conversation: ConversationId, seq: u64) -> Watermark {
        let up_to = MarkTarget::Seq(Seq(seq));
        self.store.mark(self.context(actor), conversation, up_to, true).await.unwrap()
    }

    /// The conversation as the actor sees it.
    pub async fn summary(&self, actor: &Actor, id: ConversationId) -> ConversationSummary {
        self.store.conversation(actor.clone(), id).await.unwrap()
    }

    /// Everything that a user missed after a seq.
    pub async fn missed(&self, viewer: &Actor, id: ConversationId, after: u64) -> Replay {
        let viewer = Some(viewer.user.clone());
        self.store.replay(viewer, id, Seq(after), Seq(u64::MAX), 1_000).await.unwrap()
    }

    /// The same, in short words: `1 created hello`.
    pub async fn missed_words(
        &self,
        viewer: &Actor,
        id: ConversationId,
        after: u64,
    ) -> Vec<String> {
        words(&self.missed(viewer, id, after).await.envelopes)
    }
}

/// A direct conversation with somebody.
pub(super) fn direct_with(other: UserId) -> NewConversation {
    NewConversation {
        kind: ConversationKind::Direct,
        participants: vec![other],
        title: None,
        subject: None,
        external_id: None,
        metadata: None,
    }
}

/// A plain message.
pub(super) fn say(conversation: ConversationId, text: &str) -> SendMessage {
    SendMessage {
        conversation,
        client_id: None,
        text: text.into(),
        metadata: None,
        reply_to: None,
        kind: MessageKind::Text,
        recipient: None,
        subject: None,
    }
}

pub(super) fn client(id: &str) -> ClientId {
    ClientId::new(id).expect("a valid client id")
}

/// The code of a refusal.
pub(super) fn code<T>(result: Result<T>) -> Option<Code> {
    result.err().map(|error| error.code)
}

/// Envelopes in short words, for comparison at a glance.
pub(super) fn words(envelopes: &[Envelope]) -> Vec<String> {
    let text = |message: &Message| {
        message.content.as_ref().map_or_else(|| "-".to_owned(), |content| content.text.to_string())
    };
    let word = |envelope: &Envelope| {
        let seq = envelope.seq.map_or(0, |seq| seq.0);
        match &envelope.event {
            Event::ConversationCreated { .. } => format!("{seq} conversation"),
            Event::MessageCreated(message) => format!("{seq} created {}", text(message)),
            Event::MessageEdited(message) => format!("{seq} edited {}", text(message)),
            Event::MessageDeleted(message) => format!("{seq} deleted {}", text(message)),
            Event::ParticipantJoined { participant, by, .. } => {
                format!("{seq} joined {} by {by}", participant.profile.id)
            }
            Event::ParticipantLeft { user, by } => format!("{seq} left {} by {by}", user.id),
            Event::RoleChanged { user, role, .. } => format!("{seq} role {user} {role:?}"),
            Event::ConversationChanged { title, state, metadata, .. } => {
                format!("{seq} changed {title:?} {state:?} {metadata:?}")
            }
            Event::Receipt { user, to, .. } => {
                format!("receipt {user} {}/{}", to.delivered, to.read)
            }
            Event::Typing { .. } | Event::Presence { .. } => "a signal".to_owned(),
        }
    };
    envelopes.iter().map(word).collect()
}

/// Drives futures side by side on the caller's task.
pub async fn join_all<T>(futures: impl IntoIterator<Item = impl Future<Output = T>>) -> Vec<T> {
    type Slot<F, T> = (Pin<Box<F>>, Option<T>);
    let mut slots: Vec<Slot<_, T>> =
        futures.into_iter().map(|future| (Box::pin(future), None)).collect();
    poll_fn(|context| {
        let mut pending = false;
        for (future, done) in &mut slots {
            if done.is_none() {
                match future.as_mut().poll(context) {
                    Poll::Ready(value) => *done = Some(value),
                    Poll::Pending => pending = true,
                }
            }
        }
        if pending { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    slots.into_iter().filter_map(|(_, done)| done).collect()
}
