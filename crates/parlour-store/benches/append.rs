//! What storing messages costs on SQLite: many that are appended at once share a commit.
//!
//! The database is a temporary one, which flushes nothing: what is measured is the work, not the disk.

use std::{hint::black_box, sync::Arc};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use parlour_core::{
    ConversationId,
    command::{NewConversation, SendMessage},
    event::Envelope,
    model::{ConversationKind, MessageKind},
    port::store::{CommitSink, Context, Store},
    testing::{alice, bob, store_suite::join_all},
};
use parlour_store::OpenOptions;
use tokio::runtime::{Builder, Runtime};

/// Forgets what is committed.
struct Nobody;

impl CommitSink for Nobody {
    fn committed(&self, envelopes: Vec<Envelope>) {
        black_box(envelopes);
    }
}

fn context() -> Context {
    Context { actor: alice(), now: 1, origin: None, create_users: true }
}

async fn direct(store: &Arc<dyn Store>) -> ConversationId {
    let new = NewConversation {
        kind: ConversationKind::Direct,
        participants: vec![bob().user],
        title: None,
        subject: None,
        external_id: None,
        metadata: None,
    };
    let made = store.create_conversation(context(), new).await;
    made.map_or(ConversationId(0), |made| made.summary.conversation.id)
}

fn say(conversation: ConversationId) -> SendMessage {
    SendMessage {
        conversation,
        client_id: None,
        text: "Shall we meet at the station at half past seven, or is that too early?".into(),
        metadata: None,
        reply_to: None,
        kind: MessageKind::Text,
        recipient: None,
        subject: None,
    }
}

fn append(criterion: &mut Criterion) {
    let Some((runtime, store)) = open() else { return };
    let conversation = runtime.block_on(direct(&store));
    let mut group = criterion.benchmark_group("append");
    for count in [1_usize, 16, 256] {
        group.throughput(Throughput::Elements(count as u64));
        group.bench_with_input(BenchmarkId::from_parameter(count), &count, |bencher, count| {
            bencher.iter(|| {
                let sends = (0..*count).map(|_| store.append_message(context(), say(conversation)));
                let stored = runtime.block_on(join_all(sends));
                assert!(stored.iter().all(Result::is_ok), "not stored");
            });
        });
    }
    group.finish();
    runtime.block_on(store.close());
}

fn open() -> Option<(Runtime, Arc<dyn Store>)> {
    let runtime = Builder::new_current_thread().enable_all().build().ok()?;
    let opened = parlour_store::open("sqlite::memory:", OpenOptions::default(), Arc::new(Nobody));
    let store = runtime.block_on(opened).ok()?;
    Some((runtime, store))
}

criterion_group!(store, append);
criterion_main!(store);
