//! Problems: how REST says no (RFC 9457), with the codes of the domain. The only place that knows their statuses.

use std::{sync::Arc, time::Duration};

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use parlour_core::{Code, Error};
use serde::Serialize;
use utoipa::ToSchema;

/// The media type of a problem.
pub(crate) const MEDIA_TYPE: &str = "application/problem+json";

/// A refusal on its way out. The outermost layer gives it the request's id and logs what is for the log.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    error: Arc<Error>,
    status: StatusCode,
}

/// A refusal. `code` says what kind it is, for programs; `detail` says it for people.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemBody<'a> {
    /// Where the code is explained.
    #[serde(rename = "type")]
    #[schema(example = "/docs#not_found")]
    kind: String,
    /// What the code means.
    #[schema(example = "Not found")]
    title: &'static str,
    /// The HTTP status.
    #[schema(example = 404)]
    status: u16,
    /// What is wrong with this request.
    #[schema(example = "there is no such thing, or it is not yours")]
    detail: &'a str,
    /// The stable code.
    #[schema(example = "not_found")]
    code: &'static str,
    /// Names this request in the server's log.
    #[serde(skip_serializing_if = "str::is_empty")]
    request_id: &'a str,
    /// When the same may be tried again, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
    /// The limit that was met.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    limit: Option<&'static str>,
}

impl Problem {
    /// The same problem under another HTTP status.
    pub(crate) fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// The cause, for the log.
    pub(crate) fn error(&self) -> &Error {
        &self.error
    }

    /// The body for a request.
    pub(crate) fn body<'a>(&'a self, request_id: &'a str) -> ProblemBody<'a> {
        let code = self.error.code;
        ProblemBody {
            kind: format!("/docs#{}", code.as_str()),
            title: title(code),
            status: self.status.as_u16(),
            detail: &self.error.message,
            code: code.as_str(),
            request_id,
            retry_after_ms: self.error.retry_after.map(millis),
            limit: self.error.limit,
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self { status: status(error.code), error: Arc::new(error) }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self.body("")).unwrap_or_default();
        let mut response = (self.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(wait) = self.error.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(millis(wait).div_ceil(1_000)));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response.extensions_mut().insert(self);
        response
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The HTTP status of a code, as `contract/errors.toml` has it.
pub(crate) fn status(code: Code) -> StatusCode {
    match code {
        Code::InvalidJson | Code::InvalidFrame | Code::UnknownType => StatusCode::BAD_REQUEST,
        Code::NotAuthenticated => StatusCode::UNAUTHORIZED,
        Code::Forbidden | Code::Blocked => StatusCode::FORBIDDEN,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::TooLong => StatusCode::PAYLOAD_TOO_LARGE,
        Code::Empty | Code::Limit => StatusCode::UNPROCESSABLE_ENTITY,
        Code::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        Code::Conflict => StatusCode::CONFLICT,
        Code::Unavailable | Code::Unknown => StatusCode::SERVICE_UNAVAILABLE,
        Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn title(code: Code) -> &'static str {
    match code {
        Code::InvalidJson => "Not JSON",
        Code::InvalidFrame => "Not of the form that is asked for",
        Code::UnknownType => "No such command",
        Code::NotAuthenticated => "Not signed in",
        Code::Forbidden => "Not allowed",
        Code::NotFound => "Not found",
        Code::TooLong => "Too long",
        Code::Empty => "Empty",
        Code::RateLimited => "Too many requests",
        Code::Blocked => "Blocked",
        Code::Conflict => "Conflict",
        Code::Limit => "At its limit",
        Code::Unavailable => "Not possible at the moment",
        Code::Unknown => "Outcome unknown",
        Code::Internal => "The server failed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_those_of_the_contract() {
        let contract: toml::Table =
            include_str!("../../../../contract/errors.toml").parse().unwrap();
        assert_eq!(contract.len(), Code::ALL.len());
        for code in Code::ALL {
            let expected = contract[code.as_str()]["status"].as_integer().unwrap();
            assert_eq!(i64::from(status(code).as_u16()), expected, "{code:?}");
        }
    }
}
