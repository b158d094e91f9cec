//! A native-protocol connection on a plain WebSocket library: JSON out, JSON in.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{
        Message, client::IntoClientRequest, handshake::client::Request, http::HeaderValue,
        protocol::WebSocketConfig,
    },
};

use crate::token;

/// How long a handshake may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What arrives.
#[derive(Debug)]
pub enum Incoming {
    /// A frame, also as it was on the wire.
    Frame(Value, String),
    /// The end: the close code, or `None` when the connection was cut.
    End(Option<u16>),
}

/// An open connection.
#[derive(Debug)]
pub struct Socket {
    stream: WebSocketStream<TcpStream>,
    /// Since when a ping waits for its pong.
    asked: Option<Instant>,
}

impl Socket {
    /// Connects as a user, with the token in the header.
    ///
    /// # Errors
    /// When the server is away or refuses.
    pub async fn connect(address: SocketAddr, user: &str) -> Result<Self> {
        let token = token::for_user(user)?;
        Self::connect_with(address, &format!("ws://{address}/api/v1/ws"), Some(&token)).await
    }

    /// Connects to a URL, with or without a token.
    ///
    /// # Errors
    /// When the server is away or refuses.
    pub async fn connect_with(address: SocketAddr, url: &str, token: Option<&str>) -> Result<Self> {
        let mut request = url.into_client_request()?;
        let headers = request.headers_mut();
        headers.insert("sec-websocket-protocol", HeaderValue::from_static("parlour.v1"));
        if let Some(token) = token {
            headers.insert("authorization", format!("Bearer {token}").parse()?);
        }
        Self::dial(address, request).await
    }

    /// Connects to a URL with nothing else: no subprotocol, no header.
    ///
    /// # Errors
    /// When the server is away or refuses.
    pub async fn connect_bare(address: SocketAddr, url: &str) -> Result<Self> {
        Self::dial(address, url.into_client_request()?).await
    }

    async fn dial(address: SocketAddr, request: Request) -> Result<Self> {
        let config = WebSocketConfig::default().read_buffer_size(8 * 1024).write_buffer_size(0);
        let connect = async {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            let (socket, _) = client_async_with_config(request, stream, Some(config)).await?;
            anyhow::Ok(Self { stream: socket, asked: None })
        };
        tokio::time::timeout(PATIENCE, connect).await.context("the handshake takes too long")?
    }

    /// Sends a frame.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn send(&mut self, frame: &Value) -> Result<()> {
        self.stream.send(Message::text(frame.to_string())).await.context("the connection is gone")
    }

    /// How long a ping has had no answer. What else comes says nothing about it: where only the way there is cut, others are
    /// still heard.
    #[must_use]
    pub fn silence(&self) -> Duration {
        self.asked.map_or(Duration::ZERO, |asked| asked.elapsed())
    }

    /// Asks for a sign of life.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn ping(&mut self) -> Result<()> {
        self.asked.get_or_insert_with(Instant::now);
        self.stream.send(Message::Ping(bytes::Bytes::new())).await.context("the connection is gone")
    }

    /// The next frame, or the end. May be dropped and called again.
    ///
    /// # Errors
    /// When a frame is no JSON text.
    pub async fn receive(&mut self) -> Result<Incoming> {
        loop {
            let next = self.stream.next().await;
            match next {
                Some(Ok(Message::Text(text))) => {
                    let value = serde_json::from_str(&text)
                        .with_context(|| format!("the server sent no JSON: {text}"))?;
                    return Ok(Incoming::Frame(value, text.to_string()));
                }
                Some(Ok(Message::Close(close))) => {
                    return Ok(Incoming::End(close.map(|close| close.code.into())));
                }
                Some(Ok(Message::Pong(_))) => self.asked = None,
                Some(Ok(Message::Ping(_) | Message::Frame(_))) => {}
                Some(Ok(Message::Binary(_))) => bail!("the server sent a binary frame"),
                Some(Err(_)) | None => return Ok(Incoming::End(None)),
            }
        }
    }

    /// The next frame within a time.
    ///
    /// # Errors
    /// When there is none, or the connection ends.
    pub async fn frame(&mut self, patience: Duration) -> Result<(Value, String)> {
        match tokio::time::timeout(patience, self.receive()).await.context("no frame came")?? {
            Incoming::Frame(value, text) => Ok((value, text)),
            Incoming::End(code) => bail!("the connection ended ({code:?})"),
        }
    }

    /// Ends the connection at once and without a goodbye, as a network does that goes away.
    pub fn reset(self) {
        // Where that cannot be asked for, it ends as a process does that dies.
        let _ = self.stream.get_ref().set_zero_linger();
    }

    /// Closes and waits until the server has closed as well.
    pub async fn close(mut self) {
        let close = async {
            let _ = self.stream.close(None).await;
            while let Some(Ok(_)) = self.stream.next().await {}
        };
        // A server that is gone does not answer, and need not.
        let _ = tokio::time::timeout(Duration::from_secs(2), close).await;
    }
}
