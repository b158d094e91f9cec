//! Addresses of other pages, as the servers that these clients know give them: whole ones.

use std::{convert::Infallible, fmt::Write as _};

use axum::extract::FromRequestParts;
use http::{header, request::Parts, uri::Authority};
use parlour_core::{Code, Error};

use super::super::{Api, wire::Wish};

/// The address that was called, without its query.
pub(super) struct Here(String);

impl FromRequestParts<Api> for Here {
    type Rejection = Infallible;

    /// Under `server.public_url`; without it under the host that the request names, and where that is no host, from
    /// the root.
    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Infallible> {
        let host = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok());
        Ok(Self::of(api.settings.public_url.as_deref(), host, parts.uri.path()))
    }
}

impl Here {
    fn of(public_url: Option<&str>, host: Option<&str>, path: &str) -> Self {
        if let Some(url) = public_url {
            return Self(format!("{}{path}", url.trim_end_matches('/')));
        }
        // Somebody's name in an address is none of ours.
        let host = host.filter(|host| !host.contains('@') && host.parse::<Authority>().is_ok());
        Self(host.map_or_else(|| path.to_owned(), |host| format!("http://{host}{path}")))
    }

    /// The page at a cursor. What is no part of the page's place (a credential, say) is left behind.
    pub(super) fn page(&self, cursor: &str, size: Option<usize>) -> String {
        let mut address = format!("{}?cursor={cursor}", self.0);
        if let Some(size) = size {
            let _ = write!(address, "&page_size={size}");
        }
        address
    }
}

/// The size that is wished, under either of its names.
pub(super) fn size(page_size: Option<Wish>, limit: Option<Wish>) -> Option<usize> {
    page_size.or(limit).map(|wish| wish.0)
}

/// Refuses a page by its number where a list goes on by cursors only: ignoring it would give the first page for ever.
///
/// # Errors
/// [`Code::InvalidFrame`].
pub(super) fn no_number(page: Option<Wish>, offset: Option<Wish>) -> Result<(), Error> {
    if page.is_some_and(|page| page.0 > 1) || offset.is_some_and(|offset| offset.0 > 0) {
        let text = "this list has no numbered pages; go on at `next`";
        return Err(Error::new(Code::InvalidFrame, text));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_whole_where_they_can_be() {
        let of = |public, host| Here::of(public, host, "/api/x/").page("c", None);
        let public = Some("https://chat.test/base/");
        assert_eq!(of(None, Some("127.0.0.1:8000")), "http://127.0.0.1:8000/api/x/?cursor=c");
        assert_eq!(of(None, Some("[::1]:80")), "http://[::1]:80/api/x/?cursor=c");
        assert_eq!(of(public, Some("inner")), "https://chat.test/base/api/x/?cursor=c");
        for no_host in [None, Some(""), Some("a b"), Some("u@evil.test"), Some("a/b?c")] {
            assert_eq!(of(None, no_host), "/api/x/?cursor=c", "{no_host:?}");
        }
        assert_eq!(Here::of(None, None, "/x").page("c", Some(7)), "/x?cursor=c&page_size=7");
    }
}
