//! The outermost layer: every request gets an id, every answer its headers, every problem its body, and one
//! line in the log.

use std::{any::Any, fmt::Write as _, time::Duration};

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use parlour_core::{Code, Error};

use super::{
    Api, cors,
    error::Problem,
    extract::{is_json, not_json},
};
use crate::{auth::Origins, metrics::HttpLabels};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Wraps every route.
pub(crate) async fn shell(State(api): State<Api>, request: Request, next: Next) -> Response {
    let began = api.clock.monotonic();
    let id = request_id(&api, request.headers());
    let method = request.method().clone();
    let path = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let cors = cors::Decision::of(&api.auth, request.method(), request.uri(), request.headers());

    let mut response = match (admit(&api, &request), cors.preflight()) {
        (Err(problem), _) => problem.into_response(),
        (Ok(()), Some(preflight)) => preflight,
        (Ok(()), None) => next.run(request).await,
    };

    let cause = response.extensions_mut().remove::<Problem>();
    if let Some(problem) = &cause {
        response = named(problem, response, &id);
    }
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        secure(response.headers_mut());
        cors.apply(response.headers_mut());
    }
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    let took = api.clock.monotonic().saturating_sub(began);
    count(&api, &method, response.status());
    log(&method, path.as_deref(), response.status(), took, &id, cause.as_ref());
    response
}

/// What a handler that panicked answers.
pub(crate) fn panicked(cause: Box<dyn Any + Send>) -> Response {
    // What a panic says may hold anything; the hook has logged where it was.
    drop(cause);
    Problem::from(Error::internal("a handler panicked")).into_response()
}

/// What every request must be like, before anybody looks at it closer.
fn admit(api: &Api, request: &Request) -> Result<(), Problem> {
    Origins::of(request.headers())?;
    let headers = request.headers();
    let safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    // A form of another site cannot say that it is JSON: this is what keeps the cookie from serving it.
    let foreign = headers.contains_key(header::CONTENT_TYPE) && !is_json(headers);
    let path = request.uri().path();
    let takes_json = path.starts_with("/api/v1/") || path.starts_with("/api/conversations");
    if foreign && !safe && takes_json {
        return Err(not_json());
    }
    if !safe && api.live.is_ending() {
        let message = "the server restarts; try again";
        let wait = Duration::from_secs(2);
        return Err(Error::new(Code::Unavailable, message).with_retry_after(wait).into());
    }
    Ok(())
}

/// The id that the caller gave, if it is a harmless one, else a new one.
fn request_id(api: &Api, headers: &HeaderMap) -> String {
    let given = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok());
    let harmless = |id: &&str| {
        (8..=64).contains(&id.len())
            && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
    };
    if let Some(id) = given.filter(harmless) {
        return id.to_owned();
    }
    let mut bytes = [0; 8];
    api.random.fill(&mut bytes);
    bytes.iter().fold(String::with_capacity(16), |mut id, byte| {
        let _ = write!(id, "{byte:02x}");
        id
    })
}

/// The problem again, with the id of the request in its body.
fn named(problem: &Problem, response: Response, id: &str) -> Response {
    let body = serde_json::to_vec(&problem.body(id)).unwrap_or_default();
    let (mut parts, _) = response.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, body.into())
}

/// Headers for every answer. Pages set a policy of their own.
fn secure(headers: &mut HeaderMap) {
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}

fn count(api: &Api, method: &Method, status: StatusCode) {
    let method = match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        Method::HEAD => "HEAD",
        _ => "other",
    };
    let status = match status.as_u16() {
        100..200 => "1xx",
        200..300 => "2xx",
        300..400 => "3xx",
        400..500 => "4xx",
        _ => "5xx",
    };
    api.metrics.http_requests.get_or_create(&HttpLabels { method, status }).inc();
}

fn log(
    method: &Method,
    path: Option<&str>,
    status: StatusCode,
    took: Duration,
    id: &str,
    cause: Option<&Problem>,
) {
    // The pattern, never the address itself: there may be tokens in it.
    let path = path.unwrap_or("(none)");
    let took_ms = (took.as_secs_f64() * 100_000.0).round() / 100.0;
    let status = status.as_u16();
    let code = cause.map_or("", |problem| problem.error().code.as_str());
    let chain = cause.map(|problem| chain(problem.error())).unwrap_or_default();
    match cause.map(|problem| problem.error().code) {
        Some(Code::Internal | Code::Unknown | Code::Unavailable) => {
            tracing::error!(%method, path, status, took_ms, request_id = id, code, chain, "request failed");
        }
        Some(_) => {
            tracing::info!(%method, path, status, took_ms, request_id = id, code, chain, "request refused");
        }
        None => tracing::info!(%method, path, status, took_ms, request_id = id, "request"),
    }
}

/// The causes behind an error, outermost first.
fn chain(error: &Error) -> String {
    let mut text = String::new();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let _ = write!(text, "{}{cause}", if text.is_empty() { "" } else { ": " });
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn k2_what_a_panic_says_stays_inside() {
        let response = panicked(Box::new("a secret"));
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let problem = response.extensions().get::<Problem>().unwrap();
        assert_eq!(problem.error().code, Code::Internal);
        assert!(!serde_json::to_string(&problem.body("id")).unwrap().contains("secret"));
        assert!(!chain(problem.error()).contains("secret"));
    }
}
