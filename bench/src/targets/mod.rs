//! What is measured: Parlour in each of its dialects, the floors, and other servers.

pub mod history;
mod parlour;
mod running;
mod stored;
pub mod tree;

use anyhow::{Context, Result};

pub use running::{Cast, Processes, Running, Start};
pub use stored::Stored;

use crate::dialect::{Dialect, Direct, Floor, Native, Nchan, Pusher, Room, SocketIo};

/// Where a target keeps messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Engine {
    /// In a file of its own.
    Sqlite,
    /// In a PostgreSQL server.
    Postgres,
}

/// What program it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Program {
    /// The server of this repository.
    Parlour(Engine),
    /// One of the floors, by the name of its binary.
    Floor(&'static str),
    /// A folder in bench/peers, and what its `run.sh` finds in its environment.
    Peer(&'static str, &'static [(&'static str, &'static str)]),
}

/// What its clients speak.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Speech {
    /// Parlour's own protocol.
    Native,
    /// One socket a user, messages to a user.
    Direct,
    /// One socket a conversation.
    Room,
    /// `Direct` for pairs and `Room` for rooms.
    Seeds,
    /// The Pusher protocol, on channels that store nothing.
    Pusher,
    /// What the floors speak.
    Floor,
    /// Socket.IO.
    SocketIo,
    /// nchan.
    Nchan,
}

/// Who talks with whom.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// Pairs.
    Pairs,
    /// One room.
    Room,
}

impl Speech {
    /// The dialect for a shape; `None` where it has no such thing.
    #[must_use]
    pub fn dialect(self, shape: Shape) -> Option<Box<dyn Dialect>> {
        Some(match (self, shape) {
            (Self::Native, _) => Box::new(Native),
            (Self::Direct | Self::Seeds, Shape::Pairs) => Box::new(Direct),
            (Self::Direct, Shape::Room) => return None,
            (Self::Room, _) | (Self::Seeds, Shape::Room) => Box::new(Room),
            (Self::Pusher, _) => Box::new(Pusher),
            (Self::Floor, _) => Box::new(Floor),
            (Self::SocketIo, _) => Box::new(SocketIo),
            (Self::Nchan, _) => Box::new(Nchan),
        })
    }
}

/// One target.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Target {
    /// As the command line and the figures name it.
    pub name: &'static str,
    /// What program it is.
    pub program: Program,
    /// What its clients speak.
    pub speech: Speech,
}

impl Target {
    /// Whether it is a server of others.
    #[must_use]
    pub const fn is_peer(&self) -> bool {
        matches!(self.program, Program::Peer(..))
    }

    /// Whether the long form measures it in each of its runs: the floors and Parlour, of whose dialects one on PostgreSQL says enough.
    #[must_use]
    pub fn is_repeated(&self) -> bool {
        match self.program {
            Program::Floor(_) | Program::Parlour(Engine::Sqlite) => true,
            Program::Parlour(Engine::Postgres) => self.speech == Speech::Native,
            Program::Peer(..) => false,
        }
    }
}

const fn target(name: &'static str, program: Program, speech: Speech) -> Target {
    Target { name, program, speech }
}

/// All that there are.
pub const TARGETS: &[Target] = &[
    target("floor-relay", Program::Floor("floor-relay"), Speech::Floor),
    target("floor-store", Program::Floor("floor-store"), Speech::Floor),
    target("parlour-native", Program::Parlour(Engine::Sqlite), Speech::Native),
    target("parlour-direct", Program::Parlour(Engine::Sqlite), Speech::Direct),
    target("parlour-room", Program::Parlour(Engine::Sqlite), Speech::Room),
    target("parlour-pusher", Program::Parlour(Engine::Sqlite), Speech::Pusher),
    target("parlour-native-postgres", Program::Parlour(Engine::Postgres), Speech::Native),
    target("parlour-direct-postgres", Program::Parlour(Engine::Postgres), Speech::Direct),
    target("parlour-room-postgres", Program::Parlour(Engine::Postgres), Speech::Room),
    channels("channels-daphne-memory-sqlite", "channels-daphne", &[("LAYER", "memory")]),
    channels("channels-daphne-redis-sqlite", "channels-daphne", &[("LAYER", "redis")]),
    channels(
        "channels-daphne-redis-postgres",
        "channels-daphne",
        &[("LAYER", "redis"), ("DATABASE_URL", "postgres")],
    ),
    channels("channels-uvicorn-memory-sqlite", "channels-uvicorn", &[("LAYER", "memory")]),
    channels("channels-uvicorn-redis-sqlite", "channels-uvicorn", &[("LAYER", "redis")]),
    channels(
        "channels-uvicorn-redis-postgres",
        "channels-uvicorn",
        &[("LAYER", "redis"), ("DATABASE_URL", "postgres")],
    ),
    target("socketio", Program::Peer("socketio", &[("STORE", "none")]), Speech::SocketIo),
    target("socketio-sqlite", Program::Peer("socketio", &[("STORE", "sqlite")]), Speech::SocketIo),
    target("sockudo", Program::Peer("sockudo", &[]), Speech::Pusher),
    target("nchan", Program::Peer("nchan", &[]), Speech::Nchan),
];

/// Those of the short form.
pub const SHORT: &[&str] = &[
    "floor-relay",
    "floor-store",
    "parlour-native",
    "parlour-direct",
    "parlour-room",
    "parlour-pusher",
    "channels-daphne-redis-sqlite",
    "socketio",
    "socketio-sqlite",
    "sockudo",
    "nchan",
];

/// Those of which the long form draws curves.
pub const CURVES: &[&str] = &["floor-relay", "parlour-native", "parlour-native-postgres"];

const fn channels(
    name: &'static str,
    folder: &'static str,
    environment: &'static [(&'static str, &'static str)],
) -> Target {
    target(name, Program::Peer(folder, environment), Speech::Seeds)
}

/// The target of a name.
///
/// # Errors
/// When there is none.
pub fn named(name: &str) -> Result<Target> {
    let found = TARGETS.iter().find(|target| target.name == name).copied();
    found.with_context(|| {
        let all: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
        format!("`{name}` is no target; there are {}", all.join(", "))
    })
}

impl Target {
    /// Whether it can be started here. Peers are installed by their `setup.sh`.
    #[must_use]
    pub fn is_installed(&self) -> bool {
        match self.program {
            Program::Parlour(Engine::Postgres) => parlour_engines::Postgres::is_installed(),
            Program::Parlour(Engine::Sqlite) => true,
            Program::Floor(name) => running::sibling(name).is_ok(),
            Program::Peer(name, _) => running::peer_is_installed(name),
        }
    }
}
