//! A native client that blocks, and allocates nothing to send and to read.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use parlour_websocket::{Decoder, Limits, Message, client};

/// How long any frame is waited for before the test fails.
const DEADLINE: Duration = Duration::from_secs(20);

/// A pong without payload. The server counts only that one came.
const PONG: &[u8] = &[0x8a, 0x80, 0, 0, 0, 0];

/// A connection.
pub(crate) struct Client {
    stream: TcpStream,
    decoder: Decoder,
    buffer: Vec<u8>,
    /// What of the buffer is read and not looked at.
    from: usize,
    to: usize,
}

impl Client {
    /// Connects, and resumes from nothing.
    pub(crate) fn live(address: SocketAddr, token: &str) -> Self {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let sign_in = format!("Authorization: Bearer {token}\r\n");
        let host = address.to_string();
        let head = client::open(&mut stream, "/api/v1/ws", &host, &sign_in).unwrap();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        let decoder = Decoder::client(Limits { max_message_bytes: 1 << 20, max_fragments: 1 });
        let mut client = Self { stream, decoder, buffer: vec![0; 1 << 20], from: 0, to: 0 };
        client.send(&Self::frame(r#"{"type":"resume","id":1,"positions":[]}"#));
        client.wait(br#"{"type":"reply","id":1"#);
        client
    }

    /// A frame that can be sent.
    pub(crate) fn frame(text: &str) -> Vec<u8> {
        client::text(text, [1, 2, 3, 4])
    }

    pub(crate) fn send(&mut self, frame: &[u8]) {
        self.stream.write_all(frame).unwrap();
    }

    /// Makes a conversation, and gives its number.
    pub(crate) fn create(&mut self, kind: &str, other: &str) -> u64 {
        let text = format!(
            r#"{{"type":"conversation.create","id":1,"kind":"{kind}","participants":["{other}"]}}"#
        );
        self.send(&Self::frame(&text));
        let mut id = None;
        self.until(|text| {
            let reply: serde_json::Value = serde_json::from_str(text).unwrap();
            if reply["type"] == "reply" {
                id = Some(reply["ok"]["conversation"]["id"].as_u64().unwrap());
            }
            id.is_some()
        });
        id.unwrap()
    }

    /// Reads until a text with that beginning comes.
    pub(crate) fn wait(&mut self, beginning: &[u8]) {
        self.until(|text| text.as_bytes().starts_with(beginning));
    }

    fn until(&mut self, mut found: impl FnMut(&str) -> bool) {
        loop {
            let mut input = &mut self.buffer[self.from..self.to];
            while let Some(message) = self.decoder.next(&mut input).unwrap() {
                let is_found = match message {
                    Message::Text(text) => found(text),
                    Message::Ping(_) => {
                        self.stream.write_all(PONG).unwrap();
                        false
                    }
                    other => panic!("{other:?}"),
                };
                if is_found {
                    self.from = self.to - input.len();
                    return;
                }
            }
            self.from = 0;
            self.to = self.stream.read(&mut self.buffer).unwrap();
            assert!(self.to > 0, "the connection has ended");
        }
    }
}
