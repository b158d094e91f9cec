//! The client's end of a WebSocket over the simulated network, and one-shot HTTP requests.

use std::{collections::VecDeque, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use jsonwebtoken::{EncodingKey, Header};
use parlour_harness::token::SECRET;
use parlour_websocket::{Decoder, Limits, Message, Opcode, client};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::{Instant, timeout},
};
use turmoil::net::TcpStream;

use crate::{net::PORT, parts::BEGINNING};

/// How long a handshake or a request may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A mask need not be unpredictable here.
const MASK: [u8; 4] = [0x5a, 0xa5, 0x3c, 0xc3];

/// What arrives.
#[derive(Debug)]
pub enum Incoming {
    /// A text frame.
    Text(String),
    /// The end: the close code, or `None` when the connection was cut.
    End(Option<u16>),
}

/// A token of a user that is good for the whole run.
///
/// # Errors
/// When signing fails.
pub fn token(user: &str) -> Result<String> {
    let issued = BEGINNING / 1_000 - 7_200;
    let claims = json!({
        "sub": user, "username": user, "name": user, "iat": issued, "exp": issued + 86_000,
    });
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    Ok(jsonwebtoken::encode(&Header::default(), &claims, &key)?)
}

/// An open WebSocket.
#[derive(Debug)]
pub struct Socket {
    stream: TcpStream,
    decoder: Decoder,
    arrived: VecDeque<Incoming>,
    heard: Instant,
}

impl Socket {
    /// Connects a user to a path of a server.
    ///
    /// # Errors
    /// When the server is away or refuses.
    pub async fn connect(server: &str, path: &str, token: &str, subprotocol: bool) -> Result<Self> {
        let offer = if subprotocol { "Sec-WebSocket-Protocol: parlour.v1\r\n" } else { "" };
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {server}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{offer}\
             User-Agent: simulation\r\nAuthorization: Bearer {token}\r\n\r\n"
        );
        let open = async {
            let mut stream = TcpStream::connect((server, PORT)).await?;
            stream.write_all(request.as_bytes()).await?;
            let mut head = Vec::new();
            let end = loop {
                let mut bytes = vec![0; 4096];
                let count = stream.read(&mut bytes).await?;
                ensure!(count > 0, "the server hung up");
                head.extend_from_slice(bytes.get(..count).unwrap_or_default());
                if let Some(at) = find(&head, b"\r\n\r\n") {
                    break at + 4;
                }
            };
            ensure!(
                head.starts_with(b"HTTP/1.1 101"),
                "refused: {}",
                String::from_utf8_lossy(&head)
            );
            let limits = Limits { max_message_bytes: 4 << 20, max_fragments: 256 };
            let (decoder, arrived) = (Decoder::client(limits), VecDeque::new());
            let mut socket = Self { stream, decoder, arrived, heard: Instant::now() };
            let mut early = head.split_off(end);
            socket.take_in(&mut early).await?;
            anyhow::Ok(socket)
        };
        timeout(PATIENCE, open).await.context("the handshake takes too long")?
    }

    /// Sends a text.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn send(&mut self, text: &str) -> Result<()> {
        let frame = client::text(text, MASK);
        timeout(PATIENCE, self.stream.write_all(&frame)).await??;
        Ok(())
    }

    /// The next text, or the end. May be dropped and called again.
    ///
    /// # Errors
    /// When the server breaks the protocol.
    pub async fn receive(&mut self) -> Result<Incoming> {
        loop {
            if let Some(incoming) = self.arrived.pop_front() {
                return Ok(incoming);
            }
            let mut bytes = vec![0; 16 * 1024];
            let Ok(count) = self.stream.read(&mut bytes).await else {
                return Ok(Incoming::End(None));
            };
            if count == 0 {
                return Ok(Incoming::End(None));
            }
            bytes.truncate(count);
            self.heard = Instant::now();
            if self.take_in(&mut bytes).await.is_err() {
                return Ok(Incoming::End(None));
            }
        }
    }

    /// When the server was last heard, be it a ping.
    #[must_use]
    pub const fn heard(&self) -> Instant {
        self.heard
    }

    /// Says goodbye, and waits a moment for the answer.
    pub async fn close(mut self) {
        let mut frame = Vec::new();
        client::encode_into(&mut frame, Opcode::Close, &1000u16.to_be_bytes(), MASK);
        let close = async {
            self.stream.write_all(&frame).await?;
            while !matches!(self.receive().await?, Incoming::End(_)) {}
            anyhow::Ok(())
        };
        // A server that is gone does not answer, and need not.
        let _unanswered = timeout(Duration::from_secs(2), close).await;
    }

    /// Understands bytes, and answers pings.
    async fn take_in(&mut self, bytes: &mut [u8]) -> Result<()> {
        let mut answers = Vec::new();
        let mut input = bytes;
        while let Some(message) = self.decoder.next(&mut input)? {
            match message {
                Message::Text(text) => self.arrived.push_back(Incoming::Text(text.to_owned())),
                Message::Ping(payload) => {
                    client::encode_into(&mut answers, Opcode::Pong, payload, MASK);
                }
                Message::Close(body) => {
                    let code = body.map(|(code, _)| code);
                    let payload = code.unwrap_or(1000).to_be_bytes();
                    client::encode_into(&mut answers, Opcode::Close, &payload, MASK);
                    self.arrived.push_back(Incoming::End(code));
                }
                Message::Pong(_) => {}
                Message::Binary(_) => bail!("the server sent a binary frame"),
            }
        }
        if !answers.is_empty() {
            // Who does not take it is found out by the next read.
            let _gone = timeout(PATIENCE, self.stream.write_all(&answers)).await;
        }
        Ok(())
    }
}

/// One HTTP request with one answer: the status, and the body, null when it is no JSON.
///
/// # Errors
/// When there is no answer.
pub async fn request(
    server: &str,
    token: &str,
    method: &str,
    path: &str,
    body: Option<&Value>,
) -> Result<(u16, Value)> {
    let body = body.map(Value::to_string).unwrap_or_default();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {server}\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let exchange = async {
        let mut stream = TcpStream::connect((server, PORT)).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        let end = find(&answer, b"\r\n\r\n").context("no head")?;
        let head = String::from_utf8_lossy(answer.get(..end).unwrap_or_default()).into_owned();
        let status =
            head.split(' ').nth(1).and_then(|code| code.parse().ok()).context("no status")?;
        let body = answer.get(end + 4..).unwrap_or_default();
        anyhow::Ok((status, serde_json::from_slice(body).unwrap_or(Value::Null)))
    };
    timeout(PATIENCE, exchange).await.with_context(|| format!("no answer to {path}"))?
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}
