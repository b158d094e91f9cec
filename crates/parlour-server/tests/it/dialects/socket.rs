//! A client of one of the dialects on a plain WebSocket library: it answers pings when it reads, and only then.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tungstenite::{Error, Message};

use super::speech::{Heard, Place, Spoken};
use crate::gateway::client::{Client, End};

/// How long any value is waited for before the test fails.
const DEADLINE: Duration = Duration::from_secs(20);

pub(super) struct Socket {
    pub(super) client: Client,
    pub(super) spoken: Spoken,
    pub(super) user: String,
    pub(super) at: Place,
    /// What came while something else was waited for.
    pub(super) heard: Vec<Heard>,
    /// The frames as they came, in the order of all that came.
    pub(super) frames: Vec<Value>,
    /// Everything durable that came has been followed by a ping, which was answered.
    proved: bool,
    pongs: u64,
}

/// What a read gave.
enum Read {
    Heard(Heard),
    Pong(Vec<u8>),
    Other,
    End(End),
}

impl Socket {
    pub(super) fn new(client: Client, spoken: Spoken, user: &str, at: Place) -> Self {
        Self {
            client,
            spoken,
            user: user.to_owned(),
            at,
            heard: Vec::new(),
            frames: Vec::new(),
            proved: true,
            pongs: 0,
        }
    }

    pub(super) fn send(&mut self, frame: &Value) {
        self.client.send(frame);
    }

    pub(super) fn send_text(&mut self, text: &str) {
        self.client.socket.send(Message::text(text)).unwrap();
    }

    /// Says something without waiting.
    pub(super) fn say(&mut self, text: &str) {
        let frame = self.spoken.say(&self.at, &self.user, text);
        self.send(&frame);
    }

    /// Says something under a name of its own choice.
    pub(super) fn say_as(&mut self, text: &str, field: &str, name: &str) {
        let mut frame = self.spoken.say(&self.at, &self.user, text);
        frame[field] = json!(name);
        self.send(&frame);
    }

    /// Says something and waits until the server has it: the message's id, as the sending socket learns of it.
    pub(super) fn said(&mut self, text: &str) -> u64 {
        self.say(text);
        self.own(text)
    }

