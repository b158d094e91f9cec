//! A client that blocks.

use std::{
    collections::VecDeque,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use parlour_websocket::{Decoder, Limits, Message, client};

/// Long enough for a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection, and what came over it unread.
pub(crate) struct Client {
    stream: TcpStream,
    decoder: Decoder,
    heard: VecDeque<String>,
}

impl Client {
    pub(crate) fn open(address: SocketAddr, target: &str) -> Self {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let head = client::open(&mut stream, target, &address.to_string(), "").unwrap();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        assert!(head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");
        Self { stream, decoder: Decoder::client(Limits::default()), heard: VecDeque::new() }
    }

    pub(crate) fn say(&mut self, text: &str) {
        self.say_all(&[text]);
    }

    /// Several frames in one write.
    pub(crate) fn say_all(&mut self, texts: &[&str]) {
        let frames: Vec<u8> =
            texts.iter().flat_map(|text| client::text(text, [1, 2, 3, 4])).collect();
        self.stream.write_all(&frames).unwrap();
    }

    /// The next text.
    pub(crate) fn hear(&mut self) -> String {
        while self.heard.is_empty() {
            assert!(self.read() > 0, "the connection has ended");
        }
        self.heard.pop_front().unwrap()
    }

    /// Whether the other end ends the connection, whatever it says before.
    pub(crate) fn is_cut(&mut self) -> bool {
        while self.read() > 0 {}
        true
    }

    fn read(&mut self) -> usize {
        let mut buffer = [0; 4096];
        let count = match self.stream.read(&mut buffer) {
            Ok(count) => count,
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => 0,
            Err(error) => panic!("{error}"),
        };
        let mut bytes = &mut buffer[..count];
        while let Some(message) = self.decoder.next(&mut bytes).unwrap() {
            match message {
                Message::Text(text) => self.heard.push_back(text.to_owned()),
                other => panic!("{other:?}"),
            }
        }
        count
    }
}
