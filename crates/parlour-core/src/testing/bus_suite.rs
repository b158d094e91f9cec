//! What every bus must do: written once against the trait, run by every implementation.
//!
//! An implementation's test names the cases with [`crate::bus_cases`] and gives each a fresh [`Rig`]:
//!
//! ```ignore
//! macro_rules! cases {
//!     ($($case:ident),* $(,)?) => {$(
//!         #[tokio::test]
//!         async fn $case() {
//!             bus_suite::$case(&MyRig::new().await).await;
//!         }
//!     )*};
//! }
//! parlour_core::bus_cases!(cases);
//! ```

#![expect(clippy::panic, reason = "a test that cannot go on stops there")]

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::{
    ConversationId, NodeId, Seq,
    event::PresenceStatus,
    port::{
        BoxFuture,
        bus::{Bus, BusListener, BusMessage, Hint, Seen, Topic},
    },
    testing::user,
};

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(30);

/// Calls a macro with the name of every case of the suite.
#[macro_export]
macro_rules! bus_cases {
    ($with:ident) => {
        $with! {
            g4_what_one_says_is_heard_in_order,
            every_hint_arrives_as_it_was_said,
            nobody_hears_himself,
            g5_what_is_said_after_listening_is_heard,
            only_those_who_listen_hear,
            topics_are_counted,
            everyone_and_a_process_are_always_heard,
            large_hints_arrive_whole,
            g8_whoever_may_have_missed_something_is_told,
        }
    };
}

/// A bus under test: processes join it, and it can be broken.
pub trait Rig: Sync {
    /// A process more. It hears the others from when the future ends.
    fn join(&self, listener: Arc<dyn BusListener>) -> BoxFuture<'_, (NodeId, Arc<dyn Bus>)>;

    /// Whether a bus tells these topics apart, so that who listens to one does not hear the other.
    fn tells_apart(&self, a: &Topic, b: &Topic) -> bool;

    /// Lets nothing through for a moment, so that everybody may have missed something; ends when all is well again.
    fn interrupt(&self) -> BoxFuture<'_, ()>;

    /// Lets a moment pass (some milliseconds) in which others can work.
    fn pause(&self) -> BoxFuture<'_, ()>;
}

/// What a listener has heard.
#[derive(Default)]
struct Heard {
    hints: Vec<(NodeId, Hint)>,
    lagged: usize,
}

/// A listener that remembers.
#[derive(Default)]
pub struct Ear(Mutex<Heard>);

impl Ear {
    fn lock(&self) -> MutexGuard<'_, Heard> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The hints so far, in the order of their coming.
    #[must_use]
    pub fn hints(&self) -> Vec<Hint> {
        self.lock().hints.iter().map(|(_, hint)| hint.clone()).collect()
    }

    /// Who has spoken so far.
    #[must_use]
    pub fn speakers(&self) -> HashSet<NodeId> {
        self.lock().hints.iter().map(|(from, _)| *from).collect()
    }

    /// How often it was told that something may be missing.
    #[must_use]
    pub fn lagged(&self) -> usize {
        self.lock().lagged
    }
}

impl BusListener for Ear {
    fn received(&self, from: NodeId, hint: Hint) {
        self.lock().hints.push((from, hint));
    }

    fn lagged(&self) {
        self.lock().lagged += 1;
    }
}

struct Process {
    id: NodeId,
    bus: Arc<dyn Bus>,
    ear: Arc<Ear>,
}

async fn join(rig: &dyn Rig) -> Process {
    let ear = Arc::new(Ear::default());
    let (id, bus) = rig.join(ear.clone()).await;
    Process { id, bus, ear }
}

impl Process {
    fn say(&self, topic: &Topic, hint: Hint) {
        let message = BusMessage { topic: topic.clone(), hint };
        if let Err(error) = self.bus.publish(vec![message]) {
            panic!("{error:?}");
        }
    }

    async fn hears(&self, rig: &dyn Rig, hint: &Hint) {
        until(rig, &format!("{hint:?}"), || self.ear.hints().contains(hint)).await;
    }
}

/// Waits for something.
async fn until(rig: &dyn Rig, what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain for: {what}");
        rig.pause().await;
    }
}

fn conversation(id: u64) -> Topic {
    Topic::Conversation(ConversationId(id))
}

fn head(seq: u64) -> Hint {
    Hint::Head { conversation: ConversationId(1), seq: Seq(seq) }
}

