//! Clients of one target: sockets with somebody behind each, who speaks the target's dialect.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use parlour_harness::token;

use crate::{
    dialect::{Client, Dialect, Heard, Place, World},
    sockets::{Ear, Sockets, Swarm, request},
};

/// Handshakes that are on their way at once.
const AT_ONCE: usize = 256;

/// How long nothing may happen while clients come.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long what is on its way may take, at the end.
const SETTLING: Duration = Duration::from_secs(10);

/// Who is told what clients hear.
pub trait Listener {
    /// A client has heard something that matters.
    ///
    /// # Errors
    /// Ends the turn.
    fn heard(&mut self, voice: &mut Voice<'_>, client: usize, heard: Heard) -> Result<()>;

    /// A client's socket has ended by itself.
    ///
    /// # Errors
    /// Ends the turn; it does if this is not written otherwise.
    fn ended(&mut self, client: &Client, why: &str) -> Result<()> {
        bail!("the socket of user {} has ended: {why}", client.user)
    }
}

/// Somebody to whom nothing matters.
#[derive(Debug)]
pub struct Nobody;

impl Listener for Nobody {
    fn heard(&mut self, _: &mut Voice<'_>, _: usize, _: Heard) -> Result<()> {
        Ok(())
    }
}

/// A client and its socket.
struct Seat {
    client: Client,
    socket: Option<usize>,
    is_ready: bool,
}

/// Who sits where.
struct Seats {
    all: Vec<Seat>,
    /// By the number of the socket.
    owners: Vec<usize>,
    ready: usize,
    /// Answers to pings so far.
    pongs: usize,
}

/// What speaks for the clients.
pub struct Voice<'a> {
    sockets: &'a mut Sockets,
    seats: &'a mut Seats,
    dialect: &'a dyn Dialect,
    out: &'a mut Vec<u8>,
}

impl Voice<'_> {
    /// Who a client is.
    #[must_use]
    pub fn client(&self, client: usize) -> &Client {
        &self.seats.all[client].client
    }

    /// A client says something; the number of the command.
    ///
    /// # Errors
    /// When the socket cannot take it.
    pub fn say(&mut self, client: usize, text: &[u8]) -> Result<u64> {
        self.command(client, |dialect, client, out| dialect.say(client, text, out))
    }

    /// A client types; the number of the command.
    ///
    /// # Errors
    /// When the socket cannot take it.
    pub fn type_on(&mut self, client: usize) -> Result<u64> {
        self.command(client, |dialect, client, out| dialect.type_on(client, out))
    }

    fn command(
        &mut self,
        client: usize,
        write: impl FnOnce(&dyn Dialect, &Client, &mut Vec<u8>),
    ) -> Result<u64> {
        let seat = &mut self.seats.all[client];
        seat.client.commands += 1;
        self.out.clear();
        write(self.dialect, &seat.client, self.out);
        if let Some(socket) = seat.socket {
            self.sockets.text(socket, self.out)?;
        }
        Ok(seat.client.commands)
    }
}

/// The clients.
pub struct Clients {
    swarm: Swarm,
    seats: Seats,
    dialect: Box<dyn Dialect>,
    addresses: Vec<SocketAddr>,
    out: Vec<u8>,
}

impl Clients {
    /// Clients who have not connected yet: the users from 1 up to a number, all in their pairs or all in the room. They are
    /// spread evenly over the addresses, the two of a pair over two, where there are several.
    ///
    /// # Errors
    /// When the system refuses, or a token cannot be made.
    pub fn new(
        addresses: &[SocketAddr],
        dialect: Box<dyn Dialect>,
        world: &World,
        users: usize,
        in_room: bool,
    ) -> Result<Self> {
        let seat = |index: usize| {
            let user = u32::try_from(index + 1)?;
            let place = if in_room { Place::Room } else { Place::Pair(index / 2) };
            let client = Client {
                user,
                token: token::for_user(&user.to_string())?,
                place,
                conversation: world.conversation(place),
                commands: 0,
                before: 0,
                memory: String::new(),
            };
            anyhow::Ok(Seat { client, socket: None, is_ready: false })
        };
        let all = (0..users).map(seat).collect::<Result<_>>()?;
        let seats = Seats { all, owners: Vec::new(), ready: 0, pongs: 0 };
        let (swarm, addresses) = (Swarm::new()?, addresses.to_vec());
        Ok(Self { swarm, seats, dialect, addresses, out: Vec::new() })
    }

