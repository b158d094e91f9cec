//! Every kind of client talks with every other, and all that can with all in a group.

use std::{fmt::Write as _, sync::Arc};

use anyhow::{Context, Result};
use tokio::{sync::Semaphore, task::JoinSet};

use super::{
    Client, Kind, Place, judge,
    log::Said,
    stage::{Pair, history},
};
use crate::process::Server;

/// Messages of one client that may be on their way.
const WINDOW: usize = 16;

/// Pairs that talk at the same time.
const AT_ONCE: usize = 14;

/// What one client got.
#[derive(Clone, Debug)]
pub struct Cell {
    /// Who spoke; `None` for everybody in the group.
    pub from: Option<Kind>,
    /// Who listened.
    pub to: Kind,
    /// Messages that it was told of, its own too.
    pub told: usize,
    /// Those that it should have been told of.
    pub due: usize,
    /// What is wrong.
    pub faults: Vec<String>,
}

/// [`pairs`], and then one of each kind that knows groups in one group. Gives what each receiver got.
///
/// # Errors
/// When somebody is refused, or what he said does not arrive at all.
pub async fn run(server: Arc<Server>, kinds: &[Kind], count: usize) -> Result<Vec<Cell>> {
    let mut cells = pairs(server.clone(), kinds, count).await?;
    cells.extend(group(&server, kinds, count).await?);
    Ok(cells)
}

/// Lets all pairs of kinds exchange `count` messages each way, interleaved, in a direct conversation of their own, from
/// the instant in which both are connected. Gives what each receiver got.
///
/// # Errors
/// When somebody is refused, or what he said does not arrive at all.
pub async fn pairs(server: Arc<Server>, kinds: &[Kind], count: usize) -> Result<Vec<Cell>> {
    let mut cells = Vec::new();
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    let mut talks = JoinSet::new();
    let pairs = kinds.iter().flat_map(|from| kinds.iter().map(move |to| (*from, *to)));
    for (number, (from, to)) in pairs.enumerate() {
        let (server, turns) = (server.clone(), turns.clone());
        talks.spawn(async move {
            let _turn = turns.acquire().await?;
            pair(&server, number, from, to, count)
                .await
                .with_context(|| format!("{} with {}", from.name(), to.name()))
        });
    }
    while let Some(talk) = talks.join_next().await {
        cells.push(talk??);
    }
    Ok(cells)
}

async fn pair(server: &Server, number: usize, from: Kind, to: Kind, count: usize) -> Result<Cell> {
    let pair = Pair::make(server, number).await?;
    let speaker = pair.first(server, from).await?;
    let listener = pair.second(server, to).await?;
    let (speaker, listener) =
        tokio::try_join!(talk(speaker, "speaker", count), talk(listener, "listener", count))?;
    let all =
        settle(server, &[&speaker, &listener], &pair.one, pair.conversation, 2 * count).await?;
    let mut cell = cell(Some(from), &listener, &all);
    cell.faults.extend(judge::times(&all));
    // The speaker is a listener too; in its own words its faults are told here.
    let back = judge::messages(from, speaker.log().heard(), &all);
    cell.faults.extend(back.into_iter().map(|fault| format!("the speaker: {fault}")));
    Ok(cell)
}

async fn group(server: &Server, kinds: &[Kind], count: usize) -> Result<Vec<Cell>> {
    let kinds: Vec<Kind> = kinds.iter().copied().filter(|kind| kind.knows_groups()).collect();
    let people: Vec<String> =
        kinds.iter().map(|kind| format!("in-group-{}", kind.name())).collect();
    let names: Vec<&str> = people.iter().map(String::as_str).collect();
    let founder = names.first().context("a group of nobody")?;
    let conversation = server.rest(founder)?.create_conversation("group", &names).await?;
    let mut members = Vec::new();
    for (kind, user) in kinds.iter().zip(&people) {
        let place = Place { conversation, peer: None };
        members.push(Client::connect(server.address(), *kind, user, place).await?);
    }
    let mut talks = JoinSet::new();
    for client in members {
        let name = client.kind().name();
        talks.spawn(talk(client, name, count));
    }
    let clients = talks.join_all().await.into_iter().collect::<Result<Vec<_>>>()?;
    let listeners: Vec<&Client> = clients.iter().collect();
    let all = settle(server, &listeners, founder, conversation, count * kinds.len()).await?;
    let mut cells: Vec<Cell> = clients.iter().map(|client| cell(None, client, &all)).collect();
    cells.sort_by_key(|cell| cell.to);
    if let Some(first) = cells.first_mut() {
        first.faults.extend(judge::times(&all));
    }
    Ok(cells)
}

/// Says `count` things as fast as they are stored.
async fn talk(mut client: Client, name: &str, count: usize) -> Result<Client> {
    for number in 1..=count {
        let enough = number.saturating_sub(WINDOW);
        client.until("its own messages", |log| log.own() >= enough).await?;
        client.say(&format!("{name} {number}"), &format!("{name}-{number}")).await?;
    }
    client.until("the last of its own messages", |log| log.own() >= count).await?;
    Ok(client)
}

/// Waits until everybody has heard as much as was said, and gives the history. What is wrong then, the judge tells.
async fn settle(
    server: &Server,
    clients: &[&Client],
    user: &str,
    conversation: u64,
    due: usize,
) -> Result<Vec<Said>> {
    for client in clients {
        // One that never hears enough is judged by what it has.
        let _enough = client.until("everything", |log| log.said().count() >= due).await;
    }
    let all = history(server, user, conversation).await?;
    anyhow::ensure!(all.len() == due, "{} of {due} messages are in the history", all.len());
    Ok(all)
}

fn cell(from: Option<Kind>, listener: &Client, all: &[Said]) -> Cell {
    let log = listener.log();
    let faults = judge::messages(listener.kind(), log.heard(), all);
    Cell { from, to: listener.kind(), told: log.said().count(), due: all.len(), faults }
}

/// The cells as a table: who spoke down, who listened across.
#[must_use]
pub fn table(kinds: &[Kind], cells: &[Cell]) -> String {
    let mut text = String::from("| from \\ to |");
    for kind in kinds {
        let _ = write!(text, " {} |", kind.name());
    }
    let _ = write!(text, "\n|{}\n", " --- |".repeat(kinds.len() + 1));
    for from in kinds.iter().copied().map(Some).chain([None]) {
        let _ = write!(text, "| {} |", from.map_or("the group", Kind::name));
        for to in kinds {
            let cell = cells.iter().find(|cell| cell.from == from && cell.to == *to);
            let _ = write!(text, " {} |", cell.map_or_else(|| "–".into(), verdict));
        }
        text.push('\n');
    }
    text
}

fn verdict(cell: &Cell) -> String {
    let order = if cell.faults.is_empty() { "in order" } else { "WRONG" };
    format!("{}/{} {order}", cell.told, cell.due)
}

/// Everything that is wrong, a line each.
#[must_use]
pub fn faults(cells: &[Cell]) -> Vec<String> {
    let named = |cell: &Cell, fault: &String| {
        format!("{} → {}: {fault}", cell.from.map_or("the group", Kind::name), cell.to.name())
    };
    cells.iter().flat_map(|cell| cell.faults.iter().map(move |fault| named(cell, fault))).collect()
}
