//! Where a browser's request comes from, and the session cookie that may come with it.

use http::{HeaderMap, header};
use parlour_core::{Code, Error};

/// The name of the session cookie.
pub(crate) const COOKIE: &str = "parlour_session";
/// Longest `Origin` that is looked at.
const MAX_ORIGIN_BYTES: usize = 512;

/// The origins whose pages may use the session cookie.
pub(crate) struct Origins {
    allowed: Vec<String>,
    public: Option<String>,
}

impl Origins {
    pub(crate) fn new(allowed: &[String], public_url: Option<&str>) -> Self {
        let public = public_url.map(|url| {
            let host = url.find("://").map_or(0, |at| at + 3);
            let end =
                url.get(host..).and_then(|rest| rest.find('/')).map_or(url.len(), |at| host + at);
            url.get(..end).unwrap_or(url).to_ascii_lowercase()
        });
        Self { allowed: allowed.to_vec(), public }
    }

    /// The one `Origin` of a request.
    ///
    /// # Errors
    /// [`Code::InvalidFrame`] for several, and for one that is no text or longer than any honest one.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Option<&str>, Error> {
        let mut origins = headers.get_all(header::ORIGIN).iter();
        let Some(first) = origins.next() else { return Ok(None) };
        match first.to_str() {
            Ok(origin) if origins.next().is_none() && origin.len() <= MAX_ORIGIN_BYTES => {
                Ok(Some(origin))
            }
            _ => Err(Error::new(Code::InvalidFrame, "the Origin header is malformed")),
        }
    }

    /// Whether pages of this origin may use the cookie: the server's own, and those that are listed.
    pub(crate) fn allows(&self, origin: &str, headers: &HeaderMap) -> bool {
        self.is_own(origin, headers) || self.allowed.iter().any(|allowed| allowed == origin)
    }

    /// Whether it is the server's own origin: its public address, or the host that the request names.
    pub(crate) fn is_own(&self, origin: &str, headers: &HeaderMap) -> bool {
        if self.public.as_deref() == Some(origin) {
            return true;
        }
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let named = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        matches!((named, host), (Some(named), Some(host)) if named.eq_ignore_ascii_case(host))
    }
}

/// Whether the browser says that the request comes from a page of this very origin.
pub(crate) fn is_same_origin_fetch(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-site").is_some_and(|site| site == "same-origin")
}

/// The session cookie's token.
pub(crate) fn session_cookie(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(k, v)| (k.parse().unwrap(), v.parse().unwrap())).collect()
    }

    #[test]
    fn own_and_listed_origins_are_allowed() {
        let origins =
            Origins::new(&["https://app.test".to_owned()], Some("https://Chat.test/base"));
        let to = headers(&[("host", "127.0.0.1:8000")]);
        for good in ["https://app.test", "https://chat.test", "http://127.0.0.1:8000"] {
            assert!(origins.allows(good, &to), "{good}");
        }
        for bad in [
            "null",
            "https://evil.test",
            "http://127.0.0.1",
            "https://app.test.evil",
            "127.0.0.1:8000",
        ] {
            assert!(!origins.allows(bad, &to), "{bad}");
        }
        assert!(Origins::new(&["null".to_owned()], None).allows("null", &to));
    }

    #[test]
    fn a5_several_or_endless_origins_are_malformed() {
        let mut two = headers(&[("origin", "http://a.test")]);
        two.append("origin", "http://b.test".parse().unwrap());
        assert!(Origins::of(&two).is_err());
        assert!(Origins::of(&headers(&[("origin", &"x".repeat(8192))])).is_err());
        assert_eq!(Origins::of(&headers(&[])).unwrap(), None);
    }

    #[test]
    fn the_cookie_is_found_among_others() {
        let cookie = |line: &str| session_cookie(&headers(&[("cookie", line)])).map(str::to_owned);
        assert_eq!(cookie("a=b; parlour_session=abc; c=d").as_deref(), Some("abc"));
        assert_eq!(cookie("xparlour_session=abc"), None);
        assert_eq!(cookie("parlour_session_old=abc"), None);
    }
}
