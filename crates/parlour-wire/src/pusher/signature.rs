//! Signatures: who may subscribe, who may sign in, and who may call the HTTP API.
//!
//! All are HMAC-SHA256 with an application's secret, in lower-case hexadecimal, and are compared in constant time.

use std::{fmt, sync::Arc, time::Duration};

use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use sha2::Sha256;

use super::{
    channel::ChannelName,
    error::{ApiError, Refusal},
    handshake::SocketId,
    limits::PusherLimits,
};

/// Digits of a signature.
const DIGITS: usize = 64;

/// A key of an application with its secret. Cheap to clone; shows its secret nowhere.
#[derive(Clone)]
pub struct Signer {
    key: Arc<str>,
    mac: Hmac<Sha256>,
}

/// A key or secret that can be none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BadKey;

impl fmt::Display for BadKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key has letters, digits, - and _ (128 at most), and its secret is not empty")
    }
}

impl std::error::Error for BadKey {}

impl Signer {
    /// Of a key, which stands in URLs and before signatures, and its secret.
    ///
    /// # Errors
    /// [`BadKey`] when one of them is empty, or the key has other characters than letters, digits, `-` and `_`.
    pub fn new(key: &str, secret: &str) -> Result<Self, BadKey> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        if key.is_empty() || key.len() > 128 || !key.bytes().all(allowed) || secret.is_empty() {
            return Err(BadKey);
        }
        let mac = Hmac::new_from_slice(secret.as_bytes()).map_err(|_| BadKey)?;
        Ok(Self { key: key.into(), mac })
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The `auth` with which a connection may subscribe a channel; `channel_data` is signed as it is.
    #[must_use]
    pub fn sign_channel(
        &self,
        socket: SocketId,
        channel: &ChannelName,
        channel_data: Option<&str>,
    ) -> String {
        self.auth(self.channel_mac(socket, channel, channel_data))
    }

    /// Checks the `auth` of a subscribe. `channel_data` is that of the frame, as it was received.
    ///
    /// # Errors
    /// [`Refusal::InvalidKey`] for another key, [`Refusal::InvalidSignature`] for everything else.
    pub fn verify_channel(
        &self,
        auth: Option<&str>,
        socket: SocketId,
        channel: &ChannelName,
        channel_data: Option<&str>,
    ) -> Result<(), Refusal> {
        let refusal = || Refusal::InvalidSignature {
            socket,
            channel: Some(channel.clone()),
            with_data: channel_data.is_some(),
        };
        let digest = self.digest(auth.unwrap_or_default(), refusal)?;
        let mac = self.channel_mac(socket, channel, channel_data);
        mac.verify_slice(&digest).map_err(|_| refusal())
    }

    /// The `auth` with which a connection may sign in; `user_data` is signed as it is.
    #[must_use]
    pub fn sign_user(&self, socket: SocketId, user_data: &str) -> String {
        self.auth(self.user_mac(socket, user_data))
    }

    /// Checks the `auth` of a sign-in. `user_data` is that of the frame, as it was received.
    ///
    /// # Errors
    /// [`Refusal::InvalidSignature`], for another key too.
    pub fn verify_user(
        &self,
        auth: &str,
        socket: SocketId,
        user_data: &str,
    ) -> Result<(), Refusal> {
        let refusal = || Refusal::InvalidSignature { socket, channel: None, with_data: false };
        let digest = self.digest(auth, refusal).map_err(|_| refusal())?;
        self.user_mac(socket, user_data).verify_slice(&digest).map_err(|_| refusal())
    }

    /// The signature of a webhook's body, for its header `X-Pusher-Signature`.
    #[must_use]
    pub fn sign_body(&self, body: &[u8]) -> String {
        hex(&self.mac.clone().chain_update(body).finalize().into_bytes())
    }

    fn channel_mac(
        &self,
        socket: SocketId,
        channel: &ChannelName,
        data: Option<&str>,
    ) -> Hmac<Sha256> {
        let mac = self.mac.clone().chain_update(format!("{socket}:{channel}"));
        match data {
            Some(data) => mac.chain_update(":").chain_update(data),
            None => mac,
        }
    }

    fn user_mac(&self, socket: SocketId, user_data: &str) -> Hmac<Sha256> {
        self.mac.clone().chain_update(format!("{socket}::user::")).chain_update(user_data)
    }

    fn auth(&self, mac: Hmac<Sha256>) -> String {
        format!("{}:{}", self.key, hex(&mac.finalize().into_bytes()))
    }

    /// The digest in an `auth` text with our key.
    fn digest(&self, auth: &str, refusal: impl Fn() -> Refusal) -> Result<[u8; 32], Refusal> {
        let (key, digits) = auth.split_once(':').ok_or_else(&refusal)?;
        if key != &*self.key {
            return Err(Refusal::InvalidKey);
        }
        unhex(digits).ok_or_else(refusal)
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("key", &self.key).finish_non_exhaustive()
    }
}

/// The key that an `auth` text begins with: which of an application's keys it is for.
#[must_use]
pub fn key_of(auth: &str) -> Option<&str> {
    auth.split_once(':').map(|(key, _)| key)
}

/// The query of a call of the HTTP API: its parameters decoded, in the order in which they are signed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignedQuery {
    parameters: Vec<(String, String)>,
    signature: [u8; 32],
    key: String,
    timestamp: u64,
}

