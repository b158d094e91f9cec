//! Clients go away while things are said, edited and deleted, and come back: do they get all of it, once, in order?

use std::{collections::HashMap, fmt::Write as _, path::Path, time::Duration};

use anyhow::{Context, Result, ensure};
use futures_util::future::try_join_all;
use serde_json::json;
use tokio::time::{Instant, sleep_until};

use super::{
    Client, Kind, judge,
    log::{Heard, Said},
    stage::{Pair, history, open_server},
};
use crate::{process::Server, rest::Rest};

/// Messages that are missed: each half is the other one's by native socket and by REST in turns, and one of the
/// client's own user, from another socket of his.
const MISSED: usize = 20;

/// A connection that neither reads nor answers is given up by the server after a while; its client is back before.
const HALF_OPEN: Duration = Duration::from_secs(5);

/// How a client goes away.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Way {
    /// The network cuts it.
    Cut,
    /// The network cuts it, and the server is killed and started again before it is back.
    Killed,
    /// It neither reads nor answers any more; the connection still stands when the next one comes.
    HalfOpen,
    /// Two connections of one user are cut one after the other, and come back in that order.
    Two,
}

impl Way {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Cut, Self::Killed, Self::HalfOpen, Self::Two];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cut => "cut",
            Self::Killed => "cut, server killed",
            Self::HalfOpen => "half-open",
            Self::Two => "two sockets",
        }
    }
}

/// What one kind of client got that went away in one way.
#[derive(Clone, Debug)]
pub struct Cell {
    /// How.
    pub way: Way,
    /// Which.
    pub kind: Kind,
    /// Messages that it was told of after its return, of [`Self::due`].
    pub told: usize,
    /// How many those should be.
    pub due: usize,
    /// Edits that it was told of.
    pub edits: usize,
    /// Deletions that it was told of.
    pub deletions: usize,
    /// What is wrong.
    pub faults: Vec<String>,
}

/// Lets one client of each kind go away for a time, all at once, in one way, and gives what they got.
///
/// # Errors
/// When a client cannot come back, or waits in vain.
pub async fn run(folder: &Path, kinds: &[Kind], way: Way, away: Duration) -> Result<Vec<Cell>> {
    let mut server = open_server(&folder.join(format!("{way:?}"))).await?;
    let opened = kinds.iter().enumerate().map(|(number, kind)| {
        let opened = Scene::open(&server, number, *kind, way);
        async move { opened.await.with_context(|| format!("{}, {}", kind.name(), way.name())) }
    });
    let mut scenes = try_join_all(opened).await?;
    let back = Instant::now() + if way == Way::HalfOpen { away.min(HALF_OPEN) } else { away };
    for scene in &mut scenes {
        scene.leave().await?;
        scene.half(&server, 1).await?;
    }
    if way == Way::Killed {
        server.kill()?;
        server.restart().await?;
    }
    for scene in &mut scenes {
        scene.halfway(&server).await?;
        scene.half(&server, 2).await?;
        scene.changes(&server).await?;
    }
    sleep_until(back).await;
    let judged = scenes.into_iter().map(|scene| async {
        let (kind, name) = (scene.kind, way.name());
        scene.judged(&server).await.with_context(|| format!("{}, {name}", kind.name()))
    });
    Ok(try_join_all(judged).await?.into_iter().flatten().collect())
}

/// One client that goes away, with those who stay.
struct Scene {
    way: Way,
    kind: Kind,
    pair: Pair,
    away: Client,
    /// The second connection of the same user.
    second: Option<Client>,
    /// The other one.
    peer: Client,
    /// How much each had been told before it went.
    before: HashMap<&'static str, usize>,
    /// What was said before anybody went, by what it said then.
    old: HashMap<String, u64>,
}

