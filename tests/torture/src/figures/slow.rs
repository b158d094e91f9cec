//! A large room, and a tenth of it that stops reading: do the others notice?

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context, Result, ensure};
use parking_lot::Mutex;
use parlour_harness::{
    load::{
        Latencies, Watch,
        tongue::Tongue,
        wire::{self, Frame, Reader, Writer, digits, find, open_narrow},
    },
    token,
};
use serde_json::json;
use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{interval, sleep, timeout},
};

use super::open;
use crate::cluster::Cluster;

/// Connections that are opened at once.
const AT_ONCE: usize = 64;

/// Bytes of a message, about: so a stopped reader is soon behind.
const SIZE: usize = 2_048;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long the stopped ones do not read.
const STOPPED: Duration = Duration::from_secs(40);

/// How long what waited for them may take to be read.
const REST: Duration = Duration::from_secs(10);

/// How a connection has ended that has not.
const STILL_THERE: &str = "still there";

/// What a reader of the room has measured.
type Measured = Arc<Mutex<Latencies>>;

/// Lets `members` read what one of them says `rate` times a second: for `time` all of them, then as long with `stopped`
/// of them not reading, then again with all that are left.
///
/// # Errors
/// When somebody who reads misses something.
pub async fn slow_readers(
    processes: usize,
    members: usize,
    stopped: usize,
    rate: u64,
    time: Duration,
    seed: u64,
) -> Result<String> {
    let cluster = open(processes, seed).await?;
    let (conversation, sockets) = gather(&cluster, members, stopped).await?;
    let (watch, measured) = (Watch::start(), Measured::default());
    let mut readers = JoinSet::new();
    let mut slow = Vec::new();
    let stop = Arc::new(Semaphore::new(0));
    for (number, socket) in sockets {
        let measured = measured.clone();
        if number < stopped {
            slow.push((stop.clone(), tokio::spawn(sometimes(socket, stop.clone()))));
        } else {
            readers.spawn(read(socket, watch, measured));
        }
    }
    let mut table = String::from(
        "| | messages | delivered | p50 ms | p99 ms | memory |\n| --- | ---: | ---: | ---: | ---: | --- |\n",
    );
    let mut row = |name: &str, sent: usize, memory: &str| {
        let mut all = std::mem::take(&mut *measured.lock());
        let count = all.count();
        let at = all.per_mille(&[500, 990]);
        let value = |index: usize| at.get(index).copied().unwrap_or(0.0);
        table.push_str(&format!(
            "| {name} | {sent} | {count} | {:.1} | {:.1} | {memory} |\n",
            value(0),
            value(1)
        ));
        count
    };
    let sent = talk(&cluster, conversation, watch, rate, time).await?;
    arrived(&measured, sent * (members - stopped)).await;
    row("all read", sent, &memory(&cluster)?);
    stop.add_permits(stopped);
    let sent = talk(&cluster, conversation, watch, rate, time).await?;
    let due = sent * (members - stopped);
    arrived(&measured, due).await;
    let got = row(&format!("{stopped} stopped"), sent, &memory(&cluster)?);
    let mut closed = 0;
    for (_, task) in slow {
        let end = timeout(PATIENCE, task).await.context("a stopped reader is not closed")??;
        // The code itself seldom arrives: nothing does any more.
        closed += usize::from(end != STILL_THERE);
    }
    let sent = talk(&cluster, conversation, watch, rate, time).await?;
    arrived(&measured, sent * (members - stopped)).await;
    row("those gone", sent, &memory(&cluster)?);
    readers.abort_all();
    ensure!(got == due, "{due} deliveries were due to those who read, {got} came");
    table.push_str(&format!("\n{closed} of {stopped} stopped readers were given up as too slow\n"));
    Ok(table)
}

/// Everybody in the room, with their numbers; the first `stopped` have little room for what they do not read.
async fn gather(
    cluster: &Cluster,
    members: usize,
    stopped: usize,
) -> Result<(u64, Vec<(usize, (Reader, Writer))>)> {
    let users: Vec<String> = (0..members).map(|number| format!("reader-{number}")).collect();
    let mut all: Vec<&str> = users.iter().map(String::as_str).collect();
    all.push("speaker");
    // The first one makes it, with as many as a request may name; the others are added.
    let rest = cluster.rest(0, "speaker")?;
    let (first, others) = all.split_at(all.len().min(50));
    let conversation = rest.create_conversation("group", first).await?;
    for user in others {
        let path = format!("/api/v1/conversations/{conversation}/participants");
        rest.post(&path, &json!({"user_id": user})).await?.ok()?;
    }
    let doors = cluster.addresses();
    let limit = Arc::new(Semaphore::new(AT_ONCE));
    let mut coming = JoinSet::new();
    for (number, user) in users.into_iter().enumerate() {
        let door = doors.get(number % doors.len().max(1)).copied().context("no process")?;
        let limit = limit.clone();
        coming.spawn(async move {
            let _one = limit.acquire_owned().await?;
            anyhow::Ok((number, enter(door, &user, number < stopped).await?))
        });
    }
    let mut sockets = Vec::new();
    while let Some(socket) = coming.join_next().await {
        sockets.push(socket??);
    }
    Ok((conversation, sockets))
}

