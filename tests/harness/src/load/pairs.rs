//! Pairs of people: one writes, the other reads. Every message is checked for loss, doubling and order.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until, timeout},
};

use super::{
    Latencies, Watch,
    wire::{Frame, Reader, Writer, digits, find, number_after, open},
};
use crate::{process::Server, token};

/// How long the last messages may take to be answered and to arrive.
const PATIENCE: Duration = Duration::from_secs(60);

/// How sends follow each other.
#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// Each sender has so many sends without an answer at any time.
    Closed(usize),
    /// So many sends a second of all senders together, whatever the answers.
    Fixed(u64),
}

/// What one run showed.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    /// What ran.
    pub name: String,
    /// Messages acknowledged and received.
    pub messages: usize,
    /// Of them a second, while sends were made.
    pub per_second: f64,
    /// From send to acknowledgement, milliseconds: p50, p99, highest.
    pub ack: Vec<f64>,
    /// From send to reception, milliseconds: p50, p99, highest.
    pub receive: Vec<f64>,
    /// Sends that were refused.
    pub refused: u64,
    /// The server's processor time for a thousand messages, milliseconds.
    pub server_cpu_per_1000: f64,
    /// The server's share of its core.
    pub server_core: f64,
}

/// Two people with a direct conversation, both connected.
#[derive(Debug)]
struct Pair {
    conversation: u64,
    sender: (Reader, Writer),
    receiver: (Reader, Writer),
}

/// Pairs that are connected to a server.
#[derive(Debug)]
pub struct Pairs {
    pairs: Vec<Pair>,
    /// Messages sent so far in each pair.
    sent: u64,
}

impl Pairs {
    /// Makes the conversations and connects both sides of each.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn connect(server: &Server, count: usize) -> Result<Self> {
        Self::connect_over(&[server], count).await
    }

    /// The same over several processes: the two of a pair are at neighbours.
    ///
    /// # Errors
    /// When a server refuses.
    pub async fn connect_over(servers: &[&Server], count: usize) -> Result<Self> {
        let mut pairs = Vec::new();
        for number in 0..count {
            let (from, to) = (format!("from-{number}"), format!("to-{number}"));
            let at =
                |number: usize| servers.get(number % servers.len().max(1)).context("no server");
            let (one, other) = (at(number)?, at(number + 1)?);
            let conversation = one.rest(&from)?.create_conversation("direct", &[&to]).await?;
            let sender = join(one.address(), &from).await?;
            let receiver = join(other.address(), &to).await?;
            pairs.push(Pair { conversation, sender, receiver });
        }
        Ok(Self { pairs, sent: 0 })
    }

    /// Sends for a time, waits until everything is answered and received, and gives the figures.
    ///
    /// # Errors
    /// When a message is lost, doubled or out of order, or a connection ends.
    pub async fn run(
        &mut self,
        server: &Server,
        name: &str,
        pace: Pace,
        time: Duration,
    ) -> Result<Figures> {
        self.run_over(&[server], name, pace, time).await
    }

    /// The same over several processes, whose processor time is summed up.
    ///
    /// # Errors
    /// See [`Self::run`].
    pub async fn run_over(
        &mut self,
        servers: &[&Server],
        name: &str,
        pace: Pace,
        time: Duration,
    ) -> Result<Figures> {
        let used = || servers.iter().map(|server| server.cpu_seconds()).sum::<Result<f64>>();
        let watch = Watch::start();
        let cpu = used()?;
        let count = self.pairs.len() as u64;
        let mut tasks: JoinSet<Result<(Pair, Sent, Latencies)>> = JoinSet::new();
        for (number, pair) in std::mem::take(&mut self.pairs).into_iter().enumerate() {
            let first = self.sent;
            tasks.spawn(one(pair, number as u64, count, first, pace, watch, time));
        }
        let (mut ack, mut receive, mut refused, mut highest) =
            (Latencies::default(), Latencies::default(), 0, 0);
        let mut last = 0;
        while let Some(done) = tasks.join_next().await {
            let (pair, sent, received) = done??;
            ack.merge(&sent.latencies);
            receive.merge(&received);
            refused += sent.refused;
            highest = highest.max(sent.next);
            last = last.max(sent.last_answer);
            self.pairs.push(pair);
        }
        self.sent = highest;
        let messages = ack.count();
        ensure!(
            messages == receive.count(),
            "{messages} acknowledged, {} received",
            receive.count()
        );
        let used = used()? - cpu;
        let seconds = last as f64 / 1e6;
        Ok(Figures {
            name: name.into(),
            messages,
            per_second: messages as f64 / seconds,
            ack: ack.per_mille(&[500, 990, 1_000]),
            receive: receive.per_mille(&[500, 990, 1_000]),
            refused,
            server_cpu_per_1000: used * 1e6 / messages as f64,
            server_core: used / seconds,
        })
    }
}

/// What a sender has done.
struct Sent {
    next: u64,
    refused: u64,
    last_answer: u64,
    latencies: Latencies,
}

