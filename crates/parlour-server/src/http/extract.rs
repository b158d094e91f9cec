//! What handlers take from a request: who calls, JSON bodies, queries and ids, each refused in one shape.

use std::net::IpAddr;

use axum::extract::{FromRequest, FromRequestParts, Query as AxumQuery, RawPathParams, Request};
use http::{HeaderMap, StatusCode, header, request::Parts};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use parlour_core::{
    Code, ConversationId, Error, MessageId, UserId,
    command::{Actor, Authority, Identity},
    ids::MAX_INTEGER,
};
use serde::de::DeserializeOwned;

use super::{Api, error::Problem};
use crate::{
    auth::{Surface, names_somebody},
    gateway::listener::ClientAddress,
};

/// The signed-in caller.
pub(crate) struct Caller(pub(crate) Identity);

impl Caller {
    /// On whose behalf, with what right.
    pub(crate) fn actor(&self) -> Actor {
        self.0.actor.clone()
    }

    /// The user.
    pub(crate) fn user(&self) -> UserId {
        self.0.actor.user.clone()
    }
}

impl FromRequestParts<Api> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let identity = identify(parts, api).await?;
        if names_somebody(&identity) {
            return Ok(Self(identity));
        }
        Err(Error::new(Code::InvalidFrame, "name the user in the Parlour-User header").into())
    }
}

/// The host application's server, with an API key.
pub(crate) struct HostServer;

impl FromRequestParts<Api> for HostServer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let identity = identify(parts, api).await?;
        if identity.actor.authority == Authority::Server {
            return Ok(Self);
        }
        Err(Error::new(Code::Forbidden, "only a server with an API key may do this").into())
    }
}

async fn identify(parts: &Parts, api: &Api) -> Result<Identity, Problem> {
    match api.auth.identify(parts, Surface::Rest).await? {
        Some(identity) => Ok(identity),
        None => Err(Error::new(Code::NotAuthenticated, "sign in first").into()),
    }
}

/// The address of the caller, past trusted proxies.
pub(crate) struct Address(pub(crate) IpAddr);

impl FromRequestParts<Api> for Address {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, Problem> {
        match parts.extensions.get::<ClientAddress>() {
            Some(client) => Ok(Self(client.0)),
            None => Err(Error::internal("a request without an address").into()),
        }
    }
}

/// A JSON body of a known form.
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Api> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(not_json());
        }
        let bytes = body(request, api).await?;
        parse(&bytes, api.settings.json_depth).map(Self).map_err(Into::into)
    }
}

/// Whether the body says that it is JSON.
pub(crate) fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return false };
    let kind = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/json")
}

/// The refusal of a body that is not.
pub(crate) fn not_json() -> Problem {
    Problem::from(Error::new(Code::InvalidFrame, "the body must be application/json"))
        .with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE)
}

async fn body(request: Request, api: &Api) -> Result<bytes::Bytes, Problem> {
    let most = api.settings.body_bytes;
    let too_long = || {
        Error::new(Code::TooLong, format!("a body has at most {most} bytes"))
            .with_limit("body_bytes")
    };
    let declared = request.headers().get(header::CONTENT_LENGTH);
    let declared = declared.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| length > most as u64) {
        return Err(too_long().into());
    }
    let collected = Limited::new(request.into_body(), most).collect();
    match tokio::time::timeout(api.settings.body_timeout, collected).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_long().into()),
        Ok(Err(error)) => {
            Err(Error::new(Code::InvalidFrame, "the body broke off").with_source(error).into())
        }
        Err(_) => {
            let late = Error::new(Code::InvalidFrame, "the body took too long");
            Err(Problem::from(late).with_status(StatusCode::REQUEST_TIMEOUT))
        }
    }
}

