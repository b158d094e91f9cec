//! What the texts of a signed-in client mean: from a frame of its dialect to commands, and their answers back.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use parlour_core::{
    Code, Error, Result,
    command::Reply,
    limits::{Bucket, rate_limited},
};
use parlour_wire::{Caller, Dialect, Request, Tag};

use super::{
    Gateway,
    close::Close,
    conn::Conn,
    connection::{Open, Speaker},
    frames::Frames,
    session::{self, Executed},
};

/// Frames in a row that are no JSON, before the socket is closed.
pub(crate) const BROKEN_FRAMES: u32 = 10;

/// What a socket's texts mean to its connection.
pub(super) struct Client {
    gateway: Arc<Gateway>,
    conn: Arc<Conn>,
    alternative: Option<&'static dyn Dialect>,
    /// What was missed has not been sent yet.
    waits: bool,
    open_ids: Vec<u64>,
    commands: Bucket,
    refused: u32,
    broken: u32,
}

/// How something ended that took a while.
pub(super) enum Answer {
    /// A command; without an outcome an event answers it, or already has.
    Command { tag: Tag, outcome: Option<Result<Reply>>, _open: OpenCommand },
    /// What was missed has been sent.
    Resumed(Result<()>),
}

/// Counts a command as open for as long as it lives, also when its connection goes before it is answered.
pub(crate) struct OpenCommand(Arc<Gateway>);

impl OpenCommand {
    pub(crate) fn new(gateway: &Arc<Gateway>) -> Self {
        gateway.hub.open_commands.fetch_add(1, Relaxed);
        Self(gateway.clone())
    }
}

impl Drop for OpenCommand {
    fn drop(&mut self) {
        self.0.hub.open_commands.fetch_sub(1, Relaxed);
    }
}

impl Speaker for Client {
    type Asked = Vec<Request>;
    type Answer = Answer;

    fn read(&self, text: &str) -> Vec<Request> {
        if let Some(other) = self.alternative.filter(|other| other.claims(text)) {
            self.conn.become_speaker_of(other);
        }
        let mut requests = Vec::new();
        let caller =
            Caller { user: &self.conn.user, scope: self.conn.scope, limits: &self.gateway.limits };
        self.conn.dialect().decode(text, &caller, &mut requests);
        requests
    }

    fn handle(&mut self, requests: Vec<Request>, open: &mut Open<Answer>) {
        self.alternative = None;
        self.gateway.metrics.frames_received.inc();
        let is_json =
            |request: &Request| !matches!(&request.command, Err(e) if e.code == Code::InvalidJson);
        if requests.iter().any(is_json) {
            self.broken = 0;
        } else {
            self.broken += 1;
        }
        for request in requests {
            self.request(request, open);
        }
        if self.broken >= BROKEN_FRAMES {
            self.conn.close(&Close::PROTOCOL_BROKEN);
        }
    }

    fn answer(&mut self, answer: Answer) {
        match answer {
            Answer::Command { tag, outcome, _open } => {
                // One of them: when its reply had come, the client may have used the id again.
                if let Some(place) = self.open_ids.iter().position(|open| tag.id == Some(*open)) {
                    self.open_ids.swap_remove(place);
                }
                if let Some(outcome) = outcome {
                    self.reply(&tag, &outcome);
                }
            }
            Answer::Resumed(outcome) => {
                self.waits = false;
                if let Err(error) = outcome {
                    session::log_failure(&error);
                    self.conn.close(&Close::TRY_AGAIN);
                }
            }
        }
    }

    fn is_ready(&self, open: usize) -> bool {
        !self.waits && open < self.gateway.limits.open_commands
    }

    fn idle(&mut self) {
        self.open_ids = Vec::new();
    }
}

impl Client {
    pub(super) fn new(
        gateway: Arc<Gateway>,
        conn: Arc<Conn>,
        alternative: Option<&'static dyn Dialect>,
        waits: bool,
    ) -> Self {
        Self {
            gateway,
            conn,
            alternative,
            waits,
            open_ids: Vec::new(),
            commands: Bucket::default(),
            refused: 0,
            broken: 0,
        }
    }

    fn request(&mut self, Request { tag, command }: Request, open: &mut Open<Answer>) {
        self.gateway.metrics.commands.inc();
        let admitted = command.and_then(|command| {
            if tag.id.is_some_and(|id| self.is_open(id)) {
                return Err(Error::new(Code::Conflict, "a command with this id is still open"));
            }
            if session::is_limited(&command) {
                self.limit()?;
            }
            Ok(command)
        });
        let command = match admitted {
            Ok(command) => command,
            Err(error) => return self.reply(&tag, &Err(error)),
        };
        if let Some(id) = tag.id {
            self.conn.forget_answer(id);
        }
        match session::execute(&self.gateway, &self.conn, tag.id, command) {
            Executed::Now(outcome) => self.reply(&tag, &outcome),
            Executed::Later(work) => {
                self.open_ids.extend(tag.id);
                let counted = OpenCommand::new(&self.gateway);
                open.push(Box::pin(async move {
                    Answer::Command { tag, outcome: work.await, _open: counted }
                }));
            }
        }
    }

    /// Whether a command with this id is not answered yet.
    fn is_open(&self, id: u64) -> bool {
        self.open_ids.contains(&id) && !self.conn.has_answered(id)
    }

    /// Takes one command from the connection's rate; who ignores refusals a hundred times is closed.
    fn limit(&mut self) -> Result<()> {
        let limits = &self.gateway.limits;
        if !limits.rates_enforced {
            return Ok(());
        }
        let Err(wait) = self.commands.take(limits.commands, self.gateway.clock.monotonic()) else {
            self.refused = 0;
            return Ok(());
        };
        self.refused += 1;
        if self.refused >= limits.refused_before_close {
            self.conn.close(&Close::too_many(std::time::Duration::from_secs(30)));
        }
        Err(rate_limited("commands", wait))
    }

    fn reply(&self, tag: &Tag, outcome: &Result<Reply>) {
        if let Err(error) = outcome {
            self.gateway.metrics.refused.inc();
            session::log_failure(error);
        }
        let at = match outcome {
            Ok(Reply::Message(appended)) => Some(appended.message.conversation),
            _ => self.conn.scope,
        };
        self.gateway.hub.with_scene(at, |scene| {
            let frames = Frames::of(|out| self.conn.dialect().reply(tag, outcome, scene, out));
            self.conn.send_ahead(frames);
        });
    }
}