async fn enter(door: SocketAddr, user: &str, narrow: bool) -> Result<(Reader, Writer)> {
    let token = token::for_user(user)?;
    let (mut reader, mut writer) = if narrow {
        open_narrow(door, "/api/v1/ws", &token).await?
    } else {
        wire::open(door, &token).await?
    };
    let resumed = Tongue::Native.resume(&mut reader, &mut writer, None);
    timeout(PATIENCE, resumed).await.context("no resume")??;
    Ok((reader, writer))
}

/// Says so much for a time, and waits until it is answered.
async fn talk(
    cluster: &Cluster,
    conversation: u64,
    watch: Watch,
    rate: u64,
    time: Duration,
) -> Result<usize> {
    let door = cluster.addresses().first().copied().context("no process")?;
    let (mut reader, mut writer) = enter(door, "speaker", false).await?;
    let padding = "x".repeat(SIZE);
    let mut beats = interval(Duration::from_micros(1_000_000 / rate.max(1)));
    let (end, mut sent, mut answered) = (watch.elapsed() + time, 0, 0);
    while watch.elapsed() < end || answered < sent {
        tokio::select! {
            _ = beats.tick(), if watch.elapsed() < end => {
                sent += 1;
                let content = format!("load {sent} {} {padding}", watch.micros());
                let frame = json!({"type": "message.send", "id": sent, "conversation_id": conversation, "content": content});
                writer.text(frame.to_string().as_bytes()).await?;
            }
            frame = reader.next() => match frame? {
                Frame::Ping(payload) => writer.pong(&payload).await?,
                Frame::Text(text) if text.starts_with(br#"{"type":"reply""#) => {
                    ensure!(find(&text, b"\"ok\"").is_some(), "refused: {}", String::from_utf8_lossy(&text));
                    answered += 1;
                }
                Frame::Text(_) | Frame::Pong => {}
            },
        }
    }
    Ok(sent)
}

/// Waits until so much has come, or nothing comes any more.
async fn arrived(measured: &Measured, due: usize) {
    let come = async {
        while measured.lock().count() < due {
            sleep(Duration::from_millis(10)).await;
        }
    };
    // What is missing then, the caller notices.
    let _late = timeout(PATIENCE, come).await;
}

async fn read(socket: (Reader, Writer), watch: Watch, measured: Measured) -> Result<()> {
    let (mut reader, mut writer) = socket;
    loop {
        let text = reader.text(&mut writer).await?;
        if let Some(at) = said(&text) {
            measured.lock().add(at, watch.micros());
        }
    }
}

/// Reads until it is told to stop, waits until it must have been given up, and tells how its connection ended.
async fn sometimes(socket: (Reader, Writer), stop: Arc<Semaphore>) -> String {
    let (mut reader, mut writer) = socket;
    loop {
        tokio::select! {
            text = reader.text(&mut writer) => if let Err(error) = text {
                return format!("{error:#}");
            },
            permit = stop.acquire() => {
                if let Ok(permit) = permit {
                    permit.forget();
                }
                break;
            }
        }
    }
    sleep(STOPPED).await;
    // What waited is read, up to the end of the connection, if it has one.
    let rest = async {
        loop {
            if let Err(error) = reader.text(&mut writer).await {
                return format!("{error:#}");
            }
        }
    };
    timeout(REST, rest).await.unwrap_or_else(|_| STILL_THERE.into())
}

/// When a message of the run was said, in microseconds of the run.
fn said(text: &[u8]) -> Option<u64> {
    let at = find(text, b"\"content\":\"load ")?;
    text.get(at..)?.splitn(4, |byte| *byte == b' ').nth(2).map(digits)
}

fn memory(cluster: &Cluster) -> Result<String> {
    let mut all = Vec::new();
    for node in &cluster.nodes {
        all.push(format!("{} MiB", node.server.resident_kib()? / 1024));
    }
    Ok(all.join(", "))
}
