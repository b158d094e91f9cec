//! A native client on a plain WebSocket library, for tests: it blocks, and waits for values with a deadline.

use std::{
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tungstenite::{
    ClientRequestBuilder, Error, Message, WebSocket, http::Uri, protocol::frame::coding::CloseCode,
};

/// How long any value is waited for before the test fails.
const DEADLINE: Duration = Duration::from_secs(20);

pub(crate) struct Client {
    pub(crate) socket: WebSocket<TcpStream>,
    /// Frames that came while something else was waited for.
    pub(crate) seen: Vec<Value>,
    next_id: u64,
}

/// How a socket ended, or what came instead.
#[derive(Debug, PartialEq)]
pub(crate) enum End {
    Closed(u16, String),
    Cut,
}

impl Client {
    /// Opens a socket; the HTTP status when it is refused.
    pub(crate) fn open(
        address: SocketAddr,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Result<(Self, Option<String>), u16> {
        let uri: Uri = format!("ws://{address}{path}").parse().unwrap();
        let mut request = ClientRequestBuilder::new(uri);
        for (name, value) in headers {
            request = request.with_header(*name, *value);
        }
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_nodelay(true).unwrap();
        match tungstenite::client(request, stream) {
            Ok((socket, response)) => {
                let protocol = response.headers().get("sec-websocket-protocol");
                let protocol = protocol.map(|value| value.to_str().unwrap().to_owned());
                Ok((Self { socket, seen: Vec::new(), next_id: 1 }, protocol))
            }
            Err(tungstenite::HandshakeError::Failure(Error::Http(response))) => {
                Err(response.status().as_u16())
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// A signed-in socket that has said nothing yet; its hello is read.
    pub(crate) fn connect(address: SocketAddr, token: &str) -> (Self, Value) {
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", &*bearer), ("sec-websocket-protocol", "parlour.v1")];
        let (mut client, _) = Self::open(address, "/api/v1/ws", &headers).unwrap();
        let hello = client.wait(|frame| frame["type"] == "hello");
        (client, hello)
    }

    /// A socket to which everything new comes.
    pub(crate) fn live(address: SocketAddr, token: &str) -> Self {
        let (mut client, _) = Self::connect(address, token);
        client.ask(json!({ "type": "resume", "positions": [] }));
        client
    }

    pub(crate) fn send(&mut self, frame: &Value) {
        self.socket.send(Message::text(frame.to_string())).unwrap();
    }

    /// Sends a command and waits for its reply.
    pub(crate) fn ask(&mut self, mut command: Value) -> Value {
        let id = self.next_id;
        self.next_id += 1;
        command["id"] = json!(id);
        self.send(&command);
        self.wait(|frame| frame["type"] == "reply" && frame["id"] == id)
    }

    /// The first frame, seen already or still to come, that fits; it is taken out.
    pub(crate) fn wait(&mut self, fits: impl Fn(&Value) -> bool) -> Value {
        if let Some(index) = self.seen.iter().position(&fits) {
            return self.seen.remove(index);
        }
        let until = Instant::now() + DEADLINE;
        while Instant::now() < until {
            match self.read() {
                Ok(frame) if fits(&frame) => return frame,
                Ok(frame) => self.seen.push(frame),
                Err(end) => panic!("ended with {end:?} after {:?}", self.seen),
            }
        }
        panic!("nothing fitting came, only {:?}", self.seen);
    }

    /// The next frame.
    pub(crate) fn read(&mut self) -> Result<Value, End> {
        loop {
            match self.socket.read() {
                Ok(Message::Text(text)) => return Ok(serde_json::from_str(&text).unwrap()),
                Ok(Message::Close(Some(close))) => {
                    let code = u16::from(close.code);
                    return Err(End::Closed(code, close.reason.to_string()));
                }
                Ok(Message::Close(None)) => {
                    return Err(End::Closed(CloseCode::Status.into(), String::new()));
                }
                Ok(_) => {}
                Err(Error::Io(error)) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    panic!("nothing came in time; seen: {:?}", self.seen)
                }
                Err(_) => return Err(End::Cut),
            }
        }
    }

    /// Reads until the end.
    pub(crate) fn end(&mut self) -> End {
        loop {
            match self.read() {
                Ok(frame) => self.seen.push(frame),
                Err(end) => return end,
            }
        }
    }

    /// Everything that came until an answered ping, which comes after all that was due.
    pub(crate) fn settle(&mut self) -> Vec<Value> {
        self.ask(json!({ "type": "ping" }));
        std::mem::take(&mut self.seen)
    }
}
