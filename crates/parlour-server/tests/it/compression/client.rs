//! A client that compresses and inflates, and sees of each frame how it came. It is written on the bare socket, because
//! no library that the tests use has the extension.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use parlour_websocket::{Decoder, Deflater, Limits, Message, client, mask};
use serde_json::{Value, json};

use crate::gateway::server::Server;

/// What browsers ask for.
pub(super) const OFFER: &str = "permessage-deflate; client_max_window_bits";

/// How long anything is waited for before the test fails.
const DEADLINE: Duration = Duration::from_secs(20);

const MASK: [u8; 4] = [1, 2, 3, 4];
const TEXT: u8 = 0x81;
const CLOSE: u8 = 0x88;
const COMPRESSED: u8 = 0x40;

pub(super) struct Compressing {
    stream: TcpStream,
    /// What the server answered to the offer.
    pub(super) agreed: Option<String>,
}

/// A text that came.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) compressed: bool,
    /// As it came.
    pub(super) payload: Vec<u8>,
    pub(super) text: String,
}

impl Frame {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }
}

impl Compressing {
    pub(super) fn open(server: &Server, path: &str, user: &str, offer: &str) -> Self {
        let sign_in = format!("Authorization: Bearer {}\r\n", server.token(user));
        Self::open_with(server, path, &sign_in, offer)
    }

    /// One that has not signed in.
    pub(super) fn open_as_nobody(server: &Server, path: &str, offer: &str) -> Self {
        Self::open_with(server, path, "", offer)
    }

    fn open_with(server: &Server, path: &str, lines: &str, offer: &str) -> Self {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_nodelay(true).unwrap();
        let asked = match offer {
            "" => String::new(),
            offer => format!("Sec-WebSocket-Extensions: {offer}\r\n"),
        };
        let (host, lines) = (server.address().to_string(), format!("{lines}{asked}"));
        let head = client::open(&mut stream, path, &host, &lines).unwrap();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        let agreed = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("sec-websocket-extensions").then(|| value.to_owned())
        });
        Self { stream, agreed }
    }

    /// One to which everything new comes.
    pub(super) fn live(server: &Server, user: &str) -> Self {
        let mut client = Self::open(server, "/api/v1/ws", user, OFFER);
        client.send(&json!({ "type": "resume", "id": 1, "positions": [] }));
        client.wait("reply");
        client
    }

    pub(super) fn send(&mut self, frame: &Value) {
        self.write(&masked(TEXT, frame.to_string().as_bytes()));
    }

    pub(super) fn send_compressed(&mut self, frame: &Value) {
        self.write(&compressed(&frame.to_string()));
    }

    pub(super) fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Reads up to the first frame of this type.
    pub(super) fn wait(&mut self, kind: &str) -> Frame {
        self.wait_until(|frame| frame.json()["type"] == kind)
    }

    /// Reads up to the first frame that has a text in it.
    pub(super) fn wait_for_text(&mut self, text: &str) -> Frame {
        self.wait_until(|frame| frame.text.contains(text))
    }

    fn wait_until(&mut self, fits: impl Fn(&Frame) -> bool) -> Frame {
        loop {
            match self.read() {
                Ok(frame) if fits(&frame) => return frame,
                Ok(_) => {}
                Err(code) => panic!("closed with {code}"),
            }
        }
    }

    /// Reads until the server closes, and gives its code.
    pub(super) fn end(&mut self) -> u16 {
        loop {
            if let Err(code) = self.read() {
                return code;
            }
        }
    }

    /// The next text, or the code of the close.
    pub(super) fn read(&mut self) -> Result<Frame, u16> {
        loop {
            let mut head = self.exactly(2);
            let length = match head[1] {
                126 => {
                    head.extend(self.exactly(2));
                    usize::from(u16::from_be_bytes([head[2], head[3]]))
                }
                127 => panic!("no frame of the tests is so long"),
                short => usize::from(short),
            };
            let payload = self.exactly(length);
            let compressed = head[0] & COMPRESSED != 0;
            match head[0] & !COMPRESSED {
                TEXT => {
                    let text = understand([head, payload.clone()].concat(), self.agreed.is_some());
                    return Ok(Frame { compressed, payload, text });
                }
                CLOSE => return Err(u16::from_be_bytes([payload[0], payload[1]])),
                _ => {}
            }
        }
    }

    fn exactly(&mut self, bytes: usize) -> Vec<u8> {
        let mut read = vec![0; bytes];
        self.stream.read_exact(&mut read).unwrap();
        read
    }
}

/// What a frame of the server says.
fn understand(mut frame: Vec<u8>, inflates: bool) -> String {
    let limits = Limits { max_message_bytes: 1 << 20, ..Limits::default() };
    let mut decoder = Decoder::client(limits);
    if inflates {
        decoder = decoder.with_deflate();
    }
    match decoder.next(&mut &mut frame[..]) {
        Ok(Some(Message::Text(text))) => text.to_owned(),
        other => panic!("{other:?}"),
    }
}

/// A text of the client, compressed.
pub(super) fn compressed(text: &str) -> Vec<u8> {
    let frame = Deflater::new(6, 15).text(text);
    // What does not shrink may be compressed all the same: one stored block, and an empty one whose end is left out.
    let payload = frame.map_or_else(
        || {
            let length = u16::try_from(text.len()).unwrap();
            let head = [&[0][..], &length.to_le_bytes(), &(!length).to_le_bytes()].concat();
            [&head, text.as_bytes(), &[0]].concat()
        },
        |frame| frame.payload().to_vec(),
    );
    masked(TEXT | COMPRESSED, &payload)
}

/// A frame of the client.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match u8::try_from(payload.len()) {
        Ok(short @ 0..126) => frame.push(0x80 | short),
        _ => {
            frame.push(0x80 | 126);
            frame.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
        }
    }
    frame.extend(MASK);
    let start = frame.len();
    frame.extend(payload);
    let _ = mask::apply(&mut frame[start..], MASK);
    frame
}
