//! What clients of each kind of server say and understand. One dialect, one file; nothing here knows a socket.

mod floor;
mod native;
mod nchan;
pub mod pusher;
mod seeds;
mod socketio;

pub use floor::Floor;
pub use native::Native;
pub use nchan::Nchan;
pub use pusher::Pusher;
pub use seeds::{Direct, Room};
pub use socketio::SocketIo;

use crate::{checker::Echo, text::Text};

/// Where a client is: which conversation its socket is about, or what it mostly says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// The conversation of a pair, counted from 0.
    Pair(usize),
    /// The room of all.
    Room,
}

/// Which conversation has which number at the server.
#[derive(Clone, Default, Debug)]
pub struct World {
    /// Those of the pairs.
    pub pairs: Vec<u64>,
    /// That of the room.
    pub room: u64,
}

impl World {
    /// As peers number them: the pairs from 1, then the room.
    #[must_use]
    pub fn in_order(pairs: usize) -> Self {
        Self { pairs: (1..=pairs as u64).collect(), room: pairs as u64 + 1 }
    }

    /// The number of a conversation.
    #[must_use]
    pub fn conversation(&self, place: Place) -> u64 {
        match place {
            Place::Pair(pair) => self.pairs.get(pair).copied().unwrap_or(0),
            Place::Room => self.room,
        }
    }
}

/// What a dialect knows of a client.
#[derive(Clone, Debug)]
pub struct Client {
    /// The number of its user.
    pub user: u32,
    /// The user's token.
    pub token: String,
    /// Where it is.
    pub place: Place,
    /// The number of its conversation at the server.
    pub conversation: u64,
    /// Numbered commands of this user so far, over all its sockets.
    pub commands: u64,
    /// Those before this socket was opened.
    pub before: u64,
    /// What the dialect keeps: a position, the name of the socket.
    pub memory: String,
}

impl Client {
    /// The other one of its pair.
    #[must_use]
    pub const fn other(&self) -> u32 {
        if self.user % 2 == 1 { self.user + 1 } else { self.user - 1 }
    }
}

/// What a frame of the server means.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Heard {
    /// Nothing that matters here.
    Nothing,
    /// The client is in, and hears everything from now on.
    Ready,
    /// A message.
    Message(Text),
    /// The other one types.
    Typing,
    /// A command was carried out: its number.
    Done(u64),
    /// A command was refused, or the sign-in.
    Refused(String),
}

/// One way to speak. Frames are appended to `out`; the numbers of commands are those of [`Client::commands`].
pub trait Dialect {
    /// The path to ask for, and whether the token goes into the header.
    fn path(&self, client: &Client) -> (String, bool);

    /// Whether the client is in as soon as a ping is answered; else the server says when.
    fn is_ready_by_pong(&self) -> bool {
        true
    }

    /// Whether each message is acknowledged.
    fn acknowledges(&self) -> bool {
        false
    }

    /// Whether senders hear themselves.
    fn echo(&self) -> Echo {
        Echo::Never
    }

    /// What a frame means. An answer that the dialect owes at once is appended to `out`.
    fn hear(&self, client: &mut Client, frame: &[u8], out: &mut Vec<u8>) -> Heard;

    /// Says something where the client is.
    fn say(&self, client: &Client, text: &[u8], out: &mut Vec<u8>);

    /// Tells the other one that the client types.
    fn type_on(&self, client: &Client, out: &mut Vec<u8>);
}

/// A message, if there is one in the frame; else a refusal if one of the words is in it.
fn message_or(frame: &[u8], refusal: &[u8]) -> Heard {
    if let Some(text) = Text::find(frame) {
        return Heard::Message(text);
    }
    match memchr::memmem::find(frame, refusal) {
        Some(_) => refused(frame),
        None => Heard::Nothing,
    }
}

fn refused(frame: &[u8]) -> Heard {
    Heard::Refused(String::from_utf8_lossy(frame).into_owned())
}

/// The number that follows a part of a frame.
fn number_after(frame: &[u8], part: &[u8]) -> Option<u64> {
    let at = memchr::memmem::find(frame, part)? + part.len();
    Some(parlour_harness::load::wire::digits(frame.get(at..)?))
}
