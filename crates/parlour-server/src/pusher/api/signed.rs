//! A call as it arrives: whose it is, whether he has signed it, and its body within time and size.

use std::{sync::Arc, time::Duration};

use axum::extract::Request;
use bytes::Bytes;
use http::{Method, StatusCode, header, request::Parts};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use parlour_wire::pusher::{ApiError, PusherLimits, SignedQuery};

use super::{
    Door, Failure,
    seen::{self, Verdict},
};
use crate::pusher::apps::{App, Known};

/// A call whose signature was found good.
pub(super) struct Call {
    /// The application that has made it.
    pub(super) app: Arc<App>,
    /// Its parameters.
    pub(super) query: SignedQuery,
    /// Its body.
    pub(super) body: Bytes,
}

/// Reads a call and checks everything about it but what it asks.
pub(super) async fn call(door: &Door, app_id: &str, request: Request) -> Result<Call, Failure> {
    let (parts, body) = request.into_parts();
    let query = SignedQuery::parse(parts.uri.query().unwrap_or_default(), &door.limits)?;
    let apps = &door.pusher.apps;
    let app = apps.by_id(app_id).ok_or(ApiError::NotFound("There is no such application"))?;
    match apps.by_key(query.key()) {
        Known::Enabled(owner) if Arc::ptr_eq(owner, app) => {}
        Known::Disabled if app.has_key(query.key()) => {
            return Err(ApiError::Forbidden("The application or its key is switched off").into());
        }
        _ => {
            return Err(ApiError::Unauthorized("auth_key is not one of this application").into());
        }
    }
    // Before the body is read: who cannot sign is not worth the memory.
    verify_caller(door, app, &parts, &query)?;
    let body = read(door, &parts, body, most(&app.limits)).await?;
    query.verify_body(&body)?;
    if parts.method == Method::POST {
        let now = door.api.clock.monotonic();
        match door.seen.look(query.signature(), now) {
            Verdict::First => door.pusher.cluster.carried_out(seen::name(query.signature())),
            Verdict::Fresh => {}
            Verdict::Replayed => {
                let refused = ApiError::Unauthorized("This call was made before: sign it anew");
                return Err(refused.into());
            }
        }
    }
    Ok(Call { app: app.clone(), query, body })
}

fn verify_caller(
    door: &Door,
    app: &App,
    parts: &Parts,
    query: &SignedQuery,
) -> Result<(), ApiError> {
    let signer = app
        .signer(query.key())
        .ok_or(ApiError::Unauthorized("auth_key is not one of this application"))?;
    let now = Duration::from_millis(door.api.clock.now().try_into().unwrap_or_default());
    let method = parts.method.as_str();
    let check = |path: &str| query.verify_caller(signer, method, path, now, &app.limits);
    let path = parts.uri.path();
    // Some libraries sign the path as they have it and send it escaped.
    check(path).or_else(|refusal| match unescaped(path) {
        Some(plain) => check(&plain).map_err(|_| refusal),
        None => Err(refusal),
    })
}

/// A path with its escapes undone, if it has any and none of them is a slash, which would make another path of it.
fn unescaped(path: &str) -> Option<String> {
    if !path.contains('%') {
        return None;
    }
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let [first, tail @ ..] = rest {
        let (byte, after) = match (first, tail) {
            (b'%', [high, low, after @ ..]) => (nibble(*high)? << 4 | nibble(*low)?, after),
            (b'%', _) => return None,
            (plain, after) => (*plain, after),
        };
        bytes.push(byte);
        rest = after;
    }
    let plain = String::from_utf8(bytes).ok()?;
    let slashes = |text: &str| text.bytes().filter(|byte| *byte == b'/').count();
    (slashes(&plain) == slashes(path)).then_some(plain)
}

fn nibble(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| value.try_into().ok())
}

/// The largest body that can be good: a full batch in which every character is escaped, and what stands around.
fn most(limits: &PusherLimits) -> usize {
    let one = limits.event_data.max(1_024).saturating_mul(6);
    one.saturating_mul(limits.batch_events.max(1)).saturating_add(64 * 1_024)
}

async fn read(
    door: &Door,
    parts: &Parts,
    body: axum::body::Body,
    most: usize,
) -> Result<Bytes, Failure> {
    let too_large = || Failure {
        status: StatusCode::PAYLOAD_TOO_LARGE,
        text: format!("The body may have {most} bytes, not more"),
    };
    let declared = parts.headers.get(header::CONTENT_LENGTH);
    let declared = declared.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| length > most as u64) {
        return Err(too_large());
    }
    let collected = Limited::new(body, most).collect();
    match tokio::time::timeout(door.api.settings.body_timeout, collected).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(ApiError::BadRequest("The body broke off").into()),
        Err(_) => Err(Failure {
            status: StatusCode::REQUEST_TIMEOUT,
            text: "The body took too long".to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone_where_the_path_stays_the_same() {
        let plain = |path| unescaped(path);
        assert_eq!(plain("/apps/1/users/a%20b%40c/x").as_deref(), Some("/apps/1/users/a b@c/x"));
        assert_eq!(plain("/apps/1/users/%C3%BC/x").as_deref(), Some("/apps/1/users/ü/x"));
        for path in ["/apps/1/events", "/a%2Fb", "/a%2", "/a%", "/a%zz", "/a%ff"] {
            assert_eq!(plain(path), None, "{path}");
        }
    }

    #[test]
    fn a_full_batch_fits() {
        assert!(most(&PusherLimits::default()) > 10 * 10 * 1_024 * 6);
    }
}
