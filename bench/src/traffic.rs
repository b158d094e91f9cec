//! Messages from senders to those whom they concern: at a pace, for a time, every one of them checked.

use std::{collections::VecDeque, time::Duration};

use anyhow::Result;
use parlour_harness::load::{Latencies, Watch};

use crate::{
    checker::{Arrival, Checker, Echo, Faults},
    clients::{Clients, Listener, Voice},
    dialect::{Client, Heard},
    text::Text,
};

/// The usual [`Plan::patience`].
pub const PATIENCE: Duration = Duration::from_secs(3);

/// In a closed loop nothing happens for so long when all wait for what is lost: then they give it up and go on.
const QUIET: u64 = 1_000_000;

/// A single sender of a closed loop gives up after so long.
const STUCK: u64 = 10_000_000;

/// How late a message may be sent so that its time still begins when it is sent. Later ones are late because this program was,
/// and their time begins when they were due.
const LATE: u64 = 5_000;

/// How sends follow each other.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Pace {
    /// Each sender has so many messages open at any time: not acknowledged (where messages are), or not arrived everywhere.
    Closed(usize),
    /// So many messages a second of all senders together, whatever comes back.
    Fixed(f64),
}

/// What is to be said.
#[derive(Clone, Debug)]
pub struct Plan {
    /// A number that no other run of these clients has.
    pub run: u64,
    /// Which clients send.
    pub senders: Vec<usize>,
    /// Whether each message is for everybody else; if not, it is for the other one of the pair.
    pub to_all: bool,
    /// Clients who are not listened to: nothing is due at them.
    pub deaf: std::ops::Range<usize>,
    /// How sends follow each other.
    pub pace: Pace,
    /// How long.
    pub time: Duration,
    /// Length of a message in bytes.
    pub length: usize,
    /// So many messages may be open in all; when there are more the run is over, and [`Outcome::overloaded`].
    pub most_open: f64,
    /// How long nothing may happen anywhere, at the end, until what is missing is lost. Who carries out many things side by
    /// side may be busy for long before the first is through.
    pub patience: Duration,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Messages sent.
    pub messages: u64,
    /// Arrivals at those whom they concern.
    pub deliveries: u64,
    /// From the first send to the last arrival or acknowledgement.
    pub seconds: f64,
    /// From send to arrival.
    pub latencies: Latencies,
    /// What went wrong.
    pub faults: Faults,
    /// Messages that were refused, and what was said to the first.
    pub refused: u64,
    /// See [`Self::refused`].
    pub refusal: Option<String>,
    /// Sockets that ended.
    pub ended: u64,
    /// Whether there were too many open messages.
    pub overloaded: bool,
}

/// A message that is open.
struct Open {
    command: u64,
    left: usize,
    is_acknowledged: bool,
}

impl Open {
    const fn is_over(&self) -> bool {
        self.left == 0 && self.is_acknowledged
    }
}

struct Sender {
    client: usize,
    /// The number of the next message.
    next: u64,
    /// Whom each message concerns.
    audience: usize,
    /// From the oldest that is not over; its number is `next` less their count.
    open: VecDeque<Open>,
    /// Of them so many are not over.
    count: usize,
    /// When it last sent or heard something of its own.
    moved: u64,
}

struct Traffic {
    plan: Plan,
    checker: Checker,
    senders: Vec<Sender>,
    /// By user number.
    of_user: Vec<Option<usize>>,
    /// By client.
    of_client: Vec<Option<usize>>,
    echo: Echo,
    awaits_answer: bool,
    watch: Watch,
    end: u64,
    last: u64,
    open: usize,
    text: Vec<u8>,
    outcome: Outcome,
}

/// Carries out a plan.
///
/// # Errors
/// When a socket ends, where that is not expected.
pub fn run(clients: &mut Clients, plan: Plan) -> Result<Outcome> {
    run_until(clients, plan, || ())
}

/// The same; `at_end` is called when the last message has arrived, or is given up. What is still on its way then is
/// waited for after that: it is a fault.
///
/// # Errors
/// See [`run`].
pub fn run_until(clients: &mut Clients, plan: Plan, at_end: impl FnOnce()) -> Result<Outcome> {
    let mut traffic = Traffic::new(clients, plan);
    traffic.go(clients)?;
    at_end();
    clients.settle(&mut traffic)?;
    let Traffic { mut outcome, checker, senders, of_user, last, .. } = traffic;
    let sent = |user: u32| {
        let sender = of_user.get(user as usize).copied().flatten();
        sender.map_or(0, |sender| senders[sender].next)
    };
    outcome.faults = checker.faults(sent);
    outcome.messages = senders.iter().map(|sender| sender.next).sum();
    outcome.seconds = last as f64 / 1e6;
    Ok(outcome)
}