/// Reads JSON of a known form.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8], depth: usize) -> Result<T, Error> {
    if is_deeper_than(bytes, depth) {
        return Err(Error::new(
            Code::InvalidFrame,
            format!("JSON is nested at most {depth} levels deep"),
        )
        .with_limit("json_depth"));
    }
    serde_json::from_slice(bytes).map_err(|error| {
        let text = error.to_string();
        let surrogate = text.contains("surrogate") || text.contains("hex escape");
        let code = match error.classify() {
            serde_json::error::Category::Data => Code::InvalidFrame,
            _ if surrogate => Code::InvalidFrame,
            _ => Code::InvalidJson,
        };
        Error::new(code, text)
    })
}

/// Whether arrays and objects are nested deeper, found without parsing.
fn is_deeper_than(bytes: &[u8], most: usize) -> bool {
    let (mut depth, mut in_text, mut escaped) = (0usize, false, false);
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            _ if in_text => {}
            b'[' | b'{' => {
                depth += 1;
                if depth > most {
                    return true;
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

/// A query of a known form.
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<Api> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, Problem> {
        match AxumQuery::try_from_uri(&parts.uri) {
            Ok(AxumQuery(query)) => Ok(Self(query)),
            Err(error) => Err(Error::new(Code::InvalidFrame, error.body_text()).into()),
        }
    }
}

/// The conversation of the path. One that is no number is as one that is not there.
pub(crate) struct InConversation(pub(crate) ConversationId);

impl FromRequestParts<Api> for InConversation {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        number(parts, api).await.map(|id| Self(ConversationId(id)))
    }
}

/// The message of the path.
pub(crate) struct OfMessage(pub(crate) MessageId);

impl FromRequestParts<Api> for OfMessage {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        number(parts, api).await.map(|id| Self(MessageId(id)))
    }
}

/// The user of the path.
pub(crate) struct OfUser(pub(crate) UserId);

impl FromRequestParts<Api> for OfUser {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let id = param(parts, api, "user_id").await?;
        UserId::new(&id).map(Self).map_err(|_| Error::not_found().into())
    }
}

async fn number(parts: &mut Parts, api: &Api) -> Result<u64, Problem> {
    let id = param(parts, api, "id").await?;
    let digits = !id.is_empty() && id.len() <= 16 && id.bytes().all(|b| b.is_ascii_digit());
    let number = digits.then(|| id.parse().ok()).flatten().filter(|id| *id <= MAX_INTEGER);
    number.ok_or_else(|| Error::not_found().into())
}

async fn param(parts: &mut Parts, api: &Api, name: &str) -> Result<String, Problem> {
    let params = RawPathParams::from_request_parts(parts, api).await;
    let params = params.map_err(|_| Problem::from(Error::not_found()))?;
    let value = params.iter().find_map(|(key, value)| (key == name).then(|| value.to_owned()));
    value.ok_or_else(|| Error::not_found().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d1_depth_is_counted_outside_of_texts() {
        assert!(!is_deeper_than(br#"{"a":[["[[[[[[[[\"[["]]}"#, 3));
        assert!(is_deeper_than(br#"{"a":[["x"]]}"#, 2));
        assert!(is_deeper_than(&[b'['; 10_000], 32));
        let code = |json: &[u8]| parse::<serde_json::Value>(json, 32).unwrap_err().code;
        assert_eq!(code(&[b'['; 10_000]), Code::InvalidFrame);
    }

    #[test]
    fn d4_broken_texts_are_told_apart() {
        let code = |json: &str| parse::<Option<String>>(json.as_bytes(), 32).unwrap_err().code;
        assert_eq!(code(r#""\ud800""#), Code::InvalidFrame);
        assert_eq!(code(r#""\ud800\u0041""#), Code::InvalidFrame);
        assert_eq!(code("\u{feff}\"a\""), Code::InvalidJson);
        assert_eq!(code("\"a\" \"b\""), Code::InvalidJson);
        assert_eq!(code(""), Code::InvalidJson);
        assert_eq!(code("5"), Code::InvalidFrame);
    }
}