    /// How the sending socket learns of its own message.
    pub(super) fn own(&mut self, text: &str) -> u64 {
        match self.wait(|heard| matches!(heard, Heard::Sent(_)) || heard.says(text)) {
            Heard::Sent(id) | Heard::Said { id, .. } => id,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn typing(&mut self, on: bool) {
        let frame = self.spoken.typing(&self.at, on);
        self.send(&frame);
    }

    pub(super) fn read_up_to(&mut self, messages: &[u64]) {
        for frame in self.spoken.read(messages) {
            self.send(&frame);
        }
    }

    pub(super) fn edit(&mut self, message: u64, text: &str) {
        let frame = self.spoken.edit(message, text);
        self.send(&frame);
    }

    pub(super) fn delete(&mut self, message: u64) {
        let frame = self.spoken.delete(message);
        self.send(&frame);
    }

    /// The first thing, heard already or still to come, that fits; it is taken out.
    #[track_caller]
    pub(super) fn wait(&mut self, fits: impl Fn(&Heard) -> bool) -> Heard {
        if let Some(index) = self.heard.iter().position(&fits) {
            return self.heard.remove(index);
        }
        let until = Instant::now() + DEADLINE;
        while Instant::now() < until {
            match self.read() {
                Read::Heard(heard) if fits(&heard) => return heard,
                Read::Heard(heard) => self.heard.push(heard),
                Read::End(end) => panic!("{}: {end:?} after {:?}", self.spoken.name, self.frames),
                Read::Pong(_) | Read::Other => {}
            }
        }
        panic!("{}: nothing fitting came, only {:?}", self.spoken.name, self.frames);
    }

    /// Waits for an error with a code; its frame.
    #[track_caller]
    pub(super) fn refused(&mut self, code: &str) -> Value {
        let heard = self.wait(|heard| matches!(heard, Heard::Error(_)));
        let frame = self.frames.iter().rfind(|frame| frame["type"] == "error").unwrap().clone();
        assert_eq!(heard, Heard::Error(code.to_owned()), "{} {frame}", self.spoken.name);
        for field in ["code", "message"] {
            assert!(frame[field].as_str().is_some_and(|text| !text.is_empty()), "{frame}");
        }
        frame
    }

    /// Everything but comings and goings that came before something is said, and that; all of it taken out.
    #[track_caller]
    pub(super) fn until(&mut self, text: &str) -> Vec<Heard> {
        self.wait_for(text);
        let end = self.heard.iter().position(|heard| heard.says(text)).unwrap();
        let mut before: Vec<_> = self.heard.drain(..=end).collect();
        before.retain(|heard| !matches!(heard, Heard::Status(..)));
        before
    }

    /// The same, but only what is durable.
    #[track_caller]
    pub(super) fn durable_until(&mut self, text: &str) -> Vec<Heard> {
        let mut before = self.until(text);
        before.retain(Heard::is_durable);
        before
    }

    #[track_caller]
    fn wait_for(&mut self, text: &str) {
        while !self.heard.iter().any(|heard| heard.says(text)) {
            match self.read() {
                Read::Heard(heard) => self.heard.push(heard),
                Read::End(end) => panic!("{}: {end:?} after {:?}", self.spoken.name, self.frames),
                Read::Pong(_) | Read::Other => {}
            }
        }
    }

    /// Waits until the server has answered a ping, which comes after all that was due; everything that came.
    #[track_caller]
    pub(super) fn settle(&mut self) -> Vec<Heard> {
        self.pongs += 1;
        let payload = self.pongs.to_be_bytes().to_vec();
        self.client.socket.send(Message::Ping(payload.clone().into())).unwrap();
        loop {
            match self.read() {
                Read::Heard(heard) => self.heard.push(heard),
                Read::Pong(answer) if answer == payload => return std::mem::take(&mut self.heard),
                Read::Pong(_) | Read::Other => {}
                Read::End(end) => panic!("{}: {end:?} after {:?}", self.spoken.name, self.frames),
            }
        }
    }

    /// Reads until the server has had proof that everything so far has arrived.
    #[track_caller]
    pub(super) fn prove(&mut self) {
        while !self.proved {
            match self.read() {
                Read::Heard(heard) => self.heard.push(heard),
                Read::End(end) => panic!("{}: {end:?}", self.spoken.name),
                Read::Pong(_) | Read::Other => {}
            }
        }
        let heard = self.settle();
        self.heard = heard;
    }

    /// The connection breaks: no close frame, no answer any more.
    pub(super) fn cut(self) {
        drop(self.client);
    }

    /// Says goodbye, and waits for the answer.
    pub(super) fn leave(mut self) {
        self.client.socket.close(None).unwrap();
        assert!(matches!(self.end(), End::Closed(1000 | 1005, _)), "{}", self.spoken.name);
    }

    /// Reads until the end; what came is kept.
    pub(super) fn end(&mut self) -> End {
        loop {
            match self.read() {
                Read::Heard(heard) => self.heard.push(heard),
                Read::End(end) => return end,
                Read::Pong(_) | Read::Other => {}
            }
        }
    }

    fn read(&mut self) -> Read {
        match self.client.socket.read() {
            Ok(Message::Text(text)) => {
                let frame: Value = serde_json::from_str(&text).unwrap();
                let heard = self.spoken.hear(&frame);
                self.frames.push(frame);
                self.proved &= !heard.is_durable();
                Read::Heard(heard)
            }
            Ok(Message::Ping(payload)) => {
                // The library has its pong ready, and sends it with the next thing that it does.
                self.client.socket.flush().unwrap();
                self.proved |= !payload.is_empty();
                Read::Other
            }
            Ok(Message::Pong(payload)) => Read::Pong(payload.to_vec()),
            Ok(Message::Close(close)) => Read::End(close.map_or_else(
                || End::Closed(1005, String::new()),
                |close| End::Closed(close.code.into(), close.reason.to_string()),
            )),
            Ok(_) => Read::Other,
            Err(Error::Io(error)) if error.kind() == std::io::ErrorKind::WouldBlock => {
                panic!("{}: nothing came in time; only {:?}", self.spoken.name, self.frames)
            }
            Err(_) => Read::End(End::Cut),
        }
    }
}