impl Traffic {
    fn new(clients: &Clients, plan: Plan) -> Self {
        let mut checker = Checker::new(plan.run);
        let echo = clients.dialect().echo();
        let (count, mut senders) = (clients.count(), Vec::new());
        let (mut of_user, mut of_client) = (vec![None; count + 1], vec![None; count]);
        for client in &plan.senders {
            let me = clients.client(*client);
            of_user[me.user as usize] = Some(senders.len());
            of_client[*client] = Some(senders.len());
            let mut audience = 0;
            for other in (0..count).filter(|other| !plan.deaf.contains(other) && other != client) {
                let other = clients.client(other).user;
                if plan.to_all || other == me.other() {
                    checker.expect(other, me.user);
                    audience += 1;
                }
            }
            checker.expect_echo(me.user, echo);
            let (open, moved) = (VecDeque::new(), 0);
            senders.push(Sender { client: *client, next: 0, audience, open, count: 0, moved });
        }
        let awaits_answer = clients.dialect().acknowledges() || echo == Echo::Always;
        let end = u64::try_from(plan.time.as_micros()).unwrap_or(u64::MAX);
        Self {
            plan,
            checker,
            senders,
            of_user,
            of_client,
            echo,
            awaits_answer,
            end,
            watch: Watch::start(),
            last: 0,
            open: 0,
            text: Vec::new(),
            outcome: Outcome::default(),
        }
    }

    fn go(&mut self, clients: &mut Clients) -> Result<()> {
        self.watch = Watch::start();
        match self.plan.pace {
            Pace::Closed(window) => {
                for sender in 0..self.senders.len() {
                    for _ in 0..window {
                        let now = self.watch.micros();
                        self.send(&mut clients.voice(), sender, now)?;
                    }
                }
            }
            Pace::Fixed(rate) => self.send_at(clients, rate)?,
        }
        loop {
            let now = self.watch.micros();
            let is_over = now >= self.end;
            if is_over && self.open == 0 {
                return Ok(());
            }
            let quiet = Duration::from_micros(now.saturating_sub(self.last));
            if is_over && quiet > self.plan.patience {
                return Ok(());
            }
            if !is_over {
                self.give_up(&mut clients.voice(), now)?;
            }
            clients.turn(Duration::from_millis(100), self)?;
        }
    }

    /// Sends at a rate, in turns, until the time is over.
    fn send_at(&mut self, clients: &mut Clients, rate: f64) -> Result<()> {
        let mut count = 0_u64;
        loop {
            let now = self.watch.micros();
            let due = micros(count as f64 / rate);
            if due >= self.end || self.outcome.overloaded {
                self.end = self.end.min(now);
                return Ok(());
            }
            if due > now {
                clients.turn(Duration::from_micros(due - now), self)?;
                continue;
            }
            let begun = if now - due > LATE { due } else { now };
            let sender = usize::try_from(count)? % self.senders.len();
            self.send(&mut clients.voice(), sender, begun)?;
            count += 1;
            self.outcome.overloaded = self.open as f64 > self.plan.most_open;
            // What comes back is read in between, also when sends are late.
            if count.is_multiple_of(64) {
                clients.turn(Duration::ZERO, self)?;
            }
        }
    }

    fn send(&mut self, voice: &mut Voice<'_>, index: usize, begun: u64) -> Result<()> {
        let sender = &mut self.senders[index];
        let user = voice.client(sender.client).user;
        let text = Text { run: self.plan.run, sender: user, number: sender.next, micros: begun };
        self.text.clear();
        text.write(self.plan.length, &mut self.text);
        let command = voice.say(sender.client, &self.text)?;
        let (left, is_acknowledged) = (sender.audience, !self.awaits_answer);
        sender.open.push_back(Open { command, left, is_acknowledged });
        sender.next += 1;
        sender.count += 1;
        sender.moved = begun;
        self.open += 1;
        Ok(())
    }

