//! Everybody is cut at once: how long until all are back with what they missed?

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, Result, ensure};
use parlour_harness::{
    load::{
        tongue::Tongue,
        wire::{Reader, Writer},
    },
    random::Random,
    token,
};
use serde_json::{Value, json};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use super::open;
use crate::cluster::Cluster;

/// Participants of each conversation: everybody is in one of these groups.
const GROUP: usize = 10;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long a client waits at most before its first attempt: full jitter, as documented for clients.
const JITTER: u64 = 1_000;

/// One of those who are cut.
struct Guest {
    token: String,
    conversation: u64,
    doors: Vec<SocketAddr>,
    random: Random,
    position: Option<Value>,
    socket: Option<(Reader, Writer)>,
    attempts: usize,
}

/// Cuts `count` clients over several processes at once while something is said to each of them, and waits until all are
/// live and complete.
///
/// # Errors
/// When somebody is refused for good, or misses something.
pub async fn storm(processes: usize, count: usize, seed: u64) -> Result<String> {
    let cluster = open(processes, seed).await?;
    let mut guests = invite(&cluster, count, seed).await?;
    let begun = Instant::now();
    guests = all(guests).await?;
    let first = begun.elapsed();
    // Cut, and told something meanwhile.
    guests.iter_mut().for_each(|guest| guest.socket = None);
    let cut = Instant::now();
    let back = tokio::spawn(all(guests));
    for conversation in conversations(count) {
        let user = user(conversation * GROUP);
        let rest = cluster.rest(conversation % cluster.nodes.len().max(1), &user)?;
        let list = rest.get("/api/v1/conversations").await?.ok()?;
        let id = list["results"][0]["id"].as_u64().context("no conversation")?;
        let path = format!("/api/v1/conversations/{id}/messages");
        rest.post(&path, &json!({"content": "said in the storm"})).await?.ok()?;
    }
    let said = cut.elapsed();
    let mut guests = back.await??;
    let live = cut.elapsed();
    complete(&mut guests).await?;
    let complete = cut.elapsed();
    let attempts: usize = guests.iter().map(|guest| guest.attempts).sum();
    let mut memory = Vec::new();
    for node in &cluster.nodes {
        memory.push(format!("{} MiB", node.server.resident_kib()? / 1024));
    }
    Ok(format!(
        "| clients | processes | connected at first | said to all after | live again | live and complete | attempts | memory |\n\
         | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |\n\
         | {count} | {processes} | {:.1} s | {:.1} s | {:.1} s | {:.1} s | {attempts} | {} |\n",
        first.as_secs_f64(),
        said.as_secs_f64(),
        live.as_secs_f64(),
        complete.as_secs_f64(),
        memory.join(", "),
    ))
}

fn user(number: usize) -> String {
    format!("storm-{number}")
}

fn conversations(count: usize) -> std::ops::Range<usize> {
    0..count.div_ceil(GROUP)
}

async fn invite(cluster: &Cluster, count: usize, seed: u64) -> Result<Vec<Guest>> {
    let doors = cluster.addresses();
    let mut guests = Vec::new();
    for number in conversations(count) {
        let users: Vec<String> =
            (number * GROUP..count.min((number + 1) * GROUP)).map(user).collect();
        let members: Vec<&str> = users.iter().map(String::as_str).collect();
        let maker = members.first().copied().unwrap_or("nobody");
        let rest = cluster.rest(number % doors.len().max(1), maker)?;
        let conversation = rest.create_conversation("group", &members).await?;
        for user in &users {
            guests.push(Guest {
                token: token::for_user(user)?,
                conversation,
                doors: doors.clone(),
                random: Random::new(seed).fork(guests.len() as u64),
                position: None,
                socket: None,
                attempts: 0,
            });
        }
    }
    Ok(guests)
}

/// Lets all come, each after a random time.
async fn all(guests: Vec<Guest>) -> Result<Vec<Guest>> {
    let mut coming = JoinSet::new();
    for guest in guests {
        coming.spawn(timeout(PATIENCE, come(guest)));
    }
    let mut here = Vec::new();
    while let Some(guest) = coming.join_next().await {
        here.push(guest?.context("somebody does not get in")??);
    }
    Ok(here)
}

/// Back-off with full jitter: up to 1 s, 2 s, 4 s and so on.
async fn come(mut guest: Guest) -> Result<Guest> {
    let mut most = JITTER;
    loop {
        sleep(Duration::from_millis(guest.random.between(0, most))).await;
        most = (most * 2).min(30_000);
        guest.attempts += 1;
        let door = guest.random.pick(&guest.doors).copied().context("no process")?;
        if let Ok((socket, position)) = enter(&guest, door).await {
            if let (Some(before), Some(covered)) = (&guest.position, position.1) {
                ensure!(before["seq"].as_u64() < Some(covered), "{before} became {covered}");
            }
            (guest.socket, guest.position) = (Some(socket), Some(position.0));
            return Ok(guest);
        }
    }
}

type Entered = ((Reader, Writer), (Value, Option<u64>));

async fn enter(guest: &Guest, door: SocketAddr) -> Result<Entered> {
    let (mut reader, mut writer) =
        Tongue::Native.open(door, &guest.token, guest.conversation).await?;
    let resumed = Tongue::Native.resume(&mut reader, &mut writer, guest.position.as_ref()).await?;
    let (reply, covered) = resumed.context("no resume")?;
    let all = reply["ok"]["conversations"].as_array().context("resume was refused")?;
    let mine = all.iter().find(|own| own["conversation_id"] == guest.conversation);
    let mine = mine.context("the conversation is gone")?;
    if let Some(before) = guest.position.as_ref().filter(|before| before["seq"] != mine["seq"]) {
        let all = covered == mine["seq"].as_u64();
        ensure!(all, "stood at {before}, and got {covered:?} of {mine}");
    }
    Ok(((reader, writer), (mine.clone(), covered)))
}

/// Waits until everybody has what was said: by the resume, or live after it.
async fn complete(guests: &mut [Guest]) -> Result<()> {
    for guest in guests {
        let position = guest.position.as_ref().and_then(|position| position["seq"].as_u64());
        if position.is_some_and(|seq| seq > 0) {
            continue;
        }
        let (reader, writer) = guest.socket.as_mut().context("not connected")?;
        let heard = async {
            loop {
                let frame = reader.text(writer).await?;
                let frame: Value = serde_json::from_slice(&frame)?;
                if frame["type"] == "message.created" {
                    return anyhow::Ok(());
                }
            }
        };
        timeout(PATIENCE, heard).await.context("somebody misses what was said")??;
    }
    Ok(())
}