impl Scene {
    async fn open(server: &Server, number: usize, kind: Kind, way: Way) -> Result<Self> {
        let pair = Pair::make(server, number).await?;
        let mut away = pair.first(server, kind).await?;
        let second = if way == Way::Two { Some(pair.first(server, kind).await?) } else { None };
        let mut peer = pair.second(server, Kind::Native).await?;
        peer.tell("to be edited").await?;
        away.tell("its own").await?;
        peer.tell("to be deleted").await?;
        for client in [Some(&away), second.as_ref()].into_iter().flatten() {
            client.until("the last before it went", |log| log.has("to be deleted")).await?;
        }
        let all = history(server, &pair.one, pair.conversation).await?;
        let old = all.into_iter().map(|said| (said.text, said.id)).collect();
        if !kind.keeps_position() {
            pair.proved(server).await?;
        }
        let before = HashMap::new();
        Ok(Self { way, kind, pair, away, second, peer, before, old })
    }

    async fn leave(&mut self) -> Result<()> {
        self.before.insert("away", self.away.log().heard().len());
        match self.way {
            Way::HalfOpen => self.away.freeze().await,
            Way::Cut | Way::Killed | Way::Two => self.away.cut().await,
        }
    }

    /// Says half of what is missed. The ninth of the first half is the user's own.
    async fn half(&mut self, server: &Server, half: usize) -> Result<()> {
        let rest = server.rest(&self.pair.other)?;
        for number in (half - 1) * MISSED / 2 + 1..=half * MISSED / 2 {
            let text = format!("missed {number}");
            if number == 9 {
                let mut own = self.pair.first(server, Kind::Native).await?;
                own.tell(&text).await?;
            } else if number % 2 == 0 {
                self.post(&rest, &text).await?;
            } else {
                self.peer.tell(&text).await?;
            }
        }
        Ok(())
    }

    async fn post(&self, rest: &Rest, text: &str) -> Result<()> {
        let path = format!("/api/v1/conversations/{}/messages", self.pair.conversation);
        rest.post(&path, &json!({"content": text})).await?.ok().map(drop)
    }

    /// After a kill the other one comes back; a second connection goes now.
    async fn halfway(&mut self, server: &Server) -> Result<()> {
        if self.way == Way::Killed {
            self.peer.reconnect().await?;
        }
        if let Some(second) = &mut self.second {
            let last = format!("missed {}", MISSED / 2);
            second.until("the first half", |log| log.has(&last)).await?;
            if !self.kind.keeps_position() {
                self.pair.proved(server).await?;
            }
            self.before.insert("second", second.log().heard().len());
            second.cut().await?;
        }
        Ok(())
    }

    /// Two edits, of something old by a socket and of something missed by REST, and a deletion of something old.
    async fn changes(&mut self, server: &Server) -> Result<()> {
        let rest = server.rest(&self.pair.other)?;
        let edited = *self.old.get("to be edited").context("nothing to edit")?;
        let deleted = *self.old.get("to be deleted").context("nothing to delete")?;
        let frame = json!({
            "type": "message.edit", "id": 1_000_000, "message_id": edited, "content": "edited, old",
        });
        self.peer.send(frame).await?;
        let wanted = Heard::Edited { id: edited, text: "edited, old".into() };
        self.peer.until("its edit", |log| log.heard().contains(&wanted)).await?;
        let all = history(server, &self.pair.other, self.pair.conversation).await?;
        let missed = all.iter().find(|said| said.text == "missed 15").context("nothing missed")?;
        let text = json!({"content": "edited, missed"});
        let path = |id: u64| format!("/api/v1/messages/{id}");
        rest.call(hyper::Method::PATCH, &path(missed.id), Some(&text)).await?.ok()?;
        rest.call(hyper::Method::DELETE, &path(deleted), None).await?.ok()?;
        Ok(())
    }

    /// Everybody comes back, one more thing is said, and what each was told is compared with the history.
    async fn judged(mut self, server: &Server) -> Result<Vec<Cell>> {
        self.away.reconnect().await?;
        self.away.until("the last that it missed", |log| log.has("missed 20")).await?;
        if let Some(second) = &mut self.second {
            // Else what the first has just been sent, and has no proof of, is sent to the second as well.
            if !self.kind.keeps_position() {
                self.pair.proved(server).await?;
            }
            second.reconnect().await?;
        }
        self.peer.tell("after").await?;
        let all = history(server, &self.pair.one, self.pair.conversation).await?;
        let due = |from: usize| {
            all.iter().filter(|said| !self.old.values().any(|id| *id == said.id)).skip(from)
        };
        let mut cells = vec![self.cell("away", &self.away, due(0)).await?];
        if let Some(second) = &self.second {
            cells.push(self.cell("second", second, due(MISSED / 2)).await?);
        }
        ensure!(cells.iter().all(|cell| cell.due > MISSED / 2), "the history is too short");
        Ok(cells)
    }

