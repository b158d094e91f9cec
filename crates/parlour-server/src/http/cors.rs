//! CORS: any origin for requests that bring a token and no cookie; cookies for allowed origins only.

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};

use crate::auth::{Auth, Origins};

const METHODS: &str = "GET, POST, PUT, PATCH, DELETE";
// The last ones are those that Laravel's clients send along; nothing here reads them.
const HEADERS: &str = "authorization, content-type, idempotency-key, last-event-id, x-request-id, \
    x-csrf-token, x-xsrf-token, x-requested-with, x-socket-id";
const EXPOSED: &str = "x-request-id, retry-after, location";

/// What a page of the request's origin may see.
pub(crate) struct Decision {
    grant: Grant,
    is_preflight: bool,
    has_origin: bool,
}

enum Grant {
    /// Nothing.
    None,
    /// Everything that was asked for without a cookie.
    Anybody,
    /// Everything, to this origin.
    Origin(HeaderValue),
}

impl Decision {
    pub(crate) fn of(auth: &Auth, method: &Method, uri: &Uri, headers: &HeaderMap) -> Self {
        let Ok(Some(origin)) = Origins::of(headers) else {
            return Self { grant: Grant::None, is_preflight: false, has_origin: false };
        };
        let is_preflight = method == Method::OPTIONS
            && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        let grant = if auth.origin_allowed(headers) {
            HeaderValue::from_str(origin).map_or(Grant::None, Grant::Origin)
        } else if brings_token(uri, headers, is_preflight) {
            Grant::Anybody
        } else {
            Grant::None
        };
        Self { grant, is_preflight, has_origin: true }
    }

    /// The answer to a preflight.
    pub(crate) fn preflight(&self) -> Option<Response> {
        self.is_preflight.then(|| {
            let mut response = StatusCode::NO_CONTENT.into_response();
            if !matches!(self.grant, Grant::None) {
                let headers = response.headers_mut();
                let fixed = HeaderValue::from_static;
                headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, fixed(METHODS));
                headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, fixed(HEADERS));
                headers.insert(header::ACCESS_CONTROL_MAX_AGE, fixed("600"));
            }
            response
        })
    }

    pub(crate) fn apply(&self, headers: &mut HeaderMap) {
        if self.has_origin {
            headers.append(header::VARY, HeaderValue::from_static("Origin"));
        }
        let fixed = HeaderValue::from_static;
        let origin = match &self.grant {
            Grant::None => return,
            Grant::Anybody => fixed("*"),
            Grant::Origin(origin) => {
                headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, fixed("true"));
                origin.clone()
            }
        };
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, fixed(EXPOSED));
    }
}

/// Whether the request brings (or its preflight announces) a credential of its own, and no cookie.
fn brings_token(uri: &Uri, headers: &HeaderMap, is_preflight: bool) -> bool {
    if is_preflight {
        let announced = headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS);
        let announced = announced.and_then(|names| names.to_str().ok()).unwrap_or_default();
        return announced.split(',').any(|name| name.trim().eq_ignore_ascii_case("authorization"));
    }
    let ticket = uri.query().unwrap_or_default().split('&').any(|pair| pair.starts_with("ticket="));
    !headers.contains_key(header::COOKIE) && (headers.contains_key(header::AUTHORIZATION) || ticket)
}
