//! Many people who mostly say nothing: memory for each, and how quickly all are back after a cut.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use serde_json::Value;
use tokio::{sync::Semaphore, task::JoinSet, time::timeout};

use super::{
    Watch,
    tongue::Tongue,
    wire::{Reader, Writer},
};
use crate::{process::Server, token};

/// Handshakes that are on their way at once.
const AT_ONCE: usize = 256;

/// One in so many comes before the others, so that caches are full when these are measured.
const WARM_UP: usize = 10;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a crowd showed.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Figures {
    /// What they speak.
    pub dialect: &'static str,
    /// Connections.
    pub connections: usize,
    /// Resident memory of the server before the first of them, KiB.
    pub before_kib: u64,
    /// With all of them idle, KiB.
    pub idle_kib: u64,
    /// The difference for each, KiB; but for the first tenth, whose coming fills the caches of the server.
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
    other: String,
    tongue: Tongue,
    token: String,
    conversation: u64,
    position: Option<Value>,
    socket: Option<(Reader, Writer)>,
}

/// Connects `count` people who speak one dialect (each shares a direct conversation with one other), lets them talk,
/// cuts them all, and lets them all come back.
///
/// # Errors
/// When the server refuses one of them, or one misses something.
pub async fn run(server: &Server, count: usize, tongue: Tongue) -> Result<Figures> {
    let mut guests = invite(server, count, tongue).await?;
    let before_kib = settled(server).await?;
    let dialect = tongue.name();
    let mut figures = Figures { dialect, connections: count, before_kib, ..Figures::default() };

    let watch = Watch::start();
    let mut rest = guests.split_off(count / WARM_UP);
    guests = connect(server.address(), guests).await?;
    let mut connecting = watch.elapsed();
    let (warm, warm_kib) = (guests.len(), settled(server).await?);
    let watch = Watch::start();
    rest = connect(server.address(), rest).await?;
    connecting += watch.elapsed();
    figures.connect_seconds = connecting.as_secs_f64();
    figures.idle_kib = settled(server).await?;
    figures.each_kib = figures.idle_kib.saturating_sub(warm_kib) as f64 / (count - warm) as f64;
    guests.append(&mut rest);
    // What the server holds with its caches full and nobody there.
    let empty = figures.each_kib.mul_add(-(count as f64), figures.idle_kib as f64);
    let each = |kib: u64| (kib as f64 - empty) / count as f64;

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

async fn invite(server: &Server, count: usize, tongue: Tongue) -> Result<Vec<Guest>> {
    let mut guests = Vec::new();
    for number in 0..count / 2 {
        let (one, other) = (format!("guest-{}", 2 * number), format!("guest-{}", 2 * number + 1));
        let conversation = server.rest(&one)?.create_conversation("direct", &[&other]).await?;
        for (user, other) in [(one.clone(), other.clone()), (other, one)] {
            let token = token::for_user(&user)?;
            let (position, socket) = (None, None);
            guests.push(Guest { user, other, tongue, token, conversation, position, socket });
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
    let (user, tongue) = (guest.user.clone(), guest.tongue);
    let opened = tongue.open(address, &guest.token, guest.conversation).await;
    let (mut reader, mut writer) = opened.with_context(|| format!("{user} is not let in"))?;
    let resumed = tongue.resume(&mut reader, &mut writer, guest.position.as_ref()).await?;
    if let Some((reply, covered)) = resumed {
        let conversations = reply["ok"]["conversations"].as_array().context("no conversations")?;
        let mine = conversations.iter().find(|c| c["conversation_id"] == guest.conversation);
        let mine = mine.with_context(|| format!("{user} has lost its conversation"))?;
        if let Some(before) = guest.position.filter(|before| before["seq"] != mine["seq"]) {
            let all = covered == mine["seq"].as_u64();
            ensure!(all, "{user} stood at {before}, and got {covered:?}");
        }
        guest.position = Some(mine.clone());
    }
    guest.socket = Some((reader, writer));
    Ok(guest)
}

/// Each says something, and waits until it is stored.
async fn talk(guests: &mut [Guest]) -> Result<()> {
    for round in 0..2 {
        let text = |guest: &Guest| format!("hello {round} from {}.", guest.user);
        for guest in guests.iter_mut() {
            let text = text(guest);
            let frame = guest.tongue.say(guest.conversation, &guest.other, 10 + round, &text);
            let (_, writer) = guest.socket.as_mut().context("not connected")?;
            writer.text(frame.to_string().as_bytes()).await?;
        }
        for guest in guests.iter_mut() {
            let text = text(guest);
            let (reader, writer) = guest.socket.as_mut().context("not connected")?;
            timeout(PATIENCE, guest.tongue.stored(reader, writer, &text)).await??;
        }
    }
    // Every ping is answered by which the server asks whether all has arrived, the last one too.
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        for guest in guests.iter_mut() {
            let (reader, writer) = guest.socket.as_mut().context("not connected")?;
            timeout(PATIENCE, reader.settle(writer)).await??;
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
