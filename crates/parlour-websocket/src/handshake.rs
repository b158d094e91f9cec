//! The opening handshake of the server (RFC 6455 section 4.2) as functions of header values.
//!
//! A header that came in several lines is passed as one value joined by `", "`, an absent one as
//! the empty string.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest as _, Sha1};

/// The GUID of section 1.3.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// What the upgrade request says.
#[derive(Debug, Clone, Copy)]
pub struct UpgradeRequest<'a> {
    /// The method, as sent.
    pub method: &'a str,
    /// Whether the request is HTTP/1.1. HTTP/2 and HTTP/3 upgrade differently (RFC 8441).
    pub is_http_1_1: bool,
    /// `Upgrade`.
    pub upgrade: &'a str,
    /// `Connection`.
    pub connection: &'a str,
    /// `Sec-WebSocket-Version`.
    pub version: &'a str,
    /// `Sec-WebSocket-Key`.
    pub key: &'a str,
}

/// Why a request cannot be upgraded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The method is not GET.
    #[error("a WebSocket is opened with GET")]
    Method,
    /// Not HTTP/1.1.
    #[error("a WebSocket is opened over HTTP/1.1")]
    HttpVersion,
    /// `Upgrade` does not name `websocket`, or `Connection` does not name `upgrade`.
    #[error("this address only speaks WebSocket")]
    NotAnUpgrade,
    /// `Sec-WebSocket-Version` is not 13.
    #[error("only WebSocket version 13 is supported")]
    Version,
    /// `Sec-WebSocket-Key` is not 16 bytes in base64.
    #[error("invalid Sec-WebSocket-Key")]
    Key,
    /// `Sec-WebSocket-Protocol` is not a list of distinct tokens.
    #[error("invalid Sec-WebSocket-Protocol")]
    MalformedSubprotocols,
    /// Subprotocols were asked for, and none of them is supported.
    #[error("none of the subprotocols is supported")]
    UnknownSubprotocol,
}

impl HandshakeError {
    /// The HTTP status to refuse with. With 426 goes `Upgrade: websocket` and
    /// `Sec-WebSocket-Version: 13`, with 405 goes `Allow: GET`.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Method => 405,
            Self::NotAnUpgrade | Self::Version => 426,
            _ => 400,
        }
    }
}

/// Checks the request, and returns the value of `Sec-WebSocket-Accept` for the 101 response.
/// `Origin`, authentication and limits are the caller's business.
///
/// # Errors
/// The first rule of section 4.2.1 that the request breaks.
pub fn accept(request: &UpgradeRequest<'_>) -> Result<String, HandshakeError> {
    if request.method != "GET" {
        return Err(HandshakeError::Method);
    }
    if !request.is_http_1_1 {
        return Err(HandshakeError::HttpVersion);
    }
    if !lists(request.upgrade, "websocket") || !lists(request.connection, "upgrade") {
        return Err(HandshakeError::NotAnUpgrade);
    }
    if request.version.trim() != "13" {
        return Err(HandshakeError::Version);
    }
    let key = request.key.trim();
    match STANDARD.decode(key) {
        Ok(nonce) if nonce.len() == 16 => Ok(accept_key(key)),
        _ => Err(HandshakeError::Key),
    }
}

/// The value of `Sec-WebSocket-Accept` for a key (section 4.2.2). The key is not checked.
#[must_use]
pub fn accept_key(key: &str) -> String {
    STANDARD.encode(Sha1::new().chain_update(key).chain_update(GUID).finalize())
}

/// The first subprotocol in `offered` (`Sec-WebSocket-Protocol`, in the client's order) that is in
/// `supported`; `None` if the client offered none. Names are compared exactly.
///
/// # Errors
/// The offer is malformed, or holds no supported name: a client that asks for what we do not speak
/// is refused rather than left to guess (section 4.2.2 allows both).
pub fn select_subprotocol<'s>(
    offered: &str,
    supported: &[&'s str],
) -> Result<Option<&'s str>, HandshakeError> {
    if offered.trim().is_empty() {
        return Ok(None);
    }
    let names: Vec<&str> = offered.split(',').map(str::trim).collect();
    for (at, name) in names.iter().enumerate() {
        if !is_token(name) || names[..at].contains(name) {
            return Err(HandshakeError::MalformedSubprotocols);
        }
    }
    let known = names.iter().find_map(|name| supported.iter().find(|known| *known == name));
    known.map(|known| Some(*known)).ok_or(HandshakeError::UnknownSubprotocol)
}

fn lists(header: &str, token: &str) -> bool {
    header.split(',').any(|item| item.trim().eq_ignore_ascii_case(token))
}

/// A token of RFC 9110 section 5.6.2.
pub(crate) fn is_token(text: &str) -> bool {
    let is_token_byte =
        |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_token_byte)
}