/// Conversation 1 is the subject; this one is not heard by who listens to it.
fn another(rig: &dyn Rig) -> Topic {
    let mut others = (2..10_000).map(conversation);
    match others.find(|other| rig.tells_apart(&conversation(1), other)) {
        Some(other) => other,
        None => panic!("the bus tells nothing apart"),
    }
}

/// What one process says about one topic arrives in its order, in one call or in many.
pub async fn g4_what_one_says_is_heard_in_order(rig: &dyn Rig) {
    let (a, b) = (join(rig).await, join(rig).await);
    let topic = conversation(1);
    b.bus.listen(vec![topic.clone()]).await;
    for seq in 0..500 {
        a.say(&topic, head(seq));
        if seq % 50 == 0 {
            rig.pause().await;
        }
    }
    let many = (500..1_000).map(|seq| BusMessage { topic: topic.clone(), hint: head(seq) });
    assert!(a.bus.publish(many.collect()).is_ok());
    until(rig, "a thousand hints", || b.ear.hints().len() >= 1_000).await;
    assert_eq!(b.ear.hints(), (0..1_000).map(head).collect::<Vec<_>>());
    assert_eq!(b.ear.speakers(), HashSet::from([a.id]));
}

/// One hint of each kind, with the odd values that are allowed.
#[must_use]
pub fn every_hint() -> Vec<Hint> {
    let conversation = ConversationId(crate::ids::MAX_INTEGER);
    let seen = |status, last_seen| Seen {
        user: user("Grüße/42 🦀"),
        status,
        last_seen,
        conversations: vec![ConversationId(1), conversation],
    };
    let typing = |active| Hint::Typing {
        conversation,
        user: user("2"),
        active,
        life: Duration::from_millis(5_500),
    };
    vec![
        Hint::Head { conversation, seq: Seq(1) },
        Hint::Receipts { conversation, version: 7 },
        Hint::User(user("a b")),
        typing(true),
        typing(false),
        Hint::Presence(vec![
            seen(PresenceStatus::Offline, 1_767_225_600_000),
            seen(PresenceStatus::Away, 0),
            Seen { conversations: vec![], ..seen(PresenceStatus::Online, 0) },
        ]),
        Hint::WhoIsThere(vec![ConversationId(0), conversation]),
        Hint::Alive,
        Hint::Leaving,
        Hint::Channel([].into()),
        Hint::Channel([0, 10, 13, 0xff, 0xfe].into()),
    ]
}

/// Nothing is changed on the way.
pub async fn every_hint_arrives_as_it_was_said(rig: &dyn Rig) {
    let (a, b) = (join(rig).await, join(rig).await);
    let topic = Topic::Channel { app: "1".into(), channel: "private-x".into() };
    b.bus.listen(vec![topic.clone()]).await;
    let hints = every_hint();
    for hint in &hints {
        a.say(&topic, hint.clone());
    }
    until(rig, "every hint", || b.ear.hints().len() >= hints.len()).await;
    assert_eq!(b.ear.hints(), hints);
}

/// A process does not hear what it says, also where it listens.
pub async fn nobody_hears_himself(rig: &dyn Rig) {
    let (a, b) = (join(rig).await, join(rig).await);
    let topic = Topic::User(user("1"));
    a.bus.listen(vec![topic.clone()]).await;
    b.bus.listen(vec![topic.clone()]).await;
    a.say(&topic, head(1));
    a.say(&Topic::Node(a.id), head(2));
    b.hears(rig, &head(1)).await;
    // What came to itself would have come before the answer.
    b.say(&topic, head(3));
    a.hears(rig, &head(3)).await;
    assert_eq!(a.ear.hints(), [head(3)]);
}

/// As soon as `listen` has ended, nothing is missed.
pub async fn g5_what_is_said_after_listening_is_heard(rig: &dyn Rig) {
    let (a, b) = (join(rig).await, join(rig).await);
    for id in 1..=100 {
        b.bus.listen(vec![conversation(id)]).await;
        let hint = Hint::Receipts { conversation: ConversationId(id), version: id };
        a.say(&conversation(id), hint);
    }
    until(rig, "a hundred hints", || b.ear.hints().len() >= 100).await;
    assert_eq!(b.ear.lagged(), 0, "nothing was to be missed");
}

