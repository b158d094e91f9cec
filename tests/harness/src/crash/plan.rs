//! Who talks with whom, how fast, and how often the server dies.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result};
use serde_json::json;

use crate::{
    device::{MARKER, MARKER_LENGTH},
    history::{Recorder, What},
    process::Server,
    random::Random,
};

/// What is done to the server under load.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// `kill -9`, and a new start.
    Kill,
    /// SIGTERM, and a new start.
    Shutdown,
    /// SIGSTOP for a while, then SIGCONT.
    Freeze,
}

impl Fault {
    /// As a history names it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Shutdown => "shutdown",
            Self::Freeze => "freeze",
        }
    }
}

/// A plan. The same seed gives the same one, as far as timing lets it.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Names the folder for what is kept.
    pub name: String,
    /// The seed.
    pub seed: u64,
    /// What is done to the server, one after the other.
    pub faults: Vec<Fault>,
    /// Devices of each of the four users.
    pub devices_each: u64,
    /// Mean time between two commands of a device.
    pub pace: Duration,
}

/// A conversation of the plan.
#[derive(Clone, Debug)]
pub struct Talk {
    /// Its id.
    pub id: u64,
    /// The word that all its messages carry.
    pub marker: String,
    /// Who is in it from beginning to end.
    pub lasting: Vec<String>,
    /// Who is added and removed again and again, by the first of the others.
    pub coming_and_going: Option<String>,
}

/// The people of the plan.
const PEOPLE: [&str; 4] = ["alice", "bob", "carol", "dave"];

impl Plan {
    /// The usual plan.
    #[must_use]
    pub fn new(name: &str, seed: u64, faults: Vec<Fault>) -> Self {
        let pace = Duration::from_millis(12);
        Self { name: name.into(), seed, faults, devices_each: 2, pace }
    }

    /// Name and user of each device.
    #[must_use]
    pub fn devices(&self) -> Vec<(String, String)> {
        let numbered = |user: &&str| -> Vec<(String, String)> {
            (1..=self.devices_each).map(|n| (format!("{user}-{n}"), (*user).to_owned())).collect()
        };
        PEOPLE.iter().flat_map(numbered).collect()
    }

    /// Makes the conversations: two direct ones, a group of all, and a group with somebody coming and going.
    pub(super) async fn open_talks(
        &self,
        server: &Server,
        recorder: &Arc<Recorder>,
    ) -> Result<Vec<Talk>> {
        let mut random = Random::new(self.seed ^ 0x00c0_ffee);
        let kinds: [(&str, &[&str], Option<&str>); 4] = [
            ("direct", &["alice", "bob"], None),
            ("direct", &["carol", "dave"], None),
            ("group", &["alice", "bob", "carol", "dave"], None),
            ("group", &["alice", "bob", "carol"], Some("dave")),
        ];
        let mut talks = Vec::new();
        for (kind, members, guest) in kinds {
            let maker = members.first().copied().unwrap_or("alice");
            let rest = server.rest(maker)?;
            let id = rest.create_conversation(kind, members).await?;
            let marker = format!("{MARKER}{:016x}", random.number());
            debug_assert_eq!(marker.len(), MARKER_LENGTH);
            let lasting: Vec<String> = members.iter().map(|&user| user.into()).collect();
            let members = lasting.clone();
            recorder.add(What::Conversation { conversation: id, marker: marker.clone(), members });
            talks.push(Talk { id, marker, lasting, coming_and_going: guest.map(Into::into) });
        }
        // A guest that the server has never heard of cannot be added.
        server.rest("dave")?.get("/api/v1/me").await?.ok()?;
        Ok(talks)
    }

    /// Where the log of each conversation ends now.
    pub(super) async fn ends(&self, server: &Server, talks: &[Talk]) -> Result<Vec<(u64, u64)>> {
        let mut ends = Vec::new();
        for talk in talks {
            let reader = talk.lasting.first().context("a conversation of nobody")?;
            let path = format!("/api/v1/conversations/{}", talk.id);
            let body = server.rest(reader)?.get(&path).await?.ok()?;
            let seq = body["last_seq"].as_u64().with_context(|| format!("no last_seq: {body}"))?;
            ends.push((talk.id, seq));
        }
        Ok(ends)
    }
}

/// A frame that says "I am writing".
pub(super) fn typing(conversation: u64) -> serde_json::Value {
    json!({"type": "typing", "conversation_id": conversation, "active": true})
}
