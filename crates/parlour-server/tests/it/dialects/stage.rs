//! A server with people who have something to talk about, and what they do over REST.

use std::{io::Write as _, net::TcpStream};

use serde_json::{Value, json};

use super::{
    socket::Socket,
    speech::{Place, Spoken},
};
use crate::gateway::{client::Client, server::Server};

pub(super) const ALICE: &str = "1";
pub(super) const BOB: &str = "2";
pub(super) const CAROL: &str = "3";
pub(super) const MALLORY: &str = "9";

/// A server on which alice and bob have a direct conversation.
pub(super) struct Stage {
    pub(super) server: Server,
    pub(super) talk: u64,
}

impl Stage {
    pub(super) fn new() -> Self {
        Self::with(&[])
    }

    pub(super) fn with(settings: &[(&str, &str)]) -> Self {
        Self::on(Server::with(settings))
    }

    pub(super) fn on(server: Server) -> Self {
        let mut stage = Self { server, talk: 0 };
        stage.talk = stage.conversation(ALICE, "direct", &[BOB]);
        stage
    }

    /// A conversation that somebody makes, or that stands.
    pub(super) fn conversation(&self, user: &str, kind: &str, others: &[&str]) -> u64 {
        let new = json!({ "kind": kind, "participants": others, "title": (kind == "group").then_some("Group") });
        self.post(user, "/api/v1/conversations", &new)["id"].as_u64().unwrap()
    }

    /// Where somebody of the two stands who speak in the stage's conversation.
    pub(super) fn place(&self, user: &str) -> Place {
        let other = if user == ALICE { BOB } else { ALICE };
        Place { conversation: self.talk, other: Some(other.to_owned()) }
    }

    /// A socket that is ready: what is said from now on comes to it.
    #[track_caller]
    pub(super) fn socket(&self, spoken: Spoken, user: &str) -> Socket {
        self.socket_at(spoken, user, self.place(user), "")
    }

    /// The same in another place, or with more in its address (`&device=phone`).
    #[track_caller]
    pub(super) fn socket_at(&self, spoken: Spoken, user: &str, at: Place, more: &str) -> Socket {
        let mut socket = self.arriving(spoken, user, at, more);
        // Nothing is read of a socket before its return is over.
        let heard = socket.settle();
        socket.heard = heard;
        socket
    }

    /// Somebody was here, has proof of "before", and was cut off.
    #[track_caller]
    pub(super) fn away_with_proof(&self, spoken: Spoken, user: &str) {
        let mut phone = self.socket(spoken, user);
        self.say(BOB, "before");
        phone.until("before");
        phone.prove();
        phone.cut();
    }

