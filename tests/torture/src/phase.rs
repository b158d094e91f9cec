//! What all clients of a run are to do now.

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use parlour_harness::{history::Message, random::Random};

/// By user: received up to, read up to.
pub type Marks = BTreeMap<String, (u64, u64)>;

/// What is to be done now.
#[derive(Clone, Debug)]
pub enum Phase {
    /// Nothing yet: what is reported from here on is of a phase that was asked for.
    Wait,
    /// Connect, and say nothing yet.
    Gather,
    /// Ask new things.
    Talk,
    /// Ask nothing new; get everything answered.
    Answer,
    /// Wait until everything has arrived.
    Arrive(Arc<Ends>),
    /// Wait until the marks of everybody are these, by conversation.
    Agree(Arc<HashMap<u64, Marks>>),
    /// Tell what you hold, and close.
    Part,
}

/// Where everything ends.
#[derive(Debug, Default)]
pub struct Ends {
    /// The last seq of each conversation.
    pub seqs: HashMap<u64, u64>,
    /// All messages of each.
    pub messages: HashMap<u64, Vec<Message>>,
}

/// How a client waits between attempts to connect: a random time, growing to a second (a real one waits up to 30 s).
#[derive(Debug, Default)]
pub struct Patience(u32);

impl Patience {
    /// How long to wait now.
    pub fn next(&mut self, random: &mut Random) -> Duration {
        self.0 = (self.0 + 1).min(5);
        Duration::from_millis(random.between(10, 40 << self.0))
    }

    /// It worked.
    pub const fn reset(&mut self) {
        self.0 = 0;
    }
}

/// Some process, where none is sticky.
#[must_use]
pub fn any(doors: &[SocketAddr], random: &mut Random) -> SocketAddr {
    random.pick(doors).copied().unwrap_or_else(|| ([127, 0, 0, 1], 9).into())
}