impl SignedQuery {
    /// Reads a raw query (what follows the `?`), without knowing yet whose it is.
    ///
    /// # Errors
    /// [`ApiError::Unauthorized`] when one of `auth_key`, `auth_timestamp`, `auth_version` (1.0) and
    /// `auth_signature` is missing, given twice or malformed; [`ApiError::TooMany`] when there are more than
    /// `limits.query_parameters`.
    pub fn parse(query: &str, limits: &PusherLimits) -> Result<Self, ApiError> {
        let mut parameters = Vec::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if parameters.len() == limits.query_parameters {
                let most = limits.query_parameters;
                return Err(ApiError::TooMany { what: "parameters of the query", most });
            }
            parameters.push((name.to_ascii_lowercase(), value.into_owned()));
        }
        // Stable: of an array the values stay in their order.
        parameters.sort_by(|a, b| a.0.cmp(&b.0));
        let digits = once(&parameters, "auth_signature")
            .ok_or(ApiError::Unauthorized("auth_signature is missing"))?;
        let signature =
            unhex(digits).ok_or(ApiError::Unauthorized("auth_signature is malformed"))?;
        let key = once(&parameters, "auth_key")
            .ok_or(ApiError::Unauthorized("auth_key is missing"))?
            .to_owned();
        if once(&parameters, "auth_version") != Some("1.0") {
            return Err(ApiError::Unauthorized("auth_version must be 1.0"));
        }
        let timestamp = once(&parameters, "auth_timestamp")
            .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|text| text.parse().ok())
            .ok_or(ApiError::Unauthorized("auth_timestamp must be a time in seconds"))?;
        parameters.retain(|(name, _)| name != "auth_signature");
        Ok(Self { parameters, signature, key, timestamp })
    }

    /// The key that the caller says is his.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The signature that came with it: two calls that are equal to the last bit have the same.
    #[must_use]
    pub const fn signature(&self) -> &[u8; 32] {
        &self.signature
    }

    /// A parameter that is there exactly once. Names are in lower case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        once(&self.parameters, name)
    }

    /// Checks that the holder of the secret has made this call, lately, with this body.
    ///
    /// `path` is as it was sent, without query; `now` is the time since 1970. A call that is repeated within the
    /// allowed time passes: whether it may is judged elsewhere, by its [`SignedQuery::signature`].
    ///
    /// # Errors
    /// [`ApiError::Unauthorized`].
    pub fn verify(
        &self,
        signer: &Signer,
        method: &str,
        path: &str,
        body: &[u8],
        now: Duration,
        limits: &PusherLimits,
    ) -> Result<(), ApiError> {
        self.verify_caller(signer, method, path, now, limits)?;
        self.verify_body(body)
    }

    /// The part of [`SignedQuery::verify`] that can be done before the body is there: who cannot sign need not be
    /// listened to.
    ///
    /// # Errors
    /// [`ApiError::Unauthorized`].
    pub fn verify_caller(
        &self,
        signer: &Signer,
        method: &str,
        path: &str,
        now: Duration,
        limits: &PusherLimits,
    ) -> Result<(), ApiError> {
        if self.key != signer.key() {
            return Err(ApiError::Unauthorized("auth_key is not one of this application"));
        }
        let mut mac = signer.mac.clone().chain_update(format!("{method}\n{path}\n"));
        for (number, (name, value)) in self.parameters.iter().enumerate() {
            let separator = if number == 0 { "" } else { "&" };
            mac.update(separator.as_bytes());
            mac.update(name.as_bytes());
            mac.update(b"=");
            mac.update(value.as_bytes());
        }
        mac.verify_slice(&self.signature)
            .map_err(|_| ApiError::Unauthorized("Invalid signature"))?;
        // Nothing below is told to somebody who cannot sign.
        if self.timestamp.abs_diff(now.as_secs()) > limits.clock_skew.as_secs() {
            return Err(ApiError::Unauthorized("auth_timestamp is too far from the server's time"));
        }
        Ok(())
    }

    /// The rest of [`SignedQuery::verify`]: whether the body is the one that was signed.
    ///
    /// # Errors
    /// [`ApiError::Unauthorized`].
    pub fn verify_body(&self, body: &[u8]) -> Result<(), ApiError> {
        match once(&self.parameters, "body_md5") {
            // Some libraries send that of an empty body with every call.
            Some(sum) if sum == hex(&Md5::digest(body)) => Ok(()),
            Some(_) => Err(ApiError::Unauthorized("body_md5 is not that of the body")),
            None if body.is_empty() && !self.names("body_md5") => Ok(()),
            None => Err(ApiError::Unauthorized("body_md5 is missing")),
        }
    }

    fn names(&self, name: &str) -> bool {
        self.parameters.iter().any(|(known, _)| known == name)
    }
}

/// The value of a parameter that is there exactly once.
fn once<'a>(parameters: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let mut values = parameters.iter().filter(|(known, _)| known == name);
    match (values.next(), values.next()) {
        (Some((_, value)), None) => Some(value),
        _ => None,
    }
}

fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(nibble.into(), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// Lower case only: a signature has one spelling.
fn unhex(digits: &str) -> Option<[u8; 32]> {
    let nibble = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    if digits.len() != DIGITS {
        return None;
    }
    let (pairs, _) = digits.as_bytes().as_chunks::<2>();
    let mut bytes = [0; 32];
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = nibble(*high)? << 4 | nibble(*low)?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests;