    /// How they speak.
    #[must_use]
    pub fn dialect(&self) -> &dyn Dialect {
        self.dialect.as_ref()
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.seats.all.len()
    }

    /// How many of them are in.
    #[must_use]
    pub const fn ready(&self) -> usize {
        self.seats.ready
    }

    /// Who one is.
    #[must_use]
    pub fn client(&self, client: usize) -> &Client {
        &self.seats.all[client].client
    }

    /// What speaks for them.
    pub fn voice(&mut self) -> Voice<'_> {
        Voice {
            sockets: &mut self.swarm.sockets,
            seats: &mut self.seats,
            dialect: self.dialect.as_ref(),
            out: &mut self.out,
        }
    }

    /// Waits until something happens, for `wait` at most.
    ///
    /// # Errors
    /// What the listener says, and what the system does.
    pub fn turn(&mut self, wait: Duration, listener: &mut dyn Listener) -> Result<()> {
        let (seats, dialect) = (&mut self.seats, self.dialect.as_ref());
        let mut ears = Ears { seats, dialect, out: &mut self.out, listener };
        self.swarm.turn(wait, &mut ears)
    }

    /// Lets all come who have no socket, and waits until they are in.
    ///
    /// # Errors
    /// When one is refused, or it takes too long.
    pub fn connect(&mut self, which: std::ops::Range<usize>) -> Result<()> {
        self.connect_with(which, false)
    }

    /// The same; `narrow` sockets have a small buffer for what is not read yet.
    ///
    /// # Errors
    /// See [`Self::connect`].
    pub fn connect_with(&mut self, which: std::ops::Range<usize>, narrow: bool) -> Result<()> {
        let wanted = self.seats.ready + which.len();
        let mut coming = which;
        let (mut last, mut news) = (self.seats.ready, Instant::now());
        let mut opened = self.seats.ready;
        while self.seats.ready < wanted {
            while opened - self.seats.ready < AT_ONCE
                && let Some(index) = coming.next()
            {
                self.open(index, narrow)?;
                opened += 1;
            }
            self.turn(Duration::from_millis(100), &mut Nobody)?;
            if self.seats.ready > last {
                (last, news) = (self.seats.ready, Instant::now());
            }
            let missing = wanted - self.seats.ready;
            ensure!(news.elapsed() < PATIENCE, "{missing} clients are not let in");
        }
        Ok(())
    }

    /// Asks for a pong on every socket that is read, and waits for them: what was on its way has come then.
    ///
    /// # Errors
    /// What the listener says, and what the system does.
    pub fn settle(&mut self, listener: &mut dyn Listener) -> Result<()> {
        let before = self.seats.pongs;
        let mut asked = 0;
        for socket in self.seats.all.iter().filter_map(|seat| seat.socket) {
            if self.swarm.sockets.is_heard(socket) {
                self.swarm.sockets.ping(socket)?;
                asked += 1;
            }
        }
        let begun = Instant::now();
        while self.seats.pongs - before < asked && begun.elapsed() < SETTLING {
            self.turn(Duration::from_millis(100), listener)?;
        }
        Ok(())
    }

    fn open(&mut self, index: usize, narrow: bool) -> Result<()> {
        let seat = &mut self.seats.all[index];
        seat.client.before = seat.client.commands;
        let (path, in_header) = self.dialect.path(&seat.client);
        let bearer = in_header.then_some(seat.client.token.as_str());
        let address = address(&self.addresses, index).context("the target has no address")?;
        let request = request(address, &path, bearer);
        let socket = self.swarm.sockets.open(address, request, narrow)?;
        seat.socket = Some(socket);
        self.seats.owners.resize(socket + 1, usize::MAX);
        self.seats.owners[socket] = index;
        Ok(())
    }

    /// Cuts the sockets of all.
    pub fn cut_all(&mut self) {
        for seat in &mut self.seats.all {
            if let Some(socket) = seat.socket.take() {
                self.swarm.sockets.cut(socket);
            }
            seat.is_ready = false;
        }
        self.seats.ready = 0;
    }

    /// One of them stops reading, or begins again.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn set_deaf(&mut self, client: usize, is_deaf: bool) -> Result<()> {
        match self.seats.all[client].socket {
            Some(socket) => self.swarm.sockets.set_deaf(socket, is_deaf),
            None => Ok(()),
        }
    }
}