/// Who does not listen to a topic hears nothing of it, nor who does not listen any more.
pub async fn only_those_who_listen_hear(rig: &dyn Rig) {
    let (a, b) = (join(rig).await, join(rig).await);
    let (one, other) = (conversation(1), another(rig));
    b.bus.listen(vec![one.clone()]).await;
    a.say(&other, head(100));
    a.say(&one, head(1));
    b.hears(rig, &head(1)).await;
    b.bus.listen(vec![other.clone()]).await;
    b.bus.ignore(std::slice::from_ref(&one));
    // Ignoring takes effect some time; then nothing of it comes any more.
    let deadline = Instant::now() + PATIENCE;
    for round in 1_000.. {
        assert!(Instant::now() < deadline, "what is ignored is heard for ever");
        a.say(&one, head(round));
        a.say(&other, Hint::Receipts { conversation: ConversationId(1), version: round });
        let marker = Hint::Receipts { conversation: ConversationId(1), version: round };
        b.hears(rig, &marker).await;
        if !b.ear.hints().contains(&head(round)) {
            break;
        }
    }
    assert!(!b.ear.hints().contains(&head(100)), "it did not listen to that");
}

/// A topic that was listened to twice is heard until it was ignored twice.
pub async fn topics_are_counted(rig: &dyn Rig) {
    let (a, b) = (join(rig).await, join(rig).await);
    let (one, other) = (conversation(1), another(rig));
    b.bus.listen(vec![one.clone(), other.clone(), one.clone()]).await;
    b.bus.ignore(std::slice::from_ref(&one));
    // Whatever ignoring has done is done when this is answered.
    b.bus.listen(vec![Topic::User(user("1"))]).await;
    for seq in 1..=50 {
        a.say(&one, head(seq));
        rig.pause().await;
    }
    until(rig, "fifty hints", || b.ear.hints().len() >= 50).await;
}

/// Nobody has to listen to what concerns all, or himself.
pub async fn everyone_and_a_process_are_always_heard(rig: &dyn Rig) {
    let (a, b, c) = (join(rig).await, join(rig).await, join(rig).await);
    a.say(&Topic::Everyone, Hint::Alive);
    a.say(&Topic::Node(b.id), head(2));
    for process in [&b, &c] {
        process.hears(rig, &Hint::Alive).await;
    }
    b.hears(rig, &head(2)).await;
    a.say(&Topic::Node(c.id), head(3));
    c.hears(rig, &head(3)).await;
    assert!(!c.ear.hints().contains(&head(2)), "that was for another");
}

/// However many people are there, and however much an application says.
pub async fn large_hints_arrive_whole(rig: &dyn Rig) {
    let (a, b) = (join(rig).await, join(rig).await);
    let conversations: Vec<_> = (1..=3_000).map(ConversationId).collect();
    let seen = |number: u64| Seen {
        user: user(&format!("user-{number}")),
        status: PresenceStatus::Online,
        last_seen: 0,
        conversations: conversations
            .iter()
            .copied()
            .take(if number == 7 { 3_000 } else { 3 })
            .collect(),
    };
    let payload: Arc<[u8]> = (0..900_000_u32).map(|byte| (byte % 251) as u8).collect();
    a.say(&Topic::Everyone, Hint::Presence((0..2_000).map(seen).collect()));
    a.say(&Topic::Everyone, Hint::WhoIsThere(conversations.clone()));
    a.say(&Topic::Everyone, Hint::Channel(payload.clone()));
    b.hears(rig, &Hint::Channel(payload)).await;
    let (mut pairs, mut asked) = (HashSet::new(), Vec::new());
    for hint in b.ear.hints() {
        match hint {
            Hint::Presence(seen) => pairs.extend(seen.into_iter().flat_map(|seen| {
                seen.conversations.into_iter().map(move |id| (seen.user.clone(), id))
            })),
            Hint::WhoIsThere(some) => asked.extend(some),
            _ => {}
        }
    }
    assert_eq!(pairs.len(), 1_999 * 3 + 3_000);
    assert_eq!(asked, conversations);
}

/// After an interruption everybody who listens is told, and hears again.
pub async fn g8_whoever_may_have_missed_something_is_told(rig: &dyn Rig) {
    let (a, b) = (join(rig).await, join(rig).await);
    let topic = conversation(1);
    b.bus.listen(vec![topic.clone()]).await;
    a.say(&topic, head(1));
    b.hears(rig, &head(1)).await;
    let before = [a.ear.lagged(), b.ear.lagged()];
    rig.interrupt().await;
    until(rig, "word of what was missed", || {
        a.ear.lagged() > before[0] && b.ear.lagged() > before[1]
    })
    .await;
    until(rig, "health", || a.bus.is_healthy() && b.bus.is_healthy()).await;
    a.say(&topic, head(2));
    b.hears(rig, &head(2)).await;
}