    /// Something has come of a message: `change` says what. In a closed loop the next is sent when it is over.
    fn settle(
        &mut self,
        voice: &mut Voice<'_>,
        index: usize,
        find: impl FnOnce(&Sender) -> Option<usize>,
        change: impl FnOnce(&mut Open),
    ) -> Result<()> {
        let now = self.watch.micros();
        let sender = &mut self.senders[index];
        sender.moved = now;
        // What comes when all is over does not make the run longer.
        if self.open > 0 {
            self.last = now;
        }
        let Some(open) = find(sender).and_then(|place| sender.open.get_mut(place)) else {
            return Ok(());
        };
        let was_over = open.is_over();
        change(open);
        if was_over || !open.is_over() {
            return Ok(());
        }
        sender.count -= 1;
        self.open -= 1;
        while sender.open.front().is_some_and(Open::is_over) {
            sender.open.pop_front();
        }
        match self.plan.pace {
            Pace::Closed(_) if now < self.end => self.send(voice, index, now),
            _ => Ok(()),
        }
    }

    /// What senders have waited for too long is lost, or will come when nobody waits for it; they go on.
    fn give_up(&mut self, voice: &mut Voice<'_>, now: u64) -> Result<()> {
        let Pace::Closed(window) = self.plan.pace else { return Ok(()) };
        let limit = if now.saturating_sub(self.last) > QUIET { QUIET } else { STUCK };
        for index in 0..self.senders.len() {
            let sender = &mut self.senders[index];
            if now.saturating_sub(sender.moved) < limit {
                continue;
            }
            self.open -= sender.count;
            sender.count = 0;
            sender.open.clear();
            for _ in 0..window {
                self.send(voice, index, now)?;
            }
        }
        Ok(())
    }

    fn arrived(&mut self, voice: &mut Voice<'_>, client: usize, text: &Text) -> Result<()> {
        if self.plan.deaf.contains(&client) {
            return Ok(());
        }
        let user = voice.client(client).user;
        let arrival = self.checker.arrived(user, text);
        let sender = self.of_user.get(text.sender as usize).copied().flatten();
        let (Some(sender), true) = (sender, arrival != Arrival::Fault) else { return Ok(()) };
        let number = text.number;
        let place = |sender: &Sender| {
            let first = sender.next - sender.open.len() as u64;
            usize::try_from(number.checked_sub(first)?).ok()
        };
        match arrival {
            Arrival::First => {
                self.outcome.latencies.add(text.micros, self.watch.micros());
                self.outcome.deliveries += 1;
                self.settle(voice, sender, place, |open| open.left = open.left.saturating_sub(1))
            }
            _ if self.echo == Echo::Always => {
                self.settle(voice, sender, place, |open| open.is_acknowledged = true)
            }
            _ => Ok(()),
        }
    }

    fn done(&mut self, voice: &mut Voice<'_>, client: usize, command: u64) -> Result<()> {
        let Some(sender) = self.of_client[client] else { return Ok(()) };
        let place = |sender: &Sender| {
            let first = sender.open.front()?.command;
            usize::try_from(command.checked_sub(first)?).ok()
        };
        self.settle(voice, sender, place, |open| open.is_acknowledged = true)
    }
}

impl Listener for Traffic {
    fn heard(&mut self, voice: &mut Voice<'_>, client: usize, heard: Heard) -> Result<()> {
        match heard {
            Heard::Message(text) => self.arrived(voice, client, &text),
            Heard::Done(command) => self.done(voice, client, command),
            Heard::Refused(why) => {
                self.outcome.refused += 1;
                self.outcome.refusal.get_or_insert(why);
                Ok(())
            }
            Heard::Nothing | Heard::Ready | Heard::Typing => Ok(()),
        }
    }

    fn ended(&mut self, client: &Client, why: &str) -> Result<()> {
        // Users are numbered from 1, clients from 0.
        if self.plan.deaf.contains(&(client.user as usize - 1)) {
            self.outcome.ended += 1;
            return Ok(());
        }
        anyhow::bail!("the socket of user {} has ended: {why}", client.user)
    }
}

/// Seconds as whole microseconds.
pub(crate) fn micros(seconds: f64) -> u64 {
    u64::try_from(Duration::from_secs_f64(seconds).as_micros()).unwrap_or(u64::MAX)
}