/// Where a client connects to: the second of each pair to the next after that of the first.
fn address(addresses: &[SocketAddr], client: usize) -> Option<SocketAddr> {
    addresses.get((client / 2 + client % 2) % addresses.len().max(1)).copied()
}

/// Turns what sockets tell into what clients hear.
struct Ears<'a> {
    seats: &'a mut Seats,
    dialect: &'a dyn Dialect,
    out: &'a mut Vec<u8>,
    listener: &'a mut dyn Listener,
}

impl Ears<'_> {
    fn owner(&self, socket: usize) -> Option<usize> {
        let owner = *self.seats.owners.get(socket)?;
        (self.seats.all.get(owner)?.socket == Some(socket)).then_some(owner)
    }

    fn ready(&mut self, owner: usize) {
        let seat = &mut self.seats.all[owner];
        self.seats.ready += usize::from(!seat.is_ready);
        seat.is_ready = true;
    }
}

impl Ear for Ears<'_> {
    fn opened(&mut self, sockets: &mut Sockets, id: usize) -> Result<()> {
        match self.dialect.is_ready_by_pong() {
            true => sockets.ping(id),
            false => Ok(()),
        }
    }

    fn text(&mut self, sockets: &mut Sockets, id: usize, text: &[u8]) -> Result<()> {
        let Some(owner) = self.owner(id) else { return Ok(()) };
        self.out.clear();
        let heard = self.dialect.hear(&mut self.seats.all[owner].client, text, self.out);
        if !self.out.is_empty() {
            sockets.text(id, self.out)?;
        }
        match heard {
            Heard::Nothing => Ok(()),
            Heard::Ready => {
                self.ready(owner);
                Ok(())
            }
            Heard::Refused(why) if !self.seats.all[owner].is_ready => {
                bail!("user {} is not let in: {why}", self.seats.all[owner].client.user)
            }
            heard => {
                let (seats, dialect) = (&mut *self.seats, self.dialect);
                let mut voice = Voice { sockets, seats, dialect, out: self.out };
                self.listener.heard(&mut voice, owner, heard)
            }
        }
    }

    fn pong(&mut self, _: &mut Sockets, id: usize) -> Result<()> {
        self.seats.pongs += 1;
        if let Some(owner) = self.owner(id).filter(|_| self.dialect.is_ready_by_pong()) {
            self.ready(owner);
        }
        Ok(())
    }

    fn ended(&mut self, _: &mut Sockets, id: usize, why: &str) -> Result<()> {
        let Some(owner) = self.owner(id) else { return Ok(()) };
        let seat = &mut self.seats.all[owner];
        seat.socket = None;
        self.seats.ready -= usize::from(seat.is_ready);
        seat.is_ready = false;
        self.listener.ended(&seat.client, why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_spread_evenly_and_pairs_over_two_addresses() {
        for count in 1..=3_u16 {
            let addresses: Vec<_> =
                (1..=count).map(|port| SocketAddr::from(([127, 0, 0, 1], port))).collect();
            let chosen: Vec<_> =
                (0..12).map(|client| address(&addresses, client).unwrap()).collect();
            for address in &addresses {
                let here = chosen.iter().filter(|chosen| *chosen == address).count();
                assert_eq!(here, 12 / usize::from(count));
            }
            let is_apart = |pair: &[SocketAddr]| pair[0] != pair[1];
            assert!(chosen.chunks(2).all(|pair| is_apart(pair) == (count > 1)));
        }
    }
}
