//! Many people who mostly say nothing: memory for each, and how quickly all are back after a cut.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::{sync::Semaphore, task::JoinSet, time::timeout};

use super::{
    Watch,
    pairs::answer,
    wire::{Reader, Writer, find, open},
};
use crate::{process::Server, token};

/// Handshakes that are on their way at once.
const AT_ONCE: usize = 256;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a crowd showed.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Figures {
    /// Connections.
    pub connections: usize,
    /// Resident memory of the server before the first of them, KiB.
    pub before_kib: u64,
    /// With all of them idle, KiB.
    pub idle_kib: u64,
    /// The difference for each, KiB.
    pub each_kib: f64,
    /// Each, after every one of them has said and heard something, KiB.
    pub each_after_traffic_kib: f64,
    /// Until all were connected and had resumed at first, seconds.
    pub connect_seconds: f64,
    /// Until all were back with what they had missed, seconds.
    pub reconnect_seconds: f64,
    /// The server's processor time for each that came back, milliseconds.
    pub reconnect_cpu_ms: f64,
    /// Each, when all were back, KiB.
    pub each_after_reconnect_kib: f64,
}

/// One of the crowd.
struct Guest {
    user: String,
    token: String,
    conversation: u64,
    position: Option<Value>,
    socket: Option<(Reader, Writer)>,
}

/// Connects `count` people (each shares a direct conversation with one other), lets them talk, cuts them all, and
/// lets them all come back.
///
/// # Errors
/// When the server refuses one of them, or one misses something.
pub async fn run(server: &Server, count: usize) -> Result<Figures> {
    let mut guests = invite(server, count).await?;
    let mut figures =
        Figures { connections: count, before_kib: settled(server).await?, ..Figures::default() };

    let watch = Watch::start();
    guests = connect(server.address(), guests).await?;
    figures.connect_seconds = watch.elapsed().as_secs_f64();
    figures.idle_kib = settled(server).await?;
    let each = |kib: u64| (kib.saturating_sub(figures.before_kib)) as f64 / count as f64;
    figures.each_kib = each(figures.idle_kib);

    talk(&mut guests).await?;
    figures.each_after_traffic_kib = each(settled(server).await?);

    for guest in &mut guests {
        guest.socket = None;
    }
    let (watch, cpu) = (Watch::start(), server.cpu_seconds()?);
    guests = connect(server.address(), guests).await?;
    figures.reconnect_seconds = watch.elapsed().as_secs_f64();
    figures.reconnect_cpu_ms = (server.cpu_seconds()? - cpu) * 1e3 / count as f64;
    figures.each_after_reconnect_kib = each(settled(server).await?);
    ensure!(guests.iter().all(|guest| guest.socket.is_some()), "somebody is missing");
    Ok(figures)
}

async fn invite(server: &Server, count: usize) -> Result<Vec<Guest>> {
    let mut guests = Vec::new();
    for number in 0..count / 2 {
        let (one, other) = (format!("guest-{}", 2 * number), format!("guest-{}", 2 * number + 1));
        let conversation = server.rest(&one)?.create_conversation("direct", &[&other]).await?;
        for user in [one, other] {
            let token = token::for_user(&user)?;
            guests.push(Guest { user, token, conversation, position: None, socket: None });
        }
    }
    Ok(guests)
}

async fn connect(address: SocketAddr, guests: Vec<Guest>) -> Result<Vec<Guest>> {
    let doors = Arc::new(Semaphore::new(AT_ONCE));
    let mut coming = JoinSet::new();
    for guest in guests {
        let doors = doors.clone();
        coming.spawn(async move {
            let _door = doors.acquire_owned().await?;
            timeout(PATIENCE, come(address, guest)).await.context("a handshake takes too long")?
        });
    }
    let mut all = Vec::new();
    while let Some(guest) = coming.join_next().await {
        all.push(guest??);
    }
    Ok(all)
}

async fn come(address: SocketAddr, mut guest: Guest) -> Result<Guest> {
    let user = guest.user.clone();
    let (mut reader, mut writer) =
        open(address, &guest.token).await.with_context(|| format!("{user} is not let in"))?;
    let hello = reader.text(&mut writer).await?;
    ensure!(find(&hello, b"\"hello\"").is_some(), "the first frame is no hello");
    let resume = json!({"type": "resume", "id": 1, "positions": guest.position.as_ref().map_or_else(Vec::new, |p| vec![p])});
    writer.text(resume.to_string().as_bytes()).await?;
    let mut covered = None;
    let reply: Value = loop {
        let text = reader.text(&mut writer).await?;
        let frame: Value = serde_json::from_slice(&text)?;
        match frame["type"].as_str() {
            Some("reply") => break frame,
            Some("replay") => covered = frame["up_to"].as_u64(),
            _ => {}
        }
    };
    let conversations = reply["ok"]["conversations"].as_array().context("no conversations")?;
    let mine = conversations.iter().find(|c| c["conversation_id"] == guest.conversation);
    let mine = mine.with_context(|| format!("{user} has lost its conversation"))?;
    if let Some(before) = guest.position.filter(|before| before["seq"] != mine["seq"]) {
        ensure!(covered == mine["seq"].as_u64(), "{user} stood at {before}, and got {covered:?}");
    }
    guest.position = Some(mine.clone());
    guest.socket = Some((reader, writer));
    Ok(guest)
}

/// Each says something, and waits until it is answered.
async fn talk(guests: &mut [Guest]) -> Result<()> {
    for round in 0..2 {
        for guest in guests.iter_mut() {
            let (_, writer) = guest.socket.as_mut().context("not connected")?;
            let frame = json!({
                "type": "message.send", "id": 10 + round, "conversation_id": guest.conversation,
                "content": format!("hello {round} from {}", guest.user),
            });
            writer.text(frame.to_string().as_bytes()).await?;
        }
        for guest in guests.iter_mut() {
            let (reader, writer) = guest.socket.as_mut().context("not connected")?;
            let told = timeout(PATIENCE, answer(reader, writer)).await??;
            ensure!(
                find(&told, b"\"ok\"").is_some(),
                "refused: {}",
                String::from_utf8_lossy(&told)
            );
        }
    }
    Ok(())
}

/// Resident memory once it has stopped changing.
async fn settled(server: &Server) -> Result<u64> {
    let mut last = server.resident_kib()?;
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let now = server.resident_kib()?;
        if now.abs_diff(last) < 64 {
            return Ok(now);
        }
        last = now;
    }
    Ok(last)
}
