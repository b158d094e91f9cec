//! The web inbox, built into the program; and everything else that nobody answers.

use axum::{
    Router,
    response::{Html, IntoResponse, Response},
    routing::get,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use parlour_core::Error;

use super::error::Problem;

/// A file of the built inbox.
struct File {
    path: &'static str,
    kind: &'static str,
    etag: &'static str,
    /// Its name holds a hash of its content.
    immutable: bool,
    plain: &'static [u8],
    gzip: Option<&'static [u8]>,
}

include!(concat!(env!("OUT_DIR"), "/inbox.rs"));

/// What pages of the inbox may do: only what comes from here, sockets, and pictures of people.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data: blob: https: http:; media-src 'self' blob:; font-src 'self'; connect-src 'self' ws: wss:; \
    manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

pub(super) fn routes() -> Router {
    Router::new().route("/", get(index))
}

/// Whether the inbox is part of this build.
pub(crate) fn is_built() -> bool {
    find("index.html").is_some()
}

async fn index(headers: HeaderMap) -> Response {
    page(&headers)
}

/// A file of the inbox, one of its own addresses, or nothing.
pub(super) async fn fallback(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let not_found = || Problem::from(Error::not_found()).into_response();
    let path = uri.path();
    if !matches!(method, Method::GET | Method::HEAD) || is_reserved(path) {
        return not_found();
    }
    if let Some(file) = path.strip_prefix('/').and_then(find) {
        return serve(file, &headers);
    }
    let last = path.rsplit('/').next().unwrap_or_default();
    let odd = path.contains("//") || path.contains(['%', '\\']) || last.contains('.');
    if odd || path.contains("/..") || !wants_page(&headers) {
        return not_found();
    }
    page(&headers)
}

fn is_reserved(path: &str) -> bool {
    let inside = |root: &str| {
        path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    ["/api", "/ws", "/app", "/apps", "/broadcasting", "/docs", "/metrics"].into_iter().any(inside)
}

fn wants_page(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}

fn find(path: &str) -> Option<&'static File> {
    FILES.iter().find(|file| file.path == path)
}

fn page(headers: &HeaderMap) -> Response {
    match find("index.html") {
        Some(file) => serve(file, headers),
        None => not_built().into_response(),
    }
}

fn serve(file: &'static File, request: &HeaderMap) -> Response {
    let text = |name: HeaderName| request.get(name).and_then(|value| value.to_str().ok());
    let known = text(header::IF_NONE_MATCH).is_some_and(|tags| {
        tags.split(',').any(|tag| tag.trim().trim_start_matches("W/") == file.etag)
    });
    let gzip = file.gzip.filter(|_| {
        text(header::ACCEPT_ENCODING)
            .is_some_and(|offers| offers.split(',').any(|offer| offer.trim().starts_with("gzip")))
    });
    let mut response = match (known, gzip) {
        (true, _) => StatusCode::NOT_MODIFIED.into_response(),
        (false, Some(gzip)) => gzip.into_response(),
        (false, None) => file.plain.into_response(),
    };
    let caching = if file.immutable { "public, max-age=31536000, immutable" } else { "no-cache" };
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, file.kind),
        (header::ETAG, file.etag),
        (header::CACHE_CONTROL, caching),
        (header::VARY, "Accept-Encoding"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if gzip.is_some() && !known {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

fn not_built() -> impl IntoResponse {
    const PAGE: &str = "<!doctype html><html lang=en><meta charset=utf-8><title>Parlour</title>\
        <meta name=viewport content='width=device-width'><h1>Parlour is running</h1>\
        <p>The inbox is not part of this build. Build it, then build the server again:</p>\
        <pre>cd js &amp;&amp; npm ci &amp;&amp; npm run build\ncd .. &amp;&amp; cargo build -p parlour-server</pre>\
        <p>The API is ready: <a href=/docs>reference</a>, <a href=/openapi.json>OpenAPI document</a>.</html>\n";
    Html(PAGE)
}