    async fn cell(
        &self,
        name: &str,
        client: &Client,
        due: impl Iterator<Item = &Said>,
    ) -> Result<Cell> {
        client.until("what came after its return", |log| log.has("after")).await?;
        let due: Vec<Said> = due.cloned().collect();
        let before = self.before.get(name).copied().unwrap_or(0);
        let mut heard = client.log().heard().get(before..).unwrap_or_default().to_vec();
        if self.kind == Kind::Native {
            // It is told where a message was changed, and puts it where it belongs: ids grow as places do.
            heard.sort_by_key(|heard| if let Heard::Said(said) = heard { said.id } else { 0 });
        }
        let count = |wanted: fn(&Heard) -> bool| heard.iter().filter(|heard| wanted(heard)).count();
        let mut cell = Cell {
            way: self.way,
            kind: self.kind,
            told: count(|heard| matches!(heard, Heard::Said(_))),
            due: due.len(),
            edits: count(|heard| matches!(heard, Heard::Edited { .. })),
            deletions: count(|heard| matches!(heard, Heard::Deleted { .. })),
            faults: judge::messages(self.kind, &heard, &due),
        };
        cell.faults.extend(self.unchanged(&heard));
        if cell.edits + cell.deletions > 2 || cell.edits > 1 {
            cell.faults.push(format!("{} edits, {} deletions", cell.edits, cell.deletions));
        }
        Ok(cell)
    }

    /// The old messages of whose edit and deletion it should have been told, and was not.
    fn unchanged(&self, heard: &[Heard]) -> Vec<String> {
        if !self.kind.tells_of_changes() {
            return Vec::new();
        }
        let id = |text: &str| self.old.get(text).copied().unwrap_or_default();
        let (edited, deleted) = (id("to be edited"), id("to be deleted"));
        let due = [
            Heard::Edited { id: edited, text: "edited, old".into() },
            Heard::Deleted { id: deleted },
        ];
        due.iter()
            .filter(|due| !heard.contains(due))
            .map(|due| format!("{due:?} is missing"))
            .collect()
    }
}

/// The cells as a table: the ways down, the kinds across. Of each, messages and edits and deletions; what the
/// second connection got stands behind the first.
#[must_use]
pub fn table(kinds: &[Kind], cells: &[Cell]) -> String {
    let mut text = String::from("| gone |");
    for kind in kinds {
        let _ = write!(text, " {} |", kind.name());
    }
    let _ = write!(text, "\n|{}\n", " --- |".repeat(kinds.len() + 1));
    for way in Way::ALL {
        let _ = write!(text, "| {} |", way.name());
        for kind in kinds {
            let here = cells.iter().filter(|cell| cell.way == way && cell.kind == *kind);
            let all: Vec<String> = here.map(verdict).collect();
            let _ = write!(text, " {} |", if all.is_empty() { "–".into() } else { all.join("; ") });
        }
        text.push('\n');
    }
    text
}

fn verdict(cell: &Cell) -> String {
    let order = if cell.faults.is_empty() { "in order" } else { "WRONG" };
    format!("{}/{} +{}e +{}d {order}", cell.told, cell.due, cell.edits, cell.deletions)
}

/// Everything that is wrong, a line each.
#[must_use]
pub fn faults(cells: &[Cell]) -> Vec<String> {
    let named =
        |cell: &Cell, fault: &String| format!("{}, {}: {fault}", cell.kind.name(), cell.way.name());
    cells.iter().flat_map(|cell| cell.faults.iter().map(move |fault| named(cell, fault))).collect()
}
