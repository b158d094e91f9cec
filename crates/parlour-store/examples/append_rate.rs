//! Durable appends a second: `cargo run --release -p parlour-store --example append_rate [PLACE] [SECONDS]`.
//!
//! Senders wait for each answer before they send again, as clients do; they share ten conversations. PLACE is the
//! folder for a database of SQLite (default: the current one), which decides what a flush costs, or the address of a
//! database for trying on a PostgreSQL server, `postgres://…`, which is written to.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement that cannot go on stops, and prints what it has found"
)]

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use parlour_core::{
    ClientId, UserId,
    command::{Actor, NewConversation, SendMessage},
    event::Envelope,
    model::{ConversationKind, MessageKind},
    port::store::{CommitSink, Context},
};
use parlour_store::OpenOptions;
use tokio::task::JoinSet;

const CONVERSATIONS: usize = 10;

struct Nobody;

impl CommitSink for Nobody {
    fn committed(&self, _: Vec<Envelope>) {}
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let place = arguments.next().unwrap_or_else(|| ".".to_owned());
    let seconds = arguments.next().map_or(5, |seconds| seconds.parse().unwrap());
    println!(
        "| senders | steps a commit, at most | appends/s | a commit holds | p50 ms | p99 ms | CPU us each |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    for (senders, max_batch) in [(64, 256), (64, 1), (1, 256), (256, 256)] {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let run = measure(&place, senders, max_batch, Duration::from_secs(seconds));
        println!("{}", runtime.block_on(run));
    }
}

async fn measure(place: &str, senders: usize, max_batch: usize, time: Duration) -> String {
    let file = Path::new(place).join(format!("append-rate-{}.db", std::process::id()));
    let options = OpenOptions { max_batch, ..OpenOptions::default() };
    let url = match place.contains("://") {
        true => place.to_owned(),
        false => format!("sqlite://{}", file.display()),
    };
    let store = parlour_store::open(&url, options, Arc::new(Nobody)).await.unwrap();
    let people: Vec<UserId> =
        (0..senders.max(2)).map(|n| UserId::new(&n.to_string()).unwrap()).collect();
    let mut conversations = Vec::new();
    for _ in 0..CONVERSATIONS {
        let new = NewConversation {
            kind: ConversationKind::Group,
            participants: people.clone(),
            title: None,
            subject: None,
            external_id: None,
            metadata: None,
        };
        let made = store.create_conversation(context(&people[0]), new).await.unwrap();
        conversations.push(made.summary.conversation.id);
    }
    let before = store.stats();
    let (cpu, started) = (cpu_time(), Instant::now());
    let mut tasks = JoinSet::new();
    for (n, user) in people.into_iter().take(senders).enumerate() {
        let (store, conversation) = (store.clone(), conversations[n % CONVERSATIONS]);
        tasks.spawn(async move {
            let mut latencies = Vec::new();
            while started.elapsed() < time {
                let asked = Instant::now();
                let message = SendMessage {
                    conversation,
                    client_id: Some(ClientId::new(&format!("{n}-{}", latencies.len())).unwrap()),
                    text: "A message of sixty-six characters, as people write them, or longer"
                        .into(),
                    metadata: None,
                    reply_to: None,
                    kind: MessageKind::Text,
                    recipient: None,
                    subject: None,
                };
                store.append_message(context(&user), message).await.unwrap();
                latencies.push(asked.elapsed());
            }
            latencies
        });
    }
    let mut latencies: Vec<Duration> = tasks.join_all().await.into_iter().flatten().collect();
    let (elapsed, cpu) = (started.elapsed(), cpu_time().saturating_sub(cpu));
    let after = store.stats();
    store.close().await;
    for suffix in ["", ".lock"] {
        let _ = std::fs::remove_file(format!("{}{suffix}", file.display()));
    }
    latencies.sort();
    let at = |part: usize| latencies[(latencies.len() - 1) * part / 100].as_secs_f64() * 1e3;
    let (count, commits) = (latencies.len() as f64, (after.commits - before.commits) as f64);
    format!(
        "| {senders} | {max_batch} | {:.0} | {:.1} | {:.2} | {:.2} | {:.1} |",
        count / elapsed.as_secs_f64(),
        count / commits,
        at(50),
        at(99),
        cpu.as_secs_f64() * 1e6 / count,
    )
}

fn context(user: &UserId) -> Context {
    Context { actor: Actor::user(user.clone()), now: 1, origin: None, create_users: true }
}

/// CPU time of this process so far, where the system tells it in `/proc`.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> =
        stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |field: usize| {
        fields.get(field).and_then(|field| field.parse::<u64>().ok()).unwrap_or_default()
    };
    // A tick is ten milliseconds on every Linux that we know.
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}