async fn one(
    pair: Pair,
    number: u64,
    count: u64,
    first: u64,
    pace: Pace,
    watch: Watch,
    time: Duration,
) -> Result<(Pair, Sent, Latencies)> {
    let Pair { conversation, sender, receiver } = pair;
    // What the receiver must have got: told when the sender is done.
    let due = Arc::new(AtomicU64::new(u64::MAX));
    let sending = async {
        let (mut reader, mut writer) = sender;
        let plan = Plan { conversation, first, pace, watch, time, number, count };
        let sent = send(&mut reader, &mut writer, &plan).await?;
        due.store(sent.latencies.count() as u64, Relaxed);
        // One more message, that tells the receiver to look: it cannot know by itself that it has all.
        let end = format!(
            r#"{{"type":"message.send","id":{},"conversation_id":{conversation},"content":"load end"}}"#,
            sent.next + 1
        );
        writer.text(end.as_bytes()).await?;
        let told = timeout(PATIENCE, answer(&mut reader, &mut writer)).await??;
        ensure!(find(&told, b"\"ok\"").is_some(), "the end was refused");
        anyhow::Ok(((reader, writer), sent))
    };
    let receiving = async {
        let (mut reader, mut writer) = receiver;
        let latencies = receive(&mut reader, &mut writer, first, watch, &due).await?;
        anyhow::Ok(((reader, writer), latencies))
    };
    let ((sender, sent), (receiver, received)) = tokio::try_join!(sending, receiving)?;
    Ok((Pair { conversation, sender, receiver }, sent, received))
}

struct Plan {
    conversation: u64,
    first: u64,
    pace: Pace,
    watch: Watch,
    time: Duration,
    number: u64,
    count: u64,
}

async fn send(reader: &mut Reader, writer: &mut Writer, plan: &Plan) -> Result<Sent> {
    let mut sent =
        Sent { next: plan.first, refused: 0, last_answer: 0, latencies: Latencies::default() };
    let mut open: VecDeque<(u64, u64)> = VecDeque::new();
    let mut last = 0;
    let begun = Instant::now();
    let (window, interval) = match plan.pace {
        Pace::Closed(window) => (window, Duration::ZERO),
        Pace::Fixed(rate) => (usize::MAX, Duration::from_secs_f64(plan.count as f64 / rate as f64)),
    };
    // Senders are spread over the interval.
    let mut due = begun + interval.mul_f64(plan.number as f64 / plan.count as f64);
    let end = begun + plan.time;
    loop {
        let now = Instant::now();
        let may_send = now < end && open.len() < window;
        if may_send && due <= now {
            let (id, at) = (sent.next + 1, plan.watch.micros());
            let frame = format!(
                r#"{{"type":"message.send","id":{id},"conversation_id":{},"client_id":"c{id}","content":"load {} {at} 0123456789012345678901234567890123456789"}}"#,
                plan.conversation, sent.next,
            );
            writer.text(frame.as_bytes()).await?;
            open.push_back((id, at));
            sent.next += 1;
            due += interval;
            continue;
        }
        if now >= end && open.is_empty() {
            return Ok(sent);
        }
        let wait = if may_send { due } else { now + PATIENCE };
        tokio::select! {
            frame = reader.next() => match frame? {
                Frame::Ping(payload) => writer.pong(&payload).await?,
                Frame::Text(text) if text.starts_with(br#"{"type":"reply""#) => {
                    let now = plan.watch.micros();
                    let id = number_after(&text, b"\"id\":").context("an answer without number")?;
                    // Refusals overtake: what is too much is told at once.
                    let place = open.iter().position(|(asked, _)| *asked == id);
                    let (_, at) = place
                        .and_then(|place| open.remove(place))
                        .with_context(|| format!("the answer to {id} answers nothing"))?;
                    if find(&text, b"\"ok\"").is_some() {
                        ensure!(id > last, "the answer to {id} came after that to {last}");
                        last = id;
                        sent.latencies.add(at, now);
                        sent.last_answer = now;
                    } else {
                        sent.refused += 1;
                    }
                }
                Frame::Text(_) | Frame::Pong => {}
            },
            () = sleep_until(wait) => ensure!(may_send, "no answer within {PATIENCE:?}"),
        }
    }
}

async fn receive(
    reader: &mut Reader,
    writer: &mut Writer,
    first: u64,
    watch: Watch,
    due: &AtomicU64,
) -> Result<Latencies> {
    let mut latencies = Latencies::default();
    let mut expected = first;
    loop {
        let text = timeout(PATIENCE, reader.text(writer))
            .await
            .context("nothing is received any more")??;
        if find(&text, b"\"content\":\"load end\"").is_some() {
            let (got, due) = (latencies.count() as u64, due.load(Relaxed));
            ensure!(got == due, "{due} messages were acknowledged, {got} received");
            return Ok(latencies);
        }
        let Some(at) = find(&text, b"\"content\":\"load ") else { continue };
        let content = text.get(at..).unwrap_or_default();
        let number = number_after(content, b"load ").context("a message without number")?;
        // Refused ones leave gaps; the count at the end tells whether one was lost.
        ensure!(number >= expected, "message {number} came after {expected}");
        expected = number + 1;
        let words: Vec<&[u8]> = content.splitn(4, |byte| *byte == b' ').collect();
        let sent = words.get(2).map(|word| digits(word)).context("a message without time")?;
        latencies.add(sent, watch.micros());
    }
}

/// The next answer.
pub(super) async fn answer(reader: &mut Reader, writer: &mut Writer) -> Result<bytes::BytesMut> {
    loop {
        let text = reader.text(writer).await?;
        if text.starts_with(br#"{"type":"reply""#) {
            return Ok(text);
        }
    }
}

/// Connects, and resumes from nothing.
///
/// # Errors
/// When the server refuses.
pub async fn join(address: SocketAddr, user: &str) -> Result<(Reader, Writer)> {
    let (mut reader, mut writer) = open(address, &token::for_user(user)?).await?;
    let hello = timeout(PATIENCE, reader.text(&mut writer)).await??;
    ensure!(find(&hello, b"\"hello\"").is_some(), "the first frame is no hello");
    writer.text(br#"{"type":"resume","id":1,"positions":[]}"#).await?;
    timeout(PATIENCE, answer(&mut reader, &mut writer)).await??;
    Ok((reader, writer))
}
