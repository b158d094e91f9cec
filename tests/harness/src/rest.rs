//! A small REST client: one connection a request, which is what a test with crashes wants.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::token;

const PATIENCE: Duration = Duration::from_secs(15);

/// A user's way to the REST API.
#[derive(Clone, Debug)]
pub struct Rest {
    address: SocketAddr,
    token: String,
    patience: Duration,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body; null when there is none or it is no JSON.
    pub body: Value,
}

impl Answer {
    /// The body, if the status says success.
    ///
    /// # Errors
    /// When it does not.
    pub fn ok(self) -> Result<Value> {
        if (200..300).contains(&self.status) {
            return Ok(self.body);
        }
        bail!("HTTP {}: {}", self.status, self.body)
    }
}

impl Rest {
    /// A client that signs in as `user`.
    ///
    /// # Errors
    /// When no token can be minted.
    pub fn new(address: SocketAddr, user: &str) -> Result<Self> {
        Ok(Self { address, token: token::for_user(user)?, patience: PATIENCE })
    }

    /// With another time for each request.
    #[must_use]
    pub const fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// `GET path`.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn get(&self, path: &str) -> Result<Answer> {
        self.call(Method::GET, path, None).await
    }

    /// `GET path`, for what is no JSON.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn text(&self, path: &str) -> Result<String> {
        let (_, bytes) = self.bytes(Method::GET, path, None).await?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// `POST path` with a JSON body.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Answer> {
        self.call(Method::POST, path, Some(body)).await
    }

    /// Makes a conversation and gives its id.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn create_conversation(&self, kind: &str, participants: &[&str]) -> Result<u64> {
        let body = json!({"kind": kind, "participants": participants});
        let answer = self.post("/api/v1/conversations", &body).await?.ok()?;
        answer["id"].as_u64().context("a conversation without an id")
    }

    /// All messages of a conversation, oldest first, tombstones included.
    ///
    /// # Errors
    /// When a page is refused.
    pub async fn all_messages(&self, conversation: u64) -> Result<Vec<Value>> {
        let mut all: Vec<Value> = Vec::new();
        loop {
            let after = all.last().map_or(0, |message| message["seq"].as_u64().unwrap_or(0));
            let path =
                format!("/api/v1/conversations/{conversation}/messages?after={after}&limit=100");
            let body = self.get(&path).await?.ok()?;
            let Some(page) = body["results"].as_array() else { bail!("no results in {body}") };
            if page.is_empty() {
                return Ok(all);
            }
            all.extend(page.iter().cloned());
        }
    }

    /// One request with one answer.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer> {
        let (status, bytes) = self.bytes(method, path, body).await?;
        Ok(Answer { status, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null) })
    }

    async fn bytes(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(u16, Bytes)> {
        tokio::time::timeout(self.patience, self.exchange(method, path, body))
            .await
            .with_context(|| format!("no answer to {path}"))?
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(u16, Bytes)> {
        let stream = TcpStream::connect(self.address).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", self.address.to_string())
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/json")
            .header("connection", "close")
            .body(Full::new(Bytes::from(body.map(Value::to_string).unwrap_or_default())))?;
        let exchange = async move {
            let response = sender.send_request(request).await?;
            let status = response.status().as_u16();
            let bytes = response.into_body().collect().await?.to_bytes();
            anyhow::Ok((status, bytes))
        };
        // The connection's own end comes after the answer, and is of no interest.
        let (answer, _) = tokio::join!(exchange, connection);
        answer
    }
}
