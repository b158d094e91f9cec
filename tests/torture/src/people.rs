//! Who talks with whom.

use std::{net::SocketAddr, sync::Arc};

use anyhow::Result;
use parlour_harness::{
    device::{MARKER, MARKER_LENGTH},
    dialects::Kind,
    history::{Recorder, What},
    random::Random,
    rest::Rest,
};

use crate::crowd::Group;

/// How many people of each sort there are.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// People with native devices.
    pub natives: usize,
    /// Devices of each.
    pub devices: usize,
    /// People who come and go in one group.
    pub guests: usize,
    /// Commands a second of all together, about.
    pub rate: u64,
}

impl Default for Size {
    fn default() -> Self {
        Self { natives: 6, devices: 2, guests: 2, rate: 200 }
    }
}

/// A conversation.
#[derive(Clone, Debug)]
pub struct Talk {
    /// Its id.
    pub id: u64,
    /// The word that all its messages carry.
    pub marker: String,
    /// Who is in it from beginning to end.
    pub lasting: Vec<String>,
    /// Who is added and removed again and again by the first of the others, and leaves by himself.
    pub guests: Vec<String>,
}

/// Somebody who speaks a dialect that keeps no position.
#[derive(Clone, Debug)]
pub struct Part {
    /// Which.
    pub kind: Kind,
    /// Who.
    pub user: String,
    /// Where he talks.
    pub conversation: u64,
    /// With whom, if it is with one.
    pub peer: Option<String>,
}

/// Everybody, and all conversations.
#[derive(Clone, Debug)]
pub struct People {
    /// The conversations.
    pub talks: Vec<Talk>,
    /// Name and user of each native device.
    pub devices: Vec<(String, String)>,
    /// The others.
    pub robots: Vec<Part>,
    /// The conversation in which readers may be slow.
    pub hall: Group,
}

/// The kinds that keep no position, and so need robots of their own.
const KINDS: [Kind; 6] =
    [Kind::Direct, Kind::Inbox, Kind::Room, Kind::Plain, Kind::Pusher, Kind::Rest];

impl People {
    /// Makes all conversations at a process.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn gather(
        address: SocketAddr,
        size: Size,
        seed: u64,
        recorder: &Arc<Recorder>,
    ) -> Result<Self> {
        let mut maker =
            Maker { address, random: Random::new(seed ^ 0x009e_091e), recorder, talks: Vec::new() };
        let natives: Vec<String> = (0..size.natives).map(|n| format!("native-{n}")).collect();
        let guests: Vec<String> = (0..size.guests).map(|n| format!("guest-{n}")).collect();
        for pair in natives.chunks_exact(2) {
            maker.make("direct", pair, &[]).await?;
        }
        let mut robots = Vec::new();
        for (kind, friend) in KINDS.into_iter().zip(natives.iter().cycle()) {
            // Ids that are numbers, as most hosts have them.
            let user = format!("{}", 7_000 + robots.len());
            let two = [friend.clone(), user.clone()];
            let conversation = maker.make("direct", &two, &[]).await?;
            robots.push(Part { kind, user, conversation, peer: Some(friend.clone()) });
        }
        let town: Vec<(Kind, String)> = KINDS
            .into_iter()
            .filter(|kind| kind.knows_groups())
            .map(|kind| (kind, format!("town-{}", kind.name())))
            .collect();
        let members = [natives.clone(), town.iter().map(|(_, user)| user.clone()).collect()];
        let conversation = maker.make("group", &members.concat(), &[]).await?;
        robots.extend(town.into_iter().map(|(kind, user)| Part {
            kind,
            user,
            conversation,
            peer: None,
        }));
        maker.make("group", natives.get(..4).unwrap_or(&natives), &guests).await?;
        let crowd: Vec<String> = (0..6).map(|n| format!("crowd-{n}")).collect();
        let conversation =
            maker.make("group", &[natives.clone(), crowd.clone()].concat(), &[]).await?;
        let hall = Group { conversation, users: crowd };
        let numbered = |user: &String| -> Vec<(String, String)> {
            (1..=size.devices).map(|n| (format!("{user}-{n}"), user.clone())).collect()
        };
        let devices = natives.iter().chain(&guests).flat_map(numbered).collect();
        Ok(Self { talks: maker.talks, devices, robots, hall })
    }
}

struct Maker<'a> {
    address: SocketAddr,
    random: Random,
    recorder: &'a Recorder,
    talks: Vec<Talk>,
}

impl Maker<'_> {
    async fn make(&mut self, kind: &str, lasting: &[String], guests: &[String]) -> Result<u64> {
        let maker = lasting.first().map_or("nobody", String::as_str);
        let members: Vec<&str> = lasting.iter().map(String::as_str).collect();
        let rest = Rest::new(self.address, maker)?;
        let id = rest.create_conversation(kind, &members).await?;
        for guest in guests {
            // Whom the server has never heard of cannot be added.
            Rest::new(self.address, guest)?.get("/api/v1/me").await?.ok()?;
        }
        let marker = format!("{MARKER}{:016x}", self.random.number());
        debug_assert_eq!(marker.len(), MARKER_LENGTH);
        let what = What::Conversation {
            conversation: id,
            marker: marker.clone(),
            members: lasting.to_vec(),
        };
        self.recorder.add(what);
        let (lasting, guests) = (lasting.to_vec(), guests.to_vec());
        self.talks.push(Talk { id, marker, lasting, guests });
        Ok(id)
    }
}