    /// Asks for a socket, and does not wait for the answer.
    pub(super) fn knocking(&self, spoken: Spoken, user: &str) -> TcpStream {
        let (path, address) =
            (self.path(spoken, user, &self.place(user), ""), self.server.address());
        let mut stream = TcpStream::connect(address).unwrap();
        let asking = format!(
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(asking.as_bytes()).unwrap();
        stream
    }

    /// The address of a socket, with its sign-in.
    pub(super) fn path(&self, spoken: Spoken, user: &str, at: &Place, more: &str) -> String {
        let (path, token) = (spoken.path(at.conversation), self.server.token(user));
        format!("{path}?dialect={}&token={token}{more}", spoken.name)
    }

    /// A socket that has been let in, and no more.
    #[track_caller]
    pub(super) fn arriving(&self, spoken: Spoken, user: &str, at: Place, more: &str) -> Socket {
        let path = self.path(spoken, user, &at, more);
        let opened = Client::open(self.server.address(), &path, &[]);
        let (client, _) = opened.unwrap_or_else(|status| panic!("{}: {status}", spoken.name));
        Socket::new(client, spoken, user, at)
    }

    /// The HTTP status of the refusal, or how the socket was closed at once.
    pub(super) fn knock(&self, path: &str, headers: &[(&str, &str)]) -> Knock {
        match Client::open(self.server.address(), path, headers) {
            Err(status) => Knock::Refused(status),
            Ok((mut client, protocol)) => {
                match client.socket.send(tungstenite::Message::Ping(vec![1].into())) {
                    Ok(()) => {}
                    Err(error) => panic!("{path}: {error}"),
                }
                loop {
                    match client.socket.read() {
                        Ok(tungstenite::Message::Pong(_)) => return Knock::Entered(protocol),
                        Ok(tungstenite::Message::Close(Some(close))) => {
                            return Knock::Closed(close.code.into(), close.reason.to_string());
                        }
                        Ok(_) => {}
                        Err(error) => panic!("{path}: {error}"),
                    }
                }
            }
        }
    }

    #[track_caller]
    pub(super) fn post(&self, user: &str, path: &str, body: &Value) -> Value {
        let (status, answer) = self.server.call("POST", path, &self.server.token(user), Some(body));
        assert!((200..300).contains(&status), "{path} {status} {answer}");
        answer
    }

    /// Says something over REST; the message's id.
    #[track_caller]
    pub(super) fn say(&self, user: &str, text: &str) -> u64 {
        self.say_in(self.talk, user, text)
    }

    #[track_caller]
    pub(super) fn say_in(&self, conversation: u64, user: &str, text: &str) -> u64 {
        let path = format!("/api/v1/conversations/{conversation}/messages");
        self.post(user, &path, &json!({ "content": text }))["id"].as_u64().unwrap()
    }

    #[track_caller]
    pub(super) fn edit(&self, user: &str, message: u64, text: &str) {
        let path = format!("/api/v1/messages/{message}");
        let body = json!({ "content": text });
        let (status, answer) =
            self.server.call("PATCH", &path, &self.server.token(user), Some(&body));
        assert_eq!(status, 200, "{answer}");
    }

    #[track_caller]
    pub(super) fn delete(&self, user: &str, message: u64) {
        let path = format!("/api/v1/messages/{message}");
        let (status, answer) = self.server.call("DELETE", &path, &self.server.token(user), None);
        assert_eq!(status, 204, "{answer}");
    }

    #[track_caller]
    pub(super) fn read(&self, user: &str, message: u64) {
        let path = format!("/api/v1/conversations/{}/read", self.talk);
        self.post(user, &path, &json!({ "message_id": message }));
    }

    #[track_caller]
    pub(super) fn remove(&self, by: &str, conversation: u64, user: &str) {
        let path = format!("/api/v1/conversations/{conversation}/participants/{user}");
        let (status, answer) = self.server.call("DELETE", &path, &self.server.token(by), None);
        assert_eq!(status, 204, "{answer}");
    }

    /// What stands in the conversation: ids and texts, oldest first.
    #[track_caller]
    pub(super) fn history(&self, user: &str) -> Vec<(u64, String)> {
        self.history_of(self.talk, user)
    }

    #[track_caller]
    pub(super) fn history_of(&self, conversation: u64, user: &str) -> Vec<(u64, String)> {
        let path = format!("/api/v1/conversations/{conversation}/messages?limit=100");
        let (status, page) = self.server.get(&path, &self.server.token(user));
        assert_eq!(status, 200, "{page}");
        let line = |message: &Value| {
            let text = message["content"].as_str().unwrap_or("(deleted)");
            (message["id"].as_u64().unwrap(), text.to_owned())
        };
        let mut lines: Vec<_> = page["results"].as_array().unwrap().iter().map(line).collect();
        lines.sort_unstable();
        lines
    }
}

/// How a door was answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Knock {
    /// With an HTTP status.
    Refused(u16),
    /// With a socket that was closed at once.
    Closed(u16, String),
    /// With a socket, and the subprotocol that it has.
    Entered(Option<String>),
}

impl Knock {
    /// Whether it is a refusal in the way of the dialect.
    #[track_caller]
    pub(super) fn is_refusal(&self, spoken: Spoken, status: u16, code: u16, what: &str) {
        let fits = match self {
            Self::Refused(told) => spoken.refuses_early && *told == status,
            Self::Closed(told, _) => !spoken.refuses_early && *told == code,
            Self::Entered(_) => false,
        };
        assert!(fits, "{} with {what}: {self:?}", spoken.name);
    }
}
